// SPDX-License-Identifier: MIT

/// Searches 50 000 binary codes with ids: the nearest codes of each query, all codes within a radius, and the
/// code that an associative memory recalls. Saves the memory to a file and loads it.

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/core/random.h"
#include "mneme/data/corruption.h"
#include "mneme/memory/item_memory.h"
#include "mneme/store/memory_file.h"

namespace {

void print(const char* title, const mneme::ItemMemory<mneme::BitPatterns>& memory,
           const mneme::BitNeighbours& neighbours, int64_t query) {
  std::printf("%s:", title);
  const auto& ids = memory.payloads_as<std::vector<int64_t>>();
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
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < num_codes; ++i) {
    for (uint64_t& word : codes[i]) { // four words of 64 bits
      word = random.next();
    }
    ids.push_back(1'000'000 + i);
  }
  // Query q is codes[q] with 70 flipped bits.
  const mneme::BitPatterns queries =
      mneme::data::flip_bits(mneme::slice(codes, 0, num_queries), 70, random.stream(1));

  mneme::ItemMemory<mneme::BitPatterns> memory(
      // The weight of a code decreases by the factor e per bit of its distance.
      {.similarity = mneme::Hamming{}, .separation = mneme::Softmax{.beta = 1}});
  memory.add(codes, ids);

  const mneme::BitNeighbours nearest = memory.nearest(queries, 5);
  const mneme::BitNeighbours within = memory.within(queries, 95);
  print("5 nearest", memory, nearest, 0);
  print("within 95 bits", memory, within, 0);

  const mneme::BitPatterns readout = memory.recall(queries).readout;

  const std::filesystem::path file = std::filesystem::temp_directory_path() / "mneme_nearest.safetensors";
  mneme::store::save_memory(file, memory);
  const auto loaded = mneme::store::load_memory<mneme::BitPatterns>(file);
  std::filesystem::remove(file);

  int found = 0, recalled = 0;
  for (int64_t q = 0; q < num_queries; ++q) {
    found += nearest.indices_of(q)[0] == q ? 1 : 0;
    recalled += mneme::hamming_distance(readout, q, codes, q) == 0 ? 1 : 0;
  }
  std::printf("own code found first: %d of 1000 queries; recalled exactly: %d of 1000\n", found, recalled);
  const bool same = loaded.patterns() == codes && loaded.payloads() == memory.payloads();
  std::printf("loaded the saved memory: %s\n", same ? "equal" : "different");
  return same && found == num_queries && recalled == num_queries ? 0 : 1;
}
