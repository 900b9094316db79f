// SPDX-License-Identifier: MIT

#include "cli/heads_report.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "learning/head_figures.h"
#include "mneme/core/atomic_file.h"
#include "report/chart.h"
#include "report/page.h"
#include "report/text.h"

namespace mneme::cli {
namespace {

using learning::HeadsInspection;
using learning::HeadStatistics;
using learning::HeadSummary;
using learning::TextHeads;
using nlohmann::ordered_json;
using theory::HeadReading;

constexpr int64_t kBins = 50;         // as published
constexpr size_t kMaxPoints = 2'000;  // of a scatter plot
constexpr int64_t kMinRadiusBits = 8; // for equivalent_hamming_radius

report::Cell radius_cell(double beta, int64_t bits) {
  const std::optional<double> radius =
      bits >= kMinRadiusBits && beta > 0 ? theory::equivalent_hamming_radius(beta, bits) : std::nullopt;
  return radius ? report::Cell(*radius) : report::Cell();
}

report::Cell number_cell(double value) {
  return std::isfinite(value) ? report::Cell(value) : report::Cell();
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
  return fmt::format("A score is the input of the softmax for one key: the scaled product of query and key, "
                     "here of the last token of each text and of all heads. {:.0f} % of the scores are "
                     "negative. The weight of a key grows exponentially with its score, so that the few keys "
                     "at the right end carry most of the weight of a head.",
                     100 * static_cast<double>(negative) / static_cast<double>(total));
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
  const std::vector<HeadSummary> heads = summaries(inspection.texts);
  return {
      {"betas", learning::beta_histogram(heads),
       "The effective beta of a head is the largest score of the last token of a text, for several texts the "
       "largest of them. A softmax of beta times the cosine of query and key reaches this score only if beta "
       "is at least as large. Dashed lines: the betas with which such a softmax approximates a Sparse "
       "Distributed Memory of 64 bits whose Hamming radius is the best one for recall from the noisiest cues "
       "(critical distance), for the signal-to-noise ratio, and for the number of patterns (memory "
       "capacity). To the right of a line, a head reads a smaller neighbourhood of the query than that "
       "memory."},
      {"mean-by-layer", learning::layer_curves(inspection.texts, false),
       "Mean of the effective betas of the heads of a layer; dashed lines as in the first figure. Betas tend "
       "to grow with the number of tokens, because the largest of more scores is larger: compare texts of "
       "equal length."},
      {"max-by-layer", learning::layer_curves(inspection.texts, true),
       "The largest effective beta among the heads of a layer; dashed lines as in the first figure."},
      {"kinds", learning::kinds_chart(heads),
       "Does a large beta mean that a head reads few keys? Each point is a head. On the vertical axis is the "
       "share of the keys that carry 90 % of its attention weight, on average over queries of the second "
       "half of each text. A head that needs more than half of the keys averages (a global fixed point); one "
       "that needs less than a tenth, or a single key, retrieves few patterns; between them are metastable "
       "states, averages over a part of the keys."},
      {"scores", score_histogram(inspection), scores_caption(inspection)},
      {"values", value_chart(inspection),
       "Each point is a key of the last token of a text. A head passes on the sum of the values, multiplied "
       "by their attention weights: keys with a long value and almost no weight contribute little."}};
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
  std::string line = fmt::format(
      "{}: {} of {} of size {}, {} parameters, {} words; {}, {}", inspection.type,
      report::counted(inspection.layers, "layer"), report::counted(inspection.heads_per_layer, "head"),
      inspection.head_size, inspection.parameters, inspection.vocab_size,
      report::counted(static_cast<int64_t>(texts), "text"), report::counted(tokens, "token"));
  if (texts == 1 && inspection.texts[0].loss) {
    line += fmt::format(", loss {:.3f} nats per token", *inspection.texts[0].loss);
  }
  return line;
}

std::string kinds_summary(const HeadsInspection& inspection) {
  const std::vector<HeadSummary> heads = summaries(inspection.texts);
  const HeadStatistics all = learning::statistics_of(heads);
  std::string line =
      fmt::format("{}: {} global, {} metastable, {} single; beta above",
                  report::counted(std::ssize(heads), "head"), all.global, all.metastable, all.single);
  const char* separator = "";
  for (const learning::ReferenceBeta& reference : learning::kReferenceBetas) {
    const auto above =
        std::ranges::count_if(heads, [&](const HeadSummary& head) { return head.beta > reference.beta; });
    line += fmt::format("{} {:g}: {}", std::exchange(separator, ","), reference.beta, above);
  }
  return line;
}

report::Table largest_betas_table(const HeadsInspection& inspection, size_t count) {
  report::Table table{.columns = {{.name = "layer"},
                                  {.name = "head"},
                                  {.name = "beta", .digits = 3},
                                  {.name = "Hamming radius", .key = "hamming_radius", .digits = 3},
                                  {.name = "keys for 90 %", .key = "keys_90", .digits = 3},
                                  {.name = "of keys", .key = "keys", .digits = 3},
                                  {.name = "kind"}}};
  std::vector<HeadSummary> heads = summaries(inspection.texts);
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
  const report::Table layers = learning::layers_table(summaries(inspection.texts));
  write_file_atomically(folder / "heads.csv", report::to_csv(heads_table(inspection)));
  write_file_atomically(folder / "layers.csv", report::to_csv(layers));
  report::Page page{
      .title = fmt::format("Attention heads of {}", report::one_line(last_name(model))),
      .intro = fmt::format(
          "{}.\n\nEach attention head is read as an associative memory: a query is a noisy cue, keys are the "
          "stored addresses, and values the stored patterns. Two measures describe a head. Its effective "
          "beta is the largest input of its softmax: the larger, the smaller a neighbourhood of the query "
          "it can select. The number of keys that carry 90 % of its attention weight decides its kind: "
          "a global head averages over more than half of the keys, a head of the kind single reads one "
          "key or less than a tenth of them, and a metastable one is between the two.\n\n{}. These three "
          "betas are those of other memories, for comparison (first figure).",
          heads_summary(inspection), kinds_summary(inspection)),
      .sections = {
          {.heading = "Layers",
           .blocks = {report::CaptionedTable{
               .table = layers,
               .caption =
                   "Mean and largest effective beta of the heads of each layer, the number of heads of each "
                   "kind, and the mean share of the keys that carry 90 % of the attention weight"}}}}};
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
       .blocks = {report::CaptionedTable{
                      .table = map_table(summaries(inspection.texts)),
                      .caption = "Effective beta and kind of each head; g: global, m: metastable, s: single"},
                  report::CaptionedTable{
                      .table = largest_betas_table(inspection, 10),
                      .caption = "The heads with the largest betas. The Hamming radius is that of a Sparse "
                                 "Distributed Memory with the same beta and as many bits as a key has "
                                 "numbers; it is empty if no radius has this beta"}}});
  report::write_page(folder / "index.html", page);
}

} // namespace mneme::cli
