// SPDX-License-Identifier: MIT

/// SDM_Critical_Distances: critical distance, the maximum distance from which a cue converges to its pattern.
/// All eight figures.

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "experiments/curves.h"
#include "experiments/published.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/parallel.h"
#include "mneme/theory/capacity.h"
#include "mneme/theory/critical_distance.h"
#include "mneme/theory/log_count.h"
#include "mneme/theory/space_fraction.h"

namespace mneme::experiments {
namespace {

using nlohmann::json;
using report::SeriesStyle;
using theory::SdmParameters;

constexpr double kInfinite = 18446744073709551616.0; // 2^64

double published_critical(const SdmParameters& sdm) {
  return static_cast<double>(
      theory::published_critical_distance(theory::published_distances_after_read(sdm)).distance);
}

/// The published rule applied to every second distance, as in figure c: the rule works on list indices.
double published_critical_in_steps_of_two(const SdmParameters& sdm) {
  const std::vector<double> after = theory::published_distances_after_read(sdm);
  std::vector<double> half;
  for (size_t v = 0; v < after.size(); v += 2) {
    half.push_back(after[v] / 2);
  }
  return 2 * static_cast<double>(theory::published_critical_distance(half).distance);
}

double corrected_critical(const SdmParameters& sdm) {
  return static_cast<double>(theory::critical_distance(sdm).distance);
}

/// A curve whose points are computed in parallel.
template <class X, class Function>
report::Series slow_curve(const std::string& name, const std::vector<X>& xs, Function y,
                          SeriesStyle style = SeriesStyle::line) {
  std::vector<double> values(xs.size());
  parallel_for(static_cast<int64_t>(xs.size()), 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      values[static_cast<size_t>(i)] = y(xs[static_cast<size_t>(i)]);
    }
  });
  size_t next = 0;
  return curve(
      name, xs, [&](X) { return values[next++]; }, style);
}

report::LineChart empty_chart(const std::string& title, report::Axis x) {
  return {.title = title,
          .description = "Critical distance.",
          .x = std::move(x),
          .y = {.title = "critical distance (bits)"}};
}

const char* panel_name(int64_t bits) {
  return bits == 64 ? "n = 64, r = 2^64" : "n = 1000, r = 1e6";
}

/// Figures a and b: critical distance by radius, for several numbers of patterns.
report::Chart over_radius(const std::string& title, const std::vector<double>& patterns, int64_t step) {
  std::vector<report::Chart> panels;
  for (const auto& [bits, locations] : {std::pair<int64_t, double>{64, kInfinite}, {1000, 1e6}}) {
    const int64_t size = bits;
    const double count = locations;
    const std::vector<int64_t> radii =
        bits == 64 ? integer_linspace(9, 25, 16) : integer_range(400, 495, step);
    report::LineChart chart = empty_chart(panel_name(bits), {.title = "Hamming radius d"});
    for (const double m : patterns) {
      chart.series.push_back(slow_curve(fmt::format("m = {:g}", m), radii, [&, m](int64_t d) {
        return published_critical(
            {.bits = size, .hard_locations = count, .hamming_radius = d, .patterns = m});
      }));
    }
    if (bits == 1000) {
      chart.series.push_back(slow_curve(
          fmt::format("m = {:g}, corrected theory", patterns.back()), radii,
          [&](int64_t d) {
            return corrected_critical(
                {.bits = size, .hard_locations = count, .hamming_radius = d, .patterns = patterns.back()});
          },
          SeriesStyle::dashed_line));
    }
    panels.push_back(report::to_chart(chart));
  }
  return report::to_chart(
      report::Panels{.title = title, .description = "Critical distance by radius.", .charts = panels});
}

