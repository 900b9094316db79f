// SPDX-License-Identifier: MIT

/// Two small models that tell bits apart by a probability, and how they are fitted: self-attention with one head,
/// and a perceptron with one hidden layer. Without LibTorch: their sizes are too small for its calls to pay.
///
/// They compute what nn::SelfAttention and nn::BinaryMLP compute.
#pragma once

#include <cstdint>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/core/precision.h"
#include "mneme/core/progress.h"
#include "mneme/core/random.h"
#include "mneme/data/sparse_and.h"

namespace mneme::training {

/// Each bit becomes a token plus a learnt place; every place attends to all; a linear readout of the T results.
///
/// Formula  x = token[bit] + place; scores = softmax(Wq x . Wk x / sqrt(d)); out = sigmoid(readout . scores Wv x)
/// Order of parameters  place [T, d], token [2, d], Wq [d, d], Wk [d, d], Wv [1, d], readout [1, T]
struct SelfAttentionModel {
  int64_t context_length = 17;
  int64_t embedding_size = 2; ///< of queries and keys; d in the paper
};

/// Formula  out = sigmoid(readout . gelu(weight^T x + bias) + readout_bias)
/// Order of parameters  weight [inputs, hidden], bias [hidden], readout [hidden], readout bias [1]
struct PerceptronModel {
  int64_t context_length = 17;
  int64_t hidden_size = 512;
  double dropout =
      0.1; ///< share of hidden units silenced in each training step, rounded to 1/65536; in [0, 1)
  /// Gives it, beside the bits, the product of each with the last one, which a sum alone cannot form.
  bool products_with_rule = false;
  /// Of sums and hidden units, as published; parameters and steps are in float64.
  Precision precision = Precision::float32;
};

struct BinaryModel {
  enum class Kind { self_attention, perceptron };
  Kind kind = Kind::self_attention;
  SelfAttentionModel self_attention = {};
  PerceptronModel perceptron = {};

  int64_t context_length() const;
  int64_t num_parameters() const;
};

BinaryModel self_attention_model(int64_t context_length, int64_t embedding_size = 2);
BinaryModel perceptron_model(int64_t context_length, int64_t hidden_size = 512, double dropout = 0.1,
                             bool products_with_rule = false);

/// As published: normal with deviation 0.001 for self-attention; for the perceptron normal with deviation 0.02 and
/// biases 0, its readout and that one's bias uniform within 1 / sqrt(hidden_size).
///
/// Errors  UsageError if a size is below 1, or dropout is not in [0, 1)
std::vector<double> initial_parameters(const BinaryModel& model, Random random);

/// Full-batch gradient steps by Adam (0.9, 0.999, 1e-8) on the mean binary cross-entropy.
struct Schedule {
  int64_t epochs = 2000;
  double learning_rate = 1e-2;
  double weight_decay = 0; ///< decoupled, as in AdamW
  int64_t noted_every =
      10; ///< epochs between two points of the curve; the first and last epoch are always noted
};

struct CurvePoint {
  int64_t epoch = 0;             ///< from 1 on
  double loss = 0, accuracy = 0; ///< before the step of this epoch, with dropout, as published
};

struct Fit {
  std::vector<double> parameters = {};
  std::vector<CurvePoint> curve = {};
};

/// Trains from `parameters`. Progress is told `epochs` steps.
///
/// Errors  UsageError if samples, model and parameters do not fit together, a number of the schedule is out of its
///         range, or numbers grow beyond float64 (a learning rate far too high); Interrupted
/// Cost    self-attention O(B T^2) per epoch, whatever d, as a bit has but two states at each place; the
///         perceptron O(B T hidden_size)
Fit fit(const BinaryModel& model, std::vector<double> parameters, const data::LabelledBits& samples,
        const Schedule& schedule, Random dropout, Progress& progress);

struct Score {
  double loss = 0;     ///< mean binary cross-entropy, logarithms not below -100
  double accuracy = 0; ///< share of samples on the right side of 1/2
};

/// Without dropout. Errors  UsageError as `fit`
Score evaluate(const BinaryModel& model, const std::vector<double>& parameters,
               const data::LabelledBits& samples);

/// What self-attention computes on the way; B samples, T places, row-major.
struct AttentionReadout {
  std::vector<double> logits = {};    ///< [B, T, T], by query and key
  std::vector<double> scores = {};    ///< [B, T, T], rows sum to 1
  std::vector<double> values = {};    ///< [B, T], what each place says where it is attended to
  std::vector<double> attention = {}; ///< [B, T]
  std::vector<double> output = {};    ///< [B], a probability
};

/// Errors  UsageError as `fit`
AttentionReadout attend(const SelfAttentionModel& model, const std::vector<double>& parameters,
                        const BitPatterns& inputs);

} // namespace mneme::training
