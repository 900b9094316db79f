// SPDX-License-Identifier: MIT

/// From `mneme`, which starts in milliseconds, to `mneme-nn`, which has LibTorch.
#pragma once

#include <string>
#include <vector>

namespace mneme::cli {

/// Becomes `mneme-nn ARGUMENTS`, which lies beside this program; returns where this program is the one with
/// LibTorch already, or was built without.
///
/// Errors  UnsupportedError if it is not there or cannot run
void hand_over(const std::vector<std::string>& arguments);

} // namespace mneme::cli
