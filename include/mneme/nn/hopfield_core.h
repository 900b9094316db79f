// SPDX-License-Identifier: MIT

/// The association of all Hopfield layers: project, update the state, look up.
///
/// All of `nn`: features last; "length first" means [length, batch, features], "batch first" [batch, length,
/// features]. N batch, L queries, S keys, H heads, d features of a head where queries meet keys, e where
/// values are mixed. Parameters have the names, shapes and first values of the package hflayers 1.0.2.
/// First values come from LibTorch's default generator (torch::manual_seed), as in every torch::nn module.
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

  /// Features of a query. None: only where the module has no parameters (see `parameter_free`).
  TORCH_ARG(std::optional<int64_t>, embed_dim);
  TORCH_ARG(int64_t, num_heads) = 1;
  /// How scores become an association. Others than softmax keep it, forward and backward.
  TORCH_ARG(ops::Separation, separation) = ops::Separation::softmax;
  /// Share of the final association that is dropped while training, in [0, 1]; what stays is scaled up.
  TORCH_ARG(double, dropout) = 0;
  /// Biases of all projections.
  TORCH_ARG(bool, bias) = true;
  /// Adds one learnt key and one learnt value, `bias_k` and `bias_v`. Key and value must not be static.
  TORCH_ARG(bool, add_bias_kv) = false;
  /// Adds one key and one value of zeros: something to look at where nothing fits.
  TORCH_ARG(bool, add_zero_attn) = false;
  /// Features of a key and of a value. Default: embed_dim.
  TORCH_ARG(std::optional<int64_t>, kdim);
  TORCH_ARG(std::optional<int64_t>, vdim);
  /// d, per head. Default: embed_dim / num_heads.
  TORCH_ARG(std::optional<int64_t>, head_dim);
  /// e, per head. Default: d. Where given, the three projections are three parameters.
  TORCH_ARG(std::optional<int64_t>, pattern_dim);
  /// Features of the output. Default: embed_dim; H * e where the output is not projected.
  TORCH_ARG(std::optional<int64_t>, out_dim);
  TORCH_ARG(bool, disable_out_projection) = false;
  /// Not projected: used as it is, in every head.
  TORCH_ARG(bool, key_as_static) = false;
  TORCH_ARG(bool, query_as_static) = false;
  TORCH_ARG(bool, value_as_static) = false;
  /// The value goes through the key's projection before its own.
  TORCH_ARG(bool, value_as_connected) = false;
  /// Layer norm of projected queries and keys over the d features of each head, with one weight and bias for
  /// all (`affine`).
  TORCH_ARG(bool, normalize_pattern) = false;
  TORCH_ARG(bool, normalize_pattern_affine) = false;
  TORCH_ARG(double, normalize_pattern_eps) = 1e-5;
  /// Computes what hflayers computes where that is not what it documents: a scaling of its own for each head
  /// goes to the wrong features, static patterns of several heads mix the batch, add_bias_kv does nothing,
  /// and HopfieldPooling with length first mixes the batch. For weights that were trained with it.
  TORCH_ARG(bool, compat) = false;
  /// false: never the streaming op, but plain LibTorch, which can be differentiated twice.
  TORCH_ARG(bool, streaming) = true;
  /// false: a NaN or infinity that comes in goes out, and is no error.
  TORCH_ARG(bool, check_finite) = true;

public:
  /// Nothing to learn and no size to keep to: all three static, nothing else between input and output.
  bool parameter_free() const;
};

/// What one call may be given besides the three inputs.
struct HopfieldCoreCall {
  at::Tensor key_padding_mask = {}; ///< [N, S], bool or uint8: true = this key is not there
  /// [L, S] or [N * H, L, S] (entry n * H + h). Bool or uint8: true = not to be looked at; floating point:
  /// added to the scores.
  at::Tensor attn_mask = {};
  /// Inverse temperature, per head: any number, also 0, negative and infinite (only the best match counts;
  /// ties share). None: 1.
  std::optional<PerHead<double>> scaling = {};
  at::Tensor scaling_tensor = {}; ///< the same as a finite tensor [1] or [H], differentiable; in its place
  /// Updates of the state before the final association; negative: until it has converged.
  PerHead<int64_t> update_steps_max = 0;
  /// A head has converged once its association [L, S] moves by no more than this between two updates, as
  /// Frobenius norm, in every entry of the batch.
  PerHead<double> update_steps_eps = 1e-4;
  bool need_weights = true; ///< fills the associations of the result; needs memory for N H L S numbers
  bool batch_first = false;
};

