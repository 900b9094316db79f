// SPDX-License-Identifier: MIT

/// How many digits LEAP keeps on long sequences, beside the original.

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "experiments/curves.h"
#include "experiments/experiment.h"
#include "experiments/leap/accuracy.h"

namespace mneme::experiments {
namespace {

/// Of the worst token: what float32 leaves of logits up to 45, whose rounding alone is 3e-6 of a weight.
constexpr double kAllowed = 1e-5;

constexpr int64_t kFirstLength = 64; // tokens; the figure begins there

std::string name_of_window(int64_t window) {
  return window == 0 ? "all tokens" : fmt::format("window {}", window);
}

/// The worst token up to each power of two, and up to the end.
report::Series worst_over_length(std::string name, const std::vector<double>& errors,
                                 report::SeriesStyle style) {
  report::Series series{.name = std::move(name), .style = style};
  const auto count = static_cast<int64_t>(errors.size());
  double worst = 0;
  for (int64_t begin = 0, end = std::min(kFirstLength, count); begin < count;
       begin = end, end = std::min(2 * end, count)) {
    for (int64_t i = begin; i < end; ++i) {
      const double error = errors[static_cast<size_t>(i)];
      worst = std::isfinite(error) ? std::max(worst, error) : error;
    }
    if (!std::isfinite(worst)) {
      break; // nothing comes after that
    }
    series.points.push_back({static_cast<double>(end), certain(worst)});
  }
  return series;
}

double worst_of(const std::vector<double>& errors) {
  double worst = 0;
  for (const double error : errors) {
    worst = std::isnan(error) || std::isnan(worst) ? NAN : std::max(worst, error);
  }
  return worst;
}

Outcome run(const RunSettings& settings, Progress& progress) {
  const int64_t tokens = settings.quick ? 8192 : 65536;
  const std::vector<int64_t> windows =
      settings.quick ? std::vector<int64_t>{4, 100, 0} : std::vector<int64_t>{4, 16, 64, 100, 256, 0};
  struct Form {
    const char* name;
    bool exponential;
    double logits;
  };
  const Form forms[] = {{"elu, usual logits", false, 0},
                        {"elu, logits to 45", false, 45},
                        {"exponential, usual logits", true, 0},
                        {"exponential, logits to 45", true, 45}};
  Outcome outcome{
      .parameters = {{"sequence", fmt::format("{} tokens, two heads of 64 features, float32", tokens)},
                     {"exact", "the same in float64"},
                     {"usual logits", "of random focus and keys, about -5 to 5; else uniform"},
                     {"seed", std::to_string(settings.seed)}}};
  ComparisonTable met{
      .title = "Worst token of a sequence",
      .source = "no error is what the mathematics says",
      .tolerance =
          "1e-5 of the length of a token's readout: at logits of 45 the rounding of the logit alone is 3e-6"};
  report::Table table{.columns = {{.name = "logits"},
                                  {.name = "window"},
                                  {.name = "mneme, worst token", .key = "ours", .digits = 2},
                                  {.name = "original, worst token", .key = "original", .digits = 2}}};
  std::vector<report::Chart> panels;
  progress.start("sequences", static_cast<int64_t>(std::size(forms) * windows.size()));
  for (const Form& form : forms) {
    report::LineChart chart{.title = form.name,
                            .description = "Worst relative error of a token over the length of the sequence.",
                            .x = {.title = "tokens so far",
                                  .logarithmic = true,
                                  .range = std::pair<double, double>(kFirstLength, tokens)},
                            .y = {.title = "worst relative error", .format = ".0e", .logarithmic = true},
                            .series_title = "computed by",
                            .references = {{.at = kAllowed, .label = "allowed", .horizontal = true}}};
    for (const int64_t window : windows) {
      const LeapErrors errors = leap_errors({.tokens = tokens,
                                             .window = window,
                                             .exponential = form.exponential,
                                             .logits = form.logits,
                                             .seed = settings.seed});
      const double ours = worst_of(errors.ours), original = worst_of(errors.original);
      const std::string name = name_of_window(window);
      met.rows.push_back({.what = fmt::format("{}, {}", form.name, name),
                          .published = 0,
                          .measured = exactly(ours),
                          .tolerance = kAllowed});
      table.rows.push_back(
          {form.name, name, ours, std::isfinite(original) ? report::Cell(original) : report::Cell()});
      if (window == windows.front() || window == 100 || window == 0) {
        chart.series.push_back(above_zero(
            worst_over_length("mneme, " + name, errors.ours, report::SeriesStyle::line_with_points)));
        chart.series.push_back(above_zero(
            worst_over_length("original, " + name, errors.original, report::SeriesStyle::dashed_line)));
      }
      progress.advance();
    }
    panels.push_back(to_chart(chart));
  }
  progress.finish();
  outcome.comparisons = {met};
  outcome.tables = {
      {"Worst token: length of the error relative to that of the readout (a dash: not a number)", table}};
  outcome.figures = {{.name = "error-over-length",
                      .chart = to_chart(report::Panels{
                          .title = "Worst error up to a token",
                          .description = "One panel per formulation and size of logits; original dashed.",
                          .charts = panels}),
                      .look = "mneme's lines stay where they begin; the original's rise with the length, "
                              "most for small windows, where what is "
                              "left of two long sums is smallest."}};
  outcome.notes = {"The original takes sums over a window as the difference of two sums over the whole "
                   "sequence. Both grow with the "
                   "sequence, their difference does not, and the digits they share are lost. mneme never "
                   "subtracts: it adds tokens, tiles of "
                   "16 and sums of tiles that lie in the window."};
  return outcome;
}

} // namespace

Experiment leap_stability() {
  return {.id = "leap/stability",
          .title = "Digits that are left on long sequences",
          .claim = "LEAP runs over long sequences in one pass by cumulative sums; the published code "
                   "subtracts two of them for a window.",
          .source = "LEAP (github.com/mtanghu/LEAP), MultiheadLeap and README",
          .is_parallel = true,
          .needs_torch = true,
          .run = run};
}

} // namespace mneme::experiments
