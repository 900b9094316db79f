// SPDX-License-Identifier: MIT

/// Hopfield layer: attention of state patterns (queries) over stored patterns (keys), with optional Hopfield
/// updates of the state before the final readout. Mirrors `Hopfield` of the package hflayers.
///
/// Association  the attention weights: separation(beta * scores), softmax by default
/// Static       an input that is not projected, but used as it is in every head
/// Symbols      N batch, L state patterns, S stored patterns, H heads, d and e features per head: d of the
///              association space, in which states and stored patterns are compared, and e of a projected
///              pattern. S' is S plus 1 for `concat_bias_pattern` and 1 for `add_zero_association`
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <torch/nn/modules/common.h>
#include <torch/nn/modules/container/any_value.h>
#include <torch/nn/modules/normalization.h>

#include "mneme/nn/hopfield_core.h"

namespace mneme::nn {

/// Options of a Hopfield layer. Names and defaults are those of hflayers, except that its `scaling` is `beta`
/// here. With the defaults, the association of a newly initialised layer is nearly uniform; for plain
/// retrieval without training see `HopfieldOptions::memory`.
struct HopfieldOptions {
  HopfieldOptions() = default;
  HopfieldOptions(int64_t input_size) : input_size_(input_size) {}

  /// Associative memory of the paper: no projections, no norms, no parameters. The output is
  /// softmax(beta * state . stored^T) . pattern_projection, after the state has been updated until
  /// convergence.
  static HopfieldOptions memory(PerHead<double> beta = 1.0);

  /// Multi-head attention: projections, no norms, no updates. `size` is the number of input features;
  /// num_heads must divide it.
  static HopfieldOptions attention(int64_t size, int64_t num_heads = 1);

  /// Settings of the published examples for tasks on which the defaults do not learn: 8 heads, 8 features per
  /// head, 3 updates, beta 1/4, dropout 1/2.
  static HopfieldOptions adapted(int64_t input_size);

