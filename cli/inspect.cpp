// SPDX-License-Identifier: MIT

/// `mneme inspect`: shows the attention weights and gates of a LEAP language model on a text.

#include <algorithm>
#include <charconv>
#include <ostream>
#include <string_view>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/inspect_report.h"
#include "cli/json_output.h"
#include "cli/leap_inspection.h"
#include "cli/numbers.h"
#include "cli/run_folder.h"
#include "cli/verb.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/core/version.h"
#include "mneme/data/npy.h"
#include "mneme/data/read_file.h"
#include "report/text.h"

namespace mneme::cli {
namespace {

constexpr int64_t kMaxTokens = int64_t{1} << 40;

std::string_view text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Parses integers separated by spaces, newlines or commas. `name` is the file, for messages.
std::vector<int64_t> parse_ids(std::string_view text, const std::string& name) {
  constexpr std::string_view kSeparators = " \t\r\n,";
  std::vector<int64_t> ids;
  for (size_t at = text.find_first_not_of(kSeparators); at != std::string_view::npos;) {
    const size_t end = std::min(text.find_first_of(kSeparators, at), text.size());
    const std::string_view word = text.substr(at, end - at);
    int64_t id = 0;
    const auto [rest, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc() || rest != word.data() + word.size()) {
      throw DataError(fmt::format(
          "{}: byte {}: \"{}\" is not an integer.\n  Give token ids separated by spaces, commas or "
          "newlines, or a .npy file of token ids.",
          name, at, report::one_line(word.substr(0, 24))));
    }
    ids.push_back(id);
    at = text.find_first_not_of(kSeparators, end);
  }
  return ids;
}

std::vector<int64_t> read_ids(const std::string& path, bool as_bytes) {
  const std::vector<std::byte> bytes = data::read_file(path);
  if (!as_bytes) {
    return text_of(bytes).starts_with("\x93NUMPY") ? data::parse_npy_integers(bytes, path)
                                                   : parse_ids(text_of(bytes), path);
  }
  std::vector<int64_t> ids;
  ids.reserve(bytes.size());
  std::ranges::transform(bytes, std::back_inserter(ids),
                         [](std::byte b) { return std::to_integer<int64_t>(b); });
  return ids;
}

std::vector<std::string> read_lines(const std::string& path) {
  const std::vector<std::byte> bytes = data::read_file(path);
  std::vector<std::string> lines;
  for (std::string_view rest = text_of(bytes); !rest.empty();) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    line.remove_suffix(line.ends_with('\r') ? 1 : 0);
    lines.emplace_back(line);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return lines;
}

class Inspect : public Verb {
public:
  std::string name() const override { return "inspect"; }
  std::string summary() const override {
    return "show the attention weights and gates of a LEAP language model on a text";
  }
  TorchNeed torch_need() const override { return TorchNeed::required; }

  bool uses_seed(const CLI::App&) const override { return false; }
  void declare(CLI::App& app) override {
    app.add_option("MODEL", model_,
                   "Model folder with config.json and model.safetensors (or pytorch_model.bin, model.pt, or "
                   "the index "
                   "of a sharded checkpoint), or a checkpoint file in the same folder as config.json")
        ->type_name("DIR")
        ->required();
    app.add_option("--key", key_, "Key of the dict of parameters in the checkpoint, such as model.ema")
        ->type_name("KEY");
    app.add_option("--tokens", tokens_,
                   "Token ids of the text: a .npy file, or a text file of integers; - for stdin")
        ->type_name("FILE");
    app.add_option("--text", text_,
                   "Text file whose bytes are the token ids, for byte-level models; - for stdin")
        ->type_name("FILE");
    app.add_option("--words", words_,
                   "Text file with the name of each token, one per line, starting with id 0")
        ->type_name("FILE");
    const IntegerLimits limits{.min = 0, .max = kMaxTokens};
    add_optional(app, "--layer", layer_, "all", limits, "Only this layer (counted from 0)");
    add_optional(app, "--head", head_, "all", limits, "Only this head of each layer (counted from 0)");
    add_optional(
        app, "--from", from_, "0", limits,
        fmt::format("First token of the attention matrix, which has at most {} tokens", kMatrixTokens));
    add_optional(app, "--to", to_, "end", {.min = 1, .max = kMaxTokens},
                 "End of the text (exclusive); the token before it is the query that is explained");
  }

