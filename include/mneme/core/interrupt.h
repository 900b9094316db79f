// SPDX-License-Identifier: MIT

/// Ctrl-C as a flag that long work looks at between blocks.
#pragma once

namespace mneme {

/// Makes SIGINT and SIGTERM set the flag; a second one ends the process at once. For programs; the library
/// never calls it.
void catch_interrupts();

bool interrupted();
void request_interrupt(); ///< as if the signal had come; for tests and for embedding programs
void clear_interrupt();
void throw_if_interrupted(); ///< Errors  Interrupted

} // namespace mneme