struct HopfieldCoreResult {
  at::Tensor output;             ///< as the query, with out_dim features
  at::Tensor association;        ///< [N, H, L, S'], before dropout; undefined without need_weights
  at::Tensor mean_association;   ///< [N, L, S'], after dropout, mean over heads; likewise
  at::Tensor projected_patterns; ///< [N, H, S', e]: the values; S' = S + one for each added key
  /// How many each head did. On another device than the CPU, this and `changes` are filled where weights are asked for, or
  /// updates until convergence: reading them waits for the device.
  std::vector<int64_t> updates;
  /// For every update, how far each head's association moved; 0 where the head had stopped. Without need_weights not of
  /// the last update, and where a smaller number is enough to know that a head goes on, that one.
  std::vector<std::vector<double>> changes;
};

/// Patterns, and the layer norm that is taken of them where they are projected: no normalised copy of them is kept.
struct NormedPatterns {
  at::Tensor patterns;
  at::Tensor gain, bias;              ///< [E]; undefined: 1 and 0
  std::optional<double> epsilon = {}; ///< none: there is no norm
};

/// Rows that are both key and value, each after a layer norm with the same epsilon.
struct NormedRows {
  at::Tensor rows;                                       ///< [N, S, E], or length first
  std::shared_ptr<const RowSource> source;               ///< in place of `rows`: one bag, read piece by piece
  at::Tensor key_gain, key_bias, value_gain, value_bias; ///< of the norms, [E]; undefined: 1 and 0
  double epsilon = 1e-5;
};

/// separation(beta * state . key^T + masks) . value over several heads, the state first updated to
/// separation(beta * state . key^T + masks) . key, any number of times; separation is softmax unless told otherwise.
///
/// Shapes  query [L, N, embed_dim], key [S, N, kdim], value [S, N, vdim] -> [L, N, out_dim]; N may be 1 on any
///         side. A static query or key has d features (any number where both are), a static value e
/// Rows    where all is masked, or S = 0: association and readout are 0, and so are their gradients
/// Errors  UsageError for options that contradict each other, for shapes, types or devices that disagree, for
///         a NaN or infinity in an input or a parameter (on a CPU; elsewhere looking would wait), and where a
///         state has not converged after 10 000 updates
/// Cost    float32 and float64 on a CPU without need_weights, infinite scaling and masks that are differentiated: no
///         queries x keys matrix is kept, forward or backward. Else O(N H L S) memory for every update that is
///         differentiated
/// Source  Ramsauer et al. 2020, "Hopfield Networks is All You Need", eq. 3 and 10
class HopfieldCoreImpl : public torch::nn::Cloneable<HopfieldCoreImpl> {
public:
  explicit HopfieldCoreImpl(HopfieldCoreOptions options_);

  void reset() override;
  /// Weights are drawn anew: normal numbers of standard deviation 0.02; biases become 0.
  void reset_parameters();

  HopfieldCoreResult forward(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                             const HopfieldCoreCall& call = {});

  /// The same of patterns after their norms.
  HopfieldCoreResult forward_normed(const NormedPatterns& query, const NormedPatterns& key,
                                    const NormedPatterns& value, const HopfieldCoreCall& call);

  /// The output of `forward` for key and value made of the same rows, which are read once: norms and projections are
  /// folded around the association, so that no normalised and no projected copy of a large bag exists. Undefined
  /// where options or call want more than that can do; `forward` can always.
  at::Tensor forward_folded(const NormedPatterns& query, const NormedRows& stored,
                            const HopfieldCoreCall& call);

  /// d, e and the features of the output; none where the input decides.
  std::optional<int64_t> head_dim() const;
  std::optional<int64_t> pattern_dim() const;
  std::optional<int64_t> out_dim() const;

  HopfieldCoreOptions options;
  /// Undefined where the options ask for none. Either the first or the next three.
  at::Tensor in_proj_weight, q_proj_weight, k_proj_weight, v_proj_weight;
  at::Tensor in_proj_bias, bias_k, bias_v, p_norm_weight, p_norm_bias;
  torch::nn::Linear out_proj{nullptr};
  at::Generator generator; ///< what dropout draws from; undefined: LibTorch's default generator

private:
  struct Heads;
  Heads project(const NormedPatterns& query, const NormedPatterns& key, const NormedPatterns& value,
                bool batch_first) const;
  void check_options() const;
  /// [N, H, L, e] -> output
  at::Tensor projected_out(const at::Tensor& readout, bool batch_first);
  bool can_fold(const at::Tensor& query, const NormedRows& stored, const HopfieldCoreCall& call) const;
};
TORCH_MODULE(HopfieldCore);

} // namespace mneme::nn
