// SPDX-License-Identifier: MIT

// Properties for any number of bits, radius and distance.

#include <cmath>
#include <limits>

#include <boost/multiprecision/cpp_int.hpp>
#include <gtest/gtest.h> // must precede rapidcheck/gtest.h, which does not include it
#include <rapidcheck/gtest.h>

#include "mneme/theory/circle_intersection.h"
#include "mneme/theory/exponential_bounds.h"
#include "mneme/theory/log_count.h"
#include "mneme/theory/weighted_intersection.h"

namespace mneme::theory {
namespace {

using Integer = boost::multiprecision::cpp_int;

int64_t up_to(int64_t max) {
  return *rc::gen::inRange<int64_t>(0, max + 1);
}

Integer count(int64_t bits, int64_t radius, int64_t distance) {
  return Integer(circle_intersection_count(bits, radius, distance));
}

double log_of(const Integer& number) {
  return number == 0 ? -std::numeric_limits<double>::infinity() : parse_log_count(number.str());
}

RC_GTEST_PROP(CircleIntersectionProperty, DecreasesInStairsTwoBitsWide, ()) {
  const int64_t bits = 1 + up_to(299), radius = up_to(bits);
  const std::vector<double> logs = log_circle_intersections(bits, radius);
  for (size_t v = 1; v < logs.size(); ++v) {
    RC_ASSERT((v % 2 == 0 ? logs[v] == logs[v - 1] : logs[v] <= logs[v - 1]));
  }
}

// The complement of each circle is a circle around the opposite address.
RC_GTEST_PROP(CircleIntersectionProperty, IsSymmetricInTheComplement, ()) {
  const int64_t bits = 1 + up_to(199), radius = up_to(bits - 1), distance = up_to(bits);
  const int64_t other = bits - radius - 1;
  const Integer space = Integer(1) << static_cast<unsigned>(bits);
  RC_ASSERT(count(bits, radius, distance) + 2 * count(bits, other, 0) ==
            space + count(bits, other, distance));
}

RC_GTEST_PROP(CircleIntersectionProperty, IncreasesWithTheRadius, ()) {
  const int64_t bits = 2 + up_to(298), radius = up_to(bits - 1), distance = up_to(bits);
  RC_ASSERT(count(bits, radius, distance) <= count(bits, radius + 1, distance));
}

RC_GTEST_PROP(CircleIntersectionProperty, LogsEqualTheExactCounts, ()) {
  const int64_t bits = 1 + *rc::gen::element<int64_t>(30, 300, 3000);
  const int64_t radius = up_to(bits), distance = up_to(bits);
  const double log = log_circle_intersection(bits, radius, distance);
  const double exact = log_of(count(bits, radius, distance));
  RC_ASSERT(log == exact || std::abs(log - exact) <= 1e-12 * std::abs(exact));
}

RC_GTEST_PROP(CircleIntersectionProperty, IsBetweenItsBounds, ()) {
  const int64_t bits = 1 + up_to(999), radius = up_to(bits), distance = up_to(bits);
  const double log =
      log_circle_intersection(bits, radius, distance) - static_cast<double>(bits) * std::log(2.0);
  const IntersectionBounds bounds = intersection_bounds(bits, radius, distance);
  constexpr double kRounding = 1e-11; // needed where both sides are equal
  RC_ASSERT(bounds.log_max_term <= log + kRounding);
  RC_ASSERT(log <= bounds.log_max_term_times_count + kRounding);
  RC_ASSERT(log <= bounds.log_exponential + kRounding);
  RC_ASSERT((bounds.terms == 0) == std::isinf(log));
}

RC_GTEST_PROP(CircleIntersectionProperty, WeightsOfAtMostOneDoNotIncreaseIt, ()) {
  const int64_t bits = 1 + up_to(299), radius = up_to(bits), distance = up_to(bits);
  const double log = log_circle_intersection(bits, radius, distance);
  const double one = log_weighted_intersection(bits, radius, distance, AddressWeight::one);
  RC_ASSERT(one == log || std::abs(one - log) <= 1e-12 * (1 + std::abs(log)));
  for (const AddressWeight weight : {AddressWeight::linear, AddressWeight::exponential}) {
    RC_ASSERT(log_weighted_intersection(bits, radius, distance, weight) <= log + 1e-12);
  }
}

} // namespace
} // namespace mneme::theory
