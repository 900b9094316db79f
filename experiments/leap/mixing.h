// SPDX-License-Identifier: MIT

/// Language model of LEAP's blocks in which the sequence mixing is exchanged: the variants of the published
/// ablation, in plain LibTorch and mneme::ops::window_means.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

namespace mneme::experiments {

/// Receives the logits of a mixing: focus logits of LEAP [B, T, H], or scores of attention, those that are
/// not masked [n].
using LogitsObserver = std::function<void(const at::Tensor& logits)>;

struct MixingOptions {
  int64_t width = 32, heads = 1;
  int64_t window = 0;         ///< in tokens; 0 = all
  double rescale = 10;        ///< for the mixings that are rescaled
  double initial_std = 0.125; ///< of matrices
};

/// Mixes the tokens of a sequence.
///
/// Shapes  x [B, T, width] -> the same
class Mixing : public torch::nn::Module {
public:
  virtual at::Tensor forward(const at::Tensor& x, const LogitsObserver& observer) = 0;
};

/// A mixing by the name of its variant in the published ablation ("orig", "elu", "M10" ...), or "exp": LEAP
/// with exponential weights and without rescaling; "attention": softmax attention with an output projection;
/// "rescaled attention": the same with standardised queries and keys. Its parameters are not initialised.
///
/// Errors  UsageError with the list of names
std::shared_ptr<Mixing> make_mixing(const std::string& name, const MixingOptions& options);

/// All names, in the order of the published table.
std::vector<std::string> mixing_names();

/// logits = last_norm(blocks(words[ids] + positions)) . words^T, where a block is
/// x <- x + mixing(mixing_norm(x)); x <- x + unboom(gelu(boom(boom_norm(x)))), as in LEAP.
class MixingLm : public torch::nn::Module {
public:
  /// windows: one per layer.
  MixingLm(const std::string& mixing, const MixingOptions& options, std::vector<int64_t> windows,
           int64_t vocab_size, int64_t max_positions, uint64_t seed);

  /// The input of the logit projection, [B, T, width]. `observer` receives the logits of the first layer.
  at::Tensor head_input(const at::Tensor& ids, const LogitsObserver& observer = {});

  at::Tensor words; ///< [vocab_size, width]

private:
  struct Block {
    at::Tensor norm_weight, norm_bias, boom_norm_weight, boom_norm_bias;
    at::Tensor boom_weight, boom_bias, unboom_weight, unboom_bias;
    std::shared_ptr<Mixing> mixing;
  };

  at::Tensor positions_;
  at::Tensor last_norm_weight_, last_norm_bias_;
  std::vector<Block> blocks_;
};

} // namespace mneme::experiments
