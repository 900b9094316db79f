// SPDX-License-Identifier: MIT

#include "mneme/ops/leap.h"

#include <algorithm>
#include <cmath>

#include <ATen/Functions.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "ops/checks.h"
#include "ops/focus_weight.h"
#include "ops/head_groups.h"
#include "ops/huge_pages.h"
#include "ops/leap_checks.h"
#include "ops/leap_pass.h"
#include "ops/leap_scales.h"
#include "ops/leap_scan.h"

namespace mneme::ops {
namespace {

const Checks kChecks("leap");

void check_factor(const Checks& checks, const at::Tensor& factor, const Checks::Named& query) {
  if (!factor.defined()) {
    return;
  }
  const Checks::Named named{"logit_factor", factor};
  checks.dimensions(named, 3, "batch, tokens, heads", "It multiplies the focus logits.");
  checks.same_type_and_device(query, named);
  checks.same_size(query, 0, named, 0, "batches", "It multiplies the focus logits.");
  checks.same_size(query, 1, named, 1, "tokens", "It multiplies the focus logits.");
  checks.same_size(query, 2, named, 2, "heads", "It multiplies the focus logits.");
}

void check(const Checks& checks, const at::Tensor& query, const at::Tensor& focus, const at::Tensor& key,
           const at::Tensor& value, const LeapOptions& options) {
  const Checks::Named q{"query", query};
  check_inputs(checks, {query, focus, key, value});
  check_windows(checks, options.windows, query.size(2));
  check_epsilon(checks, options.weight, options.epsilon);
  check_scale(checks, "scale", options.scale);
  check_scale(checks, "gate_scale", options.gate_scale);
  check_factor(checks, options.logit_factor, q);
  check_key_padding_mask(checks, options.key_padding_mask, q);
}

void check_readout(const Checks& checks, const at::Tensor& readout, const LeapCall& call) {
  check_readout(checks, readout, {call.query, call.focus, call.key, call.value}, call.scale);
}

class Leap : public torch::autograd::Function<Leap> {
public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& query,
                            const at::Tensor& focus, const at::Tensor& key, const at::Tensor& value,
                            const LeapCall& call, bool save_trace) {
    at::AutoDispatchBelowADInplaceOrView below;
    context->saved_data["windows"] = call.windows.tokens;
    context->saved_data["decay"] = call.windows.decay;
    context->saved_data["weight"] = static_cast<int64_t>(call.weight);
    context->saved_data["gate"] = static_cast<int64_t>(call.gate);
    context->saved_data["scale"] = call.scale;
    context->saved_data["gate_scale"] = call.gate_scale;
    context->saved_data["epsilon"] = call.epsilon;
    context->saved_data["joins_sequences"] = call.joins_sequences;
    at::Tensor readout;
    LeapTrace trace;
    if (has_scan(call)) {
      readout = empty_on_huge_pages(call.value.sizes(), call.value.options());
      leap_scan(call, readout, save_trace ? &trace : nullptr);
    } else {
      readout = leap_readout(call);
    }
    context->save_for_backward({query, focus, key, value, call.key_padding_mask, trace.tracks, trace.carries,
                                trace.tracks.defined() ? readout : at::Tensor()});
    return readout;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    kChecks.no_double_backward();
    const torch::autograd::variable_list saved = context->get_saved_variables();
    auto& data = context->saved_data;
    const LeapCall call{.query = saved[0],
                        .focus = saved[1],
                        .key = saved[2],
                        .value = saved[3],
                        .key_padding_mask = saved[4],
                        .windows = {data["windows"].toIntVector(), data["decay"].toDoubleVector()},
                        .weight = static_cast<FocusWeight>(data["weight"].toInt()),
                        .gate = static_cast<LeapGate>(data["gate"].toInt()),
                        .scale = data["scale"].toDouble(),
                        .gate_scale = data["gate_scale"].toDouble(),
                        .epsilon = data["epsilon"].toDouble(),
                        .joins_sequences = data["joins_sequences"].toBool()};
    const LeapTrace trace{saved[5], saved[6]};
    std::array<at::Tensor, 4> d;
    if (trace.tracks.defined()) {
      std::ranges::generate(d, [&] { return empty_on_huge_pages(call.query.sizes(), call.query.options()); });
      LeapScanBackward(call, saved[7], trace, gradients[0]).run(0, d);
    } else {
      d = leap_gradient(call, gradients[0]);
    }
    return {d[0], d[1], d[2], d[3], at::Tensor(), at::Tensor()};
  }
};

at::Tensor leap_for_torch(const at::Tensor& query, const at::Tensor& focus, const at::Tensor& key,
                          const at::Tensor& value, at::IntArrayRef windows, at::ArrayRef<double> decay,
                          c10::string_view weight, std::optional<double> scale, double epsilon,
                          const std::optional<at::Tensor>& logit_factor,
                          const std::optional<at::Tensor>& key_padding_mask) {
  if (weight != "elu" && weight != "exponential") {
    kChecks.fail(c10::str("weight is \"", weight, "\"."), "Known weights are \"elu\" and \"exponential\".");
  }
  return leap(query, focus, key, value,
              {.weight = weight == "elu" ? FocusWeight::elu : FocusWeight::exponential,
               .windows = {windows.vec(), decay.vec()},
               .scale = scale,
               .epsilon = epsilon,
               .logit_factor = logit_factor.value_or(at::Tensor()),
               .key_padding_mask = key_padding_mask.value_or(at::Tensor())});
}

at::IntArrayRef as_list(const at::Tensor& numbers) {
  return {numbers.const_data_ptr<int64_t>(), static_cast<size_t>(numbers.numel())};
}

/// Whether the kernels continue the state. A state made by LibTorch (on another device, or with options that
/// the kernels do not support) has another format, and LibTorch continues it.
bool scan_continues(const LeapCall& call, const LeapState& state) {
  return has_scan_with_state(call) &&
         (state.position == 0 || !(state.sums.defined() || state.logit.defined()));
}

/// Errors  UsageError unless a call with the same sizes and options could have returned this state
void check_state(const Checks& checks, const LeapCall& call, const LeapState& state) {
  check_position(
      checks, state.position,
      {state.sums, state.reference, state.logit, state.key, state.value, state.scan, state.windows});
  if (state.position == 0) {
    return;
  }
  const int64_t batches = call.query.size(0), heads = call.query.size(2), features = call.key.size(3),
                values = call.value.size(3);
  const at::ScalarType type = call.query.scalar_type();
  const at::Device device = call.query.device();
  if (scan_continues(call, state)) {
    check_state_tensor(checks, "windows", state.windows, {heads}, at::kLong, device);
    if (const at::Tensor windows = scan_windows(call); !windows.equal(state.windows)) {
      checks.fail(c10::str("the state has the windows ", as_list(state.windows),
                           ", but the options have the windows ", as_list(windows), "."),
                  "Give the state that the previous call returned, with the same options.");
    }
    check_state_tensor(checks, "scan", state.scan, {batches, scan_state_size(call)}, type, device);
    return;
  }
  const std::vector<int64_t>& windows = call.windows.tokens;
  if (std::ranges::count(windows, 0) > 0) {
    check_state_tensor(checks, "sums", state.sums, {batches, heads, 1 + features + values}, at::kDouble,
                       device);
    check_state_tensor(checks, "reference", state.reference, {batches, heads}, at::kDouble, device);
  }
  const int64_t kept = std::min(state.position, *std::max_element(windows.begin(), windows.end()) - 1);
  if (kept > 0) {
    check_state_tensor(checks, "logit", state.logit, {batches, kept, heads}, type, device);
    check_state_tensor(checks, "key", state.key, {batches, kept, heads, features}, type, device);
    check_state_tensor(checks, "value", state.value, {batches, kept, heads, values}, type, device);
  }
}

} // namespace

