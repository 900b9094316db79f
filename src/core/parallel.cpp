// SPDX-License-Identifier: MIT

#include "mneme/core/parallel.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <string>

#ifdef MNEME_OPENMP
#include <omp.h>
#else
#include <thread>
#endif

#include "core/thread_team.h"
#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"

namespace mneme {
namespace {

std::atomic<int> chosen_threads{0}; // 0: not chosen
thread_local bool inside_parallel_for = false;

/// Calls `worker` on at most `count` threads, the calling one included.
void run_on_threads(int count, LoopThreads kind, const std::function<void()>& worker) {
#ifdef MNEME_OPENMP
  if (kind == LoopThreads::openmp) {
#pragma omp parallel num_threads(count)
    worker();
    return;
  }
#endif
  static_cast<void>(kind);
  run_on_team(count - 1, worker);
}

int default_threads() {
#ifdef MNEME_OPENMP
  return std::max(1, omp_get_max_threads());
#else
  const char* requested = std::getenv("OMP_NUM_THREADS");
  const int count = requested != nullptr ? std::atoi(requested) : 0;
  return count > 0 ? count : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
#endif
}

} // namespace

int threads() {
  const int chosen = chosen_threads;
  return chosen > 0 ? chosen : default_threads();
}

void set_threads(int count) {
  if (count < 1) {
    throw UsageError("mneme::set_threads: " + std::to_string(count) +
                     " threads requested, at least 1 is needed.");
  }
  chosen_threads = count;
}

namespace {

void run_blocks(int64_t count, int64_t block, const std::function<void(int64_t, int64_t)>& body,
                bool can_be_interrupted, LoopThreads kind) {
  block = std::max<int64_t>(block, 1);
  const int64_t blocks = count <= 0 ? 0 : (count - 1) / block + 1;
  const auto run_block = [&](int64_t index) {
    if (can_be_interrupted) {
      throw_if_interrupted();
    }
    const int64_t begin = index * block;
    body(begin, begin + std::min(block, count - begin)); // (index + 1) * block may overflow
  };
  const int workers = inside_parallel_for ? 1 : static_cast<int>(std::min<int64_t>(threads(), blocks));
  if (workers <= 1) {
    for (int64_t index = 0; index < blocks; ++index) {
      run_block(index);
    }
    return;
  }

  std::atomic<int64_t> next_block{0};
  std::atomic<int64_t> failed_block{blocks}; // the lowest; blocks before it have begun
  std::exception_ptr first_error;
  std::mutex error_mutex;
  run_on_threads(workers, kind, [&] {
    inside_parallel_for = true;
    for (int64_t index = next_block++; index < failed_block; index = next_block++) {
      try {
        run_block(index);
      } catch (...) {
        const std::lock_guard lock(error_mutex);
        if (index < failed_block) {
          failed_block = index;
          first_error = std::current_exception();
        }
      }
    }
    inside_parallel_for = false;
  });
  if (first_error) {
    std::rethrow_exception(first_error);
  }
}

} // namespace

bool in_parallel_loop() {
  return inside_parallel_for;
}

void parallel_for(int64_t count, int64_t block, const std::function<void(int64_t, int64_t)>& body,
                  LoopThreads threads_of_loop) {
  run_blocks(count, block, body, /*can_be_interrupted=*/true, threads_of_loop);
}

void parallel_update(int64_t count, int64_t block, const std::function<void(int64_t, int64_t)>& body,
                     LoopThreads threads_of_loop) {
  run_blocks(count, block, body, /*can_be_interrupted=*/false, threads_of_loop);
}

} // namespace mneme
