// SPDX-License-Identifier: MIT

/// How many random patterns one update tells apart, over the dimension: exponentially many.

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "experiments/curves.h"
#include "experiments/experiment.h"
#include "experiments/published.h"
#include "mneme/theory/hopfield_bounds.h"
#include "mneme/trials/hopfield_capacity.h"

namespace mneme::experiments {
namespace {

constexpr double kFailure = 0.001; // p of the published examples
constexpr double kBeta = 1;
constexpr int64_t kTheoremSizeMax = 100; // drawn up to there

/// One radius of the sphere.
struct Sphere {
  double radius_factor = 1;
  std::vector<int64_t> sizes; ///< measured
};

struct Measured {
  int64_t size = 0;
  std::vector<double> log_capacities; ///< per seed
};

int64_t seeds_of(const RunSettings& settings) {
  return settings.quick ? 3 : 10;
}

std::string name_of(double radius_factor) {
  return fmt::format("K = {:g}", radius_factor);
}

std::vector<Measured> measure(const Sphere& sphere, const RunSettings& settings, Progress& progress) {
  const int64_t seeds = seeds_of(settings);
  std::vector<Measured> all;
  for (const int64_t size : sphere.sizes) {
    Measured measured{.size = size};
    for (int64_t seed = 0; seed < seeds; ++seed) {
      const trials::HopfieldCapacityTrial trial =
          trials::hopfield_capacity_trial({.size = size,
                                           .radius_factor = sphere.radius_factor,
                                           .beta = kBeta,
                                           .stored_max = settings.quick ? 100'000 : 2'000'000,
                                           .seed = settings.seed + static_cast<uint64_t>(seed)});
      progress.advance();
      if (trial.log_capacity) {
        measured.log_capacities.push_back(*trial.log_capacity);
      }
    }
    if (static_cast<int64_t>(measured.log_capacities.size()) == seeds) { // else it is beyond what was stored
      all.push_back(std::move(measured));
    }
  }
  return all;
}

/// Least squares of the seed's logarithms over d.
double slope(const std::vector<Measured>& all, size_t seed) {
  double d_mean = 0, log_mean = 0;
  const auto count = static_cast<double>(all.size());
  for (const Measured& measured : all) {
    d_mean += static_cast<double>(measured.size) / count;
    log_mean += measured.log_capacities[seed] / count;
  }
  double together = 0, square = 0;
  for (const Measured& measured : all) {
    const double d = static_cast<double>(measured.size) - d_mean;
    together += d * (measured.log_capacities[seed] - log_mean);
    square += d * d;
  }
  return together / square;
}

ComparisonTable compare_examples() {
  ComparisonTable table{.title = "The two examples of theorem 3",
                        .source = "Ramsauer et al. 2020, after theorem 3",
                        .tolerance = "one unit in the last digit given."};
  const nlohmann::json& examples = published("hopfield_theory").at("capacity_examples");
  for (const auto& example : examples) {
    const theory::HopfieldCapacityQuestion question{.size = example.at("size"),
                                                    .radius_factor = example.at("radius_factor"),
                                                    .beta = example.at("beta"),
                                                    .failure = example.at("failure")};
    const theory::HopfieldCapacity capacity = theory::hopfield_capacity(question);
    const std::string name = fmt::format("d = {}, {}", question.size, name_of(question.radius_factor));
    constexpr double kLastDigit = 1e-4, kLastDigitOfCount = 0.1;
    table.rows.push_back(within_absolute(name + ": c", example.at("c"), capacity.c, kLastDigit));
    table.rows.push_back(
        within_absolute(name + ": c needed", example.at("c_needed"), capacity.c_needed, kLastDigit));
    table.rows.push_back(within_absolute(name + ": a + ln b", example.at("a_plus_log_b"),
                                         capacity.a + std::log(capacity.b), kLastDigit));
    table.rows.push_back(within_absolute(name + ": patterns guaranteed", example.at("num_stored"),
                                         std::exp(capacity.log_num_stored), kLastDigitOfCount));
  }
  return table;
}

theory::HopfieldCapacity theorem(const Sphere& sphere, int64_t size) {
  return theory::hopfield_capacity(
      {.size = size, .radius_factor = sphere.radius_factor, .beta = kBeta, .failure = kFailure});
}

Outcome run(const RunSettings& settings, Progress& progress) {
  const std::vector<Sphere> spheres = {
      {
          .radius_factor = 1,
          .sizes = whole_range(12, settings.quick ? 16 : 22, 2),
      },
      {
          .radius_factor = 3,
          .sizes = whole_range(4, settings.quick ? 6 : 8),
      },
  };
  ComparisonTable bounds{.title = "Spheres on which ln N grows more slowly with d than guaranteed",
                         .source = "theorem 3, a lower bound",
                         .tolerance = "none: it may not be."};
  TitledTable slopes{.title = "Growth of ln N per dimension"};
  slopes.table.columns = {
      {.name = "radius"},
      {.name = "measured", .digits = 3},
      {.name = "for large d", .key = "expected", .digits = 3},
      {.name = fmt::format("theorem 3, at d = {}", kTheoremSizeMax), .key = "theorem", .digits = 3}};
  TitledTable numbers{.title = "Patterns recalled in one update"};
  numbers.table.columns = {{.name = "radius"},
                           {.name = "d"},
                           {.name = "ln N", .key = "log_n", .digits = 4},
                           {.name = "N", .digits = 3}};
  report::LineChart chart{.title = "Patterns that one update tells apart, beta = 1",
                          .description =
                              "Number of random patterns over the dimension, measured and guaranteed.",
                          .x = {.title = "dimension d"},
                          .y = {.title = "patterns N", .format = ".0e", .logarithmic = true},
                          .intervals = report::IntervalStyle::bars};
  int64_t stages = 0;
  for (const Sphere& sphere : spheres) {
    stages += static_cast<int64_t>(sphere.sizes.size());
  }
  progress.start("capacities", stages * seeds_of(settings));
  for (const Sphere& sphere : spheres) {
    const std::string name = name_of(sphere.radius_factor);
    const std::vector<Measured> all = measure(sphere, settings, progress);
    report::Series measured_series{.name = name + ", measured"}, guaranteed{.name = name + ", theorem 3"};
    guaranteed.style = report::SeriesStyle::dashed_line;
    for (const Measured& measured : all) {
      const trials::MeanInterval mean = trials::mean_interval(measured.log_capacities);
      const report::Estimate log_n = estimate_of(mean);
      const report::Estimate n{std::exp(log_n.value), std::exp(log_n.low), std::exp(log_n.high)};
      measured_series.points.push_back({static_cast<double>(measured.size), n});
      numbers.table.rows.push_back(
          {name, measured.size, cell(mean), mean.half_width ? report::Cell(n) : report::Cell(n.value)});
    }
    for (const int64_t size : whole_range(2, kTheoremSizeMax)) {
      const theory::HopfieldCapacity capacity = theorem(sphere, size);
      if (capacity.holds()) {
        guaranteed.points.push_back({static_cast<double>(size), certain(std::exp(capacity.log_num_stored))});
      }
    }
    std::vector<double> each_slope;
    for (size_t seed = 0; seed < all.front().log_capacities.size(); ++seed) {
      each_slope.push_back(slope(all, seed));
    }
    const trials::MeanInterval measured_slope = trials::mean_interval(each_slope);
    const double guaranteed_slope = theorem(sphere, kTheoremSizeMax).slope();
    slopes.table.rows.push_back({name, cell(measured_slope),
                                 theory::hopfield_capacity_growth(kBeta, sphere.radius_factor),
                                 guaranteed_slope});
    bounds.rows.push_back(
        {.what = name, .measured = exactly(estimate_of(measured_slope).low < guaranteed_slope ? 1 : 0)});
    chart.series.push_back(std::move(measured_series));
    chart.series.push_back(std::move(guaranteed));
  }
  progress.finish();
  return {
      .parameters = {{"patterns", "uniform on the sphere of radius K sqrt(d - 1)"},
                     {"cues", "200 stored patterns, each moved by 0.1 of the radius"},
                     {"recalled", "the readout of one update is within 0.1 of the radius of the pattern"},
                     {"capacity", "the number of patterns at which 90 % of the cues are recalled"},
                     {"seeds", fmt::format("{} from seed {}", seeds_of(settings), settings.seed)},
                     {"theorem", fmt::format("failure probability p = {:g}", kFailure)}},
      .comparisons = {compare_examples(), bounds},
      .tables = {slopes, numbers},
      .figures = {{.name = "capacity",
                   .chart = to_chart(chart),
                   .look = "On the logarithmic axis both are straight: the number of patterns grows "
                           "exponentially with d, far faster in fact than the theorem guarantees. The dashed "
                           "lines begin where the theorem's condition on c is met."}},
      .notes = {
          "The theorem's bound is loose: where it begins to hold it guarantees a handful of patterns, "
          "while millions are recalled. Measured capacities end where more patterns would have to be stored "
          "than "
          "is practical, so the two are compared by their slopes.",
          "For large d the growth can be computed from how rare near patterns are and how much they weigh "
          "(`hopfield_capacity_growth`): the column beside the measured one. At the small d that can be "
          "measured, factors that grow like a power of d still change the slope."}};
}

} // namespace

Experiment hopfield_capacity() {
  return {.id = "hopfield/capacity",
          .title = "Capacity grows exponentially with the dimension",
          .claim =
              "Of random patterns on a sphere, with high probability at least sqrt(p) c^((d-1)/4) can be "
              "stored and retrieved with one update: exponentially many in the dimension d.",
          .source = "Ramsauer et al. 2020, theorem 3",
          .is_parallel = true,
          .run = run};
}

} // namespace mneme::experiments
