// SPDX-License-Identifier: MIT

#include "mneme/nn/scaled_dot_product_attention.h"

#include <cmath>

#include "mneme/core/error.h"
#include "mneme/nn/positional_encoding.h"
#include "mneme/ops/associate.h"
#include "nn/apply_linear.h"
#include "nn/checks.h"

namespace mneme::nn {

PositionTableImpl::PositionTableImpl(at::Tensor encoding) : table(std::move(encoding)) {
  reset();
}

void PositionTableImpl::reset() {
  table = register_buffer("pe", table.clone());
}

ScaledDotProductAttentionImpl::ScaledDotProductAttentionImpl(const ScaledDotProductAttentionOptions& options_)
    : options(options_) {
  const char* where = "mneme::nn::ScaledDotProductAttention";
  check_size(where, "context_length", options.context_length());
  check_size(where, "model_size", options.model_size());
  check_size(where, "key_size", options.key_size());
  reset();
}

void ScaledDotProductAttentionImpl::reset() {
  const auto linear = [&](const char* name, int64_t size) {
    return register_module(
        name, torch::nn::Linear(torch::nn::LinearOptions(options.model_size(), size).bias(false)));
  };
  query = linear("Wq", options.key_size());
  key = linear("Wk", options.key_size());
  value = linear("Wv", options.model_size());
  position = register_module(
      "position",
      PositionTable(
          sinusoidal_positions(options.context_length(), options.model_size()).to(query->weight.options())));
  at::Generator generator = make_generator(options.seed());
  for (torch::Tensor& parameter : parameters()) {
    fill_uniform(parameter, 1 / std::sqrt(static_cast<double>(options.model_size())), generator);
  }
}

torch::Tensor ScaledDotProductAttentionImpl::forward(const torch::Tensor& input) {
  if (!input.defined() || input.dim() < 2 || input.dim() > 3 || input.size(-2) != options.context_length() ||
      input.size(-1) != options.model_size()) {
    throw UsageError(c10::str("mneme::nn::ScaledDotProductAttention: the input has shape ",
                              input.defined() ? input.sizes() : at::IntArrayRef(), ", but must be [",
                              options.context_length(), ", ", options.model_size(), "] or [B, ",
                              options.context_length(), ", ", options.model_size(), "]."));
  }
  const torch::Tensor x = (input.dim() == 2 ? input.unsqueeze(0) : input) + position->table;
  // The default beta of ops::associate is 1 / sqrt(features of the query).
  const torch::Tensor readout =
      ops::associate(apply_linear(*query, x), apply_linear(*key, x), apply_linear(*value, x));
  return input.dim() == 2 ? readout.squeeze(0) : readout;
}

} // namespace mneme::nn
