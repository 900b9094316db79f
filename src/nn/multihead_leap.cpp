// SPDX-License-Identifier: MIT

#include "mneme/nn/multihead_leap.h"

#include <cmath>

#include <ATen/Functions.h>

#include "mneme/ops/int8_matrix.h"
#include "mneme/ops/leap_projected.h"
#include "nn/apply_linear.h"
#include "nn/checks.h"
#include "nn/head_vectors.h"
#include "nn/refuse.h"

namespace mneme::nn {
namespace {

constexpr const char* kLayer = "MultiheadLeap";

void check(const MultiheadLeapOptions& options) {
  check_heads(kLayer, options.hidden_size(), options.num_heads());
  const int64_t head_size = options.hidden_size() / options.num_heads();
  check_partial_dropout(kLayer, options.dropout());
  check_positive(kLayer, "rescale", options.rescale().value_or(1), "The published value is 10.");
  if (options.rescale() && head_size < 2) {
    refuse(kLayer,
           c10::str("rescale is given, but a head has ", head_size, " feature; at least 2 are needed."),
           "A single number has no standard deviation.");
  }
  if (options.rotary() && head_size % 2 != 0) {
    refuse(kLayer, c10::str("rotary positions rotate pairs of features, but a head has ", head_size, "."),
           "hidden_size / num_heads must be even.");
  }
}

/// Standardisation and rotary positions, if the options have any of them; else an empty function.
ops::ProjectionTransform transform_of(const MultiheadLeapOptions& options) {
  if (!options.rescale() && !options.rotary()) {
    return {};
  }
  return [is_standardized = options.rescale().has_value(),
          is_rotated = options.rotary()](const at::Tensor& projected, int64_t first_position) {
    at::Tensor result = is_standardized ? standardise(projected) : projected;
    if (is_rotated) { // except the value
      const at::Tensor heads = rotary_embedding(result.narrow(2, 0, 3).flatten(2, 3), first_position);
      result = at::cat({heads.unflatten(2, {3, -1}), result.narrow(2, 3, 1)}, 2);
    }
    return result;
  };
}

} // namespace

std::vector<double> alibi_slopes(int64_t num_heads) {
  std::vector<double> slopes;
  for (int64_t head = 1; head <= num_heads; ++head) {
    slopes.push_back(std::exp2(-8.0 * static_cast<double>(head) / static_cast<double>(num_heads)));
  }
  return slopes;
}

MultiheadLeapImpl::MultiheadLeapImpl(MultiheadLeapOptions options_) : options(std::move(options_)) {
  check(options);
  reset();
  // The operator checks windows, decays and scales: an empty call reports errors now instead of in the first
  // forward.
  const at::Tensor none = at::empty({0, 0, options.num_heads(), options.hidden_size() / options.num_heads()});
  ops::leap(none, none, none, none, op_options());
}

void MultiheadLeapImpl::reset() {
  projections = register_module(
      "projections",
      torch::nn::Linear(
          torch::nn::LinearOptions(options.hidden_size(), 4 * options.hidden_size()).bias(false)));
}

ops::LeapOptions MultiheadLeapImpl::op_options() const {
  const int64_t head_size = options.hidden_size() / options.num_heads();
  ops::LeapOptions op{.weight = options.weight(),
                      .windows = {options.windows(), options.decay()},
                      .gate = options.gate(),
                      .gate_scale = options.gate_scale(),
                      .epsilon = options.epsilon(),
                      .both_sides = options.both_sides(),
                      .check_finite = options.check_finite()};
  if (options.rescale()) {
    op.scale = *options.rescale() / static_cast<double>(head_size);
  }
  return op;
}

MultiheadLeapImpl::Projected MultiheadLeapImpl::project(const at::Tensor& x, int64_t first_position) {
  check_sequence(kLayer, x, options.hidden_size(), projections->weight);
  const int64_t head_size = options.hidden_size() / options.num_heads();
  at::Tensor projected = apply_linear(*projections, x).unflatten(-1, {4, options.num_heads(), head_size});
  if (const ops::ProjectionTransform transform = transform_of(options)) {
    projected = transform(projected, first_position);
  }
  return {projected.select(2, 0), projected.select(2, 1), projected.select(2, 2), projected.select(2, 3)};
}

at::Tensor MultiheadLeapImpl::forward(const at::Tensor& x, const at::Tensor& key_padding_mask) {
  ops::LeapOptions op = op_options();
  op.key_padding_mask = key_padding_mask;
  check_sequence(kLayer, x, options.hidden_size(), projections->weight);
  ops::ProjectionDropout dropout;
  if (is_training() && options.dropout() > 0) {
    dropout = {options.dropout(), draw_seed()};
  }
  if (ops::is_int8_matrix(projections->weight)) {
    const Projected p = project(x, 0);
    return ops::leap(p.query, p.focus, p.key, p.value, op).flatten(2);
  }
  return ops::leap_projected(x, projections->weight, options.num_heads(), op, transform_of(options), dropout);
}

MultiheadLeapStep MultiheadLeapImpl::step(const at::Tensor& x, ops::LeapState state) {
  const at::NoGradGuard no_gradient;
  const Projected p = project(x, state.position);
  ops::LeapContinuation next =
      ops::leap_continue(p.query, p.focus, p.key, p.value, std::move(state), op_options());
  return {next.readout.flatten(2), std::move(next.state)};
}

ops::LeapIntermediates MultiheadLeapImpl::explain(const at::Tensor& x, const at::Tensor& key_padding_mask) {
  const Projected p = project(x, 0);
  ops::LeapOptions op = op_options();
  op.key_padding_mask = key_padding_mask;
  return ops::leap_with_intermediates(p.query, p.focus, p.key, p.value, op);
}

at::Tensor MultiheadLeapImpl::effective_attention(const ops::LeapIntermediates& intermediates,
                                                  const ops::LeapTile& tile) const {
  return ops::effective_attention(intermediates, op_options(), tile);
}

} // namespace mneme::nn
