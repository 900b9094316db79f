// SPDX-License-Identifier: MIT

#include "mneme/core/interrupt.h"

#include <atomic>
#include <csignal>

#include "mneme/core/error.h"

namespace mneme {
namespace {

std::atomic<bool> flag{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

void on_signal(int signal) {
  if (flag.exchange(true)) { // The second signal ends the process.
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
}

} // namespace

void catch_interrupts() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  if (std::signal(SIGHUP, on_signal) == SIG_IGN) { // started by nohup
    std::signal(SIGHUP, SIG_IGN);
  }
}

bool interrupted() {
  return flag.load(std::memory_order_relaxed);
}
void request_interrupt() {
  flag = true;
}
void clear_interrupt() {
  flag = false;
}

void throw_if_interrupted() {
  if (interrupted()) {
    throw Interrupted();
  }
}

} // namespace mneme
