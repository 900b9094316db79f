// SPDX-License-Identifier: MIT

#include "ops/focus_weight.h"

#include <cmath>
#include <limits>

#include <ATen/Functions.h>

#include "ops/band_sum.h"

namespace mneme::ops {

at::ScalarType type_of_sums(at::ScalarType type) {
  return type == at::kDouble ? at::kDouble : at::kFloat;
}

at::Tensor elu_weight(const at::Tensor& logit) {
  return at::where(logit > 0, logit + 1, logit.clamp_max(0).exp());
}

at::Tensor elu_weight_slope(const at::Tensor& logit, const at::Tensor& weight) {
  return at::where(logit > 0, at::ones_like(weight), weight);
}

at::Tensor without_padding(const at::Tensor& tokens, const at::Tensor& key_padding_mask, double filler) {
  if (!key_padding_mask.defined()) {
    return tokens;
  }
  std::vector<int64_t> shape(static_cast<size_t>(tokens.dim()), 1);
  shape[0] = key_padding_mask.size(0);
  shape[1] = key_padding_mask.size(1);
  return tokens.masked_fill(key_padding_mask.view(shape), filler);
}

WeightedRows weighted_rows(FocusWeight kind, const at::Tensor& logit, std::initializer_list<at::Tensor> parts,
                           const at::Tensor& key_padding_mask) {
  WeightedRows result;
  std::vector<at::Tensor> columns;
  if (kind == FocusWeight::elu) {
    result.weight = without_padding(elu_weight(logit), key_padding_mask, 0);
    columns.push_back(result.weight.unsqueeze(-1));
    for (const at::Tensor& part : parts) {
      columns.push_back(columns[0] * part);
    }
  } else {
    result.log_weight = without_padding(logit, key_padding_mask, -std::numeric_limits<double>::infinity());
    columns.push_back(at::ones_like(logit).unsqueeze(-1));
    columns.insert(columns.end(), parts);
  }
  result.rows = at::cat(columns, -1);
  return result;
}

at::Tensor scaled_epsilon(double epsilon, const at::Tensor& reference, const at::Tensor& total) {
  return epsilon == 0 ? (total == 0).to(total.scalar_type()) : epsilon * (-reference).exp();
}

void check_sizes(const Checks& checks, const Checks::Named& input,
                 std::initializer_list<int64_t> dimensions) {
  static constexpr const char* kUnits[] = {"batches", "tokens", "heads", "features"};
  for (const int64_t dimension : dimensions) {
    checks.not_empty(input, dimension, kUnits[dimension], "An empty dimension has no result.");
  }
}

void check_epsilon(const Checks& checks, FocusWeight weight, double epsilon) {
  const bool exact = weight == FocusWeight::exponential && epsilon == 0;
  if (!exact && !(std::isfinite(epsilon) && epsilon > 0)) {
    checks.fail(c10::str("epsilon is ", epsilon, ", but must be finite and > 0",
                         weight == FocusWeight::elu ? "." : ", or 0 for exact means."),
                c10::str("The published value is ", kWindowEpsilon, "."));
  }
}

void check_sides(const Checks& checks, const Windows& windows, bool both_sides) {
  if (both_sides && windows.decay != std::vector<double>{0}) {
    checks.fail("decay is given, but both_sides is true.", "Leave out one of them.");
  }
}

void check_key_padding_mask(const Checks& checks, const at::Tensor& key_padding_mask,
                            const Checks::Named& input) {
  if (!key_padding_mask.defined()) {
    return;
  }
  const Checks::Named named{"key_padding_mask", key_padding_mask};
  checks.dimensions(named, 2, "batch, tokens", "It has one element per token.");
  if (key_padding_mask.scalar_type() != at::kBool) {
    checks.fail(c10::str("key_padding_mask is of type ", key_padding_mask.scalar_type(), ", Bool is needed."),
                "Convert it with to(at::kBool); true = padding.");
  }
  checks.same_device(input, named);
  checks.same_size(input, 0, named, 0, "batches", "It has one element per token.");
  checks.same_size(input, 1, named, 1, "tokens", "It has one element per token.");
}

} // namespace mneme::ops
