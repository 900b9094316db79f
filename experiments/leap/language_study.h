// SPDX-License-Identifier: MIT

/// Texts, schedules, statistics and tables that the experiments with LEAP language models share.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "experiments/experiment.h"
#include "experiments/leap/language_trials.h"

namespace mneme::experiments {

/// A text as bytes.
struct StudyData {
  training::LanguageData data = {};
  std::string source = {}; ///< for readers
};

/// Default numbers of a quick and of a full run.
struct StudyDefault {
  int64_t quick, full;
  int64_t of(const RunSettings& settings) const { return settings.quick ? quick : full; }
};

/// The text of `study_texts`; validation_max: number of validation tokens, at most.
StudyData study_data(const RunSettings& settings,
                     const StudyDefault& validation_max = {.quick = 8192, .full = 1 << 20});

/// Training as published, with rows and a learning rate for small models: AdamW without weight decay,
/// gradient norms up to 1, warm-up over 5 % of the steps, then a cosine to 0.
training::LanguageSchedule study_schedule(int64_t steps, uint64_t seed);
/// `study_schedule` as text.
std::string describe_schedule();

constexpr int64_t kStudyLength = 256, kStudyRows = 2; ///< tokens of a row, rows of a step

/// A model that is trained with several seeds.
struct Studied {
  std::string name = {}; ///< unique within a study
  TrialModel model = {};
  int64_t steps = 1;
};

/// The results of a model, in the order of the seeds.
struct StudiedResult {
  std::vector<TrialResult> trials = {};

  int64_t parameters() const { return trials.front().parameters; }
  int64_t num_diverged() const;
  std::vector<double> losses() const; ///< of the trials that did not diverge
  trials::MeanInterval loss() const;  ///< NaN if all trials diverged
};

/// Trains all models with each of the seeds settings.seed, settings.seed + 1 ...
std::map<std::string, StudiedResult> train_models(const StudyData& text, const std::vector<Studied>& models,
                                                  int64_t seeds, const RunSettings& settings,
                                                  Progress& progress);

/// Mean of a's loss minus b's loss over the seeds with which neither diverged: the same seeds give the same
/// batches. NaN if there are none.
trials::MeanInterval loss_difference(const StudiedResult& a, const StudiedResult& b);

/// Compares the sign of a difference with that of the published one, as judge_side.
Comparison compare_sign(const std::string& what, double published, const trials::MeanInterval& measured);
/// Rule of compare_sign and of differences from 0, for ComparisonTable::tolerance.
std::string sign_tolerance();

/// A paragraph about diverged trials; empty if there are none.
std::string diverged_note(const std::map<std::string, StudiedResult>& results);

/// Does not compare losses of fewer training steps than those of a full run.
void skip_short_run(ComparisonTable& comparison, const RunSettings& settings, int64_t steps,
                    const StudyDefault& defaults);

/// The parameter --seeds, number of seeds, and its value.
ParameterInfo seeds_parameter();
int64_t seeds_of(const RunSettings& settings);
/// The parameter --width. `published`: default as text.
ParameterInfo width_parameter(const std::string& published);
/// An experiment that trains models on `study_texts` with the parameters --width, --seeds and --steps.
/// `described`: its texts and function; `published_width`: see width_parameter.
Experiment study_experiment(Experiment described, const std::string& published_width,
                            const StudyDefault& steps);

/// The parameters that all these experiments list, after their own ones, and a note about trials that
/// diverged.
void add_study_parameters(Outcome& outcome, const RunSettings& settings, const StudyData& text, int64_t seeds,
                          const std::map<std::string, StudiedResult>& results = {});

} // namespace mneme::experiments
