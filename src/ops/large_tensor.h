// SPDX-License-Identifier: MIT

/// Memory for large results.
#pragma once

#include <ATen/core/Tensor.h>

namespace mneme::ops {

/// at::empty on the CPU, for results as long as a sequence. Memory of that size mostly comes fresh from the system, and to be
/// handed 4 kB at a time takes longer than LEAP takes to fill them: from 2 MB on this asks for large pages
/// (Linux: transparent huge pages), and keeps up to 64 MB that were freed for the next call.
at::Tensor empty_on_large_pages(at::IntArrayRef sizes, const at::TensorOptions& options);

} // namespace mneme::ops
