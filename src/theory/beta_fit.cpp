// SPDX-License-Identifier: MIT

#include "mneme/theory/beta_fit.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <vector>

#include <boost/math/tools/minima.hpp>
#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/theory/cap_intersection.h"
#include "mneme/theory/circle_intersection.h"
#include "mneme/theory/space_fraction.h"
#include "theory/arguments.h"

namespace mneme::theory {
namespace {

constexpr double kFirstCosineLowered = 1e-15; // subtracted by the published code, for caps only
constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

void check_lengths(const char* where, size_t cosines, size_t values) {
  if (cosines != values) {
    throw UsageError(fmt::format("{}: there are {} cosines but {} values; each cosine needs one value.",
                                 where, cosines, values));
  }
}

void check_points(const char* where, size_t points) {
  if (points < 2) {
    throw UsageError(fmt::format("{}: {} point{} left to fit, but at least 2 are needed.\n"
                                 "  Use a larger hamming_radius or more distances.",
                                 where, points, points == 1 ? " is" : "s are"));
  }
}

void check_cosines(const char* where, std::span<const double> cosines) {
  for (const double cosine : cosines) {
    if (!std::isfinite(cosine)) {
      throw UsageError(fmt::format("{}: a cosine is {}, but it must be finite.", where, cosine));
    }
  }
}

std::vector<double> cosines_of_distances(int64_t bits, int64_t first, int64_t count) {
  std::vector<double> cosines(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    cosines[static_cast<size_t>(i)] = hamming_to_cosine(bits, first + i);
  }
  return cosines;
}

void check_fit(const char* where, int64_t bits, int64_t hamming_radius, double log_hard_locations,
               int64_t first_distance) {
  check_bits(where, bits, 2, kBitsMax);
  check_radius(where, bits, hamming_radius);
  check_log_hard_locations(where, log_hard_locations);
  check_points(where, static_cast<size_t>(hamming_radius));
  if (first_distance < 0 || first_distance > bits - hamming_radius + 1) {
    throw UsageError(fmt::format(
        "{}: {} distances from {} on were requested, but patterns of {} bits differ in at most {}.", where,
        hamming_radius, first_distance, bits, bits));
  }
}

BetaFit fit_line(const char* where, std::span<const double> x, std::span<const double> y) {
  check_points(where, x.size());
  const auto n = static_cast<long double>(x.size());
  const long double mean_x = std::accumulate(x.begin(), x.end(), 0.0L) / n;
  const long double mean_y = std::accumulate(y.begin(), y.end(), 0.0L) / n;
  long double variance = 0, covariance = 0; // both times n
  for (size_t i = 0; i < x.size(); ++i) {
    variance += (x[i] - mean_x) * (x[i] - mean_x);
    covariance += (x[i] - mean_x) * (y[i] - mean_y);
  }
  if (!(variance > 0)) {
    throw UsageError(
        fmt::format("{}: all {} cosines are {}, but at least two must differ.", where, x.size(), x[0]));
  }
  const long double slope = covariance / variance;
  const long double beta = slope * n / (n - 1);
  return {static_cast<double>(beta), static_cast<double>(slope), static_cast<double>(mean_y - beta * mean_x),
          static_cast<int64_t>(x.size())};
}

/// Mean squared error between softmax(beta * cosines) and the normalised intersections, as a function of
/// beta.
class SoftmaxLoss {
public:
  SoftmaxLoss(std::span<const double> cosines, std::span<const double> log_expected)
      : cosines_(cosines), weights_(log_expected.begin(), log_expected.end()), softmax_(cosines.size()) {
    max_cosine_ = *std::max_element(cosines.begin(), cosines.end());
    const double max_log = *std::max_element(weights_.begin(), weights_.end());
    double sum = 0;
    for (double& weight : weights_) {
      sum += weight = std::exp(weight - max_log);
    }
    for (double& weight : weights_) {
      weight /= sum;
    }
  }

