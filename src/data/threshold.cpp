// SPDX-License-Identifier: MIT

#include "mneme/data/threshold.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "mneme/core/error.h"

namespace mneme::data {
namespace {

int64_t num_distinct(const RealPatterns& patterns, double threshold) {
  const std::vector<int64_t> places = distinct_pattern_indices(to_bits(patterns, threshold));
  return places.empty() ? 0 : *std::ranges::max_element(places) + 1;
}

bool is_constant(std::span<const double> numbers) {
  return std::ranges::all_of(numbers, [&](double x) { return x == numbers.front(); });
}

const char* origin_of_default(const PatternSet& set) {
  if (set.is_image() || set.file_scale != 1) {
    return "half of white";
  }
  return set.threshold == 0.5 ? "halfway between 0 and 1" : "the sign of the numbers";
}

} // namespace

std::span<const double> numbers_of(const RealPatterns& patterns) {
  return {patterns.data(), static_cast<size_t>(patterns.count() * patterns.size())};
}

bool are_bits(const RealPatterns& patterns) {
  return std::ranges::all_of(numbers_of(patterns), [](double x) { return x == 0 || x == 1; });
}

double otsu_threshold(const RealPatterns& patterns) {
  const std::span<const double> numbers = numbers_of(patterns);
  if (numbers.empty()) {
    throw UsageError("mneme::data::otsu_threshold: there are no numbers.\n  Pass at least one pattern.");
  }
  if (const auto bad = std::ranges::find_if(numbers, [](double x) { return !std::isfinite(x); });
      bad != numbers.end()) {
    throw UsageError(
        fmt::format("mneme::data::otsu_threshold: number {} is {}, a finite number was expected.\n  "
                    "Replace it, or remove its pattern.",
                    bad - numbers.begin(), *bad));
  }
  std::vector<double> sorted(numbers.begin(), numbers.end());
  std::ranges::sort(sorted);
  const double min = sorted.front(), half_range = sorted.back() / 2 - min / 2; // half, to avoid overflow
  if (half_range == 0) {
    return min;
  }
  // Numbers are scaled to 0 .. 1, so that all sums are finite.
  const auto scaled = [&](double x) { return (x / 2 - min / 2) / half_range; };
  const auto count = static_cast<double>(sorted.size());
  double sum = 0;
  for (const double x : sorted) {
    sum += scaled(x);
  }
  double best = -1, threshold = min, below = 0;
  for (size_t i = 0; i + 1 < sorted.size(); ++i) {
    below += scaled(sorted[i]);
    if (sorted[i] == sorted[i + 1]) {
      continue; // equal numbers are in the same class
    }
    const double low = static_cast<double>(i + 1), high = count - low;
    const double difference = below / low - (sum - below) / high;
    if (const double between = low / count * (high / count) * difference * difference; between > best) {
      best = between;
      threshold = sorted[i] / 2 + sorted[i + 1] / 2;
    }
  }
  return threshold;
}

ThresholdChoice choose_threshold(const PatternSet& set, const std::optional<double>& given) {
  const std::span<const double> numbers = numbers_of(set.patterns);
  if (given) {
    const double threshold = *given / set.file_scale;
    const auto [lowest, highest] = std::ranges::minmax_element(numbers);
    const bool is_outside = are_bits(set.patterns)
                                ? threshold < 0 || threshold >= 1
                                : !is_constant(numbers) && (threshold < *lowest || threshold >= *highest);
    if (!numbers.empty() && is_outside) {
      throw UsageError(
          fmt::format("--threshold {:g}: every bit would be {}, since the numbers of {} range from "
                      "{:g} to {:g}.\n  Give a threshold in this range, or leave it out.",
                      *given, *lowest > threshold ? 1 : 0, set.source, *lowest * set.file_scale,
                      *highest * set.file_scale));
    }
    return {threshold, "from --threshold"};
  }
  ThresholdChoice default_choice{set.threshold, origin_of_default(set)};
  const bool keeps_bits = set.threshold >= 0 && set.threshold < 1;
  if (keeps_bits && are_bits(set.patterns)) { // as every other threshold between 0 and 1 does
    return default_choice;
  }
  const auto ones = std::ranges::count_if(numbers, [&](double x) { return x > set.threshold; });
  const auto minority = std::min<int64_t>(ones, std::ssize(numbers) - ones);
  const int64_t distinct = num_distinct(set.patterns, set.threshold);
  if (is_constant(numbers)) { // no threshold separates equal numbers, so the default keeps their meaning
    return default_choice;
  }
  constexpr int64_t kPerCent = 100;
  const bool splits = minority * kPerCent >= std::ssize(numbers);
  // If no number is negative, 0 is the end of the range and not a natural threshold.
  const bool is_natural = set.threshold != 0 || std::ranges::any_of(numbers, [](double x) { return x < 0; });
  if (distinct == set.patterns.count() && splits && is_natural) {
    return default_choice;
  }
  const double otsu = otsu_threshold(set.patterns);
  const int64_t distinct_at_otsu = num_distinct(set.patterns, otsu);
  const bool better =
      distinct_at_otsu > distinct || (distinct_at_otsu == distinct && !(splits && is_natural));
  if (!better && !is_natural) { // distinct_at_otsu < distinct
    return {set.threshold,
            fmt::format("the lowest numbers, as fewer patterns are distinct at Otsu's threshold {:.4g}",
                        otsu * set.file_scale)};
  }
  return better ? ThresholdChoice{otsu, "Otsu's threshold of these numbers"} : default_choice;
}

} // namespace mneme::data
