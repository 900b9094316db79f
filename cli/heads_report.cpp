// SPDX-License-Identifier: MIT

#include "cli/heads_report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "mneme/core/atomic_file.h"
#include "report/chart.h"
#include "report/page.h"
#include "report/text.h"

namespace mneme::cli {
namespace {

using nlohmann::ordered_json;
using theory::FixedPoint;
using theory::HeadReading;

/// Betas of Sparse Distributed Memory with 64 bits at the three optimal Hamming radii, as published (Bricken &
/// Pehlevan 2021).
struct ReferenceBeta {
  double beta;
  const char* name;
};
constexpr std::array kReferences = {ReferenceBeta{10.1, "critical distance"},
                                    ReferenceBeta{15.9, "signal-to-noise ratio"},
                                    ReferenceBeta{35.5, "memory capacity"}};
constexpr int64_t kBins = 50;         // as published
constexpr size_t kMaxPoints = 2'000;  // of a scatter plot
constexpr int64_t kMinRadiusBits = 8; // for equivalent_hamming_radius

/// One head over all texts.
struct HeadSummary {
  int64_t layer = 0, head = 0;
  double beta = 0;              ///< the largest over texts
  double keys_90 = 0, keys = 0; ///< means over texts
  FixedPoint kind = FixedPoint::global;
};

std::vector<HeadSummary> summaries(const HeadsInspection& inspection) {
  std::map<std::pair<int64_t, int64_t>, HeadSummary> heads;
  const auto texts = static_cast<double>(inspection.texts.size());
  for (const TextHeads& text : inspection.texts) {
    for (const HeadReading& head : text.heads) {
      const auto [found, is_new] =
          heads.try_emplace(std::pair(head.layer, head.head),
                            HeadSummary{.layer = head.layer, .head = head.head, .beta = head.last.beta});
      found->second.beta = std::max(found->second.beta, head.last.beta);
      found->second.keys_90 += head.keys_90 / texts;
      found->second.keys += head.keys / texts;
    }
  }
  std::vector<HeadSummary> result;
  for (auto& [place, head] : heads) {
    head.kind = theory::fixed_point(head.keys_90, head.keys);
    result.push_back(head);
  }
  return result;
}

int64_t count_of(const std::vector<HeadSummary>& heads, FixedPoint kind) {
  return std::ranges::count(heads, kind, &HeadSummary::kind);
}

report::Cell radius_cell(double beta, int64_t bits) {
  const std::optional<double> radius =
      bits >= kMinRadiusBits && beta > 0 ? theory::equivalent_hamming_radius(beta, bits) : std::nullopt;
  return radius ? report::Cell(*radius) : report::Cell();
}

report::Cell number_cell(double value) {
  return std::isfinite(value) ? report::Cell(value) : report::Cell();
}

report::Chart beta_histogram(const std::vector<HeadSummary>& heads) {
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
  for (const ReferenceBeta& reference : kReferences) {
    chart.references.push_back(
        {.at = reference.beta, .label = fmt::format("{} {}", reference.name, reference.beta)});
  }
  return report::to_chart(chart);
}

report::Chart score_histogram(const HeadsInspection& inspection) {
  std::vector<double> scores;
  for (const TextHeads& text : inspection.texts) {
    for (const HeadReading& head : text.heads) {
      std::ranges::copy_if(head.scores, std::back_inserter(scores),
                           [](float score) { return std::isfinite(score); });
    }
  }
  return report::to_chart(report::Histogram{
      .title = "Scores of the last query",
      .description =
          "Histogram of the inputs of the softmax for the last token of each text, over all heads.",
      .x = {.title = "score"},
      .y = {.title = "keys"},
      .series = {{.name = "scores", .bins = report::equal_bins(scores, kBins)}}});
}

std::string scores_caption(const HeadsInspection& inspection) {
  int64_t negative = 0, total = 0;
  for (const TextHeads& text : inspection.texts) {
    for (const HeadReading& head : text.heads) {
      negative += std::ranges::count_if(head.scores, [](float score) { return score < 0; });
      total += static_cast<int64_t>(head.scores.size());
    }
  }
  return fmt::format(
      "{:.0f} % of the scores are negative. The weight of a key grows exponentially with its score, "
      "so that the few keys at the right end carry most of the weight of a head.",
      100 * static_cast<double>(negative) / static_cast<double>(total));
}

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
std::string series_name(const HeadsInspection& inspection, size_t text) {
  const TextHeads& one = inspection.texts[text];
  return inspection.texts.size() == 1 ? fmt::format("{} tokens", one.tokens)
                                      : fmt::format("text {} ({} tokens)", text + 1, one.tokens);
}

report::Chart layer_curves(const HeadsInspection& inspection, bool largest) {
  report::LineChart chart{.title = largest ? "Largest beta of each layer" : "Mean beta of each layer",
                          .description =
                              fmt::format("{} over the heads of a layer, one line per text.",
                                          largest ? "Largest effective beta" : "Mean of effective betas"),
                          .x = {.title = "layer"},
                          .y = {.title = "effective beta"},
                          .series_title = "text"};
  for (size_t i = 0; i < inspection.texts.size(); ++i) {
    chart.series.push_back(layer_series(inspection.texts[i], series_name(inspection, i), largest));
  }
  for (const ReferenceBeta& reference : kReferences) {
    chart.references.push_back({.at = reference.beta,
                                .label = fmt::format("{} {}", reference.name, reference.beta),
                                .horizontal = true});
  }
  return report::to_chart(chart);
}

report::Chart kinds_chart(const std::vector<HeadSummary>& heads) {
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

report::Chart value_chart(const HeadsInspection& inspection) {
  size_t total = 0;
  for (const TextHeads& text : inspection.texts) {
    for (const HeadReading& head : text.heads) {
      total += head.weights.size();
    }
  }
  report::Series series{.name = "keys", .style = report::SeriesStyle::points};
  const size_t every = total / kMaxPoints + 1;
  size_t at = 0;
  for (const TextHeads& text : inspection.texts) {
    for (const HeadReading& head : text.heads) {
      for (size_t i = 0; i < head.weights.size(); ++i, ++at) {
        if (at % every == 0) {
          const double norm = head.value_norms[i];
          series.points.push_back({head.weights[i], {norm, norm, norm}});
        }
      }
    }
  }
  return report::to_chart(report::LineChart{
      .title = "Norm of the value by attention weight",
      .description = "One point per key of the last query: its attention weight, and the norm of its value.",
      .x = {.title = "attention weight"},
      .y = {.title = "norm of the value"},
      .series = {std::move(series)}});
}

/// Layers as rows, heads as columns: beta and the first letter of the kind.
report::Table map_table(const std::vector<HeadSummary>& heads) {
  report::Table table{.columns = {{.name = "layer"}}};
  std::map<int64_t, std::map<int64_t, const HeadSummary*>> layers;
  std::map<int64_t, bool> columns;
  for (const HeadSummary& head : heads) {
    layers[head.layer][head.head] = &head;
    columns[head.head] = true;
  }
  for (const auto& [column, used] : columns) {
    table.columns.push_back({.name = fmt::format("head {}", column), .align = report::Align::right});
  }
  for (const auto& [layer, row] : layers) {
    std::vector<report::Cell> cells = {layer};
    for (const auto& [column, head] : row) {
      cells.emplace_back(fmt::format("{:.1f} {}", head->beta, theory::name_of(head->kind).substr(0, 1)));
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

/// One row per head of a text, with all numbers.
report::Table heads_of(const TextHeads& text, int64_t head_size) {
  report::Table table;
  for (const char* name : {"layer", "head", "beta", "min_score", "hamming_radius", "keys_90", "keys", "kind",
                           "entropy", "regressed_beta", "r_squared", "query_norm", "key_norm"}) {
    table.columns.push_back({.name = name});
  }
  for (const HeadReading& head : text.heads) {
    table.rows.push_back(
        {head.layer, head.head, head.last.beta, head.last.min_score, radius_cell(head.last.beta, head_size),
         head.keys_90, head.keys, std::string(theory::name_of(head.kind)), head.entropy,
         number_cell(head.regressed_beta), number_cell(head.r_squared), head.query_norm, head.key_norm});
  }
  return table;
}

struct NamedFigure {
  std::string name;
  report::Chart chart;
  std::string caption;
};

std::vector<NamedFigure> figures_of(const HeadsInspection& inspection) {
  const std::vector<HeadSummary> heads = summaries(inspection);
  return {
      {"betas", beta_histogram(heads),
       "The effective beta of a head is the largest score of the last query: the inverse temperature that "
       "softmax(beta cosine) would need at least to produce this score. For several texts it is the "
       "largest of them. Dashed lines: betas of Sparse Distributed Memory of 64 bits whose Hamming radius "
       "is optimal for critical distances, for the signal-to-noise ratio and for memory capacity. To the "
       "right of a line, a head reads a smaller neighbourhood than that memory."},
      {"mean-by-layer", layer_curves(inspection, false),
       "Betas tend to grow with the number of tokens, because the largest of more scores is larger: compare "
       "texts of equal length."},
      {"max-by-layer", layer_curves(inspection, true), "The most selective head of each layer."},
      {"kinds", kinds_chart(heads),
       "A head that needs more than half of the keys for 90 % of its weight averages (a global fixed "
       "point); one that needs less than a tenth, or a single key, retrieves few patterns; between them "
       "are metastable states, averages over a part of the keys. Means over queries of the second half of "
       "each text."},
      {"scores", score_histogram(inspection), scores_caption(inspection)},
      {"values", value_chart(inspection),
       "What a head passes on is weight times value. Keys with a long value and almost no weight "
       "contribute little."}};
}

/// Name of a file or folder without those above it.
std::string last_name(const std::filesystem::path& path) {
  const std::filesystem::path name = path.has_filename() ? path.filename() : path.parent_path().filename();
  return name.empty() ? path.string() : name.string();
}

} // namespace

std::string heads_summary(const HeadsInspection& inspection) {
  int64_t tokens = 0;
  for (const TextHeads& text : inspection.texts) {
    tokens += text.tokens;
  }
  const auto texts = inspection.texts.size();
  std::string line =
      fmt::format("{}: {} layers of {} heads of {}, {} parameters, {} words; {} {}, {} tokens",
                  inspection.type, inspection.layers, inspection.heads_per_layer, inspection.head_size,
                  inspection.parameters, inspection.vocab_size, texts, texts == 1 ? "text" : "texts", tokens);
  if (texts == 1 && inspection.texts[0].loss) {
    line += fmt::format(", loss {:.3f} nats per token", *inspection.texts[0].loss);
  }
  return line;
}

std::string kinds_summary(const HeadsInspection& inspection) {
  const std::vector<HeadSummary> heads = summaries(inspection);
  std::string line = fmt::format("{} heads: {} global, {} metastable, {} single; beta above", heads.size(),
                                 count_of(heads, FixedPoint::global), count_of(heads, FixedPoint::metastable),
                                 count_of(heads, FixedPoint::single));
  for (const ReferenceBeta& reference : kReferences) {
    const auto above =
        std::ranges::count_if(heads, [&](const HeadSummary& head) { return head.beta > reference.beta; });
    line +=
        fmt::format("{} {:g}: {}", reference.beta == kReferences[0].beta ? "" : ",", reference.beta, above);
  }
  return line;
}

report::Table layers_table(const HeadsInspection& inspection) {
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
  std::map<int64_t, std::vector<HeadSummary>> layers;
  for (const HeadSummary& head : summaries(inspection)) {
    layers[head.layer].push_back(head);
  }
  for (const auto& [layer, heads] : layers) {
    double mean = 0, largest = heads[0].beta, share = 0;
    for (const HeadSummary& head : heads) {
      mean += head.beta / static_cast<double>(heads.size());
      largest = std::max(largest, head.beta);
      share += head.keys_90 / head.keys / static_cast<double>(heads.size());
    }
    table.rows.push_back({layer, mean, largest, count_of(heads, FixedPoint::global),
                          count_of(heads, FixedPoint::metastable), count_of(heads, FixedPoint::single),
                          share});
  }
  return table;
}

report::Table largest_betas_table(const HeadsInspection& inspection, size_t count) {
  report::Table table{.columns = {{.name = "layer"},
                                  {.name = "head"},
                                  {.name = "beta", .digits = 3},
                                  {.name = "Hamming radius", .key = "hamming_radius", .digits = 3},
                                  {.name = "keys for 90 %", .key = "keys_90", .digits = 3},
                                  {.name = "of keys", .key = "keys", .digits = 3},
                                  {.name = "kind"}}};
  std::vector<HeadSummary> heads = summaries(inspection);
  std::ranges::stable_sort(heads, std::ranges::greater(), &HeadSummary::beta);
  heads.resize(std::min(heads.size(), count));
  for (const HeadSummary& head : heads) {
    table.rows.push_back({head.layer, head.head, head.beta, radius_cell(head.beta, inspection.head_size),
                          head.keys_90, head.keys, std::string(theory::name_of(head.kind))});
  }
  return table;
}

report::Table heads_table(const HeadsInspection& inspection) {
  report::Table table = heads_of(TextHeads(), inspection.head_size);
  table.columns.insert(table.columns.begin(), {{.name = "text"}, {.name = "tokens"}});
  int64_t number = 0;
  for (const TextHeads& text : inspection.texts) {
    ++number;
    for (std::vector<report::Cell>& row : heads_of(text, inspection.head_size).rows) {
      row.insert(row.begin(), {number, text.tokens});
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

ordered_json heads_json(const HeadsInspection& inspection) {
  ordered_json document = {{"model_type", inspection.type},
                           {"layers", inspection.layers},
                           {"heads_per_layer", inspection.heads_per_layer},
                           {"head_size", inspection.head_size},
                           {"vocab_size", inspection.vocab_size},
                           {"num_parameters", inspection.parameters},
                           {"notes", inspection.notes},
                           {"texts", ordered_json::array()}};
  for (const TextHeads& text : inspection.texts) {
    document["texts"].push_back({{"name", report::one_line(text.name)},
                                 {"tokens", text.tokens},
                                 {"loss", text.loss ? ordered_json(*text.loss) : ordered_json(nullptr)},
                                 {"heads", report::to_json(heads_of(text, inspection.head_size))}});
  }
  return document;
}

void write_heads_report(const std::filesystem::path& folder, const HeadsInspection& inspection,
                        const std::string& model) {
  const report::Table layers = layers_table(inspection);
  write_file_atomically(folder / "heads.csv", report::to_csv(heads_table(inspection)));
  write_file_atomically(folder / "layers.csv", report::to_csv(layers));
  report::Page page{
      .title = fmt::format("Attention heads of {}", report::one_line(last_name(model))),
      .intro =
          fmt::format("{}.\n\n{}.\n\nEach attention head is read as an associative memory: queries are noisy "
                      "cues, keys the stored addresses, values the stored patterns, and beta sets how "
                      "small a neighbourhood of the query is read.",
                      heads_summary(inspection), kinds_summary(inspection)),
      .sections = {
          {.heading = "Layers",
           .blocks = {report::CaptionedTable{
               .table = layers,
               .caption = "Effective betas (the largest over texts for each head), and the number of "
                          "heads of each kind of fixed point. Share of keys: those that carry 90 % of "
                          "the attention weight."}}}}};
  std::vector<report::Block> figures;
  for (NamedFigure& figure : figures_of(inspection)) {
    report::write_chart(folder, figure.name, figure.chart);
    figures.emplace_back(report::Figure{.chart = std::move(figure.chart),
                                        .remark = std::move(figure.caption),
                                        .links = {{"Data (CSV)", figure.name + ".csv"}}});
  }
  page.sections.push_back({.heading = "Figures", .blocks = std::move(figures)});
  page.sections.push_back(
      {.heading = "Map of the heads",
       .blocks = {report::CaptionedTable{.table = map_table(summaries(inspection)),
                                         .caption = "Effective beta; g: global, m: metastable, s: single."},
                  report::CaptionedTable{.table = largest_betas_table(inspection, 10),
                                         .caption =
                                             "The heads with the largest betas. The Hamming radius is "
                                             "that of a Sparse Distributed Memory with as many bits as a "
                                             "key has numbers and with the same beta."}}});
  report::write_page(folder / "index.html", page);
}

} // namespace mneme::cli
