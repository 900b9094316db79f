// SPDX-License-Identifier: MIT

/// Times of recall and search, as JSON: recall_benchmark bits|reals STORED SIZE THREADS. recall_section.py
/// runs it next to faiss.
#include <algorithm>
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
    std::cerr << "usage: recall_benchmark bits|reals STORED SIZE THREADS\n";
    return 2;
  }
  const int64_t num_stored = std::atoll(argv[2]), size = std::atoll(argv[3]);
  mneme::set_threads(std::atoi(argv[4]));
  std::cout << (std::string(argv[1]) == "bits" ? measure_bits(num_stored, size)
                                               : measure_reals(num_stored, size))
            << "\n";
}
