// SPDX-License-Identifier: MIT

/// Times the steps of training a projection. projection_training.py runs it and its peer.
///
/// projection_training IMAGES SIZE STEPS THREADS    IMAGES is a file of bytes, SIZE bytes per image

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <ATen/ops/from_blob.h>
#include <malloc.h>

#include "benchmarks/peak_memory.h"
#include "mneme/core/cpu.h"
#include "mneme/core/parallel.h"
#include "mneme/data/read_file.h"
#include "mneme/training/projection.h"

namespace {

int run(const char* images, int64_t size, int64_t steps, int threads) {
  // Return blocks as large as the encoded keys to the system when they are freed. By default the allocator
  // adapts its threshold and keeps them, which adds unused memory to the peak.
  constexpr int kLargeBlock = 4'000'000;
  mallopt(M_MMAP_THRESHOLD, kLargeBlock);
  const double at_start = mneme::peak_memory(); // libraries, no data yet
  mneme::set_threads(threads);
  std::vector<std::byte> bytes = mneme::data::read_file(images);
  const at::Tensor patterns =
      at::from_blob(bytes.data(), {static_cast<int64_t>(bytes.size()) / size, size}, at::kByte);
  mneme::training::ProjectionTrainer trainer(patterns, {});
  std::vector<double> seconds;
  for (int64_t step = 0; step < steps; ++step) {
    const auto begin = std::chrono::steady_clock::now();
    trainer.step();
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  std::sort(seconds.begin(), seconds.end());
  std::printf(
      "{\"seconds_per_step\": %.6f, \"memory_at_start\": %.0f, \"memory_peak\": %.0f, \"loss\": %.6f, "
      "\"cpu\": \"%s\", \"isa\": \"%s\"}\n",
      seconds[seconds.size() / 2], at_start, mneme::peak_memory(), trainer.losses().back(),
      mneme::cpu_model().c_str(), mneme::cpu_target().c_str());
  return 0;
}

} // namespace

int main(int count, char** arguments) {
  if (count != 5) {
    std::fprintf(stderr, "usage: %s IMAGES SIZE STEPS THREADS\n", arguments[0]);
    return 2;
  }
  try {
    return run(arguments[1], std::atoll(arguments[2]), std::atoll(arguments[3]), std::atoi(arguments[4]));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
