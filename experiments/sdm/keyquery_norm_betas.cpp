// SPDX-License-Identifier: MIT

/// Parse_KeyQ_Norm_Betas: betas learned by Transformers with query-key normalisation.

#include <algorithm>
#include <cmath>
#include <map>

#include "experiments/experiment.h"
#include "experiments/published.h"
#include "experiments/sdm/reference_betas.h"

namespace mneme::experiments {
namespace {

using nlohmann::json;

constexpr double kRounding = 1e-9; // both sides are statistics of the same 90 numbers
constexpr double kUpperBeta = 25;  // "about 25" in the paper
constexpr double kBins = 50;

struct Summary {
  double count = 0, mean = 0, deviation = 0, min = 0, median = 0, max = 0;
};

Summary summarise(std::vector<double> values) {
  std::ranges::sort(values);
  Summary summary{.count = static_cast<double>(values.size()), .min = values.front(), .max = values.back()};
  for (const double value : values) {
    summary.mean += value / summary.count;
  }
  for (const double value : values) {
    summary.deviation += (value - summary.mean) * (value - summary.mean) / summary.count;
  }
  summary.deviation = std::sqrt(summary.deviation);
  const size_t half = values.size() / 2;
  summary.median = values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
  return summary;
}

void compare(ComparisonTable& table, const std::string& group, const json& golden, const Summary& summary) {
  const auto add = [&](const char* what, const char* key, double measured) {
    table.rows.push_back({.what = group + ": " + what,
                          .published = golden.at(key),
                          .measured = exact_mean(measured),
                          .tolerance = kRounding});
  };
  add("number of values", "count", summary.count);
  add("mean", "mean", summary.mean);
  add("standard deviation", "std_population", summary.deviation);
  add("least", "min", summary.min);
  add("median", "median", summary.median);
  add("greatest", "max", summary.max);
}

Outcome run(const RunSettings&, Progress&) {
  const json& file = published("keyquery_norm_betas");
  std::vector<double> all;
  std::map<std::string, std::vector<double>> tasks;
  for (const json& one : file.at("cases")) {
    const double beta = one.at("beta");
    all.push_back(beta);
    tasks[one.at("task").is_null() ? "None" : one.at("task").get<std::string>()].push_back(beta);
  }
  const ReferenceBetas reference = reference_betas();

  ComparisonTable claim{
      .title = "Range and centre of the learned betas",
      .source = "paper, section on learned betas",
      .tolerance = "0: all of the 90 values must be within the two bounds, and the reference beta nearest to "
                   "their mean must be that of the best signal-to-noise ratio."};
  const auto inside = std::ranges::count_if(
      all, [&](double beta) { return beta >= reference.critical_distance && beta <= kUpperBeta; });
  claim.rows.push_back(
      {.what = "share of values between the beta of the best critical distance and 25",
       .published = 1,
       .measured = exact_mean(static_cast<double>(inside) / static_cast<double>(all.size()))});
  const Summary all_values = summarise(all);
  const std::vector<double> references = {reference.critical_distance, reference.signal_to_noise,
                                          reference.capacity};
  const double nearest = *std::ranges::min_element(
      references, {}, [&](double beta) { return std::abs(beta - all_values.mean); });
  claim.rows.push_back({.what = "reference beta nearest to the mean",
                        .published = reference.signal_to_noise,
                        .measured = exact_mean(nearest)});

  ComparisonTable summaries{.title = "Statistics of the learned betas",
                            .source = "Parse_KeyQ_Norm_Betas",
                            .tolerance = "1e-9 for rounding; both are statistics of the same 90 numbers."};
  compare(summaries, "all", file.at("summary_all"), all_values);
  for (const auto& [task, values] : tasks) {
    compare(summaries, task == "None" ? "first block" : task, file.at("summary_by_task").at(task),
            summarise(values));
  }

  const std::vector<report::Bin> bins = report::equal_bins(all, static_cast<int64_t>(kBins));
  ComparisonTable histogram{.title = "Histogram, bin by bin",
                            .source = "figure of Parse_KeyQ_Norm_Betas",
                            .tolerance = "0: counts."};
  for (size_t i = 0; i < bins.size(); ++i) {
    histogram.rows.push_back({.what = "from " +
                                      report::format_number(bins[i].from, report::Notation::fixed, 2) +
                                      " to " + report::format_number(bins[i].to, report::Notation::fixed, 2),
                              .published = file.at("histogram").at("counts").at(i),
                              .measured = exact_mean(bins[i].height)});
  }

  return {
      .parameters = {{"values", "90, shared by the authors of Query-Key Normalization for Transformers"},
                     {"bins", "50"}},
      .comparisons = {claim, summaries, histogram},
      .figures =
          {{.name = "learnt-betas",
            .chart = report::to_chart(report::Histogram{
                .title = "Betas learned with query-key normalisation",
                .description = "Histogram of 90 learned betas with the three reference betas of SDM.",
                .x = {.title = "beta"},
                .y = {.title = "number of attention layers"},
                .series = {{.name = "learned beta", .bins = bins}},
                .references = reference_lines(reference)}),
            .caption =
                "All learned betas are larger than the beta of the best critical distance. Most of them "
                "are near that of the best signal-to-noise ratio, and far from that of the maximum "
                "memory capacity."}},
      .notes = {"The first block of the published text file has no heading. By elimination it is the en-vi "
                "task of the paper from which the values originate. It is called \"first block\" here."}};
}

} // namespace

Experiment sdm_keyquery_norm_betas() {
  return {.id = "sdm/keyquery-norm-betas",
          .title = "Learned betas are near the optimal betas of SDM",
          .claim =
              "Transformers with normalised queries and keys learn an inverse temperature; the values are "
              "between the beta of the SDM with the largest critical distance and about 25, near the beta "
              "of the SDM with the best signal-to-noise ratio.",
          .source = "Bricken & Pehlevan 2021, notebook Parse_KeyQ_Norm_Betas",
          .run = run};
}

} // namespace mneme::experiments
