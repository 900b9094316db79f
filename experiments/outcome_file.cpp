// SPDX-License-Identifier: MIT

#include "experiments/outcome_file.h"

#include <cmath>
#include <fstream>
#include <iterator>

#include "mneme/core/atomic_file.h"
#include "mneme/core/version.h"
#include "report/json_text.h"

namespace mneme::experiments {
namespace {

using Json = nlohmann::ordered_json;

/// A number as JSON. Infinity and NaN, which JSON does not have, are stored as {"number": TEXT}; a plain
/// string would be read as a text cell.
Json number_json(double number) {
  return std::isfinite(number) ? Json(number) : Json{{"number", report::exact_number(number)}};
}

double read_number(const Json& json) {
  return json.is_object() ? std::stod(json.at("number").get<std::string>()) : json.get<double>();
}

Json estimate_json(const report::Estimate& estimate) {
  return Json::array({number_json(estimate.value), number_json(estimate.low), number_json(estimate.high)});
}

report::Estimate read_estimate(const Json& json) {
  return {read_number(json.at(0)), read_number(json.at(1)), read_number(json.at(2))};
}

Json interval_json(const trials::MeanInterval& interval) {
  Json json = Json::array({number_json(interval.mean)});
  if (interval.half_width) {
    json.push_back(number_json(*interval.half_width));
  }
  return json;
}

/// Also accepts [value, low, high] of older files, where low = high means "no interval".
trials::MeanInterval read_interval(const Json& json) {
  trials::MeanInterval interval = exact_mean(read_number(json.at(0)));
  if (json.size() == 2) {
    interval.half_width = read_number(json.at(1));
  } else if (json.size() == 3) {
    const report::Estimate estimate = read_estimate(json);
    if (estimate.low < estimate.high) {
      interval.half_width = (estimate.high - estimate.low) / 2;
    }
  }
  return interval;
}

Json cell_json(const report::Cell& cell) {
  struct Visitor {
    Json operator()(report::Missing) const { return nullptr; }
    Json operator()(const std::string& text) const { return text; }
    Json operator()(int64_t number) const { return number; }
    Json operator()(double number) const { return number_json(number); }
    Json operator()(const report::Estimate& estimate) const { return estimate_json(estimate); }
  };
  return std::visit(Visitor{}, cell);
}

report::Cell read_cell(const Json& json) {
  if (json.is_null()) {
    return report::Missing{};
  }
  if (json.is_string()) {
    return json.get<std::string>();
  }
  if (json.is_number_integer()) {
    return json.get<int64_t>();
  }
  return json.is_array() ? report::Cell(read_estimate(json)) : report::Cell(read_number(json));
}

Json table_json(const report::Table& table) {
  Json columns = Json::array(), rows = Json::array();
  for (const report::Column& column : table.columns) {
    columns.push_back({{"name", column.name},
                       {"unit", column.unit},
                       {"key", column.key},
                       {"notation", static_cast<int>(column.notation)},
                       {"digits", column.digits},
                       {"align", static_cast<int>(column.align)}});
  }
  for (const auto& row : table.rows) {
    Json cells = Json::array();
    for (const report::Cell& cell : row) {
      cells.push_back(cell_json(cell));
    }
    rows.push_back(std::move(cells));
  }
  return {{"columns", columns}, {"rows", rows}};
}

report::Table read_table(const Json& json) {
  report::Table table;
  for (const Json& column : json.at("columns")) {
    table.columns.push_back({.name = column.at("name"),
                             .unit = column.at("unit"),
                             .key = column.at("key"),
                             .notation = static_cast<report::Notation>(column.at("notation").get<int>()),
                             .digits = column.at("digits"),
                             .align = static_cast<report::Align>(column.at("align").get<int>())});
  }
  for (const Json& cells : json.at("rows")) {
    auto& row = table.rows.emplace_back();
    for (const Json& cell : cells) {
      row.push_back(read_cell(cell));
    }
  }
  report::check_table(table);
  return table;
}

std::filesystem::path picture_path(const std::filesystem::path& folder, const PictureFigure& picture) {
  return folder / (picture.name + ".png");
}

std::string read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw std::runtime_error(path.filename().string() + " is missing or unreadable");
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

Json outcome_json(const Outcome& outcome) {
  Json json = {{"skipped", outcome.skipped},       {"restriction", outcome.restriction},
               {"parameters", outcome.parameters}, {"comparisons", Json::array()},
               {"tables", Json::array()},          {"figures", Json::array()},
               {"pictures", Json::array()},        {"notes", outcome.notes}};
  for (const ComparisonTable& table : outcome.comparisons) {
    Json rows = Json::array();
    for (const Comparison& row : table.rows) {
      rows.push_back({{"what", row.what},
                      {"published", number_json(row.published)},
                      {"relation", name_of(row.relation)},
                      {"measured", interval_json(row.measured)},
                      {"tolerance", number_json(row.tolerance)},
                      {"verdict", verdict(table, row)},
                      {"cannot_fail", row.cannot_fail},
                      {"explanation", row.explanation}});
    }
    json["comparisons"].push_back({{"title", table.title},
                                   {"source", table.source},
                                   {"tolerance", table.tolerance},
                                   {"not_compared", table.not_compared},
                                   {"rows", rows}});
  }
  for (const TitledTable& table : outcome.tables) {
    json["tables"].push_back({{"title", table.title}, {"table", table_json(table.table)}});
  }
  for (const Figure& figure : outcome.figures) {
    json["figures"].push_back({{"name", figure.name},
                               {"title", figure.chart.title},
                               {"description", figure.chart.description},
                               {"look", figure.caption},
                               {"numbers", table_json(figure.chart.numbers)}});
  }
  for (const PictureFigure& picture : outcome.pictures) {
    json["pictures"].push_back({{"name", picture.name}, {"alt", picture.alt}, {"look", picture.caption}});
  }
  return json;
}

/// Reads an outcome; charts and pictures are read from their own files in `folder`.
Outcome read_outcome(const Json& json, const std::filesystem::path& folder) {
  Outcome outcome;
  outcome.skipped = json.at("skipped");
  outcome.restriction = json.value("restriction", "");
  json.at("parameters").get_to(outcome.parameters);
  for (const Json& table : json.at("comparisons")) {
    ComparisonTable& read = outcome.comparisons.emplace_back();
    read.title = table.at("title");
    read.source = table.at("source");
    read.tolerance = table.at("tolerance");
    read.not_compared = table.value("not_compared", "");
    for (const Json& row : table.at("rows")) {
      read.rows.push_back({.what = row.at("what"),
                           .published = read_number(row.at("published")),
                           .measured = read_interval(row.at("measured")),
                           .tolerance = read_number(row.at("tolerance")),
                           .explanation = row.at("explanation"),
                           .cannot_fail = row.value("cannot_fail", false),
                           .relation = relation_named(row.value("relation", "="))});
    }
  }
  for (const Json& table : json.at("tables")) {
    outcome.tables.push_back({table.at("title"), read_table(table.at("table"))});
  }
  for (const Json& figure : json.at("figures")) {
    const std::string name = figure.at("name");
    outcome.figures.push_back(
        {.name = name,
         .chart = {.title = figure.at("title"),
                   .description = figure.at("description"),
                   .spec = nlohmann::json::parse(read_bytes(folder / (name + ".vl.json"))),
                   .numbers = read_table(figure.at("numbers"))},
         .caption = figure.at("look")});
  }
  for (const Json& picture : json.at("pictures")) {
    PictureFigure& read = outcome.pictures.emplace_back();
    read.name = picture.at("name");
    read.alt = picture.at("alt");
    read.caption = picture.at("look");
    read.png = read_bytes(picture_path(folder, read));
  }
  json.at("notes").get_to(outcome.notes);
  return outcome;
}

constexpr const char* kOutcomeFile = "outcome.json";

} // namespace

std::filesystem::path folder_of(const std::filesystem::path& folder, const Experiment& experiment) {
  return folder / std::filesystem::path(experiment.id);
}

Json key_of(const Experiment& experiment, const RunSettings& settings) {
  Json key = {{"experiment", experiment.id},
              {"version", version()},
              {"quick", settings.quick},
              {"seed", settings.seed},
              {"inputs", experiment.inputs != nullptr ? experiment.inputs(settings) : ""}};
  for (const GivenParameter& parameter : settings.parameters) {
    key["parameters"][parameter.name] = values_json(parameter);
  }
  return key;
}

void save_outcome(const std::filesystem::path& folder, const Experiment& experiment,
                  const RunSettings& settings, const Outcome& outcome) {
  const std::filesystem::path own = folder_of(folder, experiment);
  make_output_folder(own);
  for (const Figure& figure : outcome.figures) {
    report::write_chart(own, figure.name, figure.chart);
  }
  for (const PictureFigure& picture : outcome.pictures) {
    write_file_atomically(picture_path(own, picture), picture.png);
  }
  const Json json = {{"key", key_of(experiment, settings)}, {"outcome", outcome_json(outcome)}};
  write_file_atomically(own / kOutcomeFile, report::json_text(json, 1));
}

Found find_outcome(const std::filesystem::path& folder, const Experiment& experiment,
                   const RunSettings& settings) {
  const std::filesystem::path own = folder_of(folder, experiment);
  std::error_code ignored;
  if (!std::filesystem::exists(own / kOutcomeFile, ignored)) {
    return std::monostate{};
  }
  try {
    const Json json = Json::parse(read_bytes(own / kOutcomeFile));
    if (json.at("key") != key_of(experiment, settings)) {
      return std::monostate{};
    }
    return read_outcome(json.at("outcome"), own);
  } catch (const std::exception& error) {
    return (own / kOutcomeFile).string() + " cannot be used (" + error.what() + ")";
  }
}

} // namespace mneme::experiments
