// SPDX-License-Identifier: MIT

/// Allocation of large results on huge pages.
#pragma once

#include <ATen/core/Tensor.h>

namespace mneme::ops {

/// at::empty on the CPU, for results as long as a sequence. Memory of that size mostly comes fresh from the
/// system, and page faults of 4 kB each would take longer than LEAP takes to compute the result. From 2 MB
/// on, this requests huge pages (Linux: transparent huge pages), and caches up to 64 MB of freed memory for
/// later calls.
at::Tensor empty_on_huge_pages(at::IntArrayRef sizes, const at::TensorOptions& options);
/// The same with strides: at::empty_strided. All elements follow each other in memory in some order.
at::Tensor empty_on_huge_pages(at::IntArrayRef sizes, at::IntArrayRef strides,
                               const at::TensorOptions& options);

} // namespace mneme::ops
