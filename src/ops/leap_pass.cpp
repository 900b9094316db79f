// SPDX-License-Identifier: MIT

#include "ops/leap_pass.h"

#include <algorithm>
#include <limits>

#include <ATen/Functions.h>

#include "ops/band_sum.h"
#include "ops/focus_weight.h"
#include "ops/head_slices.h"
#include "ops/window_state.h"

namespace mneme::ops {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Some heads of a call [G, T, ...].
struct Part {
  at::Tensor query, focus, key, value;
  at::Tensor logit; ///< [G, T]; -infinity or of weight 0 where there is no token
  at::Tensor is_token;
};

Part part_of(const LeapCall& call, const HeadSlice& slice) {
  Part part{slice.take(call.query),
            slice.take(call.focus),
            slice.take(call.key),
            slice.take(call.value),
            {},
            slice.take_batches(call.is_token)};
  part.logit = focus_logit(part.focus, part.key, call.scale);
  return part;
}

/// What readers see, and what they make of it.
struct Seen {
  at::Tensor inverse;    ///< 1 / (sum of weights + epsilon), in the units of the sums [G, T, 1]
  at::Tensor key, value; ///< means
  at::Tensor gate;       ///< [G, T, 1]
};

Seen read(const LeapCall& call, const at::Tensor& query, const at::Tensor& sums,
          const at::Tensor& reference) {
  const int64_t features = query.size(-1);
  const at::Tensor total = sums.slice(-1, 0, 1);
  Seen seen;
  seen.inverse =
      (call.weight == FocusWeight::elu ? total + call.epsilon
                                       : total + scaled_epsilon(call.epsilon, reference.unsqueeze(-1), total))
          .reciprocal();
  seen.key = sums.slice(-1, 1, 1 + features) * seen.inverse;
  seen.value = sums.slice(-1, 1 + features) * seen.inverse;
  seen.gate = gate_of(call.gate, call.gate_scale, query, seen.key);
  return seen;
}

/// From the gradient of the gate to those of query and mean key.
std::pair<at::Tensor, at::Tensor> gate_gradient(const LeapCall& call, const at::Tensor& query,
                                                const Seen& seen, const at::Tensor& d_gate) {
  at::Tensor d_logit = d_gate * call.gate_scale;
  if (call.gate == LeapGate::sigmoid || call.gate == LeapGate::cosine) {
    d_logit = d_logit * seen.gate * (1 - seen.gate);
  }
  switch (call.gate) {
  case LeapGate::open:
    return {at::zeros_like(query), at::zeros_like(query)};
  case LeapGate::cosine: {
    const at::Tensor of_query = inverse_length(query), of_key = inverse_length(seen.key);
    const at::Tensor q = query * of_query, k = seen.key * of_key, cosine = (q * k).sum(-1, true);
    return {d_logit * of_query * (k - cosine * q), d_logit * of_key * (q - cosine * k)};
  }
  default:
    return {d_logit * seen.key, d_logit * query};
  }
}

Band band_of(const HeadSlice& slice, const Weighed& weighed) {
  Band band{slice.window, weighed.log_weight, {}, slice.decay};
  if (weighed.log_weight.defined()) {
    band.reference = largest_in_window(band);
  }
  return band;
}

} // namespace

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
  for_each_slice(call.query, call.query.size(1), row, call.windows, [&](const HeadSlice& slice) {
    const Part part = part_of(call, slice);
    const Weighed weighed = weigh(call.weight, part.logit, {part.key, part.value}, part.is_token);
    const Band band = band_of(slice, weighed);
    const at::Tensor sums = sums_of_tokens(weighed.rows, band);
    const Seen seen = read(call, part.query, sums, band.reference);
    slice.put(readout, seen.gate * seen.value);
  });
  return readout;
}

