// SPDX-License-Identifier: MIT

#include "mneme/nn/hopfield_core.h"

#include <algorithm>
#include <cmath>
#include <span>

#include <ATen/Functions.h>
#include <torch/nn/init.h>

#include "mneme/ops/associate_normed.h"
#include "mneme/ops/attention_plan.h"
#include "mneme/ops/backend.h"
#include "mneme/ops/constants.h"
#include "mneme/ops/linear.h"
#include "nn/apply_linear.h"
#include "nn/association_inputs.h"
#include "nn/checks.h"
#include "nn/core_sizes.h"
#include "nn/head_association.h"
#include "nn/normed_linear.h"
#include "nn/refuse.h"
#include "nn/zero_gradients.h"

namespace mneme::nn {
namespace {

constexpr const char* kLayer = "HopfieldCore";
constexpr double kInitialStd = 0.02; // of initial weights, as published

bool nothing_projected(const HopfieldCoreOptions& options) {
  return options.query_as_static() && options.key_as_static() && options.value_as_static();
}

/// True if query, key and value share the matrix in_proj_weight, false if each has its own.
bool has_joint_projection(const HopfieldCoreOptions& options) {
  const std::optional<int64_t> size = options.embed_dim();
  return !options.pattern_dim() && !options.value_as_connected() && !nothing_projected(options) &&
         options.kdim().value_or(*size) == *size && options.vdim().value_or(*size) == *size;
}

/// [N, L, H * d] or [L, N, H * d] -> [N, H, L, d], with as few views as possible: each takes a microsecond of
/// the backward pass.
at::Tensor split_heads(const at::Tensor& projected, int64_t num_heads, bool batch_first) {
  if (num_heads == 1 && batch_first) {
    return projected.unsqueeze(1);
  }
  return projected.unflatten(-1, {num_heads, projected.size(-1) / num_heads})
      .permute(batch_first ? at::IntArrayRef{0, 2, 1, 3} : at::IntArrayRef{1, 2, 0, 3});
}

at::Tensor layer_norm(const NormedPatterns& input) {
  return input.epsilon ? norm_patterns(input.patterns, input.gain, input.bias, *input.epsilon)
                       : input.patterns;
}

at::Tensor linear(const NormedPatterns& input, const at::Tensor& weight, const at::Tensor& bias) {
  return input.epsilon ? normed_linear(input.patterns, input.gain, input.bias, *input.epsilon, weight, bias)
                       : ops::linear(input.patterns, weight, bias);
}

/// One of several projections of the same rows.
struct RowProjection {
  const NormedPatterns& input;
  at::Tensor weight, bias; ///< [F, E], [F]; bias: undefined if there is none
};

/// Projects the same rows [.., E] by several projections; their norms have the same epsilon. The rows are
/// normalised once, without weight and bias of the norms, which are folded into the projections. Returns
/// [.., F] of each projection, views of one tensor.
std::vector<at::Tensor> project_jointly(const std::vector<RowProjection>& projections) {
  std::vector<at::Tensor> weights, biases;
  std::vector<int64_t> sizes;
  for (const RowProjection& p : projections) {
    weights.push_back(p.input.gain.defined() ? p.weight * p.input.gain : p.weight);
    biases.push_back(p.input.bias.defined()
                         ? ops::linear(p.input.bias.unsqueeze(0), p.weight, p.bias).squeeze(0)
                         : p.bias);
    sizes.push_back(p.weight.size(0));
    if (!biases.back().defined()) {
      biases.back() = at::zeros({sizes.back()}, p.weight.options().requires_grad(false));
    }
  }
  const NormedPatterns& first = projections[0].input;
  return linear({.patterns = first.patterns, .epsilon = first.epsilon}, at::cat(weights), at::cat(biases))
      .split_with_sizes(sizes, -1);
}

bool have_same_rows(const NormedPatterns& a, const NormedPatterns& b) {
  return a.patterns.is_same(b.patterns) && a.epsilon == b.epsilon;
}

/// The projections of a core: views of its parameters. Weights and biases of static inputs are undefined or
/// empty, those of a core without them undefined.
struct CoreProjections {
  struct Projection {
    at::Tensor weight, bias;
  };
  Projection query, key, value;

