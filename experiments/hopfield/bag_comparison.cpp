// SPDX-License-Identifier: MIT

#include "experiments/hopfield/bag_comparison.h"

#include <algorithm>
#include <functional>
#include <string_view>

#include <fmt/format.h>

#include "learning/sparse_and.h"
#include "learning/bags.h"
#include "learning/bag_fits.h"
#include "experiments/published.h"
#include "experiments/single_run.h"
#include "mneme/core/error.h"

namespace mneme::experiments {
namespace {

using nlohmann::json;

/// Published values were read from plotted curves, to about four digits.
constexpr double kReading = 5e-4;
/// The mean accuracy of the last epochs is also compared, since single epochs scatter; for long runs only.
constexpr int64_t kLastEpochs = 10;

/// A group of fits and its published curves.
struct Compared {
  learning::BagGroup group;
  json curves;
  int64_t epochs = 0; ///< number of epochs after which they are compared
};

/// Key of a measure in the published curves, such as "loss_eval".
std::string published_key(const learning::BagMeasure& measure) {
  const std::string key = measure.key;
  const bool is_training = key.starts_with("training");
  return key.substr(key.find('_') + 1) + (is_training ? "_train" : "_eval");
}

double mean_of_last(const std::vector<double>& curve, int64_t end) {
  double sum = 0;
  for (int64_t i = end - kLastEpochs; i < end; ++i) {
    sum += curve[static_cast<size_t>(i)] / static_cast<double>(kLastEpochs);
  }
  return sum;
}

/// Number of bags of an accuracy; 0 for a loss.
int64_t cases_of(const learning::BagMeasure& measure, const training::BagTask& task) {
  const std::string key = measure.key;
  if (key.ends_with("loss")) {
    return 0;
  }
  return key.starts_with("training") ? task.training.count() : task.validation.count();
}

/// Accuracy of the constant prediction of the more frequent class.
double chance_of(const data::LabelledBags& bags) {
  const double positive = static_cast<double>(bags.num_positive()) / static_cast<double>(bags.count());
  return std::max(positive, 1 - positive);
}

/// Published curves of the same layer with the other options, "adapted" or default; null if there are none.
const json* counterpart_of(const Compared& compared, const std::vector<Compared>& all) {
  const std::string& name = compared.group.name;
  const auto found = std::ranges::find_if(all, [&](const Compared& other) {
    return other.group.name == name + "-adapted" || other.group.name + "-adapted" == name;
  });
  return found == all.end() ? nullptr : &found->curves;
}

/// Accuracies that an interval must separate (SingleRun::alternatives): chance level, and that of the
/// counterpart, else 1. `value` reads a published curve.
std::vector<double> alternatives_of(const learning::BagMeasure& measure, const training::BagTask& task,
                                    const json* counterpart,
                                    const std::function<double(const json&)>& value) {
  if (cases_of(measure, task) == 0) {
    return {};
  }
  const bool is_training = std::string_view(measure.key).starts_with("training");
  return {chance_of(is_training ? task.training : task.validation),
          counterpart == nullptr ? 1 : value(counterpart->at(published_key(measure)))};
}

void add_runs(const Compared& compared, const json* counterpart, const training::BagTask& task,
              std::vector<SingleRun>& runs) {
  const auto last = static_cast<size_t>(compared.epochs - 1);
  for (const learning::BagMeasure& measure : learning::bag_measures()) {
    const json& curve = compared.curves.at(published_key(measure));
    runs.push_back(
        {.what = fmt::format("{}: {} after {} epochs", compared.group.name, measure.name, compared.epochs),
         .published = curve.at(last),
         .ours = learning::after_epochs(compared.group, measure, compared.epochs),
         .cases = cases_of(measure, task),
         .alternatives = alternatives_of(measure, task, counterpart, [&](const json& other) {
           return other.at(std::min(last, other.size() - 1)).get<double>();
         })});
  }
  if (compared.epochs < 3 * kLastEpochs) {
    return;
  }
  const learning::BagMeasure& accuracy = learning::bag_measure("validation_accuracy");
  SingleRun mean{.what = fmt::format("{}: {}, mean of the last {} epochs", compared.group.name, accuracy.name,
                                     kLastEpochs),
                 .published = mean_of_last(compared.curves.at(published_key(accuracy)), compared.epochs),
                 .cases = cases_of(accuracy, task),
                 .alternatives = alternatives_of(accuracy, task, counterpart, [&](const json& other) {
                   return mean_of_last(other, std::min(compared.epochs, std::ssize(other)));
                 })};
  for (const training::BagFit& fit : compared.group.fits) {
    std::vector<double> curve;
    std::ranges::transform(fit.epochs, std::back_inserter(curve), accuracy.of);
    mean.ours.push_back(mean_of_last(curve, compared.epochs));
  }
  runs.push_back(std::move(mean));
}

report::Chart panel(const Compared& compared, report::Axis y, const char* training_key,
                    const char* validation_key) {
  report::LineChart chart{.title = y.title,
                          .description = fmt::format("{} over epochs, ours and published.", y.title),
                          .x = {.title = "epoch"},
                          .y = std::move(y)};
  for (const char* key : {training_key, validation_key}) {
    const learning::BagMeasure& measure = learning::bag_measure(key);
    const std::string name = key == training_key ? "training" : "validation";
    chart.series.push_back(learning::seeds_series(name, compared.group, measure));
    report::Series line{.name = name + ", published", .style = report::SeriesStyle::dashed_line};
    const json& curve = compared.curves.at(published_key(measure));
    for (size_t i = 0; i < curve.size(); ++i) {
      line.points.push_back({static_cast<double>(i + 1), exact_point(curve[i])});
    }
    chart.series.push_back(std::move(line));
  }
  return to_chart(chart);
}

std::vector<Compared> train(const training::BagTask& task, const BagComparison& comparison,
                            const RunSettings& settings, Progress& progress) {
  std::vector<training::BagJob> jobs;
  int64_t epochs = 0;
  for (const auto& [model, name] : comparison.models) {
    training::BagSchedule schedule = task.schedule_of(model);
    if (comparison.epochs_max > 0) {
      schedule.epochs = std::min(schedule.epochs, comparison.epochs_max);
    }
    for (int64_t seed = 0; seed < comparison.seeds; ++seed) {
      jobs.push_back({.task = &task,
                      .model = model,
                      .schedule = schedule,
                      .seed = settings.seed + static_cast<uint64_t>(seed)});
      epochs += schedule.epochs;
    }
  }
  progress.start(task.name + ", epochs", epochs);
  const std::vector<training::BagFit> fits = learning::train_bags(jobs, progress, {});
  progress.finish();
  std::vector<Compared> all;
  for (size_t m = 0; m < comparison.models.size(); ++m) {
    const auto& [model, name] = comparison.models[m];
    const auto first = fits.begin() + static_cast<int64_t>(m) * comparison.seeds;
    all.push_back({.group = {.name = model, .fits = {first, first + comparison.seeds}},
                   .curves = published("hopfield_curves").at(comparison.example).at(name)});
    all.back().epochs = std::min(std::ssize(first->epochs), std::ssize(all.back().curves.at("loss_train")));
  }
  return all;
}

} // namespace

Outcome compare_bags(const training::BagTask& task, const BagComparison& comparison,
                     const RunSettings& settings, Progress& progress) {
  if (const std::string set = training::single_class_set(task); !set.empty()) {
    throw UsageError(
        fmt::format("{}: {}, so accuracies are meaningless.\n  Use data with both classes.", task.name, set));
  }
  const std::vector<Compared> all = train(task, comparison, settings, progress);
  SingleRuns runs{.title = "Published runs compared with ours",
                  .source = comparison.source,
                  .resolution = kReading,
                  .resolution_source = "reading it from a drawn curve"};
  std::vector<learning::BagGroup> groups;
  Outcome outcome;
  for (const Compared& compared : all) {
    add_runs(compared, counterpart_of(compared, all), task, runs.runs);
    groups.push_back(compared.group);
    outcome.figures.push_back(
        {.name = compared.group.name,
         .chart = to_chart(
             report::Panels{.title = compared.group.name,
                            .description = "Loss and accuracy over epochs, ours and published.",
                            .charts = {panel(compared, {.title = "loss"}, "training_loss", "validation_loss"),
                                       panel(compared, report::fraction_axis("accuracy"), "training_accuracy",
                                             "validation_accuracy")}}),
         .caption = "Solid lines are medians of our seeds, and bands range from the minimum to the maximum; "
                    "dashed lines are the published run."});
  }
  const training::BagSchedule& schedule = task.schedule;
  outcome.comparisons = {compare_single_runs(runs)};
  outcome.comparisons.front().not_compared = comparison.not_compared;
  if (comparison.epochs_max > 0 && comparison.epochs_max < schedule.epochs) {
    outcome.restriction = fmt::format("{} of {} epochs, accuracies at the end are not compared",
                                      comparison.epochs_max, schedule.epochs);
  }
  outcome.tables = {{"Our results after the last epoch", learning::bag_table(groups)}};
  outcome.parameters = {
      {"bags", fmt::format("{} for training, {} of them positive; {} for validation, {} of them positive",
                           task.training.count(), task.training.num_positive(), task.validation.count(),
                           task.validation.num_positive())},
      {"optimiser",
       fmt::format("AdamW at {:g}, weight decay {:g}, gradients clipped to norm {:g}, batches of {}",
                   schedule.learning_rate, schedule.weight_decay, schedule.gradient_norm_max,
                   schedule.batch_size)},
      {"epochs", comparison.epochs_max > 0
                     ? fmt::format("at most {} (published: {})", comparison.epochs_max, schedule.epochs)
                     : fmt::format("{}", schedule.epochs)},
      {"seeds", fmt::format("{} from seed {}: initial weights, order of bags, dropout", comparison.seeds,
                            settings.seed)}};
  return outcome;
}

} // namespace mneme::experiments
