// SPDX-License-Identifier: MIT

/// `mneme inspect`: shows how the attention heads of a language model work on a text, and lists the tensors
/// of a checkpoint.

#include <algorithm>
#include <cmath>
#include <optional>
#include <ostream>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/arguments.h"
#include "cli/heads_report.h"
#include "cli/inspect_report.h"
#include "cli/json_output.h"
#include "cli/leap_inspection.h"
#include "cli/numbers.h"
#include "cli/run_folder.h"
#include "cli/tensor_list.h"
#include "cli/verb.h"
#include "json/strict_json.h"
#include "learning/head_figures.h"
#include "learning/heads.h"
#include "learning/texts.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/core/file_exists.h"
#include "mneme/core/text.h"
#include "mneme/core/version.h"
#include "mneme/data/npy.h"
#include "mneme/data/read_file.h"
#include "mneme/tokens/tokenizer.h"
#include "report/text.h"

namespace mneme::cli {
namespace {

using learning::HeadsInspection;
using learning::InspectedText;

constexpr const char* kLeapType = "LeapForCausalLM";

/// The text for a transformer if none is given (Lewis Carroll, Alice's Adventures in Wonderland, 1865).
constexpr const char* kExampleText =
    "Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to "
    "do: "
    "once or twice she had peeped into the book her sister was reading, but it had no pictures or "
    "conversations "
    "in it, \"and what is the use of a book,\" thought Alice \"without pictures or conversations?\"";

std::string_view text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The text without line ends at its end: those of editors, and not of the text.
std::string_view without_line_ends(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with('\r')) {
    text.remove_suffix(1);
  }
  return text;
}

std::vector<int64_t> read_ids(const std::string& path) {
  const std::vector<std::byte> bytes = data::read_decompressed_file(path);
  return text_of(bytes).starts_with("\x93NUMPY") ? data::parse_npy_integers(bytes, path)
                                                 : learning::parse_ids(text_of(bytes), path);
}

class Inspect : public Verb {
public:
  std::string name() const override { return "inspect"; }
  std::string summary() const override {
    return "show how the attention heads of a language model work on a text, or list the tensors of a file";
  }
  TorchNeed torch_need() const override { return TorchNeed::required; }

  bool uses_seed(const Arguments&) const override { return false; }
  std::vector<std::string> completions(const std::string& option) const override {
    return option == "--texts" ? std::vector<std::string>{learning::kSdmTexts} : std::vector<std::string>();
  }
  void declare(Arguments& arguments) override {
    arguments
        .add_option("MODEL", model_,
                    "Model folder with config.json and model.safetensors (or pytorch_model.bin, model.pt, or "
                    "the index "
                    "of a sharded checkpoint), or a checkpoint file in the same folder as config.json")
        ->type_name("DIR")
        ->required();
    arguments.add_option("--key", key_, "Key of the dict of parameters in the checkpoint, such as model.ema")
        ->type_name("KEY");
    arguments
        .add_option("--tokens", tokens_,
                    "Token ids of the text: a .npy file, or a text file of integers; - for stdin. It and the "
                    "files below may be compressed with gzip")
        ->type_name("FILE");
    arguments
        .add_option(
            "--text", text_,
            "Text file; - for stdin. For a transformer (GPT-2, BERT, ALBERT), the tokenizer of the "
            "folder encodes it, and for LEAP as well if there is one; else the bytes are the token ids. "
            "Transformers have an example text")
        ->type_name("FILE");
    arguments
        .add_option(
            "--texts", texts_,
            "Text file with one text per line, for transformers; sdm for the nine texts of \"Attention "
            "Approximates Sparse Distributed Memory\", which `mneme data get sdm` downloads (a file of "
            "this name is ./sdm)")
        ->type_name("FILE");
    arguments
        .add_option("--data", data_,
                    "Folder of data sets, for --texts sdm (default: $MNEME_DATA, else $XDG_DATA_HOME/mneme, "
                    "else ~/.local/share/mneme)")
        ->type_name("DIR");
    arguments
        .add_option("--words", words_,
                    "Text file with the name of each token, one per line, starting with id 0")
        ->type_name("FILE");
    const IntegerLimits limits{.min = 0};
    add_optional(arguments, "--layer", layer_, "all", limits, "Only this layer (counted from 0)");
    add_optional(arguments, "--head", head_, "all", limits, "Only this head of each layer (counted from 0)");
    add_optional(
        arguments, "--from", from_, "0", limits,
        fmt::format("First token of the attention matrix, which has at most {} tokens", kMatrixTokens));
    add_optional(arguments, "--to", to_, "end", {.min = 1},
                 "End of the text (exclusive); the token before it is the query that is explained");
  }

