// SPDX-License-Identifier: MIT

#include "mneme/nn/leap_block.h"

#include <ATen/core/grad_mode.h>

#include "nn/apply_norm.h"
#include "nn/boom.h"
#include "nn/checks.h"
#include "nn/transformer_block.h"

namespace mneme::nn {

LeapBlockImpl::LeapBlockImpl(MultiheadLeapOptions leap_options) : options(std::move(leap_options)) {
  reset();
}

void LeapBlockImpl::reset() {
  const int64_t size = options.hidden_size();
  leap = register_module("leap", MultiheadLeap(options)); // first: it checks the options
  attn_norm = register_module("attn_norm", block_norm(size));
  boom = register_module("boom", torch::nn::Linear(size, 4 * size));
  unboom = register_module("unboom", torch::nn::Linear(4 * size, size));
  boom_norm = register_module("boom_norm", block_norm(size));
}

at::Tensor LeapBlockImpl::forward(const at::Tensor& x, const at::Tensor& key_padding_mask) {
  check_sequence("LeapBlock", x, options.hidden_size(), attn_norm->weight);
  return pre_norm_feed_forward(x + leap->forward(apply_norm(*attn_norm, x), key_padding_mask), boom_norm,
                               boom, unboom, options.dropout(), is_training());
}

MultiheadLeapStep LeapBlockImpl::step(const at::Tensor& x, ops::LeapState state) {
  check_sequence("LeapBlock", x, options.hidden_size(), attn_norm->weight);
  const at::NoGradGuard no_gradient;
  MultiheadLeapStep next = leap->step(apply_norm(*attn_norm, x), std::move(state));
  next.output = pre_norm_feed_forward(x + next.output, boom_norm, boom, unboom, 0, false);
  return next;
}

} // namespace mneme::nn
