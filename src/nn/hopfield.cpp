// SPDX-License-Identifier: MIT

#include "mneme/nn/hopfield.h"

#include <cmath>

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>

#include "nn/activation.h"
#include "nn/association_inputs.h"
#include "nn/core_sizes.h"
#include "nn/refuse.h"

namespace mneme::nn {
namespace {

constexpr const char* kLayer = "Hopfield";

/// One of the three layer norms as the options describe it.
struct Norm {
  const char* name; ///< of the module
  bool wanted, affine;
  double eps;
  std::optional<int64_t> size; ///< features of what is normalised
  const char* size_option;
  bool is_static;
};

Norm stored_norm(const HopfieldOptions& o) {
  return {"norm_stored_pattern",
          o.normalize_stored_pattern(),
          o.normalize_stored_pattern_affine(),
          o.normalize_stored_pattern_eps(),
          o.stored_pattern_size() ? o.stored_pattern_size() : o.input_size(),
          "stored_pattern_size",
          o.stored_pattern_as_static()};
}

Norm state_norm(const HopfieldOptions& o) {
  return {"norm_state_pattern",
          o.normalize_state_pattern(),
          o.normalize_state_pattern_affine(),
          o.normalize_state_pattern_eps(),
          o.input_size(),
          "input_size",
          o.state_pattern_as_static()};
}

Norm projection_norm(const HopfieldOptions& o) {
  return {"norm_pattern_projection",
          o.normalize_pattern_projection(),
          o.normalize_pattern_projection_affine(),
          o.normalize_pattern_projection_eps(),
          o.pattern_projection_size() ? o.pattern_projection_size() : o.input_size(),
          "pattern_projection_size",
          false};
}

/// Stored pattern and pattern projection differ at most in weight and bias of their norms.
bool normed_alike(const HopfieldOptions& o) {
  return o.normalize_stored_pattern() && o.normalize_pattern_projection() &&
         o.normalize_stored_pattern_eps() == o.normalize_pattern_projection_eps();
}

void check(const Norm& norm, std::optional<int64_t> head) {
  if (norm.affine && !norm.wanted) {
    refuse(kLayer, c10::str("the affine flag of ", norm.name, " is on but the norm is off."),
           "Switch both off, or on.");
  }
  if (norm.wanted && !norm.size) {
    refuse(kLayer, c10::str(norm.name, " needs to know the features, but ", norm.size_option, " is missing."),
           "Give it, or switch the norm and its affine flag off.");
  }
  if (norm.wanted && norm.is_static && head && *norm.size != *head) {
    refuse(kLayer,
           c10::str(norm.name, " is of ", *norm.size, " features (", norm.size_option,
                    "), but a static pattern has the ", *head, " of hidden_size."),
           "Make them equal, or switch the norm and its affine flag off.");
  }
}

torch::nn::LayerNorm made(const Norm& norm) {
  return torch::nn::LayerNorm(
      torch::nn::LayerNormOptions({*norm.size}).eps(norm.eps).elementwise_affine(norm.affine));
}

NormedPatterns normed_by(const torch::nn::LayerNorm& norm, const at::Tensor& patterns) {
  return norm.is_empty() ? NormedPatterns{.patterns = patterns}
                         : NormedPatterns{patterns, norm->weight, norm->bias, norm->options.eps()};
}

PerHead<double> first_beta(const HopfieldOptions& options, std::optional<int64_t> head) {
  return options.beta().value_or(head ? 1 / std::sqrt(static_cast<double>(*head)) : 1.0);
}

void check_count(const char* name, size_t count, int64_t num_heads) {
  if (count != 1 && static_cast<int64_t>(count) != num_heads) {
    refuse(kLayer, c10::str(name, " has ", count, " numbers, but there are ", num_heads, " heads."),
           "Give one for all heads, or one for each.");
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

/// Features an input must have: those of its norm, else those of the core.
std::optional<int64_t> features(const Norm& norm, std::optional<int64_t> of_core) {
  return norm.wanted ? norm.size : of_core;
}

/// One call's inputs, under the names that a user knows.
AssociationInputs inputs_of(const HopfieldOptions& options, const at::Tensor& stored_pattern,
                            const at::Tensor& state, const at::Tensor& projection,
                            const HopfieldMasks& masks) {
  const InputSizes of_core = input_sizes(options.core());
  return {.layer = kLayer,
          .state = {"state_pattern", state, features(state_norm(options), of_core.query)},
          .stored = {"stored_pattern", stored_pattern, features(stored_norm(options), of_core.key)},
          .projection = {"pattern_projection", projection, features(projection_norm(options), of_core.value)},
          .padding_mask_name = "stored_pattern_padding_mask",
          .padding_mask = masks.stored_pattern_padding_mask,
          .association_mask_name = "association_mask",
          .association_mask = masks.association_mask,
          .num_heads = options.num_heads(),
          .batch_first = options.batch_first()};
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
      .check_finite(false); // the layer itself does, and speaks of state and stored patterns
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
  if (stored.wanted) {
    norm_stored_pattern = register_module(stored.name, made(stored));
  }
  if (state.wanted) {
    norm_state_pattern = register_module(state.name, made(state));
  }
  if (projection.wanted) {
    norm_pattern_projection = register_module(projection.name, made(projection));
  }
  activation_named(kLayer, options.association_activation().value_or("relu")); // refuses unknown names
  const std::vector<double> numbers = first_beta(options, head).values();
  check_count("beta", numbers.size(), options.num_heads());
  check_count("update_steps_eps", options.update_steps_eps().values().size(), options.num_heads());
  if (options.update_steps_max()) {
    check_count("update_steps_max", options.update_steps_max()->values().size(), options.num_heads());
  }
  if (options.learn_beta()) {
    if (!std::all_of(numbers.begin(), numbers.end(), [](double b) { return std::isfinite(b); })) {
      refuse(kLayer, c10::str("beta begins with ", numbers, ", but one that is learnt must be finite."),
             "Leave it out for 1 / sqrt(hidden_size).");
    }
    const at::Tensor first = at::tensor(numbers).to(at::get_default_dtype_as_scalartype());
    beta = register_parameter("beta", first.expand({options.num_heads()}).clone());
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
    beta.copy_(at::tensor(first_beta(options, hidden_size()).values()).expand_as(beta));
  }
}

PerHead<double> HopfieldImpl::scaling() const {
  if (beta.defined()) {
    const at::Tensor now = beta.detach().to(at::kCPU, at::kDouble).contiguous();
    return std::vector<double>(now.const_data_ptr<double>(), now.const_data_ptr<double>() + now.numel());
  }
  return first_beta(options, hidden_size());
}

HopfieldCoreCall HopfieldImpl::call_with(const HopfieldMasks& masks, Wanted wanted) const {
  HopfieldCoreCall call{.key_padding_mask = masks.stored_pattern_padding_mask,
                        .attn_mask = masks.association_mask,
                        .scaling_tensor = beta,
                        .update_steps_max = options.update_steps_max().value_or(int64_t{-1}),
                        .update_steps_eps = options.update_steps_eps(),
                        .need_weights = wanted == Wanted::association,
                        .batch_first = options.batch_first()};
  if (!beta.defined()) {
    call.scaling = scaling();
  }
  return call;
}

NormedRows HopfieldImpl::normed(NormedRows rows) const {
  rows.key_gain = norm_stored_pattern->weight;
  rows.key_bias = norm_stored_pattern->bias;
  rows.value_gain = norm_pattern_projection->weight;
  rows.value_bias = norm_pattern_projection->bias;
  rows.epsilon = options.normalize_stored_pattern_eps();
  return rows;
}

at::Tensor HopfieldImpl::activated(const at::Tensor& output) const {
  return options.association_activation()
             ? activation_named(kLayer, *options.association_activation())(output)
             : output;
}

HopfieldCoreResult HopfieldImpl::associate(const at::Tensor& stored_pattern, const at::Tensor& state_pattern,
                                           const at::Tensor& pattern_projection, const HopfieldMasks& masks,
                                           Wanted wanted) {
  const at::Tensor& state = state_pattern.defined() ? state_pattern : stored_pattern;
  const at::Tensor& projection = pattern_projection.defined() ? pattern_projection : stored_pattern;
  const AssociationInputs inputs = inputs_of(options, stored_pattern, state, projection, masks);
  check_inputs(inputs);
  const HopfieldCoreCall call = call_with(masks, wanted);
  HopfieldCoreResult result;
  if (wanted == Wanted::output && projection.is_same(stored_pattern) && normed_alike(options)) {
    result.output = association_core->forward_folded(normed_by(norm_state_pattern, state),
                                                     normed({.rows = stored_pattern}), call);
  }
  if (!result.output.defined()) {
    result = association_core->forward_normed(normed_by(norm_state_pattern, state),
                                              normed_by(norm_stored_pattern, stored_pattern),
                                              normed_by(norm_pattern_projection, projection), call);
  }
  result.output = activated(result.output);
  if (options.check_finite()) {
    check_output(inputs, result.output);
  }
  return result;
}

at::Tensor HopfieldImpl::forward(const at::Tensor& stored_pattern, const at::Tensor& state_pattern,
                                 const at::Tensor& pattern_projection, const HopfieldMasks& masks) {
  return associate(stored_pattern, state_pattern, pattern_projection, masks, Wanted::output).output;
}

at::Tensor HopfieldImpl::forward_from(const std::shared_ptr<const RowSource>& stored_pattern,
                                      const at::Tensor& state_pattern) {
  if (!stored_pattern) {
    refuse(kLayer, "stored_pattern is no source at all.", "Give one, for example a data::RowFile.");
  }
  // Checked as a bag of one row would be.
  const at::Tensor& state = state_pattern;
  const at::Tensor row =
      at::zeros({1, 1, stored_pattern->size()}, state.defined() ? state.options() : at::TensorOptions());
  const HopfieldMasks none;
  const AssociationInputs inputs = inputs_of(options, row, state, row, none);
  check_inputs(inputs);
  if (state.size(options.batch_first() ? 0 : 1) != 1) {
    refuse(kLayer,
           c10::str("state_pattern (shape ", state.sizes(),
                    ") has several batch entries, but a source is one bag."),
           "Give all states in one entry.");
  }
  at::Tensor output;
  if (normed_alike(options)) {
    output =
        association_core->forward_folded(normed_by(norm_state_pattern, state),
                                         normed({.source = stored_pattern}), call_with(none, Wanted::output));
  }
  if (!output.defined()) {
    refuse(kLayer, "with these options, stored patterns cannot be read piece by piece.",
           "It takes both norms with one eps, all three projections, softmax, finite beta, float32 or "
           "float64 on a CPU; no "
           "updates, normalize_hopfield_space, concat_bias_pattern, add_zero_association, or dropout while "
           "training.");
  }
  output = activated(output);
  if (options.check_finite()) {
    check_output(inputs, output);
  }
  return output;
}

HopfieldRetrieval HopfieldImpl::retrieve(const at::Tensor& stored_pattern, const at::Tensor& state_pattern,
                                         const at::Tensor& pattern_projection, const HopfieldMasks& masks) {
  const HopfieldCoreResult result =
      associate(stored_pattern, state_pattern, pattern_projection, masks, Wanted::association);
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
  return associate(stored_pattern, state_pattern, pattern_projection, masks, Wanted::projected_patterns)
      .projected_patterns;
}

} // namespace mneme::nn
