// SPDX-License-Identifier: MIT

#include "cli/torch_threads.h"

#include <ATen/Parallel.h>

namespace mneme::cli {
namespace {

[[maybe_unused]] const bool implemented =
    set_torch_threads.implement([](int threads) { at::set_num_threads(threads); });

} // namespace
} // namespace mneme::cli
