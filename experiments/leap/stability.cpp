// SPDX-License-Identifier: MIT

/// Rounding errors of LEAP on long sequences, compared with the original.

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "experiments/curves.h"
#include "experiments/experiment.h"
#include "experiments/leap/accuracy.h"

namespace mneme::experiments {
namespace {

/// Maximum relative error in float32 with logits up to 45, whose rounding alone changes a weight by 3e-6.
constexpr double kAllowed = 1e-5;

constexpr int64_t kFirstLength = 64; // shortest length in the figure, in tokens

std::string name_of_window(int64_t window) {
  return window == 0 ? "all tokens" : fmt::format("window {}", window);
}

/// Maximum error of all tokens up to each power of two, and up to the end.
report::Series max_error_by_length(std::string name, const std::vector<double>& errors,
                                   report::SeriesStyle style) {
  report::Series series{.name = std::move(name), .style = style};
  const auto count = static_cast<int64_t>(errors.size());
  double max = 0;
  for (int64_t begin = 0, end = std::min(kFirstLength, count); begin < count;
       begin = end, end = std::min(2 * end, count)) {
    for (int64_t i = begin; i < end; ++i) {
      const double error = errors[static_cast<size_t>(i)];
      max = std::isfinite(error) ? std::max(max, error) : error;
    }
    if (!std::isfinite(max)) {
      break; // the maximum is not finite from here on
    }
    series.points.push_back({static_cast<double>(end), exact_point(max)});
  }
  return series;
}

double max_error(const std::vector<double>& errors) {
  double max = 0;
  for (const double error : errors) {
    max = std::isnan(error) || std::isnan(max) ? NAN : std::max(max, error);
  }
  return max;
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
                     {"reference", "the same computation in float64"},
                     {"usual logits", "from random focus and keys, about -5 to 5; all others are uniform"},
                     {"seed", std::to_string(settings.seed)}}};
  ComparisonTable met{
      .title = "Maximum error of a token in the sequence",
      .source = "exact mathematics has no error",
      .tolerance = "1e-5 of the norm of a token's readout; with logits of 45 the rounding of the logit alone "
                   "contributes 3e-6."};
  report::Table table{.columns = {{.name = "logits"},
                                  {.name = "window"},
                                  {.name = "maximum error, mneme", .key = "ours", .digits = 2},
                                  {.name = "maximum error, original", .key = "original", .digits = 2}}};
  std::vector<report::Chart> panels;
  progress.start("sequences", static_cast<int64_t>(std::size(forms) * windows.size()));
  for (const Form& form : forms) {
    report::LineChart chart{.title = form.name,
                            .description = "Maximum relative error of a token by sequence length.",
                            .x = {.title = "number of tokens",
                                  .logarithmic = true,
                                  .range = std::pair<double, double>(kFirstLength, tokens)},
                            .y = {.title = "maximum relative error", .format = ".0e", .logarithmic = true},
                            .series_title = "computed by",
                            .references = {{.at = kAllowed, .label = "allowed", .horizontal = true}}};
    for (const int64_t window : windows) {
      const LeapErrors errors = leap_errors({.tokens = tokens,
                                             .window = window,
                                             .exponential = form.exponential,
                                             .logits = form.logits,
                                             .seed = settings.seed});
      const double ours = max_error(errors.ours), original = max_error(errors.original);
      const std::string name = name_of_window(window);
      met.rows.push_back({.what = fmt::format("{}, {}", form.name, name),
                          .published = kAllowed,
                          .measured = exact_mean(ours),
                          .relation = Relation::at_most});
      table.rows.push_back(
          {form.name, name, ours, std::isfinite(original) ? report::Cell(original) : report::Cell()});
      if (window == windows.front() || window == 100 || window == 0) {
        chart.series.push_back(drop_nonpositive(
            max_error_by_length("mneme, " + name, errors.ours, report::SeriesStyle::line_with_points)));
        chart.series.push_back(drop_nonpositive(
            max_error_by_length("original, " + name, errors.original, report::SeriesStyle::dashed_line)));
      }
      progress.advance();
    }
    panels.push_back(to_chart(chart));
  }
  progress.finish();
  outcome.comparisons = {met};
  outcome.tables = {{"Maximum over the tokens of the error's norm relative to that of the readout (a dash: "
                     "NaN or infinite)",
                     table}};
  outcome.figures = {
      {.name = "error-over-length",
       .chart = to_chart(
           report::Panels{.title = "Maximum error up to a token",
                          .description = "One panel per focus weight and range of logits; original dashed.",
                          .charts = panels}),
       .caption = "The error of mneme does not grow with the length. That of the original grows, "
                  "most of all with small windows, where the difference of two long sums is "
                  "smallest."}};
  outcome.notes = {
      "The original computes the sum over a window as the difference of two prefix sums over the "
      "sequence. Both grow with the sequence while their difference does not, so leading digits "
      "cancel. mneme never subtracts: it adds single tokens, tiles of 16 tokens, and sums of "
      "tiles within the window."};
  return outcome;
}

} // namespace

Experiment leap_stability() {
  return {.id = "leap/stability",
          .title = "Rounding errors on long sequences",
          .claim =
              "LEAP processes long sequences in one pass with cumulative sums; for a window, the published "
              "code subtracts two of them.",
          .source = "LEAP (github.com/mtanghu/LEAP), MultiheadLeap and README",
          .is_parallel = true,
          .needs_torch = true,
          .run = run};
}

} // namespace mneme::experiments
