// SPDX-License-Identifier: MIT

#include "cli/inspect_report.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include <fmt/format.h>

#include "cli/inspect_figures.h"
#include "cli/look_tracks.h"
#include "report/text.h"

namespace mneme::cli {
namespace {

using nlohmann::ordered_json;

constexpr size_t kShownTokens = 3; // of those a reader looks at most

/// null for what is not finite, such as the log of a weight of 0.
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

std::string window_of(const HeadLook& head) {
  return head.window == 0 ? "all" : std::to_string(head.window);
}

std::string percent(double share) {
  return share < 0.001 ? "< 0.1" : fmt::format("{:.{}f}", 100 * share, share < 0.1 ? 1 : 0);
}

/// The positions of the largest numbers above 0, largest first.
std::vector<int64_t> largest(std::span<const float> numbers) {
  std::vector<int64_t> places(numbers.size());
  std::iota(places.begin(), places.end(), 0);
  const size_t count = std::min(kShownTokens, places.size());
  std::partial_sort(places.begin(), places.begin() + static_cast<std::ptrdiff_t>(count), places.end(),
                    [&](int64_t a, int64_t b) {
                      const float x = numbers[static_cast<size_t>(a)], y = numbers[static_cast<size_t>(b)];
                      return x > y || (x == y && a > b);
                    });
  places.resize(count);
  std::erase_if(places, [&](int64_t place) { return !(numbers[static_cast<size_t>(place)] > 0); });
  return places;
}

ordered_json json_of_bins(const std::vector<Bin>& bins, const std::vector<float>& track, auto&& of_bin) {
  ordered_json list = ordered_json::array();
  for (const Bin& bin : bins) {
    list.push_back(number_json(static_cast<float>(of_bin(bin.of(track)))));
  }
  return list;
}

ordered_json head_json(const Look& look, const HeadLook& head, const std::vector<Bin>& bins,
                       const TokenNames& names) {
  ordered_json looks_at = ordered_json::array();
  for (const int64_t place : largest(head.share)) {
    looks_at.push_back({{"position", place},
                        {"text", names(look.ids[static_cast<size_t>(place)])},
                        {"share", number_json(head.share[static_cast<size_t>(place)])}});
  }
  ordered_json out = {{"layer", head.layer},          {"head", head.head},
                      {"window", head.window},        {"decay", head.decay},
                      {"mean_gate", mean(head.gate)}, {"looks_at", looks_at}};
  if (!has_matrix(look)) {
    out["share"] = json_of_bins(bins, head.share, sum);
    out["contribution"] = json_of_bins(bins, head.contribution, sum);
    out["gate"] = json_of_bins(bins, head.gate, mean);
    out["log_weight"] = json_of_bins(bins, head.log_weight, mean);
    out["top"] = ordered_json::array();
    for (const Bin& bin : bins) {
      out["top"].push_back(top(bin, head.share));
    }
    return out;
  }
  const Bin tile{look.from, look.to};
  for (const auto& [key, track] : {std::pair("gate", &head.gate), std::pair("gate_logit", &head.gate_logit),
                                   std::pair("log_weight", &head.log_weight), std::pair("share", &head.share),
                                   std::pair("contribution", &head.contribution)}) {
    out[key] = track->empty() ? ordered_json(nullptr) : numbers_json(tile.of(*track));
  }
  out["attention"] = ordered_json::array();
  const auto size = static_cast<size_t>(look.to - look.from);
  for (size_t row = 0; row < size; ++row) {
    out["attention"].push_back(numbers_json(std::span(head.attention).subspan(row * size, size)));
  }
  return out;
}

} // namespace

std::string TokenNames::operator()(int64_t id) const {
  if (!words_.empty()) {
    return report::one_line(words_[static_cast<size_t>(id)]);
  }
  if (!ids_are_bytes_) {
    return std::to_string(id);
  }
  switch (id) {
  case ' ':
    return "␣";
  case '\n':
    return "↵";
  case '\t':
    return "⇥";
  default:
    return id > ' ' && id <= '~' ? std::string(1, static_cast<char>(id)) : fmt::format("\\x{:02x}", id);
  }
}

std::string size_of(const Look& look) {
  return fmt::format("{} {} of {} {}", look.layers, look.layers == 1 ? "layer" : "layers",
                     look.heads_per_layer, look.heads_per_layer == 1 ? "head" : "heads");
}

report::Table look_table(const Look& look, const TokenNames& names, const char* blank) {
  report::Table table{.columns = {{.name = "layer"},
                                  {.name = "head"},
                                  {.name = "window", .align = report::Align::right},
                                  {.name = "mean gate", .key = "mean_gate", .digits = 3},
                                  {.name = "the last reader looks at", .unit = "share", .key = "looks_at"}}};
  for (const HeadLook& head : look.heads) {
    std::string looks_at;
    for (const int64_t place : largest(head.share)) {
      const auto at = static_cast<size_t>(place);
      looks_at += fmt::format("{1}{2}{0}at{0}{3}{0}({4}{0}%)", blank, looks_at.empty() ? "" : ", ",
                              names(look.ids[at]), place, percent(head.share[at]));
    }
    table.rows.push_back({head.layer, head.head, window_of(head), mean(head.gate), looks_at});
  }
  return table;
}

ordered_json look_json(const Look& look, const TokenNames& names) {
  ordered_json tokens = {{"count", count_of(look)}};
  const std::vector<Bin> bins = bins_of(look);
  ordered_json roll_out;
  if (has_matrix(look)) {
    const auto first = look.ids.begin() + look.from;
    tokens["from"] = look.from;
    tokens["to"] = look.to;
    tokens["ids"] = std::vector<int64_t>(first, look.ids.end());
    tokens["text"] = words_of(look, names);
    roll_out = numbers_json(Bin{look.from, look.to}.of(look.roll_out));
  } else {
    tokens["bins"] = ordered_json::array();
    for (const Bin& bin : bins) {
      tokens["bins"].push_back({bin.from, bin.to});
    }
    roll_out = json_of_bins(bins, look.roll_out, sum);
  }
  ordered_json heads = ordered_json::array();
  for (const HeadLook& head : look.heads) {
    heads.push_back(head_json(look, head, bins, names));
  }
  return {{"model",
           {{"class", "LeapForCausalLM"},
            {"layers", look.layers},
            {"heads", look.heads_per_layer},
            {"hidden_size", look.hidden_size},
            {"vocab_size", look.vocab_size},
            {"weight", look.weight},
            {"gate", look.gate},
            {"positions", look.positions}}},
          {"tokens", tokens},
          {"reader",
           {{"position", count_of(look) - 1}, {"id", look.ids.back()}, {"text", names(look.ids.back())}}},
          {"heads", heads},
          {"roll_out", roll_out}};
}

report::Page look_page(const Look& look, const TokenNames& names, const std::string& model) {
  const int64_t last = count_of(look) - 1;
  report::Page page{
      .title = "What a LEAP model looks at",
      .intro = fmt::format(
          "`{}` read {} tokens. Every token has one weight per head, the same for all that look back "
          "on it; a reader takes the mean of what lies in its window, as much of it as its gate says. "
          "Nothing here is an estimate: attention times values is the model's own readout.",
          report::one_line(model), count_of(look))};
  report::Section heads{
      .heading = "Where each head looks",
      .blocks = {
          report::Parameters{{{"model", fmt::format("{}, {} features, {} words", size_of(look),
                                                    look.hidden_size, look.vocab_size)},
                              {"focus weight, gate, positions",
                               fmt::format("{}, {}, {}", look.weight, look.gate, look.positions)},
                              {"last reader", fmt::format("{} at {}", names(look.ids.back()), last)}}},
          report::CaptionedTable{.table = look_table(look, names, "\u00a0"), .caption = "The last reader"},
          report::Figure{
              .chart = has_matrix(look) ? matrix_figure(look, names) : track_figure(look, names),
              .remark =
                  has_matrix(look)
                      ? "A row is a reader, a column a token before it. Effective attention is the "
                        "share of a token in what the reader looks at, times the reader's gate."
                      : "The text is too long for a matrix: `--from` and `--to` choose a piece of it."}}};
  report::Section all{
      .heading = "Through all layers",
      .blocks = {report::Figure{
          .chart = roll_out_figure(look, names),
          .remark = "Attention followed back from the last reader to the first layer, the mean over "
                    "heads, with the way around each layer. Norms and feed-forward parts are left "
                    "out, so this is a picture and no proof."}}};
  page.sections = {std::move(heads), std::move(all)};
  return page;
}

} // namespace mneme::cli
