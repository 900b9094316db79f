// SPDX-License-Identifier: MIT

/// What the Vega-Lite specifications of all kinds of chart have in common.
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

std::string valid_utf8(std::string_view text);
std::string or_else(const std::string& text, const char* fallback);

bool is_finite(const Estimate& estimate);
bool has_interval(const Estimate& estimate);

/// Schema, title, size and looks of a chart that has no marks yet.
nlohmann::json frame(const std::string& title, const std::string& description);

nlohmann::json axis_encoding(const char* field, const Axis& axis, bool from_zero = false);

/// Colour by series, with the legend. The other two are for channels on top of it.
nlohmann::json colour_encoding(const std::string& title, const std::vector<std::string>& names);
/// `dotted` holds the names of series drawn with points.
nlohmann::json shape_encoding(const std::string& title, const std::vector<std::string>& names,
                              const std::set<std::string>& dotted);
/// `dashed` holds the names of series drawn in dashes.
nlohmann::json dash_encoding(const std::string& title, const std::vector<std::string>& names,
                             const std::set<std::string>& dashed);

/// A selection that begins with every series and loses or regains the one whose legend entry is clicked.
nlohmann::json shown_series(const std::vector<std::string>& names);
/// The transform that keeps what is selected.
nlohmann::json keep_shown();

nlohmann::json tooltip(const char* field, const char* type, const std::string& title,
                       const std::string& format);
void add_interval_tooltips(nlohmann::json& tooltips, const std::string& format);

/// The layers of lines across the chart, with their labels.
std::vector<nlohmann::json> reference_layers(std::span<const Reference> references, const Axis& x,
                                             const Axis& y);
/// The layers that draw series, together with lines across the chart: `spec` has "encoding" and "layer" and
/// gets the latter.
void add_references(nlohmann::json& spec, std::span<const Reference> references, const Axis& x,
                    const Axis& y);

/// Errors  UsageError if a number on a logarithmic axis is not above 0
void check_axis(const Axis& axis, const char* side, double value);
/// Errors  UsageError if the name is there already
void check_name_is_new(std::set<std::string>& seen, const std::string& name);

Column number_column(const std::string& name, const char* key);
/// Without any interval the numbers need no columns for them.
void drop_intervals(Table& numbers);

} // namespace mneme::report
