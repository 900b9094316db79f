// SPDX-License-Identifier: MIT

#include "mneme/training/sparse_and.h"

#include <chrono>
#include <mutex>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/parallel.h"

namespace mneme::training {
namespace {

enum Stream : uint64_t { kFunction, kTraining, kValidation, kParameters, kDropout };

SparseAndTrial run_trial(const SparseAndOptions& options, Random random, Progress& progress) {
  const auto begin = std::chrono::steady_clock::now();
  SparseAndTrial trial;
  trial.function = data::pick_sparse_and(options.model.context_length(), options.sparsity, options.with_rule,
                                         random.stream(kFunction));
  trial.training = data::draw_samples(trial.function, options.training_samples, random.stream(kTraining),
                                      options.sampling);
  trial.validation = data::draw_samples(trial.function, options.validation_samples,
                                        random.stream(kValidation), options.sampling);
  trial.fit = fit(options.model, initial_parameters(options.model, random.stream(kParameters)),
                  trial.training, options.schedule, random.stream(kDropout), progress);
  trial.validated = evaluate(options.model, trial.fit.parameters, trial.validation);
  trial.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return trial;
}

} // namespace

std::vector<SparseAndTrial> train_sparse_and(const SparseAndOptions& options, Progress& progress,
                                             const TrialDone& done) {
  if (options.seeds < 1) {
    throw UsageError(fmt::format(
        "mneme::training::train_sparse_and: {} seeds were asked for, at least 1 is needed.", options.seeds));
  }
  std::vector<SparseAndTrial> trials(static_cast<size_t>(options.seeds));
  std::mutex one_at_a_time;
  parallel_for(options.seeds, 1, [&](int64_t begin, int64_t end) {
    for (int64_t number = begin; number < end; ++number) {
      SparseAndTrial& trial = trials[static_cast<size_t>(number)];
      trial = run_trial(options, Random(options.seed).stream(static_cast<uint64_t>(number)), progress);
      if (done) {
        const std::lock_guard lock(one_at_a_time);
        done(number, trial);
      }
    }
  });
  return trials;
}

} // namespace mneme::training
