// SPDX-License-Identifier: MIT

/// The one way mneme runs a loop on several threads.
#pragma once

#include <cstdint>
#include <functional>

namespace mneme {

/// Threads that parallel loops use: what `set_threads` said, else OMP_NUM_THREADS, else one per CPU this
/// process may use.
int threads();
/// Errors  UsageError if count < 1
void set_threads(int count);

/// Calls body(begin, end) for consecutive blocks of at most `block` indices that cover [0, count).
///
/// Blocks start at multiples of `block` whatever the number of threads, so work grouped by block gives the
/// same answer on 1 or 64 threads. Nested calls run on the calling thread. The first exception of a body is
/// rethrown here, after running bodies have ended; blocks not yet begun are then skipped. An interrupt
/// (interrupt.h) is thrown as Interrupted.
void parallel_for(int64_t count, int64_t block, const std::function<void(int64_t begin, int64_t end)>& body);

} // namespace mneme
