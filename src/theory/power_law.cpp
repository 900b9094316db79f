// SPDX-License-Identifier: MIT

#include "mneme/theory/power_law.h"

#include <cmath>
#include <vector>

#include <boost/math/distributions/students_t.hpp>
#include <fmt/format.h>

#include "mneme/core/error.h"

namespace mneme::theory {
namespace {

std::vector<double> logarithms(const char* name, std::span<const double> numbers) {
  std::vector<double> logs;
  for (const double number : numbers) {
    if (!(std::isfinite(number) && number > 0)) {
      throw UsageError(fmt::format("mneme::theory::fit_power_law: a {} is {}, but must be finite and > 0.\n"
                                   "  Leave out models whose training diverged.",
                                   name, number));
    }
    logs.push_back(std::log(number));
  }
  return logs;
}

/// Weighted line of y over x.
struct Line {
  double slope = 0, intercept = 0;
  double squares = 0; ///< weighted sum of squares of x about its weighted mean
};

Line fit_line(const std::vector<double>& x, const std::vector<double>& y,
              const std::vector<double>& weights) {
  double total = 0, sum_x = 0, sum_y = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    total += weights[i];
    sum_x += weights[i] * x[i];
    sum_y += weights[i] * y[i];
  }
  const double mean_x = sum_x / total, mean_y = sum_y / total;
  Line line;
  double products = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    line.squares += weights[i] * (x[i] - mean_x) * (x[i] - mean_x);
    products += weights[i] * (x[i] - mean_x) * (y[i] - mean_y);
  }
  line.slope = products / line.squares;
  line.intercept = mean_y - line.slope * mean_x;
  return line;
}

double squared_errors(const std::vector<double>& x, std::span<const double> losses, const Line& line) {
  double squares = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double error = losses[i] - std::exp(line.intercept + line.slope * x[i]);
    squares += error * error;
  }
  return squares;
}

/// Changes a line of log(loss) to the one with the smallest squares of the errors of losses. Each step is a
/// weighted line of the relative errors, shortened until it does not increase the squares.
void fit_losses(const std::vector<double>& x, std::span<const double> losses, Line& line) {
  constexpr int kStepsMax = 200;
  constexpr double kTolerance = 1e-13; // of the slope
  constexpr double kRounding = 1 + 1e-12, kShortest = 1e-9;
  std::vector<double> errors(x.size()), weights(x.size());
  for (int step = 0; step < kStepsMax; ++step) {
    for (size_t i = 0; i < x.size(); ++i) {
      const double fitted = std::exp(line.intercept + line.slope * x[i]);
      errors[i] = (losses[i] - fitted) / fitted;
      weights[i] = fitted * fitted;
    }
    const Line change = fit_line(x, errors, weights);
    const double squares = squared_errors(x, losses, line);
    line.squares = change.squares;
    Line next;
    double length = 1;
    do {
      next = {line.slope + length * change.slope, line.intercept + length * change.intercept, change.squares};
      length /= 2;
    } while (!(squared_errors(x, losses, next) <= squares * kRounding) && length > kShortest);
    if (length <= kShortest) {
      break;
    }
    line = next;
    if (std::abs(change.slope) < kTolerance) {
      break;
    }
  }
}

} // namespace

PowerLaw fit_power_law(std::span<const double> sizes, std::span<const double> losses, PowerLawErrors errors) {
  if (sizes.size() != losses.size()) {
    throw UsageError(
        fmt::format("mneme::theory::fit_power_law: there are {} sizes, but {} losses.\n  Give one "
                    "loss per size.",
                    sizes.size(), losses.size()));
  }
  const std::vector<double> x = logarithms("size", sizes), y = logarithms("loss", losses);
  bool differ = false;
  for (const double size : sizes) {
    differ = differ || size != sizes.front();
  }
  if (!differ) {
    throw UsageError(
        fmt::format("mneme::theory::fit_power_law: all {} sizes are equal, but two different ones "
                    "are needed.\n  Give losses of models of several sizes.",
                    sizes.size()));
  }
  Line line = fit_line(x, y, std::vector<double>(x.size(), 1.0));
  if (errors == PowerLawErrors::losses) {
    fit_losses(x, losses, line);
  }
  PowerLaw law{.exponent = -line.slope,
               .scale = std::exp(-line.intercept / line.slope),
               .log_unit_loss = line.intercept};
  if (x.size() > 2) {
    double squares = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double fitted = line.intercept + line.slope * x[i];
      const double error = errors == PowerLawErrors::losses ? losses[i] - std::exp(fitted) : y[i] - fitted;
      squares += error * error;
    }
    const auto freedom = static_cast<double>(x.size() - 2);
    constexpr double kUpper = 0.975; // of 95 %, two-sided
    law.exponent_half_width = boost::math::quantile(boost::math::students_t(freedom), kUpper) *
                              std::sqrt(squares / freedom / line.squares);
  }
  return law;
}

double loss_at(const PowerLaw& law, double size) {
  return std::exp(law.log_unit_loss - law.exponent * std::log(size));
}

} // namespace mneme::theory
