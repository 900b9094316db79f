// SPDX-License-Identifier: MIT

/// Table of the quantities of `mneme theory`.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/theory_settings.h"
#include "report/table.h"

namespace mneme::cli {

/// An option whose value is one of a few words; the first is the default.
struct QuantityChoice {
  const char* option;
  std::vector<std::string> words;
  const char* help;
};

/// A column of results.
struct QuantityColumn {
  report::Column column;
  const char* legend = ""; ///< its name in the legend of the chart; empty: not drawn
};

using QuantityRows = std::vector<std::vector<report::Cell>>;

struct Quantity {
  const char* name;
  const char* summary;           ///< one line, shown in the list of quantities
  std::vector<Setting> settings; ///< settings that the quantity depends on
  std::vector<QuantityChoice> choices;
  std::vector<QuantityColumn> columns;
  const char* explanation; ///< meaning of the columns
  const char* axis_title;  ///< of the y axis of the chart, with the unit; empty: the values are not drawn
  bool logarithmic_chart;  ///< use a logarithmic y axis
  /// Computes the results at one point: one row per distance, or a single row. `choices[i]` is the index of
  /// the selected word of the i-th choice.
  QuantityRows (*evaluate)(const SettingPoint& point, const std::vector<size_t>& choices);
  /// Columns of a second table, with one row per point, and its function; null: there is none.
  std::vector<report::Column> fit_columns = {};
  std::vector<report::Cell> (*fit)(const SettingPoint& point, const std::vector<size_t>& choices) = nullptr;
  DefaultDistances default_distances = DefaultDistances::to_half_of_the_bits;
  bool has_both_charts = false;  ///< a linear and a logarithmic chart next to each other
  bool allows_certainty = false; ///< --probability can be 1
};

const std::vector<Quantity>& quantities();

} // namespace mneme::cli