TORCH_LIBRARY_FRAGMENT(mneme, library) {
  library.def("leap(Tensor query, Tensor focus, Tensor key, Tensor value, int[] windows, float[] decay, "
              "str weight=\"elu\", float? scale=None, float epsilon=1e-5, Tensor? logit_factor=None, "
              "Tensor? key_padding_mask=None) -> Tensor",
              leap_for_torch);
}

LeapCall leap_call(const Checks& checks, const at::Tensor& query, const at::Tensor& focus,
                   const at::Tensor& key, const at::Tensor& value, const LeapOptions& options) {
  check(checks, query, focus, key, value, options);
  const at::ScalarType inner = type_of_sums(query.scalar_type());
  return {.query = query.to(inner),
          .focus = options.logit_factor.defined() // the kernels have no factor: it scales the focus
                       ? focus.to(inner) * options.logit_factor.to(inner).unsqueeze(-1)
                       : focus.to(inner),
          .key = key.to(inner),
          .value = value.to(inner),
          .key_padding_mask = options.key_padding_mask,
          .windows = options.windows,
          .weight = options.weight,
          .gate = options.gate,
          .scale = focus_scale(options.scale, query.size(3)),
          .gate_scale = gate_scale(options, query.size(3)),
          .epsilon = options.epsilon};
}

