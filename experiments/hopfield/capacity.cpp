// SPDX-License-Identifier: MIT

/// Number of random patterns that can be retrieved in one update, by dimension: it grows exponentially.

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "experiments/curves.h"
#include "experiments/experiment.h"
#include "experiments/given_points.h"
#include "experiments/published.h"
#include "mneme/theory/hopfield_bounds.h"
#include "mneme/trials/hopfield_capacity.h"

namespace mneme::experiments {
namespace {

constexpr double kFailure = 0.001; // p of the published examples
constexpr double kBeta = 1;
constexpr int64_t kTheoremSizeMax = 100; // maximum dimension of the theorem's curve

/// One radius of the sphere.
struct Sphere {
  double radius_factor = 1;
  std::vector<int64_t> sizes; ///< measured dimensions
};

struct Measured {
  int64_t size = 0;
  std::vector<double> log_capacities; ///< per seed; fewer if that of some is outside the measured numbers
  int64_t stored_min = 0;             ///< smallest measured number of patterns
  bool is_below = false;              ///< the capacity of a seed is below it
};

int64_t stored_max(const RunSettings& settings) {
  return settings.quick ? 100'000 : 2'000'000;
}

int64_t seeds_of(const RunSettings& settings) {
  return settings.quick ? 3 : 10;
}

std::string name_of(double radius_factor) {
  return fmt::format("K = {:g}", radius_factor);
}

std::vector<Measured> measure(const Sphere& sphere, double beta, const RunSettings& settings,
                              Progress& progress) {
  const int64_t seeds = seeds_of(settings);
  std::vector<Measured> all;
  for (const int64_t size : sphere.sizes) {
    Measured measured{.size = size};
    for (int64_t seed = 0; seed < seeds; ++seed) {
      const trials::HopfieldCapacityTrial trial =
          trials::hopfield_capacity_trial({.size = size,
                                           .radius_factor = sphere.radius_factor,
                                           .beta = beta,
                                           .stored_max = stored_max(settings),
                                           .seed = settings.seed + static_cast<uint64_t>(seed)});
      progress.advance();
      if (trial.log_capacity) {
        measured.log_capacities.push_back(*trial.log_capacity);
      } else if (trial.points.size() == 1) {
        measured.is_below = true;
      }
      measured.stored_min = trial.points.front().stored;
    }
    all.push_back(std::move(measured));
  }
  return all;
}

/// Least-squares slope of the seed's log capacities over d.
double slope(const std::vector<Measured>& all, size_t seed) {
  double d_mean = 0, log_mean = 0;
  const auto count = static_cast<double>(all.size());
  for (const Measured& measured : all) {
    d_mean += static_cast<double>(measured.size) / count;
    log_mean += measured.log_capacities[seed] / count;
  }
  double covariance = 0, variance = 0; // both times count
  for (const Measured& measured : all) {
    const double d = static_cast<double>(measured.size) - d_mean;
    covariance += d * (measured.log_capacities[seed] - log_mean);
    variance += d * d;
  }
  return covariance / variance;
}

ComparisonTable compare_examples() {
  ComparisonTable table{.title = "The two examples of theorem 3",
                        .source = "Ramsauer et al. 2020, after theorem 3",
                        .tolerance = "one unit in the last published digit."};
  const nlohmann::json& examples = published("hopfield_theory").at("capacity_examples");
  for (const auto& example : examples) {
    const theory::HopfieldCapacityParameters parameters{.size = example.at("size"),
                                                        .radius_factor = example.at("radius_factor"),
                                                        .beta = example.at("beta"),
                                                        .failure_probability = example.at("failure")};
    const theory::HopfieldCapacity capacity = theory::hopfield_capacity(parameters);
    const std::string name = fmt::format("d = {}, {}", parameters.size, name_of(parameters.radius_factor));
    constexpr double kLastDigit = 1e-4, kLastDigitOfCount = 0.1;
    table.rows.push_back(compare_absolute(name + ": c", example.at("c"), capacity.c, kLastDigit));
    table.rows.push_back(
        compare_absolute(name + ": c needed", example.at("c_needed"), capacity.c_min, kLastDigit));
    table.rows.push_back(compare_absolute(name + ": a + ln b", example.at("a_plus_log_b"),
                                          capacity.a + std::log(capacity.b), kLastDigit));
    table.rows.push_back(compare_absolute(name + ": patterns guaranteed", example.at("num_stored"),
                                          std::exp(capacity.log_num_stored), kLastDigitOfCount));
  }
  return table;
}

theory::HopfieldCapacity theorem(const Sphere& sphere, double beta, int64_t size) {
  return theory::hopfield_capacity(
      {.size = size, .radius_factor = sphere.radius_factor, .beta = beta, .failure_probability = kFailure});
}

Outcome run(const RunSettings& settings, Progress& progress) {
  const double beta = settings.number_of("beta", kBeta);
  const bool is_published = !settings.has_given("bits") && !settings.has_given("beta");
  const std::vector<Sphere> spheres = {
      {
          .radius_factor = 1,
          .sizes = settings.values_of("bits", integer_range(12, settings.quick ? 16 : 22, 2)),
      },
      {
          .radius_factor = 3,
          .sizes = settings.values_of("bits", integer_range(4, settings.quick ? 6 : 8)),
      },
  };
  ComparisonTable bounds{.title = "Spheres on which ln N grows more slowly with d than guaranteed",
                         .source = "theorem 3, a lower bound",
                         .tolerance = "0: the bound must hold."};
  TitledTable slopes{.title = "Growth of ln N per dimension"};
  slopes.table.columns = {
      {.name = "radius"},
      {.name = "measured", .digits = 3},
      {.name = "for large d", .key = "expected", .digits = 3},
      {.name = fmt::format("theorem 3, at d = {}", kTheoremSizeMax), .key = "theorem", .digits = 3}};
  TitledTable numbers{.title = "Number of patterns N that can be retrieved in one update"};
  numbers.table.columns = {{.name = "radius"},
                           {.name = "d"},
                           {.name = "ln N", .key = "log_n", .digits = 4},
                           {.name = "N", .digits = 3}};
  report::LineChart chart{
      .title = fmt::format("Number of patterns that can be retrieved in one update, beta = {:g}", beta),
      .description = "Number of random patterns by dimension, measured and guaranteed.",
      .x = {.title = "dimension d"},
      .y = {.title = "patterns N", .format = ".0e", .logarithmic = true},
      .intervals = report::IntervalStyle::bars};
  int64_t stages = 0;
  double max_capacity = 0; // patterns retrieved at the largest d
  for (const Sphere& sphere : spheres) {
    stages += static_cast<int64_t>(sphere.sizes.size());
  }
  progress.start("capacities", stages * seeds_of(settings));
  for (const Sphere& sphere : spheres) {
    const std::string name = name_of(sphere.radius_factor);
    std::vector<Measured> all = measure(sphere, beta, settings, progress);
    const auto is_beyond = [&](const Measured& measured) {
      return std::ssize(measured.log_capacities) < seeds_of(settings);
    };
    report::Series measured_series{.name = name + ", measured"}, guaranteed{.name = name + ", theorem 3"};
    guaranteed.style = report::SeriesStyle::dashed_line;
    for (const Measured& measured : all) {
      if (is_beyond(measured)) {
        const std::string limit = measured.is_below ? fmt::format("below {}", measured.stored_min)
                                                    : fmt::format("above {}", stored_max(settings));
        if (!is_published) {
          numbers.table.rows.push_back({name, measured.size, report::Cell(),
                                        limit + (measured.log_capacities.empty() ? "" : " for some seeds")});
        }
        continue;
      }
      const trials::MeanInterval mean = trials::mean_interval(measured.log_capacities);
      const report::Estimate log_n = estimate_of(mean);
      const report::Estimate n{std::exp(log_n.value), std::exp(log_n.low), std::exp(log_n.high)};
      max_capacity = std::max(max_capacity, n.value);
      measured_series.points.push_back({static_cast<double>(measured.size), n});
      numbers.table.rows.push_back(
          {name, measured.size, cell(mean), mean.half_width ? report::Cell(n) : report::Cell(n.value)});
    }
    std::erase_if(all, is_beyond);
    for (const int64_t size : integer_range(2, kTheoremSizeMax)) {
      const theory::HopfieldCapacity capacity = theorem(sphere, beta, size);
      if (capacity.applies()) {
        guaranteed.points.push_back(
            {static_cast<double>(size), exact_point(std::exp(capacity.log_num_stored))});
      }
    }
    if (all.size() > 1) { // a slope needs two dimensions
      std::vector<double> each_slope;
      for (size_t seed = 0; seed < all.front().log_capacities.size(); ++seed) {
        each_slope.push_back(slope(all, seed));
      }
      const trials::MeanInterval measured_slope = trials::mean_interval(each_slope);
      const double guaranteed_slope = theorem(sphere, beta, kTheoremSizeMax).growth_rate();
      slopes.table.rows.push_back({name, cell(measured_slope),
                                   theory::hopfield_capacity_growth(beta, sphere.radius_factor),
                                   guaranteed_slope});
      bounds.rows.push_back(
          {.what = name, .measured = exact_mean(estimate_of(measured_slope).low < guaranteed_slope ? 1 : 0)});
    }
    chart.series.push_back(std::move(measured_series));
    chart.series.push_back(std::move(guaranteed));
  }
  progress.finish();
  Outcome outcome{
      .parameters = {{"patterns", "uniform on the sphere of radius K sqrt(d - 1)"},
                     {"cues", "200 stored patterns, each moved by 0.1 of the radius"},
                     {"retrieved", "the readout of one update is within 0.1 of the radius of the pattern"},
                     {"capacity", "the number of patterns at which 90 % of the cues are retrieved"},
                     {"seeds", fmt::format("{} from seed {}", seeds_of(settings), settings.seed)},
                     {"beta", fmt::format("{:g}", beta)},
                     {"theorem", fmt::format("failure probability p = {:g}", kFailure)}},
      .comparisons = {compare_examples(), bounds},
      .tables = {slopes, numbers},
      .figures = {{.name = "capacity",
                   .chart = to_chart(chart),
                   .caption = "The lines are straight on the logarithmic axis: the number of patterns grows "
                              "exponentially with d, and much faster than the theorem guarantees. The dashed "
                              "lines start where the theorem's condition on c is met."}},
      .notes = {
          "The theorem's bound is loose: at the smallest d for which it holds, it guarantees a few patterns, "
          "while up to " +
              fmt::format("{:.2g}", max_capacity) +
              " are retrieved here. Capacities were measured up to the largest practical number of "
              "stored patterns, so measurement and theorem are compared by their slopes.",
          "For large d the growth rate can be computed from the probability of nearby patterns and their "
          "weight (`hopfield_capacity_growth`), as shown in the column \"for large d\". At the small d that "
          "can be measured, factors that grow like a power of d still change the slope."}};
  if (!is_published) { // the examples and the bound are published for other parameters
    outcome.comparisons.clear();
    outcome.notes.clear();
  }
  return outcome;
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
          .run = run,
          .parameters = {{.name = "bits",
                          .help = "Bits per pattern n",
                          .published = "12 to 22, 4 to 8",
                          .min = 2,
                          .max = 100},
                         {.name = "beta",
                          .help = "Inverse temperature",
                          .published = "1",
                          .max = 1'000'000,
                          .is_real = true}}};
}

} // namespace mneme::experiments
