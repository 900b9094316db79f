// SPDX-License-Identifier: MIT

#include "mneme/ops/window_means.h"

#include <ATen/Functions.h>

#include "ops/checks.h"
#include "ops/focus_weight.h"
#include "ops/head_groups.h"
#include "ops/window_sums.h"

namespace mneme::ops {
namespace {

const Checks kChecks("window_means");

void check(const at::Tensor& logit, const at::Tensor& rows, const WindowMeansOptions& options) {
  const Checks::Named l{"logit", logit}, r{"rows", rows};
  kChecks.dimensions(l, 3, "batch, tokens, heads", "A single sequence is unsqueeze(0).");
  kChecks.dimensions(r, 4, "batch, tokens, heads, features", "A single sequence is unsqueeze(0).");
  kChecks.floating_point(l);
  kChecks.same_type_and_device(l, r);
  kChecks.same_size(l, 0, r, 0, "batches", "Every row has one logit.");
  kChecks.same_size(l, 1, r, 1, "tokens", "Every row has one logit.");
  kChecks.same_size(l, 2, r, 2, "heads", "Every row has one logit.");
  check_sizes(kChecks, r, {2, 3});
  check_windows(kChecks, options.windows, logit.size(2));
  check_epsilon(kChecks, options.weight, options.epsilon);
  check_key_padding_mask(kChecks, options.key_padding_mask, r);
  check_sides(kChecks, options.windows, options.both_sides);
}

} // namespace

WindowMeans window_means(const at::Tensor& logit, const at::Tensor& rows, const WindowMeansOptions& options) {
  check(logit, rows, options);
  const at::ScalarType inner = type_of_sums(rows.scalar_type());
  const WindowSums sums = window_sums(logit.to(inner), rows.to(inner), options);
  WindowMeans result{.means = (sums.sums / sums.denominator).to(rows.scalar_type()),
                     .weight = sums.weight,
                     .weight_sum = sums.total.squeeze(-1),
                     .log_weight = sums.log_weight,
                     .log_denominator = sums.denominator.squeeze(-1).log()};
  if (sums.reference.defined()) {
    result.weight_sum = (result.weight_sum.log() + sums.reference).exp();
    result.log_denominator = result.log_denominator + sums.reference;
  }
  return result;
}

} // namespace mneme::ops