  explicit CoreProjections(const HopfieldCoreImpl& core)
      : query{core.q_proj_weight, {}}, key{core.k_proj_weight, {}}, value{core.v_proj_weight, {}} {
    const HopfieldCoreOptions& options = core.options;
    const CoreSizes sizes = core_sizes(options);
    const int64_t space = options.num_heads() * sizes.head.value_or(0),
                  patterns = options.num_heads() * sizes.pattern.value_or(0);
    const int64_t q_rows = options.query_as_static() ? 0 : space,
                  k_rows = options.key_as_static() ? 0 : space;
    // Split once: the gradient of a split is one concatenation, those of three slices three matrices of
    // zeros.
    if (core.in_proj_weight.defined()) {
      const std::vector<at::Tensor> parts = core.in_proj_weight.split_with_sizes(
          {q_rows, k_rows, core.in_proj_weight.size(0) - q_rows - k_rows});
      query.weight = parts[0], key.weight = parts[1], value.weight = parts[2];
    }
    if (core.in_proj_bias.defined()) { // has a bias of the value even if that is static
      const std::vector<at::Tensor> parts = core.in_proj_bias.split_with_sizes({q_rows, k_rows, patterns});
      query.bias = parts[0], key.bias = parts[1], value.bias = parts[2];
    }
  }
};

/// Appends a row [1, H, 1, d] to patterns [N, H, S, d].
at::Tensor append_row(const at::Tensor& patterns, const at::Tensor& row) {
  return at::cat({patterns, row.expand({patterns.size(0), patterns.size(1), 1, patterns.size(3)})}, 2);
}

at::Tensor broadcast_batch(const at::Tensor& heads, int64_t batch) {
  return heads.size(0) == batch ? heads : heads.expand({batch, heads.size(1), heads.size(2), heads.size(3)});
}

/// [N, H, L, a] . [H, a, b] -> [N, H, L, b]. at::matmul would copy the matrices for every batch entry.
at::Tensor matmul_per_head(const at::Tensor& states, const at::Tensor& matrices) {
  std::vector<at::Tensor> products;
  for (int64_t head = 0; head < states.size(1); ++head) {
    products.push_back(ops::linear(states.select(1, head), matrices[head].t()));
  }
  return at::stack(products, 1);
}

/// Beta as factors of states [N, H, L, d].
struct Scale {
  double common = 1;        ///< of all states
  at::Tensor initial;       ///< [1, 1 or H, 1, 1 or d], besides `common`, of the initial state; undefined: 1
  at::Tensor updated;       ///< [1, 1 or H, 1, 1 or d], besides `common`, of updated states; undefined: 1
  at::Tensor hardmax_heads; ///< bool [1, H, 1, 1], heads with infinite beta; undefined if there are none
};

void check_scaling(const HopfieldCoreCall& call, int64_t num_heads) {
  const auto check_count = [&](const char* what, int64_t count) {
    if (count != 1 && count != num_heads) {
      refuse(kLayer, c10::str(what, " has ", count, " numbers, but there are ", num_heads, " heads."),
             "Give one number for all heads, or one for each.");
    }
  };
  const auto count_of = [](const auto& per_head) { return static_cast<int64_t>(per_head.values().size()); };
  check_count("update_steps_max", count_of(call.update_steps_max));
  check_count("update_steps_eps", count_of(call.update_steps_eps));
  for (const double eps : call.update_steps_eps.values()) {
    if (!(eps > 0)) {
      refuse(kLayer, c10::str("update_steps_eps is ", eps, ", but must be > 0."),
             "The default is 1e-4; update_steps_max limits the updates.");
    }
  }
  if (call.scaling) {
    check_count("scaling", count_of(*call.scaling));
    for (const double beta : call.scaling->values()) {
      if (std::isnan(beta)) {
        refuse(kLayer, "scaling (beta) is nan, but must be a number.", "Leave it out for 1.");
      }
    }
  }
  if (call.scaling_tensor.defined()) {
    if (call.scaling) {
      refuse(kLayer, "scaling is given as numbers and as a tensor.", "Give one of them.");
    }
    if (call.scaling_tensor.dim() > 1) {
      refuse(kLayer, c10::str("scaling_tensor has shape ", call.scaling_tensor.sizes(), "."),
             "Give [1], or one number for every head.");
    }
    check_count("scaling_tensor", call.scaling_tensor.numel());
    if (call.scaling_tensor.device().is_cpu() && !at::isfinite(call.scaling_tensor).all().item<bool>()) {
      const at::Tensor numbers = call.scaling_tensor.detach().to(at::kDouble).flatten();
      const std::span shown(numbers.const_data_ptr<double>(), static_cast<size_t>(numbers.numel()));
      refuse(kLayer, c10::str("scaling_tensor (beta) is [", c10::Join(", ", shown), "], but must be finite."),
             "If it is learned, a smaller learning rate may keep it finite.");
    }
  }
}

/// Factors of the published code, which multiplies beta h with the wrong features. For the initial state
/// these are the features h, h + H, ... of all heads taken as one row (static queries: of each head); for
/// updated states, the features h, h + H, ... of each head.
Scale published_scale(const at::Tensor& beta, int64_t features, bool query_as_static, bool updates) {
  const int64_t heads = beta.numel();
  if (updates && features % heads != 0) {
    refuse(
        kLayer,
        c10::str("compat does not support updates with a scaling for each of ", heads, " heads of ", features,
                 " features, because the features are not a multiple of the heads; hflayers fails as well."),
        "Leave compat out.");
  }
  const auto factors = [&](int64_t num_heads) {
    return beta.index_select(0, at::arange(num_heads * features, beta.options().dtype(at::kLong)) % heads)
        .view({1, num_heads, 1, features});
  };
  return {.initial = factors(query_as_static ? 1 : heads), .updated = factors(1)};
}

Scale scale_of(const HopfieldCoreCall& call, const HopfieldCoreOptions& options, const at::Tensor& query) {
  Scale scale;
  std::vector<double> numbers = call.scaling.value_or(1.0).values();
  const bool has_published_factors = options.compat() && numbers.size() > 1;
  if (!call.scaling_tensor.defined() && !has_published_factors && std::isfinite(numbers[0]) &&
      std::ranges::all_of(numbers, [&](double beta) { return beta == numbers[0]; })) {
    scale.common = numbers[0];
    return scale;
  }
  if (std::any_of(numbers.begin(), numbers.end(), [](double beta) { return std::isinf(beta); })) {
    std::vector<double> infinite;
    for (double& beta : numbers) {
      infinite.push_back(std::isinf(beta) ? 1 : 0);
      beta = std::isinf(beta) ? std::copysign(1.0, beta) : beta;
    }
    scale.hardmax_heads = ops::constants(infinite, query.options().dtype(at::kBool).requires_grad(false))
                              .expand({options.num_heads()})
                              .view({1, -1, 1, 1});
  }
  const at::Tensor beta = call.scaling_tensor.defined()
                              ? call.scaling_tensor.to(query.options()).view({-1})
                              : ops::constants(numbers, query.options().requires_grad(false));
  if (options.compat() && beta.numel() > 1) {
    const std::vector<int64_t>& steps = call.update_steps_max.values();
    const bool updates = std::any_of(steps.begin(), steps.end(), [](int64_t max) { return max != 0; });
    const Scale published = published_scale(beta, query.size(3), options.query_as_static(), updates);
    scale.initial = published.initial;
    scale.updated = published.updated;
  } else {
    scale.initial = scale.updated = beta.view({1, -1, 1, 1});
  }
  return scale;
}

} // namespace

bool HopfieldCoreOptions::parameter_free() const {
  return nothing_projected(*this) && !value_as_connected() && !normalize_pattern() &&
         disable_out_projection();
}

CoreSizes core_sizes(const HopfieldCoreOptions& options) {
  if (options.parameter_free()) {
    return {.output = options.out_dim()};
  }
  const int64_t head = options.head_dim().value_or(options.embed_dim().value_or(0) / options.num_heads());
  const int64_t pattern = options.pattern_dim().value_or(head);
  return {.head = head,
          .pattern = pattern,
          .output = options.disable_out_projection()
                        ? options.num_heads() * pattern
                        : options.out_dim().value_or(options.embed_dim().value_or(0))};
}

InputSizes input_sizes(const HopfieldCoreOptions& options) {
  if (options.parameter_free()) {
    return {};
  }
  const CoreSizes sizes = core_sizes(options);
  const bool any_space = options.query_as_static() && options.key_as_static() && !options.normalize_pattern();
  const std::optional<int64_t> space = any_space ? std::nullopt : sizes.head;
  const bool value_projected = !options.value_as_static() || options.value_as_connected();
  return {.query = options.query_as_static() ? space : options.embed_dim(),
          .key = options.key_as_static() ? space : options.kdim().value_or(*options.embed_dim()),
          .value = value_projected                    ? options.vdim().value_or(*options.embed_dim())
                   : options.disable_out_projection() ? std::nullopt
                                                      : sizes.pattern};
}

at::Tensor any_parameter(const HopfieldCoreImpl& core) {
  for (const at::Tensor* parameter : {&core.in_proj_weight, &core.q_proj_weight, &core.k_proj_weight,
                                      &core.v_proj_weight, &core.p_norm_weight}) {
    if (parameter->defined()) {
      return *parameter;
    }
  }
  return core.out_proj.is_empty() ? at::Tensor() : core.out_proj->weight;
}

struct HopfieldCoreImpl::Heads {
  at::Tensor query, key, value; ///< [N, H, length, d or e]
};

HopfieldCoreImpl::HopfieldCoreImpl(HopfieldCoreOptions options_) : options(options_) {
  reset();
}

std::optional<int64_t> HopfieldCoreImpl::head_dim() const {
  return core_sizes(options).head;
}

std::optional<int64_t> HopfieldCoreImpl::pattern_dim() const {
  return core_sizes(options).pattern;
}

std::optional<int64_t> HopfieldCoreImpl::out_dim() const {
  return core_sizes(options).output;
}

void HopfieldCoreImpl::check_options() const {
  if (!(options.dropout() >= 0 && options.dropout() <= 1)) {
    refuse(kLayer, c10::str("dropout is ", options.dropout(), ", but must be in [0, 1]."),
           "It is the probability that a weight of the association is dropped.");
  }
  check_sizes(kLayer, {{"num_heads", options.num_heads()},
                       {"embed_dim (input_size)", options.embed_dim().value_or(1)},
                       {"kdim (stored_pattern_size)", options.kdim().value_or(1)},
                       {"vdim (pattern_projection_size)", options.vdim().value_or(1)},
                       {"head_dim (hidden_size)", options.head_dim().value_or(1)},
                       {"pattern_dim (pattern_size)", options.pattern_dim().value_or(1)},
                       {"out_dim (output_size)", options.out_dim().value_or(1)}});
  if (options.normalize_pattern_affine() && !options.normalize_pattern()) {
    refuse(kLayer, "normalize_pattern_affine is on but normalize_pattern is off.", "Switch both off, or on.");
  }
  if (options.normalize_pattern()) {
    check_norm_epsilon(kLayer, "normalize_pattern_eps (normalize_hopfield_space_eps)",
                       options.normalize_pattern_eps());
  }
  if (options.parameter_free()) {
    return;
  }
  if (!options.embed_dim()) {
    refuse(kLayer, "embed_dim (input_size) is missing.",
           "Only a layer with three static inputs and no output projection does not need it.");
  }
  if (!options.head_dim() && *options.embed_dim() % options.num_heads() != 0) {
    refuse(kLayer,
           c10::str("embed_dim (input_size) ", *options.embed_dim(), " cannot be divided by ",
                    options.num_heads(), " heads."),
           "Give head_dim (hidden_size), the features of one head.");
  }
  const CoreSizes sizes = core_sizes(options);
  const int64_t key_size = options.kdim().value_or(*options.embed_dim());
  const int64_t value_size = options.vdim().value_or(*options.embed_dim());
  if (options.value_as_connected() && !options.key_as_static()) {
    if (key_size != value_size) {
      refuse(kLayer,
             c10::str("a connected value is projected with the key's projection, but keys have ", key_size,
                      " features and values ", value_size, "."),
             "Make kdim (stored_pattern_size) and vdim (pattern_projection_size) equal.");
    }
    if (options.value_as_static() && *sizes.head != *sizes.pattern) {
      refuse(kLayer,
             c10::str("a connected static value has the ", *sizes.head,
                      " features of a key, but pattern_dim "
                      "(pattern_size) is ",
                      *sizes.pattern, "."),
             "Leave pattern_dim (pattern_size) out.");
    }
  }
  if (options.add_bias_kv() && (options.key_as_static() || options.value_as_static())) {
    refuse(kLayer, "add_bias_kv (concat_bias_pattern) is on, but key or value is static.",
           "The learned key and value are appended after projection: project both, or leave it out.");
  }
}

void HopfieldCoreImpl::reset() {
  check_options();
  if (!options.parameter_free()) {
    const CoreSizes sizes = core_sizes(options);
    const int64_t embed = *options.embed_dim(), key_size = options.kdim().value_or(embed),
                  value_size = options.vdim().value_or(embed), heads = options.num_heads();
    const int64_t space = heads * *sizes.head, patterns = heads * *sizes.pattern;
    const int64_t q_rows = options.query_as_static() ? 0 : space,
                  k_rows = options.key_as_static() ? 0 : space,
                  v_rows = options.value_as_static() ? 0 : patterns;
    if (has_joint_projection(options)) {
      in_proj_weight = register_parameter("in_proj_weight", at::empty({q_rows + k_rows + v_rows, embed}));
    } else {
      if (q_rows > 0) {
        q_proj_weight = register_parameter("q_proj_weight", at::empty({q_rows, embed}));
      }
      if (k_rows > 0) {
        k_proj_weight = register_parameter("k_proj_weight", at::empty({k_rows, key_size}));
      }
      if (v_rows > 0) {
        const bool from_keys = options.value_as_connected() && !options.key_as_static();
        v_proj_weight =
            register_parameter("v_proj_weight", at::empty({v_rows, from_keys ? space : value_size}));
      }
    }
    if (options.bias() && !nothing_projected(options)) {
      // Includes a bias of the value even if the value is static, as the published state dicts do.
      in_proj_bias = register_parameter("in_proj_bias", at::empty({q_rows + k_rows + patterns}));
    }
    if (options.add_bias_kv()) {
      bias_k = register_parameter("bias_k", at::empty({1, 1, space}));
      bias_v = register_parameter("bias_v", at::empty({1, 1, options.compat() ? space : patterns}));
    }
    if (options.normalize_pattern_affine()) {
      p_norm_weight = register_parameter("p_norm_weight", at::empty({*sizes.head}));
      p_norm_bias = register_parameter("p_norm_bias", at::empty({*sizes.head}));
    }
    if (!options.disable_out_projection()) {
      out_proj = register_module(
          "out_proj",
          torch::nn::Linear(torch::nn::LinearOptions(patterns, *sizes.output).bias(options.bias())));
    }
  }
  reset_parameters();
}

void HopfieldCoreImpl::reset_parameters() {
  for (const at::Tensor& weight : {in_proj_weight, q_proj_weight, k_proj_weight, v_proj_weight, bias_k,
                                   bias_v, out_proj.is_empty() ? at::Tensor() : out_proj->weight}) {
    if (weight.defined()) {
      torch::nn::init::normal_(weight, 0, kInitialStd);
    }
  }
  for (const at::Tensor& bias :
       {in_proj_bias, p_norm_bias, out_proj.is_empty() ? at::Tensor() : out_proj->bias}) {
    if (bias.defined()) {
      torch::nn::init::zeros_(bias);
    }
  }
  if (p_norm_weight.defined()) {
    torch::nn::init::ones_(p_norm_weight);
  }
}

HopfieldCoreImpl::Heads HopfieldCoreImpl::project(const NormedPatterns& query, const NormedPatterns& key,
                                                  const NormedPatterns& value, bool batch_first) const {
  const int64_t heads = options.num_heads();
  const CoreSizes sizes = core_sizes(options);
  const int64_t space = heads * sizes.head.value_or(0), patterns = heads * sizes.pattern.value_or(0);
  const CoreProjections in(*this);
  const auto projected = [](const NormedPatterns& input, const CoreProjections::Projection& projection) {
    return linear(input, projection.weight, projection.bias);
  };
  const auto unprojected = [&](const NormedPatterns& input) {
    const at::Tensor patterns_first = batch_first ? layer_norm(input) : layer_norm(input).transpose(0, 1);
    if (options.compat()) { // entries h * N + n, interpreted as n * H + h
      return patterns_first.repeat({heads, 1, 1})
          .view({patterns_first.size(0), heads, patterns_first.size(1), patterns_first.size(2)});
    }
    const at::Tensor one_head = patterns_first.unsqueeze(1);
    return heads == 1 ? one_head : one_head.expand({-1, heads, -1, -1});
  };
  const auto with_heads = [&](const at::Tensor& input) { return split_heads(input, heads, batch_first); };

  // At most three projections of the same rows: of the value, the key, and if its rows are the same the
  // query.
  const bool has_key_and_value =
      !options.key_as_static() && !options.value_as_static() && !options.value_as_connected();
  std::vector<RowProjection> joint;
  if (has_key_and_value && have_same_rows(key, value)) {
    const bool with_query = !options.query_as_static() && have_same_rows(query, key);
    const int64_t rows = key.patterns.size(0) * key.patterns.size(1);
    if (ops::is_joint_projection_faster({.rows = rows,
                                         .features = key.patterns.size(2),
                                         .outputs = (with_query ? 2 : 1) * space + patterns,
                                         .projections = with_query ? 3 : 2,
                                         .has_norm = key.epsilon.has_value(),
                                         .has_gradient = has_gradient(query.patterns, key.patterns)})) {
      if (with_query) {
        joint.push_back({query, in.query.weight, in.query.bias});
      }
      joint.push_back({key, in.key.weight, in.key.bias});
      joint.push_back({value, in.value.weight, in.value.bias});
    }
  }

  Heads result;
  if (joint.size() < 3) {
    result.query = options.query_as_static() ? unprojected(query) : with_heads(projected(query, in.query));
  }
  if (!joint.empty()) {
    const std::vector<at::Tensor> parts = project_jointly(joint);
    if (joint.size() == 3) {
      result.query = with_heads(parts[0]);
    }
    result.key = with_heads(parts[joint.size() - 2]);
    result.value = with_heads(parts[joint.size() - 1]);
  } else {
    NormedPatterns from_value = value;
    if (options.key_as_static()) {
      result.key = unprojected(key);
    } else {
      result.key = with_heads(projected(key, in.key));
      if (options.value_as_connected()) {
        from_value = {.patterns = projected(value, in.key)};
      }
    }
    if (!options.value_as_static()) {
      result.value = with_heads(projected(from_value, in.value));
    } else {
      const bool is_key =
          options.key_as_static() && value.patterns.is_same(key.patterns) && !key.epsilon && !value.epsilon;
      result.value = is_key ? result.key
                     : options.value_as_connected() && !options.key_as_static()
                         ? with_heads(from_value.patterns)
                         : unprojected(value);
    }
  }
  if (options.normalize_pattern()) {
    const auto in_space = [&](const at::Tensor& states) {
      return layer_norm({states, p_norm_weight, p_norm_bias, options.normalize_pattern_eps()});
    };
    result.query = in_space(result.query);
    result.key = in_space(result.key);
  }
  if (options.add_bias_kv() && !options.compat()) {
    result.key = append_row(result.key, split_heads(bias_k, heads, true));
    result.value = append_row(result.value, split_heads(bias_v, heads, true));
  }
  if (options.add_zero_attn()) {
    const at::Tensor zero = at::zeros({1, 1, 1, 1}, result.key.options());
    result.key = append_row(result.key, zero);
    result.value = append_row(result.value, zero);
  }
  return result;
}

bool HopfieldCoreImpl::has_one_key(const at::Tensor& key, bool batch_first) const {
  const bool only_projected = !options.query_as_static() && !options.key_as_static() &&
                              !options.value_as_static() && !options.value_as_connected();
  const bool adds_keys = options.add_zero_attn() || (options.add_bias_kv() && !options.compat());
  return key.size(batch_first ? 1 : 0) == 1 && !adds_keys && only_projected && options.streaming();
}

HopfieldCoreImpl::Heads HopfieldCoreImpl::project_value(const NormedPatterns& query,
                                                        const NormedPatterns& key,
                                                        const NormedPatterns& value,
                                                        const HopfieldCoreCall& call) const {
  const int64_t heads = options.num_heads();
  const CoreProjections in(*this);
  // One feature per head: 0, but NaN if the pattern has a number that is not finite.
  const auto zeros = [&](const at::Tensor& patterns) {
    const at::NoGradGuard no_gradient;
    const at::Tensor zero = (patterns * 0).sum(-1, true);
    return (call.batch_first ? zero : zero.transpose(0, 1)).unsqueeze(1).expand({-1, heads, -1, -1});
  };
  const at::Tensor projected = linear(value, in.value.weight, in.value.bias);
  return {.query = zeros(query.patterns),
          .key = zeros(key.patterns),
          .value = split_heads(
              with_zero_gradients(projected, {query.patterns, query.gain, query.bias, key.patterns, key.gain,
                                              key.bias, q_proj_weight, k_proj_weight, p_norm_weight,
                                              p_norm_bias, call.scaling_tensor}),
              heads, call.batch_first)};
}

bool HopfieldCoreImpl::can_fold(const at::Tensor& query, const NormedRows& stored,
                                const HopfieldCoreCall& call) const {
  const bool only_projected = !options.query_as_static() && !options.key_as_static() &&
                              !options.value_as_static() && !options.value_as_connected() &&
                              !options.normalize_pattern() && !options.add_bias_kv() &&
                              !options.add_zero_attn();
  // One mask for all queries and heads, which dropout would not be.
  const bool has_common_mask = !call.attn_mask.defined() && (options.dropout() == 0 || !is_training());
  const std::vector<int64_t>& steps = call.update_steps_max.values();
  const std::vector<double> scaling = call.scaling.value_or(1.0).values();
  const std::vector<double>& eps = call.update_steps_eps.values();
  const bool one_step =
      std::all_of(steps.begin(), steps.end(), [](int64_t max) { return max == 0; }) &&
      std::all_of(eps.begin(), eps.end(), [](double e) { return e > 0; }) &&
      std::all_of(scaling.begin(), scaling.end(), [](double b) { return std::isfinite(b); });
  return options.streaming() && options.separation() == ops::Separation::softmax && !call.need_weights &&
         only_projected && has_common_mask && one_step && ops::has_kernel(query) &&
         (stored.source || is_folding_faster(query, stored.rows, call.batch_first));
}

bool HopfieldCoreImpl::is_folding_faster(const at::Tensor& query, const at::Tensor& rows,
                                         bool batch_first) const {
  const int64_t batch = batch_first ? 0 : 1;
  const CoreSizes sizes = core_sizes(options);
  const bool has_same_batch = query.size(batch) == 1 || query.size(batch) == rows.size(batch);
  return has_same_batch && rows.size(1 - batch) > 1 && rows.numel() > 0 && query.numel() > 0 &&
         ops::is_folding_faster({.bags = rows.size(batch),
                                 .query_bags = query.size(batch),
                                 .states = query.size(1 - batch),
                                 .rows = rows.size(1 - batch),
                                 .features = rows.size(2),
                                 .heads = options.num_heads(),
                                 .head_size = *sizes.head,
                                 .value_size = *sizes.pattern,
                                 .bytes_per_number = rows.element_size(),
                                 .has_gradient = has_gradient(query, rows)});
}

bool HopfieldCoreImpl::has_gradient(const at::Tensor& query, const at::Tensor& stored) const {
  const at::Tensor& weight = in_proj_weight.defined() ? in_proj_weight : k_proj_weight;
  return at::GradMode::is_enabled() &&
         (query.requires_grad() || stored.requires_grad() || (weight.defined() && weight.requires_grad()));
}

at::Tensor HopfieldCoreImpl::forward_folded(const NormedPatterns& query, const NormedRows& stored,
                                            const HopfieldCoreCall& call) {
  if (!can_fold(query.patterns, stored, call)) {
    return {};
  }
  const CoreSizes sizes = core_sizes(options);
  const int64_t heads = options.num_heads();
  const CoreProjections in(*this);
  const auto times = [](const at::Tensor& x, const at::Tensor& gain) {
    return gain.defined() ? x * gain : x;
  };
  const at::Tensor key_weight = in.key.weight.unflatten(0, {heads, *sizes.head});
  const at::Tensor value_weight = in.value.weight.unflatten(0, {heads, *sizes.pattern}).transpose(1, 2);

  at::Tensor state = split_heads(linear(query, in.query.weight, in.query.bias), heads, call.batch_first);
  const Scale scale = scale_of(call, options, state);
  if (scale.initial.defined()) {
    state = state * scale.initial;
  } else if (scale.common != 1) {
    state = state * scale.common;
  }
  at::Tensor folded = times(matmul_per_head(state, key_weight), stored.key_gain); // [N, H, L, E]
  if (stored.key_bias.defined()) {
    folded = folded + 0 * stored.key_bias; // adds the same to all scores of a query, so its gradient is 0
  }
  const at::Tensor folded_query = folded.flatten(1, 2);
  const at::Tensor key_padding_mask =
      call.key_padding_mask.defined() ? call.key_padding_mask.to(at::kBool) : at::Tensor();
  at::Tensor mean_rows =
      stored.source
          ? ops::associate_normed(folded_query, stored.source, stored.epsilon)
          : ops::associate_normed(folded_query, call.batch_first ? stored.rows : stored.rows.transpose(0, 1),
                                  stored.epsilon, key_padding_mask);
  mean_rows = mean_rows.unflatten(1, {heads, folded.size(2)});
  mean_rows = times(mean_rows, stored.value_gain);
  if (stored.value_bias.defined()) {
    mean_rows = mean_rows + stored.value_bias;
  }
  at::Tensor readout = matmul_per_head(mean_rows, value_weight);
  if (in_proj_bias.defined()) {
    readout = readout + in.value.bias.view({heads, 1, *sizes.pattern});
  }
  // If all rows are masked, the readout is 0, without the bias.
  if (stored.source && stored.source->count() == 0) {
    readout = at::zeros_like(readout);
  } else if (key_padding_mask.defined()) {
    readout = readout.masked_fill(key_padding_mask.all(1).view({-1, 1, 1, 1}), 0);
  }
  return project_output(readout, call.batch_first);
}

at::Tensor HopfieldCoreImpl::project_output(const at::Tensor& readout, bool batch_first) {
  const at::Tensor concatenated =
      batch_first && readout.size(1) == 1
          ? readout.squeeze(1)
          : readout.permute(batch_first ? at::IntArrayRef{0, 2, 1, 3} : at::IntArrayRef{2, 0, 1, 3})
                .flatten(2);
  return out_proj.is_empty() ? concatenated : apply_linear(*out_proj, concatenated);
}

HopfieldCoreResult HopfieldCoreImpl::forward(const at::Tensor& query, const at::Tensor& key,
                                             const at::Tensor& value, const HopfieldCoreCall& call) {
  return forward_normed({.patterns = query}, {.patterns = key}, {.patterns = value}, call);
}

HopfieldCoreResult HopfieldCoreImpl::forward_normed(const NormedPatterns& normed_query,
                                                    const NormedPatterns& normed_key,
                                                    const NormedPatterns& normed_value,
                                                    const HopfieldCoreCall& call) {
  const at::Tensor &query = normed_query.patterns, &key = normed_key.patterns, &value = normed_value.patterns;
  const InputSizes required = input_sizes(options);
  const AssociationInputs inputs{.layer = kLayer,
                                 .state = {"query", query, required.query},
                                 .stored = {"key", key, required.key},
                                 .projection = {"value", value, required.value},
                                 .key_padding_mask_name = "key_padding_mask",
                                 .key_padding_mask = call.key_padding_mask,
                                 .attention_mask_name = "attn_mask",
                                 .attention_mask = call.attn_mask,
                                 .num_heads = options.num_heads(),
                                 .batch_first = call.batch_first,
                                 .parameter = any_parameter(*this)};
  check_inputs(inputs);
  check_scaling(call, options.num_heads());
  if (options.check_finite()) {
    check_masked_inputs(inputs);
  }
  const bool one_key = has_one_key(key, call.batch_first);
  Heads heads = one_key ? project_value(normed_query, normed_key, normed_value, call)
                        : project(normed_query, normed_key, normed_value, call.batch_first);
  if (heads.query.size(3) != heads.key.size(3)) {
    refuse(kLayer,
           c10::str("query has ", heads.query.size(3), " features (shape ", query.sizes(), ") but key has ",
                    heads.key.size(3), " (shape ", key.sizes(), ")."),
           "Their dot product needs equal sizes: make them equal, or project them.");
  }
  const Scale scale = one_key ? Scale() : scale_of(call, options, heads.query);
  const auto with_added_rows = [added = heads.key.size(2) -
                                        key.size(call.batch_first ? 1 : 0)](const at::Tensor& mask) {
    return mask.defined() && added > 0 ? at::constant_pad_nd(mask, {0, added}) : mask;
  };
  if (scale.initial.defined()) {
    heads.query = heads.query * scale.initial;
  }
  const auto batches = {heads.query.size(0), heads.key.size(0), heads.value.size(0)};
  const int64_t n = std::min(batches) == 0 ? 0 : std::max(batches);
  const HeadAssociation association = associate_heads(
      {.layer = kLayer,
       .batch = n,
       .query = n == 0 ? broadcast_batch(heads.query, n) : heads.query,
       .stored = n == 0 ? broadcast_batch(heads.key, n) : heads.key,
       .value = n == 0 ? broadcast_batch(heads.value, n) : heads.value,
       .beta = scale.common,
       .update_scale = scale.updated,
       .hardmax_heads = scale.hardmax_heads,
       .key_padding_mask = with_added_rows(bool_key_padding_mask(inputs)),
       .attention_mask = with_added_rows(attention_mask_by_heads(inputs, query.scalar_type())),
       .update_steps_max = call.update_steps_max,
       .update_steps_eps = call.update_steps_eps,
       .separation = options.separation(),
       .dropout = is_training() ? options.dropout() : 0,
       .generator = generator,
       .need_weights = call.need_weights,
       .streaming = options.streaming()});
  heads.query = heads.key = at::Tensor(); // frees memory for the output

  HopfieldCoreResult result{.output = project_output(association.readout, call.batch_first),
                            .projected_patterns = broadcast_batch(heads.value, n),
                            .updates = association.updates,
                            .changes = association.changes};
  if (call.need_weights) {
    result.association = association.association;
    result.mean_association = association.after_dropout.mean(1);
  }
  if (options.check_finite()) {
    check_output(inputs, result.output);
  }
  return result;
}

} // namespace mneme::nn
