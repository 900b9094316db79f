// SPDX-License-Identifier: MIT

/// Optimal_d: the radius with the best signal-to-noise ratio, and the radius with the maximum capacity.

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "experiments/curves.h"
#include "experiments/published.h"
#include "mneme/theory/capacity.h"
#include "mneme/theory/log_count.h"
#include "mneme/theory/space_fraction.h"

namespace mneme::experiments {
namespace {

using nlohmann::json;

constexpr double kFormula = 1e-9;                    // relative tolerance of formulas in doubles
constexpr double kInfinite = 18446744073709551616.0; // 2^64

/// Space fraction p and capacity m at the maximum of m(p) on the notebook's grid.
std::pair<double, double> max_on_grid(double locations, double z) {
  std::pair<double, double> best{0, 0};
  for (const double p : logspace(-20, -2, 50)) {
    const double patterns = theory::capacity(p, locations, z);
    if (patterns > best.second) {
      best = {p, patterns};
    }
  }
  return best;
}

ComparisonTable compare_printed() {
  const json& cells = published("sdm_tables").at("Optimal_d");
  ComparisonTable table{.title = "Printed in the notebook",
                        .source = "Optimal_d, cells 5, 7, 12, 14 and 24",
                        .tolerance = "1e-9 relative; radii must be equal."};
  const json &snr = cells.at("cell5"), &capacity = cells.at("cell7"), &grid = cells.at("cell12"),
             &large = cells.at("cell14"), &small = cells.at("cell24");
  const int64_t bits = snr.at("n");
  const double locations = std::exp(theory::parse_log_count(snr.at("r").get<std::string>())),
               patterns = snr.at("m");
  table.rows.push_back(
      compare_relative("cell 5: p of the best signal-to-noise ratio, m = 60000, r = 2^64", snr.at("p"),
                       theory::signal_to_noise_space_fraction(patterns, locations), kFormula));
  table.rows.push_back(compare_absolute(
      "cell 5: its radius, n = 64", snr.at("d"),
      static_cast<double>(theory::hamming_radius_for_signal_to_noise(bits, patterns, locations)), 0));
  const double z = theory::z_per_bit(capacity.at("n"));
  table.rows.push_back(compare_relative("cell 7: z-score per bit, n = 64", capacity.at("z"), z, kFormula));
  table.rows.push_back(compare_relative("cell 7: p of the greatest capacity", capacity.at("p"),
                                        theory::capacity_space_fraction(kInfinite, z), kFormula));
  table.rows.push_back(compare_absolute(
      "cell 7: its radius", capacity.at("d"),
      static_cast<double>(theory::hamming_radius_for_capacity(capacity.at("n"), kInfinite)), 0));
  const auto [best_p, best_m] = max_on_grid(grid.at("r"), grid.at("z"));
  table.rows.push_back(compare_relative("cell 12: p with the greatest capacity on the grid, r = 1e6",
                                        grid.at("argmax_p"), best_p, kFormula));
  table.rows.push_back(
      compare_relative("cell 12: that capacity", grid.at("max_capacity_plus"), best_m, kFormula));
  table.rows.push_back(compare_relative("cell 14: p of the greatest capacity, r = 1e9", large.at("p"),
                                        theory::capacity_space_fraction(large.at("r"), large.at("z")),
                                        kFormula));
  table.rows.push_back(
      compare_relative("cell 24: p of the best signal-to-noise ratio, m = 100, r = 1e6", small.at("p"),
                       theory::signal_to_noise_space_fraction(small.at("m"), small.at("r")), kFormula));
  return table;
}

ComparisonTable compare_functions() {
  ComparisonTable table{.title = "Radii of the published functions",
                        .source = "run of the published formulas",
                        .tolerance = "1e-9 relative for fractions and capacities; radii must be equal."};
  for (const json& one : published("optimal_d").at("cases")) {
    const int64_t bits = one.at("n");
    const double patterns = one.at("m"), locations = one.at("r"), z = theory::z_per_bit(bits);
    const std::string at = fmt::format("n = {}, m = {:g}, r = {:g}: ", bits, patterns, locations);
    table.rows.push_back(compare_relative(at + "p for signal to noise", one.at("p_snr"),
                                          theory::signal_to_noise_space_fraction(patterns, locations),
                                          kFormula));
    table.rows.push_back(compare_absolute(
        at + "d for signal to noise", one.at("d_snr"),
        static_cast<double>(theory::hamming_radius_for_signal_to_noise(bits, patterns, locations)), 0));
    table.rows.push_back(compare_relative(at + "p for capacity", one.at("p_mem"),
                                          theory::capacity_space_fraction(locations, z), kFormula));
    table.rows.push_back(
        compare_absolute(at + "d for capacity", one.at("d_mem"),
                         static_cast<double>(theory::hamming_radius_for_capacity(bits, locations)), 0));
    table.rows.push_back(compare_relative(at + "capacity at that p", one.at("capacity_at_p_mem"),
                                          theory::capacity(one.at("p_mem"), locations, z), kFormula));
  }
  return table;
}

Outcome run(const RunSettings&, Progress&) {
  Outcome outcome;
  outcome.comparisons = {compare_printed(), compare_functions()};
  constexpr int64_t kBits = 64;
  const json& grid = published("sdm_tables").at("Optimal_d").at("cell12");
  const double few = grid.at("r"), z = grid.at("z");
  outcome.figures.push_back(
      {.name = "capacity-over-fraction",
       .chart = report::to_chart(report::LineChart{
           .title = "Capacity by space fraction, r = 1e6, z = 2.33 (notebook cell 12)",
           .description = "Number of patterns that can be stored by fraction of the space in a circle.",
           .x = {.title = "space fraction p", .format = ".0e", .logarithmic = true},
           .y = {.title = "patterns", .format = "~s"},
           .series = {curve("capacity", logspace(-5.5, -2, 200),
                            [&](double p) { return std::max(0.0, theory::capacity(p, few, z)); })},
           .references = {{.at = theory::capacity_space_fraction(few, z), .label = "maximum capacity"}}}),
       .caption =
           "There is an optimal circle size: smaller circles contain too few locations, and larger ones "
           "overlap too much."});
  outcome.figures.push_back(
      {.name = "radius-over-patterns",
       .chart = report::to_chart(report::LineChart{
           .title = "Radius by number of patterns, n = 64, r = 2^64",
           .description = "Radius with the best signal-to-noise ratio and with the maximum capacity.",
           .x = {.title = "patterns m"},
           .y = {.title = "Hamming radius d", .range = std::pair{0.0, 14.0}},
           .series = {curve("best signal-to-noise ratio", linspace(100, 1024, 100),
                            [](double m) {
                              return static_cast<double>(
                                  theory::hamming_radius_for_signal_to_noise(kBits, m, kInfinite));
                            }),
                      curve("maximum capacity", linspace(100, 1024, 100),
                            [](double) {
                              const int64_t radius = theory::hamming_radius_for_capacity(kBits, kInfinite);
                              return static_cast<double>(radius);
                            },
                            report::SeriesStyle::dashed_line)}}),
       .caption = "The optimal circles become smaller with more patterns, but only with the cube root: the "
                  "radius decreases by one bit between 100 and 1024 patterns."});
  outcome.parameters = {{"n", "64 (figures); 64 to 1000 (table)"},
                        {"probability that all bits of a pattern are right", "0.5"}};
  outcome.notes = {
      "According to a comment in the notebook a pattern is right with a probability of 99 %; the value used "
      "is 50 %.",
      "The published closed form of the optimal p for capacity contains the eighth power of r, which "
      "overflows in doubles above r = 1e38; here the cubic equation itself is solved.",
      "The best p of cell 12 is the best of 50 grid points; the maximum itself is between them."};
  return outcome;
}

} // namespace

Experiment sdm_optimal_radius() {
  return {.id = "sdm/optimal-radius",
          .title = "The optimal Hamming radius",
          .claim =
              "The signal-to-noise ratio is maximal at the space fraction (2 m r)^(-1/3), which is d = 11 "
              "for 1024 patterns of 64 bits; the capacity is maximal at d = 5.",
          .source = "Bricken & Pehlevan 2021, notebook Optimal_d, cells 5, 7, 12, 14 and 24",
          .run = run};
}

} // namespace mneme::experiments