  ExitCode run(Context& context) override {
    std::vector<std::string> given;
    for (const auto& [option, file] :
         {std::pair("--tokens", &tokens_), {"--text", &text_}, {"--texts", &texts_}}) {
      if (!file->empty()) {
        given.emplace_back(option);
      }
    }
    if (given.size() > 1) {
      throw UsageError(fmt::format("{} are {}given.\n  Give one of them.", fmt::join(given, " and "),
                                   given.size() == 2 ? "both " : ""));
    }
    if (!data_.empty() && texts_ != learning::kSdmTexts) {
      throw UsageError("--data has no effect without --texts sdm.\n  Leave it out.");
    }
    std::error_code unreadable;
    const bool is_of_model =
        (layer_ || head_ || from_ || to_) &&
        std::filesystem::exists(std::filesystem::path(model_).parent_path() / "config.json", unreadable);
    if (given.empty() && !is_of_model && std::filesystem::is_regular_file(model_, unreadable)) {
      return run_list(context);
    }
    const std::string type = learning::model_type_of(model_);
    if (type == "gpt2" || type == "bert" || type == "albert") {
      return run_heads(type, context);
    }
    check_model(type);
    return run_leap(context);
  }

private:
  /// Reports a model that does not exist or cannot be inspected, before options that depend on its kind.
  void check_model(const std::string& type) const {
    std::error_code unreadable;
    const std::filesystem::path model(model_);
    if (!file_exists(model)) {
      throw DataError(
          fmt::format("{}: there is no such file or folder.\n  Give a folder with config.json and "
                      "model.safetensors, or a checkpoint file.",
                      printable(model_)));
    }
    if (const nlohmann::ordered_json run = read_train_config(model);
        !run.is_null() && run.at("task") != "lm") {
      throw DataError(
          fmt::format("{}: is a run of `mneme train {}`, but a language model or a transformer was "
                      "expected.\n  `mneme inspect FILE` lists the tensors of a checkpoint; `mneme predict "
                      "RUN --bags FILE --explain` shows attention weights of bags.",
                      printable(model_), printable(run.at("task").get<std::string>())));
    }
    std::string found = type.empty() ? "" : fmt::format("\"{}\"", printable(type));
    if (const std::filesystem::path file = learning::folder_of(model) / "config.json";
        type.empty() && std::filesystem::is_regular_file(file, unreadable)) {
      const std::vector<std::byte> bytes = data::read_file(file);
      const auto config = parse_strict_json<nlohmann::json>(
          text_of(bytes), printable(file.string()), {.advice = "Is it the configuration of a model?"});
      if (config.contains("model_type") || !config.contains("hidden_size")) { // which all LEAP models have
        found = config.contains("model_type") ? "not a text" : "missing";
      }
    }
    if (!found.empty() && type != kLeapType) {
      throw DataError(
          fmt::format("{}: \"model_type\" in config.json is {}, expected \"LeapForCausalLM\", "
                      "\"gpt2\", \"bert\" or \"albert\".\n  Other kinds of models are not supported; "
                      "`mneme inspect FILE` lists the tensors of a checkpoint of any kind.",
                      printable(model_), found));
    }
  }

  /// Refuses options that have no effect here.
  void refuse_options(const std::string& subject, bool with_heads) const {
    for (const auto& [option, is_given] : {std::pair("--words", !words_.empty()),
                                           {"--from", from_.has_value()},
                                           {"--to", !with_heads && to_},
                                           {"--layer", !with_heads && layer_},
                                           {"--head", !with_heads && head_}}) {
      if (is_given) {
        throw UsageError(fmt::format("{} has no effect on {}.\n  Leave it out.", option, subject));
      }
    }
  }

  /// Settings that identify the results in a folder of --out.
  nlohmann::ordered_json identity(const std::string& type) const {
    return {
        {"verb", name()},
        {"kind", type},
        {"model", printable((std::filesystem::path(model_) / "").lexically_normal().parent_path().string())}};
  }

  void write_config(const std::filesystem::path& folder, const std::string& type) const {
    nlohmann::ordered_json config = {{"version", version()}};
    config.update(identity(type));
    write_file_atomically(folder / "config.json", report::json_text(config));
  }

