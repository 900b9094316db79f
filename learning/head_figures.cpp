// SPDX-License-Identifier: MIT

#include "learning/head_figures.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace mneme::learning {
namespace {

using theory::FixedPoint;
using theory::HeadReading;

constexpr int64_t kBins = 50; // as published

/// Mean or largest beta over the heads of each layer, for one text.
report::Series layer_series(const TextHeads& text, const std::string& name, bool largest) {
  std::map<int64_t, std::vector<double>> layers;
  for (const HeadReading& head : text.heads) {
    layers[head.layer].push_back(head.last.beta);
  }
  report::Series series{.name = name};
  for (const auto& [layer, betas] : layers) {
    double value = largest ? *std::ranges::max_element(betas) : 0;
    for (const double beta : betas) {
      value += largest ? 0 : beta / static_cast<double>(betas.size());
    }
    series.points.push_back({static_cast<double>(layer), {value, value, value}});
  }
  return series;
}

/// Different for every text, as charts require.
std::string series_name(std::span<const TextHeads> texts, size_t text) {
  const TextHeads& one = texts[text];
  return texts.size() == 1 ? fmt::format("{} tokens", one.tokens)
                           : fmt::format("text {} ({} tokens)", text + 1, one.tokens);
}

} // namespace

report::Chart beta_histogram(std::span<const HeadSummary> heads) {
  std::vector<double> betas;
  std::ranges::transform(heads, std::back_inserter(betas), &HeadSummary::beta);
  constexpr int64_t kHeadsPerBin = 3, kMinBins = 5; // 50 bins for the 144 heads of gpt2-small, as published
  const int64_t bins =
      std::clamp(static_cast<int64_t>(heads.size()) / kHeadsPerBin, std::min(kMinBins, kBins), kBins);
  report::Histogram chart{.title = "Effective beta of every head",
                          .description = "Histogram of the effective betas of all heads, with the three "
                                         "reference betas of Sparse Distributed Memory.",
                          .x = {.title = "effective beta"},
                          .y = {.title = "heads"},
                          .series = {{.name = "heads", .bins = report::equal_bins(betas, bins)}}};
  for (const ReferenceBeta& reference : kReferenceBetas) {
    chart.references.push_back(
        {.at = reference.beta, .label = fmt::format("{} {}", reference.name, reference.beta)});
  }
  return report::to_chart(chart);
}

report::Chart layer_curves(std::span<const TextHeads> texts, bool largest) {
  report::LineChart chart{.title = largest ? "Largest beta of each layer" : "Mean beta of each layer",
                          .description =
                              fmt::format("{} over the heads of a layer, one line per text.",
                                          largest ? "Largest effective beta" : "Mean of effective betas"),
                          .x = {.title = "layer"},
                          .y = {.title = "effective beta"},
                          .series_title = "text"};
  for (size_t i = 0; i < texts.size(); ++i) {
    chart.series.push_back(layer_series(texts[i], series_name(texts, i), largest));
  }
  for (const ReferenceBeta& reference : kReferenceBetas) {
    chart.references.push_back({.at = reference.beta,
                                .label = fmt::format("{} {}", reference.name, reference.beta),
                                .horizontal = true});
  }
  return report::to_chart(chart);
}

report::Chart kinds_chart(std::span<const HeadSummary> heads) {
  report::LineChart chart{.title = "Beta and number of keys that are read",
                          .description =
                              "One point per head: effective beta, and the share of keys that carry "
                              "90 % of the attention weight.",
                          .x = {.title = "effective beta"},
                          .y = report::fraction_axis("keys that carry 90 % of the weight"),
                          .series_title = "kind of fixed point"};
  for (const FixedPoint kind : {FixedPoint::global, FixedPoint::metastable, FixedPoint::single}) {
    report::Series series{.name = std::string(theory::name_of(kind)), .style = report::SeriesStyle::points};
    for (const HeadSummary& head : heads) {
      if (head.kind == kind) {
        const double share = head.keys_90 / head.keys;
        series.points.push_back({head.beta, {share, share, share}});
      }
    }
    if (!series.points.empty()) {
      chart.series.push_back(std::move(series));
    }
  }
  return report::to_chart(chart);
}

report::Table layers_table(std::span<const HeadSummary> heads) {
  report::Table table{.columns = {{.name = "layer"},
                                  {.name = "mean beta", .key = "mean_beta", .digits = 3},
                                  {.name = "max beta", .key = "max_beta", .digits = 3},
                                  {.name = "global"},
                                  {.name = "metastable"},
                                  {.name = "single"},
                                  {.name = "share of keys",
                                   .key = "keys_90_share",
                                   .notation = report::Notation::percent,
                                   .digits = 0}}};
  for (const auto& [layer, own] : statistics_by_layer(heads)) {
    table.rows.push_back(
        {layer, own.mean_beta, own.max_beta, own.global, own.metastable, own.single, own.keys_share});
  }
  return table;
}

} // namespace mneme::learning
