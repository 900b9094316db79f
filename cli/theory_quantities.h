// SPDX-License-Identifier: MIT

/// The quantities of `mneme theory`: each is one row of a table here.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/theory_settings.h"
#include "report/table.h"

namespace mneme::cli {

/// An option with a few words to choose from; the first is the default.
struct QuantityChoice {
  const char* option;
  std::vector<std::string> words;
  const char* help;
};

/// A column of results, and whether the chart shows it.
struct QuantityColumn {
  report::Column column;
  bool drawn = false;
};

using QuantityRows = std::vector<std::vector<report::Cell>>;

struct Quantity {
  const char* name;
  const char* summary;           ///< one line, as in a list
  std::vector<Setting> settings; ///< what it depends on
  std::vector<QuantityChoice> choices;
  std::vector<QuantityColumn> columns;
  const char* reading;    ///< what the columns mean
  bool logarithmic_chart; ///< numbers over many powers of ten
  /// The results at one point: a row per distance, or a single one. `choices` are places in their words.
  QuantityRows (*evaluate)(const SettingPoint& point, const std::vector<size_t>& choices);
};

const std::vector<Quantity>& quantities();

} // namespace mneme::cli
