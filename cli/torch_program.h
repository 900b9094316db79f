// SPDX-License-Identifier: MIT

/// Starts `mneme-nn`, the program with LibTorch, from `mneme`, which starts faster because it does not load
/// LibTorch.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/child_program.h"
#include "cli/verb.h"

namespace mneme::cli {

/// Replaces this process by `mneme-nn ARGUMENTS` of the same folder if `verb`, which has parsed its
/// arguments, needs LibTorch and this program does not have it; else returns. If there is no mneme-nn, it is
/// built with `$MNEME_DEV nn` if that variable is set (`./dev run` sets it); otherwise the function returns
/// for a verb for which LibTorch is optional, and throws for a verb that requires it.
///
/// Errors  UnsupportedError if there is no mneme-nn, or it cannot be built or started
void relaunch_with_torch(const std::vector<std::string>& arguments, const Verb& verb);

/// Runs `mneme-nn ARGUMENTS` of the same folder and waits for it. Its stderr is that of this process. Returns
/// nothing if there is no mneme-nn.
///
/// Errors  UnsupportedError if it cannot be started
std::optional<ProgramOutput> run_torch_program(const std::vector<std::string>& arguments);

} // namespace mneme::cli
