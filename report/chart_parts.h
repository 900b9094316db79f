// SPDX-License-Identifier: MIT

/// Building blocks of Vega-Lite specifications, shared by all chart types.
#pragma once

#include <array>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "report/chart.h"

namespace mneme::report {

/// `text` with U+FFFD in place of invalid UTF-8.
std::string valid_utf8(std::string_view text);
/// `text`, or `fallback` if it is empty.
std::string or_else(const std::string& text, const char* fallback);

bool is_finite(const Estimate& estimate);
bool has_interval(const Estimate& estimate);

/// Schema, title, size and style of a chart without marks.
nlohmann::json frame(const std::string& title, const std::string& description);

nlohmann::json axis_encoding(const char* field, const Axis& axis, bool from_zero = false);

/// Colour channel by series, with the legend.
nlohmann::json colour_encoding(const std::string& title, const std::vector<std::string>& names);
/// Additional shape channel; `dotted` contains the names of series drawn with points.
nlohmann::json shape_encoding(const std::string& title, const std::vector<std::string>& names,
                              const std::set<std::string>& dotted);
/// Additional dash channel; `dashed` contains the names of series drawn as dashed lines.
nlohmann::json dash_encoding(const std::string& title, const std::vector<std::string>& names,
                             const std::set<std::string>& dashed);

/// Selection parameter "shown": initially all series; a click on a legend entry toggles its series.
nlohmann::json shown_series(const std::vector<std::string>& names);
/// Filter transform that keeps the selected series.
nlohmann::json keep_shown();

nlohmann::json tooltip(const char* field, const char* type, const std::string& title,
                       const std::string& format);
void add_interval_tooltips(nlohmann::json& tooltips, const std::string& format);

/// Layers of the reference lines and their labels.
std::vector<nlohmann::json> reference_layers(std::span<const Reference> references, const Axis& x,
                                             const Axis& y);
/// Adds the reference lines to the layers of a chart; `spec` must have "encoding" and "layer".
void add_references(nlohmann::json& spec, std::span<const Reference> references, const Axis& x,
                    const Axis& y);

/// Errors  UsageError if the axis is logarithmic and `value` is not > 0
void check_axis(const Axis& axis, const char* side, double value);
/// Inserts `name` into `seen`.
///
/// Errors  UsageError if `seen` contains the name already
void check_name_is_new(std::set<std::string>& seen, const std::string& name);

Column number_column(const std::string& name, const char* key);
/// Replaces the estimates in the last column by their values, for tables without any interval.
void drop_intervals(Table& numbers);

} // namespace mneme::report
