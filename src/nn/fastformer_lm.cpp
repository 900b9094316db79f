// SPDX-License-Identifier: MIT

#include "mneme/nn/fastformer_lm.h"

#include <ATen/Functions.h>

#include "mneme/ops/window_means.h"
#include "nn/apply_embedding.h"
#include "nn/apply_linear.h"
#include "nn/apply_norm.h"
#include "nn/boom.h"
#include "nn/causal_lm.h"
#include "nn/checks.h"
#include "nn/head_vectors.h"
#include "nn/refuse.h"
#include "nn/transformer_block.h"

namespace mneme::nn {
namespace {

constexpr const char* kModel = "FastformerForCausalLM";

void check(const FastformerConfig& config) {
  check_sizes(kModel, {{"vocab_size", config.vocab_size()},
                       {"hidden_size", config.hidden_size()},
                       {"num_heads", config.num_heads()},
                       {"num_layers", config.num_layers()},
                       {"max_positions", config.max_positions()}});
  if (config.hidden_size() % config.num_heads() != 0 || config.hidden_size() / config.num_heads() < 2) {
    refuse(kModel,
           c10::str("hidden_size is ", config.hidden_size(), " for ", config.num_heads(),
                    " heads, but each head needs the same number of features, at least 2."),
           "Every head has hidden_size / num_heads features.");
  }
  check_positive(kModel, "rescale", config.rescale(), "The published value is 15.");
  check_partial_dropout(kModel, config.dropout());
  check_layer_windows(kModel, config.windows(), config.local_windows(), config.num_layers());
}

} // namespace

std::vector<int64_t> FastformerConfig::layer_windows() const {
  if (windows()) {
    return *windows();
  }
  std::vector<int64_t> layers(static_cast<size_t>(num_layers()), 0);
  int64_t window = 2;
  for (size_t i = 1; local_windows() && i + 1 < layers.size(); ++i) {
    window = std::min(2 * window, max_positions()); // no text has more tokens than learned positions
    layers[i] = window;
  }
  return layers;
}

FastformerAttentionImpl::FastformerAttentionImpl(FastformerConfig config_, int64_t window_)
    : config(std::move(config_)), window(window_) {
  reset();
}

void FastformerAttentionImpl::reset() {
  const int64_t size = config.hidden_size(), heads = config.num_heads();
  at::Generator generator = make_generator(config.seed());
  query_attn = register_parameter("query_attn", at::empty({heads, size / heads}));
  key_attn = register_parameter("key_attn", at::empty({heads, size / heads}));
  fill_normal(query_attn, config.initial_std(), generator);
  fill_normal(key_attn, config.initial_std(), generator);
  projections =
      register_module("projections", torch::nn::Linear(torch::nn::LinearOptions(size, 3 * size).bias(false)));
  attn_norm = register_module("attn_norm", block_norm(size));
}

at::Tensor FastformerAttentionImpl::additive(const at::Tensor& x, const at::Tensor& learned,
                                             const at::Tensor& key_padding_mask) {
  const at::Tensor rows = standardise(x.unflatten(-1, learned.sizes()));
  const double scale = config.rescale() / static_cast<double>(learned.size(1));
  return ops::window_means((rows * standardise(learned)).sum(-1) * scale, rows,
                           {.weight = ops::FocusWeight::exponential,
                            .windows = {{window}},
                            .key_padding_mask = key_padding_mask})
      .means.flatten(2);
}

at::Tensor FastformerAttentionImpl::forward(const at::Tensor& x, const at::Tensor& key_padding_mask) {
  const std::vector<at::Tensor> parts = apply_linear(*projections, apply_norm(*attn_norm, x)).chunk(3, -1);
  const auto drop = [&](const at::Tensor& t) { return apply_dropout(t, config.dropout(), is_training()); };
  const at::Tensor query = drop(additive(parts[0], query_attn, key_padding_mask));
  const at::Tensor key = drop(additive(query * parts[1], key_attn, key_padding_mask));
  return x + key * parts[2];
}

FastformerBlockImpl::FastformerBlockImpl(FastformerConfig config_, int64_t window_)
    : config(std::move(config_)), window(window_) {
  reset();
}

void FastformerBlockImpl::reset() {
  const int64_t size = config.hidden_size();
  attention = register_module("attention", FastformerAttention(config, window));
  boom = register_module("boom", torch::nn::Linear(torch::nn::LinearOptions(size, 4 * size).bias(false)));
  unboom = register_module("unboom", torch::nn::Linear(torch::nn::LinearOptions(4 * size, size).bias(false)));
  boom_norm = register_module("boom_norm", block_norm(size));
}

at::Tensor FastformerBlockImpl::forward(const at::Tensor& x, const at::Tensor& key_padding_mask) {
  return pre_norm_feed_forward(attention->forward(x, key_padding_mask), boom_norm, boom, unboom,
                               config.dropout(), is_training());
}

FastformerDecoderImpl::FastformerDecoderImpl(FastformerConfig config_) : config(std::move(config_)) {
  check(config);
  reset();
}

void FastformerDecoderImpl::reset() {
  position_embeddings = register_module(
      "position_embeddings", uninitialised_embedding(config.max_positions(), config.hidden_size()));
  decoders = register_module("decoders", torch::nn::ModuleList());
  uint64_t seed = config.seed();
  for (const int64_t window : config.layer_windows()) {
    decoders->push_back(FastformerBlock(FastformerConfig(config).seed(++seed), window));
  }
}

std::vector<at::Tensor> FastformerDecoderImpl::hidden_states(const at::Tensor& embeddings,
                                                             const at::Tensor& key_padding_mask) {
  const int64_t tokens = embeddings.size(1);
  check_positions(kModel, tokens, config.max_positions(), "Cut the text.");
  std::vector<at::Tensor> all = {apply_dropout(embeddings + position_embeddings->weight.slice(0, 0, tokens),
                                               config.dropout(), is_training())};
  for (const std::shared_ptr<torch::nn::Module>& block : *decoders) {
    all.push_back(block->as<FastformerBlock>()->forward(all.back(), key_padding_mask));
  }
  return all;
}

void LogitsBiasImpl::reset() {
  bias = register_parameter("bias", at::zeros({vocab_size}));
}

FastformerForCausalLMImpl::FastformerForCausalLMImpl(FastformerConfig config_) : config(std::move(config_)) {
  check(config);
  reset();
}

void FastformerForCausalLMImpl::reset() {
  word_embedding =
      register_module("word_embedding", uninitialised_embedding(config.vocab_size(), config.hidden_size()));
  fastformer_model = register_module("fastformer_model", FastformerDecoder(config));
  last_norm = register_module("last_norm", block_norm(config.hidden_size()));
  proj_logits = register_module("proj_logits", LogitsBias(config.vocab_size()));
  initialise_weights(*this, config.initial_std(), config.seed());
}

CausalLMOutput FastformerForCausalLMImpl::forward(const at::Tensor& ids, const CausalLMCall& call) {
  check_ids(kModel, ids, config.vocab_size());
  const at::Tensor key_padding_mask = key_padding_mask_of(kModel, ids, call.attention_mask);
  return lm_output(kModel,
                   fastformer_model->hidden_states(apply_embedding(*word_embedding, ids), key_padding_mask),
                   last_norm, word_embedding->weight, proj_logits->bias, call, key_padding_mask);
}

at::Tensor FastformerForCausalLMImpl::head_input(const at::Tensor& ids) {
  check_ids(kModel, ids, config.vocab_size());
  return apply_norm(*last_norm,
                    fastformer_model->hidden_states(apply_embedding(*word_embedding, ids)).back());
}

} // namespace mneme::nn
