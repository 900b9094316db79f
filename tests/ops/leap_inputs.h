// SPDX-License-Identifier: MIT

/// Random queries, focus, keys and values, segments of them, and gradients with respect to all four.
#pragma once

#include <vector>

#include "ops/tensors.h"

namespace mneme::ops {

struct Inputs {
  at::Tensor query, focus, key, value;
};

inline Inputs inputs(int64_t batches, int64_t tokens, int64_t heads, int64_t features, uint64_t seed,
                     at::ScalarType type = at::kDouble, double spread = 1) {
  const auto random = [&](uint64_t stream) {
    return (spread * random_tensor({batches, tokens, heads, features}, 10 * seed + stream)).to(type);
  };
  return {random(0), random(1), random(2), random(3)};
}

/// Tokens [first, last).
inline Inputs segment_of(const Inputs& x, int64_t first, int64_t last) {
  const auto segment = [&](const at::Tensor& t) { return t.slice(1, first, last); };
  return {segment(x.query), segment(x.focus), segment(x.key), segment(x.value)};
}

inline Inputs to(const Inputs& x, at::ScalarType type) {
  return {x.query.to(type), x.focus.to(type), x.key.to(type), x.value.to(type)};
}

/// Gradients of a random linear combination of the readouts function(x, options) with respect to all four
/// inputs.
template <class Options, class Function>
std::vector<at::Tensor> gradients(const Inputs& x, const Options& options, const Function& function) {
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& t : {x.query, x.focus, x.key, x.value}) {
    leaves.push_back(t.clone().requires_grad_());
  }
  const at::Tensor readout = function(Inputs{leaves[0], leaves[1], leaves[2], leaves[3]}, options);
  std::vector<at::Tensor> grads =
      torch::autograd::grad({readout}, leaves, {random_tensor(readout.sizes(), 99).to(readout.scalar_type())},
                            std::nullopt, false, true);
  for (size_t i = 0; i < grads.size(); ++i) { // an open gate does not use the query
    grads[i] = grads[i].defined() ? grads[i] : at::zeros_like(leaves[i]);
  }
  return grads;
}

} // namespace mneme::ops
