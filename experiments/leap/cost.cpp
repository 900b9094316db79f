// SPDX-License-Identifier: MIT

/// Run time of LEAP by sequence length, compared with the original and softmax attention.

#include <cmath>
#include <optional>

#include <fmt/format.h>

#include "experiments/experiment.h"
#include "experiments/leap/accuracy.h"
#include "experiments/leap/contenders.h"
#include "mneme/core/cpu.h"
#include "mneme/core/parallel.h"

namespace mneme::experiments {
namespace {

struct Runner {
  const char* name;
  const char* key;
  Contender which;
  int64_t window;
  int64_t max_tokens; ///< longer sequences take minutes per call
};

constexpr int64_t kNoLimit = 1 << 30;
constexpr Runner kRunners[] = {
    {"LEAP, window 256", "leap_256", Contender::leap, 256, kNoLimit},
    {"LEAP, all tokens", "leap_all", Contender::leap, 0, kNoLimit},
    {"original LEAP, window 256", "original", Contender::original_leap, 256, kNoLimit},
    {"softmax attention", "attention", Contender::attention, 0, 16384},
};

/// Sequence length from which `fast` is faster, interpolated on logarithmic scales; the shortest length if it
/// is always faster.
std::optional<double> crossover(const report::Series& fast, const report::Series& slow) {
  const size_t count = std::min(fast.points.size(), slow.points.size());
  const auto lead = [&](size_t i) { return std::log(slow.points[i].y.value / fast.points[i].y.value); };
  for (size_t i = count; i > 0; --i) {
    if (lead(i - 1) <= 0) {
      if (i == count) {
        return std::nullopt;
      }
      const double fraction = -lead(i - 1) / (lead(i) - lead(i - 1));
      return fast.points[i - 1].x * std::pow(fast.points[i].x / fast.points[i - 1].x, fraction);
    }
  }
  return fast.points.front().x;
}

Outcome run(const RunSettings& settings, Progress& progress) {
  const std::vector<int64_t> lengths =
      settings.quick ? std::vector<int64_t>{8, 64, 256, 1024, 4096}
                     : std::vector<int64_t>{8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 16384, 65536};
  const std::string machine = fmt::format("{}, {}, {} threads", cpu_model(), cpu_target(), threads());
  Outcome outcome{
      .parameters = {
          {"sequence",
           fmt::format("one, float32, {} heads of {} features", kContenderHeads, kContenderHeadSize)},
          {"time", "median of several calls with given query, focus, key and value, without projections"},
          {"machine", machine},
          {"reproducibility", "times depend on the machine and differ between runs"}}};
  progress.start("calls", static_cast<int64_t>(2 * lengths.size() * std::size(kRunners)));
  report::Table crossings{
      .columns = {{.name = "direction"},
                  {.name = "LEAP"},
                  {.name = "faster than softmax attention from (tokens)", .key = "tokens", .digits = 2}}};
  for (const bool backward : {false, true}) {
    const std::string direction = backward ? "forward and backward" : "forward";
    report::LineChart chart{.title = fmt::format("Time by sequence length, {}", direction),
                            .description = "Milliseconds of one call by number of tokens, both logarithmic.",
                            .x = {.title = "tokens",
                                  .logarithmic = true,
                                  .range = std::pair<double, double>(lengths.front(), lengths.back())},
                            .y = {.title = "time (ms)", .logarithmic = true},
                            .series_title = "mechanism"};
    report::Table table{.columns = {{.name = "tokens"}}};
    for (const int64_t length : lengths) {
      table.rows.push_back({length});
    }
    for (const Runner& runner : kRunners) {
      report::Series series{.name = runner.name};
      table.columns.push_back({.name = fmt::format("{} (ms)", runner.name), .key = runner.key, .digits = 3});
      for (size_t i = 0; i < lengths.size(); ++i) {
        if (lengths[i] > runner.max_tokens) {
          table.rows[i].push_back({});
        } else {
          const double milliseconds =
              1e3 * seconds_of(contender(runner.which, lengths[i], runner.window, backward));
          series.points.push_back({static_cast<double>(lengths[i]), exact_point(milliseconds)});
          table.rows[i].push_back(milliseconds);
        }
        progress.advance();
      }
      chart.series.push_back(std::move(series));
    }
    for (size_t i = 0; i < 2; ++i) {
      const std::optional<double> tokens = crossover(chart.series[i], chart.series.back());
      crossings.rows.push_back(
          {direction, kRunners[i].name, tokens ? report::Cell(*tokens) : report::Cell()});
    }
    outcome.tables.push_back(
        {fmt::format("Milliseconds of one call, {}, on {} (a dash: not run)", direction, machine),
         std::move(table)});
    outcome.figures.push_back({.name = backward ? "time-forward-backward" : "time-forward",
                               .chart = to_chart(chart),
                               .caption = "On these logarithmic axes the curves of LEAP have slope 1 (linear "
                                          "cost), that of attention slope 2 (quadratic cost). LEAP is faster "
                                          "from the length at which they cross."});
  }
  progress.finish();
  outcome.tables.push_back({"Lengths from which LEAP is faster (a dash: at no measured length; the shortest "
                            "measured length: at all lengths)",
                            crossings});
  return outcome;
}

} // namespace

Experiment leap_cost() {
  return {.id = "leap/cost",
          .title = "Time by sequence length",
          .claim = "The cost of LEAP grows linearly with the length of a sequence, that of softmax attention "
                   "with its square.",
          .source = "LEAP (github.com/mtanghu/LEAP), README",
          .is_parallel = true,
          .needs_torch = true,
          .run = run};
}

} // namespace mneme::experiments
