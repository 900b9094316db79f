// SPDX-License-Identifier: MIT

#include "experiments/findings.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "report/text.h"

namespace mneme::experiments {
namespace {

using report::Cell;
using report::Column;
using report::Table;

constexpr size_t kOpenRows = 12;   // longer tables are collapsed
constexpr size_t kNamedMisses = 4; // missed values listed per explanation; the table highlights all of them

bool is_missed(const ComparisonTable& comparisons, const Comparison& row) {
  return comparisons.not_compared.empty() && !row.cannot_fail && !row.is_met();
}

/// Reason why an experiment has no or only few comparisons, or an empty string.
std::string remark(const Outcome& outcome) {
  if (!outcome.skipped.empty()) {
    return "not run";
  }
  const auto [met, missed, not_compared] = tally(outcome);
  const std::string text = not_compared > 0    ? report::counted(not_compared, "value") + " not compared"
                           : met + missed == 0 ? "no published values to compare"
                                               : "";
  return text + (text.empty() || outcome.restriction.empty() ? "" : "; ") + outcome.restriction;
}

/// Distance between measured and published value in multiples of the tolerance.
double distance(const Comparison& row) {
  const double tolerances = std::abs(row.measured.mean - row.published) / row.tolerance;
  return std::isnan(tolerances) ? std::numeric_limits<double>::infinity() : tolerances;
}

/// The reason why a table is not compared, or its missed values, grouped by explanation. Of long groups, only
/// the values with the largest deviations are listed.
std::vector<std::string> remarks_on(const ComparisonTable& comparisons) {
  if (!comparisons.not_compared.empty()) {
    return {"Not compared: " + comparisons.not_compared + "."};
  }
  std::vector<std::vector<Comparison>> groups;
  for (const Comparison& row : comparisons.rows) {
    if (!is_missed(comparisons, row)) {
      continue;
    }
    const auto group =
        std::ranges::find(groups, row.explanation, [](const auto& rows) { return rows.front().explanation; });
    (group == groups.end() ? groups.emplace_back() : *group).push_back(row);
  }
  std::vector<std::string> texts;
  if (const auto undecided = std::ranges::count_if(comparisons.rows, &Comparison::cannot_fail);
      undecided > 0) {
    texts.push_back(
        fmt::format("Cannot tell: {}. With so few runs of ours, the tolerance contains values that "
                    "would contradict the result as well, or the interval of the measured value contains the "
                    "claimed bound; more seeds or a longer run decide it.",
                    report::counted(undecided, "value")));
  }
  for (std::vector<Comparison>& group : groups) {
    const std::string explanation =
        group.front().explanation.empty() ? "The reason is unknown." : group.front().explanation;
    const size_t named = group.size() > kNamedMisses + 1 ? kNamedMisses : group.size();
    if (named < group.size()) {
      std::ranges::stable_sort(group, std::ranges::greater(), distance);
    }
    std::vector<std::string> values;
    for (const Comparison& row : std::span(group).first(named)) {
      values.push_back(fmt::format("{} (published {}, measured {})", row.what,
                                   row.relation == Relation::equals
                                       ? report::format_number(row.published, report::Notation::automatic, 7)
                                       : row.claim(),
                                   report::format_number(row.measured.mean, report::Notation::automatic, 7)));
    }
    texts.push_back(named < group.size()
                        ? fmt::format("Missed: {} values; largest deviations: {}. {}", group.size(),
                                      fmt::join(values, "; "), explanation)
                        : fmt::format("Missed: {}. {}", fmt::join(values, "; "), explanation));
  }
  return texts;
}

std::string file_target(const Experiment& experiment, const std::string& name) {
  return experiment.id + "/" + name;
}

std::string anchor(const Experiment& experiment) {
  std::string id = experiment.id;
  std::ranges::replace(id, '/', '-');
  return id;
}

/// True if the tolerance is to be printed after this table: consecutive tables with the same tolerance share
/// one line.
bool ends_tolerance(const Outcome& outcome, size_t table) {
  const auto& tables = outcome.comparisons;
  return table + 1 == tables.size() || tables[table + 1].tolerance != tables[table].tolerance;
}

/// Whether a chart has bands or whiskers.
bool has_intervals(const report::Chart& chart) {
  return std::ranges::any_of(chart.numbers.rows, [](const std::vector<Cell>& row) {
    return std::ranges::any_of(row, [](const Cell& cell) {
      const auto* estimate = std::get_if<report::Estimate>(&cell);
      return estimate != nullptr && estimate->low < estimate->high;
    });
  });
}

/// An explanation of the bands and whiskers of a page; empty if it has none.
std::string text_on_intervals(std::span<const Finished> findings) {
  const bool any = std::ranges::any_of(findings, [](const Finished& finished) {
    return std::ranges::any_of(finished.outcome.figures,
                               [](const Figure& figure) { return has_intervals(figure.chart); });
  });
  return any ? " Bands and whiskers of figures are 95 % confidence intervals of a mean over seeds or trials, "
               "unless their caption or title names another range."
             : "";
}

std::string scope(const RunSettings& settings) {
  std::string text = settings.quick ? "quick parameters" : "full parameters";
  for (const GivenParameter& parameter : settings.parameters) {
    text += fmt::format(", --{} {}", parameter.name, parameter.text);
  }
  return text;
}

void add_comparisons(report::Section& section, const Outcome& outcome) {
  if (outcome.comparisons.empty()) {
    return;
  }
  section.blocks.push_back(report::Heading{"Published and measured values"});
  for (size_t i = 0; i < outcome.comparisons.size(); ++i) {
    const ComparisonTable& comparisons = outcome.comparisons[i];
    report::CaptionedTable block{.table = comparison_table(comparisons),
                                 .caption = comparisons.title + " (" + comparisons.source + ")"};
    for (size_t row = 0; row < comparisons.rows.size(); ++row) {
      if (is_missed(comparisons, comparisons.rows[row])) {
        block.marked_rows.push_back(row);
      }
    }
    if (comparisons.rows.size() > kOpenRows) {
      block.folded = comparisons.title + ": " + summary_of(comparisons);
    }
    section.blocks.push_back(std::move(block));
    if (ends_tolerance(outcome, i)) {
      section.blocks.push_back(report::Prose{"Tolerance: " + comparisons.tolerance});
    }
    for (const std::string& note : remarks_on(comparisons)) {
      section.blocks.push_back(report::Note{note, comparisons.not_compared.empty()});
    }
  }
}

report::Section section_of(const Finished& finished) {
  const Experiment& experiment = *finished.experiment;
  const Outcome& outcome = finished.outcome;
  report::Section section{.heading = experiment.title, .id = anchor(experiment)};
  section.blocks.push_back(report::Prose{"Claim: " + experiment.claim});
  section.blocks.push_back(
      report::Prose{fmt::format("Experiment `{}`. Source: {}.", experiment.id, experiment.source)});
  if (!outcome.skipped.empty()) {
    section.blocks.push_back(report::Note{"Not run: " + outcome.skipped, true});
  }
  if (!outcome.restriction.empty()) {
    section.blocks.push_back(report::Note{"Restricted: " + outcome.restriction + ".", true});
  }
  add_comparisons(section, outcome);
  if (!outcome.figures.empty() || !outcome.pictures.empty()) {
    section.blocks.push_back(report::Heading{"Figures"});
  }
  for (const Figure& figure : outcome.figures) {
    section.blocks.push_back(
        report::Figure{.chart = figure.chart,
                       .remark = figure.caption,
                       .links = {{"Data (CSV)", file_target(experiment, figure.name + ".csv")},
                                 {"Figure (Vega-Lite)", file_target(experiment, figure.name + ".vl.json")}}});
  }
  for (const PictureFigure& picture : outcome.pictures) {
    section.blocks.push_back(report::Picture{
        .png = picture.png, .alt = picture.alt, .caption = picture.caption, .pixelated = true});
  }
  for (const TitledTable& table : outcome.tables) {
    section.blocks.push_back(
        report::CaptionedTable{.table = table.table,
                               .caption = table.title,
                               .folded = table.table.rows.size() > kOpenRows ? table.title : ""});
  }
  if (!outcome.notes.empty()) {
    section.blocks.push_back(report::Heading{"Notes on the original and on this run"});
    for (const std::string& note : outcome.notes) {
      section.blocks.push_back(report::Note{note});
    }
  }
  if (!outcome.parameters.empty()) {
    section.blocks.push_back(report::Heading{"Parameters"});
    section.blocks.push_back(report::Parameters{outcome.parameters});
  }
  return section;
}

/// Text escaped for a cell of a Markdown table.
std::string markdown_cell(const std::string& text) {
  std::string cell;
  for (const char c : report::one_line(text)) {
    cell += c == '|' ? "\\|" : std::string(1, c);
  }
  return cell;
}

std::string markdown_table(const Table& table) {
  std::string head = "|", rule = "|", body;
  std::vector<std::vector<std::string>> columns;
  for (size_t c = 0; c < table.columns.size(); ++c) {
    head += " " + markdown_cell(report::heading(table.columns[c])) + " |";
    rule += report::is_right_aligned(table, c) ? " ---: |" : " --- |";
    columns.push_back(report::shown_cells(table, c, ""));
  }
  for (size_t r = 0; r < table.rows.size(); ++r) {
    body += "|";
    for (const auto& column : columns) {
      body += " " + markdown_cell(column[r]) + " |";
    }
    body += "\n";
  }
  return head + "\n" + rule + "\n" + body;
}

/// A table with a heading, collapsed if it is long.
std::string markdown_block(const std::string& heading, const Table& table) {
  const std::string text = markdown_table(table);
  return table.rows.size() > kOpenRows ? fmt::format("\n<details><summary>{}</summary>\n\n{}\n</details>\n",
                                                     report::escape_html(heading), text)
                                       : fmt::format("\n{}.\n\n{}", heading, text);
}

} // namespace

Table comparison_table(const ComparisonTable& comparisons) {
  const auto number = [](const char* name, int digits) {
    return Column{.name = name,
                  .notation = report::Notation::automatic,
                  .digits = digits,
                  .align = report::Align::right};
  };
  const bool has_intervals = std::ranges::any_of(
      comparisons.rows, [](const Comparison& row) { return row.measured.half_width.has_value(); });
  Column measured = number(has_intervals ? "measured, with 95 % interval" : "measured", 7);
  measured.key = "measured";
  Table table{
      .columns = {
          {.name = "what"}, number("published", 7), measured, number("tolerance", 2), {.name = "verdict"}}};
  for (const Comparison& row : comparisons.rows) {
    const bool is_one_sided = row.relation != Relation::equals;
    table.rows.push_back({row.what, is_one_sided ? Cell(row.claim()) : Cell(row.published),
                          cell(row.measured), is_one_sided ? Cell() : Cell(row.tolerance),
                          std::string(verdict(comparisons, row))});
  }
  return table;
}

std::string summary_of(const ComparisonTable& comparisons) {
  const auto [met, missed, not_compared] = tally(comparisons);
  if (met + missed == 0) {
    return report::counted(not_compared, "value") +
           (comparisons.not_compared.empty() ? " that cannot tell" : " not compared");
  }
  return (missed == 0 ? report::counted(met, "value") + ", all within their tolerance"
                      : fmt::format("{} of {} missed", missed, report::counted(met + missed, "value"))) +
         (not_compared > 0 ? fmt::format(", {} that cannot tell", not_compared) : "");
}

std::string summary_of(const Outcome& outcome) {
  if (!outcome.skipped.empty()) {
    return "not run";
  }
  const auto [met, missed, not_compared] = tally(outcome);
  std::string text = fmt::format("{} met, {} missed", report::counted(met, "value"), missed);
  for (const ComparisonTable& table : outcome.comparisons) {
    const int64_t not_compared_here = tally(table).not_compared;
    if (not_compared_here > 0) {
      text += fmt::format(", {} not compared ({})", not_compared_here,
                          table.not_compared.empty() ? "too few seeds to tell" : table.not_compared);
    }
  }
  return text + (outcome.restriction.empty() ? "" : "; " + outcome.restriction);
}

Table summary_table(std::span<const Finished> findings) {
  // The most important columns are first, since narrow screens cut off the others.
  Table table{
      .columns = {
          {.name = "experiment"}, {.name = "met"}, {.name = "missed"}, {.name = "id"}, {.name = "remark"}}};
  for (const Finished& finished : findings) {
    const auto [met, missed, not_compared] = tally(finished.outcome);
    table.rows.push_back(
        {finished.experiment->title, met, missed, finished.experiment->id, remark(finished.outcome)});
  }
  return table;
}

report::Page page_of(std::span<const Finished> findings, const RunSettings& settings) {
  const bool compares = std::ranges::any_of(findings, [](const Finished& finished) {
    return !finished.outcome.comparisons.empty() || !finished.outcome.skipped.empty();
  });
  report::Page page{
      .title = compares ? "Published results, reproduced" : "Results",
      .intro = fmt::format("{} with {} and seed {}. {}{}",
                           compares ? "Every published value and the value measured by mneme," : "Measured",
                           scope(settings), settings.seed,
                           compares ? "A value is met if the difference is within the tolerance given below "
                                      "its table."
                                    : "There are no published values to compare with.",
                           text_on_intervals(findings))};
  report::Section summary{.heading = "Summary"};
  report::CaptionedTable table{.table = summary_table(findings),
                               .caption = "Number of published values that were met and missed"};
  for (size_t i = 0; i < findings.size(); ++i) {
    if (tally(findings[i].outcome).missed > 0 || !findings[i].outcome.skipped.empty()) {
      table.marked_rows.push_back(i);
    }
  }
  summary.blocks.push_back(std::move(table));
  page.sections.push_back(std::move(summary));
  for (const Finished& finished : findings) {
    page.sections.push_back(section_of(finished));
  }
  return page;
}

std::string markdown_of(std::span<const Finished> findings, const RunSettings& settings,
                        const std::string& command) {
  std::string text =
      fmt::format("# Published and measured\n\nGenerated by `{}` ({}, seed {}). Do not edit.\n\n{}", command,
                  scope(settings), settings.seed, markdown_table(summary_table(findings)));
  for (const Finished& finished : findings) {
    const Outcome& outcome = finished.outcome;
    text += fmt::format("\n## {}\n\n`{}`. Claim: {}\n", finished.experiment->title, finished.experiment->id,
                        finished.experiment->claim);
    if (!outcome.skipped.empty()) {
      text += "\nNot run: " + outcome.skipped + "\n";
    }
    if (!outcome.restriction.empty()) {
      text += "\nRestricted: " + outcome.restriction + ".\n";
    }
    for (size_t i = 0; i < outcome.comparisons.size(); ++i) {
      const ComparisonTable& comparisons = outcome.comparisons[i];
      text += markdown_block(
          fmt::format("{} ({}): {}", comparisons.title, comparisons.source, summary_of(comparisons)),
          comparison_table(comparisons));
      text += ends_tolerance(outcome, i) ? "\nTolerance: " + comparisons.tolerance + "\n" : "";
      for (const std::string& note : remarks_on(comparisons)) {
        text += "\n" + note + "\n";
      }
    }
    for (const TitledTable& table : outcome.tables) {
      text += markdown_block(table.title, table.table);
    }
    if (!outcome.notes.empty()) {
      text += "\nNotes on the original and on this run:\n\n";
      for (const std::string& note : outcome.notes) {
        text += "- " + note + "\n";
      }
    }
  }
  return text;
}

nlohmann::ordered_json to_json(std::span<const Finished> findings) {
  nlohmann::ordered_json experiments = nlohmann::ordered_json::array();
  for (const Finished& finished : findings) {
    const auto [met, missed, not_compared] = tally(finished.outcome);
    nlohmann::ordered_json comparisons = nlohmann::ordered_json::array();
    for (const ComparisonTable& table : finished.outcome.comparisons) {
      nlohmann::ordered_json rows = report::to_json(comparison_table(table));
      for (size_t row = 0; row < table.rows.size(); ++row) { // numbers alone, and the relation next to them
        if (table.rows[row].relation != Relation::equals) {
          rows[row]["published"] = table.rows[row].published;
        }
        rows[row]["relation"] = name_of(table.rows[row].relation);
      }
      comparisons.push_back({{"title", table.title},
                             {"source", table.source},
                             {"tolerance", table.tolerance},
                             {"not_compared", table.not_compared},
                             {"rows", std::move(rows)}});
    }
    nlohmann::ordered_json tables = nlohmann::ordered_json::array();
    for (const TitledTable& table : finished.outcome.tables) {
      tables.push_back({{"title", table.title}, {"rows", report::to_json(table.table)}});
    }
    experiments.push_back({{"id", finished.experiment->id},
                           {"title", finished.experiment->title},
                           {"claim", finished.experiment->claim},
                           {"skipped", finished.outcome.skipped},
                           {"restriction", finished.outcome.restriction},
                           {"met", met},
                           {"missed", missed},
                           {"not_compared", not_compared},
                           {"parameters", finished.outcome.parameters},
                           {"comparisons", comparisons},
                           {"tables", tables},
                           {"notes", finished.outcome.notes}});
  }
  return experiments;
}

} // namespace mneme::experiments
