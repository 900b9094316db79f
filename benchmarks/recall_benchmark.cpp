// SPDX-License-Identifier: MIT

/// Times of recall and search, as JSON: recall_benchmark bits|reals|sdm STORED SIZE THREADS.
/// recall_section.py runs it next to faiss and torch-hd.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "mneme/core/parallel.h"
#include "mneme/core/random.h"
#include "mneme/data/corruption.h"
#include "mneme/data/random_patterns.h"
#include "mneme/memory/associate.h"
#include "mneme/memory/nearest.h"
#include "mneme/memory/neuron_sdm.h"

namespace {

using namespace mneme;
constexpr double kSecondsMax = 2; // per measurement, after five runs
constexpr int kRunsMin = 5, kRunsMax = 25;

/// Median time of a call, in seconds, after one call that is not counted.
template <class Call> double seconds_of(Call call) {
  using Clock = std::chrono::steady_clock;
  call();
  std::vector<double> times;
  double total = 0;
  while (std::ssize(times) < kRunsMin || (std::ssize(times) < kRunsMax && total < kSecondsMax)) {
    const auto begin = Clock::now();
    call();
    times.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
    total += times.back();
  }
  std::ranges::nth_element(times, times.begin() + std::ssize(times) / 2);
  return times[times.size() / 2];
}

struct Row {
  const char* name;
  Similarity similarity;
  Separation separation;
};

/// Time to read all patterns once, the limit of a search by one query in patterns that exceed the cache.
double seconds_of_reading(const BitPatterns& patterns) {
  constexpr int64_t kBlock = 4096; // patterns
  std::atomic<uint64_t> total{0};  // keeps the compiler from leaving the sums out
  return seconds_of([&] {
    parallel_for(patterns.count(), kBlock, [&](int64_t begin, int64_t end) {
      uint64_t sums[16] = {}; // several vectors, so that additions do not wait for each other
      const uint64_t* words = patterns.data() + begin * patterns.words();
      const int64_t count = (end - begin) * patterns.words();
      int64_t i = 0;
      for (; i + 16 <= count; i += 16) {
        for (int64_t j = 0; j < 16; ++j) {
          sums[j] += words[i + j];
        }
      }
      for (; i < count; ++i) {
        sums[0] += words[i];
      }
      for (const uint64_t sum : sums) {
        total += sum;
      }
    });
  });
}

/// Memory with hard locations at the size of Kanerva's book, or a part of it: single and batched writes and
/// reads, with the radius that activates one location in a thousand.
nlohmann::json measure_sdm(int64_t hard_locations, int64_t bits) {
  const Random random(7);
  constexpr int64_t kPatterns = 1024;
  const BitPatterns patterns = data::random_bits(kPatterns, bits, random.stream(1));
  const BitPatterns cues = data::flip_bits(patterns, bits / 10, random.stream(2));
  NeuronSdm memory({.bits = bits, .hard_locations = hard_locations, .hamming_radius = bits * 451 / 1000});
  memory.write(patterns); // also so that all counters are in memory
  nlohmann::json results = nlohmann::json::array();
  for (const int64_t count : {int64_t{1}, int64_t{64}, kPatterns}) {
    const BitPatterns written = slice(patterns, 0, count), read = slice(cues, 0, count);
    results.push_back(
        {{"name", "write"}, {"queries", count}, {"seconds", seconds_of([&] { memory.write(written); })}});
    results.push_back(
        {{"name", "read"}, {"queries", count}, {"seconds", seconds_of([&] { memory.recall(read); })}});
  }
  return results;
}

nlohmann::json measure_bits(int64_t num_stored, int64_t bits) {
  const Random random(7);
  const BitPatterns stored = data::random_bits(num_stored, bits, random.stream(1));
  const int64_t radius = bits * 451 / 1000;
  const std::vector<Row> rows = {{"best match", Hamming{}, BestMatch{}},
                                 {"within a radius", Hamming{}, Radius{radius}},
                                 {"softmax, beta 30", Cosine{}, Softmax{30}},
                                 {"sparsemax, beta 8", Cosine{}, Sparsemax{8}},
                                 {"circle intersection", Hamming{}, CircleIntersection{bits, radius}}};
  nlohmann::json results = nlohmann::json::array();
  results.push_back(
      {{"name", "read of all patterns"}, {"queries", 1}, {"seconds", seconds_of_reading(stored)}});
  for (const int64_t count : {1, 64}) {
    const BitPatterns cues =
        data::flip_bits(slice(stored, num_stored / 2, num_stored / 2 + count), bits / 10, random.stream(2));
    const auto add = [&](const char* name, double seconds) {
      results.push_back({{"name", name}, {"queries", count}, {"seconds", seconds}});
    };
    add("search, 1 neighbour", seconds_of([&] { nearest(cues, stored, 1); }));
    add("search, 10 neighbours", seconds_of([&] { nearest(cues, stored, 10); }));
    add("search within a radius", seconds_of([&] { within(cues, stored, radius); }));
    for (const Row& row : rows) {
      const AssociativeMemory<BitPatterns> memory(
          stored, {.similarity = row.similarity, .separation = row.separation});
      add(row.name, seconds_of([&] { memory.recall(cues); }));
    }
  }
  return results;
}

nlohmann::json measure_reals(int64_t num_stored, int64_t size) {
  Random random(7);
  RealPatterns stored(num_stored, size);
  std::generate_n(stored.data(), num_stored * size, [&] { return random.normal(); });
  const std::vector<Row> rows = {{"dot, best match", Dot{}, BestMatch{}},
                                 {"cosine, softmax, beta 30", Cosine{}, Softmax{30}},
                                 {"cosine, sparsemax, beta 8", Cosine{}, Sparsemax{8}},
                                 {"euclidean, best match", Euclidean{}, BestMatch{}}};
  nlohmann::json results = nlohmann::json::array();
  for (const Row& row : rows) {
    const AssociativeMemory<RealPatterns> memory(
        stored,
        {.similarity = row.similarity, .separation = row.separation, .precision = Precision::float32});
    for (const int64_t count : {1, 64}) {
      RealPatterns cues = slice(stored, num_stored / 2, num_stored / 2 + count);
      std::transform(cues.data(), cues.data() + count * size, cues.data(),
                     [&](double x) { return x + 0.1 * random.normal(); });
      results.push_back(
          {{"name", row.name}, {"queries", count}, {"seconds", seconds_of([&] { memory.recall(cues); })}});
    }
  }
  return results;
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: recall_benchmark bits|reals|sdm STORED SIZE THREADS\n";
    return 2;
  }
  const int64_t num_stored = std::atoll(argv[2]), size = std::atoll(argv[3]);
  mneme::set_threads(std::atoi(argv[4]));
  const std::string kind = argv[1];
  std::cout << (kind == "bits"  ? measure_bits(num_stored, size)
                : kind == "sdm" ? measure_sdm(num_stored, size)
                                : measure_reals(num_stored, size))
            << "\n";
}
