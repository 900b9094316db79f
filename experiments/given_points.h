// SPDX-License-Identifier: MIT

/// Parameters that are given on the command line in place of the published ones.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "experiments/experiment.h"

namespace mneme::experiments {

struct CirclePoint {
  int64_t bits = 0, radius = 0;
};

/// "n = 64, d = 11"
std::string at(int64_t bits, int64_t radius);

/// The parameters `bits` and `hamming-radius` of an experiment, for its list of parameters.
std::vector<ParameterInfo> circle_parameters(const std::string& published_bits,
                                             const std::string& published_radii);

/// All combinations of the given bits and radii; without given bits, `bits`, and without given radii, those
/// of `radii_of(bits)` that are within the limits of a radius.
///
/// Errors  UsageError if a given radius exceeds the bits, or if no radius is left
std::vector<CirclePoint> given_points(const RunSettings& settings, int64_t bits,
                                      const std::function<std::vector<int64_t>(int64_t bits)>& radii_of);

/// The rows of a comparison whose texts begin with one of these points: what was published for them.
ComparisonTable only_at(ComparisonTable table, const std::vector<CirclePoint>& points);

/// The given value of a parameter that can have only one, or else the published one.
///
/// Errors  UsageError if several values are given
int64_t given_value(const RunSettings& settings, const std::string& name, int64_t published);

/// Adds the given parameters to those of the page.
void add_given(Outcome& outcome, const RunSettings& settings);

} // namespace mneme::experiments
