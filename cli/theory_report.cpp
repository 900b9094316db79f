// SPDX-License-Identifier: MIT

#include "cli/theory_report.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <type_traits>

#include <fmt/format.h>

#include "mneme/core/atomic_file.h"
#include "mneme/core/parallel.h"
#include "mneme/core/version.h"
#include "report/chart.h"
#include "report/json_text.h"
#include "report/page.h"
#include "report/text.h"

namespace mneme::cli {
namespace {

using report::Cell;
using report::Column;
using report::Table;

/// Number of columns of settings, which are the first columns of theory_table.
size_t num_setting_columns(const TheoryRun& run) {
  return run.quantity->settings.size();
}

std::optional<double> number_of(const Cell& cell) {
  if (const auto* integer = std::get_if<int64_t>(&cell)) {
    return static_cast<double>(*integer);
  }
  const auto* real = std::get_if<double>(&cell);
  return real != nullptr ? std::optional(*real) : std::nullopt;
}

/// True if a column of a setting, which is always a number, has the same value in all rows.
bool is_constant(const Table& table, size_t column) {
  return std::ranges::all_of(table.rows, [&](const auto& row) {
    return number_of(row[column]) == number_of(table.rows.front()[column]);
  });
}

void drop_column(Table& table, size_t column) {
  table.columns.erase(table.columns.begin() + static_cast<int64_t>(column));
  for (auto& row : table.rows) {
    row.erase(row.begin() + static_cast<int64_t>(column));
  }
}

/// Name and value of a setting, such as "radius 451" or "locations 1e+06".
std::string setting_text(const Table& table, size_t column, size_t row) {
  return table.columns[column].name + " " + report::shown_cells(table, column, "")[row];
}

/// Names and values of the settings that are the same in all rows, and of the choices.
std::vector<std::pair<std::string, std::string>> constants(const TheoryRun& run, const Table& table) {
  std::vector<std::pair<std::string, std::string>> named;
  for (size_t c = 0; c < num_setting_columns(run); ++c) {
    if (is_constant(table, c)) {
      named.emplace_back(table.columns[c].name, report::shown_cells(table, c, "").front());
    }
  }
  for (size_t i = 0; i < run.choices.size(); ++i) {
    const QuantityChoice& choice = run.quantity->choices[i];
    named.emplace_back(std::string(choice.option).substr(2), choice.words[run.choices[i]]);
  }
  return named;
}

Table varying_table(const TheoryRun& run) {
  Table table = theory_table(run);
  for (size_t c = num_setting_columns(run); c-- > 0;) {
    if (is_constant(table, c)) {
      drop_column(table, c);
    }
  }
  return table;
}

/// True if the values of `others` determine the value of `column` in all rows, as the number of bits
/// determines the best radius.
bool is_determined(const Table& table, size_t column, const std::vector<size_t>& others) {
  std::map<std::vector<std::optional<double>>, std::optional<double>> values;
  return std::ranges::all_of(table.rows, [&](const auto& row) {
    std::vector<std::optional<double>> key;
    for (const size_t other : others) {
      key.push_back(number_of(row[other]));
    }
    const std::optional<double> value = number_of(row[column]);
    return values.emplace(key, value).first->second == value;
  });
}

/// The columns of settings that vary independently of the others. Of settings that determine each other, the
/// radius is left out first, then the distance: they may be chosen from the others.
std::vector<size_t> independent_settings(const TheoryRun& run, const Table& table) {
  std::vector<size_t> columns;
  for (size_t c = 0; c < num_setting_columns(run); ++c) {
    if (!is_constant(table, c)) {
      columns.push_back(c);
    }
  }
  std::vector<size_t> candidates(columns.rbegin(), columns.rend()); // the distance is the last setting
  std::stable_partition(candidates.begin(), candidates.end(),
                        [&](size_t c) { return run.quantity->settings[c] == Setting::hamming_radius; });
  for (const size_t candidate : candidates) {
    std::vector<size_t> others = columns;
    std::erase(others, candidate);
    if (!others.empty() && is_determined(table, candidate, others)) {
      columns = std::move(others);
    }
  }
  return columns;
}

/// The column of the setting on the x axis: the independent setting with the most values, and the last one of
/// several. Empty if no setting varies.
std::optional<size_t> chart_axis(const std::vector<size_t>& settings, const Table& table) {
  std::optional<size_t> axis;
  size_t max_values = 1;
  for (const size_t c : settings) {
    std::vector<double> values;
    for (const auto& row : table.rows) {
      values.push_back(number_of(row[c]).value_or(0));
    }
    std::ranges::sort(values);
    values.erase(std::unique(values.begin(), values.end()), values.end());
    if (values.size() > 1 && values.size() >= max_values) {
      max_values = values.size();
      axis = c;
    }
  }
  return axis;
}

/// The independent settings of a row other than the x axis, such as "radius 451, items 1000".
std::string others_text(const std::vector<size_t>& settings, const Table& table, size_t axis, size_t row) {
  std::string text;
  for (const size_t c : settings) {
    if (c != axis) {
      text += (text.empty() ? "" : ", ") + setting_text(table, c, row);
    }
  }
  return text;
}

/// Title of a figure that is read without its table, such as "Critical distance (bits 1000, items 10000)".
std::string title_of(const TheoryRun& run, const Table& table) {
  std::string title = run.quantity->name;
  std::ranges::replace(title, '-', ' ');
  title.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(title.front())));
  std::string values;
  for (const auto& [name, value] : constants(run, table)) {
    values += (values.empty() ? "" : ", ") + name + " " + value;
  }
  return values.empty() ? title : title + " (" + values + ")";
}

