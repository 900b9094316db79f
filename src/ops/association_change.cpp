// SPDX-License-Identifier: MIT

#include "mneme/ops/association_change.h"

#include <cmath>
#include <numeric>
#include <vector>

#include <ATen/Dispatch.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/matmul.h>

#include "kernels/softmax_change/softmax_change.h"
#include "mneme/core/parallel.h"
#include "mneme/ops/backend.h"
#include "ops/attention_masks.h"
#include "ops/checks.h"
#include "ops/row_chunks.h"
#include "ops/softmax_readout.h"

namespace mneme::ops {
namespace {

const Checks kChecks("association_change");
constexpr int64_t kQueriesPerBlock = 192; // four panels of the kernel on AVX-512
constexpr int64_t kMinStoredPerChunk = 4096;

void check(const Checks::Named& before, const Checks::Named& after, const Checks::Named& stored) {
  constexpr const char* kDimensions = "batch, patterns, features";
  for (const Checks::Named& input : {before, after, stored}) {
    kChecks.dimensions(input, 3, kDimensions, "Use unsqueeze(0) on a single batch.");
    kChecks.floating_point(input);
    kChecks.same_type_and_device(before, input);
    kChecks.same_size(before, 0, input, 0, "batches", "Expand a tensor that all batches share.");
    kChecks.same_size(before, 2, input, 2, "features", "Scores are dot products over features.");
  }
  kChecks.same_size(before, 1, after, 1, "states", "Pass the same states before and after an update.");
  kChecks.not_empty(stored, 1, "patterns", "An empty memory has no attention weights.");
  kChecks.not_empty(stored, 2, "features", "Patterns without features have no scores.");
}

template <class T>
void streamed(const at::Tensor& before, const at::Tensor& after, const at::Tensor& stored,
              const AttentionMasks& masks, double* norms) {
  const int64_t batches = before.size(0), queries = before.size(1), size = before.size(2);
  const at::Tensor no_values = stored.narrow(2, 0, 0).contiguous(); // only row_max and row_sum are needed
  const SoftmaxReadout of_before = softmax_readout(before, stored, no_values, masks),
                       of_after = softmax_readout(after, stored, no_values, masks);
  const int64_t blocks = (queries + kQueriesPerBlock - 1) / kQueriesPerBlock;
  const int64_t problems = batches * blocks;
  const RowChunks chunks(stored.size(1), (kTargetChunks + problems - 1) / std::max<int64_t>(1, problems),
                         kMinStoredPerChunk);
  std::vector<double> squares(static_cast<size_t>(chunks.num_chunks * batches * queries));
  parallel_for(problems * chunks.num_chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t chunk = item % chunks.num_chunks, block = item / chunks.num_chunks % blocks;
      const int64_t batch = item / chunks.num_chunks / blocks;
      const int64_t first = batch * queries + block * kQueriesPerBlock;
      const auto state = [&](const at::Tensor& states, const SoftmaxReadout& statistics) {
        return typename kernels::SoftmaxChangeArgs<T>::State{states.const_data_ptr<T>() + first * size,
                                                             statistics.row_max.const_data_ptr<T>() + first,
                                                             statistics.row_sum.const_data_ptr<T>() + first};
      };
      kernels::softmax_change(kernels::SoftmaxChangeArgs<T>{
          .before = state(before, of_before),
          .after = state(after, of_after),
          .stored = stored.const_data_ptr<T>() + (batch * stored.size(1) + chunks.begin(chunk)) * size,
          .squares = squares.data() + chunk * batches * queries + first,
          .num_queries = std::min(kQueriesPerBlock, queries - block * kQueriesPerBlock),
          .num_stored = chunks.end(chunk) - chunks.begin(chunk),
          .size = size,
          .mask = masks.of_batch<T>(batch, batches).at(block * kQueriesPerBlock, chunks.begin(chunk))});
    }
  });
  for (int64_t batch = 0; batch < batches; ++batch) {
    double sum = 0;
    for (int64_t chunk = 0; chunk < chunks.num_chunks; ++chunk) {
      const double* of_batch = squares.data() + (chunk * batches + batch) * queries;
      sum = std::accumulate(of_batch, of_batch + queries, sum);
    }
    norms[batch] = std::sqrt(sum);
  }
}

} // namespace

at::Tensor association_change(const at::Tensor& before, const at::Tensor& after, const at::Tensor& stored,
                              const at::Tensor& key_padding_mask, const at::Tensor& attention_mask) {
  check({"before", before}, {"after", after}, {"stored", stored});
  const AttentionMasks masks(kChecks, key_padding_mask, attention_mask, {"before", before},
                             {"stored", stored}, stored.size(0));
  const at::NoGradGuard no_gradient;
  if (!has_kernel(stored)) {
    const auto weights = [&](const at::Tensor& states) {
      return masks.softmax(at::matmul(states, stored.transpose(1, 2)).to(at::kFloat));
    };
    return at::linalg_vector_norm(weights(after) - weights(before), 2, at::IntArrayRef{1, 2}, false,
                                  at::kDouble);
  }
  at::Tensor norms = at::empty({stored.size(0)}, at::kDouble);
  AT_DISPATCH_FLOATING_TYPES(stored.scalar_type(), "mneme::association_change", [&] {
    streamed<scalar_t>(before.contiguous(), after.contiguous(), stored.contiguous(), masks,
                       norms.mutable_data_ptr<double>());
  });
  return norms;
}

} // namespace mneme::ops
