// SPDX-License-Identifier: MIT

/// Two small models for binary classification of bit strings, and their training: self-attention with one
/// head, and an MLP with one hidden layer. Implemented without LibTorch, whose overhead per call dominates at
/// these sizes.
///
/// They are equivalent to nn::SelfAttention and nn::BinaryMLP.
#pragma once

#include <cstdint>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/core/precision.h"
#include "mneme/core/progress.h"
#include "mneme/core/random.h"
#include "mneme/data/sparse_and.h"

namespace mneme::training {

/// Single-head self-attention over T bits with learned token and position embeddings, and a linear readout of
/// the T results.
///
/// Formula     x = token[bit] + position; scores = softmax(Wq x . Wk x / sqrt(d)); out = sigmoid(readout .
///             scores Wv x)
/// Parameters  in this order: position [T, d], token [2, d], Wq [d, d], Wk [d, d], Wv [1, d], readout [1, T]
struct SelfAttentionModel {
  int64_t context_length = 17; ///< T
  int64_t embedding_size = 2;  ///< d, features of tokens, queries and keys
};

/// MLP with one hidden layer.
///
/// Formula     out = sigmoid(readout . gelu(weight^T x + bias) + readout_bias)
/// Parameters  in this order: weight [inputs, hidden], bias [hidden], readout [hidden], readout_bias [1]
struct MlpModel {
  int64_t context_length = 17;
  int64_t hidden_size = 512;
  double dropout = 0.1; ///< dropout probability of a hidden unit, rounded to a multiple of 1/65536; in [0, 1)
  /// true: the inputs are the bits and the product of each bit with the last one (the rule token), which a
  /// linear layer cannot compute.
  bool products_with_rule = false;
  /// Precision of sums and hidden units, float32 as published; parameters and optimiser steps are in float64.
  Precision precision = Precision::float32;
};

struct BinaryModel {
  enum class Kind { self_attention, mlp };
  Kind kind = Kind::self_attention;
  SelfAttentionModel self_attention = {};
  MlpModel mlp = {};

  int64_t context_length() const;
  int64_t num_parameters() const;
};

BinaryModel self_attention_model(int64_t context_length, int64_t embedding_size = 2);
BinaryModel mlp_model(int64_t context_length, int64_t hidden_size = 512, double dropout = 0.1,
                      bool products_with_rule = false);

/// Published initialisation. Self-attention: normal with standard deviation 0.001. MLP: weights normal with
/// standard deviation 0.02 and biases 0; readout and readout_bias uniform in [-b, b] with b = 1 /
/// sqrt(hidden_size).
///
/// Errors  UsageError if a size is below 1, or dropout is not in [0, 1)
std::vector<double> initial_parameters(const BinaryModel& model, Random random);

/// Training schedule: full-batch Adam with betas 0.9 and 0.999 and eps 1e-8, on the mean binary
/// cross-entropy.
struct Schedule {
  int64_t epochs = 2000;
  double learning_rate = 1e-2;
  double weight_decay = 0; ///< decoupled, as in AdamW
  int64_t record_every =
      10; ///< epochs between points of the curve; the first and last epoch are always recorded
};

struct CurvePoint {
  int64_t epoch = 0; ///< from 1 on
  double loss = 0,
         accuracy = 0; ///< on the training set before the step of this epoch, with dropout, as published
};

struct Fit {
  std::vector<double> parameters = {};
  std::vector<CurvePoint> curve = {};
};

/// Trains a model from initial parameters. Progress advances by `epochs` steps in total.
///
/// Errors  UsageError if samples, model and parameters do not match, a number of the schedule is out of its
///         range, or numbers overflow float64 (the learning rate is too high); Interrupted
/// Cost    per epoch, for B samples of T bits: self-attention O(B T^2), independent of d, because a bit has
///         only two states at each position; MLP O(B T hidden_size)
Fit fit(const BinaryModel& model, std::vector<double> parameters, const data::LabelledBits& samples,
        const Schedule& schedule, Random dropout, Progress& progress);

struct Score {
  double loss = 0;     ///< mean binary cross-entropy, with logarithms clamped to >= -100
  double accuracy = 0; ///< fraction of correctly classified samples, with threshold 1/2
};

/// Score of a model without dropout.
///
/// Errors  UsageError as `fit`
Score evaluate(const BinaryModel& model, const std::vector<double>& parameters,
               const data::LabelledBits& samples);

/// Intermediate results of self-attention; B samples, T positions, row-major.
struct AttentionIntermediates {
  std::vector<double> logits = {};    ///< [B, T, T], by query and key, before the softmax
  std::vector<double> scores = {};    ///< [B, T, T], attention weights: rows sum to 1
  std::vector<double> values = {};    ///< [B, T], value of each position
  std::vector<double> attention = {}; ///< [B, T], sum of values weighted with the scores
  std::vector<double> output = {};    ///< [B], probability of class 1
};

/// Forward pass of self-attention that returns its intermediate results.
///
/// Errors  UsageError as `fit`
AttentionIntermediates attend(const SelfAttentionModel& model, const std::vector<double>& parameters,
                              const BitPatterns& inputs);

} // namespace mneme::training
