// SPDX-License-Identifier: MIT

#include "mneme/core/error.h"
#include "report/chart.h"
#include "report/chart_parts.h"
#include "report/text.h"

namespace mneme::report {

using nlohmann::json;

namespace {

constexpr int kColumns = 2, kPanelWidth = 360, kPanelHeight = 240; // pixels

/// Gives the selection of every panel a name of its own, as one specification may hold no name twice.
void rename_selection(json& part, const std::string& name) {
  if (part.is_object() && part.value("param", "") == "shown") {
    part["param"] = name;
  }
  if (part.is_object() && part.value("name", json()) == "shown") {
    part["name"] = name;
  }
  for (auto& [key, value] : part.items()) {
    if (key != "data" && value.is_structured()) {
      rename_selection(value, name);
    }
  }
}

} // namespace

Chart to_chart(const Panels& panels) {
  if (panels.charts.empty()) {
    throw UsageError("mneme::report::to_chart: the panels \"" + one_line(panels.title) +
                     "\" hold no chart.\n  Give at least one.");
  }
  Chart whole{panels.title, panels.description, frame(panels.title, panels.description), {}};
  for (const char* single : {"width", "height"}) {
    whole.spec.erase(single);
  }
  whole.spec["concat"] = json::array();
  whole.spec["columns"] = panels.stacked ? 1 : kColumns;
  std::set<std::string> seen;
  for (const Chart& chart : panels.charts) {
    check_name_is_new(seen, chart.title);
    json part = chart.spec;
    if (part.contains("concat")) {
      throw UsageError("mneme::report::to_chart: the panel \"" + one_line(chart.title) +
                       "\" is made of panels itself.\n  Put all charts side by side.");
    }
    for (const char* once : {"$schema", "config"}) {
      part.erase(once);
    }
    if (!panels.stacked) {
      part["width"] = kPanelWidth;
      part["height"] = kPanelHeight;
    }
    rename_selection(part, "shown_" + std::to_string(seen.size()));
    whole.spec["concat"].push_back(std::move(part));

    // Panels may have different columns: each row is filled up from its own.
    if (whole.numbers.columns.empty()) {
      whole.numbers.columns = {{.name = "panel", .key = "panel"}};
    }
    std::vector<size_t> places;
    for (const Column& column : chart.numbers.columns) {
      const std::string& key = column.key.empty() ? column.name : column.key;
      size_t place = 0;
      while (place < whole.numbers.columns.size() && whole.numbers.columns[place].key != key) {
        ++place;
      }
      if (place == whole.numbers.columns.size()) {
        whole.numbers.columns.push_back(column);
        whole.numbers.columns.back().key = key;
        for (auto& row : whole.numbers.rows) {
          row.emplace_back(Missing{});
        }
      }
      places.push_back(place);
    }
    for (const auto& row : chart.numbers.rows) {
      std::vector<Cell> filled(whole.numbers.columns.size());
      filled[0] = chart.title;
      for (size_t c = 0; c < row.size(); ++c) {
        filled[places[c]] = row[c];
      }
      whole.numbers.rows.push_back(std::move(filled));
    }
  }
  return whole;
}

} // namespace mneme::report
