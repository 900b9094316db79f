// SPDX-License-Identifier: MIT

/// Parse_KeyQ_Norm_Betas: betas that Transformers with query-key normalisation have learnt.

#include <algorithm>
#include <cmath>
#include <map>

#include "experiments/experiment.h"
#include "experiments/published.h"
#include "experiments/sdm/reference_betas.h"

namespace mneme::experiments {
namespace {

using nlohmann::json;

constexpr double kRounding = 1e-9; // both sides are sums of the same 90 decimals
constexpr double kUpperBeta = 25;  // "about 25"
constexpr double kBins = 50;

struct Summary {
  double count = 0, mean = 0, deviation = 0, least = 0, median = 0, most = 0;
};

Summary summarise(std::vector<double> values) {
  std::ranges::sort(values);
  Summary summary{
      .count = static_cast<double>(values.size()), .least = values.front(), .most = values.back()};
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
                          .measured = exactly(measured),
                          .tolerance = kRounding});
  };
  add("number of values", "count", summary.count);
  add("mean", "mean", summary.mean);
  add("standard deviation", "std_population", summary.deviation);
  add("least", "min", summary.least);
  add("median", "median", summary.median);
  add("greatest", "max", summary.most);
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
      .title = "The claim",
      .source = "paper, section on learnt betas",
      .tolerance =
          "none: the share of the 90 values within the two bounds must be 1, and no reference beta may "
          "lie nearer to their mean than that of the best signal-to-noise ratio."};
  const auto inside = std::ranges::count_if(
      all, [&](double beta) { return beta >= reference.critical_distance && beta <= kUpperBeta; });
  claim.rows.push_back({.what = "share of values between the beta of the best critical distance and 25",
                        .published = 1,
                        .measured = exactly(static_cast<double>(inside) / static_cast<double>(all.size()))});
  const Summary whole = summarise(all);
  const std::vector<double> references = {reference.critical_distance, reference.signal_to_noise,
                                          reference.capacity};
  const double nearest =
      *std::ranges::min_element(references, {}, [&](double beta) { return std::abs(beta - whole.mean); });
  claim.rows.push_back({.what = "reference beta nearest to the mean",
                        .published = reference.signal_to_noise,
                        .measured = exactly(nearest)});

  ComparisonTable summaries{.title = "Statistics of the learnt betas",
                            .source = "Parse_KeyQ_Norm_Betas",
                            .tolerance = "1e-9, rounding: both sides are statistics of the same 90 numbers."};
  compare(summaries, "all", file.at("summary_all"), whole);
  for (const auto& [task, values] : tasks) {
    compare(summaries, task == "None" ? "first block" : task, file.at("summary_by_task").at(task),
            summarise(values));
  }

  const std::vector<report::Bin> bins = report::equal_bins(all, static_cast<int64_t>(kBins));
  ComparisonTable histogram{.title = "Histogram, bin by bin",
                            .source = "figure of Parse_KeyQ_Norm_Betas",
                            .tolerance = "none: counts."};
  for (size_t i = 0; i < bins.size(); ++i) {
    histogram.rows.push_back({.what = "from " +
                                      report::format_number(bins[i].from, report::Notation::fixed, 2) +
                                      " to " + report::format_number(bins[i].to, report::Notation::fixed, 2),
                              .published = file.at("histogram").at("counts").at(i),
                              .measured = exactly(bins[i].height)});
  }

  return {
      .parameters = {{"values", "90, shared by the authors of Query-Key Normalization for Transformers"},
                     {"bins", "50"}},
      .comparisons = {claim, summaries, histogram},
      .figures = {{.name = "learnt-betas",
                   .chart = report::to_chart(report::Histogram{
                       .title = "Betas learnt with query-key normalisation",
                       .description = "Histogram of 90 learnt betas with the three reference betas of SDM.",
                       .x = {.title = "beta"},
                       .y = {.title = "number of attention layers"},
                       .series = {{.name = "learnt beta", .bins = bins}},
                       .references = reference_lines(reference)}),
                   .look =
                       "All learnt betas lie right of the beta of the best critical distance, most of them "
                       "around that of the best signal-to-noise ratio, and far from that of the greatest "
                       "memory capacity."}},
      .notes = {"The first block of the published text file has no heading; by elimination it is the en-vi "
                "task of the paper that the values come from. It is called \"first block\" here."}};
}

} // namespace

Experiment sdm_keyquery_norm_betas() {
  return {
      .id = "sdm/keyquery-norm-betas",
      .title = "Learnt betas lie where SDM works best",
      .claim =
          "Transformers whose queries and keys are normalised learn an inverse temperature; the values lie "
          "between the beta of the SDM with the greatest critical distance and about 25, near the beta "
          "of the SDM with the best signal-to-noise ratio.",
      .source = "Bricken & Pehlevan 2021, notebook Parse_KeyQ_Norm_Betas",
      .run = run};
}

} // namespace mneme::experiments
