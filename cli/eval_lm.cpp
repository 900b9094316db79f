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
#include "report/text.h"

namespace mneme::cli {
namespace {

constexpr int64_t kMaxTokens = int64_t{1} << 40;
constexpr const char* kCarry = "carry";
constexpr const char* kFull = "full";

/// The name of a single file, a list of several.
nlohmann::ordered_json names_of(const std::vector<std::string>& paths) {
  nlohmann::ordered_json names = nlohmann::ordered_json::array();
  for (const std::string& path : paths) {
    names.push_back(printable(path));
  }
  return names.size() == 1 ? names.front() : names;
}

nlohmann::ordered_json to_json(const EvalOutcome& outcome, const std::string& model,
                               language::Weights weights, const std::vector<std::string>& texts) {
  const bool in_windows = outcome.options.protocol == language::EvalProtocol::windows;
  nlohmann::ordered_json json = {{"model", printable(model)},
                                 {"type", outcome.type},
                                 {"weights", language::name_of(weights)},
                                 {"text", names_of(texts)},
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

/// All options with their values.
nlohmann::ordered_json parameters_of(const EvalRequest& request, const EvalOutcome& outcome) {
  const TextFiles& text = request.text;
  nlohmann::ordered_json window, stride = outcome.protocol;
  if (outcome.options.protocol == language::EvalProtocol::windows) {
    window = outcome.options.window;
    stride = outcome.options.stride;
  }
  return {{"model", printable(request.model.string())},
          {"text", names_of(text.paths)},
          {"field",
           text.field.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(printable(text.field))},
          {"token_type", name_of(text.content)},
          {"weights", language::name_of(request.weights)},
          {"parse_special", request.parse_special},
          {"add_special", request.add_special},
          {"window", window},
          {"stride", stride}};
}

/// The number of tokens in a row of the training, if the model is of a run of `mneme train lm`.
std::optional<int64_t> length_of_training(const std::string& model) {
  const nlohmann::ordered_json run = read_train_config(model);
  const nlohmann::ordered_json::json_pointer place("/training/length");
  return !run.is_null() && run.contains(place) && run.at(place).is_number_integer()
             ? std::optional(run.at(place).get<int64_t>())
             : std::nullopt;
}

/// Reports that a text is read as a whole which is longer than the rows of the training.
void note_longer_text(const std::string& model, const EvalOutcome& outcome, Progress& progress) {
  const std::optional<int64_t> length = length_of_training(model);
  if (length && outcome.options.protocol != language::EvalProtocol::windows &&
      outcome.result.tokens > *length) {
    progress.message(
        fmt::format("The model reads this text of {} tokens as a whole, but was trained on rows of "
                    "{}; --window {} measures it on texts of that length.",
                    outcome.result.tokens + 1, *length, *length));
  }
}

} // namespace

void EvalLm::declare(Arguments& arguments) {
  arguments.add_option("MODEL", model_, "Model folder, as for `mneme generate`")
      ->type_name("DIR")
      ->required();
  add_text_option(
      arguments, text_.paths,
      "Text files or wildcards such as '*.txt', also compressed with gzip, or token files of "
      "`mneme tokenize encode`; - is standard input. Files are separated by the end-of-text token "
      "if the tokenizer has one")
      ->required();
  add_field_option(arguments, text_.field);
  add_content_option(arguments, text_.content);
  add_choice_option(arguments, "--weights", weights_, kWeightChoices,
                    "Number format of the matrices in memory, as for `mneme generate`");
  arguments.add_flag("--parse-special", parse_special_,
                     "Special tokens in the text, such as <|endoftext|>, are tokens and not plain text");
  arguments.add_flag(
      "--add-special", add_special_,
      "Add the tokens that the tokenizer puts around a text, such as <|begin_of_text|> of Llama "
      "3, to every text that it encodes");
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

ExitCode EvalLm::run(Context& context) {
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
  text_.paths = expanded(text_.paths);
  EvalRequest request{.model = model_,
                      .weights = weights_,
                      .text = text_,
                      .parse_special = parse_special_,
                      .add_special = add_special_,
                      .window = window_,
                      .stride = stride_};
  if (!protocol_.empty()) {
    request.protocol = protocol_ == kCarry ? language::EvalProtocol::carry : language::EvalProtocol::full;
  }
  const std::filesystem::path& folder = context.options.out;
  nlohmann::ordered_json identity = {{"verb", "eval lm"},
                                     {"model", printable(model_)},
                                     {"weights", language::name_of(weights_)},
                                     {"text", names_of(text_.paths)}};
  if (!text_.field.empty()) { // earlier versions had no such option
    identity["field"] = printable(text_.field);
  }
  if (text_.content != FileContent::automatic) {
    identity["token_type"] = name_of(text_.content);
  }
  if (add_special_) {
    identity["add_special"] = true;
  }
  std::optional<RunFolder> lock;
  if (!folder.empty()) {
    lock.emplace(open_run_folder(folder, identity));
  }
  const EvalOutcome outcome = evaluate_text(request, context.progress);
  note_longer_text(model_, outcome, context.progress);
  const nlohmann::ordered_json json = to_json(outcome, model_, weights_, text_.paths);
  if (!folder.empty()) {
    nlohmann::ordered_json config = {{"version", version()}};
    config.update(identity);
    write_file_atomically(folder / "config.json", report::json_text(config));
    write_file_atomically(folder / "eval.json", report::json_text(json));
  }
  if (context.options.json) {
    nlohmann::ordered_json document = {{"parameters", parameters_of(request, outcome)}};
    document.update(json);
    print_json(context.out, document);
    return ExitCode::ok;
  }
  const language::EvalResult& result = outcome.result;
  const std::string& first = text_.paths.front();
  const std::string text =
      outcome.joined.empty()
          ? first
          : fmt::format("{}{} ({})", first, text_.paths.size() > 1 ? ", ..." : "", outcome.joined);
  context.out << fmt::format("{} ({}, {} weights) on {}\n", report::one_line(model_), outcome.type,
                             language::name_of(weights_), report::one_line(text))
              << fmt::format("protocol       {} ({})\n", outcome.protocol,
                             report::counted(result.windows, "window"))
              << fmt::format("predicted      {}, {} of text\n", report::counted(result.tokens, "token"),
                             report::counted(result.text_bytes, "byte"))
              << fmt::format("loss           {:.6f} nats per token\n", result.loss())
              << fmt::format("perplexity     {:.6g}\n", result.perplexity())
              << (result.text_bytes > 0 ? fmt::format("bits per byte  {:.6f}\n", result.bits_per_byte())
                                        : "");
  return ExitCode::ok;
}

} // namespace mneme::cli
