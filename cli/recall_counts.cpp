// SPDX-License-Identifier: MIT

#include "cli/recall_counts.h"

#include <algorithm>

#include <fmt/format.h>

#include "cli/environment_json.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "report/chart.h"
#include "report/estimates.h"
#include "report/json_text.h"
#include "report/page.h"
#include "report/text.h"

namespace mneme::cli {
namespace {

report::Table counts_table(const std::vector<CountRows>& curve) {
  using report::Notation;
  report::Table table{
      .columns = {{.name = "memory"},
                  {.name = "patterns"},
                  {.name = "noise", .digits = 6},
                  {.name = "recalled exactly", .key = "exact", .notation = Notation::percent, .digits = 1},
                  {.name = "ambiguous", .notation = Notation::percent, .digits = 1},
                  {.name = "cosine", .notation = Notation::fixed, .digits = 3},
                  {.name = "cues"}}};
  for (size_t row = 0; row < curve.front().rows.size(); ++row) { // one curve after the other
    for (const CountRows& at : curve) {
      const trials::SweepRow& of = at.rows[row];
      table.rows.push_back({of.memory, at.count, *of.noise, report::cell(of.exact, report::kFraction),
                            of.ambiguous, report::cell(of.cosine, {-1, 1}), of.cues});
    }
  }
  return table;
}

report::Chart counts_chart(const RecallRun& run, const std::vector<CountRows>& curve) {
  report::LineChart chart{.title = "Recall over the number of stored patterns",
                          .description = "Fraction of cues recalled exactly by number of stored patterns",
                          .x = {.title = "stored patterns"},
                          .y = {.title = "recalled exactly",
                                .format = ".0%",
                                .range = std::pair(0.0, 1.0),
                                .limits = std::pair(0.0, 1.0)},
                          .series_title = "memory"};
  for (size_t row = 0; row < curve.front().rows.size(); ++row) {
    const trials::SweepRow& first = curve.front().rows[row];
    report::Series series{.name = run.options.noise.size() == 1
                                      ? first.memory
                                      : fmt::format("{}, {:.3g} % noise", first.memory, 100 * *first.noise)};
    series.style = report::style_of_series(row);
    for (const CountRows& at : curve) {
      series.points.push_back({static_cast<double>(at.count), report::estimate_of(at.rows[row].exact)});
    }
    chart.series.push_back(std::move(series));
  }
  return report::to_chart(chart);
}

nlohmann::ordered_json counts_config(const RecallRun& run, const std::vector<CountRows>& curve) {
  nlohmann::ordered_json config = recall_settings(run);
  for (const CountRows& at : curve) {
    config["counts"].push_back(at.count);
  }
  return config;
}

} // namespace

std::vector<CountRows> recall_counts(const RecallRun& run, const std::vector<int64_t>& counts,
                                     Progress& progress) {
  const int64_t available = run.patterns.patterns.count();
  if (counts.back() > available) {
    throw UsageError(
        fmt::format("--counts {}: there are {} patterns.\n  Give smaller counts, or more patterns.",
                    counts.back(), available));
  }
  std::vector<CountRows> curve;
  for (const int64_t count : counts) {
    data::PatternSet part = run.patterns;
    part.patterns = slice(run.patterns.patterns, 0, count);
    part.labels.resize(std::min(part.labels.size(), static_cast<size_t>(count)));
    progress.message(report::counted(count, "stored pattern"));
    curve.push_back(
        {count, trials::sweep_recall(part, run.options, progress, [](const auto&, const auto&, const auto&) {
                }).rows});
  }
  return curve;
}

std::string counts_text(const RecallRun& run, const std::vector<CountRows>& curve,
                        const report::TextStyle& style) {
  report::Table table = counts_table(curve);
  for (size_t i = table.rows.size() - 1; i > 0; --i) {
    if (std::get<std::string>(table.rows[i][0]) == std::get<std::string>(table.rows[i - 1][0])) {
      table.rows[i][0] = report::Cell("");
    }
  }
  return fmt::format("The first patterns of {}, stored in each memory\n\n{}\nSeed {}, {}{}.\n",
                     run.patterns.source, report::to_text(table, style), run.options.seed,
                     report::counted(run.options.seeds, "trial"), run.options.seeds == 1 ? "" : " each");
}

std::string counts_csv(const std::vector<CountRows>& curve) {
  return report::to_csv(counts_table(curve));
}

nlohmann::ordered_json counts_json(const RecallRun& run, const std::vector<CountRows>& curve, int threads) {
  return {{"parameters", counts_config(run, curve)},
          {"results", report::to_json(counts_table(curve))},
          {"environment", environment_json(threads)}};
}

void write_counts_files(const RecallRun& run, const std::vector<CountRows>& curve,
                        const std::filesystem::path& folder, int threads) {
  const report::Chart chart = counts_chart(run, curve);
  write_file_atomically(folder / "config.json", report::json_text(counts_config(run, curve)));
  write_file_atomically(folder / "env.json", report::json_text(environment_json(threads)));
  write_file_atomically(folder / "results.csv", counts_csv(curve));
  report::write_chart(folder, "counts", chart);
  report::Section section{.heading = "Results"};
  section.blocks.push_back(chart);
  section.blocks.push_back(report::CaptionedTable{
      .table = counts_table(curve), .caption = "Means over trials with 95 % confidence intervals"});
  report::write_page(
      folder / "index.html",
      {.title = "Recall over the number of stored patterns",
       .intro =
           fmt::format("The first patterns of {} were stored in each memory, and recalled from noisy cues.",
                       run.patterns.source),
       .sections = {std::move(section)}});
}

} // namespace mneme::cli
