// SPDX-License-Identifier: MIT

#include "cli/theory_quantities.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "mneme/theory/beta_fit.h"
#include "mneme/theory/book_intersection.h"
#include "mneme/theory/cap_intersection.h"
#include "mneme/theory/capacity.h"
#include "mneme/theory/circle_intersection.h"
#include "mneme/theory/critical_distance.h"
#include "mneme/theory/exponential_bounds.h"
#include "mneme/theory/hard_location_near.h"
#include "mneme/theory/one_read_error.h"
#include "mneme/theory/original_cap_table.h"
#include "mneme/theory/original_circle_intersection.h"
#include "mneme/theory/signal_to_noise.h"
#include "mneme/theory/softmax_agreement.h"
#include "mneme/theory/space_fraction.h"
#include "mneme/theory/weighted_intersection.h"

namespace mneme::cli {
namespace {

using report::Cell;
using report::Notation;
using Choices = std::vector<size_t>;

theory::SdmParameters sdm(const SettingPoint& point) {
  return {.bits = point.bits,
          .hard_locations = point.locations,
          .hamming_radius = point.hamming_radius,
          .patterns = point.items};
}

double log_space(const SettingPoint& point) {
  return static_cast<double>(point.bits) * std::numbers::ln2;
}

/// One row per distance.
template <class Row> QuantityRows at_distances(const SettingPoint& point, Row row) {
  QuantityRows rows;
  for (const int64_t distance : point.distances) {
    rows.push_back(row(distance));
  }
  return rows;
}

/// exp(log); missing where a positive number underflows to 0.
Cell exponential(double log) {
  const double number = std::exp(log);
  return number > 0 || !std::isfinite(log) ? Cell(number) : Cell();
}

/// Fraction of the space in an intersection, its logarithm, and the expected number of hard locations in it.
std::vector<Cell> intersection_cells(const SettingPoint& point, double log_fraction) {
  return {exponential(log_fraction), std::isfinite(log_fraction) ? Cell(log_fraction) : Cell(),
          exponential(log_fraction + std::log(point.locations))};
}

QuantityRows circle_intersection_rows(const SettingPoint& point, const Choices& choices) {
  const char* kForms[] = {"exact", "lune", "linear", "exponential", "book"};
  const std::string form = kForms[choices[0]];
  const std::vector<double> exact = theory::log_circle_intersections(point.bits, point.hamming_radius);
  return at_distances(point, [&](int64_t distance) {
    const auto weighted = [&](theory::AddressWeight weight) {
      return theory::log_weighted_intersection(point.bits, point.hamming_radius, distance, weight) -
             log_space(point);
    };
    if (form == "lune") {
      return intersection_cells(point, std::log(theory::original_lune_intersection(
                                           point.bits, point.hamming_radius, distance, 0.0)));
    }
    if (form == "book") {
      return intersection_cells(point,
                                theory::log_book_intersection(point.bits, point.hamming_radius, distance));
    }
    if (form == "exact") {
      return intersection_cells(point, exact[static_cast<size_t>(distance)] - log_space(point));
    }
    return intersection_cells(point, weighted(form == "linear" ? theory::AddressWeight::linear
                                                               : theory::AddressWeight::exponential));
  });
}

QuantityRows address_count_rows(const SettingPoint& point, const Choices&) {
  QuantityRows rows;
  for (const std::string& count :
       theory::circle_intersection_counts(point.bits, point.hamming_radius, point.distances)) {
    rows.push_back({count});
  }
  return rows;
}

QuantityRows cap_intersection_rows(const SettingPoint& point, const Choices& choices) {
  const theory::CapIntersectionTable caps(point.bits, point.hamming_radius);
  const double log_offset = choices[0] == 1 ? theory::kOriginalCapLogOffset : 0;
  return at_distances(point, [&](int64_t distance) {
    const double cosine = theory::hamming_to_cosine(point.bits, distance);
    std::vector<Cell> cells = intersection_cells(point, caps.log_fraction(cosine) + log_offset);
    cells.insert(cells.begin(), cosine);
    return cells;
  });
}

QuantityRows bounds_rows(const SettingPoint& point, const Choices& choices) {
  const auto count = choices[0] == 0 ? theory::TermCount::exact : theory::TermCount::published;
  const std::vector<double> exact = theory::log_circle_intersections(point.bits, point.hamming_radius);
  const auto cell = [](double log) { return std::isfinite(log) ? Cell(log) : Cell(); };
  return at_distances(point, [&](int64_t distance) {
    const auto ours = theory::intersection_bounds(point.bits, point.hamming_radius, distance);
    std::vector<Cell> cells = {cell(exact[static_cast<size_t>(distance)] - log_space(point)),
                               cell(ours.log_max_term), cell(ours.log_max_term_times_count),
                               cell(ours.log_exponential)};
    if (distance == 0 || distance == point.bits) {
      cells.resize(12);
      return cells;
    }
    const auto forms = theory::published_exponentials(point.bits, point.hamming_radius, distance, count);
    for (const double log : {forms.log_first_term_half, forms.log_normal, forms.log_lower, forms.log_upper,
                             forms.log_taylor_lower, forms.log_taylor_upper, forms.log_taylor_constant_lower,
                             forms.log_taylor_constant_upper}) {
      cells.push_back(cell(log));
    }
    return cells;
  });
}

/// Smallest radius of a fit of beta, which has one point per distance 0 to d - 1.
constexpr int64_t kMinRadiusOfFit = 2;

QuantityRows beta_rows(const SettingPoint& point, const Choices& choices) {
  if (point.hamming_radius < kMinRadiusOfFit) {
    std::vector<Cell> cells(7);
    cells.back() = theory::implied_beta(point.bits, point.hamming_radius);
    return {cells};
  }
  const double log_locations = std::log(point.locations);
  const theory::BetaFit circles =
      theory::fit_beta(point.bits, point.hamming_radius, log_locations, static_cast<int64_t>(choices[0]));
  const theory::BetaFit caps = theory::fit_beta_to_caps(point.bits, point.hamming_radius, log_locations);
  return {{circles.beta, circles.least_squares_slope,
           theory::fit_softmax_to_circles(point.bits, point.hamming_radius).beta, caps.beta,
           caps.least_squares_slope, theory::fit_softmax_to_caps(point.bits, point.hamming_radius).beta,
           theory::implied_beta(point.bits, point.hamming_radius)}};
}

/// Cosines and logarithms of intersections at all distances 0 .. bits.
struct Intersections {
  std::vector<double> cosines, logs;
};

Intersections intersections(const SettingPoint& point, const Choices& choices) {
  Intersections inputs;
  for (int64_t distance = 0; distance <= point.bits; ++distance) {
    inputs.cosines.push_back(theory::hamming_to_cosine(point.bits, distance));
  }
  if (choices[0] == 1) {
    const theory::CapIntersectionTable caps(point.bits, point.hamming_radius);
    for (const double cosine : inputs.cosines) {
      inputs.logs.push_back(caps.log_fraction(cosine));
    }
  } else {
    inputs.logs = theory::log_circle_intersections(point.bits, point.hamming_radius);
    for (double& log : inputs.logs) {
      log -= log_space(point);
    }
  }
  return inputs;
}

/// Intersections, and the selected beta.
struct SoftmaxInputs : Intersections {
  theory::BetaFit fit;
  double beta_of_weights = 0, beta = 0;
};

SoftmaxInputs softmax_inputs(const SettingPoint& point, const Choices& choices) {
  SoftmaxInputs inputs{intersections(point, choices), {}};
  const double log_locations = std::log(point.locations);
  if (choices[0] == 1) {
    inputs.fit = theory::fit_beta_to_caps(point.bits, point.hamming_radius, log_locations);
    inputs.beta_of_weights = theory::fit_softmax_to_caps(point.bits, point.hamming_radius).beta;
  } else {
    inputs.fit = theory::fit_beta(point.bits, point.hamming_radius, log_locations);
    inputs.beta_of_weights = theory::fit_softmax_to_circles(point.bits, point.hamming_radius).beta;
  }
  const double betas[] = {inputs.fit.beta, inputs.fit.least_squares_slope, inputs.beta_of_weights};
  inputs.beta = betas[choices[1]];
  return inputs;
}

QuantityRows softmax_rows(const SettingPoint& point, const Choices& choices) {
  if (point.hamming_radius < kMinRadiusOfFit) { // no fit: columns that do not depend on it
    const bool has_caps = choices[0] == 0 || (point.hamming_radius > 0 && point.bits > 2);
    const Intersections inputs = has_caps ? intersections(point, choices) : Intersections();
    const std::vector<double> weights =
        has_caps ? theory::compare_softmax(inputs.cosines, inputs.logs, 0).intersection
                 : std::vector<double>();
    return at_distances(point, [&](int64_t distance) -> std::vector<Cell> {
      const auto at = static_cast<size_t>(distance);
      return {theory::hamming_to_cosine(point.bits, distance), has_caps ? Cell(weights[at]) : Cell(), Cell(),
              Cell(), has_caps ? Cell(std::exp(inputs.logs[at] + std::log(point.locations))) : Cell()};
    });
  }
  const SoftmaxInputs inputs = softmax_inputs(point, choices);
  const theory::SoftmaxAgreement weights = theory::compare_softmax(inputs.cosines, inputs.logs, inputs.beta);
  return at_distances(point, [&](int64_t distance) -> std::vector<Cell> {
    const auto at = static_cast<size_t>(distance);
    return {inputs.cosines[at], weights.intersection[at], weights.softmax[at],
            weights.intersection[at] > 0 ? Cell(weights.softmax[at] / weights.intersection[at]) : Cell(),
            std::exp(inputs.logs[at] + std::log(point.locations))};
  });
}

std::vector<Cell> softmax_fit(const SettingPoint& point, const Choices& choices) {
  if (point.hamming_radius < kMinRadiusOfFit) {
    return std::vector<Cell>(7);
  }
  const SoftmaxInputs inputs = softmax_inputs(point, choices);
  const theory::SoftmaxAgreement weights = theory::compare_softmax(inputs.cosines, inputs.logs, inputs.beta);
  const auto fitted = static_cast<size_t>(inputs.fit.points);
  return {inputs.fit.beta,
          inputs.fit.least_squares_slope,
          inputs.beta_of_weights,
          fitted < 3 ? Cell()
                     : Cell(theory::log_linear_r_squared({inputs.cosines.data(), fitted},
                                                         {inputs.logs.data(), fitted})),
          weights.max_difference,
          weights.total_variation,
          weights.within_factor_2 - 1};
}

QuantityRows space_fraction_rows(const SettingPoint& point, const Choices&) {
  const double fraction = theory::space_fraction(point.bits, point.hamming_radius);
  return {{fraction > 0 ? Cell(fraction) : Cell(),
           theory::log_space_fraction(point.bits, point.hamming_radius),
           theory::hamming_to_cosine(point.bits, point.hamming_radius)}};
}

QuantityRows hamming_radius_rows(const SettingPoint& point, const Choices&) {
  const int64_t radius = theory::hamming_radius_for_space_fraction(point.bits, point.space_fraction);
  return {{radius, theory::space_fraction(point.bits, radius)}};
}

QuantityRows optimal_radius_rows(const SettingPoint& point, const Choices&) {
  const double z = theory::z_per_bit(point.bits, point.probability);
  const int64_t snr_radius =
      theory::hamming_radius_for_signal_to_noise(point.bits, point.items, point.locations);
  const double snr_fraction = theory::signal_to_noise_space_fraction(point.items, point.locations);
  const int64_t best_snr_radius = theory::best_hamming_radius_for_signal_to_noise(sdm(point));
  if (z <= 0) { // random bits reach the probability
    return {{snr_radius, snr_fraction, best_snr_radius, Cell(), Cell(), Cell(), Cell()}};
  }
  const double for_capacity = theory::capacity_space_fraction(point.locations, z);
  return {{snr_radius, snr_fraction, best_snr_radius,
           theory::hamming_radius_for_capacity(point.bits, point.locations, point.probability), for_capacity,
           theory::capacity(for_capacity, point.locations, z),
           theory::best_hamming_radius_for_capacity(point.bits, point.locations, point.probability)}};
}

QuantityRows capacity_rows(const SettingPoint& point, const Choices&) {
  const double z = theory::z_per_bit(point.bits, point.probability);
  const double fraction = theory::space_fraction(point.bits, point.hamming_radius);
  constexpr int64_t kMaxBitsOfModel = 100'000; // a few seconds
  constexpr double kMaxCount = 1e30;           // of capacity_after_read
  const std::optional<double> corrected =
      point.bits <= kMaxBitsOfModel && point.locations <= kMaxCount && fraction > 0
          ? theory::capacity_after_read(sdm(point), point.probability)
          : std::nullopt;
  const Cell corrected_cell = corrected ? Cell(*corrected) : Cell();
  if (z <= 0 || fraction == 0) {
    return {{Cell(), corrected_cell, fraction > 0 ? Cell(fraction) : Cell(), z}};
  }
  const double items = theory::capacity(fraction, point.locations, z);
  return {{items >= 1 ? Cell(std::floor(items)) : Cell(int64_t{0}), corrected_cell, fraction, z}};
}

QuantityRows signal_to_noise_rows(const SettingPoint& point, const Choices& choices) {
  constexpr theory::NoiseModel kModels[] = {theory::NoiseModel::averaged, theory::NoiseModel::jaeckel,
                                            theory::NoiseModel::book};
  const auto reads = theory::signal_to_noise(sdm(point), {.noise = kModels[choices[0]]});
  return at_distances(point, [&](int64_t distance) -> std::vector<Cell> {
    const auto& read = reads[static_cast<size_t>(distance)];
    return {read.signal, read.noise_deviation, read.ratio,
            0.5 * std::erfc(-read.ratio / std::numbers::sqrt2)};
  });
}

theory::Storage storage_of(size_t choice) {
  return choice == 0 ? theory::Storage::autoassociative : theory::Storage::heteroassociative;
}

/// Whether `bit_error_rates_after_read` computes memories of this size.
bool has_corrected_error(const SettingPoint& point) {
  constexpr double kMaxCount = 1e30;
  return point.locations <= kMaxCount && point.items <= kMaxCount;
}

QuantityRows one_read_error_rows(const SettingPoint& point, const Choices& choices) {
  const theory::Storage storage = storage_of(choices[0]);
  const auto reads = theory::read_statistics(sdm(point), storage);
  std::vector<double> wrong_fractions;
  if (has_corrected_error(point)) {
    wrong_fractions = theory::bit_error_rates_after_read(sdm(point), point.distances, storage);
  }
  QuantityRows rows;
  for (size_t i = 0; i < point.distances.size(); ++i) {
    const theory::ReadStatistics& read = reads[static_cast<size_t>(point.distances[i])];
    std::vector<Cell> cells = {Cell(), Cell(), read.wrong_bits, read.signal, read.bias, read.noise_deviation};
    if (!wrong_fractions.empty()) {
      cells[0] = static_cast<double>(point.bits) * wrong_fractions[i];
      cells[1] = wrong_fractions[i];
    }
    rows.push_back(std::move(cells));
  }
  return rows;
}

QuantityRows critical_distance_rows(const SettingPoint& point, const Choices& choices) {
  constexpr int64_t kMaxBitsOfCurve = 100'000; // a few seconds
  const theory::Storage storage = storage_of(choices[0]);
  const auto closed = theory::critical_distance(sdm(point), storage);
  const bool has_curve = point.bits <= kMaxBitsOfCurve && has_corrected_error(point);
  const auto published = [&](theory::NoiseModel noise) {
    const auto critical = theory::published_critical_distance(
        theory::published_distances_after_read(sdm(point), {.noise = noise}));
    return critical.is_default ? Cell() : Cell(critical.distance);
  };
  return {
      {closed.distance, static_cast<double>(closed.distance) / static_cast<double>(point.bits),
       closed.distance > 0 ? Cell(closed.first) : Cell(),
       has_curve ? Cell(theory::critical_distance_by_bit_error_rate(sdm(point), storage).distance) : Cell(),
       published(theory::NoiseModel::jaeckel), published(theory::NoiseModel::book)}};
}

QuantityRows hard_location_near_rows(const SettingPoint& point, const Choices&) {
  const auto published =
      theory::published_hard_location_near(point.bits, point.locations, point.hamming_radius);
  return {{theory::probability_of_hard_location_near(point.bits, point.locations, point.hamming_radius),
           point.locations * theory::space_fraction(point.bits, point.hamming_radius), published.probability,
           published.expected}};
}

QuantityRows nearest_location_rows(const SettingPoint& point, const Choices&) {
  return {{theory::hamming_radius_for_hard_location_near(point.bits, point.locations, point.probability),
           point.locations > 1 ? Cell(theory::published_nearest_hard_location(point.bits, point.locations))
                               : Cell()}};
}

const QuantityColumn kFraction = {{.name = "fraction of the space", .key = "share", .digits = 6}, "fraction"};
const QuantityColumn kLogFraction = {{.name = "ln(fraction)", .key = "log_share", .digits = 7}};
const QuantityColumn kSharedLocations = {
    {.name = "shared locations", .key = "locations_shared", .digits = 7}};
const QuantityChoice kStorage = {
    "--storage",
    {"auto", "hetero"},
    "auto: autoassociative, the stored data are the patterns themselves; hetero: "
    "heteroassociative, the data are unrelated to the patterns"};

QuantityColumn logarithm(const char* name, const char* key, const char* legend = "") {
  return {{.name = name, .key = key, .digits = 6}, legend};
}

} // namespace

const std::vector<Quantity>& quantities() {
  using enum Setting;
  static const std::vector<Quantity> all = {
      {.name = "circle-intersection",
       .summary =
           "fraction of addresses, and number of hard locations, in the intersection of two Hamming circles",
       .settings = {bits, hamming_radius, locations, distance},
       .choices =
           {{"--form",
             {"exact", "lune", "linear", "exponential", "book"},
             "Formula. exact: exact sum; the others are published formulas. lune: the lune form in double "
             "precision; linear, exponential: sums weighted by the similarity to the two centres; book: the "
             "continuous approximation of Kanerva's book"}},
       .columns = {kFraction, kLogFraction, kSharedLocations},
       .explanation =
           "Intersection of two circles with the given radius and the given distance between their "
           "centres. Shared locations: expected number of random hard locations in both circles. Numbers "
           "below 1e-323 are empty: they have only a logarithm.",
       .axis_title = "fraction of all addresses",
       .logarithmic_chart = true,
       .evaluate = circle_intersection_rows},
      {.name = "address-count",
       .summary = "exact number of addresses in the intersection of two Hamming circles",
       .settings = {bits, hamming_radius, distance},
       .choices = {},
       .columns = {{{.name = "addresses", .align = report::Align::right}}},
       .explanation = "Exact integers; use them to check the logarithms of circle-intersection.",
       .axis_title = "",
       .logarithmic_chart = true,
       .evaluate = address_count_rows},
      {.name = "cap-intersection",
       .summary = "fraction of the sphere in the intersection of two spherical caps (continuous SDM)",
       .settings = {bits, hamming_radius, locations, distance},
       .choices =
           {{"--form",
             {"exact", "original"},
             "exact: exact integral; original: 3.69 times too large, as computed by the published code"}},
       .columns = {{{.name = "cosine", .digits = 6}}, kFraction, kLogFraction, kSharedLocations},
       .explanation =
           "The caps have the angular radius that corresponds to the Hamming radius d, with cosine "
           "1 - 2 d / n. Cosine: of the angle between the axes of the caps, which corresponds to the "
           "distance. Numbers below 1e-323 are empty: they have only a logarithm.",
       .axis_title = "fraction of the sphere",
       .logarithmic_chart = true,
       .evaluate = cap_intersection_rows},
      {.name = "bounds",
       .summary = "lower and upper bounds of the circle intersection",
       .settings = {bits, hamming_radius, distance},
       .choices =
           {{"--count",
             {"every", "published"},
             "Number of terms in the published upper forms. every: all terms of the sum; published: the "
             "published count, which is one too small in every inner sum"}},
       .columns = {logarithm("exact", "log_exact", "exact"),
                   logarithm("largest term", "log_largest_term", "largest term (lower bound)"),
                   logarithm("all terms as large", "log_all_largest",
                             "all terms as large as the largest (upper bound)"),
                   logarithm("exponential", "log_exponential", "exponential (upper bound)"),
                   logarithm("first term, halves", "log_first_term_half"), logarithm("normal", "log_normal"),
                   logarithm("lower", "log_lower"), logarithm("upper", "log_upper"),
                   logarithm("Taylor lower", "log_taylor_lower"),
                   logarithm("Taylor upper", "log_taylor_upper"),
                   logarithm("constant lower", "log_taylor_constant_lower"),
                   logarithm("constant upper", "log_taylor_constant_upper")},
       .explanation =
           "Natural logarithms of fractions of the space. Largest term is a lower bound of exact; all "
           "terms as large (the largest term times the number of terms) and exponential are upper "
           "bounds. The other columns are the published forms, which are not always bounds.",
       .axis_title = "ln(fraction of all addresses)",
       .logarithmic_chart = false,
       .evaluate = bounds_rows},
      {.name = "beta",
       .summary = "inverse temperature with which softmax approximates the intersection",
       .settings = {bits, hamming_radius},
       .choices = {{"--first-distance", {"0", "1"}, "First distance of the fit to circles"}},
       .columns = {{{.name = "beta", .digits = 8}, "regression as published"},
                   {{.name = "slope", .digits = 8}, "slope of the regression"},
                   {{.name = "least squares", .key = "softmax_beta", .digits = 8},
                    "least squares of the weights"},
                   {{.name = "beta, caps", .key = "cap_beta", .digits = 8}},
                   {{.name = "slope, caps", .key = "cap_slope", .digits = 8}},
                   {{.name = "least squares, caps", .key = "cap_softmax_beta", .digits = 8}},
                   {{.name = "implied", .key = "implied_beta", .digits = 8},
                    "implied by the published exponential"}},
       .explanation =
           "Beta: log-linear regression over d distances as published, which multiplies the slope by d / (d "
           "- 1); a radius d below 2 has no fit. "
           "Slope: the same regression without this factor. Least squares: softmax fitted to the normalised "
           "intersection. Implied: (n - 2 d)^2 / 4 n, from the published exponential. Columns with \"caps\" "
           "are "
           "fitted to the cap intersection, the others to the circle intersection.",
       .axis_title = "inverse temperature beta",
       .logarithmic_chart = false,
       .evaluate = beta_rows},
      {.name = "softmax",
       .summary =
           "circle intersection next to the softmax that approximates it, fitted beta, quality of the fit",
       .settings = {bits, hamming_radius, locations, distance},
       .choices = {{"--intersection",
                    {"circles", "caps"},
                    "circles: of bit patterns; caps: of points on a sphere"},
                   {"--beta",
                    {"published", "slope", "weights"},
                    "Beta of the softmax. published: log-linear regression, times d / (d - 1) as in the "
                    "published "
                    "code; slope: the regression without this factor; weights: the beta with the smallest "
                    "squared "
                    "difference of the weights"}},
       .columns = {{{.name = "cosine", .digits = 6}},
                   {{.name = "intersection", .digits = 6}, "intersection"},
                   {{.name = "softmax", .digits = 6}, "softmax"},
                   {{.name = "softmax / intersection", .key = "ratio", .digits = 4}},
                   kSharedLocations},
       .explanation = "Intersection and softmax: weights by distance, each divided by its sum over all "
                      "distances 0 to n. "
                      "Betas are fitted at the distances 0 to d - 1; a radius d below 2 has no fit. R "
                      "squared: of ln(intersection) over the "
                      "cosine at these "
                      "distances; 1 means exactly exponential. Largest difference: of the two weights at one "
                      "distance. Weight "
                      "elsewhere: half of the sum of all differences, the fraction of the weight that "
                      "softmax puts on other "
                      "distances. Factor 2 up to: largest distance up to which the two differ by less than a "
                      "factor of 2. The "
                      "number of locations changes the shared locations alone.",
       .axis_title = "normalised weight",
       .logarithmic_chart = true,
       .evaluate = softmax_rows,
       .fit_columns = {{.name = "beta, published", .key = "beta", .digits = 6},
                       {.name = "slope", .digits = 6},
                       {.name = "beta of weights", .key = "softmax_beta", .digits = 6},
                       {.name = "R squared", .key = "r_squared", .digits = 6},
                       {.name = "largest difference", .key = "max_difference", .digits = 3},
                       {.name = "weight elsewhere",
                        .key = "total_variation",
                        .notation = Notation::percent,
                        .digits = 2},
                       {.name = "factor 2 up to", .key = "within_factor_2"}},
       .fit = softmax_fit,
       .default_distances = DefaultDistances::in_circles,
       .has_both_charts = true},
      {.name = "space-fraction",
       .summary = "fraction of all addresses within a Hamming radius",
       .settings = {bits, hamming_radius},
       .choices = {},
       .columns = {kFraction, kLogFraction, {{.name = "cosine", .digits = 6}}},
       .explanation = "Cosine: of two patterns whose Hamming distance is the radius. A fraction below 1e-323 "
                      "is empty: it has only a logarithm.",
       .axis_title = "fraction of all addresses",
       .logarithmic_chart = true,
       .evaluate = space_fraction_rows},
      {.name = "hamming-radius",
       .summary = "smallest radius that contains a given fraction of all addresses",
       .settings = {bits, space_fraction},
       .choices = {},
       .columns = {{{.name = "radius", .key = "hamming_radius"}, "smallest radius"},
                   {{.name = "fraction within it", .key = "share", .digits = 6}}},
       .explanation = "Fraction within it: fraction of all addresses within this radius. It is at least the "
                      "required fraction, since the radius is an integer.",
       .axis_title = "Hamming radius (bits)",
       .logarithmic_chart = false,
       .evaluate = hamming_radius_rows},
      {.name = "optimal-radius",
       .summary = "radii with the best signal-to-noise ratio and with the largest capacity",
       .settings = {bits, locations, items, probability},
       .choices = {},
       .columns = {{{.name = "SNR radius", .key = "snr_radius"}, "signal-to-noise ratio, published formula"},
                   {{.name = "SNR fraction p", .key = "snr_share", .digits = 6}},
                   {{.name = "SNR radius by search", .key = "best_snr_radius"},
                    "signal-to-noise ratio, by search"},
                   {{.name = "capacity radius", .key = "capacity_radius"}, "capacity, published formula"},
                   {{.name = "capacity fraction p", .key = "capacity_share", .digits = 6}},
                   {{.name = "capacity at p", .key = "capacity", .digits = 7}},
                   {{.name = "capacity radius by search", .key = "best_capacity_radius"},
                    "capacity, by search"}},
       .explanation =
           "SNR radius and capacity radius, as published: the smallest radius that contains the fraction p "
           "of "
           "the space with the best signal-to-noise ratio or the largest capacity. A radius is a whole "
           "number, "
           "so it contains more than p. By search: the radius with the best ratio (quantity signal-to-noise, "
           "distance 0) or the largest capacity (quantity capacity). Capacity, as published: the number of "
           "items with which an item is recalled without an error from its own address with the required "
           "probability, at the fraction p; with few bits no radius contains a fraction near it. It is empty "
           "where bits that are chosen at random reach this probability.",
       .axis_title = "Hamming radius (bits)",
       .logarithmic_chart = false,
       .evaluate = optimal_radius_rows},
      {.name = "capacity",
       .summary = "number of items that a memory can store",
       .settings = {bits, locations, hamming_radius, probability},
       .choices = {},
       .columns = {{{.name = "published capacity", .key = "capacity", .digits = 7}, "published formula"},
                   {{.name = "corrected capacity", .key = "corrected_capacity", .digits = 7},
                    "from the error of one read"},
                   {{.name = "fraction of the space", .key = "share", .digits = 6}},
                   {{.name = "z per bit", .key = "z", .digits = 6}}},
       .explanation =
           "Capacity: the number of items with which an item is recalled without an error from its "
           "own address, without noise, with the required probability. Published: by the formula "
           "of the paper, which can be several times too small, because it neglects that other items "
           "favour the bits of the cue. Corrected: by the error rate of one read (quantity "
           "one-read-error), which simulations confirm; use it to plan a memory. A read that activates no "
           "location returns the cue, but does not count as recalled. z per bit: "
           "quantile of the normal distribution for one bit, in the published formula. The "
           "published capacity is empty where z is not above 0, since bits that are chosen at random "
           "reach the probability, and both where the fraction of the space is below 1e-323. "
           "The corrected one is empty where no number of items is too large, because such a "
           "memory returns every cue unchanged, and beyond 100 000 bits or 1e30 locations.",
       .axis_title = "capacity (patterns)",
       .logarithmic_chart = false,
       .evaluate = capacity_rows},
      {.name = "signal-to-noise",
       .summary = "signal, noise and signal-to-noise ratio of one bit of a read",
       .settings = {bits, locations, hamming_radius, items, distance},
       .choices =
           {{"--noise-model",
             {"averaged", "jaeckel", "book"},
             "averaged: noise averaged over the distances between random patterns; published models: "
             "jaeckel "
             "(new), with all distances equal to half of the bits, and book (old), of Kanerva's book"}},
       .columns = {{{.name = "signal", .digits = 6}},
                   {{.name = "noise", .key = "noise_deviation", .digits = 6}},
                   {{.name = "ratio", .digits = 6}, "ratio"},
                   {{.name = "bit correct", .key = "bit_right", .notation = Notation::percent, .digits = 3}}},
       .explanation =
           "Signal: expected number of hard locations shared with the stored address. Noise: standard "
           "deviation of the sum. Bit correct: probability that the bit is correct. These models assume "
           "unbiased noise; one-read-error does not.",
       .axis_title = "signal-to-noise ratio of one bit",
       .logarithmic_chart = false,
       .evaluate = signal_to_noise_rows},
      {.name = "one-read-error",
       .summary = "number of wrong bits after one read, with corrections that published formulas omit",
       .settings = {bits, locations, hamming_radius, items, distance},
       .choices = {kStorage},
       .columns = {{{.name = "wrong bits", .key = "bits_wrong", .digits = 5}, "with all corrections"},
                   {{.name = "wrong", .key = "share_wrong", .notation = Notation::percent, .digits = 3}},
                   {{.name = "g", .key = "g", .digits = 5}, "g, the closed formula"},
                   {{.name = "signal", .digits = 5}},
                   {{.name = "bias", .digits = 5}},
                   {{.name = "noise", .key = "noise_deviation", .digits = 5}}},
       .explanation =
           "g: number of wrong bits by the closed formula from the signal, the bias towards the bits of "
           "the cue, and the noise. Wrong bits: the same formula averaged over the number of locations "
           "that a cue activates, which is accurate for small memories too; empty for more than 1e30 "
           "locations or items. A read that activates no location returns the cue, and one that activates "
           "only locations without any item is wrong in half of the bits; g expects that of both.",
       .axis_title = "wrong bits after one read",
       .logarithmic_chart = false,
       .evaluate = one_read_error_rows},
      {.name = "critical-distance",
       .summary = "largest distance at which a read leads towards the stored pattern",
       .settings = {bits, locations, items, hamming_radius},
       .choices = {kStorage},
       .columns =
           {{{.name = "critical distance", .key = "critical_distance"}, "g, the closed formula"},
            {{.name = "fraction", .key = "critical_share", .notation = Notation::percent, .digits = 1}},
            {{.name = "smallest distance", .key = "first"}},
            {{.name = "with all corrections", .key = "critical_distance_corrected"}, "with all corrections"},
            {{.name = "published, new", .key = "published_new"}, "published rule, new variance (Jaeckel)"},
            {{.name = "published, old", .key = "published_old"},
             "published rule, old variance (Kanerva's book)"}},
       .explanation =
           "Critical distance: the largest distance at which one read reduces the distance to the stored "
           "pattern, computed with the column g of one-read-error, and at most the distance from which "
           "another of the items is nearer with a probability of 1/2. Repeated reads converge from smaller "
           "distances: about 10 % smaller in a memory of 1000 bits and 10000 items, but a third or more in "
           "memories of fewer bits (theory plan --simulate measures errors). Fraction: critical distance "
           "divided by the bits. Smallest distance: the "
           "smallest one at which one read reduces the distance. With all corrections: the critical distance "
           "computed with the column wrong bits of one-read-error; empty for more than 100000 bits, and for "
           "more than 1e30 locations or items. Published: the published rule, with the new variance "
           "(Jaeckel) and the old one (Kanerva's book); empty where this rule finds no distance.",
       .axis_title = "critical distance (bits)",
       .logarithmic_chart = false,
       .evaluate = critical_distance_rows},
      {.name = "hard-location-near",
       .summary = "probability that there is a hard location within a radius of a random address",
       .settings = {bits, locations, hamming_radius},
       .choices = {},
       .columns = {{{.name = "probability", .digits = 6}, "exact"},
                   {{.name = "expected locations", .key = "expected", .digits = 6}},
                   {{.name = "published probability", .key = "published_probability", .digits = 6},
                    "published (normal distribution)"},
                   {{.name = "published expected", .key = "published_expected", .digits = 6}}},
       .explanation =
           "Probability: exact probability of at least one hard location within the radius. Expected "
           "locations: "
           "their expected number. Published: both from a normal distribution without continuity correction.",
       .axis_title = "probability of a hard location",
       .logarithmic_chart = false,
       .evaluate = hard_location_near_rows},
      {.name = "nearest-location",
       .summary = "radius within which there is a hard location with a required probability",
       .settings = {bits, locations, probability},
       .choices = {},
       .columns = {{{.name = "radius", .key = "hamming_radius"}, "required probability"},
                   {{.name = "published", .key = "published_radius", .digits = 7},
                    "published (normal distribution)"}},
       .explanation =
           "Radius: the smallest radius with the required probability. Published: the radius at which "
           "the normal distribution expects one location, independent of the probability.",
       .axis_title = "Hamming radius (bits)",
       .logarithmic_chart = false,
       .evaluate = nearest_location_rows,
       .allows_certainty = true}};
  return all;
}

} // namespace mneme::cli
