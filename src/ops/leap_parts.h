// SPDX-License-Identifier: MIT

/// Which thread works on what of LEAP's kernels: on heads of a batch, or on parts of the tokens of a head.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>

namespace mneme::ops {

/// Heads [first, last) of a batch, and tokens of theirs.
struct Share {
  int64_t batch, first, last;
  int64_t begin, end; ///< positions
  int64_t part;
};

/// Where the tokens of rows [B, T, H, D] are cut into parts side by side, both ends included: positions, from `begin` on.
/// More than one part only where there are more threads than heads of all batches; neither heads nor parts change the bits
/// of a result, so that their number may depend on that of threads. `least`: tokens of a part.
std::vector<int64_t> cuts_of(const at::Tensor& rows, int64_t begin, int64_t least);

/// Room for what parts tell each other, `size` items per tile and head: [B, H, n]; undefined for one part.
at::Tensor tiles_of(const at::Tensor& rows, const std::vector<int64_t>& cuts, int64_t size);

/// Calls body(share) for all heads of rows [B, T, H, D] and all parts, on several threads. Several heads at once only if
/// there is but one part.
void for_parts(const at::Tensor& rows, const std::vector<int64_t>& cuts,
               const std::function<void(const Share&)>& body);

/// Calls body(share) for the tokens of every head that others of its parts read: those that windows reach before each cut,
/// or on the way back after it.
void for_tokens_in_reach(const at::Tensor& rows, const std::vector<int64_t>& cuts,
                         const std::vector<int64_t>& windows, bool before,
                         const std::function<void(const Share&)>& body);

} // namespace mneme::ops