at::Tensor leap(const at::Tensor& query, const at::Tensor& focus, const at::Tensor& key,
                const at::Tensor& value, const LeapOptions& options) {
  if (options.both_sides) {
    return leap_with_intermediates(query, focus, key, value, options).readout;
  }
  const LeapCall call = leap_call(kChecks, query, focus, key, value, options);
  const bool save_trace =
      at::GradMode::is_enabled() && (call.query.requires_grad() || call.focus.requires_grad() ||
                                     call.key.requires_grad() || call.value.requires_grad());
  const auto readout_of = [&](const LeapCall& layout) -> at::Tensor {
    return Leap::apply(layout.query, layout.focus, layout.key, layout.value, layout, save_trace);
  };
  const at::Tensor readout = has_scan(call) && has_short_sequences(call)
                                 ? readout_of(as_one_sequence(call)).view(call.value.sizes())
                                 : readout_of(call);
  if (options.check_finite) {
    check_readout(kChecks, readout, call);
  }
  return readout.to(query.scalar_type());
}

LeapIntermediates leap_with_intermediates(const at::Tensor& query, const at::Tensor& focus,
                                          const at::Tensor& key, const at::Tensor& value,
                                          const LeapOptions& options) {
  const Checks checks("leap_with_intermediates");
  const LeapCall call = leap_call(checks, query, focus, key, value, options);
  LeapIntermediates result;
  result.query = call.query;
  result.key = call.key;
  result.value = call.value;
  result.focus_logit = focus_logit(call.focus, call.key, call.scale);
  const WindowMeans means = window_means(result.focus_logit, at::cat({call.key, call.value}, -1),
                                         {.weight = options.weight,
                                          .windows = options.windows,
                                          .epsilon = options.epsilon,
                                          .both_sides = options.both_sides,
                                          .key_padding_mask = options.key_padding_mask});
  result.focus_weight = means.weight;
  result.weight_sum = means.weight_sum;
  result.log_weight = means.log_weight;
  result.log_denominator = means.log_denominator;
  result.focused_key = means.means.slice(-1, 0, key.size(3));
  result.focused_value = means.means.slice(-1, key.size(3));
  const at::Tensor gate = gate_of(call.gate, call.gate_scale, call.query, result.focused_key);
  result.gate = gate.squeeze(-1);
  result.readout = gate * result.focused_value;
  if (options.check_finite) {
    check_readout(checks, result.readout, call);
  }
  result.readout = result.readout.to(query.scalar_type());
  return result;
}

LeapContinuation leap_continue(const at::Tensor& query, const at::Tensor& focus, const at::Tensor& key,
                               const at::Tensor& value, LeapState state, const LeapOptions& options) {
  const Checks checks("leap_continue");
  check_can_continue(checks, options.both_sides, options.key_padding_mask);
  const at::NoGradGuard no_gradient;
  const LeapCall call = leap_call(checks, query, focus, key, value, options);
  check_state(checks, call, state);
  LeapContinuation result{{}, std::move(state)};
  if (scan_continues(call, result.state)) {
    result.readout = empty_on_huge_pages(call.value.sizes(), call.value.options());
    leap_scan_continue(call, result.readout, result.state);
  } else {
    result.readout = leap_readout_continue(call, result.state);
  }
  if (options.check_finite) {
    check_readout(checks, result.readout, call);
  }
  result.readout = result.readout.to(query.scalar_type());
  return result;
}

} // namespace mneme::ops
