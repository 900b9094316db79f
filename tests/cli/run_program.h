// SPDX-License-Identifier: MIT

/// Runs the real program, as a shell would but without one.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace mneme::testing {

struct ProgramOptions {
  std::filesystem::path folder{};                   ///< to run in; empty: a temporary one
  std::map<std::string, std::string> environment{}; ///< on top of the present one
  std::optional<std::filesystem::path> stdout_to{}; ///< a file such as /dev/full; `out` is then empty
  bool stdout_closed = false;
  bool reader_has_gone = false; ///< stdout is a pipe that nobody reads
  std::string input{};          ///< what stdin holds
  std::optional<int> signal{};  ///< sent once `signal_after` stands on stderr
  std::string signal_after{};
  std::chrono::seconds timeout{20}; ///< then the program is killed and the test fails
};

struct ProgramResult {
  int exit_code = -1; ///< -1: ended by a signal
  int signal = 0;     ///< that ended it
  std::string out, err;
};

/// Runs `mneme ARGUMENTS` (MNEME_PROGRAM names the file) to its end.
ProgramResult run_mneme(const std::vector<std::string>& arguments, const ProgramOptions& options = {});

/// Runs any other program the same way; it is looked for as a shell looks.
ProgramResult run_program(const std::vector<std::string>& command, const ProgramOptions& options = {});

} // namespace mneme::testing
