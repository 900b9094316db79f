// SPDX-License-Identifier: MIT

#include "experiments/sdm/recall_grid.h"

#include <algorithm>

#include <fmt/format.h>

#include "experiments/published.h"

namespace mneme::experiments {
namespace {

std::string radius_name(int64_t radius) {
  return fmt::format("d = {}", radius);
}

report::Chart chart_of(const std::string& title, const std::string& algorithm, int64_t bits,
                       const std::vector<GridPoint>& points) {
  report::LineChart chart{.title = title,
                          .description = "Mean cosine to the stored pattern over the distance of the cue.",
                          .x = {.title = "bits changed, k"},
                          .y = {.title = "mean cosine", .range = std::pair{-0.2, 1.05}},
                          .intervals = report::IntervalStyle::bars};
  report::Series baseline{.name = "cue itself", .style = report::SeriesStyle::points};
  for (const GridPoint& point : points) {
    if (point.algorithm != algorithm) {
      continue;
    }
    const std::string name = radius_name(point.radius);
    if (chart.series.empty() || chart.series.back().name != name) {
      chart.series.push_back({.name = name});
    }
    const auto k = static_cast<double>(point.distance);
    chart.series.back().points.push_back({k, estimate_of(point.mean)});
    if (chart.series.size() == 1) {
      baseline.points.push_back({k, exact_point(1 - 2 * k / static_cast<double>(bits))});
    }
  }
  chart.series.push_back(baseline);
  return report::to_chart(chart);
}

} // namespace

std::string tolerance_text(const std::string& floor) {
  return fmt::format(
      "{} standard errors of the difference of the two means for the random choice of cues, {} for that of "
      "data sets (with large circles, which mix all patterns, means differ between data sets), plus {}.",
      trials::kMaxStandardErrors, trials::kMaxDataSetErrors, floor);
}

Figure recall_figure(const std::string& algorithm, int64_t bits, const std::vector<GridPoint>& measured,
                     const std::vector<GridPoint>& published_points) {
  const bool has_published = std::ranges::any_of(
      published_points, [&](const GridPoint& point) { return point.algorithm == algorithm; });
  std::string name = algorithm;
  std::ranges::replace(name, '_', '-');
  std::vector<report::Chart> panels = {chart_of("measured", algorithm, bits, measured)};
  if (has_published) {
    panels.push_back(chart_of("published code", algorithm, bits, published_points));
  }
  return {.name = name,
          .chart = has_published ? report::to_chart(report::Panels{.title = algorithm, .charts = panels})
                                 : chart_of(algorithm, algorithm, bits, measured),
          .caption =
              "Recall moves cues closer to their pattern where a line is above the dots. Bars are 95 % "
              "intervals of the mean."};
}

std::vector<GridPoint> golden_points(const char* name) {
  constexpr int64_t kPatterns = 1024; // one cue for each pattern of one data set
  std::vector<GridPoint> points;
  for (const nlohmann::json& one : published(name).at("cases")) {
    points.push_back({.algorithm = one.at("algorithm"),
                      .radius = one.at("hamm_radius"),
                      .distance = one.at("perturb"),
                      .mean = {one.at("mean"), std::nullopt},
                      .deviation = one.at("std"),
                      .samples = kPatterns,
                      .steps = one.at("steps")});
  }
  std::ranges::stable_sort(points, {},
                           [](const GridPoint& point) { return std::pair(point.algorithm, point.radius); });
  return points;
}

const GridPoint* find_point(const std::vector<GridPoint>& points, const std::string& algorithm,
                            int64_t radius, int64_t distance) {
  const auto found = std::ranges::find_if(points, [&](const GridPoint& point) {
    return point.algorithm == algorithm && point.radius == radius && point.distance == distance;
  });
  return found == points.end() ? nullptr : &*found;
}

std::vector<ComparisonTable> compare_with_golden(const std::vector<GridPoint>& measured,
                                                 const std::vector<GridPoint>& golden,
                                                 const std::string& source) {
  // Single precision over up to 100 steps, and cap tables that are read up to one cell too low.
  constexpr double kFloor = 1e-3;
  std::vector<ComparisonTable> tables;
  for (const GridPoint& point : measured) {
    const GridPoint* published_point = find_point(golden, point.algorithm, point.radius, point.distance);
    if (published_point == nullptr) {
      continue;
    }
    if (tables.empty() || tables.back().title != point.algorithm) {
      tables.push_back({.title = point.algorithm,
                        .source = source,
                        .tolerance = tolerance_text("0.001 for single precision")});
    }
    tables.back().rows.push_back({.what = fmt::format("d = {}, k = {}", point.radius, point.distance),
                                  .published = published_point->mean.mean,
                                  .measured = point.mean,
                                  .tolerance = trials::allowed_difference(point, *published_point, kFloor)});
  }
  return tables;
}

TitledTable grid_table(const std::vector<GridPoint>& points) {
  TitledTable titled{.title = "All measured means",
                     .table = {.columns = {{.name = "algorithm"},
                                           {.name = "d"},
                                           {.name = "k"},
                                           {.name = "mean cosine", .key = "mean"},
                                           {.name = "standard deviation", .key = "deviation", .digits = 3},
                                           {.name = "cues", .key = "samples"},
                                           {.name = "steps"}}}};
  for (const GridPoint& point : points) {
    titled.table.rows.push_back({point.algorithm, point.radius, point.distance, cell(point.mean),
                                 point.deviation, point.samples, point.steps});
  }
  return titled;
}

std::vector<std::string> recall_notes() {
  return {
      "As published, all cues of a batch are updated until the slowest has converged. Continuous readouts "
      "are converged when no component changes by more than 0.05, measured before the readout is normalised. "
      "With 64 components and flat weights this is never satisfied, and the run continues at a fixed point "
      "up to its limit of 100 steps; with 784 components the first step always satisfies it.",
      "If all weights are 0, the published binary algorithms return the all-zero pattern (a mean cosine of "
      "about -0.002 with a standard deviation of 1/sqrt(n)), the continuous ones return the cue unchanged, "
      "and Cont_SDM_NeuronLimit returns the mean of all patterns, since it adds 1e-30 to every weight. These "
      "rules are reproduced here.",
      "In the published code, a limited number of hard locations is not a fixed set: expected numbers are "
      "rounded randomly for every pattern, cue and step. Continuous runs use 3.69 times too many locations, "
      "since the cap intersection is too large by a factor of e^2 / 2. Both are reproduced here.",
      "The published cap table of 10 000 cosines is read half a cell to one cell too low; this is reproduced "
      "here.",
      "The original sets no random seed, so means are compared within standard errors."};
}

} // namespace mneme::experiments
