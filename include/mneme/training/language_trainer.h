// SPDX-License-Identifier: MIT

/// Trains causal language models.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "mneme/training/checkpoint.h"
#include "mneme/training/language_task.h"

namespace mneme::language {
class Model;
}

namespace mneme::training {

/// Result of one optimiser step.
struct LanguageStep {
  int64_t step = 0;         ///< from 0 on
  double loss = 0;          ///< mean cross-entropy in nats per token, before the step
  double bits_per_byte = 0; ///< the same sum in bits, divided by the bytes of the predicted tokens
  double gradient_norm = 0; ///< before clipping
  double learning_rate = 0;
  /// The loss or the gradient was not finite, so parameters and moments were left unchanged.
  bool skipped = false;
};

/// Loss on the validation text.
struct LanguageScore {
  double loss = 0;          ///< mean cross-entropy in nats per token
  double bits_per_byte = 0; ///< infinite if the predicted tokens have no bytes
  int64_t tokens = 0;       ///< predicted tokens
};

/// Training, one optimiser step at a time.
///
/// Results are the same, bit for bit, on any number of threads: the rows of a step are divided into
/// micro-batches by the settings alone; each is computed on one thread, because LibTorch's sums depend on the
/// number of threads; their gradients are added in order. Loss and gradient are divided by the number of
/// tokens of the whole step, so that they do not depend on the division into micro-batches, up to rounding.
class LanguageTrainer {
public:
  /// The data must outlive the trainer, which trains `model` in place.
  ///
  /// Errors  UsageError if an option is out of its range, the training text has no complete row, or tokens
  ///         are not in the vocabulary of the model
  LanguageTrainer(std::shared_ptr<language::Model> model, const LanguageData& data,
                  const LanguageSchedule& schedule);
  LanguageTrainer(LanguageTrainer&&) noexcept;
  ~LanguageTrainer();

  /// One optimiser step.
  ///
  /// Errors  UsageError if loss or gradient were not finite in 10 successive steps; Interrupted. The trainer
  ///         is then unchanged
  LanguageStep step();

  /// Computes the loss and the gradient of the next step, or only of its first `rows` rows, and changes
  /// nothing. Returns the loss.
  ///
  /// Errors  UsageError unless 1 <= rows <= schedule().rows_per_step; Interrupted
  double rehearse(std::optional<int64_t> rows = {});

  /// Loss on the complete validation text, in windows of `length` tokens that do not overlap, so that every
  /// token but the first is predicted once. Without dropout.
  ///
  /// Errors  UsageError if there are fewer than 2 validation tokens; Interrupted
  LanguageScore validate();

  /// `count` tokens that follow `prompt`, drawn with softmax(logits / temperature); drawn numbers depend on
  /// the seed and steps_done() alone. Without dropout.
  ///
  /// Errors  UsageError if the prompt is empty, or prompt and tokens are more than the model has positions
  std::vector<int32_t> sample(const std::vector<int32_t>& prompt, int64_t count, double temperature);

  int64_t steps_done() const;
  int64_t steps_skipped() const; ///< steps whose loss or gradient was not finite
  bool finished() const;
  int64_t num_parameters() const;
  const LanguageSchedule& schedule() const; ///< with rows_per_batch filled in
  language::Model& model();

  /// Everything that later steps depend on: a run resumed from it has the same results, bit for bit, as an
  /// uninterrupted one. The tensors share memory with the trainer.
  Checkpoint checkpoint() const;
  /// Errors  DataError if the checkpoint is not one of a language model; UsageError if it was made with
  ///         another model, schedule or text. The trainer is then unchanged
  void restore(const Checkpoint& given);

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace mneme::training