report::Chart over_patterns(int64_t count) {
  std::vector<report::Chart> panels;
  for (const SdmParameters& sdm : {SdmParameters{.bits = 1000, .hard_locations = 1e6, .hamming_radius = 451},
                                   SdmParameters{.bits = 64, .hard_locations = 1e5, .hamming_radius = 17}}) {
    report::LineChart chart =
        empty_chart(fmt::format("n = {}, r = {:g}, d = {}", sdm.bits, sdm.hard_locations, sdm.hamming_radius),
                    {.title = "patterns m", .format = "~s"});
    const std::vector<double> patterns = linspace(100, 1e5, count);
    const auto with = [&](double m) {
      SdmParameters one = sdm;
      one.patterns = m;
      return one;
    };
    chart.series = {slow_curve("published", patterns,
                               [&](double m) { return published_critical_in_steps_of_two(with(m)); }),
                    slow_curve(
                        "corrected theory", patterns, [&](double m) { return corrected_critical(with(m)); },
                        SeriesStyle::dashed_line)};
    panels.push_back(report::to_chart(chart));
  }
  return report::to_chart(report::Panels{
      .title = "Critical distance by number of patterns", .description = "Two settings.", .charts = panels});
}

report::Chart over_bits(int64_t step) {
  report::LineChart chart =
      empty_chart("Critical distance by n, m = 10 000, r = 1e6, d = 451", {.title = "bits n"});
  const auto at = [](int64_t n) {
    return SdmParameters{.bits = n, .hard_locations = 1e6, .hamming_radius = 451, .patterns = 10000};
  };
  const std::vector<int64_t> sizes = integer_range(950, 1050, step);
  chart.series = {slow_curve("published", sizes, [&](int64_t n) { return published_critical(at(n)); }),
                  slow_curve(
                      "corrected theory", sizes, [&](int64_t n) { return corrected_critical(at(n)); },
                      SeriesStyle::dashed_line)};
  return report::to_chart(chart);
}

report::Chart over_fraction(bool quick) {
  report::LineChart chart = empty_chart("Critical distance by space fraction, m = 10 000, r = 1e6",
                                        {.title = "space fraction p", .format = ".0e", .logarithmic = true});
  chart.y = {.title = "critical distance / n", .format = ".0%"};
  for (const int64_t bits : {100, 1000, 10000}) {
    const std::vector<double> fractions = logspace(-6, -1, quick ? 26 : 61);
    chart.series.push_back(slow_curve(fmt::format("n = {}", bits), fractions, [&](double p) {
      return published_critical({.bits = bits,
                                 .hard_locations = 1e6,
                                 .hamming_radius = theory::hamming_radius_for_space_fraction(bits, p),
                                 .patterns = 10000}) /
             static_cast<double>(bits);
    }));
  }
  return report::to_chart(chart);
}

/// Figure f: critical distance by number of hard locations.
report::Chart over_locations(bool quick) {
  struct Setting {
    int64_t bits;
    double patterns;
    std::vector<int64_t> radii;
  };
  std::vector<report::Chart> panels;
  for (const auto& [bits, patterns, radii] : std::vector<Setting>{{64, 1024, {5, 9, 11, 15, 19, 27}},
                                                                  {1000, 1024, {405, 447, 480}},
                                                                  {1000, 10000, {405, 447, 480}}}) {
    const int64_t size = bits;
    const double m = patterns;
    report::LineChart chart =
        empty_chart(fmt::format("n = {}, m = {:g}", bits, patterns),
                    {.title = "hard locations r", .format = ".0e", .logarithmic = true});
    for (const int64_t d : radii) {
      chart.series.push_back(
          slow_curve(fmt::format("d = {}", d), logspace(4, 20, quick ? 33 : 65), [&, d](double r) {
            return published_critical(
                {.bits = size, .hard_locations = r, .hamming_radius = d, .patterns = m});
          }));
    }
    panels.push_back(report::to_chart(chart));
  }
  return report::to_chart(report::Panels{.title = "Critical distance by number of hard locations",
                                         .description = "One line per radius.",
                                         .charts = panels});
}

