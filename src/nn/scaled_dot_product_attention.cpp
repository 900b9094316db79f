// SPDX-License-Identifier: MIT

#include "mneme/nn/scaled_dot_product_attention.h"

#include <cmath>

#include "mneme/nn/positional_encoding.h"
#include "mneme/ops/associate.h"
#include "nn/apply_linear.h"
#include "nn/checks.h"

namespace mneme::nn {
namespace {
constexpr const char* kLayer = "ScaledDotProductAttention";
} // namespace

PositionTableImpl::PositionTableImpl(at::Tensor encoding) : table(std::move(encoding)) {
  reset();
}

void PositionTableImpl::reset() {
  table = register_buffer("pe", table.clone());
}

ScaledDotProductAttentionImpl::ScaledDotProductAttentionImpl(const ScaledDotProductAttentionOptions& options_)
    : options(options_) {
  check_sizes(kLayer, {{"context_length", options.context_length()},
                       {"model_size", options.model_size()},
                       {"key_size", options.key_size()}});
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
  const bool is_batch = input.defined() && input.dim() == 3;
  constexpr const char* kFix = "Give one input, or a batch with one more dimension.";
  is_batch
      ? check_shape(kLayer, "the input", input, {"B", options.context_length(), options.model_size()}, kFix)
      : check_shape(kLayer, "the input", input, {options.context_length(), options.model_size()}, kFix);
  check_parameter_type(kLayer, "the input", input, query->weight);
  const torch::Tensor x = (is_batch ? input : input.unsqueeze(0)) + position->table;
  // The default beta of ops::associate is 1 / sqrt(features of the query).
  const torch::Tensor readout =
      ops::associate(apply_linear(*query, x), apply_linear(*key, x), apply_linear(*value, x));
  return is_batch ? readout : readout.squeeze(0);
}

} // namespace mneme::nn
