// SPDX-License-Identifier: MIT

#include "cli/eval_lm.h"

#include <optional>
#include <ostream>

#include <fmt/format.h>

#include "cli/arguments.h"
#include "cli/choices.h"
#include "cli/json_output.h"
#include "cli/language_run.h"
#include "cli/numbers.h"
#include "cli/run_folder.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "mneme/core/version.h"
#include "mneme/data/read_file.h"
#include "report/text.h"

namespace mneme::cli {
namespace {

constexpr int64_t kMaxTokens = int64_t{1} << 40;
constexpr const char* kCarry = "carry";
constexpr const char* kFull = "full";

nlohmann::ordered_json to_json(const EvalOutcome& outcome, const std::string& model,
                               language::Weights weights, const std::string& text) {
  const bool in_windows = outcome.options.protocol == language::EvalProtocol::windows;
  nlohmann::ordered_json json = {{"model", printable(model)},
                                 {"type", outcome.type},
                                 {"weights", language::name_of(weights)},
                                 {"text", printable(text)},
                                 {"protocol", outcome.protocol},
                                 {"window", nullptr},
                                 {"stride", nullptr},
                                 {"windows", outcome.result.windows},
                                 {"tokens", outcome.result.tokens},
                                 {"text_bytes", outcome.result.text_bytes},
                                 {"nats", outcome.result.nats},
                                 {"loss", outcome.result.loss()},
                                 {"perplexity", outcome.result.perplexity()},
                                 {"bits_per_byte", outcome.result.bits_per_byte()}};
  if (in_windows) {
    json["window"] = outcome.options.window;
    json["stride"] = outcome.options.stride;
  }
  return json;
}

} // namespace

void EvalLm::declare(Arguments& arguments) {
  arguments.add_option("MODEL", model_, "Model folder, as for `mneme generate`")
      ->type_name("DIR")
      ->required();
  arguments
      .add_option("--text", text_,
                  "Text file, also compressed with gzip, or token file of `mneme tokenize encode`; - for "
                  "standard input")
      ->type_name("FILE")
      ->required();
  add_choice_option(arguments, "--weights", weights_, kWeightChoices,
                    "Number format of the matrices in memory, as for `mneme generate`");
  arguments.add_flag("--parse-special", parse_special_,
                     "Special tokens in the text, such as <|endoftext|>, are tokens and not plain text");
  add_parsed_option(
      arguments, "--window", "N", "the positions of the model, or 512",
      [this](const std::string& name, const std::string& text) {
        window_ = parse_integer(name, text, {.min = 1, .max = kMaxTokens});
      },
      "Tokens of a window, which the model receives without the text before it");
  add_parsed_option(
      arguments, "--stride", "N|full|carry", "carry for models of texts of any length, else the window",
      [this](const std::string& name, const std::string& text) {
        if (text == kCarry || text == kFull) {
          protocol_ = text;
        } else if (text.find_first_of("0123456789") != std::string::npos) {
          stride_ = parse_integer(name, text, {.min = 1, .max = kMaxTokens});
        } else {
          index_of_word(name, text, {"a number of tokens", kFull, kCarry}); // throws
        }
      },
      "Tokens from the beginning of a window to that of the next one; `full`: the whole text in one window; "
      "`carry`: one state through the whole text. Every token but the first is predicted once");
}

ExitCode EvalLm::run(Context& context) const {
  if (!protocol_.empty() && window_) {
    throw UsageError(
        fmt::format("--window {} with --stride {}: there are no windows in this protocol.\n  Leave "
                    "out one of them.",
                    *window_, protocol_));
  }
  if (window_ && stride_ && *stride_ > *window_) {
    throw UsageError(
        fmt::format("--stride {} is larger than --window {}: tokens would not be predicted.\n  Give "
                    "a stride of at most the window.",
                    *stride_, *window_));
  }
  const std::vector<std::byte> bytes = data::read_decompressed_file(text_);
  EvalRequest request{.model = model_,
                      .weights = weights_,
                      .text = {reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                      .text_source = text_,
                      .parse_special = parse_special_,
                      .window = window_,
                      .stride = stride_};
  if (!protocol_.empty()) {
    request.protocol = protocol_ == kCarry ? language::EvalProtocol::carry : language::EvalProtocol::full;
  }
  const std::filesystem::path& folder = context.options.out;
  const nlohmann::ordered_json identity = {{"verb", "eval lm"},
                                           {"model", printable(model_)},
                                           {"weights", language::name_of(weights_)},
                                           {"text", printable(text_)}};
  std::optional<RunFolder> lock;
  if (!folder.empty()) {
    lock.emplace(open_run_folder(folder, identity));
  }
  const EvalOutcome outcome = evaluate_text(request, context.progress);
  const nlohmann::ordered_json json = to_json(outcome, model_, weights_, text_);
  if (!folder.empty()) {
    nlohmann::ordered_json config = {{"version", version()}};
    config.update(identity);
    write_file_atomically(folder / "config.json", report::json_text(config));
    write_file_atomically(folder / "eval.json", report::json_text(json));
  }
  if (context.options.json) {
    print_json(context.out, json);
    return ExitCode::ok;
  }
  const language::EvalResult& result = outcome.result;
  context.out << fmt::format("{} ({}, {} weights) on {}\n", report::one_line(model_), outcome.type,
                             language::name_of(weights_), report::one_line(text_))
              << fmt::format("protocol       {} ({} {})\n", outcome.protocol, result.windows,
                             result.windows == 1 ? "window" : "windows")
              << fmt::format("predicted      {} tokens, {} bytes of text\n", result.tokens, result.text_bytes)
              << fmt::format("loss           {:.6f} nats per token\n", result.loss())
              << fmt::format("perplexity     {:.6g}\n", result.perplexity())
              << (result.text_bytes > 0 ? fmt::format("bits per byte  {:.6f}\n", result.bits_per_byte())
                                        : "");
  return ExitCode::ok;
}

} // namespace mneme::cli
