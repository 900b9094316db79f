// SPDX-License-Identifier: MIT

#include "learning/run_curves.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <span>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "learning/sparse_and.h"
#include "mneme/core/error.h"

namespace mneme::learning {
namespace {

/// A measure of a figure; runs of different tasks have different keys for it.
struct Measure {
  const char* name;
  const char* axis;
  std::array<const char*, 2> keys; ///< the second one may be null
  const char* column;              ///< in runs.csv, with the unit
};
constexpr std::array kByEpoch = {
    Measure{"training loss", "loss", {"training_loss", "loss"}, "training loss"},
    Measure{"validation loss", "loss", {"validation_loss", nullptr}, "validation loss"},
    Measure{"training accuracy", "accuracy", {"training_accuracy", "accuracy"}, "training accuracy"},
    Measure{"validation accuracy", "accuracy", {"validation_accuracy", nullptr}, "validation accuracy"}};
// Not the loss in nats per token: runs may have different tokenizers.
constexpr std::array kByStep = {
    Measure{"training loss", "bits per byte of text", {"bits_per_byte", nullptr}, "training_bits_per_byte"},
    Measure{"validation loss",
            "bits per byte of text",
            {"validation_bits_per_byte", nullptr},
            "validation_bits_per_byte"}};
constexpr const char* kSelected = "validation loss"; ///< the measure whose minimum is listed

const std::string& unit_of(const std::vector<RunMetrics>& runs) {
  for (const RunMetrics& run : runs) {
    if (run.unit != runs.front().unit) {
      throw UsageError(
          fmt::format("the run {} counts {}s, but {} counts {}s.\n  Give runs of tasks that count "
                      "the same.",
                      runs.front().name, runs.front().unit, run.name, run.unit));
    }
  }
  return runs.front().unit;
}

std::span<const Measure> measures_of(const std::string& unit) {
  return unit == "epoch" ? std::span<const Measure>(kByEpoch) : std::span<const Measure>(kByStep);
}

/// Median, minimum and maximum over the seeds, each with its last value that is known.
std::vector<report::Point> points_of(const std::vector<MetricCurve>& curves) {
  std::set<double> places;
  for (const MetricCurve& curve : curves) {
    for (const auto& [x, value] : curve) {
      places.insert(x);
    }
  }
  std::vector<report::Point> points;
  std::vector<size_t> next(curves.size(), 0); // of each curve
  std::vector<double> last(curves.size(), std::nan(""));
  for (const double x : places) {
    for (size_t i = 0; i < curves.size(); ++i) {
      for (; next[i] < curves[i].size() && curves[i][next[i]].first <= x; ++next[i]) {
        last[i] = curves[i][next[i]].second;
      }
    }
    std::vector<double> known;
    std::ranges::copy_if(last, std::back_inserter(known), [](double value) { return std::isfinite(value); });
    if (!known.empty()) {
      const auto [min, max] = std::ranges::minmax(known);
      points.push_back({x, {quantile(known, 0.5), min, max}});
    }
  }
  return points;
}

/// The points of a measure; none if the run does not have it.
std::vector<report::Point> points_of(const RunMetrics& run, const Measure& measure) {
  for (const char* key : measure.keys) {
    if (const auto found = key == nullptr ? run.curves.end() : run.curves.find(key);
        found != run.curves.end()) {
      return points_of(found->second);
    }
  }
  return {};
}

/// At most about a thousand points.
std::vector<report::Point> thinned(const std::vector<report::Point>& points) {
  constexpr size_t kPoints = 1000;
  const size_t per_point = points.size() / kPoints + 1;
  std::vector<report::Point> result;
  for (size_t first = 0; first < points.size(); first += per_point) {
    const std::span group = std::span(points).subspan(first, std::min(per_point, points.size() - first));
    report::Point mean{group.back().x, {0, 0, 0}};
    for (const report::Point& point : group) {
      mean.y.value += point.y.value / static_cast<double>(group.size());
      mean.y.low += point.y.low / static_cast<double>(group.size());
      mean.y.high += point.y.high / static_cast<double>(group.size());
    }
    result.push_back(mean);
  }
  return result;
}

bool any_has(const std::vector<RunMetrics>& runs, const Measure& measure) {
  return std::ranges::any_of(runs, [&](const RunMetrics& run) { return !points_of(run, measure).empty(); });
}

} // namespace

RunMetrics parse_metrics(const std::string& text, const std::string& source) {
  RunMetrics run;
  std::map<std::string, std::map<int64_t, MetricCurve>> curves; // by measure, and seed or trial
  std::istringstream lines(text);
  int64_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const auto json = nlohmann::json::parse(line, nullptr, false);
    const auto integer = [&](const char* key) {
      return json.is_object() && json.contains(key) && json[key].is_number_integer();
    };
    const char* unit = integer("epoch") ? "epoch" : "step";
    if (!integer(unit) || (!run.unit.empty() && run.unit != unit)) {
      throw DataError(
          fmt::format("{}: line {} is not an object with a number \"epoch\" or \"step\".\n  Give the "
                      "folder of a run of `mneme train`.",
                      source, number));
    }
    run.unit = unit;
    const char* replicate = integer("seed") ? "seed" : "trial";
    const int64_t of = integer(replicate) ? json[replicate].get<int64_t>() : 0;
    for (const Measure& measure : measures_of(run.unit)) {
      for (const char* key : measure.keys) {
        if (key != nullptr && json.contains(key) && (json[key].is_number() || json[key].is_null())) {
          curves[key][of].emplace_back(json[unit].get<double>(),
                                       json[key].is_null() ? std::nan("") : json[key].get<double>());
        }
      }
    }
  }
  for (auto& [key, by_seed] : curves) {
    for (auto& [seed, curve] : by_seed) {
      run.curves[key].push_back(std::move(curve));
    }
  }
  if (std::ranges::none_of(measures_of(run.unit), [&](const Measure& one) { return any_has({run}, one); })) {
    throw DataError(
        fmt::format("{}: contains no losses.\n  Give the folder of a run that has finished an epoch "
                    "or a step.",
                    source));
  }
  return run;
}

