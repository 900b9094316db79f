// SPDX-License-Identifier: MIT

/// What a theory is asked about: bits, radius, locations ... on the command line, each of them one value, a
/// list or a range, and all combinations of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "report/table.h"

namespace CLI {
class App;
}

namespace mneme::cli {

enum class Setting { bits, hamming_radius, locations, items, space_fraction, probability, distance };

/// What was given; an empty list stands for a default that depends on the others.
struct SettingValues {
  std::vector<int64_t> bits = {1000};
  std::vector<int64_t> hamming_radius = {}; ///< the best signal-to-noise ratio for items and locations
  std::vector<double> locations = {1e6};
  std::vector<double> items = {10000};
  std::vector<double> space_fraction = {0.001};
  std::vector<double> probability = {0.5};
  std::vector<int64_t> distance = {}; ///< eleven from 0 to half of the bits
  std::vector<double> noise = {};     ///< distances as shares of the bits
};

/// One combination of all but the distances, which share most of their work.
struct SettingPoint {
  int64_t bits = 0, hamming_radius = 0;
  double locations = 0, items = 0, space_fraction = 0, probability = 0;
  std::vector<int64_t> distances = {}; ///< empty where the quantity has none
};

/// Declares the options of these settings; `values` outlives `app`.
void add_setting_options(CLI::App& app, const std::vector<Setting>& settings, SettingValues& values);

/// A count such as 1000000, 1e6 or 2^64, at least 1, at most 1e100. Errors  UsageError
double parse_count(const std::string& name, const std::string& text);
/// The same, lists of them, and ranges 1000..9000..2000 or 1e4..1e20..x10 (multiplied).
std::vector<double> parse_counts(const std::string& name, const std::string& text);

/// All combinations, the last setting changing first.
///
/// Errors  UsageError for a radius or a distance beyond the bits, for --distance beside --noise, and for more
///         than a million rows
std::vector<SettingPoint> combinations(const std::vector<Setting>& settings, const SettingValues& values);

/// How a setting is called in tables, and what a point has there. A distance has no single value: it is not
/// asked for.
report::Column column_of(Setting setting);
report::Cell cell_of(const SettingPoint& point, Setting setting);
/// A count as a whole number where one holds it.
report::Cell count_cell(double count);

} // namespace mneme::cli
