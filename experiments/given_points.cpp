// SPDX-License-Identifier: MIT

#include "experiments/given_points.h"

#include <algorithm>

#include <fmt/format.h>

#include "mneme/core/error.h"

namespace mneme::experiments {
namespace {

constexpr int64_t kRadiusMin = 3; // a fit of beta needs several distances

} // namespace

std::string at(int64_t bits, int64_t radius) {
  return fmt::format("n = {}, d = {}", bits, radius);
}

std::vector<ParameterInfo> circle_parameters(const std::string& published_bits,
                                             const std::string& published_radii) {
  return {{.name = "bits", .help = "Bits per pattern n", .published = published_bits, .min = 4},
          {.name = "hamming-radius",
           .help = "Hamming radius d",
           .published = published_radii,
           .min = kRadiusMin}};
}

std::vector<CirclePoint> given_points(const RunSettings& settings, int64_t bits,
                                      const std::function<std::vector<int64_t>(int64_t bits)>& radii_of) {
  std::vector<CirclePoint> points;
  for (const int64_t each : settings.values_of("bits", {bits})) {
    const bool is_given = settings.has_given("hamming-radius");
    std::vector<int64_t> radii = is_given ? settings.values_of("hamming-radius", {}) : radii_of(each);
    if (!is_given) { // of small spaces, some are too small or the same
      std::erase_if(radii, [&](int64_t radius) { return radius < kRadiusMin || radius > each; });
      std::ranges::sort(radii);
      radii.erase(std::unique(radii.begin(), radii.end()), radii.end());
      if (radii.empty()) {
        throw UsageError(fmt::format("--bits {}: no published radius is from {} to {} bits.\n  Give "
                                     "--hamming-radius.",
                                     each, kRadiusMin, each));
      }
    }
    for (const int64_t radius : radii) {
      if (radius > each) {
        throw UsageError(
            fmt::format("--hamming-radius {}: patterns have {} bits.\n  Give at most {}, or increase --bits.",
                        radius, each, each));
      }
      points.push_back({each, radius});
    }
  }
  return points;
}

ComparisonTable only_at(ComparisonTable table, const std::vector<CirclePoint>& points) {
  std::erase_if(table.rows, [&](const Comparison& row) {
    return std::ranges::none_of(points, [&](const CirclePoint& point) {
      const std::string start = at(point.bits, point.radius);
      return row.what.starts_with(start + ":") || row.what.starts_with(start + ",");
    });
  });
  return table;
}

int64_t given_value(const RunSettings& settings, const std::string& name, int64_t published) {
  const std::vector<int64_t> values = settings.values_of(name, {published});
  if (values.size() != 1) {
    throw UsageError(fmt::format("--{}: {} values are given, but this experiment has one.\n  Give one value.",
                                 name, values.size()));
  }
  return values[0];
}

void add_given(Outcome& outcome, const RunSettings& settings) {
  for (const GivenParameter& parameter : settings.parameters) {
    outcome.parameters.emplace_back(parameter.name, parameter.text);
  }
}

} // namespace mneme::experiments
