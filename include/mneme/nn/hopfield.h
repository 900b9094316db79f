// SPDX-License-Identifier: MIT

/// A Hopfield layer: state patterns look up stored patterns and get a mix of their projections.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <torch/nn/modules/common.h>
#include <torch/nn/modules/container/any_value.h>
#include <torch/nn/modules/normalization.h>

#include "mneme/nn/hopfield_core.h"

namespace mneme::nn {

/// The options of hflayers under their names, but for `scaling`, which is `beta` here. The defaults are those
/// of hflayers: a fresh layer's association is nearly uniform. For plain retrieval see `HopfieldOptions::memory`.
struct HopfieldOptions {
  HopfieldOptions() = default;
  HopfieldOptions(int64_t input_size) : input_size_(input_size) {}

  /// The associative memory of the paper: no projection, no norm, nothing to learn; the readout is
  /// softmax(beta * state . stored^T) . pattern_projection after updates until convergence.
  static HopfieldOptions memory(PerHead<double> beta = 1.0);

  /// Multi-head attention: projections, no norms, no updates; `size` features, num_heads must divide them.
  static HopfieldOptions attention(int64_t size, int64_t num_heads = 1);
  /// What the published examples take where the defaults do not learn: 8 heads of 8 features, three updates, beta
  /// 1/4, dropout 1/2.
  static HopfieldOptions adapted(int64_t input_size);

  /// Features of a state pattern. None: only where there is nothing to learn.
  TORCH_ARG(std::optional<int64_t>, input_size);
  /// d: features **per head** of the space where state and stored patterns are compared. Default: input_size /
  /// num_heads.
  TORCH_ARG(std::optional<int64_t>, hidden_size);
  /// Features of the output. Default: input_size; num_heads * e without output projection.
  TORCH_ARG(std::optional<int64_t>, output_size);
  /// e: features **per head** of a projected pattern. Default: d.
  TORCH_ARG(std::optional<int64_t>, pattern_size);
  TORCH_ARG(int64_t, num_heads) = 1;
  /// Inverse temperature: any number, also infinite. Default: 1 / sqrt(d); 1 where there is nothing to learn.
  TORCH_ARG(std::optional<PerHead<double>>, beta);
  /// beta becomes the parameter `beta` [num_heads], which begins with the numbers above (finite ones).
  TORCH_ARG(bool, learn_beta) = false;
  /// How scores become an association: all but softmax give far patterns exactly 0.
  TORCH_ARG(ops::Separation, separation) = ops::Separation::softmax;
  /// Updates of the state before the final association: 0 = attention; none or negative = until convergence.
  TORCH_ARG(std::optional<PerHead<int64_t>>, update_steps_max) = PerHead<int64_t>(0);
  /// > 0: the association of a head moves by no more than that (Frobenius norm, over the whole batch).
  TORCH_ARG(PerHead<double>, update_steps_eps) = 1e-4;
  /// Layer norms of the three inputs over their features. To leave one out, say so for its `affine` as well.
  TORCH_ARG(bool, normalize_stored_pattern) = true;
  TORCH_ARG(bool, normalize_stored_pattern_affine) = true;
  TORCH_ARG(double, normalize_stored_pattern_eps) = 1e-5;
  TORCH_ARG(bool, normalize_state_pattern) = true;
  TORCH_ARG(bool, normalize_state_pattern_affine) = true;
  TORCH_ARG(double, normalize_state_pattern_eps) = 1e-5;
  TORCH_ARG(bool, normalize_pattern_projection) = true;
  TORCH_ARG(bool, normalize_pattern_projection_affine) = true;
  TORCH_ARG(double, normalize_pattern_projection_eps) = 1e-5;
  /// Layer norm of projected state and stored patterns, per head.
  TORCH_ARG(bool, normalize_hopfield_space) = false;
  TORCH_ARG(bool, normalize_hopfield_space_affine) = false;
  TORCH_ARG(double, normalize_hopfield_space_eps) = 1e-5;
  /// Not projected: used as it is in every head.
  TORCH_ARG(bool, stored_pattern_as_static) = false;
  TORCH_ARG(bool, state_pattern_as_static) = false;
  TORCH_ARG(bool, pattern_projection_as_static) = false;
  /// The pattern projection goes through the projection of the stored pattern before its own.
  TORCH_ARG(bool, pattern_projection_as_connected) = false;
  /// Features of the other two inputs. Default: input_size.
  TORCH_ARG(std::optional<int64_t>, stored_pattern_size);
  TORCH_ARG(std::optional<int64_t>, pattern_projection_size);
  /// Inputs and output are [N, length, features]; else [length, N, features].
  TORCH_ARG(bool, batch_first) = true;
  /// Applied to the output: relu, tanh, sigmoid, gelu, ... (an unknown name is answered with the list). None: as
  /// it is.
  TORCH_ARG(std::optional<std::string>, association_activation);
  /// Share of the final association that is dropped while training.
  TORCH_ARG(double, dropout) = 0;
  /// Biases of all projections.
  TORCH_ARG(bool, input_bias) = true;
  /// Adds one learnt stored pattern and its projection.
  TORCH_ARG(bool, concat_bias_pattern) = false;
  /// Adds a stored pattern and a projection of zeros.
  TORCH_ARG(bool, add_zero_association) = false;
  /// The heads' readouts side by side are the output.
  TORCH_ARG(bool, disable_out_projection) = false;
  /// See HopfieldCoreOptions.
  TORCH_ARG(bool, compat) = false;
  TORCH_ARG(bool, streaming) = true;
  TORCH_ARG(bool, check_finite) = true;

public:
  bool parameter_free() const { return core().parameter_free(); }
  /// The same for the core, which speaks of query, key and value.
  HopfieldCoreOptions core() const;
};

struct HopfieldMasks {
  at::Tensor stored_pattern_padding_mask = {}; ///< [N, S], bool or uint8: true = not there
  /// [L, S] or [N * H, L, S] (entry n * H + h). Bool or uint8: true = not to be looked at; floating point:
  /// added to the scores.
  at::Tensor association_mask = {};
};

/// One forward, all that it knows.
struct HopfieldRetrieval {
  at::Tensor output;             ///< as forward
  at::Tensor association;        ///< [N, H, L, S'], of the last state, before dropout
  at::Tensor projected_patterns; ///< [N, H, S', e]
  std::vector<int64_t> updates;  ///< how many each head did
  /// True where the last update moved the head's association by no more than update_steps_eps, or there was
  /// none.
  std::vector<bool> converged;
  std::vector<std::vector<double>> changes; ///< for every update, how far each head's association moved
};

/// Shapes  stored_pattern [N, S, stored_pattern_size], state_pattern [N, L, input_size], pattern_projection
///         [N, S, pattern_projection_size] -> [N, L, output_size], or length first; N may be 1 on any side
/// Errors  UsageError, as HopfieldCore
/// Source  Ramsauer et al. 2020, "Hopfield Networks is All You Need"; package hflayers 1.0.2
class HopfieldImpl : public torch::nn::Cloneable<HopfieldImpl> {
public:
  explicit HopfieldImpl(HopfieldOptions options_ = {});

