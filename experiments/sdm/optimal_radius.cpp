// SPDX-License-Identifier: MIT

/// Optimal_d: the radius of the best signal-to-noise ratio, and that of the greatest capacity.

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

constexpr double kFormula = 1e-9;                    // relative: formulas in doubles on both sides
constexpr double kInfinite = 18446744073709551616.0; // 2^64

/// The maximum of m(p) on the notebook's grid.
std::pair<double, double> greatest_on_grid(double locations, double z) {
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
                        .tolerance = "1e-9 relative; radii exactly."};
  const json &snr = cells.at("cell5"), &capacity = cells.at("cell7"), &grid = cells.at("cell12"),
             &large = cells.at("cell14"), &small = cells.at("cell24");
  const int64_t bits = snr.at("n");
  const double locations = std::exp(theory::log_of_count(snr.at("r").get<std::string>())),
               patterns = snr.at("m");
  table.rows.push_back(within("cell 5: p of the best signal-to-noise ratio, m = 60000, r = 2^64", snr.at("p"),
                              theory::signal_to_noise_space_fraction(patterns, locations), kFormula));
  table.rows.push_back(within_absolute(
      "cell 5: its radius, n = 64", snr.at("d"),
      static_cast<double>(theory::hamming_radius_for_signal_to_noise(bits, patterns, locations)), 0));
  const double z = theory::z_per_bit(capacity.at("n"));
  table.rows.push_back(within("cell 7: z-score per bit, n = 64", capacity.at("z"), z, kFormula));
  table.rows.push_back(within("cell 7: p of the greatest capacity", capacity.at("p"),
                              theory::capacity_space_fraction(kInfinite, z), kFormula));
  table.rows.push_back(within_absolute(
      "cell 7: its radius", capacity.at("d"),
      static_cast<double>(theory::hamming_radius_for_capacity(capacity.at("n"), kInfinite)), 0));
  const auto [best_p, best_m] = greatest_on_grid(grid.at("r"), grid.at("z"));
  table.rows.push_back(within("cell 12: p with the greatest capacity on the grid, r = 1e6",
                              grid.at("argmax_p"), best_p, kFormula));
  table.rows.push_back(within("cell 12: that capacity", grid.at("max_capacity_plus"), best_m, kFormula));
  table.rows.push_back(within("cell 14: p of the greatest capacity, r = 1e9", large.at("p"),
                              theory::capacity_space_fraction(large.at("r"), large.at("z")), kFormula));
  table.rows.push_back(within("cell 24: p of the best signal-to-noise ratio, m = 100, r = 1e6", small.at("p"),
                              theory::signal_to_noise_space_fraction(small.at("m"), small.at("r")),
                              kFormula));
  return table;
}

ComparisonTable compare_functions() {
  ComparisonTable table{.title = "Radii of the published functions",
                        .source = "run of the published formulas",
                        .tolerance = "radii exactly, fractions and capacities 1e-9 relative."};
  for (const json& one : published("optimal_d").at("cases")) {
    const int64_t bits = one.at("n");
    const double patterns = one.at("m"), locations = one.at("r"), z = theory::z_per_bit(bits);
    const std::string at = fmt::format("n = {}, m = {:g}, r = {:g}: ", bits, patterns, locations);
    table.rows.push_back(within(at + "p for signal to noise", one.at("p_snr"),
                                theory::signal_to_noise_space_fraction(patterns, locations), kFormula));
    table.rows.push_back(within_absolute(
        at + "d for signal to noise", one.at("d_snr"),
        static_cast<double>(theory::hamming_radius_for_signal_to_noise(bits, patterns, locations)), 0));
    table.rows.push_back(within(at + "p for capacity", one.at("p_mem"),
                                theory::capacity_space_fraction(locations, z), kFormula));
    table.rows.push_back(
        within_absolute(at + "d for capacity", one.at("d_mem"),
                        static_cast<double>(theory::hamming_radius_for_capacity(bits, locations)), 0));
    table.rows.push_back(within(at + "capacity at that p", one.at("capacity_at_p_mem"),
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
           .title = "Capacity over the space fraction, r = 1e6, z = 2.33",
           .description = "Patterns that can be held over the fraction of the space in a circle.",
           .x = {.title = "space fraction p", .format = ".0e", .logarithmic = true},
           .y = {.title = "patterns", .format = "~s"},
           .series = {curve("capacity", logspace(-5.5, -2, 200),
                            [&](double p) { return std::max(0.0, theory::capacity(p, few, z)); })},
           .references = {{.at = theory::capacity_space_fraction(few, z), .label = "greatest capacity"}}}),
       .look =
           "There is one best size of circles: smaller ones reach no location, larger ones share too many."});
  outcome.figures.push_back(
      {.name = "radius-over-patterns",
       .chart = report::to_chart(report::LineChart{
           .title = "Radius over the number of patterns, n = 64, r = 2^64",
           .description = "Radius of the best signal-to-noise ratio and of the greatest capacity.",
           .x = {.title = "patterns m"},
           .y = {.title = "Hamming radius d", .range = std::pair{0.0, 14.0}},
           .series = {curve("best signal-to-noise ratio", linspace(100, 1024, 100),
                            [](double m) {
                              return static_cast<double>(
                                  theory::hamming_radius_for_signal_to_noise(kBits, m, kInfinite));
                            }),
                      curve("greatest capacity", linspace(100, 1024, 100),
                            [](double) {
                              return static_cast<double>(theory::hamming_radius_for_capacity(kBits, kInfinite));
                            },
                            report::SeriesStyle::dashed_line)}}),
       .look = "More patterns ask for smaller circles, but by the cube root only: one bit of radius between 100 and 1024 "
               "patterns."});
  outcome.parameters = {{"n", "64 (figures); 64 to 1000 (table)"},
                        {"probability that a whole pattern is right", "0.5"}};
  outcome.notes = {
      "A comment in the notebook says that a pattern is right with 99 % probability; the value used is 50 %.",
      "The published closed form of the best p for capacity raises r to the eighth power and overflows "
      "doubles beyond r "
      "= 1e38; the cubic itself is solved here.",
      "The best p of cell 12 is the best on a grid of 50; the maximum itself lies between its points."};
  return outcome;
}

} // namespace

Experiment sdm_optimal_radius() {
  return {.id = "sdm/optimal-radius",
          .title = "The best Hamming radius",
          .claim = "Maximising the signal-to-noise ratio gives the space fraction (2 m r)^(-1/3), which is d "
                   "= 11 for 1024 "
                   "patterns of 64 bits; maximising the capacity gives d = 5.",
          .source = "Bricken & Pehlevan 2021, notebook Optimal_d",
          .run = run};
}

} // namespace mneme::experiments
