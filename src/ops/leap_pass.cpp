// SPDX-License-Identifier: MIT

#include "ops/leap_pass.h"

#include <algorithm>

#include <ATen/Functions.h>

#include "kernels/window_scan/window_scan.h"
#include "ops/band_sum.h"
#include "ops/focus_weight.h"
#include "ops/head_groups.h"
#include "ops/window_state.h"

namespace mneme::ops {
namespace {

/// The inputs of a group of heads [G, T, ...].
struct GroupInputs {
  at::Tensor query, focus, key, value;
  at::Tensor logit; ///< [G, T]
  at::Tensor key_padding_mask;
};

GroupInputs group_inputs(const LeapCall& call, const HeadGroup& group) {
  GroupInputs inputs{group.gather(call.query),
                     group.gather(call.focus),
                     group.gather(call.key),
                     group.gather(call.value),
                     {},
                     group.expand_batches(call.key_padding_mask)};
  inputs.logit = focus_logit(inputs.focus, inputs.key, call.scale);
  return inputs;
}

/// Results of a window at every query position.
struct Focused {
  at::Tensor inverse;    ///< 1 / (sum of weights + epsilon), in the units of the sums [G, T, 1]
  at::Tensor key, value; ///< weighted means [G, T, D or V]
  at::Tensor gate;       ///< [G, T, 1]
};

/// `sums` of weights, weighted keys and weighted values, times exp(-reference) [G, T, 1 + D + V].
Focused focused(const LeapCall& call, const at::Tensor& query, const at::Tensor& sums,
                const at::Tensor& reference) {
  const int64_t features = query.size(-1);
  const at::Tensor total = sums.slice(-1, 0, 1);
  const at::Tensor denominator = call.weight == FocusWeight::elu
                                     ? total + call.epsilon
                                     : total + scaled_epsilon(call.epsilon, reference.unsqueeze(-1), total);
  Focused result;
  result.inverse = denominator.reciprocal();
  result.key = sums.slice(-1, 1, 1 + features) * result.inverse;
  result.value = sums.slice(-1, 1 + features) * result.inverse;
  result.gate = gate_of(call.gate, call.gate_scale, query, result.key);
  return result;
}

/// Gradients of query and mean key from the gradient of the gate.
std::pair<at::Tensor, at::Tensor> gate_gradient(const LeapCall& call, const at::Tensor& query,
                                                const Focused& mean, const at::Tensor& d_gate) {
  at::Tensor d_logit = d_gate * call.gate_scale;
  if (call.gate == LeapGate::sigmoid || call.gate == LeapGate::cosine) {
    d_logit = d_logit * mean.gate * (1 - mean.gate);
  }
  switch (call.gate) {
  case LeapGate::open:
    return {at::zeros_like(query), at::zeros_like(query)};
  case LeapGate::cosine: {
    const at::Tensor query_scale = inverse_length(query), key_scale = inverse_length(mean.key);
    const at::Tensor q = query * query_scale, k = mean.key * key_scale, cosine = (q * k).sum(-1, true);
    return {d_logit * query_scale * (k - cosine * q), d_logit * key_scale * (q - cosine * k)};
  }
  default:
    return {d_logit * mean.key, d_logit * query};
  }
}

Band band_of(const HeadGroup& group, const WeightedRows& weighted) {
  Band band{group.window, weighted.log_weight, {}, group.decay};
  if (weighted.log_weight.defined()) {
    band.reference = band_max(band);
  }
  return band;
}

} // namespace

bool has_short_sequences(const LeapCall& call) {
  const int64_t tokens = call.query.size(1);
  return call.query.size(0) > 1 && tokens > 0 && tokens <= kernels::kWindowScanTile &&
         std::ranges::all_of(call.windows.tokens,
                             [&](int64_t window) { return window == 0 || window >= tokens; });
}

LeapCall as_one_sequence(LeapCall call) {
  call.windows.tokens = {call.query.size(1)};
  call.joins_sequences = true;
  for (at::Tensor* rows : {&call.query, &call.focus, &call.key, &call.value, &call.key_padding_mask}) {
    *rows = rows->defined() ? rows->flatten(0, 1).unsqueeze(0) : *rows;
  }
  return call;
}

at::Tensor focus_logit(const at::Tensor& focus, const at::Tensor& key, double scale) {
  return (focus * key).sum(-1) * scale;
}

at::Tensor inverse_length(const at::Tensor& rows) {
  const at::Tensor length = rows.norm(2, -1, true);
  return at::where(length > 0, length.reciprocal(), 0.0);
}

at::Tensor gate_of(LeapGate kind, double scale, const at::Tensor& query, const at::Tensor& mean_key) {
  switch (kind) {
  case LeapGate::open:
    return at::ones_like(query.slice(-1, 0, 1));
  case LeapGate::cosine:
    return ((query * inverse_length(query) * mean_key * inverse_length(mean_key)).sum(-1, true) * scale)
        .sigmoid();
  case LeapGate::dot_product:
    return (query * mean_key).sum(-1, true) * scale;
  default:
    return ((query * mean_key).sum(-1, true) * scale).sigmoid();
  }
}

at::Tensor leap_readout(const LeapCall& call) {
  const at::Tensor readout = at::empty_like(call.value, at::MemoryFormat::Contiguous);
  const int64_t row = 1 + call.key.size(3) + call.value.size(3);
  for_each_head_group(call.query, call.query.size(1), row, call.windows, [&](const HeadGroup& group) {
    const GroupInputs inputs = group_inputs(call, group);
    const WeightedRows weighted =
        weighted_rows(call.weight, inputs.logit, {inputs.key, inputs.value}, inputs.key_padding_mask);
    const Band band = band_of(group, weighted);
    const Focused mean = focused(call, inputs.query, band_sum(weighted.rows, band), band.reference);
    group.scatter(readout, mean.gate * mean.value);
  });
  return readout;
}

std::array<at::Tensor, 4> leap_gradient(const LeapCall& call, const at::Tensor& d_readout) {
  const auto empty = [](const at::Tensor& like) {
    return at::empty_like(like, at::MemoryFormat::Contiguous);
  };
  std::array<at::Tensor, 4> d{empty(call.query), empty(call.focus), empty(call.key), empty(call.value)};
  const int64_t features = call.key.size(3), row = 1 + features + call.value.size(3);
  for_each_head_group(call.query, call.query.size(1), row, call.windows, [&](const HeadGroup& group) {
    const GroupInputs inputs = group_inputs(call, group);
    const WeightedRows weighted =
        weighted_rows(call.weight, inputs.logit, {inputs.key, inputs.value}, inputs.key_padding_mask);
    const Band band = band_of(group, weighted);
    const Focused mean = focused(call, inputs.query, band_sum(weighted.rows, band), band.reference);
    // Gradients of the sums at all query positions; the transposed band adds them up per token.
    const at::Tensor d_out = group.gather(d_readout);
    const auto [d_query, d_mean_key] =
        gate_gradient(call, inputs.query, mean, (d_out * mean.value).sum(-1, true));
    const at::Tensor d_mean_value = mean.gate * d_out;
    const at::Tensor d_total =
        -(d_mean_key * mean.key).sum(-1, true) - (d_mean_value * mean.value).sum(-1, true);
    group.scatter(d[0], d_query);
    const at::Tensor d_sums =
        transposed_band_sum(at::cat({d_total, d_mean_key, d_mean_value}, -1) * mean.inverse, band);
    const at::Tensor d_key_sum = d_sums.slice(-1, 1, 1 + features),
                     d_value_sum = d_sums.slice(-1, 1 + features);
    const at::Tensor d_weight =
        d_sums.select(-1, 0) + (inputs.key * d_key_sum).sum(-1) + (inputs.value * d_value_sum).sum(-1);
    at::Tensor d_key = d_key_sum, d_value = d_value_sum, d_logit = d_weight;
    if (call.weight == FocusWeight::elu) { // exponential weights are factors of the band, so of d_sums
      d_key = d_key_sum * weighted.weight.unsqueeze(-1);
      d_value = d_value_sum * weighted.weight.unsqueeze(-1);
      d_logit = without_padding(d_weight * elu_weight_slope(inputs.logit, weighted.weight),
                                inputs.key_padding_mask, 0);
    }
    const at::Tensor d_product = d_logit * call.scale;
    group.scatter(d[1], d_product.unsqueeze(-1) * inputs.key);
    group.scatter(d[2], d_key + d_product.unsqueeze(-1) * inputs.focus);
    group.scatter(d[3], d_value);
  });
  return d;
}

namespace {

/// For heads without a window: adds the sums of the state to those of the new tokens, and updates the state.
void add_earlier_sums(const HeadGroup& group, const at::Tensor& earlier_sums,
                      const at::Tensor& earlier_reference, at::Tensor& sums, at::Tensor& reference,
                      LeapState& next) {
  const JoinedSums joined = join_sums(earlier_reference, reference, group.decay, sums.size(1));
  const at::Tensor last = earlier_sums * joined.earlier_factor.slice(1, -1) +
                          sums.select(1, -1).to(at::kDouble) * joined.new_factor.slice(1, -1);
  group.scatter(next.sums.unsqueeze(1), last.unsqueeze(1));
  group.scatter(next.reference.unsqueeze(1), joined.reference.slice(1, -1));
  const auto factor = [&](const at::Tensor& t) { return t.unsqueeze(-1).to(sums.scalar_type()); };
  sums = earlier_sums.unsqueeze(1).to(sums.scalar_type()) * factor(joined.earlier_factor) +
         sums * factor(joined.new_factor);
  if (reference.defined()) {
    reference = joined.reference.to(sums.scalar_type());
  }
}

} // namespace

at::Tensor leap_readout_continue(const LeapCall& call, LeapState& state) {
  const at::Tensor readout = at::empty_like(call.value, at::MemoryFormat::Contiguous);
  const int64_t batches = call.query.size(0), tokens = call.query.size(1), heads = call.query.size(2),
                row = 1 + call.key.size(3) + call.value.size(3);
  const std::vector<int64_t>& windows = call.windows.tokens;
  // Tokens that the largest finite window needs of the past.
  const int64_t kept = *std::max_element(windows.begin(), windows.end()) - 1;
  if (tokens == 0) {
    return readout;
  }
  LeapState next{.position = state.position + tokens};
  if (std::ranges::count(windows, 0) > 0) {
    const at::TensorOptions exact = call.query.options().dtype(at::kDouble);
    next.sums = at::zeros({batches, heads, row}, exact);
    next.reference = at::full({batches, heads}, call.weight == FocusWeight::elu ? 0 : kMinReference, exact);
    if (state.position == 0) {
      state.sums = next.sums.clone();
      state.reference = next.reference.clone();
    }
  }
  const at::Tensor logit = focus_logit(call.focus, call.key, call.scale);
  const int64_t stored = state.logit.defined() ? state.logit.size(1) : 0;
  for_each_head_group(call.query, stored + tokens, row, call.windows, [&](const HeadGroup& group) {
    const int64_t earlier = group.is_unlimited ? 0 : std::min(stored, group.window - 1);
    const auto earlier_and = [&](const at::Tensor& before, const at::Tensor& now) {
      return with_earlier(group, before, now, earlier);
    };
    const WeightedRows weighted =
        weighted_rows(call.weight, earlier_and(state.logit, logit),
                      {earlier_and(state.key, call.key), earlier_and(state.value, call.value)}, {});
    HeadGroup available = group;
    available.window = std::min(group.window, earlier + tokens);
    Band band = band_of(available, weighted);
    at::Tensor sums =
        tokens == 1 ? band_sum_last(weighted.rows, band, 1) : band_sum(weighted.rows, band).slice(1, earlier);
    at::Tensor reference = band.reference.defined() ? band.reference.slice(1, -tokens) : band.reference;
    if (group.is_unlimited) {
      add_earlier_sums(group, group.gather(state.sums.unsqueeze(1)).squeeze(1),
                       group.gather(state.reference.unsqueeze(1)).squeeze(1), sums, reference, next);
    }
    const Focused mean = focused(call, group.gather(call.query), sums, reference);
    group.scatter(readout, mean.gate * mean.value);
  });
  if (kept > 0) {
    next.logit = last_tokens(state.logit, logit, kept);
    next.key = last_tokens(state.key, call.key, kept);
    next.value = last_tokens(state.value, call.value, kept);
  }
  state = std::move(next);
  return readout;
}

} // namespace mneme::ops