  ExitCode run_list(Context& context) {
    refuse_options("a list of tensors", false);
    if (!context.options.out.empty()) {
      throw UsageError("--out has no effect on a list of tensors.\n  Use --json, or redirect the output.");
    }
    const std::vector<TensorInfo> tensors = list_tensors(model_, key_, context.progress);
    report::Table table{.columns = {{.name = "tensor"},
                                    {.name = "type"},
                                    {.name = "shape"},
                                    {.name = "bytes"},
                                    {.name = "min", .digits = 4},
                                    {.name = "max", .digits = 4},
                                    {.name = "mean", .digits = 4},
                                    {.name = "NaN", .key = "nan"},
                                    {.name = "infinite"}}};
    int64_t bytes = 0, numbers = 0, not_finite = 0;
    const auto cell = [](double value) { return std::isnan(value) ? report::Cell() : report::Cell(value); };
    for (const TensorInfo& tensor : tensors) {
      table.rows.push_back({report::one_line(tensor.name), tensor.type,
                            fmt::format("[{}]", fmt::join(tensor.shape, ", ")), tensor.bytes,
                            cell(tensor.min), cell(tensor.max), cell(tensor.mean), tensor.nans,
                            tensor.infinities});
      numbers += tensor.numbers;
      bytes += tensor.bytes;
      not_finite += tensor.nans + tensor.infinities;
    }
    if (context.options.json) {
      print_json(context.out, {{"tensors", report::to_json(table)}, {"numbers", numbers}, {"bytes", bytes}});
      return ExitCode::ok;
    }
    context.out << report::to_text(table, context.text_style())
                << fmt::format("\n{}, {}{}, {}\n", report::counted(std::ssize(tensors), "tensor"),
                               report::counted(numbers, "number"),
                               not_finite > 0 ? fmt::format(" ({} not finite)", not_finite) : "",
                               report::counted(bytes, "byte"));
    return ExitCode::ok;
  }

  bool is_example() const { return texts_.empty() && text_.empty() && tokens_.empty(); }

  /// The bytes of the file of --text.
  std::vector<std::byte> read_text_file() const {
    std::error_code unreadable;
    if (!data::is_standard_input(text_) && !std::filesystem::exists(text_, unreadable)) {
      throw DataError(fmt::format("{}: there is no such file.\n  --text takes a file. To give the text "
                                  "itself, use a pipe: `echo \"...\" | mneme inspect {} --text -`.",
                                  printable(text_), shell_path(model_)));
    }
    return data::read_decompressed_file(text_);
  }

  /// The texts of --text, --texts or --tokens, or the example text.
  std::vector<InspectedText> read_texts() const {
    if (!tokens_.empty()) {
      return {{.name = tokens_, .ids = read_ids(tokens_)}};
    }
    if (!texts_.empty()) {
      return learning::read_texts(texts_, data_);
    }
    if (text_.empty()) {
      return {{.name = "example text", .text = kExampleText}}; // cut to the positions of the model
    }
    const std::vector<std::byte> bytes = read_text_file();
    const std::string_view text = without_line_ends(text_of(bytes));
    if (text.empty()) {
      throw DataError(fmt::format("{}: the text is empty.\n  Give at least one character.", text_));
    }
    return {{.name = text_, .text = std::string(text)}};
  }

  ExitCode run_heads(const std::string& type, Context& context) {
    refuse_options("a transformer", true);
    const std::filesystem::path& folder = context.options.out;
    std::optional<RunFolder> lock;
    if (!folder.empty()) {
      lock.emplace(open_run_folder(folder, identity(type)));
    }
    const HeadsInspection inspection = learning::inspect_heads({.model = model_,
                                                                .type = type,
                                                                .key = key_,
                                                                .texts = read_texts(),
                                                                .end = to_,
                                                                .cut_to_positions = is_example(),
                                                                .layer = layer_,
                                                                .head = head_},
                                                               context.progress);
    const nlohmann::ordered_json json = heads_json(inspection);
    if (!folder.empty()) {
      write_config(folder, type);
      write_file_atomically(folder / "heads.json", report::json_text(json, 1));
      write_heads_report(folder, inspection, std::filesystem::path(model_).string());
    }
    if (context.options.json) {
      print_json(context.out, json);
      return ExitCode::ok;
    }
    for (const std::string& note : inspection.notes) {
      context.progress.message(note);
    }
    constexpr size_t kLargest = 5;
    context.out << heads_summary(inspection)
                << (is_example() ? " (an example text; give yours with --text)\n\n" : "\n\n")
                << report::to_text(learning::layers_table(learning::summaries(inspection.texts)),
                                   context.text_style())
                << '\n'
                << kinds_summary(inspection) << "\n\nLargest betas\n"
                << report::to_text(largest_betas_table(inspection, kLargest), context.text_style());
    if (!folder.empty()) {
      context.out << fmt::format("\nWritten to {}: index.html (open it in a browser), heads.csv, heads.json, "
                                 "layers.csv, figures (.vl.json, .csv)\n",
                                 report::one_line(folder.string()));
    } else {
      context.out << "\n--out DIR writes all heads as tables and as a page with figures.\n";
    }
    return ExitCode::ok;
  }

