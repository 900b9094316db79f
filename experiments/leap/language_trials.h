// SPDX-License-Identifier: MIT

/// Training of many small language models, several at once. Declared without LibTorch
/// (mneme/core/torch_function.h).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "experiments/parts.h"
#include "mneme/core/progress.h"
#include "mneme/core/torch_function.h"
#include "mneme/training/language_task.h"

namespace mneme::experiments {

/// A small model with one token per byte, without dropout.
struct TrialModel {
  /// "leap": LEAP with exponential weights, as the published experiments before the ablation; "gpt2", "lstm",
  /// "fastformer"; or "mixing": LEAP's blocks with the sequence mixing `mixing`.
  std::string type = "leap";
  /// The model of this type that `mneme train lm` makes, with these sizes and no other options.
  bool as_trained_by_program = false;
  int64_t width = 32, heads = 1, layers = 1;
  /// LEAP and Fastformer: window of each layer in tokens, 0 = all. Empty: those of the published code.
  std::vector<int64_t> windows = {};
  std::optional<double> rescale = {}; ///< LEAP and Fastformer: bound of the logits
  bool gated = true;                  ///< LEAP: with the gate
  std::string mixing = {};            ///< "mixing": a name of `mixing_names`
  /// Standard deviation of the initial weights; by default 1 / sqrt(width).
  std::optional<double> initial_std = {};
};

struct LanguageTrial {
  TrialModel model = {};
  training::LanguageSchedule schedule = {}; ///< its seed is also that of the initial weights
  bool records_logits = false;              ///< "mixing" only
  bool records_losses = false;              ///< after each tenth of the steps
  int64_t sample_tokens = 0; ///< of a text after training; only of models as_trained_by_program
};

/// Loss on the validation text, in nats per token.
struct LossAtStep {
  int64_t step = 0;
  double loss = 0;
};

/// Logits of the first layer on rows of the validation text: focus logits of LEAP, or the inputs of the
/// softmax of attention at pairs that are not masked.
struct LogitsAtStep {
  int64_t step = 0;
  double max = 0;       ///< maximum absolute value
  double deviation = 0; ///< standard deviation
  double loss = 0;      ///< on the validation text, in nats per token
};

struct TrialResult {
  int64_t parameters = 0;   ///< without embeddings of words and positions, and without the bias of the logits
  double loss = 0;          ///< after the last step, on the validation text, in nats per token
  double training_loss = 0; ///< mean of the last tenth of the steps
  /// Loss or gradient were not finite in many successive steps; the losses are then NaN.
  bool diverged = false;
  std::vector<LogitsAtStep> logits =
      {}; ///< if recorded: before step 0, and after steps 1, 2, 5, 10, 20, 50 ...
  std::vector<LossAtStep> losses = {}; ///< if recorded
  /// Lines of a text that follows a line feed, drawn with a temperature of 0.8.
  std::vector<std::string> sample = {};
};

/// Trains each model on one thread, several at once. A result depends on its trial alone. Finished trials are
/// kept in `parts` by their position in `trials`, and are not trained again.
///
/// Errors  UsageError for a model or schedule that is out of range, or a text that is too short; Interrupted
inline constinit TorchFunction<std::vector<TrialResult>(const training::LanguageData& data,
                                                        std::span<const LanguageTrial> trials,
                                                        const Parts& parts, Progress& progress)>
    train_trials{"training language models"};

/// Number of parameters of a model as TrialResult::parameters.
inline constinit TorchFunction<int64_t(const TrialModel& model)> parameters_of{"training language models"};

} // namespace mneme::experiments
