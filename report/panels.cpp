// SPDX-License-Identifier: MIT

#include "mneme/core/error.h"
#include "report/chart.h"
#include "report/chart_parts.h"
#include "report/text.h"

namespace mneme::report {

using nlohmann::json;

namespace {

constexpr int kColumns = 2, kPanelWidth = 360, kPanelHeight = 240; // pixels

/// Renames the selection parameter of a panel, since parameter names must be unique in a specification.
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

/// Calls `change` for a part of a specification and all parts of it, except data.
void for_each_part(json& part, const auto& change) {
  if (part.is_object()) {
    change(part);
  }
  for (auto& [key, value] : part.items()) {
    if (key != "data" && value.is_structured()) {
      for_each_part(value, change);
    }
  }
}

/// Removes the selection parameter of a panel, so that all its series are shown.
void remove_selection(json& part) {
  for_each_part(part, [](json& object) {
    object.erase("params");
    if (const auto transform = object.find("transform"); transform != object.end()) {
      std::erase_if(transform->get_ref<json::array_t&>(), [](const json& step) {
        return step.value(json::json_pointer("/filter/param"), "") == "shown";
      });
    }
  });
}

void remove_legends(json& part) {
  for_each_part(part, [](json& object) {
    if (object.contains("scale") && object.contains("legend")) {
      object["legend"] = nullptr;
    }
  });
}

/// The names of all series of a panel, in the order of the colours.
json series_of(const json& part) {
  return part.value(json::json_pointer("/encoding/color/scale/domain"), json());
}

} // namespace

Chart to_chart(const Panels& panels) {
  if (panels.charts.empty()) {
    throw UsageError("mneme::report::to_chart: the panels \"" + one_line(panels.title) +
                     "\" contain no chart.\n  Add at least one.");
  }
  Chart combined{panels.title, panels.description, frame(panels.title, panels.description), {}};
  for (const char* single : {"width", "height"}) {
    combined.spec.erase(single);
  }
  combined.spec["concat"] = json::array();
  combined.spec["columns"] = panels.stacked ? 1 : kColumns;
  // Each panel has its own series: Vega-Lite would merge them into one legend with the colours of none.
  combined.spec["resolve"]["scale"] = {{"color", "independent"},
                                       {"fill", "independent"},
                                       {"shape", "independent"},
                                       {"strokeDash", "independent"}};
  std::set<std::string> seen;
  for (const Chart& chart : panels.charts) {
    check_name_is_new(seen, chart.title);
    json part = chart.spec;
    if (part.contains("concat")) {
      throw UsageError("mneme::report::to_chart: the panel \"" + one_line(chart.title) +
                       "\" consists of panels itself.\n  Panels cannot be nested.");
    }
    for (const char* once : {"$schema", "config"}) {
      part.erase(once);
    }
    if (part.contains("title")) { // smaller than that of the figure
      part["title"].update({{"fontSize", 12}, {"fontWeight", 500}});
    }
    if (!panels.stacked) {
      part["width"] = kPanelWidth;
      part["height"] = kPanelHeight;
      set_legend_columns(part, kPanelWidth);
    }
    if (!panels.one_legend) {
      rename_selection(part, "shown_" + std::to_string(seen.size()));
    } else {
      remove_selection(part); // a page draws each panel on its own: a click would change the first one only
    }
    if (panels.one_legend && seen.size() > 1) {
      if (series_of(part) != series_of(panels.charts.front().spec)) {
        throw UsageError("mneme::report::to_chart: the panel \"" + one_line(chart.title) +
                         "\" has other series than the first one.\n  Give all panels the same series, in the "
                         "same order, or each its own legend.");
      }
      remove_legends(part);
    }
    combined.spec["concat"].push_back(std::move(part));

    // Panels may have different columns: the table has the union of them, with missing values.
    if (combined.numbers.columns.empty()) {
      combined.numbers.columns = {{.name = "panel", .key = "panel"}};
    }
    std::vector<size_t> columns;
    for (const Column& column : chart.numbers.columns) {
      const std::string& key = column.key.empty() ? column.name : column.key;
      size_t index = 0;
      while (index < combined.numbers.columns.size() && combined.numbers.columns[index].key != key) {
        ++index;
      }
      if (index == combined.numbers.columns.size()) {
        combined.numbers.columns.push_back(column);
        combined.numbers.columns.back().key = key;
        for (auto& row : combined.numbers.rows) {
          row.emplace_back(Missing{});
        }
      }
      columns.push_back(index);
    }
    for (const auto& row : chart.numbers.rows) {
      std::vector<Cell> filled(combined.numbers.columns.size());
      filled[0] = chart.title;
      for (size_t c = 0; c < row.size(); ++c) {
        filled[columns[c]] = row[c];
      }
      combined.numbers.rows.push_back(std::move(filled));
    }
  }
  return combined;
}

} // namespace mneme::report
