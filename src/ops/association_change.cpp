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
#include "ops/checks.h"
#include "ops/rows.h"
#include "ops/seen.h"
#include "ops/softmax_readout.h"

namespace mneme::ops {
namespace {

const Checks kChecks("association_change");
constexpr int64_t kQueriesPerBlock = 192; // four panels of the kernel on AVX-512
constexpr int64_t kStoredPerPiece = 4096;

void check(const Checks::Named& before, const Checks::Named& after, const Checks::Named& stored) {
  constexpr const char* kDimensions = "batch, patterns, features";
  for (const Checks::Named& input : {before, after, stored}) {
    kChecks.defined(input, kDimensions);
    kChecks.dimensions(input, 3, kDimensions, "A single batch is unsqueeze(0).");
    kChecks.real(input);
    kChecks.same_type(before, input);
    kChecks.same_device(before, input);
    kChecks.equal(before, 0, input, 0, "batches", "Expand what all batches share.");
    kChecks.equal(before, 2, input, 2, "features", "They are compared feature by feature.");
  }
  kChecks.equal(before, 1, after, 1, "states", "The same states are needed before and after.");
  if (stored.tensor.size(1) == 0 || stored.tensor.size(2) == 0) {
    kChecks.refuse(c10::str("stored has ", Checks::sized(stored, 1, "patterns"), " of ",
                            stored.tensor.size(2), " features, at least 1 of 1 is needed."),
                   "Nothing is associated with an empty memory.");
  }
}

template <class T>
void streamed(const at::Tensor& before, const at::Tensor& after, const at::Tensor& stored, const Seen& seen,
              double* norms) {
  const int64_t batches = before.size(0), queries = before.size(1), size = before.size(2);
  const at::Tensor no_values = stored.narrow(2, 0, 0).contiguous(); // only largest scores and sums are wanted
  const SoftmaxReadout old = softmax_readout(before, stored, no_values, seen),
                       now = softmax_readout(after, stored, no_values, seen);
  const int64_t blocks = (queries + kQueriesPerBlock - 1) / kQueriesPerBlock;
  const int64_t problems = batches * blocks;
  const Cut cut(stored.size(1), (kPiecesWanted + problems - 1) / std::max<int64_t>(1, problems),
                kStoredPerPiece);
  std::vector<double> squares(static_cast<size_t>(cut.pieces * batches * queries));
  parallel_for(problems * cut.pieces, 1, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t piece = item % cut.pieces, block = item / cut.pieces % blocks;
      const int64_t batch = item / cut.pieces / blocks;
      const int64_t first = batch * queries + block * kQueriesPerBlock;
      const auto state = [&](const at::Tensor& states, const SoftmaxReadout& known) {
        return typename kernels::SoftmaxChangeArgs<T>::State{states.const_data_ptr<T>() + first * size,
                                                             known.largest.const_data_ptr<T>() + first,
                                                             known.sum.const_data_ptr<T>() + first};
      };
      kernels::softmax_change(kernels::SoftmaxChangeArgs<T>{
          .before = state(before, old),
          .after = state(after, now),
          .stored = stored.const_data_ptr<T>() + (batch * stored.size(1) + cut.begin(piece)) * size,
          .squares = squares.data() + piece * batches * queries + first,
          .num_queries = std::min(kQueriesPerBlock, queries - block * kQueriesPerBlock),
          .num_stored = cut.end(piece) - cut.begin(piece),
          .size = size,
          .mask = seen.of<T>(batch, batches).at(block * kQueriesPerBlock, cut.begin(piece))});
    }
  });
  for (int64_t batch = 0; batch < batches; ++batch) {
    double sum = 0;
    for (int64_t piece = 0; piece < cut.pieces; ++piece) {
      const double* of_batch = squares.data() + (piece * batches + batch) * queries;
      sum = std::accumulate(of_batch, of_batch + queries, sum);
    }
    norms[batch] = std::sqrt(sum);
  }
}

} // namespace

at::Tensor association_change(const at::Tensor& before, const at::Tensor& after, const at::Tensor& stored,
                              const at::Tensor& missing, const at::Tensor& mask) {
  check({"before", before}, {"after", after}, {"stored", stored});
  const Seen seen(kChecks, missing, mask, {"before", before}, {"stored", stored}, stored.size(0));
  const at::NoGradGuard no_gradient;
  if (!has_kernel(stored)) {
    const auto weights = [&](const at::Tensor& states) {
      return seen.softmax(at::matmul(states, stored.transpose(1, 2)).to(at::kFloat));
    };
    return at::linalg_vector_norm(weights(after) - weights(before), 2, at::IntArrayRef{1, 2}, false,
                                  at::kDouble);
  }
  at::Tensor norms = at::empty({stored.size(0)}, at::kDouble);
  AT_DISPATCH_FLOATING_TYPES(stored.scalar_type(), "mneme::association_change", [&] {
    streamed<scalar_t>(before.contiguous(), after.contiguous(), stored.contiguous(), seen,
                       norms.mutable_data_ptr<double>());
  });
  return norms;
}

} // namespace mneme::ops
