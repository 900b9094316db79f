// SPDX-License-Identifier: MIT

#include "mneme/nn/matrix_leap.h"

#include <ATen/Functions.h>

#include "nn/apply_linear.h"
#include "nn/checks.h"
#include "nn/refuse.h"

namespace mneme::nn {
namespace {

constexpr const char* kLayer = "MatrixLeap";

} // namespace

MatrixLeapImpl::MatrixLeapImpl(MatrixLeapOptions options_) : options(std::move(options_)) {
  check_heads(kLayer, options.hidden_size(), options.num_heads());
  reset();
  // The operator checks windows and decays: an empty call reports errors now instead of in the first forward.
  const at::Tensor none = at::empty({0, 0, options.num_heads(), options.hidden_size() / options.num_heads()});
  ops::matrix_leap(none, none, none, none, op_options());
}

void MatrixLeapImpl::reset() {
  projections = register_module(
      "projections",
      torch::nn::Linear(
          torch::nn::LinearOptions(options.hidden_size(), 4 * options.hidden_size()).bias(false)));
}

ops::MatrixLeapOptions MatrixLeapImpl::op_options() const {
  return {.weight = options.weight(),
          .features = options.features(),
          .windows = {options.windows(), options.decay()},
          .epsilon = options.epsilon(),
          .both_sides = options.both_sides(),
          .check_finite = options.check_finite()};
}

std::vector<at::Tensor> MatrixLeapImpl::project(const at::Tensor& x) {
  check_sequence(kLayer, x, options.hidden_size(), projections->weight);
  std::vector<at::Tensor> parts = apply_linear(*projections, x).chunk(4, -1);
  for (at::Tensor& part : parts) {
    part = part.unflatten(-1, {options.num_heads(), -1});
  }
  return parts;
}

at::Tensor MatrixLeapImpl::forward(const at::Tensor& x, const at::Tensor& key_padding_mask) {
  const std::vector<at::Tensor> p = project(x);
  ops::MatrixLeapOptions op = op_options();
  op.key_padding_mask = key_padding_mask;
  return ops::matrix_leap(p[0], p[1], p[2], p[3], op).flatten(2);
}

MatrixLeapStep MatrixLeapImpl::step(const at::Tensor& x, ops::MatrixLeapState state) {
  const at::NoGradGuard no_gradient;
  const std::vector<at::Tensor> p = project(x);
  ops::MatrixLeapContinuation next =
      ops::matrix_leap_continue(p[0], p[1], p[2], p[3], std::move(state), op_options());
  return {next.readout.flatten(2), std::move(next.state)};
}

} // namespace mneme::nn
