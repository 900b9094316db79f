// SPDX-License-Identifier: MIT

/// Threads that take part in the loops of parallel.h.
#pragma once

#include <functional>

namespace mneme {

/// Calls `worker` on the calling thread, and at the same time on at most `helpers` other threads. Returns
/// when all calls that have begun have ended, and does not wait for threads that have not begun: on a busy
/// machine, the calling thread does the work of a thread that the system does not run. A helper that waits
/// for work sleeps after a few microseconds. `worker` must not throw.
void run_on_team(int helpers, const std::function<void()>& worker);

} // namespace mneme