/// Minimum and maximum of a column of numbers.
std::pair<double, double> range_of(const Table& table, size_t column) {
  double min = std::numeric_limits<double>::infinity(), max = 0;
  for (const auto& row : table.rows) {
    const double value = number_of(row[column]).value_or(0);
    min = std::min(min, value);
    max = std::max(max, value);
  }
  return {min, max};
}

/// Settings without those on which no value that is drawn depends, such as the number of hard locations of
/// normalised weights.
std::vector<size_t> effective_settings(std::vector<size_t> settings, const Table& table,
                                       const std::vector<size_t>& drawn) {
  for (const size_t candidate : std::vector<size_t>(settings)) {
    std::vector<size_t> others = settings;
    std::erase(others, candidate);
    const bool has_no_effect =
        std::ranges::all_of(drawn, [&](size_t column) { return is_determined(table, column, others); });
    if (!others.empty() && has_no_effect) {
      settings = std::move(others);
    }
  }
  return settings;
}

/// Series of the drawn columns, one for each combination of the settings other than the x axis.
std::vector<report::Series> series_of(const TheoryRun& run, const Table& table,
                                      const std::vector<size_t>& settings, size_t axis,
                                      const std::vector<size_t>& drawn) {
  std::vector<report::Series> all;
  for (const size_t column : drawn) {
    const std::string legend = run.quantity->columns[column - num_setting_columns(run)].legend;
    std::set<std::pair<std::string, double>> added; // rows that differ only in settings without an effect
    for (size_t r = 0; r < table.rows.size(); ++r) {
      const std::string others = others_text(settings, table, axis, r);
      std::string name = legend;
      if (!others.empty()) {
        name = drawn.size() == 1 ? others : legend + ", " + others;
      }
      auto series = std::ranges::find(all, name, &report::Series::name);
      if (series == all.end()) {
        series = all.insert(series, report::Series{.name = name});
      }
      const double x = number_of(table.rows[r][axis]).value_or(0);
      const std::optional<double> y = number_of(table.rows[r][column]);
      if (y && (!run.quantity->logarithmic_chart || *y > 0) && added.emplace(name, x).second) {
        series->points.push_back({x, {*y, *y, *y}});
      }
    }
  }
  return all;
}

} // namespace

