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

/// A row per distance.
template <class Row> QuantityRows at_distances(const SettingPoint& point, Row row) {
  QuantityRows rows;
  for (const int64_t distance : point.distances) {
    rows.push_back(row(distance));
  }
  return rows;
}

/// Shares, their logarithms and the hard locations in them.
std::vector<Cell> intersection_cells(const SettingPoint& point, double log_share) {
  return {std::exp(log_share), std::isfinite(log_share) ? Cell(log_share) : Cell(),
          std::exp(log_share + std::log(point.locations))};
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
    return intersection_cells(point, form == "exact" ? exact[static_cast<size_t>(distance)] - log_space(point)
                                     : form == "linear" ? weighted(theory::AddressWeight::linear)
                                                        : weighted(theory::AddressWeight::exponential));
  });
}

QuantityRows address_count_rows(const SettingPoint& point, const Choices&) {
  return at_distances(point, [&](int64_t distance) -> std::vector<Cell> {
    return {theory::circle_intersection_count(point.bits, point.hamming_radius, distance)};
  });
}

QuantityRows cap_intersection_rows(const SettingPoint& point, const Choices& choices) {
  const theory::CapIntersectionTable caps(point.bits, point.hamming_radius);
  const double factor = choices[0] == 1 ? theory::kOriginalCapLogOffset : 0;
  return at_distances(point, [&](int64_t distance) {
    const double cosine = theory::hamming_to_cosine(point.bits, distance);
    std::vector<Cell> cells = intersection_cells(point, caps.log_fraction(cosine) + factor);
    cells.insert(cells.begin(), cosine);
    return cells;
  });
}

