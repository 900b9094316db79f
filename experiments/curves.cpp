// SPDX-License-Identifier: MIT

#include "experiments/curves.h"

#include <cmath>

namespace mneme::experiments {

std::vector<double> linspace(double first, double last, int64_t count) {
  std::vector<double> numbers;
  for (int64_t i = 0; i < count; ++i) {
    const double fraction = static_cast<double>(i) / static_cast<double>(count - 1);
    numbers.push_back(i + 1 == count ? last : first + (last - first) * fraction);
  }
  return numbers;
}

std::vector<double> logspace(double first, double last, int64_t count) {
  std::vector<double> numbers = linspace(first, last, count);
  for (double& number : numbers) {
    number = std::pow(10.0, number);
  }
  return numbers;
}

std::vector<int64_t> integer_linspace(double first, double last, int64_t count) {
  std::vector<int64_t> numbers;
  for (const double number : linspace(first, last, count)) {
    const auto truncated = static_cast<int64_t>(number);
    if (numbers.empty() || numbers.back() != truncated) {
      numbers.push_back(truncated);
    }
  }
  return numbers;
}

std::vector<int64_t> integer_range(int64_t first, int64_t last, int64_t step) {
  std::vector<int64_t> numbers;
  for (int64_t number = first; number <= last; number += step) {
    numbers.push_back(number);
  }
  return numbers;
}

report::Series drop_nonpositive(report::Series series) {
  std::erase_if(series.points, [](const report::Point& point) { return !(point.y.value > 0); });
  return series;
}

Comparison compare_relative(std::string what, double published, double measured, double relative) {
  return compare_absolute(std::move(what), published, measured, relative * std::abs(published));
}

Comparison compare_absolute(std::string what, double published, double measured, double tolerance) {
  return {.what = std::move(what),
          .published = published,
          .measured = exact_mean(measured),
          .tolerance = tolerance};
}

} // namespace mneme::experiments
