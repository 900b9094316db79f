// SPDX-License-Identifier: MIT

/// LEAP and a GPT-2 style model of the same size on Shakespeare, byte by byte: a published recipe, and half
/// an hour of training.

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include <fmt/format.h>

#include "experiments/given_points.h"
#include "experiments/leap/language_study.h"
#include "experiments/single_run.h"

namespace mneme::experiments {
namespace {

constexpr StudyDefault kSteps{.quick = 20, .full = 3500};
constexpr StudyDefault kRecipeSteps{.quick = 50, .full = 2000};
constexpr StudyDefault kWidth{.quick = 64, .full = 256};
constexpr double kRecipeLoss = 1.88; // nanoGPT, README: its training on a CPU
constexpr const char* kPublishedText = "tinyshakespeare.txt";
constexpr int64_t kSampleTokens = 240;

struct Kind {
  const char* name;
  const char* type;
};
constexpr std::array<Kind, 2> kKinds = {{{"LEAP", "leap"}, {"GPT-2 style", "gpt2"}}};

struct Size {
  const char* name;
  int64_t width = 0, heads = 4, layers = 4;
  training::LanguageSchedule schedule = {};
  bool keeps_text = false; ///< losses during training, and a sample
};

/// The recipe of nanoGPT for a CPU: 768 tokens per step.
Size recipe_of(const RunSettings& settings) {
  return {.name = "recipe of nanoGPT",
          .width = 128,
          .schedule = {.steps = kRecipeSteps.of(settings),
                       .length = 64,
                       .rows_per_step = 12,
                       .learning_rate = 1e-3,
                       .final_fraction = 0.1,
                       .warmup_steps = kRecipeSteps.of(settings) / 20,
                       .weight_decay = 0.1,
                       .beta1 = 0.9,
                       .beta2 = 0.99}};
}

/// The defaults of `mneme train lm`, with rows of 256 tokens.
Size half_hour_of(const RunSettings& settings) {
  const int64_t steps = settings.value_of("steps", kSteps.of(settings));
  return {.name = "half an hour",
          .width = settings.value_of("width", kWidth.of(settings)),
          .schedule = {.steps = steps,
                       .length = 256,
                       .rows_per_step = 16,
                       .warmup_steps = std::max<int64_t>(1, steps / 20)},
          .keeps_text = true};
}

constexpr double bits_of(double nats) {
  return nats / std::numbers::ln2;
}

trials::MeanInterval loss_in_bits(const StudiedResult& result) {
  std::vector<double> losses = result.losses();
  std::ranges::transform(losses, losses.begin(), bits_of);
  return losses.empty() ? result.loss() : trials::mean_interval(losses);
}

/// One line: lines of verse are divided by a stroke.
std::string quote(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    if (!line.empty()) {
      text += (text.empty() ? "" : " / ") + line;
    }
  }
  return text;
}

/// Mean loss over the seeds after each tenth of the steps.
report::Series curve_of(const char* name, const StudiedResult& result) {
  report::Series series{.name = name};
  const std::vector<LossAtStep>& steps = result.trials.front().losses;
  for (size_t i = 0; i < steps.size(); ++i) {
    std::vector<double> bits;
    for (const TrialResult& trial : result.trials) {
      if (i < trial.losses.size()) {
        bits.push_back(bits_of(trial.losses[i].loss));
      }
    }
    series.points.push_back({static_cast<double>(steps[i].step), estimate_of(trials::mean_interval(bits))});
  }
  return series;
}

std::string describe(const Size& size) {
  const training::LanguageSchedule& schedule = size.schedule;
  return fmt::format(
      "{} layers, width {}, {} heads; {} steps of {} rows of {} bytes; AdamW, learning rate {:g} "
      "to {:g} (cosine, warm-up over {} steps), weight decay {:g}, betas {:g} and {:g}; no dropout",
      size.layers, size.width, size.heads, schedule.steps, schedule.rows_per_step, schedule.length,
      schedule.learning_rate, schedule.learning_rate * schedule.final_fraction, schedule.warmup_steps,
      schedule.weight_decay, schedule.beta1, schedule.beta2);
}

Outcome run(const RunSettings& settings, Progress& progress) {
  const StudyData text = study_data(settings);
  const int64_t seeds = seeds_of(settings);
  const std::array<Size, 2> sizes = {half_hour_of(settings), recipe_of(settings)}; // the longest first
  const auto name_of = [](const Size& size, const Kind& kind) {
    return fmt::format("{}, {}", size.name, kind.name);
  };
  std::vector<LanguageTrial> trials;
  std::vector<std::string> names; // of the results of each trial
  for (const Size& size : sizes) {
    for (int64_t seed = 0; seed < seeds; ++seed) {
      for (const Kind& kind : kKinds) {
        names.push_back(name_of(size, kind));
        LanguageTrial& trial = trials.emplace_back();
        trial.model = {.type = kind.type,
                       .as_trained_by_program = true,
                       .width = size.width,
                       .heads = size.heads,
                       .layers = size.layers};
        trial.schedule = size.schedule;
        trial.schedule.seed = settings.seed + static_cast<uint64_t>(seed);
        trial.records_losses = size.keeps_text;
        trial.sample_tokens = size.keeps_text ? kSampleTokens : 0;
      }
    }
  }
  std::vector<TrialResult> flat = train_trials(text.data, trials, settings.parts, progress);
  std::map<std::string, StudiedResult> results; // by size and kind
  for (size_t i = 0; i < flat.size(); ++i) {
    results[names[i]].trials.push_back(std::move(flat[i]));
  }

  report::Table table{
      .columns = {
          {.name = "training"},
          {.name = "model", .align = report::Align::left},
          {.name = "parameters without embeddings", .key = "parameters"},
          {.name = "validation loss (nats per byte)", .key = "loss", .digits = 4},
          {.name = "bits per byte", .key = "bits_per_byte", .digits = 4},
          {.name = "training loss, last tenth (nats per byte)", .key = "training_loss", .digits = 4}}};
  report::Table texts{
      .columns = {{.name = "model"}, {.name = "seed"}, {.name = "text", .align = report::Align::left}}};
  report::LineChart chart{.title = "Loss on the held-out text during training",
                          .description = "Bits per byte of LEAP and a GPT-2 style model over training steps.",
                          .x = {.title = "training step"},
                          .y = {.title = "bits per byte"},
                          .series_title = "model"};
  for (const Size& size : sizes) {
    for (const Kind& kind : kKinds) {
      const StudiedResult& result = results.at(name_of(size, kind));
      std::vector<double> training;
      for (size_t i = 0; i < result.trials.size(); ++i) {
        const TrialResult& trial = result.trials[i];
        training.push_back(trial.training_loss);
        if (size.keeps_text) {
          texts.rows.push_back({kind.name, static_cast<int64_t>(settings.seed + i), quote(trial.sample)});
        }
      }
      table.rows.push_back({size.name, kind.name, result.parameters(), cell(result.loss()),
                            cell(loss_in_bits(result)), cell(trials::mean_interval(training))});
      if (size.keeps_text) {
        chart.series.push_back(curve_of(kind.name, result));
      }
    }
  }

  Outcome outcome{
      .parameters = {{sizes[1].name, describe(sizes[1])}, {sizes[0].name, describe(sizes[0])}},
      .tables = {{"Losses after training", std::move(table)},
                 {"Texts after half an hour (strokes divide lines)", std::move(texts)}},
      .figures = {{.name = "loss",
                   .chart = to_chart(chart),
                   .caption = "Training with the sizes of \"half an hour\"."}},
      .notes = {"A full run trains each model of \"half an hour\" on one thread for about that time; "
                "several models are trained at once.",
                "Shakespeare is ASCII, so a byte is a character. nanoGPT has a vocabulary of the 65 "
                "characters that occur, and validates on 20 random batches; these models have a "
                "vocabulary of 256 bytes, and are validated on the complete held-out text."}};
  const StudiedResult& recipe = results.at(name_of(sizes[1], kKinds[1]));
  if (recipe.losses().size() > 1) {
    outcome.comparisons = {compare_single_runs(
        {.title = "Validation loss of the GPT-2 style model with the recipe of nanoGPT",
         .source = "nanoGPT (github.com/karpathy/nanoGPT), README, training on a CPU",
         .resolution = 0.005,
         .resolution_source = "rounding",
         .runs = {{.what = "validation loss", .published = kRecipeLoss, .ours = recipe.losses()}}})};
    if (settings.quick) {
      outcome.comparisons[0].not_compared =
          fmt::format("a run of {} training steps (full: {})", kRecipeSteps.quick, kRecipeSteps.full);
    } else if (text.source.find(kPublishedText) == std::string::npos) {
      outcome.comparisons[0].not_compared = fmt::format("another text than {}", kPublishedText);
    }
  }
  outcome.parameters.emplace_back("text", text.source);
  outcome.parameters.emplace_back("seeds", fmt::format("{}, from {} on", seeds, settings.seed));
  add_given(outcome, settings);
  if (const std::string note = diverged_note(results); !note.empty()) {
    outcome.notes.push_back(note);
  }
  return outcome;
}

} // namespace

Experiment leap_shakespeare() {
  return study_experiment(
      {.id = "leap/shakespeare",
       .title = "LEAP and GPT-2 on Shakespeare",
       .claim = "With as many parameters and the same training, LEAP has about the loss of a transformer.",
       .source = "LEAP (github.com/mtanghu/LEAP), README; recipe of nanoGPT (github.com/karpathy/nanoGPT)",
       .run = run},
      fmt::format("mneme {}, with --quick {}", kWidth.full, kWidth.quick), kSteps);
}

} // namespace mneme::experiments