  /// Features of a state pattern, >= 1. Required, unless the layer has no parameters (see `parameter_free`).
  TORCH_ARG(std::optional<int64_t>, input_size);
  /// d: features per head of the association space, >= 1. Default: input_size / num_heads, which must be a
  /// whole number.
  TORCH_ARG(std::optional<int64_t>, hidden_size);
  /// Features of the output, >= 1. Default: input_size. Without output projection it is always num_heads * e.
  TORCH_ARG(std::optional<int64_t>, output_size);
  /// e: features per head of a projected pattern, >= 1. Default: d.
  TORCH_ARG(std::optional<int64_t>, pattern_size);
  /// H: number of heads, >= 1.
  TORCH_ARG(int64_t, num_heads) = 1;
  /// Inverse temperature of the separation: a larger beta concentrates the association on the best matches.
  /// One number for all heads, or one per head; any number but NaN, also infinite. Default: 1 / sqrt(d), or 1
  /// in a layer without parameters.
  TORCH_ARG(std::optional<PerHead<double>>, beta);
  /// true: beta is the learned parameter `beta` [num_heads], initialised with the value of the option above,
  /// which must then be finite.
  TORCH_ARG(bool, learn_beta) = false;
  /// Function that turns scores into the association. All but softmax are sparse: they give poorly matching
  /// patterns a weight of exactly 0.
  TORCH_ARG(ops::Separation, separation) = ops::Separation::softmax;
  /// Maximum number of updates of the state before the final association. 0: no update, which is plain
  /// attention; nullopt or negative: update until convergence. One number for all heads, or one per head.
  TORCH_ARG(std::optional<PerHead<int64_t>>, update_steps_max) = PerHead<int64_t>(0);
  /// Convergence threshold, > 0: a head stops updating once one update changes its association by no more
  /// than this, as the Frobenius norm of [L, S'], in every batch entry. One number for all heads, or one per
  /// head.
  TORCH_ARG(PerHead<double>, update_steps_eps) = 1e-4;
  /// Layer norms of the three inputs over their features, before projection. `..._affine`: with learned
  /// weight and bias. `..._eps`: added to the variance. To turn a norm off, set its `..._affine` to false as
  /// well: affine without norm is an error.
  TORCH_ARG(bool, normalize_stored_pattern) = true;
  TORCH_ARG(bool, normalize_stored_pattern_affine) = true;
  TORCH_ARG(double, normalize_stored_pattern_eps) = 1e-5;
  TORCH_ARG(bool, normalize_state_pattern) = true;
  TORCH_ARG(bool, normalize_state_pattern_affine) = true;
  TORCH_ARG(double, normalize_state_pattern_eps) = 1e-5;
  TORCH_ARG(bool, normalize_pattern_projection) = true;
  TORCH_ARG(bool, normalize_pattern_projection_affine) = true;
  TORCH_ARG(double, normalize_pattern_projection_eps) = 1e-5;
  /// Layer norm of the projected state and stored patterns, over the d features of each head.
  TORCH_ARG(bool, normalize_hopfield_space) = false;
  TORCH_ARG(bool, normalize_hopfield_space_affine) = false;
  TORCH_ARG(double, normalize_hopfield_space_eps) = 1e-5;
  /// true: this input is static, that is, used without projection in every head. It then has d features (a
  /// static pattern projection: e), or any number if the layer has no parameters.
  TORCH_ARG(bool, stored_pattern_as_static) = false;
  TORCH_ARG(bool, state_pattern_as_static) = false;
  TORCH_ARG(bool, pattern_projection_as_static) = false;
  /// true: the pattern projection is first projected with the matrix of the stored pattern and then with its
  /// own.
  TORCH_ARG(bool, pattern_projection_as_connected) = false;
  /// Features of a stored pattern and of a pattern projection, >= 1. Default: input_size.
  TORCH_ARG(std::optional<int64_t>, stored_pattern_size);
  TORCH_ARG(std::optional<int64_t>, pattern_projection_size);
  /// true: inputs and output are [batch, length, features]; false: [length, batch, features].
  TORCH_ARG(bool, batch_first) = true;
  /// Activation applied to the output: relu, tanh, sigmoid, gelu, ... (the error for an unknown name lists
  /// all). nullopt: none. With `compat`, also none if `hflayers_ignores_activation`.
  TORCH_ARG(std::optional<std::string>, association_activation);
  /// Dropout probability of the final association during training, in [0, 1].
  TORCH_ARG(double, dropout) = 0;
  /// true: all projections have a bias.
  TORCH_ARG(bool, input_bias) = true;
  /// true: one learned stored pattern and its learned projection are appended to the inputs (torch:
  /// add_bias_kv).
  TORCH_ARG(bool, concat_bias_pattern) = false;
  /// true: a stored pattern and a projection of zeros are appended to the inputs (torch: add_zero_attn).
  TORCH_ARG(bool, add_zero_association) = false;
  /// true: no output projection; the output is the concatenation of the heads' readouts.
  TORCH_ARG(bool, disable_out_projection) = false;
  /// As in HopfieldCoreOptions.
  TORCH_ARG(bool, compat) = false;
  TORCH_ARG(bool, streaming) = true;
  TORCH_ARG(bool, check_finite) = true;

public:
  /// True if the layer's core has no parameters: all inputs static, no output projection, no norm in the
  /// association space.
  bool parameter_free() const { return core().parameter_free(); }
  /// These options as options of the core, which calls the inputs query, key and value.
  HopfieldCoreOptions core() const;
};

/// Masks of one call. An undefined tensor masks nothing. Stored patterns that are ignored must be finite as
/// well, for example 0.
struct HopfieldMasks {
  /// Key padding mask [N, S], bool or uint8: true = this stored pattern is ignored.
  at::Tensor stored_pattern_padding_mask = {};
  /// Attention mask [L, S], or [N * H, L, S] with entry n * H + h for head h of batch entry n. Bool or uint8:
  /// true = this stored pattern is ignored by this state pattern; floating point: added to the scores, finite
  /// or -infinity.
  at::Tensor association_mask = {};
};

/// Output of `retrieve`: the output of `forward` with the association and the course of the updates.
struct HopfieldRetrieval {
  at::Tensor output;             ///< as `forward` returns it
  at::Tensor association;        ///< [N, H, L, S'], of the last state, before dropout
  at::Tensor projected_patterns; ///< [N, H, S', e]
  std::vector<int64_t> updates;  ///< [H], updates made by each head
  /// [H], true if the last update changed the head's association by no more than update_steps_eps, or if
  /// there was no update.
  std::vector<bool> converged;
  /// For every update, [H]: the change of each head's association (Frobenius norm, maximum over the batch).
  std::vector<std::vector<double>> changes;
};

/// Hopfield layer.
///
/// Shapes  stored_pattern [N, S, stored_pattern_size], state_pattern [N, L, input_size], pattern_projection
///         [N, S, pattern_projection_size] -> [N, L, output_size]; with batch_first(false) all are length
///         first. Each input's N may be 1 and is then broadcast
/// Errors  UsageError, as HopfieldCore
/// Source  Ramsauer et al. 2020, "Hopfield Networks is All You Need"; package hflayers 1.0.2
class HopfieldImpl : public torch::nn::Cloneable<HopfieldImpl> {
public:
  explicit HopfieldImpl(HopfieldOptions options_ = {});

