// SPDX-License-Identifier: MIT

/// From `mneme`, which starts in milliseconds, to `mneme-nn`, which has LibTorch.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace mneme::cli {

/// Becomes `mneme-nn ARGUMENTS`, which lies beside this program; returns where this program is the one with
/// LibTorch already, or was built without.
///
/// Errors  UnsupportedError if it is not there or cannot run
void hand_over(const std::vector<std::string>& arguments);

struct ProgramOutput {
  int status = 0; ///< as a shell gives it: 128 + signal for a program that a signal has ended
  std::string out;
};

/// Runs `mneme-nn ARGUMENTS` to its end; what it prints on stderr goes to ours. Nothing where this program is the one
/// with LibTorch already, or was built without.
///
/// Errors  UnsupportedError if it is not there or cannot run
std::optional<ProgramOutput> run_torch_program(const std::vector<std::string>& arguments);

} // namespace mneme::cli
