// SPDX-License-Identifier: MIT

#include "mneme/theory/softmax_agreement.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "mneme/core/error.h"

namespace mneme::theory {
namespace {

void check_lengths(const char* where, size_t cosines, size_t values) {
  if (cosines != values || cosines == 0) {
    throw UsageError(
        fmt::format("{}: there are {} cosines and {} values; each cosine needs one value, and there "
                    "must be at least one.",
                    where, cosines, values));
  }
}

/// exp(log - max), divided by the sum.
std::vector<double> normalised(const char* where, std::vector<double> logs) {
  const double max = *std::ranges::max_element(logs);
  if (!std::isfinite(max) || std::ranges::any_of(logs, [](double log) { return std::isnan(log); })) {
    throw UsageError(
        fmt::format("{}: the logs must be numbers or -infinity, at least one of them finite; their "
                    "maximum is {}.",
                    where, max));
  }
  double sum = 0;
  for (double& log : logs) {
    sum += log = std::exp(log - max);
  }
  for (double& weight : logs) {
    weight /= sum;
  }
  return logs;
}

} // namespace

SoftmaxAgreement compare_softmax(std::span<const double> cosines, std::span<const double> log_expected,
                                 double beta) {
  const char* where = "mneme::theory::compare_softmax";
  check_lengths(where, cosines.size(), log_expected.size());
  std::vector<double> scores;
  for (const double cosine : cosines) {
    scores.push_back(beta * cosine);
    if (!std::isfinite(scores.back())) {
      throw UsageError(fmt::format("{}: beta {} times the cosine {} is not finite.", where, beta, cosine));
    }
  }
  SoftmaxAgreement result{.intersection = normalised(where, {log_expected.begin(), log_expected.end()}),
                          .softmax = normalised(where, std::move(scores))};
  bool is_close = true;
  for (size_t i = 0; i < cosines.size(); ++i) {
    const double softmax = result.softmax[i], intersection = result.intersection[i];
    const double difference = std::abs(softmax - intersection);
    result.max_difference = std::max(result.max_difference, difference);
    result.total_variation += difference / 2;
    is_close = is_close && softmax < 2 * intersection && intersection < 2 * softmax;
    result.within_factor_2 += is_close ? 1 : 0;
  }
  return result;
}

double log_linear_r_squared(std::span<const double> cosines, std::span<const double> log_expected) {
  const char* where = "mneme::theory::log_linear_r_squared";
  check_lengths(where, cosines.size(), log_expected.size());
  double count = 0, mean_x = 0, mean_y = 0;
  for (size_t i = 0; i < cosines.size(); ++i) {
    if (std::isfinite(log_expected[i])) {
      ++count;
      mean_x += cosines[i];
      mean_y += log_expected[i];
    }
  }
  if (count < 3) {
    throw UsageError(
        fmt::format("{}: there are {} points with an intersection, but at least 3 are needed, since a "
                    "line fits any two.",
                    where, count));
  }
  mean_x /= count;
  mean_y /= count;
  double xx = 0, xy = 0, yy = 0;
  for (size_t i = 0; i < cosines.size(); ++i) {
    if (std::isfinite(log_expected[i])) {
      xx += (cosines[i] - mean_x) * (cosines[i] - mean_x);
      xy += (cosines[i] - mean_x) * (log_expected[i] - mean_y);
      yy += (log_expected[i] - mean_y) * (log_expected[i] - mean_y);
    }
  }
  return yy > 0 && xx > 0 ? xy * xy / (xx * yy) : 1;
}

} // namespace mneme::theory
