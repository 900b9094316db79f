// SPDX-License-Identifier: MIT

/// Memory for results that are as long as a sequence.
#pragma once

#include <ATen/core/Tensor.h>

namespace mneme::ops {

/// at::empty on the CPU; from a few megabytes on it asks for large pages (Linux: transparent huge pages). Memory of that size
/// mostly comes fresh from the system, and to be handed 4 kB at a time takes longer than LEAP takes to fill them.
at::Tensor empty_on_large_pages(at::IntArrayRef sizes, const at::TensorOptions& options);

} // namespace mneme::ops
