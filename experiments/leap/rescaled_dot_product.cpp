// SPDX-License-Identifier: MIT

/// Growth of the logits during training, with and without rescaling.

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "experiments/leap/language_study.h"

namespace mneme::experiments {
namespace {

constexpr StudyDefault kSteps{.quick = 200, .full = 4000};
constexpr StudyDefault kValidationTokens{.quick = 4096, .full = 16384};
const std::vector<int64_t> kWidths = {64, 128, 256}, kQuickWidths = {32, 64};
constexpr int64_t kHeads = 1, kLayers = 1, kLength = 16, kRows = 16;
constexpr double kRescale = 10;
constexpr double kNoLimit = 1e6; // of logits and losses in charts

struct Kind {
  const char* name;
  const char* mixing;
  bool rescaled;
};
constexpr std::array kKinds = {Kind{"LEAP", "exp", false}, Kind{"LEAP, rescaled", "orig", true},
                               Kind{"softmax attention", "attention", false},
                               Kind{"softmax attention, rescaled", "rescaled attention", true}};

/// The seeds of one kind at one width.
using Trials = std::vector<TrialResult>;

/// Mean over the seeds of a number of each trial; NaN if there are none.
template <class Number> trials::MeanInterval mean_of(const Trials& trials, Number number) {
  std::vector<double> numbers;
  for (const TrialResult& trial : trials) {
    numbers.push_back(number(trial));
  }
  return trials::mean_interval(numbers);
}

report::Chart chart_of(const char* title, const char* axis, const std::vector<std::vector<Trials>>& results,
                       const std::vector<int64_t>& widths, double LogitsAtStep::*value, bool has_bound) {
  std::vector<report::Chart> panels;
  for (size_t k = 0; k < kKinds.size(); ++k) {
    report::LineChart chart{.title = kKinds[k].name,
                            .description =
                                fmt::format("{} of {} over the training steps.", title, kKinds[k].name),
                            .x = {.title = "training steps + 1", .logarithmic = true},
                            .y = {.title = axis, .limits = std::pair(0.0, kNoLimit)},
                            .series_title = "width"};
    if (has_bound && kKinds[k].rescaled) {
      chart.references = {{.at = kRescale, .label = "bound", .horizontal = true}};
    }
    for (size_t w = 0; w < widths.size(); ++w) {
      const Trials& trials = results[k][w];
      report::Series series{.name = fmt::format("width {}", widths[w])};
      for (size_t i = 0; i < trials.front().logits.size(); ++i) {
        std::vector<double> numbers;
        for (const TrialResult& trial : trials) {
          if (i < trial.logits.size()) {
            numbers.push_back(trial.logits[i].*value);
          }
        }
        report::Estimate estimate = estimate_of(trials::mean_interval(numbers));
        if (!chart.references.empty()) { // of a mean of numbers from 0 to the bound
          estimate.low = std::max(estimate.low, 0.0);
          estimate.high = std::max(estimate.value, std::min(estimate.high, kRescale));
        }
        series.points.push_back({static_cast<double>(trials.front().logits[i].step + 1), estimate});
      }
      chart.series.push_back(std::move(series));
    }
    panels.push_back(to_chart(chart));
  }
  return to_chart(
      report::Panels{.title = title,
                     .description = fmt::format("{}: one panel per model, one line per width.", title),
                     .charts = std::move(panels)});
}

double max_of(const TrialResult& trial) {
  double max = 0;
  for (const LogitsAtStep& at : trial.logits) {
    max = std::isnan(at.max) ? at.max : std::max(max, at.max);
  }
  return max;
}

double last_max(const TrialResult& trial) {
  return trial.logits.back().max;
}

double growth_of(const TrialResult& trial) {
  return trial.logits.back().max - trial.logits.front().max;
}

Outcome run(const RunSettings& settings, Progress& progress) {
  const StudyData text = study_data(settings, kValidationTokens);
  const int64_t seeds = seeds_of(settings), steps = settings.value_of("steps", kSteps.of(settings));
  std::vector<int64_t> widths = settings.values_of("width", settings.quick ? kQuickWidths : kWidths);
  std::ranges::sort(widths);
  widths.erase(std::unique(widths.begin(), widths.end()), widths.end());
  std::vector<LanguageTrial> trials;
  for (size_t w = widths.size(); w-- > 0;) { // the longest first
    for (const Kind& kind : kKinds) {
      for (int64_t seed = 0; seed < seeds; ++seed) {
        LanguageTrial trial{.model = {.type = "mixing",
                                      .width = widths[w],
                                      .heads = kHeads,
                                      .layers = kLayers,
                                      .windows = std::vector<int64_t>(kLayers, 0),
                                      .rescale = kRescale,
                                      .mixing = kind.mixing},
                            .schedule = study_schedule(steps, settings.seed + static_cast<uint64_t>(seed)),
                            .records_logits = true};
        trial.schedule.length = kLength;
        trial.schedule.rows_per_step = trial.schedule.rows_per_batch = kRows;
        trials.push_back(std::move(trial));
      }
    }
  }
  std::vector<TrialResult> flat = train_trials(text.data, trials, settings.parts, progress);
  std::vector<std::vector<Trials>> results(kKinds.size(),
                                           std::vector<Trials>(widths.size())); // [kind][width]
  for (size_t i = 0; i < flat.size(); ++i) {
    const size_t group = i / static_cast<size_t>(seeds);
    results[group % kKinds.size()][widths.size() - 1 - group / kKinds.size()].push_back(std::move(flat[i]));
  }

  report::Table table{
      .columns = {{.name = "model"},
                  {.name = "width"},
                  {.name = "parameters without embeddings", .key = "parameters"},
                  {.name = "max |logit| before training", .key = "max_before", .digits = 3},
                  {.name = "max |logit| after training", .key = "max_after", .digits = 3},
                  {.name = "standard deviation before", .key = "deviation_before", .digits = 3},
                  {.name = "standard deviation after", .key = "deviation_after", .digits = 3},
                  {.name = "held-out loss (nats per byte)", .key = "loss", .digits = 4}}};
  ComparisonTable bounds{.title = "Rescaled logits stay below c",
                         .source = "LEAP, README, section on the rescaled dot product: c = 10",
                         .tolerance = "The maximum over all recorded steps and seeds must be at most c = 10. "
                                      "The square of the norm of a standardised vector of d features is at "
                                      "most d - 1, so a logit is at most c (d - 1) / d."},
      growth{
          .title = "Logits grow during training without rescaling",
          .source =
              "LEAP, issues \"Rescaling Attention values experiments\" and \"Running experiments/measurement "
              "on the Rescaled Dot-Product\", and README",
          .tolerance = sign_tolerance()};
  for (size_t k = 0; k < kKinds.size(); ++k) {
    for (size_t w = 0; w < widths.size(); ++w) {
      const Trials& of = results[k][w];
      const auto first = [&](double LogitsAtStep::*value) {
        return cell(mean_of(of, [&](const TrialResult& trial) { return trial.logits.front().*value; }));
      };
      const auto last = [&](double LogitsAtStep::*value) {
        return cell(mean_of(of, [&](const TrialResult& trial) { return trial.logits.back().*value; }));
      };
      table.rows.push_back({kKinds[k].name, widths[w], of.front().parameters, first(&LogitsAtStep::max),
                            last(&LogitsAtStep::max), first(&LogitsAtStep::deviation),
                            last(&LogitsAtStep::deviation),
                            cell(mean_of(of, [](const TrialResult& trial) { return trial.loss; }))});
      const std::string what = fmt::format("{}, width {}", kKinds[k].name, widths[w]);
      if (kKinds[k].rescaled) {
        double max = 0;
        for (const TrialResult& trial : of) {
          const double of_trial = max_of(trial);
          max = std::isnan(of_trial) || std::isnan(max) ? NAN : std::max(max, of_trial);
        }
        bounds.rows.push_back({.what = what + ": max |logit|",
                               .published = kRescale,
                               .measured = exact_mean(max),
                               .relation = Relation::at_most});
      } else {
        growth.rows.push_back(judge_side(what + ": max |logit| after training minus before", Relation::above,
                                         0, mean_of(of, growth_of)));
      }
    }
    if (!kKinds[k].rescaled && widths.size() > 1) {
      std::vector<double> differences;
      for (size_t seed = 0; seed < static_cast<size_t>(seeds); ++seed) {
        differences.push_back(last_max(results[k].back()[seed]) - last_max(results[k].front()[seed]));
      }
      growth.rows.push_back(
          judge_side(fmt::format("{}: max |logit| after training at width {} minus width {}", kKinds[k].name,
                                 widths.back(), widths.front()),
                     Relation::above, 0, trials::mean_interval(differences)));
    }
  }
  skip_short_run(growth, settings, steps, kSteps);
  Outcome outcome{
      .parameters =
          {{"models", fmt::format("{} layer with {} head, over all tokens of rows of {}, {} rows per step; "
                                  "LEAP has exponential weights",
                                  kLayers, kHeads, kLength, kRows)},
           {"rescaling", fmt::format("queries and keys (LEAP: also focus and values) are standardised, and "
                                     "dot products are scaled by {:.0f} / features instead of 1 / "
                                     "sqrt(features)",
                                     kRescale)},
           {"logits", fmt::format("focus logits of LEAP, inputs of the softmax of attention; of held-out "
                                  "rows, at steps 0, 1, 2, 5, 10, 20, 50 ... {}",
                                  steps)}},
      .comparisons = {std::move(bounds), std::move(growth)},
      .tables = {{"Logits before and after training, and the loss after it", std::move(table)}},
      .figures = {{.name = "max-logit",
                   .chart = chart_of("Maximum absolute logit", "max |logit|", results, widths,
                                     &LogitsAtStep::max, true),
                   .caption = "Rescaled logits cannot exceed the bound, at which their bands are cut."},
                  {.name = "deviation",
                   .chart = chart_of("Standard deviation of the logits", "standard deviation", results,
                                     widths, &LogitsAtStep::deviation, false),
                   .caption =
                       "Standard deviation over tokens (LEAP), or over pairs of tokens that are not masked "
                       "(attention)."},
                  {.name = "loss",
                   .chart = chart_of("Held-out loss", "loss (nats per byte)", results, widths,
                                     &LogitsAtStep::loss, false),
                   .caption = "Loss at the same steps."}},
      .notes = {"The original claims that rescaling keeps attention sparse and training stable, and lists a "
                "measurement as future work, with a single head and layer, wide models and short rows. There "
                "are no "
                "published numbers; the signs of the growth are those that the claim predicts.",
                "With dropout, which is not used here, logits of LEAP in training can exceed c by a factor "
                "of up to "
                "1 / (1 - p)^2: dropout scales the focus and then the logit."}};
  add_study_parameters(outcome, settings, text, seeds);
  for (auto& [name, value] : outcome.parameters) {
    if (name == "training") { // rows differ
      value = value.substr(value.find("; ") + 2);
    }
  }
  return outcome;
}

} // namespace

Experiment leap_rescaled_dot_product() {
  return study_experiment(
      {.id = "leap/rescaled-dot-product",
       .title = "Growth of logits with and without rescaling",
       .claim = "Dot products grow during training, more so in wide models; rescaling bounds them.",
       .source = "LEAP (github.com/mtanghu/LEAP), README and its issues on the rescaled dot product",
       .run = run},
      "none; mneme 64, 128, 256, with --quick 32, 64", kSteps);
}

} // namespace mneme::experiments
