// SPDX-License-Identifier: MIT

/// Parallel loops: the only multi-threading of mneme.
#pragma once

#include <cstdint>
#include <functional>

namespace mneme {

/// Number of threads of parallel loops: that of `set_threads`, else OMP_NUM_THREADS, else one per CPU that
/// this process may use.
int threads();
/// Errors  UsageError if count < 1
void set_threads(int count);

/// Threads of a loop, besides the calling one.
enum class LoopThreads {
  own, ///< threads of mneme, which sleep after a few microseconds without work. No loop waits for a thread that
       ///< has not begun, so that it costs little if the system runs other programs on the other CPUs
  openmp ///< of OpenMP: functions of LibTorch that are called in the loop then use one thread each
};
/// `own`, and `openmp` in code that uses LibTorch.
#ifdef MNEME_LOOPS_ON_OPENMP
constexpr LoopThreads kLoopThreads = LoopThreads::openmp;
#else
constexpr LoopThreads kLoopThreads = LoopThreads::own;
#endif

/// Calls body(begin, end) for consecutive blocks of at most `block` indices that cover [0, count).
///
/// Blocks start at multiples of `block` whatever the number of threads, so that results computed per block
/// are equal on 1 or 64 threads. Nested calls run on the calling thread. After an exception, blocks that have
/// not started are skipped. Once all running bodies have ended, the exception of the first block that threw
/// is rethrown, the same on any number of threads. An interrupt (interrupt.h) is thrown as Interrupted.
void parallel_for(int64_t count, int64_t block, const std::function<void(int64_t begin, int64_t end)>& body,
                  LoopThreads threads_of_loop = kLoopThreads);

/// Whether the caller is in the body of a loop that several threads share, so that nested loops run on its
/// thread.
bool in_parallel_loop();

/// As parallel_for, but not stopped by an interrupt: for updates in place that must not remain incomplete.
void parallel_update(int64_t count, int64_t block,
                     const std::function<void(int64_t begin, int64_t end)>& body,
                     LoopThreads threads_of_loop = kLoopThreads);

} // namespace mneme