const SdmParameters kSmall{.bits = 64, .hard_locations = 1e5, .hamming_radius = 17, .patterns = 1024};
const SdmParameters kBook{.bits = 1000, .hard_locations = 1e6, .hamming_radius = 451, .patterns = 10000};
const theory::SignalToNoiseOptions kOldExact{.noise = theory::NoiseModel::book};
const theory::SignalToNoiseOptions kOldContinuous{.noise = theory::NoiseModel::book,
                                                  .book_intersection = true};

/// Figure g: distance after one read by distance before it, with the diagonal.
report::Chart after_one_read() {
  std::vector<report::Chart> panels;
  const auto panel = [&](const std::string& title, const SdmParameters& sdm,
                         const theory::SignalToNoiseOptions& options) {
    const std::vector<double> after = theory::published_distances_after_read(sdm, options);
    const std::vector<int64_t> distances = integer_range(0, sdm.bits / 2, sdm.bits > 100 ? 4 : 1);
    panels.push_back(report::to_chart(report::LineChart{
        .title = title,
        .description = "Distance after one read by distance before it.",
        .x = {.title = "distance before (bits)"},
        .y = {.title = "distance after (bits)"},
        .series = {
            curve("after one read", distances, [&](int64_t v) { return after[static_cast<size_t>(v)]; }),
            curve(
                "as before", distances, [](int64_t v) { return static_cast<double>(v); },
                SeriesStyle::dashed_line)}}));
  };
  panel("n = 64, r = 1e5, m = 1024, d = 17, new variance", kSmall, {.noise = theory::NoiseModel::jaeckel});
  panel("n = 1000, d = 451, new variance", kBook, {.noise = theory::NoiseModel::jaeckel});
  panel("n = 1000, d = 451, old variance, exact", kBook, kOldExact);
  panel("n = 1000, d = 451, old variance, continuous", kBook, kOldContinuous);
  return report::to_chart(report::Panels{.title = "Distance to the pattern after one read",
                                         .description = "A read reduces the distance below the diagonal.",
                                         .charts = panels});
}

/// Upper bound r / z^2 of the capacity.
double capacity_bound(int64_t bits) {
  const double z = theory::z_per_bit(bits);
  return 1e6 / (z * z);
}

/// Capacity at the optimal integer radius.
double best_capacity(int64_t bits) {
  const double z = theory::z_per_bit(bits);
  const int64_t around = theory::hamming_radius_for_capacity(bits, 1e6);
  double best = 0;
  for (int64_t d = std::max<int64_t>(0, around - 2); d <= std::min(bits, around + 2); ++d) {
    best = std::max(best, theory::capacity(theory::space_fraction(bits, d), 1e6, z));
  }
  return best;
}

report::Chart capacity_over_bits() {
  std::vector<int64_t> sizes;
  for (const double n : logspace(1, 5, 81)) {
    sizes.push_back(static_cast<int64_t>(std::round(n)));
  }
  return report::to_chart(
      report::LineChart{.title = "Maximum number of patterns by n, r = 1e6",
                        .description = "Capacity and its bound by number of bits.",
                        .x = {.title = "bits n", .format = "~s", .logarithmic = true},
                        .y = {.title = "patterns m", .format = "~s"},
                        .series = {curve("bound r / z^2", sizes, capacity_bound),
                                   curve("full equation, optimal integer radius", sizes, best_capacity)}});
}

ComparisonTable compare_rule() {
  ComparisonTable table{
      .title = "Critical distances by the published rule",
      .source = "run of the rule of the author's later code, which reproduces the published figures",
      .tolerance = "0: integers."};
  for (const json& one : published("critical_distance").at("cases")) {
    const SdmParameters sdm{.bits = one.at("n"),
                            .hard_locations = std::stod(one.at("r").get<std::string>()),
                            .hamming_radius = one.at("hamm_radius"),
                            .patterns = one.at("m")};
    table.rows.push_back(compare_absolute(fmt::format("n = {}, m = {:g}, r = {:g}, d = {}", sdm.bits,
                                                      sdm.patterns, sdm.hard_locations, sdm.hamming_radius),
                                          one.at("critical_distance"), published_critical(sdm), 0));
  }
  return table;
}

