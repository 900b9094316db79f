// SPDX-License-Identifier: MIT

/// Runs other programs without a shell.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace mneme::cli {

/// A program and its arguments, with the argv array for exec and posix_spawn.
struct CommandLine {
  /// `all_arguments` begin with the name of the program.
  CommandLine(std::string file, std::vector<std::string> all_arguments);
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  std::string program; ///< a path, or a name that is searched in PATH
  std::vector<std::string> arguments;
  std::vector<char*> argv; ///< pointers into `arguments`, and a null pointer at the end
};

/// Starts a program whose stdout is the descriptor `out`. Returns 0, or the errno of the failure.
int start(const CommandLine& command, int out, pid_t& child);
/// Waits for a program; returns its exit status as a shell does.
int wait_for(pid_t child);

struct ProgramOutput {
  int error = 0;  ///< errno if the program could not be started, else 0
  int status = 0; ///< exit status as in a shell
  std::string out;
};

enum class Captured {
  output,           ///< stdout; stderr is that of this process
  output_and_errors ///< stdout and stderr together
};

/// Runs a program to its end and captures its output.
ProgramOutput run_child(const CommandLine& command, Captured captured);

} // namespace mneme::cli
