// SPDX-License-Identifier: MIT

/// From `mneme`, which starts in milliseconds, to `mneme-nn`, which has LibTorch.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/verb.h"

namespace mneme::cli {

/// `verb` has parsed its part of the arguments. Becomes `mneme-nn ARGUMENTS` of the same folder where the verb needs LibTorch and this program is without it. Where
/// there is no mneme-nn, `$MNEME_DEV nn` builds it if that variable is set, as ./dev does; else a verb that needs
/// LibTorch only for a part runs here, and the function returns.
///
/// Errors  UnsupportedError if there is no mneme-nn, or it cannot be built or started
void hand_over(const std::vector<std::string>& arguments, const Verb& verb);

struct ProgramOutput {
  int status = 0; ///< as a shell gives it: 128 + signal for a program that a signal has ended
  std::string out;
};

/// Runs `mneme-nn ARGUMENTS` of the same folder to its end; its stderr is ours. Nothing where there is no mneme-nn.
///
/// Errors  UnsupportedError if it cannot be started
std::optional<ProgramOutput> run_torch_program(const std::vector<std::string>& arguments);

} // namespace mneme::cli