ComparisonTable compare_figures() {
  const auto patterns_until_zero = [](SdmParameters sdm, double step) {
    for (sdm.patterns = step; published_critical_in_steps_of_two(sdm) > 0; sdm.patterns += step) {
      throw_if_interrupted();
    }
    return sdm.patterns;
  };
  ComparisonTable table{.title = "Read off the published figures",
                        .source = "figures of SDM_Critical_Distances",
                        .tolerance =
                            "0 for values marked in the figure; otherwise the reading accuracy: 2 or 3 "
                            "bits, 5000 patterns on an axis of 1e5 and for the capacity, 1000 patterns "
                            "where the line drops at 17 500."};
  table.rows.push_back(compare_absolute("c: n = 1000, d = 451, m = 10 000", 165,
                                        published_critical_in_steps_of_two(kBook), 2));
  SdmParameters sdm = kBook;
  sdm.patterns = 100;
  table.rows.push_back(compare_absolute("c: n = 1000, d = 451, fewest patterns", 500,
                                        published_critical_in_steps_of_two(sdm), 2));
  table.rows.push_back(compare_absolute("c: n = 64, r = 1e5, d = 17, m = 1024", 8,
                                        published_critical_in_steps_of_two(kSmall), 0));
  table.rows.push_back(
      compare_absolute("c: patterns at which it reaches 0", 50000, patterns_until_zero(kBook, 500), 5000));
  table.rows.push_back(compare_absolute("c: n = 64, r = 1e5, d = 17: patterns at which it reaches 0", 17500,
                                        patterns_until_zero(kSmall, 250), 1000));
  int64_t best_bits = 0;
  double peak = 0;
  for (const int64_t n : integer_range(950, 1050)) {
    SdmParameters one = kBook;
    one.bits = n;
    if (const double distance = published_critical(one); distance > peak) {
      peak = distance;
      best_bits = n;
    }
  }
  table.rows.push_back(compare_absolute("d: greatest distance over n", 180, peak, 2));
  table.rows.push_back(compare_absolute("d: at n", 1006, static_cast<double>(best_bits), 3));
  for (const auto& [radius, distance] :
       {std::pair<int64_t, double>{5, 11}, {9, 19}, {11, 23}, {15, 31}, {19, 26}, {27, 0}}) {
    table.rows.push_back(compare_absolute(
        fmt::format("f: n = 64, m = 1024, d = {}, with 1e20 locations", radius), distance,
        published_critical({.bits = 64, .hard_locations = 1e20, .hamming_radius = radius, .patterns = 1024}),
        0));
  }
  const auto crossing = [](const SdmParameters& of, const theory::SignalToNoiseOptions& options) {
    return static_cast<double>(
        theory::published_critical_distance(theory::published_distances_after_read(of, options)).distance);
  };
  // The curve is a step function that crosses the diagonal between 7 and 8.
  table.rows.push_back(compare_absolute(
      "g: n = 64, r = 1e5, d = 17 crosses the diagonal", 7.5,
      static_cast<double>(theory::critical_distance(theory::published_distances_after_read(kSmall)).distance),
      0.5));
  table.rows.push_back(
      compare_absolute("g: n = 1000, old variance, exact intersection", 212, crossing(kBook, kOldExact), 0));
  table.rows.push_back(compare_absolute("g: n = 1000, old variance, the book's continuous intersection", 194,
                                        crossing(kBook, kOldContinuous), 0));
  table.rows.push_back(compare_absolute("g: n = 1000, new variance", 164, published_critical(kBook), 0));
  table.rows.push_back(compare_absolute("h: bound at n = 100", 165000, capacity_bound(100), 5000));
  table.rows.push_back(compare_absolute("h: bound at n = 1e5", 53000, capacity_bound(100000), 5000));
  table.rows.push_back(compare_absolute("h: full equation at n = 1000", 86000, best_capacity(1000), 5000));
  return table;
}

