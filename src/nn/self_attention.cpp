// SPDX-License-Identifier: MIT

#include "mneme/nn/self_attention.h"

#include "mneme/nn/multi_head_attention.h"
#include "nn/apply_linear.h"
#include "nn/checks.h"

namespace mneme::nn {
namespace {

constexpr const char* kLayer = "SelfAttention";
constexpr double kInitialStd = 0.001; // of initial parameters, as published

} // namespace

SelfAttentionImpl::SelfAttentionImpl(const SelfAttentionOptions& options_) : options(options_) {
  check_sizes(kLayer,
              {{"context_length", options.context_length()}, {"embedding_size", options.embedding_size()}});
  reset();
}

void SelfAttentionImpl::reset() {
  const int64_t size = options.embedding_size(), length = options.context_length();
  const auto linear = [&](const char* name, int64_t from, int64_t to) {
    return register_module(name, torch::nn::Linear(torch::nn::LinearOptions(from, to).bias(false)));
  };
  position_embedding = register_parameter("positioner", torch::empty({1, length, size}));
  token_embedding = register_module("tokenizer", torch::nn::Embedding(2, size));
  query = linear("Wq", size, size);
  key = linear("Wk", size, size);
  value = linear("Wv", size, 1);
  readout = linear("linear", length, 1);
  at::Generator generator = make_generator(options.seed());
  for (torch::Tensor& parameter : parameters()) {
    fill_normal(parameter, kInitialStd, generator);
  }
}

torch::Tensor SelfAttentionImpl::forward(const torch::Tensor& bits) {
  return forward_with_attention(bits).output;
}

SelfAttentionResult SelfAttentionImpl::forward_with_attention(const torch::Tensor& bits) {
  check_bits(kLayer, bits, options.context_length());
  const torch::Tensor x = (token_embedding->forward(bits) + position_embedding).unsqueeze(1); // one head
  const MultiHeadAttention heads =
      multi_head_attention(apply_linear(*query, x), apply_linear(*key, x), apply_linear(*value, x));
  SelfAttentionResult result;
  result.logits = heads.scores.squeeze(1);
  result.scores = heads.weights.squeeze(1);
  result.attention = heads.readout.squeeze(1).squeeze(-1);
  result.output = torch::sigmoid(apply_linear(*readout, result.attention));
  return result;
}

} // namespace mneme::nn
