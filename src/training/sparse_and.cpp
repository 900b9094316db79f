// SPDX-License-Identifier: MIT

#include "mneme/training/sparse_and.h"

#include <chrono>
#include <mutex>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/parallel.h"

namespace mneme::training {
namespace {

enum Stream : uint64_t { kFunction, kTraining, kValidation, kParameters, kDropout };

/// Draws function and samples of a trial.
SparseAndTrial draw_trial(const SparseAndOptions& options, Random random) {
  SparseAndTrial trial;
  trial.function = data::pick_sparse_and(options.model.context_length(), options.sparsity, options.with_rule,
                                         random.stream(kFunction));
  trial.training = data::draw_samples(trial.function, options.training_samples, random.stream(kTraining),
                                      options.sampling);
  try {
    trial.validation = data::draw_samples(trial.function, options.validation_samples,
                                          random.stream(kValidation), options.sampling);
  } catch (const data::UnbalancedSamples& error) {
    throw UnbalancedValidation(fmt::format("validation: {}", error.what()));
  }
  return trial;
}

/// Draws and trains a trial.
SparseAndTrial run_trial(const SparseAndOptions& options, Random random, Progress& progress) {
  const auto begin = std::chrono::steady_clock::now();
  SparseAndTrial trial = draw_trial(options, random);
  trial.fit = fit(options.model, initial_parameters(options.model, random.stream(kParameters)),
                  trial.training, options.schedule, random.stream(kDropout), progress);
  trial.validation_score = evaluate(options.model, trial.fit.parameters, trial.validation);
  trial.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return trial;
}

Random random_of(const SparseAndOptions& options, int64_t number) {
  return Random(options.seed).stream(static_cast<uint64_t>(number));
}

/// Errors  UsageError for the first trial whose training or validation labels are all equal
void check_classes(const SparseAndOptions& options) {
  for (int64_t number = 0; number < options.seeds; ++number) {
    throw_if_interrupted();
    const SparseAndTrial trial = draw_trial(options, random_of(options, number));
    for (const auto& [set, name] :
         {std::pair(&trial.training, "training"), std::pair(&trial.validation, "validation")}) {
      if (const double fraction = set->fraction_true(); fraction == 0 || fraction == 1) {
        throw UsageError(fmt::format("mneme::training::train_sparse_and: all {} {} labels of trial {} are "
                                     "{}, so a constant model would "
                                     "be always right.\n  Choose a probability of ones that balances the "
                                     "labels (1/2^(1/s)), draw more "
                                     "samples, or allow a single class.",
                                     set->labels.size(), name, number, fraction == 0 ? "false" : "true"));
      }
    }
  }
}

} // namespace

std::vector<SparseAndTrial> train_sparse_and(const SparseAndOptions& options, Progress& progress,
                                             const TrialDone& done) {
  if (options.seeds < 1) {
    throw UsageError(
        fmt::format("mneme::training::train_sparse_and: {} seeds were requested, but at least 1 is required.",
                    options.seeds));
  }
  if (options.both_classes_required && options.sampling.accept_last_try) {
    check_classes(options);
  }
  std::vector<SparseAndTrial> trials(static_cast<size_t>(options.seeds));
  std::mutex mutex; // serialises calls of `done`
  parallel_for(options.seeds, 1, [&](int64_t begin, int64_t end) {
    for (int64_t number = begin; number < end; ++number) {
      SparseAndTrial& trial = trials[static_cast<size_t>(number)];
      trial = run_trial(options, random_of(options, number), progress);
      if (done) {
        const std::lock_guard lock(mutex);
        done(number, trial);
      }
    }
  });
  return trials;
}

} // namespace mneme::training
