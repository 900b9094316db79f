// SPDX-License-Identifier: MIT

#include "mneme/nn/class_token_attention.h"

#include "mneme/nn/multi_head_attention.h"
#include "nn/apply_linear.h"
#include "nn/apply_norm.h"
#include "nn/checks.h"

namespace mneme::nn {
namespace {

constexpr const char* kLayer = "ClassTokenAttention";
constexpr double kInitialStd = 0.02; // of initial parameters

} // namespace

ClassTokenAttentionImpl::ClassTokenAttentionImpl(const ClassTokenAttentionOptions& options_)
    : options(options_) {
  check_sizes(kLayer,
              {{"context_length", options.context_length()}, {"embedding_size", options.embedding_size()}});
  reset();
}

void ClassTokenAttentionImpl::reset() {
  const int64_t size = options.embedding_size();
  class_token = register_parameter("cls", torch::empty({1, 1, size}));
  position_embedding = register_parameter("pose", torch::empty({1, options.context_length() + 1, size}));
  token_embedding = register_module("toke", torch::nn::Embedding(2, size));
  query_key_value =
      register_module("qkv", torch::nn::Linear(torch::nn::LinearOptions(size, 3 * size).bias(false)));
  at::Generator generator = make_generator(options.seed());
  for (torch::Tensor& parameter : parameters()) {
    fill_normal(parameter, kInitialStd, generator);
  }
  norm =
      register_module("norm1", torch::nn::LayerNorm(torch::nn::LayerNormOptions({size}))); // weight 1, bias 0
}

torch::Tensor ClassTokenAttentionImpl::forward(const torch::Tensor& bits) {
  check_bits(kLayer, bits, options.context_length());
  const int64_t batch = bits.size(0), positions = options.context_length() + 1;
  const torch::Tensor x =
      torch::cat({token_embedding->forward(bits), class_token.expand({batch, -1, -1})}, 1) +
      position_embedding;
  const auto projected = apply_linear(*query_key_value, apply_norm(*norm, x))
                             .view({batch, positions, 3, options.embedding_size()})
                             .permute({2, 0, 1, 3})
                             .unsqueeze(2)
                             .unbind(0); // one head
  return multi_head_attention(projected[0], projected[1], projected[2]).weights.squeeze(1);
}

} // namespace mneme::nn
