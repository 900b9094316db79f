// SPDX-License-Identifier: MIT

/// Ctrl-C as a flag that long computations poll between blocks.
#pragma once

namespace mneme {

/// Installs handlers of SIGINT, SIGTERM and, unless it is ignored, SIGHUP that set the flag; a second signal
/// ends the process at once. For programs; the library never calls it.
void catch_interrupts();

bool interrupted();
void request_interrupt(); ///< sets the flag without a signal; for tests and embedding programs
void clear_interrupt();
void throw_if_interrupted(); ///< Errors  Interrupted

} // namespace mneme