TheoryChart theory_chart(const TheoryRun& run) {
  constexpr size_t kMaxLines = 20, kMaxLinesOfAllColumns = 8;
  constexpr double kLogarithmicSpan = 100, kManyDigits = 1e7;
  const Table table = theory_table(run);
  std::vector<size_t> drawn;
  for (size_t c = 0; c < run.quantity->columns.size(); ++c) {
    if (*run.quantity->columns[c].legend != '\0') {
      drawn.push_back(num_setting_columns(run) + c);
    }
  }
  if (drawn.empty()) {
    return {.chart = {}, .note = "There is no chart, since these values are not drawn."};
  }
  const std::vector<size_t> settings = effective_settings(independent_settings(run, table), table, drawn);
  const std::optional<size_t> axis = chart_axis(settings, table);
  if (!axis) {
    return {.chart = {}, .note = "There is no chart, since no setting varies."};
  }
  std::set<std::string> combinations_of_others;
  for (size_t r = 0; r < table.rows.size(); ++r) {
    combinations_of_others.insert(others_text(settings, table, *axis, r));
  }
  const size_t lines = drawn.size() * combinations_of_others.size();
  if (combinations_of_others.size() > kMaxLines) {
    return {.chart = {},
            .note = fmt::format("There is no chart, since it would have {} lines; at most {} are drawn.",
                                combinations_of_others.size(), kMaxLines)};
  }
  TheoryChart result;
  report::LineChart chart{
      .title = title_of(run, table),
      .description = fmt::format("{}, over {}", run.quantity->summary, table.columns[*axis].name),
      .x = {.title = axis_title_of(run.quantity->settings[*axis])},
      .y = {.title = run.quantity->axis_title, .logarithmic = run.quantity->logarithmic_chart}};
  const auto [min_x, max_x] = range_of(table, *axis);
  chart.x.format = max_x >= kManyDigits ? ".0e" : "";
  chart.x.logarithmic = min_x > 0 && max_x >= kLogarithmicSpan * min_x;
  if (drawn.size() > 1 && lines > kMaxLinesOfAllColumns) {
    drawn.resize(1); // the first column is the most important one
    chart.series_title = run.quantity->columns[drawn.front() - num_setting_columns(run)].legend;
    result.note = fmt::format("The chart shows only \"{}\", since all columns would be {} lines.",
                              chart.series_title, lines);
  }
  chart.series = series_of(run, table, settings, *axis, drawn);
  if (!run.quantity->has_both_charts) {
    result.chart = report::to_chart(chart);
    return result;
  }
  std::vector<report::Chart> panels;
  for (const bool logarithmic : {false, true}) {
    report::LineChart panel = chart;
    panel.title = logarithmic ? "logarithmic" : "linear";
    panel.y.logarithmic = logarithmic;
    panels.push_back(report::to_chart(panel));
  }
  result.chart = report::to_chart(
      report::Panels{.title = chart.title, .description = chart.description, .charts = panels});
  return result;
}

namespace {

/// Progress that is shown only if steps remain after a second. Its rate is that of the remaining steps.
class DelayedProgress {
public:
  DelayedProgress(Progress& progress, std::string stage, int64_t total)
      : progress_(progress), stage_(std::move(stage)), total_(total) {}

