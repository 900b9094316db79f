// SPDX-License-Identifier: MIT

#include "cli/theory_report.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <mutex>
#include <optional>
#include <set>

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

/// The columns of a whole table that settings stand in.
size_t setting_columns(const TheoryRun& run) {
  return run.quantity->settings.size();
}

std::optional<double> number_of(const Cell& cell) {
  if (const auto* whole = std::get_if<int64_t>(&cell)) {
    return static_cast<double>(*whole);
  }
  const auto* real = std::get_if<double>(&cell);
  return real != nullptr ? std::optional(*real) : std::nullopt;
}

/// True if a setting, which is always a number, is the same in every row.
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

/// "radius 451", "locations 1e+06".
std::string setting_text(const Table& table, size_t column, size_t row) {
  return table.columns[column].name + " " + report::shown_cells(table, column, "")[row];
}

/// Settings that are the same everywhere, and what was chosen.
std::vector<std::pair<std::string, std::string>> constants(const TheoryRun& run, const Table& table) {
  std::vector<std::pair<std::string, std::string>> named;
  for (size_t c = 0; c < setting_columns(run); ++c) {
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
  for (size_t c = setting_columns(run); c-- > 0;) {
    if (is_constant(table, c)) {
      drop_column(table, c);
    }
  }
  return table;
}

/// The setting along the x axis: of those that change the one with most values, the last of them.
std::optional<size_t> chart_axis(const TheoryRun& run, const Table& table) {
  std::optional<size_t> axis;
  size_t most = 1;
  for (size_t c = 0; c < setting_columns(run); ++c) {
    std::vector<double> values;
    for (const auto& row : table.rows) {
      values.push_back(number_of(row[c]).value_or(0));
    }
    std::ranges::sort(values);
    values.erase(std::unique(values.begin(), values.end()), values.end());
    if (values.size() > 1 && values.size() >= most) {
      most = values.size();
      axis = c;
    }
  }
  return axis;
}

/// What the other changing settings are in a row, such as "radius 451, items 1000".
std::string others_text(const TheoryRun& run, const Table& table, size_t axis, size_t row) {
  std::string text;
  for (size_t c = 0; c < setting_columns(run); ++c) {
    if (c != axis && !is_constant(table, c)) {
      text += (text.empty() ? "" : ", ") + setting_text(table, c, row);
    }
  }
  return text;
}

/// Nothing where no setting changes, nothing is drawn, or so many lines that none could be told apart.
std::optional<report::Chart> chart_of(const TheoryRun& run) {
  constexpr size_t kLinesMost = 20, kLinesAtOnce = 8;
  constexpr double kLogarithmicSpan = 100, kManyDigits = 1e7;
  const Table table = theory_table(run);
  const std::optional<size_t> axis = chart_axis(run, table);
  if (!axis) {
    return std::nullopt;
  }
  double least = std::numeric_limits<double>::infinity(), most = 0;
  for (const auto& row : table.rows) {
    const double x = number_of(row[*axis]).value_or(0);
    least = std::min(least, x);
    most = std::max(most, x);
  }
  report::LineChart chart{.title = run.quantity->name,
                          .description =
                              fmt::format("{}, over {}", run.quantity->summary, table.columns[*axis].name),
                          .x = {.title = table.columns[*axis].name,
                                .format = most >= kManyDigits ? ".0e" : "",
                                .logarithmic = least > 0 && most >= kLogarithmicSpan * least},
                          .y = {.logarithmic = run.quantity->logarithmic_chart}};
  std::vector<size_t> drawn;
  for (size_t c = 0; c < run.quantity->columns.size(); ++c) {
    if (run.quantity->columns[c].drawn) {
      drawn.push_back(setting_columns(run) + c);
    }
  }
  std::set<std::string> combinations_of_others;
  for (size_t r = 0; r < table.rows.size(); ++r) {
    combinations_of_others.insert(others_text(run, table, *axis, r));
  }
  if (drawn.size() * combinations_of_others.size() > kLinesAtOnce) {
    drawn.erase(drawn.begin() + 1, drawn.end()); // the first says most
  }
  for (const size_t column : drawn) {
    chart.y.title += (chart.y.title.empty() ? "" : ", ") + table.columns[column].name;
    for (size_t r = 0; r < table.rows.size(); ++r) {
      const std::string others = others_text(run, table, *axis, r);
      const std::string name = others.empty()      ? table.columns[column].name
                               : drawn.size() == 1 ? others
                                                   : table.columns[column].name + ", " + others;
      auto series = std::ranges::find(chart.series, name, &report::Series::name);
      if (series == chart.series.end()) {
        if (chart.series.size() == kLinesMost) {
          return std::nullopt;
        }
        series = chart.series.insert(series, report::Series{.name = name});
      }
      const std::optional<double> y = number_of(table.rows[r][column]);
      if (y && (!chart.y.logarithmic || *y > 0)) {
        series->points.push_back({number_of(table.rows[r][*axis]).value_or(0), {*y, *y, *y}});
      }
    }
  }
  if (chart.series.empty()) {
    return std::nullopt;
  }
  return report::to_chart(chart);
}

/// Says nothing of work that is soon done.
class LateProgress {
public:
  LateProgress(Progress& progress, std::string stage, int64_t total)
      : progress_(progress), stage_(std::move(stage)), total_(total) {}

  void advance() {
    const std::scoped_lock lock(mutex_);
    ++done_;
    if (is_shown_) {
      progress_.advance();
    } else if (std::chrono::steady_clock::now() - begin_ > kSoon) {
      is_shown_ = true;
      progress_.start(stage_, total_);
      progress_.advance(done_);
    }
  }

private:
  static constexpr std::chrono::seconds kSoon{1};
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
  TheoryRun run{.quantity = &quantity, .choices = choices, .points = points, .rows = {}};
  run.rows.resize(points.size());
  LateProgress late(progress, quantity.name, static_cast<int64_t>(points.size()));
  parallel_for(static_cast<int64_t>(points.size()), 1, [&](int64_t index, int64_t) {
    const auto i = static_cast<size_t>(index);
    run.rows[i] = quantity.evaluate(points[i], choices);
    late.advance();
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

std::string theory_text(const TheoryRun& run, bool colour) {
  std::string settings;
  for (const auto& [name, value] : constants(run, theory_table(run))) {
    settings += fmt::format("{}{} {}", settings.empty() ? "" : ", ", name, value);
  }
  std::string text = fmt::format("{}: {}\n{}\n\n", run.quantity->name, run.quantity->summary, settings);
  text += report::to_text(varying_table(run), {.colour = colour}) + "\n";
  constexpr int64_t kWidth = 100;
  for (const std::string& line : report::wrap(run.quantity->reading, kWidth)) {
    text += line + "\n";
  }
  return text;
}

namespace {

nlohmann::ordered_json theory_config(const TheoryRun& run) {
  nlohmann::ordered_json choices = nlohmann::ordered_json::object();
  for (size_t i = 0; i < run.choices.size(); ++i) {
    const QuantityChoice& choice = run.quantity->choices[i];
    choices[std::string(choice.option).substr(2)] = choice.words[run.choices[i]];
  }
  return {{"version", version()}, {"verb", "theory"}, {"quantity", run.quantity->name}, {"choices", choices}};
}

} // namespace

nlohmann::ordered_json theory_json(const TheoryRun& run) {
  nlohmann::ordered_json document = theory_config(run);
  document["results"] = report::to_json(theory_table(run));
  return document;
}

std::string write_theory_files(const TheoryRun& run, const std::filesystem::path& folder) {
  write_file_atomically(folder / "config.json", report::json_text(theory_config(run)));
  write_file_atomically(folder / "results.csv", report::to_csv(theory_table(run)));
  report::Section section{.heading = "Results", .blocks = {}};
  std::string names = "index.html (open it in a browser), results.csv";
  if (const std::optional<report::Chart> chart = chart_of(run)) {
    report::write_chart(folder, run.quantity->name, *chart);
    names += fmt::format(", {0}.vl.json and {0}.csv (the chart)", run.quantity->name);
    section.blocks.push_back(*chart);
  } else { // an earlier run with other settings may have left one
    std::error_code ignored;
    for (const char* extension : {".vl.json", ".csv"}) {
      std::filesystem::remove(folder / (std::string(run.quantity->name) + extension), ignored);
    }
  }
  section.blocks.push_back(report::CaptionedTable{varying_table(run), run.quantity->reading});
  section.blocks.push_back(report::Parameters{constants(run, theory_table(run))});
  report::write_page(folder / "index.html", {.title = run.quantity->name,
                                             .intro = fmt::format("Theory: {}.", run.quantity->summary),
                                             .sections = {section}});
  return names;
}

} // namespace mneme::cli
