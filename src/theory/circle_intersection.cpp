// SPDX-License-Identifier: MIT

#include "mneme/theory/circle_intersection.h"

#include <algorithm>
#include <map>

#include <boost/multiprecision/cpp_int.hpp>
#include <fmt/format.h>

#include "mneme/core/interrupt.h"
#include "theory/arguments.h"
#include "theory/scaled.h"

namespace mneme::theory {
namespace {

using Integer = boost::multiprecision::cpp_int;

/// Ratio L(j + 2) / L(j) of consecutive lunes as two factors, each numerator / denominator.
struct LuneStep {
  int64_t central_numerator, central_denominator; ///< C(j+1, (j+1)/2) / C(j-1, (j-1)/2)
  int64_t outer_numerator, outer_denominator;     ///< C(n-j-2, k-1) / C(n-j, k), k = d - (j-1)/2
};

LuneStep lune_step(int64_t bits, int64_t hamming_radius, int64_t j) {
  const int64_t rest = bits - j;
  const int64_t k = hamming_radius - (j - 1) / 2;
  return {4 * j, j + 1, k * (rest - k), rest * (rest - 1)};
}

/// C(items, chosen).
Integer exact_binomial(int64_t items, int64_t chosen) {
  if (chosen < 0 || chosen > items) {
    return 0;
  }
  Integer result = 1;
  for (int64_t i = 1; i <= std::min(chosen, items - chosen); ++i) {
    result = result * (items - i + 1) / i;
  }
  return result;
}

/// Sum of C(items, k) over k in [first, last].
Integer exact_binomial_sum(int64_t items, int64_t first, int64_t last) {
  Integer term = exact_binomial(items, first);
  Integer sum = 0;
  for (int64_t k = first; k <= last; ++k) {
    sum += term;
    term = term * (items - k) / (k + 1);
  }
  return sum;
}

// Not Integer::str: gcc 12 warns of an overlapping copy in it (GCC bug 105651).
std::string to_decimal(Integer count) {
  constexpr uint64_t kGroup = 1'000'000'000'000'000'000; // 18 digits at a time, least significant group first
  std::vector<uint64_t> groups;
  do {
    groups.push_back(static_cast<uint64_t>(count % kGroup));
    count /= kGroup;
  } while (count != 0);
  std::string text = fmt::format("{}", groups.back());
  for (size_t i = groups.size() - 1; i-- > 0;) {
    text += fmt::format("{:018}", groups[i]);
  }
  return text;
}

/// Number of addresses in both circles around two complementary addresses, I(n).
Scaled count_at_max_distance(int64_t bits, int64_t hamming_radius) {
  Scaled sum;
  if (2 * hamming_radius < bits) {
    return sum;
  }
  Scaled term = scaled_binomial(bits, bits - hamming_radius);
  for (int64_t k = bits - hamming_radius; k <= hamming_radius; ++k) {
    sum += term;
    term *= static_cast<long double>(bits - k) / static_cast<long double>(k + 1);
  }
  return sum;
}

} // namespace

std::vector<std::string> circle_intersection_counts(int64_t bits, int64_t hamming_radius,
                                                    std::span<const int64_t> distances) {
  const char* where = "mneme::theory::circle_intersection_count";
  check_bits(where, bits, 1, kExactBitsMax);
  check_radius(where, bits, hamming_radius);
  for (const int64_t distance : distances) {
    check_distance(where, bits, distance);
  }

  Integer sum; // of the lunes for odd j <= distance, at each distance in turn
  std::map<int64_t, Integer> sums;
  for (const int64_t distance : distances) {
    sums[distance] = 0;
  }
  auto next = sums.begin();
  Integer lune = exact_binomial(bits - 1, hamming_radius);
  for (int64_t j = 1; j <= bits && lune != 0; j += 2) {
    throw_if_interrupted();
    for (; next != sums.end() && next->first < j; ++next) {
      next->second = sum;
    }
    sum += lune;
    if (j + 2 > bits) {
      break;
    }
    const LuneStep step = lune_step(bits, hamming_radius, j);
    lune = lune * step.central_numerator / step.central_denominator;
    lune = lune * step.outer_numerator / step.outer_denominator;
  }
  for (; next != sums.end(); ++next) {
    next->second = sum;
  }
  sum += exact_binomial_sum(bits, bits - hamming_radius, hamming_radius);
  std::vector<std::string> counts;
  for (const int64_t distance : distances) {
    counts.push_back(to_decimal(sum - sums.at(distance)));
  }
  return counts;
}

std::string circle_intersection_count(int64_t bits, int64_t hamming_radius, int64_t distance) {
  return circle_intersection_counts(bits, hamming_radius, {&distance, 1}).front();
}

std::vector<double> log_circle_intersections(int64_t bits, int64_t hamming_radius) {
  const char* where = "mneme::theory::log_circle_intersections";
  check_bits(where, bits, 1, kBitsMax);
  check_radius(where, bits, hamming_radius);

  std::vector<Scaled> lunes; // for odd j = 1, 3, 5, ...
  Scaled lune = scaled_binomial(bits - 1, hamming_radius);
  for (int64_t j = 1; j <= bits && !lune.is_zero(); j += 2) {
    lunes.push_back(lune);
    if (j + 2 > bits) {
      break;
    }
    const LuneStep step = lune_step(bits, hamming_radius, j);
    lune *=
        static_cast<long double>(step.central_numerator) / static_cast<long double>(step.central_denominator);
    lune *= static_cast<long double>(step.outer_numerator) / static_cast<long double>(step.outer_denominator);
  }

  std::vector<double> logs(static_cast<size_t>(bits) + 1);
  Scaled count = count_at_max_distance(bits, hamming_radius);
  for (int64_t distance = bits; distance >= 0; --distance) {
    logs[static_cast<size_t>(distance)] = static_cast<double>(count.log());
    const auto odd = static_cast<size_t>(distance / 2);
    if (distance % 2 == 1 && odd < lunes.size()) {
      count += lunes[odd];
    }
  }
  return logs;
}

double log_circle_intersection(int64_t bits, int64_t hamming_radius, int64_t distance) {
  check_bits("mneme::theory::log_circle_intersection", bits, 1, kBitsMax);
  check_distance("mneme::theory::log_circle_intersection", bits, distance);
  return log_circle_intersections(bits, hamming_radius)[static_cast<size_t>(distance)];
}

} // namespace mneme::theory