  ExitCode run_leap(Context& context) {
    std::error_code unreadable;
    if (!std::filesystem::exists(learning::folder_of(model_) / "config.json", unreadable)) {
      inspect_leap({.model = model_, .key = key_}, context.progress); // reports this before it needs a text
    }
    if (!texts_.empty()) {
      throw UsageError("--texts has no effect on this model: it is for transformers (GPT-2, BERT, ALBERT).\n "
                       " Use --text or "
                       "--tokens.");
    }
    const std::optional<tokens::Tokenizer> tokenizer = tokenizer_of_folder();
    std::string note; // printed after all errors
    InspectRequest request = read_request(tokenizer, note);
    std::optional<RunFolder> lock;
    if (!context.options.out.empty()) {
      lock.emplace(open_run_folder(context.options.out, identity(kLeapType)));
      request.tensors = context.options.out / "tensors.safetensors";
    }
    std::vector<std::string> words;
    if (!words_.empty()) {
      words = learning::read_lines(words_);
      request.num_words = static_cast<int64_t>(words.size());
      request.words_source = words_;
    } else if (tokenizer) {
      for (int32_t id = 0; id < tokenizer->vocab_size(); ++id) {
        words.emplace_back(tokenizer->token_bytes(id));
      }
    }
    const bool of_bytes = tokens_.empty() || tokens::has_tokenizer(learning::folder_of(model_));
    const TokenText kind = !words_.empty() ? TokenText::words
                           : tokenizer     ? TokenText::bpe
                           : of_bytes      ? TokenText::bytes
                                           : TokenText::ids;
    const LeapInspection inspection = inspect_leap(request, context.progress);
    if (!note.empty()) {
      context.progress.message(note);
    }
    const TokenNames names(kind, std::move(words));
    const nlohmann::ordered_json json = inspection_json(inspection, names);
    if (!context.options.out.empty()) {
      write_config(context.options.out, kLeapType);
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

  static void add_optional(Arguments& arguments, const std::string& name, std::optional<int64_t>& target,
                           const std::string& default_text, const IntegerLimits& limits,
                           const std::string& help) {
    add_parsed_option(
        arguments, name, "N", default_text,
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

  /// The tokenizer of a model folder, unless it has one token per byte.
  std::optional<tokens::Tokenizer> tokenizer_of_folder() const {
    const std::filesystem::path folder = learning::folder_of(model_);
    if (!tokens::has_tokenizer(folder)) {
      return {};
    }
    const tokens::Tokenizer tokenizer = tokens::read_tokenizer(folder);
    return tokenizer.hash() == tokens::Tokenizer::bytes().hash() ? std::nullopt : std::optional(tokenizer);
  }

  /// Ids of --text or --tokens.
  std::vector<int64_t> text_ids(const std::optional<tokens::Tokenizer>& tokenizer) const {
    if (!tokens_.empty()) {
      return read_ids(tokens_);
    }
    const std::vector<std::byte> bytes = read_text_file();
    if (!tokenizer) {
      std::vector<int64_t> ids;
      std::ranges::transform(bytes, std::back_inserter(ids),
                             [](std::byte b) { return std::to_integer<int64_t>(b); });
      return ids;
    }
    const std::vector<int32_t> ids = tokenizer->encode(without_line_ends(text_of(bytes)));
    return {ids.begin(), ids.end()};
  }

  InspectRequest read_request(const std::optional<tokens::Tokenizer>& tokenizer, std::string& note) const {
    if (tokens_.empty() && text_.empty()) {
      throw UsageError("no text is given.\n  Give one with --tokens or --text.");
    }
    InspectRequest request{.model = model_,
                           .key = key_,
                           .ids = text_ids(tokenizer),
                           .ids_source = tokens_ + text_,
                           .ids_are_bytes = tokens_.empty() && !tokenizer,
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
      note = fmt::format("{}: the line break at the end is left out; --to {} includes it", request.ids_source,
                         count);
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
    context.out << fmt::format("{}: {}, {} focus weights, {} gates, {} positions\n{}; the last token, at "
                               "position {}, is {}\n{}\n\n",
                               report::one_line(model_), size_of(inspection), inspection.weight,
                               inspection.gate, inspection.positions, report::counted(last + 1, "token"),
                               last, names.quoted(inspection.ids.back()), prediction_text(inspection, names))
                << report::to_text(inspection_table(inspection, names), context.text_style());
    if (!context.options.out.empty()) {
      context.out << fmt::format("\nWritten to {}: index.html (open it in a browser), explanation.json, "
                                 "tensors.safetensors\n",
                                 report::one_line(context.options.out.string()));
    }
  }

  std::string model_, key_, tokens_, text_, texts_, data_, words_;
  std::optional<int64_t> layer_, head_, from_, to_;
};

} // namespace

std::unique_ptr<Verb> make_inspect() {
  return std::make_unique<Inspect>();
}

} // namespace mneme::cli