  void reset() override;
  void reset_parameters();

  /// An input left out is the one before it: `forward(x)` is self-association.
  at::Tensor forward(const at::Tensor& stored_pattern, const at::Tensor& state_pattern = {},
                     const at::Tensor& pattern_projection = {}, const HopfieldMasks& masks = {});
  /// The same for one bag of stored patterns, which are their projections too, that need not fit in memory: it is read
  /// piece by piece, once here and once more for gradients.
  /// Errors  UsageError also where the options ask for more than can be done on the way: updates, dropout while training, a
  ///         norm in the association space, separations but softmax, static patterns; whatever the source throws
  at::Tensor forward_from(const std::shared_ptr<const RowSource>& stored_pattern,
                          const at::Tensor& state_pattern);
  /// As `forward`, with the association and how it was reached.
  HopfieldRetrieval retrieve(const at::Tensor& stored_pattern, const at::Tensor& state_pattern = {},
                             const at::Tensor& pattern_projection = {}, const HopfieldMasks& masks = {});
  /// [N, H, L, S'] and [N, H, S', e], always batch first, without gradient.
  at::Tensor get_association_matrix(const at::Tensor& stored_pattern, const at::Tensor& state_pattern = {},
                                    const at::Tensor& pattern_projection = {},
                                    const HopfieldMasks& masks = {});
  at::Tensor get_projected_pattern_matrix(const at::Tensor& stored_pattern,
                                          const at::Tensor& state_pattern = {},
                                          const at::Tensor& pattern_projection = {},
                                          const HopfieldMasks& masks = {});

  /// What the options come to; none where the input decides.
  std::optional<int64_t> hidden_size() const { return association_core->head_dim(); }
  std::optional<int64_t> pattern_size() const { return association_core->pattern_dim(); }
  std::optional<int64_t> output_size() const { return association_core->out_dim(); }
  PerHead<double> scaling() const; ///< beta of every head, as it is now

  HopfieldOptions options;
  HopfieldCore association_core{nullptr};
  torch::nn::LayerNorm norm_stored_pattern{nullptr}, norm_state_pattern{nullptr},
      norm_pattern_projection{nullptr}; ///< null where there is none
  at::Tensor beta;                      ///< [num_heads] if learnt, else undefined

private:
  enum class Wanted { output, projected_patterns, association };
  /// Beside the output.
  HopfieldCoreResult associate(const at::Tensor& stored_pattern, const at::Tensor& state_pattern,
                               const at::Tensor& pattern_projection, const HopfieldMasks& masks,
                               Wanted wanted);

  HopfieldCoreCall call_with(const HopfieldMasks& masks, Wanted wanted) const;
  /// The rows with what the norms of stored patterns and of pattern projections, which are alike, do to them.
  NormedRows normed(NormedRows rows) const;
  at::Tensor activated(const at::Tensor& output) const;

  FORWARD_HAS_DEFAULT_ARGS({1, torch::nn::AnyValue(at::Tensor())}, {2, torch::nn::AnyValue(at::Tensor())},
                           {3, torch::nn::AnyValue(HopfieldMasks())})
};
TORCH_MODULE(Hopfield);

} // namespace mneme::nn