  double operator()(double beta) {
    double sum = 0;
    for (size_t i = 0; i < cosines_.size(); ++i) {
      sum += softmax_[i] = std::exp(beta * (cosines_[i] - max_cosine_));
    }
    double loss = 0;
    for (size_t i = 0; i < weights_.size(); ++i) {
      const double difference = softmax_[i] / sum - weights_[i];
      loss += difference * difference;
    }
    return loss / static_cast<double>(weights_.size());
  }

private:
  std::span<const double> cosines_;
  std::vector<double> weights_, softmax_;
  double max_cosine_ = 0;
};

} // namespace

BetaFit fit_beta(int64_t bits, int64_t hamming_radius, double log_hard_locations, int64_t first_distance) {
  const char* where = "mneme::theory::fit_beta";
  check_fit(where, bits, hamming_radius, log_hard_locations, first_distance);
  const std::vector<double> cosines = cosines_of_distances(bits, first_distance, hamming_radius);
  const std::vector<double> counts = log_circle_intersections(bits, hamming_radius);
  std::vector<double> logs(counts.begin() + first_distance, counts.begin() + first_distance + hamming_radius);
  for (double& log : logs) {
    log += log_hard_locations - static_cast<double>(bits) * std::numbers::ln2;
  }
  return fit_beta_log_regression(cosines, logs);
}

BetaFit fit_beta_to_caps(int64_t bits, int64_t hamming_radius, double log_hard_locations) {
  const char* where = "mneme::theory::fit_beta_to_caps";
  check_fit(where, bits, hamming_radius, log_hard_locations, 0);
  std::vector<double> cosines = cosines_of_distances(bits, 0, hamming_radius);
  cosines[0] -= kFirstCosineLowered;
  std::vector<double> logs;
  for (const double cosine : cosines) {
    logs.push_back(log_cap_intersection(bits, hamming_radius, cosine) + log_hard_locations);
  }
  return fit_beta_log_regression(cosines, logs);
}

BetaFit fit_beta_regression(std::span<const double> cosines, std::span<const double> expected) {
  std::vector<double> logs;
  for (const double value : expected) {
    if (!(value >= 0 && std::isfinite(value))) {
      throw UsageError(
          fmt::format("mneme::theory::fit_beta_regression: an expected intersection is {}, but it "
                      "must be at least 0 and finite.",
                      value));
    }
    logs.push_back(std::log(value));
  }
  return fit_beta_log_regression(cosines, logs);
}

BetaFit fit_beta_log_regression(std::span<const double> cosines, std::span<const double> log_expected) {
  const char* where = "mneme::theory::fit_beta_regression";
  check_lengths(where, cosines.size(), log_expected.size());
  check_points(where, cosines.size());
  check_cosines(where, cosines);
  const bool drop_zeros = log_expected.back() == kMinusInfinity;
  std::vector<double> x, y;
  for (size_t i = 0; i < cosines.size(); ++i) {
    if (drop_zeros && log_expected[i] == kMinusInfinity) {
      continue;
    }
    if (!std::isfinite(log_expected[i])) {
      throw UsageError(fmt::format("{}: the log of point {} of {} is {}, but it must be finite.\n"
                                   "  Zeros are dropped only if the last value is 0.",
                                   where, i, cosines.size(), log_expected[i]));
    }
    x.push_back(cosines[i]);
    y.push_back(log_expected[i]);
  }
  return fit_line(where, x, y);
}

SoftmaxFit fit_softmax(std::span<const double> cosines, std::span<const double> log_expected) {
  const char* where = "mneme::theory::fit_softmax";
  constexpr double kBetaMin = 1e-3, kBetaMax = 1e5;
  constexpr int kGridCells = 160; // 20 per decade
  check_lengths(where, cosines.size(), log_expected.size());
  check_points(where, cosines.size());
  check_cosines(where, cosines);
  bool any_positive = false;
  for (const double log : log_expected) {
    if (std::isnan(log) || log == -kMinusInfinity) {
      throw UsageError(fmt::format("{}: a log expected intersection is {}, but it must be a finite number or "
                                   "-infinity.",
                                   where, log));
    }
    any_positive = any_positive || std::isfinite(log);
  }
  if (!any_positive) {
    throw UsageError(fmt::format("{}: all {} expected intersections are 0, so there is nothing to fit.",
                                 where, cosines.size()));
  }

  SoftmaxLoss loss(cosines, log_expected);
  std::vector<double> betas = {0};
  for (int i = 0; i <= kGridCells; ++i) {
    betas.push_back(kBetaMin * std::pow(kBetaMax / kBetaMin, static_cast<double>(i) / kGridCells));
  }
  std::vector<double> losses;
  for (const double beta : betas) {
    losses.push_back(loss(beta));
  }
  const auto best = static_cast<size_t>(std::min_element(losses.begin(), losses.end()) - losses.begin());
  if (best == 0) {
    return {0, losses[0]};
  }
  if (best + 1 == betas.size() || losses[best + 1] == losses[best]) {
    throw UsageError(fmt::format("{}: the loss still decreases at beta = {}, so no finite beta is optimal.\n"
                                 "  All weight is on one point: use a larger hamming_radius.",
                                 where, betas[best]));
  }
  const auto [beta, min_loss] =
      boost::math::tools::brent_find_minima(loss, betas[best - 1], betas[best + 1], 53);
  return {beta, min_loss};
}

SoftmaxFit fit_softmax_to_circles(int64_t bits, int64_t hamming_radius) {
  const char* where = "mneme::theory::fit_softmax_to_circles";
  check_bits(where, bits, 2, kBitsMax);
  check_radius(where, bits, hamming_radius);
  return fit_softmax(cosines_of_distances(bits, 0, bits + 1), log_circle_intersections(bits, hamming_radius));
}

SoftmaxFit fit_softmax_to_caps(int64_t bits, int64_t hamming_radius) {
  const char* where = "mneme::theory::fit_softmax_to_caps";
  check_bits(where, bits, 2, kBitsMax);
  check_radius(where, bits, hamming_radius);
  const std::vector<double> cosines = cosines_of_distances(bits, 0, bits + 1);
  std::vector<double> logs;
  for (const double cosine : cosines) {
    logs.push_back(log_cap_intersection(bits, hamming_radius, cosine));
  }
  return fit_softmax(cosines, logs);
}

} // namespace mneme::theory
