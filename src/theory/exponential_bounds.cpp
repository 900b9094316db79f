// SPDX-License-Identifier: MIT

#include "mneme/theory/exponential_bounds.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "theory/arguments.h"
#include "theory/log_binomial.h"

namespace mneme::theory {
namespace {

void check(const char* where, int64_t bits, int64_t hamming_radius) {
  check_bits(where, bits, 1, kBitsMax);
  check_radius(where, bits, hamming_radius);
}

/// Sum of k over first .. last; 0 for an empty range.
int64_t sum_of_range(int64_t first, int64_t last) {
  return first > last ? 0 : (last - first + 1) * (first + last) / 2;
}

/// Range of s = n-d-a, the first c of the inner sum, for the a in [n-d-floor(v/2), n-v] of the interpretable
/// sum.
struct StartRange {
  int64_t min, max;
};

StartRange start_range(int64_t bits, int64_t hamming_radius, int64_t distance) {
  return {distance - hamming_radius, std::min(distance / 2, bits - hamming_radius)};
}

int64_t exact_terms(int64_t bits, int64_t hamming_radius, int64_t distance) {
  const auto [min, max] = start_range(bits, hamming_radius, distance);
  if (min > max) {
    return 0;
  }
  // The inner sum has v + 1 values of c for s <= 0, v - 2 s + 1 for s > 0.
  return (max - min + 1) * (distance + 1) - 2 * sum_of_range(std::max<int64_t>(min, 1), max);
}

/// Count of the published notebook: the sum of v - s - max(0, s) over all s, including those with negative a
/// or c.
int64_t published_terms(int64_t hamming_radius, int64_t distance) {
  const int64_t min = distance - hamming_radius, max = distance / 2;
  if (min > max) {
    return 0;
  }
  return (max - min + 1) * distance - sum_of_range(min, max) - sum_of_range(std::max<int64_t>(min, 0), max);
}

double log_of_terms(int64_t terms) {
  return terms > 0 ? std::log(static_cast<double>(terms)) : -std::numeric_limits<double>::infinity();
}

/// log of the normal approximation of C(items, chosen) / 2^items.
double log_normal(double items, double chosen) {
  const double mean = items / 2, variance = items / 4;
  return -(chosen - mean) * (chosen - mean) / (2 * variance) -
         0.5 * std::log(2 * std::numbers::pi * variance);
}

} // namespace

IntersectionBounds intersection_bounds(int64_t bits, int64_t hamming_radius, int64_t distance) {
  const char* where = "mneme::theory::intersection_bounds";
  check(where, bits, hamming_radius);
  check_distance(where, bits, distance);
  const int64_t agreeing = bits - distance, half_distance = distance / 2;
  // C(n-v, a) has its maximum in the middle, which is in the range of the sum only for large radii.
  const int64_t a = std::max(bits - hamming_radius - half_distance, agreeing / 2);
  const double log_term = log_binomial(static_cast<double>(agreeing), static_cast<double>(a)) +
                          log_binomial(static_cast<double>(distance), static_cast<double>(half_distance)) -
                          static_cast<double>(bits) * std::numbers::ln2;

  IntersectionBounds bounds;
  bounds.terms = exact_terms(bits, hamming_radius, distance);
  bounds.log_max_term = log_term;
  bounds.log_max_term_times_count = std::min(log_term + log_of_terms(bounds.terms), 0.0);
  if (bounds.terms == 0) {
    bounds.log_exponential = -std::numeric_limits<double>::infinity();
  } else if (2 * hamming_radius < bits) {
    const auto outside = static_cast<double>(bits - 2 * hamming_radius);
    bounds.log_exponential = -outside * outside / (2 * static_cast<double>(agreeing));
  }
  return bounds;
}

PublishedExponentials published_exponentials(int64_t bits, int64_t hamming_radius, int64_t distance,
                                             TermCount count) {
  const char* where = "mneme::theory::published_exponentials";
  check(where, bits, hamming_radius);
  if (distance < 1 || distance > bits - 1) {
    throw UsageError(fmt::format("{}: distance is {}, but it must be between 1 and bits - 1 = {}.", where,
                                 distance, bits - 1));
  }
  const int64_t half_distance = distance / 2;
  const auto n = static_cast<double>(bits), d = static_cast<double>(hamming_radius),
             v = static_cast<double>(distance), half = static_cast<double>(half_distance);
  const double log_space = n * std::numbers::ln2;
  const double outside_squared = (n - 2 * d) * (n - 2 * d);
  const double log_constant = std::log(2 / std::numbers::pi) - 0.5 * (std::log(v) + std::log(n - v));
  const double taylor = -outside_squared / (2 * n) - outside_squared * v / (2 * n * n);

  PublishedExponentials forms;
  forms.terms = count == TermCount::exact ? exact_terms(bits, hamming_radius, distance)
                                          : published_terms(hamming_radius, distance);
  const double log_terms = log_of_terms(forms.terms);
  forms.log_first_term = log_binomial(n - v, n - d - half) + log_binomial(v, half) - log_space;
  forms.log_first_term_half = log_binomial(n - v, n - d - v / 2) + log_binomial(v, v / 2) - log_space;
  forms.log_normal = log_normal(n - v, n - d - half) + log_normal(v, half);
  forms.log_lower = log_constant - outside_squared / (2 * (n - v));
  forms.log_upper = forms.log_lower + log_terms;
  forms.log_taylor_lower = log_constant + taylor;
  forms.log_taylor_upper = forms.log_taylor_lower + log_terms;
  forms.log_taylor_constant_lower = std::log(4 / (std::numbers::pi * n)) + taylor;
  forms.log_taylor_constant_upper = std::log(2 / (std::numbers::pi * std::sqrt(n - 1))) + taylor;
  return forms;
}

double implied_beta(int64_t bits, int64_t hamming_radius) {
  check("mneme::theory::implied_beta", bits, hamming_radius);
  const auto outside = static_cast<double>(bits - 2 * hamming_radius);
  return outside * outside / (4 * static_cast<double>(bits));
}

} // namespace mneme::theory
