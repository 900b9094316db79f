// SPDX-License-Identifier: MIT

/// Core of all Hopfield layers: project query, key and value, update the query, read out the values.
///
/// Conventions of `nn`: features are the last dimension; "length first" is [length, batch, features], "batch
/// first" is [batch, length, features].
///
/// Symbols      N batch, L queries, S keys, H heads; d features per head of queries and keys, e features per
///              head of values
/// Association  the attention weights of one head, [L, S]
/// Parameters   names, shapes and initialisation of the package hflayers 1.0.2; initial values are drawn from
///              LibTorch's default generator (torch::manual_seed), as in every torch::nn module
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <torch/nn/cloneable.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include "mneme/core/row_source.h"
#include "mneme/nn/per_head.h"
#include "mneme/ops/separate.h"

namespace mneme::nn {

struct HopfieldCoreOptions {
  HopfieldCoreOptions() = default;
  HopfieldCoreOptions(int64_t embed_dim) : embed_dim_(embed_dim) {}

  /// Features of a query, >= 1. Required, unless the module has no parameters (see `parameter_free`).
  TORCH_ARG(std::optional<int64_t>, embed_dim);
  /// H, >= 1.
  TORCH_ARG(int64_t, num_heads) = 1;
  /// Function that turns scores into the association. Only softmax can be streamed; all others store the
  /// association for the backward pass.
  TORCH_ARG(ops::Separation, separation) = ops::Separation::softmax;
  /// Dropout probability of the final association during training, in [0, 1]; kept weights are scaled by 1 /
  /// (1 - dropout).
  TORCH_ARG(double, dropout) = 0;
  /// true: all projections have a bias.
  TORCH_ARG(bool, bias) = true;
  /// true: appends one learned key and value, the parameters `bias_k` and `bias_v`. Key and value must not be
  /// static.
  TORCH_ARG(bool, add_bias_kv) = false;
  /// true: appends a key and a value of zeros, which take the weight of queries that match no key.
  TORCH_ARG(bool, add_zero_attn) = false;
  /// Features of a key and of a value, >= 1. Default: embed_dim.
  TORCH_ARG(std::optional<int64_t>, kdim);
  TORCH_ARG(std::optional<int64_t>, vdim);
  /// d, >= 1. Default: embed_dim / num_heads, which must be a whole number.
  TORCH_ARG(std::optional<int64_t>, head_dim);
  /// e, >= 1. Default: d. If it is given, query, key and value each have their own projection parameter
  /// instead of in_proj_weight.
  TORCH_ARG(std::optional<int64_t>, pattern_dim);
  /// Features of the output, >= 1. Default: embed_dim. Without output projection it is always H * e.
  TORCH_ARG(std::optional<int64_t>, out_dim);
  /// true: no output projection; the output is the concatenation of the heads' readouts.
  TORCH_ARG(bool, disable_out_projection) = false;
  /// true: this input is static, that is, used without projection in every head.
  TORCH_ARG(bool, key_as_static) = false;
  TORCH_ARG(bool, query_as_static) = false;
  TORCH_ARG(bool, value_as_static) = false;
  /// true: the value is first projected with the key's projection and then with its own.
  TORCH_ARG(bool, value_as_connected) = false;
  /// true: layer norm of projected queries and keys over the d features of each head. With `affine`, all
  /// heads, queries and keys share one learned weight and bias.
  TORCH_ARG(bool, normalize_pattern) = false;
  TORCH_ARG(bool, normalize_pattern_affine) = false;
  TORCH_ARG(double, normalize_pattern_eps) = 1e-5;
  /// true: reproduces hflayers where its results differ from its documentation: a scaling per head is applied
  /// to the wrong features, static patterns of several heads mix the batch, add_bias_kv has no effect,
  /// HopfieldPooling with length first mixes the batch, and some names of association_activation have no
  /// effect. For parameters that were trained with hflayers.
  TORCH_ARG(bool, compat) = false;
  /// false: always computes with plain LibTorch operations, which support double backward, instead of the
  /// streaming op.
  TORCH_ARG(bool, streaming) = true;
  /// false: NaN and infinity are propagated from inputs to the output instead of raising an error.
  TORCH_ARG(bool, check_finite) = true;

public:
  /// True if the module has no parameters, and so no fixed sizes: all three inputs static and not connected,
  /// no normalize_pattern, no output projection.
  bool parameter_free() const;
};

/// Arguments of one forward call in addition to the three inputs.
struct HopfieldCoreCall {
  /// [N, S], bool or uint8: true = this key is ignored. Undefined: none is.
  at::Tensor key_padding_mask = {};
  /// Attention mask [L, S], or [N * H, L, S] with entry n * H + h for head h of batch entry n. Bool or uint8:
  /// true = this key is ignored by this query; floating point: added to the scores.
  at::Tensor attn_mask = {};
  /// Inverse temperature beta, one number or one per head: any number but NaN. Infinite: only the best match
  /// gets weight, and ties are split equally. nullopt: 1.
  std::optional<PerHead<double>> scaling = {};
  /// Beta as a finite, differentiable tensor [1] or [H], in place of `scaling`.
  at::Tensor scaling_tensor = {};
  /// Maximum number of updates of the query before the final association; negative: update until convergence.
  PerHead<int64_t> update_steps_max = 0;
  /// Convergence threshold, > 0: a head has converged once an update changes its association by no more than
  /// this, as the Frobenius norm of [L, S], in every batch entry.
  PerHead<double> update_steps_eps = 1e-4;
  /// true: the result has its associations, which need memory for N H L S numbers.
  bool need_weights = true;
  /// true: inputs and output are batch first; false: length first.
  bool batch_first = false;
};

/// S' is S plus the number of appended keys (add_bias_kv, add_zero_attn).
struct HopfieldCoreResult {
  at::Tensor output;           ///< [L, N, out_dim], or batch first
  at::Tensor association;      ///< [N, H, L, S'], before dropout; undefined without need_weights
  at::Tensor mean_association; ///< [N, L, S'], after dropout, mean over heads; undefined without need_weights
  at::Tensor projected_patterns; ///< [N, H, S', e]: the projected values
  /// [H], updates made by each head. On devices other than the CPU, this and `changes` are filled only with
  /// need_weights or updates until convergence, because reading them synchronises with the device.
  std::vector<int64_t> updates;
  /// For every update, [H]: the change of each head's association (Frobenius norm, maximum over the batch); 0
  /// for heads that had stopped. Without need_weights, the last update is not included, and where a lower
  /// bound of the change suffices to decide that a head continues updating, the entry may be that lower
  /// bound.
  std::vector<std::vector<double>> changes;
};

/// Patterns [.., E] and the layer norm to be applied to them before projection. The norm is fused into the
/// projection, so that no normalised copy is stored.
struct NormedPatterns {
  at::Tensor patterns;
  at::Tensor gain, bias;              ///< weight and bias of the norm, [E]; undefined: 1 and 0
  std::optional<double> epsilon = {}; ///< nullopt: no norm
};

/// Rows that are both key and value, each through its own layer norm; both norms have the same epsilon.
struct NormedRows {
  at::Tensor rows; ///< [N, S, E], or length first
  /// Instead of `rows`: one bag (N = 1) that is read tile by tile.
  std::shared_ptr<const RowSource> source;
  at::Tensor key_gain, key_bias, value_gain,
      value_bias; ///< weights and biases of the norms, [E]; undefined: 1, 0
  double epsilon = 1e-5;
};

/// Multi-head association with Hopfield updates.
///
/// Formula  update: query <- separation(beta * query . key^T + mask) . key, any number of times; readout:
///          separation(beta * query . key^T + mask) . value, then the output projection; all per head
/// Shapes   query [L, N, embed_dim], key [S, N, kdim], value [S, N, vdim] -> [L, N, out_dim]; each N may be 1
///          and is then broadcast. A static query or key has d features (any number if both are static), a
///          static value e
/// Masks    a query with all keys masked, or without keys (S = 0), has association 0, readout 0 and gradient
///          0
/// Types    floating point, that of the parameters for all inputs (under autocast also another one)
/// Errors   UsageError for options that contradict each other; for shapes, types or devices that do not
///          match; for NaN or infinity in an input, masked or not, or in a parameter that the output depends
///          on, and for NaN or +infinity in an attention mask (checked on the CPU only: on other devices this
///          check would force a synchronisation); and if a head has not converged after 10 000 updates
/// Cost     float32 and float64 on a CPU without need_weights, infinite scaling and masks that require a
///          gradient: no queries x keys matrix is stored, forward or backward. Otherwise O(N H L S) memory
///          for every update that is differentiated
/// Source   Ramsauer et al. 2020, "Hopfield Networks is All You Need", eq. 3 and 10
class HopfieldCoreImpl : public torch::nn::Cloneable<HopfieldCoreImpl> {
public:
  explicit HopfieldCoreImpl(HopfieldCoreOptions options_);

