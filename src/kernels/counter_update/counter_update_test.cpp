// SPDX-License-Identifier: MIT

#include "kernels/counter_update/counter_update.h"

#include <algorithm>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "each_cpu_target.h"
#include "mneme/core/random.h"

namespace mneme::kernels {
namespace {

struct Problem {
  std::vector<int16_t> counters;
  std::vector<uint64_t> patterns;
  std::vector<int64_t> locations;
  std::vector<int32_t> offsets = {0}, written;
  int64_t words;

  /// Location i has i patterns.
  Problem(int64_t num_locations, int64_t words_, int largest_counter) : words(words_) {
    constexpr int64_t kPatterns = 7;
    Random random = Random(53).stream(static_cast<uint64_t>(num_locations * 100 + words));
    for (int64_t i = 0; i < kPatterns * words; ++i) {
      patterns.push_back(random.next());
    }
    for (int64_t i = 0; i < 2 * num_locations * 64 * words + 1; ++i) { // every second row is not written
      counters.push_back(static_cast<int16_t>(
          largest_counter - static_cast<int>(random.below(2 * static_cast<uint64_t>(largest_counter) + 1))));
    }
    for (int64_t i = 0; i < num_locations; ++i) {
      locations.push_back(2 * (num_locations - 1 - i));
      for (int64_t j = 0; j < i; ++j) {
        written.push_back(static_cast<int32_t>(random.below(kPatterns)));
      }
      offsets.push_back(static_cast<int32_t>(written.size()));
    }
  }

  std::pair<std::vector<int16_t>, int64_t> run(decltype(&counter_update) kernel, int16_t sign,
                                               bool saturates) const {
    std::vector<int16_t> result = counters;
    const int64_t clipped = kernel({.counters = result.data(),
                                    .patterns = patterns.data(),
                                    .locations = locations.data(),
                                    .offsets = offsets.data(),
                                    .written = written.data(),
                                    .num_locations = std::ssize(locations),
                                    .words = words,
                                    .bits = bits(),
                                    .sign = sign,
                                    .saturates = saturates});
    for (size_t i = 0; i < result.size(); ++i) { // counters of pad bits are not defined
      if (words > 0 && static_cast<int64_t>(i) % (64 * words) >= bits()) {
        result[i] = 0;
      }
    }
    return {result, clipped};
  }

  int64_t bits() const { return words == 0 ? 0 : 64 * words - 20; }
};

TEST(CounterUpdate, EqualsTheReferenceForAnyNumberOfPatterns) {
  test::on_each_cpu_target([] {
    for (const int64_t words : {0, 1, 2, 5, 16}) {
      for (const int64_t num_locations : {0, 1, 2, 9}) {
        const Problem problem(num_locations, words, 1000);
        for (const int16_t sign : {int16_t{1}, int16_t{-1}}) {
          for (const bool saturates : {false, true}) {
            ASSERT_EQ(problem.run(counter_update, sign, saturates),
                      problem.run(reference::counter_update, sign, saturates))
                << num_locations << " locations of " << words << " words";
          }
        }
      }
    }
  });
}

TEST(CounterUpdate, CountsClippedAdditions) {
  test::on_each_cpu_target([] {
    Problem problem(9, 3, 1000);
    for (size_t i = 0; i < problem.counters.size(); ++i) { // a few additions below the limits
      problem.counters[i] = static_cast<int16_t>(i % 2 == 0 ? std::numeric_limits<int16_t>::max() - 2
                                                            : std::numeric_limits<int16_t>::min() + 1);
    }
    for (const int16_t sign : {int16_t{1}, int16_t{-1}}) {
      const auto [counters, clipped] = problem.run(counter_update, sign, true);
      EXPECT_GT(clipped, 0);
      EXPECT_EQ(std::pair(counters, clipped), problem.run(reference::counter_update, sign, true));
    }
  });
}

TEST(CounterUpdate, SubtractionReversesAddition) {
  test::on_each_cpu_target([] {
    Problem problem(9, 3, 1000);
    problem.counters = problem.run(counter_update, 1, false).first; // also clears the pad counters
    const std::vector<int16_t> before = problem.counters;
    problem.counters = problem.run(counter_update, 1, false).first;
    EXPECT_NE(problem.counters, before);
    EXPECT_EQ(problem.run(counter_update, -1, false).first, before);
  });
}

} // namespace
} // namespace mneme::kernels
