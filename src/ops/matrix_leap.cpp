// SPDX-License-Identifier: MIT

#include "mneme/ops/matrix_leap.h"

#include <algorithm>

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>

#include "ops/band_sum.h"
#include "ops/focus_weight.h"
#include "ops/head_groups.h"
#include "ops/leap_checks.h"
#include "ops/leap_pass.h"
#include "ops/leap_scales.h"
#include "ops/window_state.h"
#include "ops/window_sums.h"

namespace mneme::ops {
namespace {

// Up to this number of query positions, a dense matrix of weights is faster.
constexpr int64_t kDenseQueries = 32;

/// Checked arguments and the results derived from them.
struct Call {
  LeapInputs inputs;     ///< in the type of the sums
  at::Tensor logit;      ///< focus logits [B, T, H]
  at::Tensor query, key; ///< phi(query), phi(key)
  double scale;
};

at::Tensor features_of(KeyFeatures kind, const at::Tensor& x) {
  return kind == KeyFeatures::elu ? elu_weight(x) : x.relu();
}

Call checked_call(const Checks& checks, const LeapInputs& given, const MatrixLeapOptions& options) {
  check_inputs(checks, given);
  check_windows(checks, options.windows, given.query.size(2));
  check_epsilon(checks, options.weight, options.epsilon);
  check_scale(checks, "scale", options.scale);
  check_key_padding_mask(checks, options.key_padding_mask, {"query", given.query});
  check_sides(checks, options.windows, options.both_sides);
  const at::ScalarType inner = type_of_sums(given.query.scalar_type());
  Call call{
      .inputs = {given.query.to(inner), given.focus.to(inner), given.key.to(inner), given.value.to(inner)},
      .logit = {},
      .query = {},
      .key = {},
      .scale = focus_scale(options.scale, given.query.size(3))};
  call.logit = focus_logit(call.inputs.focus, call.inputs.key, call.scale);
  call.query = features_of(options.features, call.inputs.query);
  call.key = features_of(options.features, call.inputs.key);
  return call;
}

at::Tensor checked_readout(const Checks& checks, const at::Tensor& readout, const Call& call,
                           const LeapInputs& given, const MatrixLeapOptions& options) {
  if (options.check_finite) {
    check_readout(checks, readout, call.inputs, call.scale);
  }
  return readout.to(given.query.scalar_type());
}

/// Errors  UsageError unless a call with the same sizes and options could have returned this state
void check_state(const Checks& checks, const Call& call, const MatrixLeapState& state,
                 const Windows& windows) {
  check_position(checks, state.position, {state.sums, state.reference, state.logit, state.key, state.value});
  if (state.position == 0) {
    return;
  }
  const at::Tensor &key = call.key, &value = call.inputs.value;
  const int64_t batches = key.size(0), heads = key.size(2), features = key.size(3), values = value.size(3);
  if (std::ranges::count(windows.tokens, 0) > 0) {
    check_state_tensor(checks, "sums", state.sums, {batches, heads, features, 1 + values}, at::kDouble,
                       key.device());
    check_state_tensor(checks, "reference", state.reference, {batches, heads}, at::kDouble, key.device());
  }
  const int64_t kept = std::min(state.position, std::ranges::max(windows.tokens) - 1);
  if (kept > 0) {
    check_state_tensor(checks, "logit", state.logit, {batches, kept, heads}, key.scalar_type(), key.device());
    check_state_tensor(checks, "key", state.key, {batches, kept, heads, features}, key.scalar_type(),
                       key.device());
    check_state_tensor(checks, "value", state.value, {batches, kept, heads, values}, key.scalar_type(),
                       key.device());
  }
}

/// The sum that the tokens of a band add to the state matrices of their heads, at the last token.
at::Tensor matrix_sum(const at::Tensor& rows, const Band& band) {
  at::Tensor key = band.key;
  if (band.log_weight.defined() || band.decay.defined()) {
    at::Tensor exponent = at::zeros({1, 1}, rows.options());
    if (band.log_weight.defined()) {
      exponent = exponent + band.log_weight - band.reference.slice(1, -1);
    }
    if (band.decay.defined()) {
      exponent = exponent - band.decay.unsqueeze(1) * at::arange(rows.size(1) - 1, -1, -1, rows.options());
    }
    key = key * exponent.exp().unsqueeze(-1);
  }
  return at::matmul(key.transpose(1, 2).to(at::kDouble), rows.to(at::kDouble));
}

/// The readout of the tokens after `state`; updates the state.
at::Tensor readout_after(const Call& call, const MatrixLeapOptions& options, MatrixLeapState& state) {
  const at::Tensor& value = call.inputs.value;
  const at::Tensor readout = at::empty_like(value, at::MemoryFormat::Contiguous);
  const int64_t batches = value.size(0), tokens = value.size(1), heads = value.size(2),
                features = call.key.size(3), row = 1 + value.size(3);
  if (tokens == 0) {
    return readout;
  }
  MatrixLeapState next{.position = state.position + tokens};
  if (std::ranges::count(options.windows.tokens, 0) > 0) {
    const at::TensorOptions exact = value.options().dtype(at::kDouble);
    next.sums = at::zeros({batches, heads, features, row}, exact);
    next.reference =
        at::full({batches, heads}, options.weight == FocusWeight::elu ? 0 : kMinReference, exact);
    if (state.position == 0) {
      state.sums = next.sums.clone();
      state.reference = next.reference.clone();
    }
  }
  const int64_t stored = state.logit.defined() ? state.logit.size(1) : 0;
  for_each_head_group(value, stored + tokens, features + row, options.windows, [&](const HeadGroup& group) {
    const int64_t earlier = group.is_unlimited ? 0 : std::min(stored, group.window - 1);
    const auto earlier_and = [&](const at::Tensor& before, const at::Tensor& now) {
      return with_earlier(group, before, now, earlier);
    };
    const WeightedRows weighted = weighted_rows(options.weight, earlier_and(state.logit, call.logit),
                                                {earlier_and(state.value, value)}, {});
    const at::Tensor& rows = weighted.rows;
    Band band{.window = std::min(group.window, earlier + tokens),
              .log_weight = weighted.log_weight,
              .reference = {},
              .decay = group.decay,
              .query = at::constant_pad_nd(group.gather(call.query), {0, 0, earlier, 0}),
              .key = earlier_and(state.key, call.key)};
    if (band.log_weight.defined()) {
      band.reference = band_max(band);
    }
    at::Tensor sums =
        tokens <= kDenseQueries ? band_sum_last(rows, band, tokens) : band_sum(rows, band).slice(1, earlier);
    at::Tensor reference = band.reference.defined() ? band.reference.slice(1, -tokens) : band.reference;
    if (group.is_unlimited) {
      const auto gathered = [&](const at::Tensor& t) { return group.gather(t.unsqueeze(1)).squeeze(1); };
      const at::Tensor before = gathered(state.sums);
      const JoinedSums joined = join_sums(gathered(state.reference), reference, group.decay, tokens);
      const auto factor = [](const at::Tensor& t) { return t.unsqueeze(-1); };
      group.scatter(next.sums.unsqueeze(1), (before * factor(joined.earlier_factor.slice(1, -1)) +
                                             matrix_sum(rows, band) * factor(joined.new_factor.slice(1, -1)))
                                                .unsqueeze(1));
      group.scatter(next.reference.unsqueeze(1), joined.reference.slice(1, -1));
      const at::Tensor earlier_sums = at::matmul(band.query, before.to(rows.scalar_type()));
      sums = earlier_sums * factor(joined.earlier_factor).to(rows.scalar_type()) +
             sums * factor(joined.new_factor).to(rows.scalar_type());
      reference = reference.defined() ? joined.reference.to(rows.scalar_type()) : reference;
    }
    const at::Tensor total = sums.slice(-1, 0, 1);
    const at::Tensor denominator =
        reference.defined() ? total + scaled_epsilon(options.epsilon, reference.unsqueeze(-1), total)
                            : total + options.epsilon;
    group.scatter(readout, sums.slice(-1, 1) / denominator);
  });
  if (const int64_t kept = std::ranges::max(options.windows.tokens) - 1; kept > 0) {
    next.logit = last_tokens(state.logit, call.logit, kept);
    next.key = last_tokens(state.key, call.key, kept);
    next.value = last_tokens(state.value, value, kept);
  }
  state = std::move(next);
  return readout;
}

} // namespace

at::Tensor matrix_leap(const at::Tensor& query, const at::Tensor& focus, const at::Tensor& key,
                       const at::Tensor& value, const MatrixLeapOptions& options) {
  const Checks checks("matrix_leap");
  const LeapInputs given{query, focus, key, value};
  const Call call = checked_call(checks, given, options);
  const WindowSums sums = window_sums(call.logit, call.inputs.value,
                                      {.weight = options.weight,
                                       .windows = options.windows,
                                       .epsilon = options.epsilon,
                                       .both_sides = options.both_sides,
                                       .key_padding_mask = options.key_padding_mask},
                                      call.query, call.key);
  return checked_readout(checks, sums.sums / sums.denominator, call, given, options);
}

MatrixLeapContinuation matrix_leap_continue(const at::Tensor& query, const at::Tensor& focus,
                                            const at::Tensor& key, const at::Tensor& value,
                                            MatrixLeapState state, const MatrixLeapOptions& options) {
  const Checks checks("matrix_leap_continue");
  check_can_continue(checks, options.both_sides, options.key_padding_mask);
  const at::NoGradGuard no_gradient;
  const LeapInputs given{query, focus, key, value};
  const Call call = checked_call(checks, given, options);
  check_state(checks, call, state, options.windows);
  MatrixLeapContinuation result{{}, std::move(state)};
  const at::Tensor readout = readout_after(call, options, result.state);
  result.readout = checked_readout(checks, readout, call, given, options);
  return result;
}

} // namespace mneme::ops
