// SPDX-License-Identifier: MIT

/// The program `mneme`.

#include <csignal>
#include <iostream>

#include <fcntl.h>
#include <malloc.h>

#include "cli/program.h"
#include "mneme/core/interrupt.h"

namespace {

/// Gives closed standard streams a place, so that no file opened later becomes stdout by accident. What
/// stands in for stdout cannot be written to: the loss is then noticed.
void fill_standard_streams() {
  for (int stream = 0; stream <= 2; ++stream) {
    if (::fcntl(stream, F_GETFD) < 0 && ::open("/dev/null", stream == 2 ? O_WRONLY : O_RDONLY) < 0) {
      return;
    }
  }
}

/// Those that `hand_over` keeps waiting.
void let_signals_in() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGINT);
  ::sigaddset(&signals, SIGTERM);
  ::sigprocmask(SIG_UNBLOCK, &signals, nullptr);
}

} // namespace

int main(int argc, char** argv) {
#ifdef __GLIBC__
  // Large blocks are used again instead of going back to the system: fetching their pages anew took a tenth of a long recall.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
  fill_standard_streams();
  std::signal(SIGPIPE, SIG_DFL); // a reader that has gone ends the program quietly
  std::signal(SIGXFSZ, SIG_IGN); // a file too large is an error to report, no reason to die
  mneme::catch_interrupts();
  let_signals_in();
  return static_cast<int>(
      mneme::cli::run_program({argv + (argc > 0 ? 1 : 0), argv + argc}, std::cout, std::cerr));
}
