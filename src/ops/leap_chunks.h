// SPDX-License-Identifier: MIT

/// Splits LEAP's kernels among threads: by heads of a batch, or by chunks of the tokens of a head.
/// sequence -> chunk (tokens of one thread) -> tile (kWindowScanTile tokens, one kernel step) -> row (one
/// token).
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>

namespace mneme::ops {

/// Work of one thread: heads [first_head, last_head) of a batch, and tokens [begin, end) of them.
struct Chunk {
  int64_t batch, first_head, last_head;
  int64_t begin, end; ///< positions
  int64_t index;      ///< among the chunks of a head
};

/// The positions at which the tokens of rows [B, T, H, D] are cut into chunks that run in parallel, from
/// `begin` on, both ends included. There are several chunks only if there are more threads than heads in all
/// batches. Neither the split into heads nor that into chunks changes the bits of a result, so it may depend
/// on the number of threads. `min_tokens`: smallest length of a chunk.
std::vector<int64_t> chunk_cuts(const at::Tensor& rows, int64_t begin, int64_t min_tokens);

/// Buffer for the sums that chunks exchange, `size` items per tile and head: [B, H, n]; undefined for one
/// chunk.
at::Tensor tile_buffer(const at::Tensor& rows, const std::vector<int64_t>& cuts, int64_t size);

/// Calls body(chunk) in parallel for all heads of rows [B, T, H, D] and all their chunks. Several heads are
/// passed at once only if there is one chunk per head.
void for_each_chunk(const at::Tensor& rows, const std::vector<int64_t>& cuts,
                    const std::function<void(const Chunk&)>& body);

/// Calls body(chunk) in parallel for the tokens of every head whose sums other chunks read: those that
/// windows reach before each cut, or, if not `before` (backward pass), after it.
void for_tokens_near_cuts(const at::Tensor& rows, const std::vector<int64_t>& cuts,
                          const std::vector<int64_t>& windows, bool before,
                          const std::function<void(const Chunk&)>& body);

} // namespace mneme::ops
