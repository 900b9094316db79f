// SPDX-License-Identifier: MIT

#include "mneme/memory/hopfield_energy.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include <fmt/format.h>

#include "memory/checks.h"
#include "memory/length.h"
#include "mneme/core/error.h"
#include "mneme/memory/similarity.h"

namespace mneme {
namespace {

double squared_norm(std::span<const double> pattern) {
  return std::inner_product(pattern.begin(), pattern.end(), pattern.begin(), 0.0);
}

double max_squared_norm(const RealPatterns& patterns) {
  double largest = 0;
  for (int64_t i = 0; i < patterns.count(); ++i) {
    largest = std::max(largest, squared_norm(patterns[i]));
  }
  return largest;
}

/// ln(mean exp(beta x)) / beta
double log_mean_exp(std::span<const double> scores, double beta) {
  const auto [smallest, largest] = std::ranges::minmax(scores);
  const auto count = static_cast<double>(scores.size());
  double sum = 0;
  if (beta * (largest - smallest) < 1) { // the logarithms of sum and count would cancel
    for (const double score : scores) {
      sum += std::expm1(beta * (score - largest));
    }
    return largest + std::log1p(sum / count) / beta;
  }
  for (const double score : scores) {
    sum += std::exp(beta * (score - largest)); // relative to the maximum, as exp overflows beyond 709
  }
  return largest + (std::log(sum) - std::log(count)) / beta;
}

} // namespace

std::vector<double> hopfield_energy(const RealPatterns& states, const RealPatterns& stored, double beta) {
  if (!(beta > 0) || !std::isfinite(beta)) {
    throw UsageError(fmt::format(
        "mneme::hopfield_energy: beta is {}, but it must be a finite number above 0.\n  It is the "
        "inverse temperature of the network.",
        beta));
  }
  if (stored.empty()) {
    throw UsageError("mneme::hopfield_energy: there are 0 stored patterns, but at least 1 is needed.");
  }
  const Scores scores = similarity(states, stored, Dot{});
  const double constant = max_squared_norm(stored) / 2;
  std::vector<double> energies(static_cast<size_t>(states.count()));
  for (int64_t i = 0; i < states.count(); ++i) {
    energies[static_cast<size_t>(i)] =
        squared_norm(states[i]) / 2 - log_mean_exp(scores.values[i], beta) + constant;
  }
  return energies;
}

double max_norm(const RealPatterns& patterns) {
  require_finite("pattern", patterns);
  double largest = 0;
  for (int64_t i = 0; i < patterns.count(); ++i) {
    largest = std::max(largest, Length(patterns[i]).value());
  }
  return largest;
}

std::vector<double> hopfield_gaps(const RealPatterns& stored) {
  const Scores scores = similarity(stored, stored, Dot{});
  std::vector<double> gaps(static_cast<size_t>(stored.count()));
  for (int64_t i = 0; i < stored.count(); ++i) {
    double nearest = -std::numeric_limits<double>::infinity();
    for (int64_t j = 0; j < stored.count(); ++j) {
      if (j != i) {
        nearest = std::max(nearest, scores.values[i][static_cast<size_t>(j)]);
      }
    }
    gaps[static_cast<size_t>(i)] = scores.values[i][static_cast<size_t>(i)] - nearest;
  }
  return gaps;
}

int64_t top_p_count(std::span<const double> weights, double p) {
  if (!(p > 0 && p <= 1)) {
    throw UsageError(fmt::format(
        "mneme::top_p_count: p is {}, but it must be above 0 and at most 1.\n  It is a fraction of "
        "the sum of all weights, such as 0.9.",
        p));
  }
  for (size_t i = 0; i < weights.size(); ++i) {
    if (!(weights[i] >= 0) || !std::isfinite(weights[i])) {
      throw UsageError(
          fmt::format("mneme::top_p_count: weight {} is {}, but weights must be finite numbers of "
                      "at least 0.\n  Correct or remove it.",
                      i, weights[i]));
    }
  }
  std::vector<double> sorted(weights.begin(), weights.end());
  std::ranges::sort(sorted, std::greater());
  const double total = std::reduce(sorted.begin(), sorted.end());
  if (!std::isfinite(total)) {
    throw UsageError(
        "mneme::top_p_count: the sum of the weights overflows a double.\n  Divide them by a common "
        "factor.");
  }
  const double target = p * total;
  double sum = 0;
  int64_t count = 0;
  for (const double weight : sorted) {
    if (sum >= target) {
      break;
    }
    sum += weight;
    ++count;
  }
  return count;
}

} // namespace mneme
