// SPDX-License-Identifier: MIT

/// Settings of `mneme theory` on the command line: bits, radius, locations and so on. Each of them is a
/// value, a list or a range; results are computed for all combinations.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/numbers.h"
#include "report/table.h"

namespace mneme::cli {

/// Distances if neither --distance nor --noise is given.
enum class DefaultDistances {
  to_half_of_the_bits, ///< eleven distances from 0 to half of the bits
  in_circles           ///< from 0 to the last distance at which circles intersect, at most about 100
};

enum class Setting { bits, hamming_radius, locations, items, space_fraction, probability, distance };

/// Values of the options; an empty list is a default that depends on the other settings.
struct SettingValues {
  std::vector<int64_t> bits = {1000};
  std::vector<int64_t> hamming_radius =
      {}; ///< default: best signal-to-noise ratio for the items and locations
  std::vector<double> locations = {1e6};
  std::vector<double> items = {10000};
  std::vector<double> space_fraction = {0.001};
  std::vector<double> probability = {0.5};
  std::vector<int64_t> distance = {}; ///< default: eleven distances from 0 to half of the bits
  std::vector<double> noise = {};     ///< distances as fractions of the bits
};

/// One combination of all settings but the distances, which are evaluated together.
struct SettingPoint {
  int64_t bits = 0, hamming_radius = 0;
  double locations = 0, items = 0, space_fraction = 0, probability = 0;
  std::vector<int64_t> distances = {}; ///< empty if the quantity does not depend on a distance
};

/// Declares the options of these settings; `values` outlives `arguments`. `probabilities`: limits of
/// --probability.
void add_setting_options(Arguments& arguments, const std::vector<Setting>& settings,
                         const RealLimits& probabilities, SettingValues& values);

/// Parses a count from 1 to 1e100, such as 1000000, 1e6 or 2^64.
///
/// Errors  UsageError
double parse_count(const std::string& name, const std::string& text);
/// Parses a list of counts and ranges; a range has a step, 1000..9000..2000, or a factor, 1e4..1e20..x10.
std::vector<double> parse_counts(const std::string& name, const std::string& text);

/// All combinations of the settings; the last setting varies fastest.
///
/// Errors  UsageError if a radius or a distance exceeds the bits, if both --distance and --noise are given,
///         or if there are more than a million rows
std::vector<SettingPoint>
combinations(const std::vector<Setting>& settings, const SettingValues& values,
             DefaultDistances default_distances = DefaultDistances::to_half_of_the_bits);

/// Column of a setting in tables.
report::Column column_of(Setting setting);
/// Title of an axis of a setting, with its unit.
const char* axis_title_of(Setting setting);
/// Value of a setting at a point; empty for Setting::distance, of which a point has several values.
report::Cell cell_of(const SettingPoint& point, Setting setting);
/// A count as an integer if it is below 1e15, else as a double.
report::Cell count_cell(double count);

} // namespace mneme::cli