QuantityRows bounds_rows(const SettingPoint& point, const Choices& choices) {
  const auto count = choices[0] == 0 ? theory::TermCount::every_term : theory::TermCount::published;
  const std::vector<double> exact = theory::log_circle_intersections(point.bits, point.hamming_radius);
  const auto cell = [](double log) { return std::isfinite(log) ? Cell(log) : Cell(); };
  return at_distances(point, [&](int64_t distance) {
    const auto ours = theory::intersection_bounds(point.bits, point.hamming_radius, distance);
    std::vector<Cell> cells = {cell(exact[static_cast<size_t>(distance)] - log_space(point)),
                               cell(ours.log_largest_term), cell(ours.log_all_largest),
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

QuantityRows beta_rows(const SettingPoint& point, const Choices& choices) {
  const double log_locations = std::log(point.locations);
  const theory::BetaFit circles =
      theory::fit_beta(point.bits, point.hamming_radius, log_locations, static_cast<int64_t>(choices[0]));
  const theory::BetaFit caps = theory::fit_beta_to_caps(point.bits, point.hamming_radius, log_locations);
  return {{circles.beta, circles.least_squares_slope,
           theory::fit_softmax_to_circles(point.bits, point.hamming_radius).beta, caps.beta,
           caps.least_squares_slope, theory::fit_softmax_to_caps(point.bits, point.hamming_radius).beta,
           theory::implied_beta(point.bits, point.hamming_radius)}};
}

QuantityRows space_fraction_rows(const SettingPoint& point, const Choices&) {
  return {{theory::space_fraction(point.bits, point.hamming_radius),
           theory::log_space_fraction(point.bits, point.hamming_radius),
           theory::hamming_to_cosine(point.bits, point.hamming_radius)}};
}

QuantityRows hamming_radius_rows(const SettingPoint& point, const Choices&) {
  const int64_t radius = theory::hamming_radius_for_space_fraction(point.bits, point.space_fraction);
  return {{radius, theory::space_fraction(point.bits, radius)}};
}

QuantityRows optimal_radius_rows(const SettingPoint& point, const Choices&) {
  const double z = theory::z_per_bit(point.bits, point.probability);
  const double for_capacity = theory::capacity_space_fraction(point.locations, z);
  return {{theory::hamming_radius_for_signal_to_noise(point.bits, point.items, point.locations),
           theory::signal_to_noise_space_fraction(point.items, point.locations),
           theory::hamming_radius_for_capacity(point.bits, point.locations, point.probability), for_capacity,
           theory::capacity(for_capacity, point.locations, z)}};
}

QuantityRows capacity_rows(const SettingPoint& point, const Choices&) {
  const double z = theory::z_per_bit(point.bits, point.probability);
  const double fraction = theory::space_fraction(point.bits, point.hamming_radius);
  const double items = theory::capacity(fraction, point.locations, z);
  return {{items >= 1 ? Cell(std::floor(items)) : Cell(int64_t{0}), fraction, z}};
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

QuantityRows one_read_error_rows(const SettingPoint& point, const Choices& choices) {
  const theory::Storage storage = storage_of(choices[0]);
  const auto reads = theory::one_reads(sdm(point), storage);
  const std::vector<double> shares = theory::wrong_shares_after_read(sdm(point), point.distances, storage);
  QuantityRows rows;
  for (size_t i = 0; i < shares.size(); ++i) {
    const theory::OneRead& read = reads[static_cast<size_t>(point.distances[i])];
    rows.push_back({static_cast<double>(point.bits) * shares[i], shares[i], read.wrong_bits, read.signal,
                    read.bias, read.noise_deviation});
  }
  return rows;
}

QuantityRows critical_distance_rows(const SettingPoint& point, const Choices& choices) {
  const auto corrected = theory::critical_distance(sdm(point), storage_of(choices[0]));
  const auto published = [&](theory::NoiseModel noise) {
    return theory::published_critical_distance(
               theory::published_distances_after_read(sdm(point), {.noise = noise}))
        .distance;
  };
  return {{corrected.distance, static_cast<double>(corrected.distance) / static_cast<double>(point.bits),
           corrected.distance > 0 ? Cell(corrected.first) : Cell(), published(theory::NoiseModel::jaeckel),
           published(theory::NoiseModel::book)}};
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

const QuantityColumn kShare = {{.name = "share of the space", .key = "share", .digits = 6}, true};
const QuantityColumn kLogShare = {{.name = "ln share", .key = "log_share", .digits = 7}};
const QuantityColumn kSharedLocations = {
    {.name = "locations shared", .key = "locations_shared", .digits = 7}};
const QuantityChoice kStorage = {"--storage",
                                 {"auto", "hetero"},
                                 "auto: patterns are stored at themselves; hetero: unrelated data at them"};

QuantityColumn logarithm(const char* name, const char* key, bool drawn = false) {
  return {{.name = name, .key = key, .digits = 6}, drawn};
}

} // namespace

const std::vector<Quantity>& quantities() {
  using enum Setting;
  static const std::vector<Quantity> all = {
      {.name = "circle-intersection",
       .summary = "how many addresses, and hard locations, two Hamming circles share",
       .settings = {bits, hamming_radius, locations, distance},
       .choices = {{"--form",
                    {"exact", "lune", "linear", "exponential", "book"},
                    "exact; as published: the lune form in doubles, sums weighted by agreement, the book's "
                    "continuous form"}},
       .columns = {kShare, kLogShare, kSharedLocations},
       .reading = "Two circles of the radius, their centres the distance apart. Locations shared: expected "
                  "number of "
                  "random hard locations in both.",
       .logarithmic_chart = true,
       .evaluate = circle_intersection_rows},
      {.name = "address-count",
       .summary = "the number of addresses in two Hamming circles, every digit of it",
       .settings = {bits, hamming_radius, distance},
       .choices = {},
       .columns = {{{.name = "addresses", .align = report::Align::right}}},
       .reading = "Exact whole numbers: the oracle for the logarithms of circle-intersection.",
       .logarithmic_chart = true,
       .evaluate = address_count_rows},
      {.name = "cap-intersection",
       .summary = "how much of the sphere two caps share: continuous SDM",
       .settings = {bits, hamming_radius, locations, distance},
       .choices = {{"--form",
                    {"exact", "original"},
                    "exact, or 3.69 times too much, as the published code has it"}},
       .columns = {{{.name = "cosine", .digits = 6}}, kShare, kLogShare, kSharedLocations},
       .reading = "Caps that reach as far as the Hamming radius, cosine 1 - 2 d / n; axes the distance "
                  "apart, cosine "
                  "as in the table.",
       .logarithmic_chart = true,
       .evaluate = cap_intersection_rows},
      {.name = "bounds",
       .summary = "terms and exponentials below and above the circle intersection",
       .settings = {bits, hamming_radius, distance},
       .choices = {{"--count", {"every", "published"}, "terms counted for the published upper forms"}},
       .columns = {logarithm("exact", "log_exact", true), logarithm("largest term", "log_largest_term", true),
                   logarithm("all as large", "log_all_largest", true),
                   logarithm("exponential", "log_exponential", true),
                   logarithm("first term, halves", "log_first_term_half"), logarithm("normal", "log_normal"),
                   logarithm("lower", "log_lower"), logarithm("upper", "log_upper"),
                   logarithm("Taylor lower", "log_taylor_lower"),
                   logarithm("Taylor upper", "log_taylor_upper"),
                   logarithm("constant lower", "log_taylor_constant_lower"),
                   logarithm("constant upper", "log_taylor_constant_upper")},
       .reading = "Natural logarithms of shares of the space. Exact lies between largest term and the "
                  "smaller of all as "
                  "large and exponential. The rest are the published forms, which need not bound it.",
       .logarithmic_chart = false,
       .evaluate = bounds_rows},
      {.name = "beta",
       .summary = "the inverse temperature at which softmax follows the intersection",
       .settings = {bits, hamming_radius},
       .choices = {{"--first-distance", {"0", "1"}, "where the fit to circles begins"}},
       .columns = {{{.name = "beta", .digits = 8}, true},
                   {{.name = "true slope", .key = "slope", .digits = 8}, true},
                   {{.name = "least squares", .key = "softmax_beta", .digits = 8}, true},
                   {{.name = "beta, caps", .key = "cap_beta", .digits = 8}},
                   {{.name = "true slope, caps", .key = "cap_slope", .digits = 8}},
                   {{.name = "least squares, caps", .key = "cap_softmax_beta", .digits = 8}},
                   {{.name = "implied", .key = "implied_beta", .digits = 8}, true}},
       .reading =
           "Beta: log-linear regression over d distances as published, slope times d / (d - 1); true slope: "
           "without that factor. Least squares: softmax itself fitted to the normalised intersection. "
           "Implied: "
           "(n - 2 d)^2 / 4 n, from the published exponential.",
       .logarithmic_chart = false,
       .evaluate = beta_rows},
      {.name = "space-fraction",
       .summary = "the share of all addresses within a radius",
       .settings = {bits, hamming_radius},
       .choices = {},
       .columns = {kShare, kLogShare, {{.name = "cosine", .digits = 6}}},
       .reading = "Cosine: of two patterns that differ in as many bits as the radius.",
       .logarithmic_chart = true,
       .evaluate = space_fraction_rows},
      {.name = "hamming-radius",
       .summary = "the smallest radius that covers a share of all addresses",
       .settings = {bits, space_fraction},
       .choices = {},
       .columns = {{{.name = "radius", .key = "hamming_radius"}, true},
                   {{.name = "share covered", .key = "share", .digits = 6}}},
       .reading = "Share covered: of the radius, which is whole; at least the share asked for.",
       .logarithmic_chart = false,
       .evaluate = hamming_radius_rows},
      {.name = "optimal-radius",
       .summary = "the radii of the best signal-to-noise ratio and of the largest capacity",
       .settings = {bits, locations, items, probability},
       .choices = {},
       .columns = {{{.name = "radius, signal to noise", .key = "snr_radius"}, true},
                   {{.name = "share", .key = "snr_share", .digits = 6}},
                   {{.name = "radius, capacity", .key = "capacity_radius"}, true},
                   {{.name = "share there", .key = "capacity_share", .digits = 6}},
                   {{.name = "capacity there", .key = "capacity", .digits = 7}}},
       .reading = "Share: of the space, in one circle. Capacity, as published: so many items that one comes "
                  "back whole "
                  "from its own address with the probability wanted.",
       .logarithmic_chart = false,
       .evaluate = optimal_radius_rows},
      {.name = "capacity",
       .summary = "how many items a radius can hold",
       .settings = {bits, locations, hamming_radius, probability},
       .choices = {},
       .columns = {{{.name = "items held", .key = "capacity", .digits = 7}, true},
                   {{.name = "share of the space", .key = "share", .digits = 6}},
                   {{.name = "z per bit", .key = "z", .digits = 6}}},
       .reading = "As published: so many items that one comes back whole from its own address, without "
                  "noise, with the "
                  "probability wanted.",
       .logarithmic_chart = false,
       .evaluate = capacity_rows},
      {.name = "signal-to-noise",
       .summary = "signal, noise and their ratio for one bit of a read",
       .settings = {bits, locations, hamming_radius, items, distance},
       .choices =
           {{"--noise-model",
             {"averaged", "jaeckel", "book"},
             "averaged over the distances of random patterns; as published: all of them at half of the "
             "bits (new), or the book's (old)"}},
       .columns = {{{.name = "signal", .digits = 6}},
                   {{.name = "noise", .key = "noise_deviation", .digits = 6}},
                   {{.name = "ratio", .digits = 6}, true},
                   {{.name = "bit right", .key = "bit_right", .notation = Notation::percent, .digits = 3}}},
       .reading = "Signal: expected hard locations shared with the stored address. Noise: standard deviation "
                  "of the sum. "
                  "These take noise as unbiased; one-read-error does not.",
       .logarithmic_chart = false,
       .evaluate = signal_to_noise_rows},
      {.name = "one-read-error",
       .summary = "how many bits are wrong after one read, corrected for what published formulas leave out",
       .settings = {bits, locations, hamming_radius, items, distance},
       .choices = {kStorage},
       .columns = {{{.name = "bits wrong", .key = "bits_wrong", .digits = 5}, true},
                   {{.name = "wrong", .key = "share_wrong", .notation = Notation::percent, .digits = 3}},
                   {{.name = "g", .key = "g", .digits = 5}, true},
                   {{.name = "signal", .digits = 5}},
                   {{.name = "bias", .digits = 5}},
                   {{.name = "noise", .key = "noise_deviation", .digits = 5}}},
       .reading = "g: the closed formula, of signal, bias towards the cue's own bits, and noise. Bits wrong: "
                  "the same "
                  "averaged over how many locations a cue reaches, good in small memories too.",
       .logarithmic_chart = false,
       .evaluate = one_read_error_rows},
      {.name = "critical-distance",
       .summary = "from how far away a cue is still recalled",
       .settings = {bits, locations, items, hamming_radius},
       .choices = {kStorage},
       .columns =
           {{{.name = "critical distance", .key = "critical_distance"}, true},
            {{.name = "of the bits", .key = "critical_share", .notation = Notation::percent, .digits = 1}},
            {{.name = "reads come to", .key = "first"}},
            {{.name = "published, new", .key = "published_new"}, true},
            {{.name = "published, old", .key = "published_old"}, true}},
       .reading =
           "Critical distance: the last one at which one read still leads towards the stored pattern, by the "
           "corrected error; repeated reads converge from some 10 % less far. Reads come to: how near they "
           "lead. "
           "Published: the published rule, with the new variance (Jaeckel) and the old one (the book).",
       .logarithmic_chart = false,
       .evaluate = critical_distance_rows},
      {.name = "hard-location-near",
       .summary = "the probability that a random address has a hard location near it",
       .settings = {bits, locations, hamming_radius},
       .choices = {},
       .columns = {{{.name = "probability", .digits = 6}, true},
                   {{.name = "locations expected", .key = "expected", .digits = 6}},
                   {{.name = "published", .key = "published_probability", .digits = 6}, true},
                   {{.name = "expected, published", .key = "published_expected", .digits = 6}}},
       .reading =
           "Probability of at least one within the radius, exactly. Published: a normal distribution without "
           "continuity correction.",
       .logarithmic_chart = false,
       .evaluate = hard_location_near_rows},
      {.name = "nearest-location",
       .summary = "the radius within which a hard location is found",
       .settings = {bits, locations, probability},
       .choices = {},
       .columns = {{{.name = "radius", .key = "hamming_radius"}, true},
                   {{.name = "published", .key = "published_radius", .digits = 7}, true}},
       .reading = "Radius: the smallest with the probability wanted. Published: where the normal "
                  "distribution expects "
                  "the first location, whatever the probability.",
       .logarithmic_chart = false,
       .evaluate = nearest_location_rows}};
  return all;
}

} // namespace mneme::cli
