// SPDX-License-Identifier: MIT

/// Attention heads of a GPT-2 model during training, and the loss after heads are replaced; declared without
/// LibTorch (mneme/core/torch_function.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "learning/heads.h"
#include "mneme/core/progress.h"
#include "mneme/core/torch_function.h"
#include "mneme/theory/position_gaussian.h"

namespace mneme::experiments {

struct HeadStudy {
  std::filesystem::path model = {}; ///< folder of a GPT-2 model; empty: a small one is trained on the text
  std::string training, held_out;   ///< texts
  int64_t steps = 0;                ///< of a model that is trained
  int64_t held_out_tokens = 8192;   ///< for losses, at most
  uint64_t seed = 1;
};

/// The model of a study.
struct StudiedModel {
  int64_t layers = 0, heads_per_layer = 0, head_size = 0, vocab_size = 0, parameters = 0;
  int64_t length = 0;           ///< tokens of the windows for which heads and losses are measured
  int64_t texts = 0;            ///< number of such windows for heads
  int64_t targets = 0;          ///< number of predicted tokens of a loss
  double averaging_entropy = 0; ///< of a head that averages over all keys, in nats
};

/// The heads after a number of training steps.
struct HeadsAtStep {
  int64_t step = 0;
  double loss = 0; ///< on the held-out text, in nats per token
  std::vector<learning::HeadSummary> heads;
};

struct TrainingStudy {
  StudiedModel model;
  std::vector<HeadsAtStep> steps;              ///< in order
  std::vector<learning::TextHeads> last_texts; ///< after the last step
};

/// Trains a model, or reads the checkpoints of a run of `mneme train lm --model gpt2`.
///
/// Errors  DataError for a model or checkpoint that cannot be used; UsageError if the run has no checkpoints,
///         or the text is too short; Interrupted
inline constinit TorchFunction<TrainingStudy(const HeadStudy& study, Progress& progress)> study_training{
    "training a model and reading its heads"};

/// A head and the Gaussian weighting of positions that is nearest to its attention on the training text.
struct FittedHead {
  learning::HeadSummary head;
  theory::PositionGaussian gaussian;
  double divergence = 0; ///< mean Kullback-Leibler divergence of its weights from the Gaussian, in nats
};

struct ReplacementStudy {
  StudiedModel model;
  double loss = 0;                ///< of the complete model
  std::vector<FittedHead> fitted; ///< all heads, the largest share of keys first
  std::vector<int64_t> counts;    ///< numbers of replaced heads, increasing; the last one is all heads
  /// Losses after so many heads are replaced, by Gaussian weights in three orders: the largest share of keys
  /// first, the smallest divergence first, and at random, with one list per draw.
  std::vector<double> by_keys, by_divergence;
  std::vector<std::vector<double>> at_random;
  std::vector<double> uniform; ///< as by_keys, but by equal weights
};

/// 1, 2, 4, 8 ..., the number of heads that average if there are any, and all heads.
std::vector<int64_t> replacement_counts(int64_t heads, int64_t averaging);

/// Replaces the attention weights of heads by weights of positions, without training the model further.
///
/// Errors  as study_training
inline constinit TorchFunction<ReplacementStudy(const HeadStudy& study, int64_t draws, Progress& progress)>
    study_replacement{"replacing attention heads"};

} // namespace mneme::experiments
