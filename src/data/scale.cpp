// SPDX-License-Identifier: MIT

#include "mneme/data/scale.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include <fmt/format.h>

#include "mneme/core/error.h"

namespace mneme::data {
namespace {

/// Range and kind of the numbers of a set.
struct Range {
  double min = std::numeric_limits<double>::infinity(), max = -std::numeric_limits<double>::infinity();
  bool only_zeros_and_ones = true, only_signs = true; ///< signs: -1, 0 and +1

  explicit Range(const RealPatterns& patterns) {
    for (const double x :
         std::span(patterns.data(), static_cast<size_t>(patterns.count() * patterns.size()))) {
      min = std::min(min, x);
      max = std::max(max, x);
      only_zeros_and_ones &= x == 0 || x == 1;
      only_signs &= std::abs(x) == 1 || x == 0;
    }
  }

  /// Whether all numbers become the same bit.
  bool is_on_one_side_of(double threshold) const { return max <= threshold || min > threshold; }
  double width() const { return max - min; }
  double max_abs() const { return std::max(std::abs(min), std::abs(max)); }
  bool is_bipolar() const { return only_signs && min < 0; }
};

/// Describes a range on the scale of the file.
std::string text_of(const Range& range, const PatternSet& set) {
  return fmt::format("{:.6g} to {:.6g} ({})", range.min * set.file_scale, range.max * set.file_scale,
                     set.source);
}

bool fits(const Range& patterns, const Range& cues, double factor) {
  constexpr double kFactorMax =
      8; // noise widens a range and masking narrows it, but by less than this factor
  if ((patterns.is_bipolar() && cues.only_zeros_and_ones && cues.min == 0) ||
      (patterns.only_zeros_and_ones && cues.is_bipolar())) {
    return false;
  }
  const double width = cues.width() * factor, max_abs = cues.max_abs() * factor;
  return max_abs <= kFactorMax * patterns.max_abs() && width <= kFactorMax * patterns.width() &&
         (cues.width() == 0 || width >= patterns.width() / kFactorMax);
}

} // namespace

std::string match_scale(const PatternSet& patterns, PatternSet& cues) {
  const Range stored(patterns.patterns), given(cues.patterns);
  if (stored.width() == 0 || fits(stored, given, 1)) {
    return ""; // a width of 0 means that all numbers are equal, so the patterns have no scale
  }
  const double factor = cues.file_scale / patterns.file_scale;
  if (factor == 1 || !fits(stored, given, factor)) {
    throw UsageError(
        fmt::format("the numbers of the cues are {}, those of the patterns {}: they do not have "
                    "the same scale.\n  Use the same scale for both, such as 0 to 255 or 0 to 1.",
                    text_of(given, cues), text_of(stored, patterns)));
  }
  std::for_each_n(cues.patterns.data(), cues.patterns.count() * cues.patterns.size(),
                  [&](double& x) { x *= factor; });
  cues.file_scale = patterns.file_scale;
  return fmt::format("The cues were {} {:g} to match the scale of the patterns.",
                     factor < 1 ? "divided by" : "multiplied by", factor < 1 ? 1 / factor : factor);
}

void require_both_bits(const PatternSet& patterns, const ThresholdChoice& choice, const PatternSet& cues,
                       const std::string& advice) {
  const Range stored(patterns.patterns), given(cues.patterns);
  const double threshold = choice.threshold;
  if (given.width() > 0 && given.is_on_one_side_of(threshold) && !stored.is_on_one_side_of(threshold)) {
    throw UsageError(
        fmt::format("the numbers of the cues are {}, those of the patterns {}: every bit of the cues would "
                    "be {}, because a bit is 1 above {:.6g} ({}).\n  {}",
                    text_of(given, cues), text_of(stored, patterns), given.min > threshold ? 1 : 0,
                    threshold * cues.file_scale, choice.origin, advice));
  }
}

} // namespace mneme::data
