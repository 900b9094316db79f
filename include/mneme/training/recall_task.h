// SPDX-License-Identifier: MIT

/// Models of two layers for multi-query associative recall, and their training. Does not need LibTorch;
/// recall_trainer.h trains the models.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mneme/data/associative_recall.h"

namespace mneme::training {

/// Layer that combines the tokens of a sequence.
enum class RecallMixer {
  leap,        ///< nn::MultiheadLeap: the state is a vector
  matrix_leap, ///< nn::MatrixLeap: the state is a matrix per head
  attention,   ///< causal softmax attention
  hopfield,    ///< nn::Hopfield with a causal mask, normalised patterns and updates of the queries
};

/// A model: token embeddings, two blocks x <- x + mixer(norm(x)) without feed-forward layers, a norm, and
/// logits by the embedding matrix. All mixers but the convolution end with an output projection.
struct RecallModel {
  RecallMixer mixer = RecallMixer::leap;
  int64_t width = 64, heads = 1; ///< heads must divide width
  int64_t updates = 0;           ///< state updates of a query, of the Hopfield layer only
  /// true: the first layer is a gated convolution of 3 tokens, conv(x) * (W x + b) elementwise, and there are
  /// no positions. false: both layers are the mixer; LEAP (of both kinds) has a window of 2 tokens in the
  /// first one, attention and the Hopfield layer have learned positions.
  bool convolution = true;
};

std::string name_of(RecallMixer mixer); ///< such as "matrix LEAP"

/// Bytes of the state that the last layer keeps of a sequence of `length` tokens, in float32: LEAP 2 width +
/// heads numbers, matrix LEAP heads D (D + 1) with D = width / heads, attention and the Hopfield layer the
/// keys and values of all tokens.
int64_t state_bytes(const RecallModel& model, int64_t length);

/// Training schedule: AdamW with betas 0.9 and 0.999 on the mean cross-entropy of the labels of a batch,
/// without gradient clipping. The learning rate follows half a cosine to 0, by epoch.
struct RecallSchedule {
  int64_t epochs = 16;
  int64_t batch_size = 256;
  double learning_rate = 1e-3;
  double weight_decay = 0.1;
  double dropout = 0.1; ///< of the embeddings, in [0, 1)
  /// Training ends after the first epoch with at least this accuracy on the test set; above 1: never.
  double stop_accuracy = 0.99;
};

/// A training run. The data must outlive it.
struct RecallJob {
  RecallModel model = {};
  RecallSchedule schedule = {};
  const data::AssociativeRecall* training = nullptr;
  const data::AssociativeRecall* test = nullptr;
  uint64_t seed = 1; ///< of initial parameters, order of the examples, and dropout
};

struct RecallEpoch {
  double loss = 0;     ///< mean training loss of the steps, in nats
  double accuracy = 0; ///< fraction of the labels of the test set that have the largest logit
};

struct RecallFit {
  std::vector<RecallEpoch> epochs = {};
  int64_t num_parameters = 0;
  /// The loss was not finite, and training ended there, after the epochs above.
  bool diverged = false;

  double accuracy() const; ///< after the last epoch; 0 if it diverged
};

} // namespace mneme::training
