// SPDX-License-Identifier: MIT

#include "kernels/hamming/hamming.h"

#include <vector>

#include <gtest/gtest.h>

#include "each_cpu_target.h"
#include "mneme/core/random.h"

namespace mneme::kernels {
namespace {

std::vector<uint64_t> random_words(uint64_t stream, int64_t count) {
  Random random = Random(17).stream(stream);
  std::vector<uint64_t> words(static_cast<size_t>(count));
  for (uint64_t& word : words) {
    word = random.next();
  }
  return words;
}

/// Distances computed by `kernel`. Inputs start at word `offset`, which may not be aligned to a vector.
/// Also checks that nothing next to the distances is written.
std::vector<int32_t> distances(decltype(&hamming) kernel, const std::vector<uint64_t>& queries,
                               const std::vector<uint64_t>& stored, int64_t q, int64_t s, int64_t words,
                               int64_t offset) {
  constexpr int32_t kUntouched = -7;
  std::vector<int32_t> result(static_cast<size_t>(q * s + 2), kUntouched);
  kernel({queries.data() + offset, stored.data() + offset, result.data() + 1, q, s, words});
  EXPECT_EQ(result.front(), kUntouched);
  EXPECT_EQ(result.back(), kUntouched);
  return result;
}

TEST(Hamming, EqualsTheReferenceForEveryTailAndStart) {
  test::on_each_cpu_target([] {
    for (const int64_t words : {0, 1, 2, 3, 5, 8, 13, 16, 31, 32, 63, 70, 300}) {
      const auto queries = random_words(1, 9 * words + 1), stored = random_words(2, 37 * words + 1);
      for (const int64_t q : {0, 1, 3, 4, 9}) {
        for (const int64_t s : {0, 1, 2, 7, 8, 9, 16, 17, 37}) {
          const int64_t offset = words > 0 ? (q + s) % 2 : 0;
          ASSERT_EQ(distances(hamming, queries, stored, q, s, words, offset),
                    distances(reference::hamming, queries, stored, q, s, words, offset))
              << q << " queries, " << s << " stored, " << words << " words";
        }
      }
    }
  });
}

TEST(Hamming, CountsEveryBitOfOppositePatterns) {
  test::on_each_cpu_target([] {
    constexpr int64_t kWords = 200; // more than 8-bit counters can hold without intermediate sums
    const std::vector<uint64_t> zeros(5 * kWords, 0), ones(9 * kWords, ~uint64_t{0});
    for (const int64_t q : {1, 5}) {
      std::vector<int32_t> result(static_cast<size_t>(q * 9));
      hamming({zeros.data(), ones.data(), result.data(), q, 9, kWords});
      EXPECT_EQ(result, std::vector<int32_t>(static_cast<size_t>(q * 9), 64 * kWords));
    }
  });
}

} // namespace
} // namespace mneme::kernels
