// SPDX-License-Identifier: MIT

/// Runs programs without a shell, and captures their output.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace mneme::testing {

struct ProgramOptions {
  std::filesystem::path folder{};                   ///< working directory; empty: a temporary folder
  std::map<std::string, std::string> environment{}; ///< added to the current environment
  std::optional<std::filesystem::path> stdout_to{}; ///< a file such as /dev/full; `out` is then empty
  bool stdout_closed = false;
  bool pipe_closed = false;    ///< stdout is a pipe whose read end is closed
  std::string input{};         ///< contents of stdin
  std::optional<int> signal{}; ///< sent once `signal_after` is on stderr
  std::string signal_after{};
  std::chrono::seconds timeout{20}; ///< after this time the program is killed and the test fails
};

struct ProgramResult {
  int exit_code = -1; ///< -1 if the program was ended by a signal
  int signal = 0;     ///< the signal that ended the program, or 0
  std::string out, err;
};

/// Runs `mneme ARGUMENTS` and waits for it. MNEME_PROGRAM is the path of the program.
ProgramResult run_mneme(const std::vector<std::string>& arguments, const ProgramOptions& options = {});

/// Runs any other program, which is searched in PATH.
ProgramResult run_program(const std::vector<std::string>& command, const ProgramOptions& options = {});

} // namespace mneme::testing
