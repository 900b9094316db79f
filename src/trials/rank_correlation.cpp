// SPDX-License-Identifier: MIT

#include "mneme/trials/rank_correlation.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <fmt/format.h>

#include "mneme/core/error.h"

namespace mneme::trials {
namespace {

/// Ranks from 0 on; equal numbers have the mean of their ranks.
std::vector<double> ranks_of(std::span<const double> numbers) {
  std::vector<size_t> order(numbers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t i, size_t j) { return numbers[i] < numbers[j]; });
  std::vector<double> ranks(numbers.size());
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && numbers[order[end]] == numbers[order[begin]]) {
      ++end;
    }
    for (size_t i = begin; i < end; ++i) {
      ranks[order[i]] = static_cast<double>(begin + end - 1) / 2;
    }
  }
  return ranks;
}

} // namespace

double rank_correlation(std::span<const double> a, std::span<const double> b) {
  if (a.size() != b.size() || a.size() < 2) {
    throw UsageError(
        fmt::format("mneme::trials::rank_correlation: {} and {} numbers are given.\n  Give the same "
                    "number on both sides, at least 2.",
                    a.size(), b.size()));
  }
  for (const std::span<const double> side : {a, b}) {
    if (std::ranges::any_of(side, [](double number) { return std::isnan(number); })) {
      throw UsageError(
          "mneme::trials::rank_correlation: a number is NaN, which has no rank.\n  Leave out such "
          "items on both sides.");
    }
  }
  const std::vector<double> x = ranks_of(a), y = ranks_of(b);
  const double mean = static_cast<double>(a.size() - 1) / 2; // of the ranks
  double xx = 0, yy = 0, xy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean) * (x[i] - mean);
    yy += (y[i] - mean) * (y[i] - mean);
    xy += (x[i] - mean) * (y[i] - mean);
  }
  return xy / std::sqrt(xx * yy);
}

} // namespace mneme::trials