  void reset() override;
  void reset_parameters();

  /// An undefined state pattern or pattern projection stands for the stored pattern: `forward(x)` is
  /// self-association.
  at::Tensor forward(const at::Tensor& stored_pattern, const at::Tensor& state_pattern = {},
                     const at::Tensor& pattern_projection = {}, const HopfieldMasks& masks = {});
  /// `forward` for a single bag that need not fit in memory: N = 1, and the stored patterns are also their
  /// own projections. The source is read tile by tile, once in forward and once in backward.
  ///
  /// Errors  UsageError as `forward`, and for options that need more than one pass over the bag: updates,
  ///         dropout in training, a norm in the association space, static inputs, a separation other than
  ///         softmax; exceptions of the source are passed on
  at::Tensor forward_from(const std::shared_ptr<const RowSource>& stored_pattern,
                          const at::Tensor& state_pattern);
  /// As `forward`; also returns the association and the course of the updates.
  HopfieldRetrieval retrieve(const at::Tensor& stored_pattern, const at::Tensor& state_pattern = {},
                             const at::Tensor& pattern_projection = {}, const HopfieldMasks& masks = {});
  /// The association [N, H, L, S'], computed without gradient; batch first whatever `batch_first` is.
  at::Tensor get_association_matrix(const at::Tensor& stored_pattern, const at::Tensor& state_pattern = {},
                                    const at::Tensor& pattern_projection = {},
                                    const HopfieldMasks& masks = {});
  /// The projected patterns [N, H, S', e], computed without gradient; batch first whatever `batch_first` is.
  at::Tensor get_projected_pattern_matrix(const at::Tensor& stored_pattern,
                                          const at::Tensor& state_pattern = {},
                                          const at::Tensor& pattern_projection = {},
                                          const HopfieldMasks& masks = {});

  /// Sizes derived from the options; nullopt if they depend on the input (a layer without parameters).
  std::optional<int64_t> hidden_size() const { return association_core->head_dim(); }
  std::optional<int64_t> pattern_size() const { return association_core->pattern_dim(); }
  std::optional<int64_t> output_size() const { return association_core->out_dim(); }
  PerHead<double> scaling() const; ///< current beta of each head

  HopfieldOptions options;
  HopfieldCore association_core{nullptr};
  /// Null if the options turn the norm off.
  torch::nn::LayerNorm norm_stored_pattern{nullptr}, norm_state_pattern{nullptr},
      norm_pattern_projection{nullptr};
  at::Tensor beta; ///< [num_heads] if learned, else undefined

private:
  /// Result that the caller requests.
  enum class Requested { output, projected_patterns, association };

  HopfieldCoreResult associate(const at::Tensor& stored_pattern, const at::Tensor& state_pattern,
                               const at::Tensor& pattern_projection, const HopfieldMasks& masks,
                               Requested requested);

  HopfieldCoreCall call_with(const HopfieldMasks& masks, Requested requested) const;
  /// Adds weights, biases and epsilon of the norms of stored patterns and pattern projections, whose epsilons
  /// are equal.
  NormedRows with_norms(NormedRows rows) const;
  at::Tensor apply_activation(const at::Tensor& output) const;

  FORWARD_HAS_DEFAULT_ARGS({1, torch::nn::AnyValue(at::Tensor())}, {2, torch::nn::AnyValue(at::Tensor())},
                           {3, torch::nn::AnyValue(HopfieldMasks())})
};
TORCH_MODULE(Hopfield);

/// Whether hflayers silently uses no activation for this association_activation, because torch.NAME does not
/// exist in Python: gelu, silu, elu and others that are in torch.nn.functional only.
bool hflayers_ignores_activation(const std::string& name);

} // namespace mneme::nn