  void reset() override;
  /// Draws weights from a normal distribution of standard deviation 0.02; sets biases to 0.
  void reset_parameters();

  HopfieldCoreResult forward(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                             const HopfieldCoreCall& call = {});

  /// `forward` with a layer norm of each input, fused into its projection.
  HopfieldCoreResult forward_normed(const NormedPatterns& query, const NormedPatterns& key,
                                    const NormedPatterns& value, const HopfieldCoreCall& call);

  /// Output of `forward` for key and value computed from the same rows, in one pass over the rows: norms and
  /// projections are folded into query and readout, so that no normalised or projected copy of a large bag is
  /// stored. Returns an undefined tensor if options or call are not supported by this path; `forward_normed`
  /// supports all.
  at::Tensor forward_folded(const NormedPatterns& query, const NormedRows& stored,
                            const HopfieldCoreCall& call);

  /// d, e and the features of the output; nullopt if they depend on the input.
  std::optional<int64_t> head_dim() const;
  std::optional<int64_t> pattern_dim() const;
  std::optional<int64_t> out_dim() const;

  HopfieldCoreOptions options;
  /// Undefined if the options do not need them. Either in_proj_weight or the other three are used.
  at::Tensor in_proj_weight, q_proj_weight, k_proj_weight, v_proj_weight;
  at::Tensor in_proj_bias, bias_k, bias_v, p_norm_weight, p_norm_bias;
  torch::nn::Linear out_proj{nullptr};
  at::Generator generator; ///< for dropout; undefined: LibTorch's default generator

private:
  struct Heads;
  Heads project(const NormedPatterns& query, const NormedPatterns& key, const NormedPatterns& value,
                bool batch_first) const;
  /// Whether there is one key, so that its weight is 1, or 0 if it is masked, whatever query and key are, and
  /// neither is projected.
  bool has_one_key(const at::Tensor& key, bool batch_first) const;
  /// The projected value; query and key have one feature, which is 0.
  Heads project_value(const NormedPatterns& query, const NormedPatterns& key, const NormedPatterns& value,
                      const HopfieldCoreCall& call) const;
  void check_options() const;
  /// [N, H, L, e] -> output
  at::Tensor project_output(const at::Tensor& readout, bool batch_first);
  bool can_fold(const at::Tensor& query, const NormedRows& stored, const HopfieldCoreCall& call) const;
  bool is_folding_faster(const at::Tensor& query, const at::Tensor& rows, bool batch_first) const;
  /// Whether a call with these inputs is differentiated.
  bool has_gradient(const at::Tensor& query, const at::Tensor& stored) const;
};
TORCH_MODULE(HopfieldCore);

} // namespace mneme::nn