std::array<at::Tensor, 4> leap_gradient(const LeapCall& call, const at::Tensor& d_readout) {
  const auto empty = [](const at::Tensor& like) {
    return at::empty_like(like, at::MemoryFormat::Contiguous);
  };
  std::array<at::Tensor, 4> d{empty(call.query), empty(call.focus), empty(call.key), empty(call.value)};
  const int64_t features = call.key.size(3), row = 1 + features + call.value.size(3);
  for_each_slice(call.query, call.query.size(1), row, call.windows, [&](const HeadSlice& slice) {
    const Part part = part_of(call, slice);
    const Weighed weighed = weigh(call.weight, part.logit, {part.key, part.value}, part.is_token);
    const Band band = band_of(slice, weighed);
    const Seen seen = read(call, part.query, sums_of_tokens(weighed.rows, band), band.reference);
    // Readers hand back multiples of rows of their own: sums of these are the same problem mirrored.
    const at::Tensor d_out = slice.take(d_readout);
    const auto [d_query, d_seen_key] =
        gate_gradient(call, part.query, seen, (d_out * seen.value).sum(-1, true));
    const at::Tensor d_seen_value = seen.gate * d_out;
    const at::Tensor d_total =
        -(d_seen_key * seen.key).sum(-1, true) - (d_seen_value * seen.value).sum(-1, true);
    slice.put(d[0], d_query);
    const at::Tensor returned =
        sums_of_readers(at::cat({d_total, d_seen_key, d_seen_value}, -1) * seen.inverse, band);
    const at::Tensor to_key = returned.slice(-1, 1, 1 + features),
                     to_value = returned.slice(-1, 1 + features);
    const at::Tensor d_weight =
        returned.select(-1, 0) + (part.key * to_key).sum(-1) + (part.value * to_value).sum(-1);
    at::Tensor d_key = to_key, d_value = to_value, d_logit = d_weight;
    if (call.weight == FocusWeight::elu) { // else the weights are in `returned`
      d_key = to_key * weighed.weight.unsqueeze(-1);
      d_value = to_value * weighed.weight.unsqueeze(-1);
      d_logit = without_padding(d_weight * elu_weight_slope(part.logit, weighed.weight), part.is_token, 0);
    }
    const at::Tensor d_product = d_logit * call.scale;
    slice.put(d[1], d_product.unsqueeze(-1) * part.key);
    slice.put(d[2], d_key + d_product.unsqueeze(-1) * part.focus);
    slice.put(d[3], d_value);
  });
  return d;
}

namespace {

/// Adds the sums of heads that see all tokens to those of a call, and takes them over into the state.
void with_earlier_sums(const HeadSlice& slice, const at::Tensor& earlier_sums,
                       const at::Tensor& earlier_reference, at::Tensor& sums, at::Tensor& reference,
                       LeapState& next) {
  const JoinedSums joined = join_sums(earlier_reference, reference, slice.decay, sums.size(1));
  const at::Tensor last = earlier_sums * joined.of_earlier.slice(1, -1) +
                          sums.select(1, -1).to(at::kDouble) * joined.of_piece.slice(1, -1);
  slice.put(next.sums.unsqueeze(1), last.unsqueeze(1));
  slice.put(next.reference.unsqueeze(1), joined.reference.slice(1, -1));
  const auto factor = [&](const at::Tensor& of_readers) {
    return of_readers.unsqueeze(-1).to(sums.scalar_type());
  };
  sums = earlier_sums.unsqueeze(1).to(sums.scalar_type()) * factor(joined.of_earlier) +
         sums * factor(joined.of_piece);
  if (reference.defined()) {
    reference = joined.reference.to(sums.scalar_type());
  }
}

} // namespace

at::Tensor leap_readout_after(const LeapCall& call, LeapState& state) {
  const at::Tensor readout = at::empty_like(call.value, at::MemoryFormat::Contiguous);
  const int64_t batches = call.query.size(0), tokens = call.query.size(1), heads = call.query.size(2),
                row = 1 + call.key.size(3) + call.value.size(3);
  const std::vector<int64_t>& windows = call.windows.tokens;
  const int64_t kept = *std::max_element(windows.begin(), windows.end()) - 1; // of the largest finite window
  if (tokens == 0) {
    return readout;
  }
  LeapState next{.position = state.position + tokens};
  if (std::ranges::count(windows, 0) > 0) {
    const at::TensorOptions exact = call.query.options().dtype(at::kDouble);
    next.sums = at::zeros({batches, heads, row}, exact);
    next.reference = at::full({batches, heads}, call.weight == FocusWeight::elu ? 0 : kLeastReference, exact);
    if (state.position == 0) {
      state.sums = next.sums.clone();
      state.reference = next.reference.clone();
    }
  }
  const at::Tensor logit = focus_logit(call.focus, call.key, call.scale);
  const int64_t remembered = state.logit.defined() ? state.logit.size(1) : 0;
  for_each_slice(call.query, remembered + tokens, row, call.windows, [&](const HeadSlice& slice) {
    const int64_t earlier = slice.sees_all ? 0 : std::min(remembered, slice.window - 1);
    const auto earlier_and = [&](const at::Tensor& before, const at::Tensor& now) {
      return with_earlier(slice, before, now, earlier);
    };
    const Weighed weighed =
        weigh(call.weight, earlier_and(state.logit, logit),
              {earlier_and(state.key, call.key), earlier_and(state.value, call.value)}, {});
    HeadSlice readers = slice;
    readers.window = std::min(slice.window, earlier + tokens);
    Band band = band_of(readers, weighed);
    at::Tensor sums = tokens == 1 ? sums_of_last_readers(weighed.rows, band, 1)
                                  : sums_of_tokens(weighed.rows, band).slice(1, earlier);
    at::Tensor reference = band.reference.defined() ? band.reference.slice(1, -tokens) : band.reference;
    if (slice.sees_all) {
      with_earlier_sums(slice, slice.take(state.sums.unsqueeze(1)).squeeze(1),
                        slice.take(state.reference.unsqueeze(1)).squeeze(1), sums, reference, next);
    }
    const Seen seen = read(call, slice.take(call.query), sums, reference);
    slice.put(readout, seen.gate * seen.value);
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
