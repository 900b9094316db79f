// SPDX-License-Identifier: MIT

/// Entry point of the programs `mneme` and `mneme-nn`.

#include <csignal>
#include <iostream>
#include <string_view>

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include "cli/program.h"
#include "cli/verb.h"
#include "mneme/core/interrupt.h"

namespace {

/// Opens /dev/null for every closed standard stream, so that a file opened later does not get the descriptor
/// of stdout. The replacement of stdout is read-only, so that writing results to it fails visibly.
void fill_standard_streams() {
  for (int stream = 0; stream <= 2; ++stream) {
    if (::fcntl(stream, F_GETFD) < 0 && ::open("/dev/null", stream == 2 ? O_WRONLY : O_RDONLY) < 0) {
      return;
    }
  }
}

/// Ends the program when the bytes of a mapped file are missing, with functions that a signal handler may
/// call.
void report_missing_bytes(int) {
  constexpr std::string_view kMessage =
      "mneme: a file in use, such as model.safetensors, has become shorter, or its disk cannot be read.\n"
      "  Replace files by renaming a complete one, not in place; copy this one again and repeat the "
      "command.\n";
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kMessage.data(), kMessage.size());
  ::_exit(static_cast<int>(mneme::cli::ExitCode::bad_input));
}

/// Unblocks the signals that `relaunch_with_torch` blocks.
void unblock_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGINT);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGHUP);
  ::sigprocmask(SIG_UNBLOCK, &signals, nullptr);
}

} // namespace

int main(int argc, char** argv) {
#ifdef __GLIBC__
  // Freed large blocks are reused and not returned to the system: faulting their pages in again took a tenth
  // of the time of a long recall.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
  fill_standard_streams();
  std::signal(SIGPIPE, SIG_DFL); // a closed pipe on stdout ends the program without a message
  std::signal(SIGXFSZ, SIG_IGN); // exceeding the file size limit is reported as a write error
  std::signal(SIGBUS, report_missing_bytes);
  mneme::catch_interrupts();
  unblock_signals();
  return static_cast<int>(
      mneme::cli::run_program({argv + (argc > 0 ? 1 : 0), argv + argc}, std::cout, std::cerr));
}
