// SPDX-License-Identifier: MIT

#include "mneme/theory/attention_head.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/theory/beta_fit.h"

namespace mneme::theory {
namespace {

constexpr double kCarried = 0.9; // fraction of the weight
/// Cosines that differ by less, relative to the norms of query and key, are equal up to the rounding of float
/// dot products of heads of some hundred features.
constexpr double kCosineRounding = 16 * std::numeric_limits<float>::epsilon();

/// Fills in the line of least squares of scores over cosines.
void fit_line(std::span<const double> scores, std::span<const double> cosines, AttentionRow& row) {
  const auto n = static_cast<double>(scores.size());
  double mean_score = 0, mean_cosine = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    mean_score += scores[i] / n;
    mean_cosine += cosines[i] / n;
  }
  double sxx = 0, sxy = 0, syy = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    const double x = cosines[i] - mean_cosine, y = scores[i] - mean_score;
    sxx += x * x;
    sxy += x * y;
    syy += y * y;
  }
  const auto [lowest, highest] = std::ranges::minmax(cosines);
  if (!(highest - lowest > kCosineRounding)) {
    row.regressed_beta = row.r_squared = std::numeric_limits<double>::quiet_NaN();
    return;
  }
  row.regressed_beta = sxy / sxx;
  row.r_squared = syy > 0 ? sxy * sxy / (sxx * syy) : 1;
}

} // namespace

AttentionRow attention_row(std::span<const float> scores, std::span<const float> cosines) {
  if (scores.size() != cosines.size()) {
    throw UsageError(fmt::format("attention_row: there are {} scores and {} cosines.\n  Give one of each per "
                                 "key.",
                                 scores.size(), cosines.size()));
  }
  std::vector<double> kept, kept_cosines;
  for (size_t i = 0; i < scores.size(); ++i) {
    const double score = scores[i];
    if (std::isnan(score) || score == std::numeric_limits<double>::infinity()) {
      throw UsageError(fmt::format("attention_row: score {} is {}.\n  Scores must be numbers, or -infinity "
                                   "for keys that are not read.",
                                   i, score));
    }
    if (std::isfinite(score)) {
      kept.push_back(score);
      kept_cosines.push_back(cosines[i]);
    }
  }
  if (kept.empty()) {
    throw UsageError("attention_row: there is no key that the query may read.\n  Give at least one finite "
                     "score.");
  }
  AttentionRow row{.keys = static_cast<int64_t>(kept.size())};
  fit_line(kept, kept_cosines, row);
  const auto [lowest, highest] = std::ranges::minmax(kept);
  row.beta = highest;
  row.min_score = lowest;
  double sum = 0;
  std::vector<double>& weights = kept;
  for (double& weight : weights) {
    weight = std::exp(weight - highest);
    sum += weight;
  }
  std::ranges::sort(weights, std::greater<>());
  double carried = 0;
  for (double& weight : weights) {
    weight /= sum;
    row.entropy -= weight > 0 ? weight * std::log(weight) : 0;
    row.keys_90 += carried < kCarried ? 1 : 0;
    carried += weight;
  }
  row.entropy = std::max(row.entropy, 0.0); // not -0 for a single key
  return row;
}

FixedPoint fixed_point(double keys_90, double keys) {
  if (keys_90 > 0.5 * keys && keys_90 > 1) {
    return FixedPoint::global;
  }
  return keys_90 <= 1 || keys_90 < 0.1 * keys ? FixedPoint::single : FixedPoint::metastable;
}

std::string_view name_of(FixedPoint kind) {
  switch (kind) {
  case FixedPoint::global:
    return "global";
  case FixedPoint::metastable:
    return "metastable";
  case FixedPoint::single:
    break;
  }
  return "single";
}

std::optional<double> equivalent_hamming_radius(double beta, int64_t bits) {
  constexpr int64_t kMinBits = 8;
  if (bits < kMinBits) {
    throw UsageError(fmt::format("equivalent_hamming_radius: bits is {}, but must be at least {}.\n  Codes "
                                 "of fewer bits have too few radii for a fit.",
                                 bits, kMinBits));
  }
  // Beta decreases while the radius increases.
  double previous = 0;
  for (int64_t radius = 2; radius <= bits / 2; ++radius) {
    const double fitted = fit_beta(bits, radius, 0).beta;
    if (radius > 2 && fitted <= beta && beta <= previous) {
      const double fraction =
          previous == fitted ? 0 : std::log(previous / beta) / std::log(previous / fitted);
      return static_cast<double>(radius - 1) + fraction;
    }
    previous = fitted;
  }
  return {};
}

} // namespace mneme::theory
