// SPDX-License-Identifier: MIT

/// Training run of a language model in a folder: planned from a measured speed, with checkpoints, validation,
/// samples and metrics; resumed with the same bits after it was ended at any moment.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mneme/core/progress.h"
#include "mneme/core/torch_function.h"
#include "mneme/tokens/tokenizer.h"
#include "mneme/training/language_task.h"
#include "report/chart.h"

namespace mneme::language {
class Model;
}

namespace mneme::learning {

/// A trained model that a run starts from.
struct InitialModel {
  std::string type; ///< as in training::language_model_types
  int64_t vocab_size = 0, num_parameters = 0;
  std::optional<int64_t> max_length = {}; ///< number of learned positions
  tokens::Tokenizer tokenizer;
  std::optional<int32_t> start_token = {}; ///< that of its folder (language::recorded_start_token)
  std::vector<int32_t> end_tokens = {};    ///< those of its folder (language::recorded_end_tokens)
  std::string sha256;                      ///< of the configuration and all parameters
  std::shared_ptr<language::Model> model = {};
};

/// Errors  DataError if the folder has no model, or neither a tokenizer nor a vocabulary of bytes
inline constinit TorchFunction<InitialModel(const std::filesystem::path& folder)> read_initial_model{
    "training a language model"};

/// Settings of a run.
struct LanguageRun {
  training::LanguageModelSize model = {};
  double dropout = 0;
  /// steps, warmup_steps: filled in by the plan.
  training::LanguageSchedule schedule = {};
  /// The run ends after a number of steps, or else after a time, from which the plan computes a number of
  /// steps.
  std::optional<int64_t> steps = {};
  double minutes = 10;
  /// Warm-up: a number of steps, or else a fraction of all steps.
  std::optional<int64_t> warmup_steps = {};
  double warmup_fraction = 0.05;
  /// Steps between two validations, two samples, two checkpoints; 0: never. Default: from the plan.
  std::optional<int64_t> eval_every = {}, sample_every = {}, save_every = {};
  int64_t keep = 2; ///< number of checkpoints that are kept
};

/// Everything that is computed before the first step.
struct LanguagePlan {
  int64_t num_parameters = 0;
  double seconds_per_step = 0; ///< measured
  double seconds = 0;          ///< estimate for the steps that are not done yet
  int64_t steps = 0, warmup_steps = 0, rows_per_batch = 0;
  int64_t eval_every = 0, sample_every = 0, save_every = 0; ///< 0: never
  int64_t steps_done = 0;                                   ///< by the run that is resumed
  std::string resumed_from = {};                            ///< path of the checkpoint; empty: a new run
  std::string model_config = {};                            ///< text of config.json of the model
  int32_t start_token = 0;                                  ///< that samples begin with
};

/// The token that samples and texts without a prompt begin with. It must be trained, or the text after it is
/// meaningless: the end-of-text token if the training text has at least ten of them, else the line feed under
/// the same condition, else the first token of the training text, which must not be empty.
int32_t start_token_of(const tokens::Tokenizer& tokenizer, std::span<const int32_t> training_text);

/// The plan of a run whose steps take this time. A run limited by time spends at most a tenth of it on
/// validation.
LanguagePlan plan_of(const LanguageRun& run, double seconds_per_step, int64_t validation_tokens);

struct LanguageJob {
  LanguageRun run = {};
  const training::LanguageData* data = nullptr;
  tokens::Tokenizer tokenizer;
  std::filesystem::path folder = {}; ///< of the run; empty if only its plan is needed
  /// The trained model that the run starts from, which is changed; null: a new one.
  std::shared_ptr<language::Model> initial = {};
  std::optional<int32_t> start_token = {}; ///< default: start_token_of
  /// Checkpoint to resume from; empty: the newest complete one in `folder`/checkpoints, if there is one.
  std::filesystem::path resume_from = {};
};

/// One line of metrics.jsonl: a step, a validation or a sample.
struct LanguageRecord {
  enum class Kind { step, validation, sample };
  Kind kind = Kind::step;
  int64_t step = 0; ///< number of steps done
  double loss = 0;  ///< nats per token; NaN for a skipped step and a sample
  double bits_per_byte = 0;
  double gradient_norm = 0, learning_rate = 0; ///< of a step
  std::string text = {};                       ///< of a sample
};

struct LanguageFit {
  LanguagePlan plan = {};
  std::vector<LanguageRecord> records = {}; ///< of the whole run, in order
  std::optional<int64_t> saved_step = {};   ///< number of steps of the model in the folder, if there is one
  int64_t steps_skipped = 0;
  int64_t steps_here = 0;      ///< number of steps of this process
  double seconds = 0;          ///< wall time of this process
  double seconds_in_steps = 0; ///< of that, in optimiser steps
};

/// Called once, before the first step. False: stop here.
using LanguagePlanned = std::function<bool(const LanguagePlan& plan)>;

/// Trains a model in job.folder: metrics.jsonl, the tokenizer, checkpoints/ and, with each checkpoint,
/// model.safetensors; the caller writes config.json. The result is the same, bit for bit, on any number of
/// threads and however often the run was ended and resumed.
///
/// Errors  as LanguageTrainer; OutputError; DataError or UsageError if resume_from is not a checkpoint of
///         this run; Interrupted after a checkpoint has been written
inline constinit TorchFunction<LanguageFit(const LanguageJob& job, const LanguagePlanned& planned,
                                           Progress& progress)>
    train_language_model{"training a language model"};

/// A number with `digits` digits after the point, or "not a number" or "infinite".
std::string number_text(double number, int digits);
/// A loss in nats per token and in bits per byte, such as "3.8170 nats per token, 5.507 bits per byte", or as
/// number_text if it is not finite.
std::string loss_text(double loss, double bits_per_byte);

/// Records from the text of metrics.jsonl. Errors  DataError
std::vector<LanguageRecord> parse_records(const std::string& text, const std::string& source);
/// One line of metrics.jsonl.
std::string line_of(const LanguageRecord& record);

/// Training and validation loss over the steps; at most about a thousand points.
report::Chart loss_curves(const std::string& title, const std::vector<LanguageRecord>& records);
/// Gradient norm and learning rate over the steps.
report::Chart step_curves(const std::vector<LanguageRecord>& records);

} // namespace mneme::learning
