// SPDX-License-Identifier: MIT

#include "experiments/leap/language_study.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include <fmt/format.h>

#include "experiments/given_points.h"
#include "experiments/transformer/study_texts.h"

namespace mneme::experiments {
namespace {

constexpr double kLearningRate = 2e-3;
constexpr double kWarmup = 0.05; // fraction of the steps
constexpr StudyDefault kSeeds{.quick = 2, .full = 3};
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::vector<int32_t> bytes_of(std::string_view text) {
  std::vector<int32_t> ids;
  ids.reserve(text.size());
  for (const char c : text) {
    ids.push_back(static_cast<unsigned char>(c));
  }
  return ids;
}

trials::MeanInterval interval_of(const std::vector<double>& numbers) {
  return numbers.empty() ? exact_mean(kNaN) : trials::mean_interval(numbers);
}

/// Multiply-adds of training, up to a factor.
double cost(const TrialModel& model, int64_t steps) {
  return static_cast<double>(steps) * static_cast<double>(model.layers) * static_cast<double>(model.width) *
         static_cast<double>(model.width);
}

} // namespace

StudyData study_data(const RunSettings& settings, const StudyDefault& validation_max) {
  StudyTexts texts = study_texts(settings);
  StudyData study{.source = texts.source};
  study.data.training = bytes_of(texts.training);
  study.data.validation =
      bytes_of(std::string_view(texts.held_out).substr(0, static_cast<size_t>(validation_max.of(settings))));
  study.data.token_bytes.assign(256, 1);
  return study;
}

training::LanguageSchedule study_schedule(int64_t steps, uint64_t seed) {
  return {.steps = steps,
          .length = kStudyLength,
          .rows_per_step = kStudyRows,
          .rows_per_batch = kStudyRows,
          .learning_rate = kLearningRate,
          .final_fraction = 0,
          .warmup_steps = std::llround(kWarmup * static_cast<double>(steps)),
          .weight_decay = 0,
          .beta1 = 0.9,
          .beta2 = 0.999,
          .seed = seed};
}

std::string describe_schedule() {
  return fmt::format(
      "{} rows of {} tokens per step; AdamW without weight decay, betas 0.9 and 0.999, gradient "
      "norms up to 1; learning rate {}, warm-up over {:.0f} % of the steps, then a cosine to 0; no "
      "dropout",
      kStudyRows, kStudyLength, kLearningRate, 100 * kWarmup);
}

int64_t StudiedResult::num_diverged() const {
  return std::ranges::count_if(trials, &TrialResult::diverged);
}

std::vector<double> StudiedResult::losses() const {
  std::vector<double> losses;
  for (const TrialResult& trial : trials) {
    if (!trial.diverged) {
      losses.push_back(trial.loss);
    }
  }
  return losses;
}

trials::MeanInterval StudiedResult::loss() const {
  return interval_of(losses());
}

std::map<std::string, StudiedResult> train_models(const StudyData& text, const std::vector<Studied>& models,
                                                  int64_t seeds, const RunSettings& settings,
                                                  Progress& progress) {
  struct Place {
    const Studied* model;
    int64_t seed;
  };
  std::vector<Place> places;
  for (const Studied& model : models) {
    for (int64_t seed = 0; seed < seeds; ++seed) {
      places.push_back({&model, seed});
    }
  }
  // The longest first, so that all threads are busy to the end.
  std::ranges::stable_sort(places, [](const Place& a, const Place& b) {
    return cost(a.model->model, a.model->steps) > cost(b.model->model, b.model->steps);
  });
  std::vector<LanguageTrial> trials;
  for (const auto& [model, seed] : places) {
    trials.push_back({.model = model->model,
                      .schedule = study_schedule(model->steps, settings.seed + static_cast<uint64_t>(seed))});
  }
  std::vector<TrialResult> results = train_trials(text.data, trials, settings.parts, progress);
  std::map<std::string, StudiedResult> by_name;
  for (size_t i = 0; i < places.size(); ++i) {
    std::vector<TrialResult>& of_model = by_name[places[i].model->name].trials;
    of_model.resize(static_cast<size_t>(seeds));
    of_model[static_cast<size_t>(places[i].seed)] = std::move(results[i]);
  }
  return by_name;
}

trials::MeanInterval loss_difference(const StudiedResult& a, const StudiedResult& b) {
  std::vector<double> differences;
  for (size_t i = 0; i < std::min(a.trials.size(), b.trials.size()); ++i) {
    if (!a.trials[i].diverged && !b.trials[i].diverged) {
      differences.push_back(a.trials[i].loss - b.trials[i].loss);
    }
  }
  return interval_of(differences);
}

Comparison compare_sign(const std::string& what, double published, const trials::MeanInterval& measured) {
  return judge_side(fmt::format("{} (published {:+.3f})", what, published),
                    published < 0 ? Relation::below : Relation::above, 0, measured);
}

std::string sign_tolerance() {
  return "The sign of the difference is compared. It is not judged if the 95 % interval over the seeds "
         "contains 0, or if there is one seed.";
}

std::string diverged_note(const std::map<std::string, StudiedResult>& results) {
  std::string models;
  for (const auto& [name, result] : results) {
    if (const int64_t count = result.num_diverged(); count > 0) {
      models +=
          fmt::format("{}{} ({} of {} seeds)", models.empty() ? "" : ", ", name, count, result.trials.size());
    }
  }
  return models.empty() ? "" : "Diverged, and left out of the means: " + models + ".";
}

void skip_short_run(ComparisonTable& comparison, const RunSettings& settings, int64_t steps,
                    const StudyDefault& defaults) {
  if (settings.quick || settings.has_given("steps")) {
    comparison.not_compared = fmt::format("a run of {} training steps (full: {})", steps, defaults.full);
  }
}

int64_t seeds_of(const RunSettings& settings) {
  return settings.value_of("seeds", kSeeds.of(settings));
}

ParameterInfo seeds_parameter() {
  return {.name = "seeds",
          .help = "Number of seeds with which each language model is trained",
          .published = fmt::format("1; mneme {}, with --quick {}", kSeeds.full, kSeeds.quick),
          .min = 1,
          .max = 100};
}

ParameterInfo width_parameter(const std::string& published) {
  return {.name = "width",
          .help = "Width of the language models that are trained",
          .published = published,
          .min = 4,
          .max = 4096};
}

Experiment study_experiment(Experiment described, const std::string& published_width,
                            const StudyDefault& steps) {
  described.is_parallel = described.needs_torch = true;
  described.inputs = study_inputs;
  described.parameters = {text_parameter(), width_parameter(published_width), seeds_parameter(),
                          steps_parameter(steps.quick, steps.full)};
  return described;
}

void add_study_parameters(Outcome& outcome, const RunSettings& settings, const StudyData& text, int64_t seeds,
                          const std::map<std::string, StudiedResult>& results) {
  outcome.parameters.emplace_back("text", text.source);
  outcome.parameters.emplace_back("tokens",
                                  fmt::format("bytes; losses of the first {} held-out ones, in nats per "
                                              "token",
                                              text.data.validation.size()));
  outcome.parameters.emplace_back("training", describe_schedule());
  outcome.parameters.emplace_back("seeds", fmt::format("{}, from {} on", seeds, settings.seed));
  add_given(outcome, settings);
  if (const std::string note = diverged_note(results); !note.empty()) {
    outcome.notes.push_back(note);
  }
}

} // namespace mneme::experiments
