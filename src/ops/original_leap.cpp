// SPDX-License-Identifier: MIT

#include "mneme/ops/original_leap.h"

#include <cmath>

#include <ATen/Functions.h>

#include "ops/checks.h"

namespace mneme::ops {
namespace {

/// Sums over the window of every token as in the published code: prefix sums minus the same sums `window`
/// tokens earlier, by a copy with its last `window` rows cleared that is rolled.
at::Tensor window_sums(const at::Tensor& rows, int64_t window) {
  const at::Tensor sums = rows.cumsum(1);
  if (window == 0 || window >= rows.size(1)) {
    return sums;
  }
  at::Tensor earlier = sums.clone();
  earlier.slice(1, -window).zero_();
  return sums - earlier.roll(window, 1);
}

} // namespace

at::Tensor original_leap(const at::Tensor& query, const at::Tensor& focus, const at::Tensor& key,
                         const at::Tensor& value, int64_t window, FocusWeight weight) {
  const Checks checks("original_leap");
  const Checks::Named q{"query", query};
  for (const Checks::Named& input :
       {q, Checks::Named{"focus", focus}, Checks::Named{"key", key}, Checks::Named{"value", value}}) {
    checks.dimensions(input, 4, "batch, tokens, heads, features", "A single sequence is unsqueeze(0).");
    checks.floating_point(input);
    checks.same_type_and_device(q, input);
    for (int64_t dimension = 0; dimension < 4; ++dimension) {
      checks.same_size(q, dimension, input, dimension, "entries", "All four must have the same shape.");
    }
  }
  if (window < 0) {
    checks.fail(c10::str("the window is ", window, " tokens, but must be at least 1, or 0 for all."),
                "The query position itself is included.");
  }
  const double scale = 1 / std::sqrt(static_cast<double>(query.size(3)));
  const at::Tensor logit = (focus * key).sum(-1, true) * scale;
  const at::Tensor weights = weight == FocusWeight::elu ? at::elu(logit) + 1 : logit.exp();
  const at::Tensor total = window_sums(weights, window) + kWindowEpsilon;
  const at::Tensor mean_key = window_sums(weights * key, window) / total,
                   mean_value = window_sums(weights * value, window) / total;
  return ((query * mean_key).sum(-1, true) * scale).sigmoid() * mean_value;
}

} // namespace mneme::ops
