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

#include "report/axis_ticks.h"
#include "report/chart.h"

namespace mneme::report {

constexpr int kTicks = 8;   ///< approximate number of ticks of an axis
constexpr int kWidth = 640; ///< of a chart, in pixels; a page stretches charts to its own width

/// `text` with U+FFFD in place of invalid UTF-8.
std::string valid_utf8(std::string_view text);
/// `text`, or `fallback` if it is empty.
std::string or_else(const std::string& text, const char* fallback);

bool is_finite(const Estimate& estimate);
bool has_interval(const Estimate& estimate);
/// The estimate with its interval clipped to the limits of the axis, if it has any.
Estimate clipped(Estimate estimate, const Axis& axis);

/// Area of a point mark, for which the shapes of `shape_encoding` have a diameter of about 9 or 4 pixels.
constexpr int kPointSize = 676, kSmallPointSize = 169;

/// Gives the legends below a chart as many columns as fit into `width` pixels.
void set_legend_columns(nlohmann::json& spec, int width);

/// Schema, title, size and style of a chart without marks.
nlohmann::json frame(const std::string& title, const std::string& description);

nlohmann::json axis_encoding(const char* field, const FittedAxis& axis, bool from_zero = false);
/// An axis whose range the drawing library chooses, for data that depend on menus or sliders.
nlohmann::json axis_encoding(const char* field, const Axis& axis, bool from_zero = false);

/// Symbols of a legend: lines and points, or boxes for bars.
enum class LegendSymbols { lines, boxes };

/// Colour channel by series, with the legend.
nlohmann::json colour_encoding(const std::string& title, const std::vector<std::string>& names,
                               LegendSymbols symbols = LegendSymbols::lines);
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
std::vector<nlohmann::json> reference_layers(std::span<const Reference> references, const FittedAxis& x,
                                             const FittedAxis& y);
/// Adds the reference lines to the layers of a chart; `spec` must have "encoding" and "layer".
void add_references(nlohmann::json& spec, std::span<const Reference> references, const FittedAxis& x,
                    const FittedAxis& y);

/// Errors  UsageError if the axis is logarithmic and `value` is not > 0
void check_axis(const Axis& axis, const char* side, double value);
/// Inserts `name` into `seen`.
///
/// Errors  UsageError if `seen` contains the name already
void check_name_is_new(std::set<std::string>& seen, const std::string& name);

Column number_column(const std::string& name, const char* key);
/// A name for a column of a CSV file from the title of an axis, such as "noise_percent" for "noise (%)";
/// `fallback` for a title without letters and digits.
std::string column_key(const std::string& title, const char* fallback);
/// Changes keys that occur more than once.
void make_keys_unique(Table& numbers);
/// Replaces the estimates in the last column by their values, for tables without any interval.
void drop_intervals(Table& numbers);

} // namespace mneme::report
