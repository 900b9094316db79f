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
  return fmt::format(
      "{:.0f} % of the scores are negative. The weight of a key grows exponentially with its score, "
      "so that the few keys at the right end carry most of the weight of a head.",
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
       "The effective beta of a head is the largest score of the last query: the inverse temperature that "
       "softmax(beta cosine) would need at least to produce this score. For several texts it is the "
       "largest of them. Dashed lines: betas of Sparse Distributed Memory of 64 bits whose Hamming radius "
       "is optimal for critical distances, for the signal-to-noise ratio and for memory capacity. To the "
       "right of a line, a head reads a smaller neighbourhood than that memory."},
      {"mean-by-layer", learning::layer_curves(inspection.texts, false),
       "Betas tend to grow with the number of tokens, because the largest of more scores is larger: compare "
       "texts of equal length."},
      {"max-by-layer", learning::layer_curves(inspection.texts, true),
       "The most selective head of each layer."},
      {"kinds", learning::kinds_chart(heads),
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
  const std::vector<HeadSummary> heads = summaries(inspection.texts);
  const HeadStatistics all = learning::statistics_of(heads);
  std::string line = fmt::format("{} heads: {} global, {} metastable, {} single; beta above", heads.size(),
                                 all.global, all.metastable, all.single);
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
       .blocks = {report::CaptionedTable{.table = map_table(summaries(inspection.texts)),
                                         .caption = "Effective beta; g: global, m: metastable, s: single."},
                  report::CaptionedTable{.table = largest_betas_table(inspection, 10),
                                         .caption =
                                             "The heads with the largest betas. The Hamming radius is "
                                             "that of a Sparse Distributed Memory with as many bits as a "
                                             "key has numbers and with the same beta."}}});
  report::write_page(folder / "index.html", page);
}

} // namespace mneme::cli
