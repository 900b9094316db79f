// SPDX-License-Identifier: MIT

/// Searches 50 000 binary codes with ids: the nearest codes of each query, all codes within a radius, and the
/// code that an associative memory recalls.

#include <cstdint>
#include <cstdio>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/core/random.h"
#include "mneme/data/corruption.h"
#include "mneme/memory/associate.h"
#include "mneme/memory/nearest.h"

namespace {

void print(const char* title, const mneme::BitNeighbours& neighbours, int64_t query,
           const std::vector<int64_t>& ids) {
  std::printf("%s:", title);
  const auto indices = neighbours.indices_of(query);
  const auto distances = neighbours.distances_of(query);
  for (size_t i = 0; i < indices.size(); ++i) {
    const int64_t id = ids[static_cast<size_t>(indices[i])];
    std::printf(" %lld (%d bits)", static_cast<long long>(id), distances[i]);
  }
  std::printf("\n");
}

} // namespace

int main() {
  const int64_t num_codes = 50'000, num_queries = 1000, bits = 256;
  mneme::Random random(7);
  mneme::BitPatterns codes(num_codes, bits);
  std::vector<int64_t> ids; // ids[i] is the payload of codes[i]
  for (int64_t i = 0; i < num_codes; ++i) {
    for (uint64_t& word : codes[i]) { // four words of 64 bits
      word = random.next();
    }
    ids.push_back(1'000'000 + i);
  }
  // Query q is codes[q] with 70 flipped bits.
  const mneme::BitPatterns queries =
      mneme::data::flip_bits(mneme::slice(codes, 0, num_queries), 70, random.stream(1));

  const mneme::BitNeighbours nearest = mneme::nearest(queries, codes, 5);
  const mneme::BitNeighbours within = mneme::within(queries, codes, 95);
  print("5 nearest", nearest, 0, ids);
  print("within 95 bits", within, 0, ids);

  // The weight of a code decreases by the factor e per bit of its distance.
  const mneme::AssociativeMemory<mneme::BitPatterns> memory(
      codes, {.similarity = mneme::Hamming{}, .separation = mneme::Softmax{.beta = 1}});
  const mneme::BitPatterns readout = memory.recall(queries).readout;

  int found = 0, recalled = 0;
  for (int64_t q = 0; q < num_queries; ++q) {
    found += nearest.indices_of(q)[0] == q ? 1 : 0;
    recalled += mneme::hamming_distance(readout, q, codes, q) == 0 ? 1 : 0;
  }
  std::printf("own code found first: %d of 1000 queries; recalled exactly: %d of 1000\n", found, recalled);
  return found == num_queries && recalled == num_queries ? 0 : 1;
}