  ExitCode run(Context& context) override {
    InspectRequest request = read_request(context.progress);
    if (!context.options.out.empty()) {
      open_run_folder(context.options.out, {{"verb", name()}});
      request.tensors = context.options.out / "tensors.safetensors";
    }
    std::vector<std::string> words;
    if (!words_.empty()) {
      words = read_lines(words_);
      request.num_words = static_cast<int64_t>(words.size());
      request.words_source = words_;
    }
    const LeapInspection inspection = inspect_leap(request, context.progress);
    const TokenNames names(std::move(words), request.ids_are_bytes);
    const nlohmann::ordered_json json = inspection_json(inspection, names);
    if (!context.options.out.empty()) {
      const nlohmann::ordered_json config = {{"version", version()}, {"verb", name()}};
      write_file_atomically(context.options.out / "config.json", report::json_text(config));
      write_file_atomically(context.options.out / "explanation.json", report::json_text(json, 1));
      report::write_page(context.options.out / "index.html",
                         inspection_page(inspection, names, std::filesystem::path(model_).string()));
    }
    if (context.options.json) {
      print_json(context.out, json);
    } else {
      show(inspection, names, context);
    }
    return ExitCode::ok;
  }

private:
  static void add_optional(CLI::App& app, const std::string& name, std::optional<int64_t>& target,
                           const std::string& default_text, const IntegerLimits& limits,
                           const std::string& help) {
    add_parsed_option(
        app, name, "N", default_text,
        [&target, limits](const std::string& option, const std::string& text) {
          target = parse_integer(option, text, limits);
        },
        help);
  }

  /// The number of bytes of the line break at the end of a text, which most editors add: as the last token it
  /// would be the one that is explained.
  static int64_t final_line_break(const std::vector<int64_t>& ids) {
    const size_t count = ids.size();
    if (count < 2 || ids[count - 1] != '\n') {
      return 0;
    }
    return count > 2 && ids[count - 2] == '\r' ? 2 : 1;
  }

  InspectRequest read_request(Progress& progress) const {
    if (tokens_.empty() == text_.empty()) {
      throw UsageError(tokens_.empty() ? "no text is given.\n  Give one with --tokens or --text."
                                       : "--tokens and --text are both given.\n  Leave out one of them.");
    }
    InspectRequest request{.model = model_,
                           .key = key_,
                           .ids = read_ids(tokens_ + text_, tokens_.empty()),
                           .ids_source = tokens_ + text_,
                           .ids_are_bytes = tokens_.empty(),
                           .layer = layer_,
                           .head = head_,
                           .from = from_.value_or(0),
                           .tensors = {}};
    const auto count = static_cast<int64_t>(request.ids.size());
    if (count == 0) {
      throw DataError(
          fmt::format("{}: the text has no tokens.\n  Give at least one token.", request.ids_source));
    }
    const int64_t left_out = request.ids_are_bytes && !to_ ? final_line_break(request.ids) : 0;
    if (left_out > 0) {
      progress.message(fmt::format("{}: the line break at the end is left out; --to {} includes it",
                                   request.ids_source, count));
    }
    const int64_t to = to_.value_or(count - left_out);
    if (to > count || request.from >= to) {
      throw UsageError(
          fmt::format("--from {} --to {}: the text has {} tokens.\n  Tokens are counted from 0, and --to is "
                      "exclusive.",
                      request.from, to, count));
    }
    if (from_ && to - request.from > kMatrixTokens) {
      throw UsageError(fmt::format(
          "--from {} --to {}: this range has {} tokens, but the attention matrix has at most {}.\n  "
          "Choose a shorter range; without --from, long texts are shown in bins of tokens.",
          request.from, to, to - request.from, kMatrixTokens));
    }
    request.ids.resize(static_cast<size_t>(to)); // tokens after --to are not passed to the model
    return request;
  }

  void show(const LeapInspection& inspection, const TokenNames& names, Context& context) const {
    const auto last = static_cast<int64_t>(inspection.ids.size()) - 1;
    context.out << fmt::format("{}: {}, {} focus weights, {} gates, {} positions\n{} {}; the last token, at "
                               "position {}, is {}\n{}\n\n",
                               report::one_line(model_), size_of(inspection), inspection.weight,
                               inspection.gate, inspection.positions, last + 1,
                               last == 0 ? "token" : "tokens", last, names(inspection.ids.back()),
                               prediction_text(inspection, names))
                << report::to_text(inspection_table(inspection, names), {.colour = context.colour});
    if (!context.options.out.empty()) {
      context.out << fmt::format("\nWritten to {}: index.html (open it in a browser), explanation.json, "
                                 "tensors.safetensors\n",
                                 report::one_line(context.options.out.string()));
    }
  }

  std::string model_, key_, tokens_, text_, words_;
  std::optional<int64_t> layer_, head_, from_, to_;
};

} // namespace

std::unique_ptr<Verb> make_inspect() {
  return std::make_unique<Inspect>();
}

} // namespace mneme::cli