  void advance() {
    const std::scoped_lock lock(mutex_);
    ++done_;
    if (is_shown_) {
      progress_.advance();
    } else if (done_ < total_ && std::chrono::steady_clock::now() - begin_ > kDelay) {
      is_shown_ = true;
      progress_.start(stage_, total_);
      progress_.skip(done_);
    }
  }

private:
  static constexpr std::chrono::seconds kDelay{1};
  Progress& progress_;
  std::string stage_;
  int64_t total_, done_ = 0;
  bool is_shown_ = false;
  std::mutex mutex_;
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

} // namespace

TheoryRun run_theory(const Quantity& quantity, const std::vector<size_t>& choices,
                     const std::vector<SettingPoint>& points, Progress& progress) {
  TheoryRun run{.quantity = &quantity, .choices = choices, .points = points, .rows = {}, .fits = {}};
  run.rows.resize(points.size());
  run.fits.resize(quantity.fit != nullptr ? points.size() : 0);
  DelayedProgress delayed(progress, quantity.name, static_cast<int64_t>(points.size()));
  parallel_for(static_cast<int64_t>(points.size()), 1, [&](int64_t index, int64_t) {
    const auto i = static_cast<size_t>(index);
    run.rows[i] = quantity.evaluate(points[i], choices);
    if (quantity.fit != nullptr) {
      run.fits[i] = quantity.fit(points[i], choices);
    }
    delayed.advance();
  });
  progress.finish();
  return run;
}

Table theory_table(const TheoryRun& run) {
  Table table;
  for (const Setting setting : run.quantity->settings) {
    table.columns.push_back(column_of(setting));
  }
  for (const QuantityColumn& column : run.quantity->columns) {
    table.columns.push_back(column.column);
  }
  for (size_t p = 0; p < run.points.size(); ++p) {
    for (size_t r = 0; r < run.rows[p].size(); ++r) {
      std::vector<Cell> cells;
      for (const Setting setting : run.quantity->settings) {
        cells.push_back(setting == Setting::distance ? Cell(run.points[p].distances[r])
                                                     : cell_of(run.points[p], setting));
      }
      cells.insert(cells.end(), run.rows[p][r].begin(), run.rows[p][r].end());
      table.rows.push_back(std::move(cells));
    }
  }
  return table;
}

Table theory_fit_table(const TheoryRun& run) {
  Table table;
  for (const Setting setting : run.quantity->settings) {
    if (setting != Setting::distance) {
      table.columns.push_back(column_of(setting));
    }
  }
  table.columns.insert(table.columns.end(), run.quantity->fit_columns.begin(),
                       run.quantity->fit_columns.end());
  for (size_t p = 0; p < run.fits.size(); ++p) {
    std::vector<Cell> cells;
    for (const Setting setting : run.quantity->settings) {
      if (setting != Setting::distance) {
        cells.push_back(cell_of(run.points[p], setting));
      }
    }
    cells.insert(cells.end(), run.fits[p].begin(), run.fits[p].end());
    table.rows.push_back(std::move(cells));
  }
  return table;
}

namespace {

/// The table of fits without the settings that are the same in all rows, which are printed separately.
Table shown_fit_table(const TheoryRun& run) {
  Table table = theory_fit_table(run);
  for (size_t c = table.columns.size() - run.quantity->fit_columns.size(); c-- > 0 && !table.rows.empty();) {
    if (is_constant(table, c)) {
      drop_column(table, c);
    }
  }
  return table;
}

} // namespace

std::string theory_text(const TheoryRun& run, const report::TextStyle& style) {
  std::string settings;
  for (const auto& [name, value] : constants(run, theory_table(run))) {
    settings += fmt::format("{}{} {}", settings.empty() ? "" : ", ", name, value);
  }
  std::string text = fmt::format("{}: {}\n{}\n\n", run.quantity->name, run.quantity->summary, settings);
  if (const Table fits = shown_fit_table(run); !fits.rows.empty()) {
    text += report::to_text(fits, style) + "\n";
  }
  text += report::to_text(varying_table(run), style) + "\n";
  for (const std::string& line : report::wrap(run.quantity->explanation, report::paragraph_width(style))) {
    text += line + "\n";
  }
  return text;
}

nlohmann::ordered_json theory_config(const TheoryRun& run) {
  nlohmann::ordered_json choices = nlohmann::ordered_json::object();
  for (size_t i = 0; i < run.choices.size(); ++i) {
    const QuantityChoice& choice = run.quantity->choices[i];
    choices[std::string(choice.option).substr(2)] = choice.words[run.choices[i]];
  }
  nlohmann::ordered_json config = {
      {"version", version()}, {"verb", "theory"}, {"quantity", run.quantity->name}};
  const Table table = theory_table(run);
  for (size_t c = 0; c < num_setting_columns(run); ++c) {
    const report::Column& column = table.columns[c];
    nlohmann::ordered_json values = nlohmann::ordered_json::array(); // in the order of their first rows
    std::set<std::optional<double>> added;
    for (const auto& row : table.rows) {
      if (added.insert(number_of(row[c])).second) {
        values.push_back(std::visit(
            [](const auto& value) -> nlohmann::ordered_json {
              if constexpr (std::is_arithmetic_v<std::decay_t<decltype(value)>>) {
                return value;
              }
              return nullptr;
            },
            row[c]));
      }
    }
    config[column.key.empty() ? column.name : column.key] = values.size() == 1 ? values.front() : values;
  }
  config["choices"] = choices;
  return config;
}

nlohmann::ordered_json theory_json(const TheoryRun& run) {
  nlohmann::ordered_json document = {{"parameters", theory_config(run)},
                                     {"results", report::to_json(theory_table(run))}};
  if (!run.fits.empty()) {
    document["results"] = {{"rows", std::move(document["results"])},
                           {"fits", report::to_json(theory_fit_table(run))}};
  }
  return document;
}

std::string write_theory_files(const TheoryRun& run, const TheoryChart& chart,
                               const std::filesystem::path& folder) {
  write_file_atomically(folder / "config.json", report::json_text(theory_config(run)));
  write_file_atomically(folder / "results.csv", report::to_csv(theory_table(run)));
  report::Section section{.heading = "Results", .blocks = {}};
  std::string names = "index.html (open it in a browser), results.csv";
  if (chart.chart) {
    report::write_chart(folder, run.quantity->name, *chart.chart);
    names += fmt::format(", {0}.vl.json and {0}.csv (the chart)", run.quantity->name);
    section.blocks.push_back(*chart.chart);
  } else {
    report::remove_chart(folder, run.quantity->name);
  }
  if (!chart.note.empty()) {
    section.blocks.push_back(report::Note{chart.note});
  }
  if (const Table fits = theory_fit_table(run); !fits.rows.empty()) {
    write_file_atomically(folder / "fits.csv", report::to_csv(fits));
    names += ", fits.csv";
    section.blocks.push_back(
        report::CaptionedTable{shown_fit_table(run), "Fitted beta, and how well softmax agrees"});
  }
  section.blocks.push_back(report::CaptionedTable{
      .table = varying_table(run), .caption = "All values", .remark = run.quantity->explanation});
  section.blocks.push_back(report::Parameters{constants(run, theory_table(run))});
  report::write_page(folder / "index.html", {.title = fmt::format("Theory: {}", run.quantity->name),
                                             .intro = fmt::format("Quantity: {}.", run.quantity->summary),
                                             .sections = {section}});
  return names;
}

} // namespace mneme::cli
