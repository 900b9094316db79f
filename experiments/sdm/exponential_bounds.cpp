// SPDX-License-Identifier: MIT

/// Exp_Approx_Circle_Intersect: bounds that explain why the circle intersection is almost exponential.

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>

#include <fmt/format.h>

#include "experiments/curves.h"
#include "experiments/given_points.h"
#include "experiments/published.h"
#include "mneme/core/interrupt.h"
#include "mneme/theory/beta_fit.h"
#include "mneme/theory/circle_intersection.h"
#include "mneme/theory/exponential_bounds.h"
#include "mneme/theory/space_fraction.h"

namespace mneme::experiments {
namespace {

using nlohmann::json;
using report::SeriesStyle;
using theory::published_exponentials;
using theory::PublishedExponentials;
using theory::TermCount;

constexpr double kFormula = 1e-9; // relative tolerance of formulas in doubles
constexpr double kLgamma = 1e-10; // relative tolerance of sums of squares computed with Gamma functions
constexpr double kLune = 2e-7;    // relative tolerance of betas at n = 1000; the published lune form cancels

/// Fraction of the space in both circles, by distance of their centres.
std::vector<double> fractions(int64_t bits, int64_t radius) {
  std::vector<double> values = theory::log_circle_intersections(bits, radius);
  for (double& value : values) {
    value = std::exp(value - static_cast<double>(bits) * std::numbers::ln2);
  }
  return values;
}

report::Series published_curve(const std::string& name, int64_t bits, int64_t radius,
                               const std::vector<int64_t>& distances, double PublishedExponentials::*form,
                               SeriesStyle style = SeriesStyle::line, TermCount count = TermCount::exact) {
  return drop_nonpositive(curve(
      name, distances,
      [&](int64_t v) { return std::exp(published_exponentials(bits, radius, v, count).*form); }, style));
}

report::LineChart empty_chart(const std::string& title) {
  return {.title = title,
          .description = "Fraction of the space in both circles by distance of their centres.",
          .x = {.title = "Hamming distance"},
          .y = {.title = "fraction of the space", .format = ".0e", .logarithmic = true}};
}

/// Approximations for the first tenth of the distances.
report::Chart approximations(int64_t bits, const char* place = "") {
  std::vector<report::Chart> panels;
  for (const double p : {1e-13, 1e-7, 1e-4, 1e-2}) {
    const int64_t radius = theory::hamming_radius_for_space_fraction(bits, p);
    if (radius < 2) {
      continue; // too few distances to fit
    }
    const std::vector<int64_t> distances = integer_range(1, std::max<int64_t>(8, bits / 10));
    const std::vector<double> exact = fractions(bits, radius);
    const theory::BetaFit fit = theory::fit_beta(bits, radius, 0);
    report::LineChart chart =
        empty_chart(fmt::format("p = {:g}, d = {}, beta = {:.3f}", p, radius, fit.beta));
    chart.series = {
        drop_nonpositive(curve(
            "circle intersection", distances, [&](int64_t v) { return exact[static_cast<size_t>(v)]; },
            SeriesStyle::points)),
        published_curve("largest term", bits, radius, distances, &PublishedExponentials::log_first_term),
        curve("exponential with the fitted beta", distances,
              [&](int64_t v) { return std::exp(fit.beta * theory::hamming_to_cosine(bits, v) + fit.bias); }),
        published_curve("normal approximation", bits, radius, distances, &PublishedExponentials::log_normal),
        published_curve("Taylor, lower constant", bits, radius, distances,
                        &PublishedExponentials::log_taylor_constant_lower, SeriesStyle::dashed_line)};
    panels.push_back(report::to_chart(chart));
  }
  return report::to_chart(
      report::Panels{.title = fmt::format("Approximations of the circle intersection, n = {}{}", bits, place),
                     .description = "One panel per space fraction.",
                     .charts = panels});
}

/// Published bounds, and proven bounds. `place`: text for the title, where these parameters were published.
report::Chart bounds(int64_t bits, int64_t radius, const std::vector<int64_t>& distances,
                     const char* place = "") {
  const std::vector<double> exact = fractions(bits, radius);
  report::LineChart left = empty_chart("published"), right = empty_chart("proven bounds");
  const auto intersection = drop_nonpositive(curve(
      "circle intersection", distances, [&](int64_t v) { return exact[static_cast<size_t>(v)]; },
      SeriesStyle::points));
  left.series = {intersection,
                 published_curve("upper", bits, radius, distances, &PublishedExponentials::log_upper),
                 published_curve("Taylor upper", bits, radius, distances,
                                 &PublishedExponentials::log_taylor_upper, SeriesStyle::dashed_line),
                 published_curve("upper, terms as published", bits, radius, distances,
                                 &PublishedExponentials::log_upper, SeriesStyle::dashed_line,
                                 TermCount::published),
                 published_curve("lower", bits, radius, distances, &PublishedExponentials::log_lower),
                 published_curve("Taylor lower", bits, radius, distances,
                                 &PublishedExponentials::log_taylor_lower, SeriesStyle::dashed_line),
                 published_curve("first term, v/2 not rounded", bits, radius, distances,
                                 &PublishedExponentials::log_first_term_half)};
  const auto bound = [&](const char* name, double theory::IntersectionBounds::*form) {
    return drop_nonpositive(curve(name, distances, [&](int64_t v) {
      return std::exp(theory::intersection_bounds(bits, radius, v).*form);
    }));
  };
  right.series = {intersection, bound("largest term (below)", &theory::IntersectionBounds::log_max_term),
                  bound("terms times largest (above)", &theory::IntersectionBounds::log_max_term_times_count),
                  bound("Hoeffding (above)", &theory::IntersectionBounds::log_exponential)};
  return report::to_chart(report::Panels{
      .title = fmt::format("Bounds of the circle intersection, n = {}, d = {}{}", bits, radius, place),
      .description = "Published bounds and proven bounds.",
      .charts = {report::to_chart(left), report::to_chart(right)}});
}

/// The three factors of the published upper bound.
struct Factors {
  double terms, constant, exponential;
};
Factors factors(int64_t bits, int64_t radius, int64_t v, TermCount count) {
  const auto n = static_cast<double>(bits), distance = static_cast<double>(v),
             offset = n - 2 * static_cast<double>(radius);
  return {static_cast<double>(published_exponentials(bits, radius, v, count).terms),
          2 / (std::numbers::pi * std::sqrt(distance * (n - distance))),
          std::exp(-offset * offset / (2 * (n - distance)))};
}

report::Chart factor_panels(int64_t bits, int64_t radius) {
  const std::vector<int64_t> distances = integer_range(1, bits / 2, 5);
  std::vector<report::Chart> panels;
  const auto panel = [&](const char* title, double Factors::*factor) {
    panels.push_back(
        report::to_chart(report::LineChart{.title = title,
                                           .description = "A factor of the published bound by distance.",
                                           .x = {.title = "Hamming distance"},
                                           .y = {.title = title, .format = ".1e"},
                                           .series = {curve(title, distances, [&](int64_t v) {
                                             return factors(bits, radius, v, TermCount::published).*factor;
                                           })}}));
  };
  panel("number of terms N", &Factors::terms);
  panel("constant K", &Factors::constant);
  panel("exponential", &Factors::exponential);
  return report::to_chart(report::Panels{
      .title = fmt::format("Factors of the bound, n = {}, d = {} (notebook cells 18 and 19)", bits, radius),
      .description = "Change of each factor with the distance.",
      .charts = panels});
}

/// The bounds with their factors replaced by their maximum and minimum.
report::Chart constant_factors(int64_t bits, int64_t radius) {
  const std::vector<int64_t> distances = integer_range(1, 800, 4);
  const std::vector<double> exact = fractions(bits, radius);
  double max = 0, min = std::numeric_limits<double>::infinity();
  for (const int64_t v : distances) {
    const Factors at = factors(bits, radius, v, TermCount::exact);
    max = std::max(max, at.constant * at.terms);
    min = std::min(min, at.constant);
  }
  const auto exponential = [&](double constant) {
    return [&, constant](int64_t v) {
      return constant * factors(bits, radius, v, TermCount::exact).exponential;
    };
  };
  report::LineChart chart = empty_chart(fmt::format("d = {}", radius));
  chart.series = {drop_nonpositive(curve("circle intersection", distances,
                                         [&](int64_t v) { return exact[static_cast<size_t>(v)]; })),
                  drop_nonpositive(curve("upper, constants at their maximum", distances, exponential(max))),
                  drop_nonpositive(curve("lower, constant at its minimum", distances, exponential(min)))};
  return report::to_chart(chart);
}

/// Fitted and implied beta by radius.
report::Chart implied_betas() {
  constexpr int64_t kBits = 64;
  const std::vector<int64_t> radii = integer_linspace(5, 32, 10);
  const auto implied = [](int64_t d) { return theory::implied_beta(kBits, d); };
  return report::to_chart(report::LineChart{
      .title = "Beta by radius, n = 64 (notebook cell 12)",
      .description = "Fitted beta, the beta implied by the exponent, and three times the implied beta.",
      .x = {.title = "Hamming radius d"},
      .y = {.title = "beta"},
      .series = {curve(
                     "fitted", radii,
                     [](int64_t d) { return d < kBits / 2 ? theory::fit_beta(kBits, d, 0, 1).beta : 0.0; },
                     SeriesStyle::line_with_points),
                 curve("implied, (n - 2d)^2 / 4n", radii, implied, SeriesStyle::line_with_points),
                 curve(
                     "three times that", radii, [&](int64_t d) { return 3 * implied(d); },
                     SeriesStyle::line_with_points)}});
}

ComparisonTable compare_printed() {
  const json& tables = published("sdm_tables");
  ComparisonTable table{
      .title = "Printed in the notebook",
      .source = "Exp_Approx_Circle_Intersect, cells 5, 10 and 19",
      .tolerance = "sums of squares 1e-10 relative, spans 1e-9, counts exactly; betas 2e-7, since the "
                   "published lune form subtracts numbers that agree in all but their last digits."};
  for (const json& one : tables.at("Exp_Approx_cell5")) {
    const int64_t bits = one.at("n"), radius = one.at("hamm_radius");
    double squares = 0;
    for (int64_t v = 1; v <= bits / 2; ++v) {
      const PublishedExponentials forms = published_exponentials(bits, radius, v);
      const double difference = std::exp(forms.log_first_term) - std::exp(forms.log_taylor_lower);
      squares += difference * difference;
    }
    table.rows.push_back(compare_relative(
        fmt::format("n = {}, d = {}: sum of squares, largest term against Taylor", bits, radius),
        one.at("mse_first_sum_vs_taylor"), squares, kLgamma));
  }
  for (const json& one : tables.at("Exp_Approx_cell5_betas")) {
    const int64_t bits = one.at("n"), radius = one.at("hamm_radius");
    table.rows.push_back(compare_relative(fmt::format("n = {}, d = {}: beta", bits, radius), one.at("beta"),
                                          theory::fit_beta(bits, radius, 0).beta, kLune));
  }
  const json& spans = tables.at("Exp_Approx_cell19_spans");
  const int64_t bits = spans.at("n"), radius = spans.at("hamm_radius");
  const auto span = [&](double Factors::*factor) {
    double max = 0, min = std::numeric_limits<double>::infinity();
    for (int64_t v = 1; v <= bits / 2; ++v) {
      const double value = factors(bits, radius, v, TermCount::published).*factor;
      max = std::max(max, value);
      min = std::min(min, value);
    }
    return max / min;
  };
  table.rows.push_back(
      compare_relative("n = 1000, d = 451: span of N", spans.at("num_sum"), span(&Factors::terms), kFormula));
  table.rows.push_back(compare_relative("n = 1000, d = 451: span of K", spans.at("norm_const"),
                                        span(&Factors::constant), kFormula));
  table.rows.push_back(compare_relative("n = 1000, d = 451: span of the exponential", spans.at("expo"),
                                        span(&Factors::exponential), kFormula));
  const json& counts = tables.at("Exp_Approx_cell10_num_sum_elements");
  for (size_t i = 0; i < counts.at("values").size(); ++i) {
    const int64_t v = counts.at("dv_first").get<int64_t>() + static_cast<int64_t>(i);
    table.rows.push_back(compare_absolute(
        fmt::format("n = 64, d = 5, distance {}: number of terms as published", v), counts.at("values").at(i),
        static_cast<double>(
            published_exponentials(counts.at("n"), counts.at("hamm_radius"), v, TermCount::published).terms),
        0));
  }
  return table;
}

/// All golden values of two settings plotted in the notebook.
ComparisonTable compare_forms() {
  ComparisonTable table{.title = "Forms of the published functions",
                        .source = "run of the published formulas",
                        .tolerance = "1e-9 relative."};
  constexpr double kCancellation = 1e-12; // of I(0): error of differences in the published lune form
  for (const json& one : published("exp_bounds").at("cases")) {
    const int64_t bits = one.at("n"), radius = one.at("hamm_radius");
    if (!((bits == 64 && radius == 11) || (bits == 1000 && radius == 451))) {
      continue;
    }
    const std::vector<double> exact = fractions(bits, radius);
    for (size_t i = 0; i < one.at("dv").size(); ++i) {
      const int64_t v = one.at("dv").at(i);
      const PublishedExponentials forms = published_exponentials(bits, radius, v),
                                  as_published =
                                      published_exponentials(bits, radius, v, TermCount::published);
      const std::string at = fmt::format("n = {}, d = {}, distance {}: ", bits, radius, v);
      const auto add = [&](const char* what, const char* key, double log) {
        table.rows.push_back(compare_relative(at + what, one.at(key).at(i), std::exp(log), kFormula));
      };
      table.rows.push_back(compare_absolute(at + "circle intersection", one.at("circle_intersection").at(i),
                                            exact[static_cast<size_t>(v)], kCancellation * exact[0]));
      add("largest term", "largest_sum_floor_half", forms.log_first_term);
      add("normal approximation", "normal_approx", forms.log_normal);
      add("lower", "lower_bound", forms.log_lower);
      add("upper", "upper_bound", as_published.log_upper);
      add("Taylor lower", "taylor_lower_bound", forms.log_taylor_lower);
    }
  }
  return table;
}

constexpr const char* kNotBounds =
    "The lower forms are not bounds of the intersection either: they approximate its largest term by a "
    "normal distribution, which is much too large for small circles (by a factor of a hundred at distance "
    "1 for n = 64, d = 5). The right-hand panels show proven bounds: the largest term as the lower bound, "
    "and the number of terms times the largest term and Hoeffding's inequality as upper bounds.";
constexpr const char* kTooFewTerms =
    "The number of terms in the published upper bound is too small by one in every inner sum. It reaches 0 "
    "while one term is left, so that the \"upper bound\" is 0 there. The figures show both numbers of "
    "terms; values are compared with the published number.";

/// The experiment at other bits and radii.
Outcome run_given(const RunSettings& settings) {
  constexpr int64_t kMaxPoints = 200; // per curve
  const std::vector<CirclePoint> points = given_points(settings, 64, [](int64_t) {
    return std::vector<int64_t>{5, 11, 15, 27};
  });
  Outcome outcome;
  for (const ComparisonTable& table : {compare_printed(), compare_forms()}) {
    if (ComparisonTable compared = only_at(table, points); !compared.rows.empty()) {
      outcome.comparisons.push_back(std::move(compared));
    }
  }
  std::set<int64_t> sizes;
  for (const auto& [bits, radius] : points) {
    throw_if_interrupted();
    const std::vector<int64_t> distances = integer_range(1, bits / 2, bits / 2 / kMaxPoints + 1);
    outcome.figures.push_back({.name = fmt::format("bounds-n{}-d{}", bits, radius),
                               .chart = bounds(bits, radius, distances),
                               .caption =
                                   "Left: the published forms, which are not always bounds. Right: proven "
                                   "bounds."});
    sizes.insert(bits);
  }
  for (const int64_t bits : sizes) {
    outcome.figures.push_back(
        {.name = fmt::format("approximations-n{}", bits),
         .chart = approximations(bits),
         .caption = "Approximations of the circle intersection at four space fractions."});
  }
  outcome.parameters = {{"distances", "first tenth (approximations), 1 to n/2 (bounds)"}};
  outcome.notes = {kTooFewTerms, kNotBounds};
  add_given(outcome, settings);
  return outcome;
}

Outcome run(const RunSettings& settings, Progress&) {
  if (!settings.parameters.empty()) {
    return run_given(settings);
  }
  Outcome outcome;
  outcome.comparisons = {compare_printed(), compare_forms()};
  const std::vector<int64_t> sizes =
      settings.quick ? std::vector<int64_t>{64, 1000} : std::vector<int64_t>{64, 100, 128, 500, 1000};
  for (const int64_t bits : sizes) {
    outcome.figures.push_back({.name = fmt::format("approximations-n{}", bits),
                               .chart = approximations(bits, " (notebook cell 5)"),
                               .caption =
                                   "Unless circles are very small, the largest term, its normal "
                                   "approximation and the exponential decrease like the intersection."});
  }
  for (const auto& [bits, radius] :
       {std::pair<int64_t, int64_t>{64, 5}, {64, 11}, {64, 15}, {64, 27}, {100, 44}}) {
    outcome.figures.push_back(
        {.name = fmt::format("bounds-n{}-d{}", bits, radius),
         .chart = bounds(bits, radius, integer_range(1, 32), " (notebook cells 8 and 9)"),
         .caption = "For small circles the published lower form is above the intersection, "
                    "so it is not a bound; the curves on the right are."});
  }
  outcome.figures.push_back(
      {.name = "factors",
       .chart = factor_panels(1000, 451),
       .caption =
           "Between distances 1 and n/2 the exponential changes by a factor of 121, the number of terms "
           "by 2.5 and the constant by 16."});
  std::vector<report::Chart> panels = {constant_factors(1000, 405), constant_factors(1000, 451),
                                       constant_factors(1000, 480)};
  outcome.figures.push_back(
      {.name = "frozen-constants",
       .chart = report::to_chart(
           report::Panels{.title = "Bounds with constant factors, n = 1000 (notebook cells 24 and 25)",
                          .description = "Intersection between two exponentials.",
                          .charts = panels}),
       .caption = "With both factors held constant, the bounds are one exponential above and one below the "
                  "intersection."});
  outcome.figures.push_back(
      {.name = "implied-beta",
       .chart = implied_betas(),
       .caption =
           "The beta implied by the exponent is a third of the fitted beta for large circles, and less "
           "for small ones."});
  outcome.parameters = {
      {"n", fmt::format("{} (approximations)", fmt::join(sizes, ", "))},
      {"space fractions", "1e-13, 1e-7, 1e-4, 1e-2"},
      {"distances", "first tenth (approximations), 1 to 32 (bounds), 1 to 800 (constant factors)"}};
  outcome.notes = {
      kTooFewTerms, kNotBounds,
      "Several cells use v/2 without rounding, with the Gamma function; at odd distances this differs from "
      "the actual largest term.",
      "The printed \"mean squared errors\" are sums over the distances 1 to n/2 of the squared difference "
      "between the largest term and the Taylor form with the constant of each distance."};
  return outcome;
}

} // namespace

Experiment sdm_exp_bounds() {
  return {.id = "sdm/exp-bounds",
          .title = "Exponential bounds of the circle intersection",
          .claim = "The circle intersection is between two functions that decrease exponentially with the "
                   "distance, so that it can be approximated by softmax.",
          .source = "Bricken & Pehlevan 2021, notebook Exp_Approx_Circle_Intersect, cells 5, 8 to 12, 18, "
                    "19, 24 and 25",
          .run = run,
          .parameters =
              circle_parameters("64, 100, 128, 500, 1000", "5, 11, 15 and 27 of 64 bits, 44 of 100")};
}

} // namespace mneme::experiments