report::Chart run_curves(const std::string& title, const std::vector<RunMetrics>& runs) {
  const std::string& unit = unit_of(runs);
  report::Panels panels{.title = title,
                        .description = fmt::format("Loss and accuracy over {}s, one line per run.", unit),
                        .one_legend = true};
  for (const Measure& measure : measures_of(unit)) {
    if (!any_has(runs, measure)) {
      continue;
    }
    const std::string axis = measure.axis;
    report::LineChart chart{.title = measure.name,
                            .description = fmt::format("{} over {}s.", measure.name, unit),
                            .x = {.title = unit},
                            .y = axis == "accuracy" ? report::fraction_axis(axis)
                                                    : report::Axis{.title = axis},
                            .series_title = "run"};
    for (const RunMetrics& run : runs) { // also without points, so that all panels have the same colours
      const std::vector<report::Point> points = thinned(points_of(run, measure));
      chart.series.push_back({.name = run.name, .points = points, .style = curve_style(points)});
    }
    panels.charts.push_back(to_chart(chart));
  }
  return to_chart(panels);
}

report::Table run_table(const std::vector<RunMetrics>& runs) {
  const std::string& unit = unit_of(runs);
  const bool has_models = std::ranges::any_of(runs, [](const RunMetrics& run) { return !run.model.empty(); });
  const bool has_seeds = unit == "epoch";
  const std::string table_unit = unit == "epoch" ? "" : "bits per byte";
  // Losses of bags may be far below 1e-4; those of texts are near 1.
  const report::Notation notation = has_seeds ? report::Notation::automatic : report::Notation::fixed;
  report::Table table{.columns = {{.name = "run"}}};
  if (has_models) {
    table.columns.push_back({.name = "model"});
  }
  if (has_seeds) {
    table.columns.push_back({.name = "seeds"});
  }
  table.columns.push_back({.name = unit + "s"});
  std::vector<Measure> used;
  for (const Measure& measure : measures_of(unit)) {
    if (any_has(runs, measure)) {
      used.push_back(measure);
      const bool is_accuracy = std::string(measure.axis) == "accuracy";
      table.columns.push_back({.name = measure.name,
                               .unit = table_unit,
                               .key = measure.column,
                               .notation = is_accuracy ? report::Notation::percent : notation,
                               .digits = is_accuracy ? 1 : 4});
    }
  }
  const auto selected = std::ranges::find(used, std::string(kSelected), &Measure::name);
  if (selected != used.end()) {
    const std::string name = fmt::format("lowest {}", kSelected),
                      key = fmt::format("lowest{}{}", unit == "epoch" ? " " : "_", selected->column);
    table.columns.push_back(
        {.name = name, .unit = table_unit, .key = key, .notation = notation, .digits = 4});
    table.columns.push_back({.name = "at " + unit});
  }
  for (const RunMetrics& run : runs) {
    std::vector<report::Cell> row{run.name};
    if (has_models) {
      row.push_back(run.model.empty() ? report::Cell(report::Missing{}) : run.model);
    }
    if (has_seeds) {
      row.emplace_back(std::ssize(run.curves.begin()->second));
    }
    double end = 0;
    for (const auto& [key, curves] : run.curves) {
      for (const MetricCurve& curve : curves) {
        end = std::max(end, curve.back().first);
      }
    }
    row.emplace_back(std::llround(end));
    for (const Measure& measure : used) {
      const std::vector<report::Point> points = points_of(run, measure);
      row.push_back(points.empty() ? report::Cell(report::Missing{}) : points.back().y.value);
    }
    if (selected != used.end()) {
      const std::vector<report::Point> points = points_of(run, *selected);
      const auto lowest =
          std::ranges::min_element(points, {}, [](const report::Point& point) { return point.y.value; });
      if (points.empty()) {
        row.insert(row.end(), {report::Missing{}, report::Missing{}});
      } else {
        row.emplace_back(lowest->y.value);
        row.emplace_back(std::llround(lowest->x));
      }
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

} // namespace mneme::learning
