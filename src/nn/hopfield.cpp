// SPDX-License-Identifier: MIT

#include "mneme/nn/hopfield.h"

#include <algorithm>
#include <cmath>

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>

#include "nn/activation.h"
#include "nn/association_inputs.h"
#include "nn/checks.h"
#include "nn/core_sizes.h"
#include "nn/refuse.h"

namespace mneme::nn {
namespace {

constexpr const char* kLayer = "Hopfield";

/// Options of one of the three layer norms.
struct Norm {
  const char* name;       ///< of the module
  const char* eps_option; ///< option with `eps`
  bool enabled, affine;
  double eps;
  std::optional<int64_t> size; ///< features of the normalised input
  const char* size_option;     ///< option that determines `size`
  bool is_static;              ///< of the normalised input
};

Norm stored_norm(const HopfieldOptions& o) {
  return {"norm_stored_pattern",
          "normalize_stored_pattern_eps",
          o.normalize_stored_pattern(),
          o.normalize_stored_pattern_affine(),
          o.normalize_stored_pattern_eps(),
          o.stored_pattern_size() ? o.stored_pattern_size() : o.input_size(),
          "stored_pattern_size",
          o.stored_pattern_as_static()};
}

Norm state_norm(const HopfieldOptions& o) {
  return {"norm_state_pattern",
          "normalize_state_pattern_eps",
          o.normalize_state_pattern(),
          o.normalize_state_pattern_affine(),
          o.normalize_state_pattern_eps(),
          o.input_size(),
          "input_size",
          o.state_pattern_as_static()};
}

Norm projection_norm(const HopfieldOptions& o) {
  return {"norm_pattern_projection",
          "normalize_pattern_projection_eps",
          o.normalize_pattern_projection(),
          o.normalize_pattern_projection_affine(),
          o.normalize_pattern_projection_eps(),
          o.pattern_projection_size() ? o.pattern_projection_size() : o.input_size(),
          "pattern_projection_size",
          false};
}

/// True if the norms of stored pattern and pattern projection differ at most in weight and bias.
bool has_same_norms(const HopfieldOptions& o) {
  return o.normalize_stored_pattern() && o.normalize_pattern_projection() &&
         o.normalize_stored_pattern_eps() == o.normalize_pattern_projection_eps();
}

void check(const Norm& norm, std::optional<int64_t> head) {
  if (norm.affine && !norm.enabled) {
    refuse(kLayer, c10::str("the affine flag of ", norm.name, " is on but the norm is off."),
           "Switch both off, or on.");
  }
  if (norm.enabled) {
    check_norm_epsilon(kLayer, norm.eps_option, norm.eps);
  }
  if (norm.enabled && !norm.size) {
    refuse(kLayer,
           c10::str(norm.name, " needs the number of features, but ", norm.size_option, " is not set."),
           "Set it, or switch the norm and its affine flag off.");
  }
  if (norm.enabled && norm.is_static && head && *norm.size != *head) {
    refuse(kLayer,
           c10::str(norm.name, " has ", *norm.size, " features (", norm.size_option,
                    "), but a static pattern has ", *head, " (hidden_size)."),
           "Make them equal, or switch the norm and its affine flag off.");
  }
}

torch::nn::LayerNorm make_layer_norm(const Norm& norm) {
  return torch::nn::LayerNorm(
      torch::nn::LayerNormOptions({*norm.size}).eps(norm.eps).elementwise_affine(norm.affine));
}

NormedPatterns normed_by(const torch::nn::LayerNorm& norm, const at::Tensor& patterns) {
  return norm.is_empty() ? NormedPatterns{.patterns = patterns}
                         : NormedPatterns{patterns, norm->weight, norm->bias, norm->options.eps()};
}

PerHead<double> initial_beta(const HopfieldOptions& options, std::optional<int64_t> head) {
  return options.beta().value_or(head ? 1 / std::sqrt(static_cast<double>(*head)) : 1.0);
}

void check_count(const char* name, size_t count, int64_t num_heads) {
  if (count != 1 && static_cast<int64_t>(count) != num_heads) {
    refuse(kLayer, c10::str(name, " has ", count, " numbers, but there are ", num_heads, " heads."),
           "Give one number for all heads, or one for each.");
  }
}

HopfieldOptions without_norms(HopfieldOptions options) {
  return options.normalize_stored_pattern(false)
      .normalize_stored_pattern_affine(false)
      .normalize_state_pattern(false)
      .normalize_state_pattern_affine(false)
      .normalize_pattern_projection(false)
      .normalize_pattern_projection_affine(false);
}

/// Features that an input must have: those of its norm if there is one, else those required by the core.
std::optional<int64_t> required_features(const Norm& norm, std::optional<int64_t> of_core) {
  return norm.enabled ? norm.size : of_core;
}

at::Tensor any_parameter(const HopfieldImpl& layer) {
  if (at::Tensor of_core = any_parameter(*layer.association_core); of_core.defined()) {
    return of_core;
  }
  for (const torch::nn::LayerNorm* norm :
       {&layer.norm_stored_pattern, &layer.norm_state_pattern, &layer.norm_pattern_projection}) {
    if (!norm->is_empty() && (*norm)->weight.defined()) {
      return (*norm)->weight;
    }
  }
  return {};
}

/// Inputs of one call, with the names that error messages use.
AssociationInputs inputs_of(const HopfieldImpl& layer, const at::Tensor& stored_pattern,
                            const at::Tensor& state, const at::Tensor& projection,
                            const HopfieldMasks& masks) {
  const HopfieldOptions& options = layer.options;
  const InputSizes of_core = input_sizes(options.core());
  return {.layer = kLayer,
          .state = {"state_pattern", state, required_features(state_norm(options), of_core.query)},
          .stored = {"stored_pattern", stored_pattern, required_features(stored_norm(options), of_core.key)},
          .projection = {"pattern_projection", projection,
                         required_features(projection_norm(options), of_core.value)},
          .key_padding_mask_name = "stored_pattern_padding_mask",
          .key_padding_mask = masks.stored_pattern_padding_mask,
          .attention_mask_name = "association_mask",
          .attention_mask = masks.association_mask,
          .num_heads = options.num_heads(),
          .batch_first = options.batch_first(),
          .parameter = any_parameter(layer)};
}

} // namespace

HopfieldOptions HopfieldOptions::memory(PerHead<double> beta) {
  return without_norms({})
      .beta(beta)
      .update_steps_max(std::nullopt)
      .stored_pattern_as_static(true)
      .state_pattern_as_static(true)
      .pattern_projection_as_static(true)
      .disable_out_projection(true);
}

HopfieldOptions HopfieldOptions::attention(int64_t size, int64_t num_heads) {
  return without_norms(HopfieldOptions(size).num_heads(num_heads));
}

HopfieldOptions HopfieldOptions::adapted(int64_t input_size) {
  return HopfieldOptions(input_size).hidden_size(8).num_heads(8).update_steps_max(3).beta(0.25).dropout(0.5);
}

HopfieldCoreOptions HopfieldOptions::core() const {
  HopfieldCoreOptions core;
  return core.embed_dim(input_size())
      .num_heads(num_heads())
      .separation(separation())
      .dropout(dropout())
      .bias(input_bias())
      .add_bias_kv(concat_bias_pattern())
      .add_zero_attn(add_zero_association())
      .kdim(stored_pattern_size())
      .vdim(pattern_projection_size())
      .head_dim(hidden_size())
      .pattern_dim(pattern_size())
      .out_dim(output_size())
      .disable_out_projection(disable_out_projection())
      .key_as_static(stored_pattern_as_static())
      .query_as_static(state_pattern_as_static())
      .value_as_static(pattern_projection_as_static())
      .value_as_connected(pattern_projection_as_connected())
      .normalize_pattern(normalize_hopfield_space())
      .normalize_pattern_affine(normalize_hopfield_space_affine())
      .normalize_pattern_eps(normalize_hopfield_space_eps())
      .compat(compat())
      .streaming(streaming())
      .check_finite(false); // checked by the layer, whose messages name state and stored patterns
}

HopfieldImpl::HopfieldImpl(HopfieldOptions options_) : options(std::move(options_)) {
  reset();
}

void HopfieldImpl::reset() {
  association_core = register_module("association_core", HopfieldCore(options.core()));
  const std::optional<int64_t> head = association_core->head_dim();
  const Norm stored = stored_norm(options), state = state_norm(options),
             projection = projection_norm(options);
  for (const Norm& norm : {stored, state, projection}) {
    check(norm, head);
  }
  if (stored.enabled) {
    norm_stored_pattern = register_module(stored.name, make_layer_norm(stored));
  }
  if (state.enabled) {
    norm_state_pattern = register_module(state.name, make_layer_norm(state));
  }
  if (projection.enabled) {
    norm_pattern_projection = register_module(projection.name, make_layer_norm(projection));
  }
  activation_named(kLayer, options.association_activation().value_or("relu")); // throws for unknown names
  const std::vector<double> numbers = initial_beta(options, head).values();
  check_count("beta", numbers.size(), options.num_heads());
  if (std::ranges::any_of(numbers, [](double number) { return std::isnan(number); })) {
    refuse(kLayer, c10::str("beta is ", numbers, ", but must not be NaN."),
           "Leave it out for 1 / sqrt(hidden_size).");
  }
  for (const double eps : options.update_steps_eps().values()) {
    if (!(eps > 0)) {
      refuse(kLayer, c10::str("update_steps_eps is ", eps, ", but must be > 0."),
             "The default is 1e-4; update_steps_max limits the updates.");
    }
  }
  check_count("update_steps_eps", options.update_steps_eps().values().size(), options.num_heads());
  if (options.update_steps_max()) {
    check_count("update_steps_max", options.update_steps_max()->values().size(), options.num_heads());
  }
  if (options.learn_beta()) {
    if (!std::all_of(numbers.begin(), numbers.end(), [](double b) { return std::isfinite(b); })) {
      refuse(kLayer,
             c10::str("beta is ", numbers, ", but the initial value of a learned beta must be finite."),
             "Leave it out for 1 / sqrt(hidden_size).");
    }
    const at::Tensor initial = at::tensor(numbers).to(at::get_default_dtype_as_scalartype());
    beta = register_parameter("beta", initial.expand({options.num_heads()}).clone());
  }
}

void HopfieldImpl::reset_parameters() {
  association_core->reset_parameters();
  for (torch::nn::LayerNorm* norm : {&norm_stored_pattern, &norm_state_pattern, &norm_pattern_projection}) {
    if (!norm->is_empty()) {
      (*norm)->reset_parameters();
    }
  }
  if (beta.defined()) {
    const at::NoGradGuard no_gradient;
    beta.copy_(at::tensor(initial_beta(options, hidden_size()).values()).expand_as(beta));
  }
}

PerHead<double> HopfieldImpl::scaling() const {
  if (beta.defined()) {
    const at::Tensor current = beta.detach().to(at::kCPU, at::kDouble).contiguous();
    const auto* numbers = current.const_data_ptr<double>();
    return std::vector<double>(numbers, numbers + current.numel());
  }
  return initial_beta(options, hidden_size());
}

HopfieldCoreCall HopfieldImpl::call_with(const HopfieldMasks& masks, Requested requested) const {
  HopfieldCoreCall call{.key_padding_mask = masks.stored_pattern_padding_mask,
                        .attn_mask = masks.association_mask,
                        .scaling_tensor = beta,
                        .update_steps_max = options.update_steps_max().value_or(int64_t{-1}),
                        .update_steps_eps = options.update_steps_eps(),
                        .need_weights = requested == Requested::association,
                        .batch_first = options.batch_first()};
  if (!beta.defined()) {
    call.scaling = scaling();
  }
  return call;
}

NormedRows HopfieldImpl::with_norms(NormedRows rows) const {
  rows.key_gain = norm_stored_pattern->weight;
  rows.key_bias = norm_stored_pattern->bias;
  rows.value_gain = norm_pattern_projection->weight;
  rows.value_bias = norm_pattern_projection->bias;
  rows.epsilon = options.normalize_stored_pattern_eps();
  return rows;
}

bool hflayers_ignores_activation(const std::string& name) {
  return !is_in_torch(name);
}

at::Tensor HopfieldImpl::apply_activation(const at::Tensor& output) const {
  const bool is_ignored = options.compat() && options.association_activation() &&
                          hflayers_ignores_activation(*options.association_activation());
  return options.association_activation() && !is_ignored
             ? activation_named(kLayer, *options.association_activation())(output)
             : output;
}

HopfieldCoreResult HopfieldImpl::associate(const at::Tensor& stored_pattern, const at::Tensor& state_pattern,
                                           const at::Tensor& pattern_projection, const HopfieldMasks& masks,
                                           Requested requested) {
  const at::Tensor& state = state_pattern.defined() ? state_pattern : stored_pattern;
  const at::Tensor& projection = pattern_projection.defined() ? pattern_projection : stored_pattern;
  const AssociationInputs inputs = inputs_of(*this, stored_pattern, state, projection, masks);
  check_inputs(inputs);
  if (options.check_finite()) {
    check_masked_inputs(inputs);
  }
  const HopfieldCoreCall call = call_with(masks, requested);
  HopfieldCoreResult result;
  if (requested == Requested::output && projection.is_same(stored_pattern) && has_same_norms(options)) {
    result.output = association_core->forward_folded(normed_by(norm_state_pattern, state),
                                                     with_norms({.rows = stored_pattern}), call);
  }
  if (!result.output.defined()) {
    result = association_core->forward_normed(normed_by(norm_state_pattern, state),
                                              normed_by(norm_stored_pattern, stored_pattern),
                                              normed_by(norm_pattern_projection, projection), call);
  }
  result.output = apply_activation(result.output);
  if (options.check_finite()) {
    check_output(inputs, result.output);
  }
  return result;
}

at::Tensor HopfieldImpl::forward(const at::Tensor& stored_pattern, const at::Tensor& state_pattern,
                                 const at::Tensor& pattern_projection, const HopfieldMasks& masks) {
  return associate(stored_pattern, state_pattern, pattern_projection, masks, Requested::output).output;
}

at::Tensor HopfieldImpl::forward_from(const std::shared_ptr<const RowSource>& stored_pattern,
                                      const at::Tensor& state_pattern) {
  if (!stored_pattern) {
    refuse(kLayer, "stored_pattern is null.", "Give a row source, for example a data::RowFile.");
  }
  // The checks are those of a bag of one row.
  const at::Tensor& state = state_pattern;
  const at::Tensor row =
      at::zeros({1, 1, stored_pattern->size()}, state.defined() ? state.options() : at::TensorOptions());
  const HopfieldMasks none;
  const AssociationInputs inputs = inputs_of(*this, row, state, row, none);
  check_inputs(inputs);
  if (state.size(options.batch_first() ? 0 : 1) != 1) {
    refuse(kLayer,
           c10::str("state_pattern (shape ", state.sizes(),
                    ") must have batch size 1, because a row source is a single bag."),
           "Put all state patterns into one batch entry.");
  }
  at::Tensor output;
  if (has_same_norms(options)) {
    output = association_core->forward_folded(normed_by(norm_state_pattern, state),
                                              with_norms({.source = stored_pattern}),
                                              call_with(none, Requested::output));
  }
  if (!output.defined()) {
    refuse(kLayer, "with these options, stored patterns cannot be read from a row source.",
           "This requires normalize_stored_pattern and normalize_pattern_projection with the same eps, all "
           "three projections, softmax, a finite beta, and float32 or float64 on a CPU; it does not support "
           "updates, normalize_hopfield_space, concat_bias_pattern, add_zero_association, or dropout during "
           "training.");
  }
  output = apply_activation(output);
  if (options.check_finite()) {
    check_output(inputs, output);
  }
  return output;
}

HopfieldRetrieval HopfieldImpl::retrieve(const at::Tensor& stored_pattern, const at::Tensor& state_pattern,
                                         const at::Tensor& pattern_projection, const HopfieldMasks& masks) {
  const HopfieldCoreResult result =
      associate(stored_pattern, state_pattern, pattern_projection, masks, Requested::association);
  HopfieldRetrieval retrieval{.output = result.output,
                              .association = result.association,
                              .projected_patterns = result.projected_patterns,
                              .updates = result.updates,
                              .changes = result.changes};
  for (size_t h = 0; h < result.updates.size(); ++h) {
    const auto last = static_cast<size_t>(result.updates[h]);
    retrieval.converged.push_back(last == 0 || result.changes[last - 1][h] <=
                                                   options.update_steps_eps().of(static_cast<int64_t>(h)));
  }
  return retrieval;
}

at::Tensor HopfieldImpl::get_association_matrix(const at::Tensor& stored_pattern,
                                                const at::Tensor& state_pattern,
                                                const at::Tensor& pattern_projection,
                                                const HopfieldMasks& masks) {
  const at::NoGradGuard no_gradient;
  return retrieve(stored_pattern, state_pattern, pattern_projection, masks).association;
}

at::Tensor HopfieldImpl::get_projected_pattern_matrix(const at::Tensor& stored_pattern,
                                                      const at::Tensor& state_pattern,
                                                      const at::Tensor& pattern_projection,
                                                      const HopfieldMasks& masks) {
  const at::NoGradGuard no_gradient;
  return associate(stored_pattern, state_pattern, pattern_projection, masks, Requested::projected_patterns)
      .projected_patterns;
}

} // namespace mneme::nn
