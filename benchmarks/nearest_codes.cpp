// SPDX-License-Identifier: MIT

// Searches an item memory and prints JSON; nearest_codes.py runs it next to faiss.
//
//   nearest_codes MEMORY.safetensors QUERIES.npy (packed, big) top|within N THREADS RESULT

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "mneme/core/parallel.h"
#include "mneme/data/load_patterns.h"
#include "mneme/store/memory_file.h"
#include "peak_memory.h"

namespace {

template <class T> void write(std::ofstream& file, const std::vector<T>& values) {
  file.write(reinterpret_cast<const char*>(values.data()),
             static_cast<std::streamsize>(values.size() * sizeof(T)));
}

} // namespace

int main(int argc, char** argv) {
  using Clock = std::chrono::steady_clock;
  constexpr int kArguments = 7, kRepetitions = 3;
  if (argc != kArguments) {
    std::cerr << "usage: nearest_codes MEMORY QUERIES top|within N THREADS RESULT\n";
    return 2;
  }
  const auto memory = mneme::store::load_memory<mneme::BitPatterns>(argv[1]);
  const mneme::data::PatternSet set = mneme::data::load_patterns(
      argv[2], {.packed = mneme::data::BitOrder::big, .bits = memory.patterns().bits()});
  const mneme::BitPatterns queries = mneme::to_bits(set.patterns, set.threshold);
  const bool is_top = std::string(argv[3]) == "top";
  const int64_t limit = std::atoll(argv[4]);
  mneme::set_threads(std::atoi(argv[5]));
  mneme::BitNeighbours found;
  double seconds = 1e300;
  for (int i = 0; i < kRepetitions; ++i) {
    const auto begin = Clock::now();
    found = is_top ? memory.nearest(queries, limit) : memory.within(queries, limit);
    seconds = std::min(seconds, std::chrono::duration<double>(Clock::now() - begin).count());
  }
  std::ofstream result(argv[6], std::ios::binary);
  write(result, found.offsets);
  write(result, found.indices);
  write(result, found.distances);
  std::cout << "{\"seconds\": " << seconds << ", \"found\": " << found.indices.size()
            << ", \"peak_bytes\": " << mneme::peak_memory() << "}\n";
  return result.good() ? 0 : 1;
}
