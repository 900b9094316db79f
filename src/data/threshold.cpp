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

std::span<const double> numbers_of(const RealPatterns& patterns) {
  return {patterns.data(), static_cast<size_t>(patterns.count() * patterns.size())};
}

int64_t num_distinct(const RealPatterns& patterns, double threshold) {
  const std::vector<int64_t> places = places_of_distinct(to_bits(patterns, threshold));
  return places.empty() ? 0 : *std::ranges::max_element(places) + 1;
}

} // namespace

double otsu_threshold(const RealPatterns& patterns) {
  const std::span<const double> numbers = numbers_of(patterns);
  if (numbers.empty()) {
    throw UsageError("mneme::data::otsu_threshold: there are no numbers.\n  Give at least one pattern.");
  }
  if (const auto bad = std::ranges::find_if(numbers, [](double x) { return !std::isfinite(x); });
      bad != numbers.end()) {
    throw UsageError(
        fmt::format("mneme::data::otsu_threshold: number {} is {}, a finite number was expected.\n  "
                    "Replace it, or leave its pattern out.",
                    bad - numbers.begin(), *bad));
  }
  std::vector<double> sorted(numbers.begin(), numbers.end());
  std::ranges::sort(sorted);
  const double lowest = sorted.front(),
               range = sorted.back() / 2 - lowest / 2; // half, so that it cannot overflow
  if (range == 0) {
    return lowest;
  }
  // Numbers are mapped to 0 .. 1 first, so that sums of any numbers stay finite.
  const auto scaled = [&](double x) { return (x / 2 - lowest / 2) / range; };
  const auto count = static_cast<double>(sorted.size());
  double sum = 0;
  for (const double x : sorted) {
    sum += scaled(x);
  }
  double best = -1, threshold = lowest, below = 0;
  for (size_t i = 0; i + 1 < sorted.size(); ++i) {
    below += scaled(sorted[i]);
    if (sorted[i] == sorted[i + 1]) {
      continue; // equal numbers are on one side
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

ThresholdChoice choose_threshold(const PatternSet& set) {
  const std::span<const double> numbers = numbers_of(set.patterns);
  const auto ones = std::ranges::count_if(numbers, [&](double x) { return x > set.threshold; });
  const auto fewer_side = std::min<int64_t>(ones, std::ssize(numbers) - ones);
  const int64_t distinct = num_distinct(set.patterns, set.threshold);
  const char* origin = set.is_image() || set.file_scale != 1 ? "half of white"
                       : set.threshold == 0.5                ? "between 0 and 1"
                                                             : "the sign of the numbers";
  const ThresholdChoice usual{set.threshold, origin};
  constexpr int64_t kPerCent = 100;
  const bool splits = fewer_side * kPerCent >= std::ssize(numbers);
  // Of numbers without a sign, 0 is an end and no middle.
  const bool is_natural = set.threshold != 0 || std::ranges::any_of(numbers, [](double x) { return x < 0; });
  if (distinct == set.patterns.count() && splits && is_natural) {
    return usual;
  }
  const double otsu = otsu_threshold(set.patterns);
  const int64_t distinct_at_otsu = num_distinct(set.patterns, otsu);
  const bool better =
      distinct_at_otsu > distinct || (distinct_at_otsu == distinct && !(splits && is_natural));
  return better ? ThresholdChoice{otsu, "Otsu's threshold of these numbers"} : usual;
}

} // namespace mneme::data
