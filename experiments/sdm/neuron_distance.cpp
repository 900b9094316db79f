// SPDX-License-Identifier: MIT

/// Neuron_Address_Distribution: distance of the nearest hard location.

#include <cmath>

#include <fmt/format.h>

#include "experiments/curves.h"
#include "experiments/published.h"
#include "mneme/theory/hard_location_near.h"
#include "mneme/theory/space_fraction.h"

namespace mneme::experiments {
namespace {

using nlohmann::json;

constexpr double kFormula = 1e-9;   // relative tolerance of the same formula in doubles
constexpr double kOneMinus = 1e-15; // absolute tolerance for cancellation in 1 - exp(-x)
constexpr double kFewLocations = 5; // marked in the plot of expected numbers

ComparisonTable compare_curves() {
  ComparisonTable table{.title = "Probability that a hard location is within the radius",
                        .source = "run of the published formulas",
                        .tolerance =
                            "1e-9 relative, plus 1e-15 for cancellation in the published 1 - exp(-x)."};
  for (const json& one : published("neuron_near").at("cases")) {
    const int64_t bits = one.at("n");
    const double locations = one.at("r");
    table.rows.push_back(compare_relative(
        fmt::format("n = {}, r = {:g}: expected nearest distance", bits, locations), one.at("d_first_neuron"),
        theory::published_nearest_hard_location(bits, locations), kFormula));
    for (size_t i = 0; i < one.at("d").size(); ++i) {
      const int64_t radius = one.at("d").at(i);
      const double value = one.at("prob").at(i), exact = one.at("prob_exact_binomial").at(i);
      if (value < kOneMinus) {
        continue;
      }
      table.rows.push_back(
          compare_absolute(fmt::format("n = {}, r = {:g}, d = {}: published rule", bits, locations, radius),
                           value, theory::published_hard_location_near(bits, locations, radius).probability,
                           kFormula * value + kOneMinus));
      table.rows.push_back(
          compare_relative(fmt::format("n = {}, r = {:g}, d = {}: exact", bits, locations, radius), exact,
                           theory::probability_of_hard_location_near(bits, locations, radius), kFormula));
    }
  }
  return table;
}

Outcome run(const RunSettings&, Progress&) {
  const json& printed = published("sdm_tables").at("Neuron_Address_Distribution");
  const int64_t bits = printed.at("n"), marked = printed.at("marked_d");
  const double locations = printed.at("r"),
               nearest = theory::published_nearest_hard_location(bits, locations);
  const std::vector<int64_t> radii = integer_range(0, bits / 2 - 1), middle = integer_range(400, 450);

  Outcome outcome;
  outcome.parameters = {
      {"n", std::to_string(bits)}, {"hard locations r", fmt::format("{:g}", locations)}, {"d", "0 to 499"}};
  outcome.comparisons.push_back(
      {.title = "Printed in the notebook",
       .source = "Neuron_Address_Distribution",
       .tolerance = "1e-9 relative; the marked radius is the integer part and must be equal.",
       .rows = {compare_relative("expected distance of the nearest hard location", printed.at("d_first"),
                                 nearest, kFormula),
                compare_absolute("marked radius", static_cast<double>(marked), std::floor(nearest), 0)}});
  outcome.comparisons.push_back(compare_curves());

  const auto probabilities = [&](const std::vector<int64_t>& over) {
    return std::vector<report::Series>{
        curve(
            "published rule", over,
            [&](int64_t d) { return theory::published_hard_location_near(bits, locations, d).probability; }),
        curve(
            "exact", over,
            [&](int64_t d) { return theory::probability_of_hard_location_near(bits, locations, d); },
            report::SeriesStyle::dashed_line)};
  };
  const std::vector<report::Reference> line = {{.at = static_cast<double>(marked), .label = "d = 424"}};
  const auto panel = [&](const std::string& title, const std::vector<int64_t>& over) {
    return report::to_chart(
        report::LineChart{.title = title,
                          .description = "Probability of a hard location within the radius of an address.",
                          .x = {.title = "Hamming radius d"},
                          .y = {.title = "probability", .range = std::pair{0.0, 1.0}},
                          .series = probabilities(over),
                          .references = line});
  };
  outcome.figures.push_back(
      {.name = "nearest-location",
       .chart = report::to_chart(report::Panels{
           .title = "Probability that at least one hard location is within d, n = 1000, r = 1e6",
           .description = "All radii as published, and the range in which the probability rises.",
           .charts = {panel("all radii", radii), panel("radii 400 to 450", middle)}}),
       .caption =
           "Within less than 415 bits there is almost never a hard location, within more than 432 bits "
           "almost always. A query that is closer than this to a pattern therefore cannot rely on a "
           "location between them."});
  outcome.figures.push_back(
      {.name = "expected-locations",
       .chart = report::to_chart(report::LineChart{
           .title = "Expected number of hard locations within d, n = 1000, r = 1e6",
           .description = "Expected number of hard locations by radius.",
           .x = {.title = "Hamming radius d"},
           .y = {.title = "expected number", .format = ".0e", .logarithmic = true},
           .series = {drop_nonpositive(
                          curve("published rule", middle,
                                [&](int64_t d) {
                                  return theory::published_hard_location_near(bits, locations, d).expected;
                                })),
                      drop_nonpositive(curve(
                          "exact", middle,
                          [&](int64_t d) { return locations * theory::space_fraction(bits, d); },
                          report::SeriesStyle::dashed_line))},
           .references = {{.at = kFewLocations, .label = "5 locations", .horizontal = true}}}),
       .caption = "Five locations are expected within about 430 bits."});
  outcome.notes = {"The published rule evaluates the normal distribution at d - n/2 without the continuity "
                   "correction of half a bit, and uses a Poisson instead of a binomial distribution. In the "
                   "middle of the rise its probability is wrong by up to 0.1. The chart also shows the exact "
                   "curve."};
  return outcome;
}

} // namespace

Experiment sdm_neuron_distance() {
  return {
      .id = "sdm/neuron-distance",
      .title = "Distance of the nearest hard location",
      .claim =
          "With a million hard locations of 1000 bits, the nearest location of an address is about 424 bits "
          "away: smaller circles are empty.",
      .source = "Bricken & Pehlevan 2021, notebook Neuron_Address_Distribution",
      .run = run};
}

} // namespace mneme::experiments
