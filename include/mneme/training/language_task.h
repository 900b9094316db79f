// SPDX-License-Identifier: MIT

/// Training of causal language models: tokens, batches, learning rates and model sizes. Does not need
/// LibTorch; language_trainer.h trains the models.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mneme/core/precision.h"

namespace mneme::training {

/// Tokens of the training and the validation text.
struct LanguageData {
  std::vector<int32_t> training = {}, validation = {};
  /// Bytes of text that each token of the vocabulary stands for; 0 for special tokens.
  std::vector<int32_t> token_bytes = {};

  int64_t vocab_size() const { return static_cast<int64_t>(token_bytes.size()); }
};

/// Learning rate after the warm-up.
enum class RateSchedule {
  cosine,   ///< half a cosine, from the peak to the final rate at `steps`, after the last step, as in nanoGPT
  wsd,      ///< warm-up, stable, decay: the peak, then linear in the last fifth of the steps, of which the
            ///< last one has the final rate
  constant, ///< the peak
};

/// Training schedule: AdamW with eps 1e-8 on the mean cross-entropy of each step, after gradient clipping.
struct LanguageSchedule {
  int64_t steps = 1000;
  int64_t length = 512;      ///< tokens of one row
  int64_t rows_per_step = 8; ///< rows of one optimiser step
  /// Rows of one micro-batch. The micro-batches of a step are computed in parallel, each on one thread, and
  /// their gradients are added in order. 0: `rows_per_batch_for`
  int64_t rows_per_batch = 0;
  double learning_rate = 1e-3; ///< peak
  double final_fraction = 0.1; ///< final learning rate, as a fraction of the peak; in [0, 1]
  RateSchedule rate_schedule = RateSchedule::cosine;
  int64_t warmup_steps = 50; ///< steps in which the learning rate increases linearly
  double weight_decay = 0.1; ///< decoupled; applied to matrices only, not to biases and norms
  double beta1 = 0.9, beta2 = 0.95;
  double gradient_norm_max = 1; ///< larger gradients are scaled down to this norm
  /// The model draws random numbers (dropout) from LibTorch's default generator. Micro-batches are then
  /// computed one after another.
  bool has_dropout = false;
  /// Of loss and gradient of the steps. Parameters, their moments, validation and samples are in float32.
  ProductPrecision precision = ProductPrecision::float32;
  bool one_batch = false; ///< every step trains on the batch of step 0: it must be learned by heart
  uint64_t seed = 1;      ///< of the batches and of dropout

  int64_t tokens_per_step() const { return rows_per_step * length; }
};

/// Learning rate of a step, from 0 on.
double learning_rate(const LanguageSchedule& schedule, int64_t step);

/// Default number of rows of a micro-batch: about 512 tokens, but at least two micro-batches per step if it
/// has two rows. Depends on the settings alone, so that results do not depend on the number of threads.
int64_t rows_per_batch_for(int64_t rows_per_step, int64_t length);

/// Position of the first token of each row of a step, uniform in [0, num_tokens - length). A row has `length`
/// input tokens, and as targets the token after each. The positions depend only on the seed and the step.
///
/// Errors  UsageError if num_tokens <= length
std::vector<int64_t> row_positions(const LanguageSchedule& schedule, int64_t step, int64_t num_tokens);

/// Type and size of a new model. Options that a type does not have are ignored.
struct LanguageModelSize {
  std::string type = "leap"; ///< a name of `language_model_types`
  int64_t layers = 4, width = 256, heads = 4;
  int64_t length = 512;              ///< of rows, and the number of learned positions
  std::string positions = "learned"; ///< as in language::ModelConfig
};

/// "leap", "matrix-leap", "gpt2", "lstm", "fastformer"
const std::vector<std::string>& language_model_types();

/// "tiny", "small", "medium"
const std::vector<std::string>& language_presets();

/// Size of a preset. All types of one preset have the same number of parameters within 4 %: the layers of an
/// LSTM, and the width of a Fastformer, are larger.
///
/// Errors  UsageError if the type or the preset is unknown
LanguageModelSize language_preset(std::string_view preset, std::string_view type);

/// Number of parameters within a few per cent, for decisions before a model is allocated. A double, because
/// products of sizes may overflow integers.
double approximate_parameters(const LanguageModelSize& size, int64_t vocab_size);

} // namespace mneme::training
