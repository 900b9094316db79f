// SPDX-License-Identifier: MIT

#include "mneme/nn/matrix_leap_lm.h"

#include <cmath>

#include <ATen/Functions.h>

#include "mneme/ops/linear.h"
#include "nn/apply_embedding.h"
#include "nn/apply_norm.h"
#include "nn/boom.h"
#include "nn/causal_lm.h"
#include "nn/checks.h"
#include "nn/refuse.h"
#include "nn/transformer_block.h"

namespace mneme::nn {
namespace {

constexpr const char* kModel = "MatrixLeapForCausalLM";

void check(const MatrixLeapConfig& config) {
  check_sizes(kModel, {{"vocab_size", config.vocab_size()},
                       {"hidden_size", config.hidden_size()},
                       {"num_heads", config.num_heads()},
                       {"num_layers", config.num_layers()},
                       {"max_positions", config.max_positions()}});
  check_layer_windows(kModel, config.windows(), true, config.num_layers());
  check_partial_dropout(kModel, config.dropout());
  if (config.positions() == LeapPositions::rotary) {
    refuse(kModel, "the positions are rotary, but features of keys are >= 0 and cannot be rotated.",
           "Use learned, decay or none.");
  }
  check_positive(kModel, "initial_std", config.initial_std().value_or(1),
                 "Leave it out to get 1 / sqrt(hidden_size).");
}

MatrixLeapOptions layer_options(const MatrixLeapConfig& config, int64_t layer) {
  MatrixLeapOptions options(config.hidden_size(), config.num_heads());
  options.windows({config.windows() ? config.windows()->at(static_cast<size_t>(layer)) : 0})
      .weight(config.weight())
      .features(config.features());
  if (config.positions() == LeapPositions::decay) {
    options.decay(alibi_slopes(config.num_heads()));
  }
  return options;
}

} // namespace

MatrixLeapBlockImpl::MatrixLeapBlockImpl(MatrixLeapOptions options_, double dropout_)
    : options(std::move(options_)), dropout(dropout_) {
  reset();
}

void MatrixLeapBlockImpl::reset() {
  const int64_t size = options.hidden_size();
  leap = register_module("leap", MatrixLeap(options));
  attn_norm = register_module("attn_norm", block_norm(size));
  boom = register_module("boom", torch::nn::Linear(size, 4 * size));
  unboom = register_module("unboom", torch::nn::Linear(4 * size, size));
  boom_norm = register_module("boom_norm", block_norm(size));
}

at::Tensor MatrixLeapBlockImpl::forward(const at::Tensor& x) {
  return pre_norm_feed_forward(x + leap->forward(apply_norm(*attn_norm, x)), boom_norm, boom, unboom, dropout,
                               is_training());
}

MatrixLeapStep MatrixLeapBlockImpl::step(const at::Tensor& x, ops::MatrixLeapState state) {
  const at::NoGradGuard no_gradient;
  MatrixLeapStep next = leap->step(apply_norm(*attn_norm, x), std::move(state));
  next.output = pre_norm_feed_forward(x + next.output, boom_norm, boom, unboom, 0, false);
  return next;
}

MatrixLeapForCausalLMImpl::MatrixLeapForCausalLMImpl(MatrixLeapConfig config_) : config(std::move(config_)) {
  check(config);
  reset();
}

void MatrixLeapForCausalLMImpl::reset() {
  const int64_t size = config.hidden_size();
  word_embedding = register_module("word_embedding", uninitialised_embedding(config.vocab_size(), size));
  if (config.positions() == LeapPositions::learned) {
    position_embeddings =
        register_module("position_embeddings", uninitialised_embedding(config.max_positions(), size));
  }
  blocks = register_module("blocks", torch::nn::ModuleList());
  for (int64_t i = 0; i < config.num_layers(); ++i) {
    blocks->push_back(MatrixLeapBlock(layer_options(config, i), config.dropout()));
  }
  last_norm = register_module("last_norm", block_norm(size));
  initialise_weights(*this, config.initial_std().value_or(1 / std::sqrt(static_cast<double>(size))),
                     config.seed());
}

at::Tensor MatrixLeapForCausalLMImpl::embedded(const at::Tensor& ids, int64_t first_position) {
  check_ids(kModel, ids, config.vocab_size());
  const at::Tensor words = apply_embedding(*word_embedding, ids);
  if (config.positions() != LeapPositions::learned) {
    return words;
  }
  const int64_t end = first_position + ids.size(1);
  check_positions(kModel, end, config.max_positions(),
                  "Shorten the text, or train with decay or no positions, which are unlimited.");
  return words + position_embeddings->weight.slice(0, first_position, end);
}

at::Tensor MatrixLeapForCausalLMImpl::head_input(const at::Tensor& ids) {
  at::Tensor x = apply_dropout(embedded(ids, 0), config.dropout(), is_training());
  for (const std::shared_ptr<torch::nn::Module>& block : *blocks) {
    x = block->as<MatrixLeapBlock>()->forward(x);
  }
  return apply_norm(*last_norm, x);
}

at::Tensor MatrixLeapForCausalLMImpl::forward(const at::Tensor& ids) {
  return ops::linear(head_input(ids), word_embedding->weight);
}

at::Tensor MatrixLeapForCausalLMImpl::step(const at::Tensor& ids, MatrixLeapModelState& state) {
  const at::NoGradGuard no_gradient;
  if (state.layers.empty() && state.position == 0) {
    state.layers.resize(blocks->size());
  }
  if (state.layers.size() != blocks->size()) {
    refuse(
        kModel,
        c10::str("the state has ", state.layers.size(), " layers, but the model has ", blocks->size(), "."),
        "Give the state of the same model; an empty one for the first call.");
  }
  at::Tensor x = embedded(ids, state.position);
  for (size_t i = 0; i < blocks->size(); ++i) {
    MatrixLeapStep next = blocks->ptr(i)->as<MatrixLeapBlock>()->step(x, std::move(state.layers[i]));
    x = next.output;
    state.layers[i] = std::move(next.state);
  }
  state.position += ids.size(1);
  return apply_norm(*last_norm, x);
}

} // namespace mneme::nn
