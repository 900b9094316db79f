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

at::Tensor without_padding(const at::Tensor& of_tokens, const at::Tensor& is_token, double filler) {
  if (!is_token.defined()) {
    return of_tokens;
  }
  std::vector<int64_t> shape(static_cast<size_t>(of_tokens.dim()), 1);
  shape[0] = is_token.size(0);
  shape[1] = is_token.size(1);
  return of_tokens.masked_fill(is_token.logical_not().view(shape), filler);
}

Weighed weigh(FocusWeight kind, const at::Tensor& logit, std::initializer_list<at::Tensor> parts,
              const at::Tensor& is_token) {
  Weighed weighed;
  std::vector<at::Tensor> columns;
  if (kind == FocusWeight::elu) {
    weighed.weight = without_padding(elu_weight(logit), is_token, 0);
    columns.push_back(weighed.weight.unsqueeze(-1));
    for (const at::Tensor& part : parts) {
      columns.push_back(columns[0] * part);
    }
  } else {
    weighed.log_weight = without_padding(logit, is_token, -std::numeric_limits<double>::infinity());
    columns.push_back(at::ones_like(logit).unsqueeze(-1));
    columns.insert(columns.end(), parts);
  }
  weighed.rows = at::cat(columns, -1);
  return weighed;
}

at::Tensor scaled_epsilon(double epsilon, const at::Tensor& reference, const at::Tensor& total) {
  return epsilon == 0 ? (total == 0).to(total.scalar_type()) : epsilon * (-reference).exp();
}

void check_sizes(const Checks& checks, const Checks::Named& input,
                 std::initializer_list<int64_t> dimensions) {
  static constexpr const char* kUnits[] = {"batches", "tokens", "heads", "features"};
  for (const int64_t dimension : dimensions) {
    if (input.tensor.size(dimension) == 0) {
      checks.refuse(c10::str(input.name, " has ", Checks::sized(input, dimension, kUnits[dimension]),
                             ", at least 1 is needed."),
                    "There is nothing to compute from none.");
    }
  }
}

void check_epsilon(const Checks& checks, FocusWeight weight, double epsilon) {
  const bool exact = weight == FocusWeight::exponential && epsilon == 0;
  if (!exact && !(std::isfinite(epsilon) && epsilon > 0)) {
    checks.refuse(c10::str("epsilon is ", epsilon, ", but must be finite and > 0",
                           weight == FocusWeight::elu ? "." : ", or 0 for exact means."),
                  c10::str("The published value is ", kWindowEpsilon, "."));
  }
}

void check_sides(const Checks& checks, const Windows& windows, bool both_sides) {
  if (both_sides && windows.decay != std::vector<double>{0}) {
    checks.refuse("there is a decay, but both sides are asked for.", "Leave out one of them.");
  }
}

void check_is_token(const Checks& checks, const at::Tensor& is_token, const Checks::Named& input) {
  if (!is_token.defined()) {
    return;
  }
  const Checks::Named named{"is_token", is_token};
  checks.dimensions(named, 2, "batch, tokens", "It says of each token whether it is one.");
  if (is_token.scalar_type() != at::kBool) {
    checks.refuse(c10::str("is_token is of type ", is_token.scalar_type(), ", Bool is needed."),
                  "Compare it with 0 first.");
  }
  checks.same_device(input, named);
  checks.equal(input, 0, named, 0, "batches", "It says of each token whether it is one.");
  checks.equal(input, 1, named, 1, "tokens", "It says of each token whether it is one.");
}

} // namespace mneme::ops
