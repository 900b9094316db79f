// SPDX-License-Identifier: MIT

/// Number of threads of LibTorch, declared without it (mneme/core/torch_function.h).
#pragma once

#include "mneme/core/torch_function.h"

namespace mneme::cli {

inline constinit TorchFunction<void(int threads)> set_torch_threads{"setting the threads of LibTorch"};

} // namespace mneme::cli
