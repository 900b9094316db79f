// SPDX-License-Identifier: MIT

/// Softmax_Circle_Approx: softmax approximates the circle intersection with one fitted beta per radius.

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include <fmt/format.h>

#include "experiments/experiment.h"
#include "experiments/given_points.h"
#include "experiments/published.h"
#include "experiments/sdm/reference_betas.h"
#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/theory/beta_fit.h"
#include "mneme/theory/cap_intersection.h"
#include "mneme/theory/circle_intersection.h"
#include "mneme/theory/log_count.h"
#include "mneme/theory/softmax_agreement.h"
#include "mneme/theory/space_fraction.h"

namespace mneme::experiments {
namespace {

using nlohmann::json;
using report::Series;
using report::SeriesStyle;

// Tolerances.
constexpr double kFormula = 1e-9;    // relative, formulas in doubles
constexpr double kCapsSmall = 1e-6;  // relative, published quadrature up to 100 bits
constexpr double kCapsLarge = 1e-3;  // absolute, published quadrature above 100 bits, with errors up to 6e-4
constexpr double kLuneLarge = 2e-7;  // relative, above 100 bits; the published lune form cancels
constexpr double kAdamBeta = 1e-5;   // relative, 5000 steps in single precision
constexpr double kAdamLoss = 1e-4;   // relative
constexpr double kOneDecimal = 0.06; // printed with one decimal; 15.85 is printed as 15.9
constexpr int64_t kMaxPoints = 220;  // per curve
constexpr double kInfiniteLocations = 64 * std::numbers::ln2; // log of r = 2^64

/// Softmax of `logs`: weights that sum to 1.
std::vector<double> normalised_weights(const std::vector<double>& logs) {
  const double max = *std::ranges::max_element(logs);
  double sum = 0;
  std::vector<double> weights;
  for (const double log : logs) {
    weights.push_back(std::exp(log - max));
    sum += weights.back();
  }
  for (double& weight : weights) {
    weight /= sum;
  }
  return weights;
}

Series curve(const std::string& name, const std::vector<double>& values, int64_t first, int64_t last,
             SeriesStyle style, bool positive_only) {
  Series series{.name = name, .style = style};
  const int64_t step = std::max<int64_t>(1, (last - first) / kMaxPoints);
  for (int64_t distance = first; distance <= last; distance += step) {
    const double value = values[static_cast<size_t>(distance)];
    if (!positive_only || value > 0) {
      series.points.push_back({static_cast<double>(distance), exact_point(value)});
    }
  }
  return series;
}

/// Circle and cap intersections and the softmax fitted to the circle intersection, on linear and logarithmic
/// axes. `place`: text for the title, where these parameters were published.
report::Chart approximation(int64_t bits, int64_t radius, const char* place = "") {
  const theory::BetaFit fit = theory::fit_beta(bits, radius, kInfiniteLocations);
  std::vector<double> caps, scores;
  for (int64_t distance = 0; distance <= bits; ++distance) {
    const double cosine = theory::hamming_to_cosine(bits, distance);
    caps.push_back(theory::log_cap_intersection(bits, radius, cosine));
    scores.push_back(fit.beta * cosine);
  }
  const std::vector<double> binary = normalised_weights(theory::log_circle_intersections(bits, radius)),
                            cap = normalised_weights(caps), softmax = normalised_weights(scores);
  const std::string name =
      fmt::format("n = {} bits, Hamming radius d = {}, space fraction p = {:.2g}, beta = {:.3f}{}", bits,
                  radius, theory::space_fraction(bits, radius), fit.beta, place);
  std::vector<report::Chart> panels;
  for (const bool logarithmic : {false, true}) {
    const int64_t last = logarithmic ? std::min(bits, 2 * radius + 4) : bits;
    panels.push_back(report::to_chart(report::LineChart{
        .title = logarithmic ? "logarithmic, distances at which circles intersect" : "linear, all distances",
        .description = "Normalised circle intersection, cap intersection and softmax by Hamming distance.",
        .x = {.title = "Hamming distance (bits)"},
        .y = {.title = "normalised weight", .format = logarithmic ? ".0e" : "", .logarithmic = logarithmic},
        .series = {curve("circle intersection", binary, 0, last, SeriesStyle::points, logarithmic),
                   curve("cap intersection", cap, 0, last, SeriesStyle::points, logarithmic),
                   curve("softmax", softmax, 0, last, SeriesStyle::line, logarithmic)}}));
  }
  return report::to_chart(
      report::Panels{.title = name, .description = "Softmax and both intersections.", .charts = panels});
}

/// Beta fitted to distances 1 to d, as in the section on beta and d.
double beta_from_distance_one(int64_t bits, int64_t radius) {
  return theory::fit_beta(bits, radius, kInfiniteLocations, 1).beta;
}

report::Chart beta_over_radius(const std::vector<std::pair<int64_t, double>>& betas, int64_t bits,
                               std::vector<report::Reference> references, const char* place = "") {
  Series radius{.name = "radius d"}, fraction{.name = "space fraction p", .on_second_axis = true};
  for (const auto& [d, beta] : betas) {
    radius.points.push_back({beta, exact_point(static_cast<double>(d))});
    fraction.points.push_back({beta, exact_point(theory::space_fraction(bits, d))});
  }
  return report::to_chart(report::LineChart{
      .title = fmt::format("Hamming radius by fitted beta, n = {}{}", bits, place),
      .description = "Hamming radius and space fraction by fitted beta.",
      .x = {.title = "beta"},
      .y = {.title = "Hamming radius d (bits)"},
      .series = {radius, fraction},
      .references = std::move(references),
      .second_y = report::Axis{.title = "space fraction p", .format = ".0e", .logarithmic = true}});
}

/// Circle intersections at n = 1000 for four space fractions, normalised and as fractions of the space.
report::Chart intersections_over_fractions() {
  constexpr int64_t kBits = 1000, kLast = 499;
  std::vector<report::Chart> panels;
  const auto panel = [&](const std::string& title, bool logarithmic, bool normalise) {
    report::LineChart chart{.title = title,
                            .description = "Circle intersections for four space fractions.",
                            .x = {.title = "Hamming distance (bits)"},
                            .y = {.title = normalise ? "fraction of the sum" : "fraction of the space",
                                  .format = logarithmic ? ".0e" : "",
                                  .logarithmic = logarithmic},
                            .series_title = "space fraction p"};
    for (const double p : {1e-8, 1e-5, 1e-3, 0.1}) {
      const int64_t radius = theory::hamming_radius_for_space_fraction(kBits, p);
      std::vector<double> logs = theory::log_circle_intersections(kBits, radius);
      logs.resize(kLast + 1);
      std::vector<double> values = normalised_weights(logs);
      if (!normalise) {
        std::ranges::transform(logs, values.begin(), [=](double log) {
          return std::exp(log - static_cast<double>(kBits) * std::numbers::ln2);
        });
      }
      chart.series.push_back(
          curve(fmt::format("{:g} (d = {})", p, radius), values, 0, kLast, SeriesStyle::line, logarithmic));
    }
    panels.push_back(report::to_chart(chart));
  };
  panel("normalised, linear", false, true);
  panel("normalised, logarithmic", true, true);
  panel("not normalised, r = 1, logarithmic", true, false);
  return report::to_chart(report::Panels{
      .title = "Circle intersections for four space fractions, n = 1000 (notebook cells 21 to 26)",
      .description = "Normalised, and as fractions of the space.",
      .charts = panels});
}

ComparisonTable compare_reference(const ReferenceBetas& reference) {
  const json& values = published("sdm_tables").at("paper_reference_values");
  return {.title = "Reference betas of the figures",
          .source = "paper, figures on learned and effective betas",
          .tolerance = "0.06: the paper prints one decimal (15.853 is printed as 15.9).",
          .rows = {{"beta at d = 15, best critical distance", values.at("beta_CD"),
                    exact_mean(reference.critical_distance), kOneDecimal},
                   {"beta at d = 11, best signal-to-noise ratio", values.at("beta_SNR"),
                    exact_mean(reference.signal_to_noise), kOneDecimal},
                   {"beta at d = 5, greatest capacity", values.at("beta_Mem"), exact_mean(reference.capacity),
                    kOneDecimal}}};
}

/// Betas printed in the notebook: regressions and fits by gradient descent.
ComparisonTable compare_printed() {
  ComparisonTable table{
      .title = "Betas printed in the notebook",
      .source = "Softmax_Circle_Approx, cells 7 and 14",
      .tolerance =
          "1e-9 relative for regressions (1e-6 for caps, where the published quadrature is less accurate); "
          "1e-5 of beta and 1e-4 of the loss for fits by gradient descent, since 5000 steps of Adam in "
          "single precision end near the minimum."};
  const auto add = [&](std::string what, const json& value, double measured, double relative) {
    table.rows.push_back({.what = std::move(what),
                          .published = value,
                          .measured = exact_mean(measured),
                          .tolerance = relative * value.get<double>()});
  };
  for (const json& row : published("sdm_tables").at("Softmax_Circle_Approx_cell7")) {
    const int64_t bits = row.at("n"), radius = row.at("hamm_radius");
    add(at(bits, radius) + ": regression on circles", row.at("beta_binary"),
        theory::fit_beta(bits, radius, kInfiniteLocations).beta, kFormula);
    add(at(bits, radius) + ": regression on caps", row.at("beta_cap"),
        theory::fit_beta_to_caps(bits, radius, kInfiniteLocations).beta, kCapsSmall);
    const theory::SoftmaxFit circles = theory::fit_softmax_to_circles(bits, radius),
                             caps = theory::fit_softmax_to_caps(bits, radius);
    add(at(bits, radius) + ": fit by gradient to circles", row.at("softmax_beta_binary"), circles.beta,
        kAdamBeta);
    add(at(bits, radius) + ": its loss", row.at("final_loss_binary"), circles.loss, kAdamLoss);
    add(at(bits, radius) + ": fit by gradient to caps", row.at("softmax_beta_cap"), caps.beta, kAdamBeta);
    add(at(bits, radius) + ": its loss on caps", row.at("final_loss_cap"), caps.loss, kAdamLoss);
  }
  const json& fourteen = published("sdm_tables").at("Softmax_Circle_Approx_cell14");
  const int64_t bits = fourteen.at("n"), radius = fourteen.at("hamm_radius");
  const double locations = std::log(fourteen.at("r").get<double>());
  add(at(bits, radius) + ", r = 1e6: regression on circles", fourteen.at("beta_binary"),
      theory::fit_beta(bits, radius, locations).beta, kFormula);
  add(at(bits, radius) + ", r = 1e6: regression on caps", fourteen.at("beta_cap"),
      theory::fit_beta_to_caps(bits, radius, locations).beta, kCapsSmall);
  return table;
}

/// Betas of the published functions for every radius of the paper. Adds the least-squares slopes to `slopes`.
ComparisonTable compare_all_fits(report::Table& slopes) {
  ComparisonTable table{.title = "Betas of the published functions",
                        .source = "run of the published code",
                        .tolerance = "1e-9 relative for circles, above 100 bits 2e-7, since the published "
                                     "lune form cancels; 1e-6 relative for caps, above 100 bits 1e-3, since "
                                     "the published quadrature has errors of up to 6e-4 in the log."};
  slopes.columns = {{.name = "n"},
                    {.name = "d"},
                    {.name = "beta as published", .digits = 6},
                    {.name = "least-squares slope", .digits = 6},
                    {.name = "N/(N-1)", .digits = 5}};
  for (const json& row : published("beta_fit").at("cases")) {
    const int64_t bits = row.at("n"), radius = row.at("hamm_radius");
    throw_if_interrupted();
    const double locations = theory::parse_log_count(row.at("r").get<std::string>());
    const theory::BetaFit circles = theory::fit_beta(bits, radius, locations);
    const double caps = theory::fit_beta_to_caps(bits, radius, locations).beta;
    table.rows.push_back({at(bits, radius) + ": circles", row.at("beta_binary"), exact_mean(circles.beta),
                          (bits <= 100 ? kFormula : kLuneLarge) * circles.beta});
    table.rows.push_back({at(bits, radius) + ": caps", row.at("beta_cap"), exact_mean(caps),
                          bits <= 100 ? kCapsSmall * caps : kCapsLarge});
    slopes.rows.push_back({bits, radius, circles.beta, circles.least_squares_slope,
                           circles.beta / circles.least_squares_slope});
  }
  return table;
}

constexpr int64_t kPublishedBits[] = {64, 100, 784, 1000};
constexpr double kPublishedFractions[] = {4e-13, 1e-9, 1e-8, 1e-5, 3.7e-4, 1e-3, 0.1};

std::vector<int64_t> published_radii(int64_t bits) {
  std::vector<int64_t> radii;
  for (const double p : kPublishedFractions) {
    radii.push_back(theory::hamming_radius_for_space_fraction(bits, p));
  }
  return radii;
}

/// The experiment at other bits and radii. Published values are compared where they were published for them.
Outcome run_given(const RunSettings& settings) {
  constexpr size_t kMaxFigures = 12;
  const std::vector<CirclePoint> points = given_points(settings, kPublishedBits[0], published_radii);
  Outcome outcome;
  report::Table slopes,
      fits{.columns = {{.name = "n"},
                       {.name = "d"},
                       {.name = "space fraction", .key = "space_fraction", .digits = 3},
                       {.name = "beta as published", .key = "beta", .digits = 6},
                       {.name = "least-squares slope", .key = "slope", .digits = 6},
                       {.name = "beta of the weights", .key = "softmax_beta", .digits = 6},
                       {.name = "R squared", .key = "r_squared", .digits = 5},
                       {.name = "largest difference", .key = "max_difference", .digits = 3},
                       {.name = "weight elsewhere", .key = "total_variation", .digits = 3}}};
  ComparisonTable compared = only_at(compare_all_fits(slopes), points);
  if (!compared.rows.empty()) {
    outcome.comparisons.push_back(std::move(compared));
  }
  const size_t step = (points.size() + kMaxFigures - 1) / kMaxFigures;
  std::map<int64_t, std::vector<std::pair<int64_t, double>>> betas;
  for (size_t i = 0; i < points.size(); ++i) {
    throw_if_interrupted();
    const auto [bits, radius] = points[i];
    const theory::BetaFit fit = theory::fit_beta(bits, radius, kInfiniteLocations);
    std::vector<double> cosines;
    for (int64_t distance = 0; distance <= bits; ++distance) {
      cosines.push_back(theory::hamming_to_cosine(bits, distance));
    }
    const std::vector<double> logs = theory::log_circle_intersections(bits, radius);
    const theory::SoftmaxAgreement agreement = theory::compare_softmax(cosines, logs, fit.beta);
    const size_t fitted = static_cast<size_t>(radius);
    fits.rows.push_back({bits, radius, theory::space_fraction(bits, radius), fit.beta,
                         fit.least_squares_slope, theory::fit_softmax_to_circles(bits, radius).beta,
                         theory::log_linear_r_squared({cosines.data(), fitted}, {logs.data(), fitted}),
                         agreement.max_difference, agreement.total_variation});
    betas[bits].emplace_back(radius, fit.beta);
    if (i % step == 0) {
      outcome.figures.push_back(
          {.name = fmt::format("softmax-n{}-d{}", bits, radius),
           .chart = approximation(bits, radius),
           .caption = fmt::format("Softmax with beta = {:.4g} has {:.1f} % of its weight on "
                                  "other distances than the circle intersection.",
                                  fit.beta, 100 * agreement.total_variation)});
    }
  }
  for (const auto& [bits, of_radius] : betas) {
    if (of_radius.size() > 1) {
      outcome.figures.push_back({.name = fmt::format("beta-over-radius-n{}", bits),
                                 .chart = beta_over_radius(of_radius, bits, {}),
                                 .caption = "A small beta corresponds to large circles."});
    }
  }
  outcome.tables.push_back({"Fitted betas and how well softmax agrees with the circle intersection", fits});
  outcome.parameters = {
      {"fit", "distances 0 to d - 1; the number of hard locations does not change beta"},
      {"figures", fmt::format("{} of {} combinations", (points.size() + step - 1) / step, points.size())}};
  add_given(outcome, settings);
  if (step > 1) {
    outcome.notes.push_back(fmt::format("The softmax is drawn for {} of the {} combinations of bits and "
                                        "radius, one of every {}: up to {} are "
                                        "all drawn. The table has every combination.",
                                        (points.size() + step - 1) / step, points.size(), step, kMaxFigures));
  }
  const std::vector<std::string> notes = {
      "These parameters are not those of the notebook: published values are compared only at the bits "
      "and radii for which they were published.",
      "R squared is that of ln(intersection) over the cosine at the fitted distances. Beta of the "
      "weights minimises the squared difference of the normalised weights instead."};
  outcome.notes.insert(outcome.notes.end(), notes.begin(), notes.end());
  return outcome;
}

Outcome run(const RunSettings& settings, Progress&) {
  if (!settings.parameters.empty()) {
    return run_given(settings);
  }
  const ReferenceBetas reference = reference_betas();
  Outcome outcome;
  report::Table slopes;
  outcome.comparisons = {compare_reference(reference), compare_printed(), compare_all_fits(slopes)};
  outcome.tables.push_back({"Published betas and least-squares slopes", slopes});

  ComparisonTable over_radius{.title = "Beta by radius, distances 1 to d, n = 64",
                              .source = "Softmax_Circle_Approx, cell 17",
                              .tolerance = "1e-9 relative, for the same formula in doubles."};
  std::vector<std::pair<int64_t, double>> betas;
  for (const json& row : published("beta_vs_d_n64").at("cases")) {
    const int64_t radius = row.at("hamm_radius");
    const double beta = beta_from_distance_one(row.at("n"), radius), value = row.at("beta");
    betas.emplace_back(radius, beta);
    over_radius.rows.push_back({fmt::format("d = {}", radius), value, exact_mean(beta), kFormula * value});
  }
  outcome.comparisons.push_back(over_radius);

  // Cell 5: the circle intersection as a number of addresses, since r = 2^n.
  constexpr int64_t kBits = 64, kRadius = 11, kLast = 24;
  std::vector<double> counts = theory::log_circle_intersections(kBits, kRadius);
  std::ranges::transform(counts, counts.begin(), [](double log) { return std::exp(log); });
  outcome.figures.push_back(
      {.name = "circle-intersection",
       .chart = report::to_chart(report::LineChart{
           .title = "Addresses in both circles, n = 64, d = 11, r = 2^64 (notebook cell 5)",
           .description = "Number of addresses in both circles by distance of their centres.",
           .x = {.title = "Hamming distance (bits)"},
           .y = {.title = "addresses in both circles", .format = ".0e", .logarithmic = true},
           .series = {curve("circle intersection", counts, 0, kLast, SeriesStyle::points, true)}}),
       .caption =
           "On a logarithmic axis the intersection decreases almost linearly, in steps of two bits, up to "
           "22 bits; at larger distances the circles do not intersect (0 is not drawn)."});

  outcome.figures.push_back(
      {.name = "beta-over-radius",
       .chart = beta_over_radius(betas, kBits, reference_lines(reference), " (notebook cell 17)"),
       .caption =
           "A small beta corresponds to large circles. The vertical lines are the betas of the radii that "
           "are optimal by three criteria."});

  for (const int64_t bits : kPublishedBits) {
    std::vector<int64_t> radii = published_radii(bits);
    if (settings.quick && bits != 64) {
      radii = {radii[2], radii[4]};
    }
    for (const int64_t radius : radii) {
      throw_if_interrupted();
      outcome.figures.push_back({.name = fmt::format("softmax-n{}-d{}", bits, radius),
                                 .chart = approximation(bits, radius, " (notebook cell 7)"),
                                 .caption =
                                     "Softmax agrees with the circle intersection where the weights are "
                                     "large. Near the largest distance at which the circles intersect, "
                                     "the intersection decreases faster than any exponential."});
    }
  }
  outcome.figures.push_back({.name = "space-fractions",
                             .chart = intersections_over_fractions(),
                             .caption = "The smaller the circles, the faster their intersection decreases."});

  outcome.parameters = {
      {"n", "64, 100, 784, 1000"},
      {"space fractions p", "4e-13, 1e-9, 1e-8, 1e-5, 3.7e-4, 1e-3, 0.1"},
      {"fit", "distances 0 to d - 1 (1 to d for beta by radius), r = 2^64"},
      {"figures", settings.quick ? "all radii for n = 64, two for each of the others" : "all radii"}};
  outcome.notes = {
      // a concatenated text in parentheses is one note
      ("The published slope divides the covariance by N - 1 and the variance by N, so every published beta"
       " is the least-squares slope times N / (N - 1), where N is the number of fitted distances: 25 % "
       "more at d = 5, 0.2 % more at d = 447. Values are compared including this factor; a table lists the"
       " least-squares slopes."),
      ("The range of the fit differs between notebooks: distances 0 to d - 1 in the recall algorithms, 1 "
       "to d in the plots of beta over d."),
      ("The published intersection of two caps adds 2 to a logarithm instead of log 2: all values are too "
       "large by a factor of e^2 / 2 = 3.69. This rescales all weights by the same factor, so betas and "
       "normalised weights do not change."),
      ("The \"gold standard\" fit is a one-dimensional minimisation, which the original performs by 5000 "
       "steps of Adam from a random initial value. Bracketing and Brent's method find the same minimum."),
      "The title of the first figure contains r = n^2 instead of r = 2^n.",
      "A third beta of cell 14, 31.42, comes from a function that was removed later; it is not compared."};
  return outcome;
}

} // namespace

Experiment sdm_softmax_circle() {
  return {
      .id = "sdm/softmax-circle",
      .title = "Softmax approximates the circle intersection",
      .claim =
          "The number of hard locations that two patterns share decreases almost exponentially with their "
          "distance, so that softmax with one fitted beta per Hamming radius has approximately the weights "
          "of Sparse Distributed Memory.",
      .source = "Bricken & Pehlevan 2021, notebook Softmax_Circle_Approx, cells 5, 7, 14, 17 and 21 to 26",
      .run = run,
      .parameters = circle_parameters("64, 100, 784, 1000", "those of seven space fractions")};
}

} // namespace mneme::experiments
