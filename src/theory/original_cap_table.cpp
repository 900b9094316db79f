// SPDX-License-Identifier: MIT

#include "mneme/theory/original_cap_table.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/theory/cap_intersection.h"
#include "theory/arguments.h"

namespace mneme::theory {
namespace {

constexpr double kNoIntersection = -1e30;
constexpr double kLastCosineLowered = 1e-15;

} // namespace

OriginalCapTable::OriginalCapTable(int64_t bits, int64_t hamming_radius,
                                   std::optional<double> log_hard_locations, int64_t resolution) {
  const char* where = "mneme::theory::OriginalCapTable";
  constexpr int64_t kResolutionMax = 10'000'000;
  if (resolution < 2 || resolution > kResolutionMax) {
    throw UsageError(fmt::format("{}: resolution is {}, but it must be between 2 and {}.", where, resolution,
                                 kResolutionMax));
  }
  if (log_hard_locations) {
    check_log_hard_locations(where, *log_hard_locations);
  }
  const CapIntersectionTable caps(bits, hamming_radius);
  const double log_factor =
      kOriginalCapLogOffset +
      (log_hard_locations ? *log_hard_locations : log_sphere_area(bits) + 40 * std::numbers::ln10);
  const double angle =
      2 * std::asin(std::sqrt(static_cast<double>(hamming_radius) / static_cast<double>(bits)));

  const double step = 2 / static_cast<double>(resolution - 1);
  log_expected_.reserve(static_cast<size_t>(resolution));
  for (int64_t i = 0; i < resolution; ++i) {
    const double cosine = i == resolution - 1 ? 1 - kLastCosineLowered : static_cast<double>(i) * step - 1;
    const double log_fraction = caps.log_fraction(cosine);
    const bool overlaps =
        std::isfinite(log_fraction) && 2 * angle <= 2 * std::numbers::pi - std::acos(cosine);
    log_expected_.push_back(overlaps ? log_fraction + log_factor : kNoIntersection);
  }
}

int64_t OriginalCapTable::index(double cosine) const {
  const auto resolution = static_cast<int64_t>(log_expected_.size());
  const double x = checked_cosine("mneme::theory::OriginalCapTable::index", cosine);
  const double position = std::trunc(static_cast<double>(resolution) / 2 * (x + 1) - 1);
  return std::min(static_cast<int64_t>(position), resolution - 1);
}

double OriginalCapTable::log_expected_at(double cosine) const {
  const int64_t i = index(cosine);
  return i < 0 ? log_expected_.back() : log_expected_[static_cast<size_t>(i)];
}

} // namespace mneme::theory
