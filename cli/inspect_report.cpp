// SPDX-License-Identifier: MIT

#include "cli/inspect_report.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include <fmt/format.h>

#include "cli/attention_tracks.h"
#include "cli/inspect_figures.h"
#include "report/text.h"

namespace mneme::cli {
namespace {

using nlohmann::ordered_json;

constexpr size_t kShownTokens = 3; // tokens with the largest attention weights

/// null if the number is not finite, such as the logarithm of a weight of 0.
ordered_json number_json(float number) {
  return std::isfinite(number) ? ordered_json(as_printed(number)) : ordered_json(nullptr);
}

ordered_json numbers_json(std::span<const float> numbers) {
  ordered_json list = ordered_json::array();
  for (const float number : numbers) {
    list.push_back(number_json(number));
  }
  return list;
}

/// The text with visible spaces, line breaks and tabs.
std::string visible_blanks(std::string_view text) {
  std::string visible;
  for (const char c : text) {
    visible += c == ' ' ? "␣" : c == '\n' ? "↵" : c == '\t' ? "⇥" : std::string(1, c);
  }
  return visible;
}

std::string visible_byte(int64_t byte) {
  const bool has_character = (byte >= ' ' && byte <= '~') || byte == '\n' || byte == '\t';
  return has_character ? visible_blanks(std::string(1, static_cast<char>(byte)))
                       : fmt::format("\\x{:02x}", byte);
}

std::string window_of(const HeadInspection& head) {
  return head.window == 0 ? "all" : std::to_string(head.window);
}

std::string percent(double fraction) {
  return fraction < 0.001 ? "< 0.1" : fmt::format("{:.{}f}", 100 * fraction, fraction < 0.1 ? 1 : 0);
}

/// The positions of the largest positive numbers, at most kShownTokens, in descending order.
std::vector<int64_t> largest(std::span<const float> numbers) {
  std::vector<int64_t> positions(numbers.size());
  std::iota(positions.begin(), positions.end(), 0);
  const size_t count = std::min(kShownTokens, positions.size());
  std::partial_sort(positions.begin(), positions.begin() + static_cast<std::ptrdiff_t>(count),
                    positions.end(), [&](int64_t a, int64_t b) {
                      const float x = numbers[static_cast<size_t>(a)], y = numbers[static_cast<size_t>(b)];
                      return x > y || (x == y && a > b);
                    });
  positions.resize(count);
  std::erase_if(positions, [&](int64_t position) { return !(numbers[static_cast<size_t>(position)] > 0); });
  return positions;
}

ordered_json json_of_bins(const std::vector<Bin>& bins, const std::vector<float>& track, auto&& of_bin) {
  ordered_json list = ordered_json::array();
  for (const Bin& bin : bins) {
    list.push_back(number_json(static_cast<float>(of_bin(bin.of(track)))));
  }
  return list;
}

ordered_json head_json(const LeapInspection& inspection, const HeadInspection& head,
                       const std::vector<Bin>& bins, const TokenNames& names) {
  ordered_json looks_at = ordered_json::array();
  for (const int64_t position : largest(head.mean_weight)) {
    looks_at.push_back({{"position", position},
                        {"text", names(inspection.ids[static_cast<size_t>(position)])},
                        {"share", number_json(head.mean_weight[static_cast<size_t>(position)])}});
  }
  ordered_json out = {{"layer", head.layer},          {"head", head.head},
                      {"window", head.window},        {"decay", head.decay},
                      {"mean_gate", mean(head.gate)}, {"looks_at", looks_at}};
  if (!has_matrix(inspection)) {
    out["share"] = json_of_bins(bins, head.mean_weight, sum);
    out["contribution"] = json_of_bins(bins, head.contribution, sum);
    out["gate"] = json_of_bins(bins, head.gate, mean);
    out["log_weight"] = json_of_bins(bins, head.log_weight, mean);
    out["top"] = ordered_json::array();
    for (const Bin& bin : bins) {
      out["top"].push_back(top(bin, head.mean_weight));
    }
    return out;
  }
  const Bin tile{inspection.from, inspection.to};
  for (const auto& [key, track] :
       {std::pair("gate", &head.gate), std::pair("gate_logit", &head.gate_logit),
        std::pair("log_weight", &head.log_weight), std::pair("share", &head.mean_weight),
        std::pair("contribution", &head.contribution)}) {
    out[key] = track->empty() ? ordered_json(nullptr) : numbers_json(tile.of(*track));
  }
  out["attention"] = ordered_json::array();
  const auto size = static_cast<size_t>(inspection.to - inspection.from);
  for (size_t row = 0; row < size; ++row) {
    out["attention"].push_back(numbers_json(std::span(head.attention).subspan(row * size, size)));
  }
  return out;
}

/// Mean of the losses that exist: the first token of a text has none. NaN if there is none.
double mean_loss(std::span<const float> losses) {
  double total = 0, count = 0;
  for (const float loss : losses) {
    if (!std::isnan(loss)) {
      total += loss;
      ++count;
    }
  }
  return total / count;
}

ordered_json prediction_json(const LeapInspection& inspection, const std::vector<Bin>& bins,
                             const TokenNames& names) {
  ordered_json next = ordered_json::array();
  for (const NextToken& token : inspection.next) {
    next.push_back({{"id", token.id}, {"text", names(token.id)}, {"probability", token.probability}});
  }
  return {{"next", next},
          {"mean_loss", number_json(static_cast<float>(mean_loss(inspection.loss)))},
          {"loss", has_matrix(inspection)
                       ? numbers_json(Bin{inspection.from, inspection.to}.of(inspection.loss))
                       : json_of_bins(bins, inspection.loss, mean_loss)}};
}

report::Section prediction_section(const LeapInspection& inspection, const TokenNames& names) {
  report::Table next{
      .columns = {{.name = "next token", .key = "token"},
                  {.name = "probability", .notation = report::Notation::percent, .digits = 1}}};
  for (const NextToken& token : inspection.next) {
    next.rows.push_back({names.quoted(token.id), token.probability});
  }
  report::Section section{
      .heading = "Predictions",
      .blocks = {report::CaptionedTable{.table = next, .caption = "Most probable tokens after the text"}}};
  if (count_of(inspection) < 2) {
    return section; // no token has a loss
  }
  report::Series series{.name = "loss", .style = report::SeriesStyle::line};
  const auto add = [&](const Bin& bin) {
    const double loss = mean_loss(bin.of(inspection.loss));
    if (!std::isnan(loss)) {
      series.points.push_back({static_cast<double>(bin.from), {loss, loss, loss}});
    }
  };
  if (has_matrix(inspection)) {
    for (int64_t token = inspection.from; token < inspection.to; ++token) {
      add({token, token + 1});
    }
  } else {
    std::ranges::for_each(bins_of(inspection), add);
  }
  section.blocks.emplace_back(report::Figure{
      .chart =
          to_chart(report::LineChart{.title = "Loss of each token",
                                     .description = "Negative logarithm of the probability of each token.",
                                     .x = {.title = "position"},
                                     .y = {.title = "loss (nats)"},
                                     .series = {series}}),
      .remark =
          fmt::format("The loss of a token is -ln of the probability that the model gave it after the tokens "
                      "before it; a guess among all {} tokens has a loss of {:.2f} nats. {}",
                      inspection.vocab_size, std::log(static_cast<double>(inspection.vocab_size)),
                      has_matrix(inspection) ? "" : "Each point is the mean of a bin of tokens.")});
  return section;
}

} // namespace

std::string prediction_text(const LeapInspection& inspection, const TokenNames& names) {
  constexpr size_t kShown = 3;
  std::string text = "next token: ";
  for (size_t i = 0; i < std::min(kShown, inspection.next.size()); ++i) {
    text += fmt::format("{}{} ({} %)", i == 0 ? "" : ", ", names.quoted(inspection.next[i].id),
                        percent(inspection.next[i].probability));
  }
  const double loss = mean_loss(inspection.loss);
  return std::isnan(loss) ? text : fmt::format("{}; mean loss {:.3g} nats per token", text, loss);
}

std::string TokenNames::operator()(int64_t id) const {
  const auto index = static_cast<size_t>(id);
  switch (kind_) {
  case TokenText::ids:
    break;
  case TokenText::bytes:
    return visible_byte(id);
  case TokenText::words:
    return report::one_line(words_[index]);
  case TokenText::bpe:
    if (index < words_.size()) {
      return report::one_line(visible_blanks(words_[index]));
    }
    break;
  }
  return std::to_string(id);
}

std::string TokenNames::quoted(int64_t id) const {
  const bool is_text = kind_ == TokenText::bpe && static_cast<size_t>(id) < words_.size();
  return is_text ? "\"" + (*this)(id) + "\"" : (*this)(id);
}

std::string size_of(const LeapInspection& inspection) {
  return report::counted(inspection.layers, "layer") + " of " +
         report::counted(inspection.heads_per_layer, "head");
}

report::Table inspection_table(const LeapInspection& inspection, const TokenNames& names, const char* blank) {
  report::Table table{.columns = {{.name = "layer"},
                                  {.name = "head"},
                                  {.name = "window", .align = report::Align::right},
                                  {.name = "mean gate", .key = "mean_gate", .digits = 3},
                                  {.name = "last token attends to", .unit = "weight", .key = "looks_at"}}};
  for (const HeadInspection& head : inspection.heads) {
    std::string looks_at;
    for (const int64_t position : largest(head.mean_weight)) {
      const auto at = static_cast<size_t>(position);
      looks_at += fmt::format("{1}{2}{0}at{0}{3}{0}({4}{0}%)", blank, looks_at.empty() ? "" : ", ",
                              names.quoted(inspection.ids[at]), position, percent(head.mean_weight[at]));
    }
    table.rows.push_back({head.layer, head.head, window_of(head), mean(head.gate), looks_at});
  }
  return table;
}

ordered_json inspection_json(const LeapInspection& inspection, const TokenNames& names) {
  ordered_json tokens = {{"count", count_of(inspection)}};
  const std::vector<Bin> bins = bins_of(inspection);
  ordered_json roll_out;
  if (has_matrix(inspection)) {
    const auto first = inspection.ids.begin() + inspection.from;
    tokens["from"] = inspection.from;
    tokens["to"] = inspection.to;
    tokens["ids"] = std::vector<int64_t>(first, inspection.ids.end());
    tokens["text"] = words_of(inspection, names);
    roll_out = numbers_json(Bin{inspection.from, inspection.to}.of(inspection.rollout));
  } else {
    tokens["bins"] = ordered_json::array();
    for (const Bin& bin : bins) {
      tokens["bins"].push_back({bin.from, bin.to});
    }
    roll_out = json_of_bins(bins, inspection.rollout, sum);
  }
  ordered_json heads = ordered_json::array();
  for (const HeadInspection& head : inspection.heads) {
    heads.push_back(head_json(inspection, head, bins, names));
  }
  return {{"model",
           {{"class", "LeapForCausalLM"},
            {"layers", inspection.layers},
            {"heads", inspection.heads_per_layer},
            {"hidden_size", inspection.hidden_size},
            {"vocab_size", inspection.vocab_size},
            {"weight", inspection.weight},
            {"gate", inspection.gate},
            {"positions", inspection.positions}}},
          {"tokens", tokens},
          {"reader",
           {{"position", count_of(inspection) - 1},
            {"id", inspection.ids.back()},
            {"text", names(inspection.ids.back())}}},
          {"prediction", prediction_json(inspection, bins, names)},
          {"heads", heads},
          {"roll_out", roll_out}};
}

report::Page inspection_page(const LeapInspection& inspection, const TokenNames& names,
                             const std::string& model) {
  const int64_t last = count_of(inspection) - 1;
  report::Page page{
      .title = "Attention of a LEAP model",
      .intro = fmt::format(
          "Model `{}` on a text of {} tokens. In each head, every token has one focus weight, which is the "
          "same for all queries. The attention weights of a query (one of the tokens) are the focus weights "
          "of "
          "the tokens in its window, normalised to sum 1. The readout of the query is the mean of the values "
          "with these weights, multiplied by the gate of the query. All numbers are exact: effective "
          "attention "
          "(gate times attention weight) times values is the readout that the model computes.",
          report::one_line(model), count_of(inspection))};
  report::Section heads{
      .heading = "Attention of each head",
      .blocks = {
          report::Parameters{
              {{"model", fmt::format("{}, hidden size {}, vocabulary size {}", size_of(inspection),
                                     inspection.hidden_size, inspection.vocab_size)},
               {"focus weight, gate, positions",
                fmt::format("{}, {}, {}", inspection.weight, inspection.gate, inspection.positions)},
               {"last token", fmt::format("{} at position {}", names.quoted(inspection.ids.back()), last)}}},
          report::CaptionedTable{.table = inspection_table(inspection, names, "\u00a0"),
                                 .caption = "Attention of the last token"},
          report::Figure{
              .chart =
                  has_matrix(inspection) ? matrix_figure(inspection, names) : track_figure(inspection, names),
              .remark =
                  has_matrix(inspection)
                      ? "Each row is a query, each column a token that the query attends to. Effective "
                        "attention is the attention weight of a token, multiplied by the gate of the query."
                      : "The text is too long for a matrix; `--from` and `--to` select a part of it."}}};
  report::Section all{
      .heading = "Attention rollout",
      .blocks = {report::Figure{
          .chart = rollout_figure(inspection, names),
          .remark =
              "Attention of the last token, propagated through all layers to the input tokens: the product "
              "over the layers of the effective attention, averaged over heads, plus the residual "
              "connection, scaled to the sum 1. Norms and feed-forward layers are not included, so this is "
              "an approximation."}}};
  page.sections = {std::move(heads), prediction_section(inspection, names), std::move(all)};
  return page;
}

} // namespace mneme::cli
