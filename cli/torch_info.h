// SPDX-License-Identifier: MIT

/// Which LibTorch this build was made with; only in builds that have it.
#pragma once

namespace mneme::cli {

/// Told by its headers: loading LibTorch itself takes longer than most verbs do.
const char* torch_version();

} // namespace mneme::cli