Outcome run(const RunSettings& settings, Progress&) {
  Outcome outcome;
  outcome.comparisons = {compare_figures(), compare_rule()};
  const int64_t step = settings.quick ? 2 : 1;
  const auto add = [&](const char* name, report::Chart chart, const char* caption) {
    outcome.figures.push_back({.name = name, .chart = std::move(chart), .caption = caption});
  };
  add("a-over-radius", over_radius("a: critical distance by radius", {1024, 10240, 10000}, step),
      "There is an optimal radius, which decreases with the number of patterns. The dashed line is the "
      "corrected theory.");
  add("b-few-patterns",
      over_radius("b: critical distance by radius for fewer patterns", {128, 256, 512, 1024}, step),
      "At n = 64 the increase up to d = 15 does not depend on the number of patterns: it is 2d + 1, the "
      "first distance at which the circles do not intersect.");
  add("c-over-patterns", over_patterns(settings.quick ? 100 : 400),
      "The more patterns, the closer a cue must be; above some number of patterns nothing is recalled.");
  add("d-over-bits", over_bits(step), "At a fixed radius there is an optimal number of bits.");
  add("e-over-fraction", over_fraction(settings.quick),
      "Relative to n, the critical distance has its maximum at the same space fraction for all sizes.");
  add("f-over-locations", over_locations(settings.quick),
      "Above some number of hard locations, the critical distance does not increase further.");
  add("g-after-one-read", after_one_read(),
      "Below the diagonal a read moves the cue towards the pattern; the critical distance is where the curve "
      "crosses the diagonal.");
  add("h-capacity", capacity_over_bits(),
      "With few bits patterns are not separated well enough; with many bits each bit must be more reliable, "
      "since all of them must be right.");
  outcome.parameters = {{"curves", settings.quick ? "every second radius and size, 100 numbers of patterns"
                                                  : "every radius and size, 400 numbers of patterns"},
                        {"m, r in figure e", "10 000 and 1e6 (not stated in the original)"}};
  outcome.notes = {
      "The notebook itself is lost. The rule is that of the author's later code, which reproduces the same "
      "figures.",
      "For n = 64 and d up to 15 the published critical distance is 2d + 1, the first distance at "
      "which the circles do not intersect. This is one too many: 2d is the last distance at which "
      "they do. The well-known d = 15 is where 2d + 1 reaches n / 2, not a crossing in the "
      "interior.",
      "If no distance from 5 on increases, the published search returns its first index, and 4 is "
      "plotted: this is the constant value 4 in one figure.",
      "Simulated critical distances differ by up to 40 bits from the published formulas. These "
      "assume that all other patterns are at distance n / 2 exactly, and neglect that the noise is "
      "biased towards the bits of the cue. The dashed lines include both effects.",
      "Figure c uses every second distance, and the rule works on the indices of this list: with "
      "all distances, n = 64, r = 1e5, d = 17 results in 6 and later 4 instead of 8, and in 0 from "
      "36 000 patterns on instead of 17 500.",
      "The book's own figure for n = 1000 shows 209; its formula with the exact intersection "
      "results in 212, with its continuous form in 194, and with the new variance in 164.",
      "Figure h: the published \"full equation\" rises to 86 000 near n = 1000 and then follows "
      "the bound. It is not known which equation was used for fewer bits; ours, the capacity at "
      "the optimal integer radius, follows the bound throughout."};
  return outcome;
}

} // namespace

Experiment sdm_critical_distances() {
  return {.id = "sdm/critical-distances",
          .title = "Critical distances",
          .claim =
              "A cue converges to its pattern from up to a critical distance. The critical distance is "
              "largest for d = 15 with 64 bits and 1024 patterns, and for d = 448 with 1000 bits, 1e6 hard "
              "locations and 10 000 patterns.",
          .source = "Bricken & Pehlevan 2021, notebook SDM_Critical_Distances",
          .is_parallel = true,
          .run = run};
}

} // namespace mneme::experiments
