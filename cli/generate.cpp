// SPDX-License-Identifier: MIT

/// `mneme generate`: continues a text with a language model.

#include <algorithm>
#include <chrono>
#include <ostream>

#include <fmt/format.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/choices.h"
#include "cli/json_output.h"
#include "cli/language_run.h"
#include "cli/numbers.h"
#include "cli/output_file.h"
#include "cli/verb.h"
#include "mneme/core/error.h"
#include "mneme/data/read_file.h"
#include "mneme/data/safetensors.h"
#include "report/text.h"

namespace mneme::cli {
namespace {

constexpr int64_t kMaxTokens = int64_t{1} << 40;
constexpr int64_t kMaxSamples = 100'000;

std::string read_text(const std::string& path) {
  const std::vector<std::byte> bytes = data::read_decompressed_file(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class Generate : public Verb {
public:
  std::string name() const override { return "generate"; }
  std::string summary() const override { return "continue a text with a language model"; }
  TorchNeed torch_need() const override { return TorchNeed::required; }
  bool writes_files() const override { return false; }

  void declare(Arguments& arguments) override {
    arguments
        .add_option(
            "MODEL", model_,
            "Model folder: config.json, model.safetensors (or shards, pytorch_model.bin, model.pt) and "
            "tokenizer.json (or vocab.json and merges.txt; without them, one token per byte)")
        ->type_name("DIR")
        ->required();
    add_choice_option(
        arguments, "--weights", request_.weights, kWeightChoices,
        "Number format of the matrices in memory. int8 reads a quarter of the memory per token; "
        "the text may differ from that of float32. Not for LSTM");
    prompt_option_ = arguments.add_option("-p,--prompt", prompt_,
                                          "Text to continue (default: standard input); empty: begin with the "
                                          "token that the model folder names, "
                                          "or with the end-of-text token");
    prompt_option_->type_name("TEXT");
    arguments
        .add_option(
            "-f,--file", file_,
            "File whose bytes are the text to continue, also compressed with gzip; - for standard input")
        ->type_name("FILE");
    arguments.add_flag("--parse-special", request_.parse_special,
                       "Special tokens in the prompt, such as <|endoftext|>, are tokens and not plain text");
    arguments.add_flag("--add-special", request_.add_special,
                       "Begin with the tokens that the tokenizer puts before a text, such as "
                       "<|begin_of_text|> of Llama 3");
    add_integer_option(arguments, "-n,--tokens", request_.max_tokens, {.min = 0, .max = kMaxTokens},
                       "Number of tokens to generate, if the text does not end before");
    add_integer_option(arguments, "--samples", request_.samples, {.min = 1, .max = kMaxSamples},
                       "Number of continuations of the prompt");
    arguments
        .add_option("--stop", request_.stop_strings,
                    "Text at which the continuation ends; it is not printed. May be given several times")
        ->type_name("TEXT")
        ->repeatable();
    arguments.add_flag(
        "--ignore-end", request_.ignore_end,
        "Do not end at the tokens that the model folder or the tokenizer names as ends of a text");
    declare_sampler(arguments);
    arguments
        .add_option("--state-in", state_in_,
                    "Continue the text whose state this file contains (from --state-out). The prompt, if "
                    "any, is added "
                    "to it; a pipe on standard input that stays silent for a second is not read")
        ->type_name("FILE");
    arguments
        .add_option("--state-out", state_out_,
                    "Write the state of the text to this file. Its size does not depend on the length of the "
                    "text with a recurrent model (LEAP, LSTM)")
        ->type_name("FILE");
  }

  ExitCode run(Context& context) override {
    request_.model = model_;
    request_.seed = context.options.seed;
    request_.state_in = state_in_;
    request_.state_out = state_out_;
    if (!state_out_.empty() && request_.samples > 1) {
      throw UsageError(fmt::format("--state-out with --samples {}: a state is that of one text.\n  Leave out "
                                   "one of them.",
                                   request_.samples));
    }
    if (request_.add_special && !state_in_.empty()) {
      throw UsageError(
          "--add-special with --state-in: the text of the state has begun already.\n  Leave out one "
          "of them.");
    }
    check_sampler(context.options.seed_is_given);
    if (!state_out_.empty()) {
      require_replaceable({.option = "--state-out",
                           .path = state_out_,
                           .inputs = {file_},
                           .kind = "the state of a text",
                           .is_of_kind = has_state});
    }
    read_prompt(context.progress);
    const bool json = context.options.json;
    int64_t printed = -1;
    char last = '\n';
    const auto print = [&](int64_t sample, std::string_view text) {
      if (json) {
        return;
      }
      if (sample != printed && request_.samples > 1) {
        context.out << fmt::format("{}--- sample {} of {} ---\n", last == '\n' ? "" : "\n", sample + 1,
                                   request_.samples);
      }
      printed = sample;
      last = text.back();
      context.out << text << std::flush;
    };
    const GenerateOutcome outcome = generate_text(request_, context.progress, print);
    if (json) {
      print_json(context.out, to_json(outcome));
      return ExitCode::ok;
    }
    if (last != '\n' && (request_.samples > 1 || isatty(STDOUT_FILENO) != 0)) {
      context.out << '\n' << std::flush;
    }
    if (!context.options.quiet) {
      context.progress.message(statistics(outcome));
    }
    return ExitCode::ok;
  }

private:
  /// Errors  UsageError for an option without effect
  void check_sampler(bool seed_is_given) const {
    const language::SamplerOptions& sampler = request_.sampler;
    if (repeat_last_->count() > 0 && sampler.repeat_penalty == 1 && state_out_.empty()) {
      throw UsageError(
          "--repeat-last has no effect without --repeat-penalty.\n  Give a penalty, such as 1.1, or "
          "leave it out.");
    }
    if (sampler.temperature > 0) {
      return;
    }
    const auto fail_if = [](bool given, const std::string& name) {
      if (given) {
        throw UsageError(
            fmt::format("{} has no effect with --temperature 0, which always takes the most probable "
                        "token.\n  Leave out one of them.",
                        name));
      }
    };
    fail_if(seed_is_given, "--seed");
    for (const Option* option : of_random_tokens_) {
      fail_if(option->count() > 0, option->name());
    }
    if (request_.samples > 1) {
      throw UsageError(
          fmt::format("--samples {} with --temperature 0: all samples would be the same text.\n  "
                      "Leave out one of them.",
                      request_.samples));
    }
  }

  void declare_sampler(Arguments& arguments) {
    const std::string group = "Selection of the next token, in this order (temperature last)";
    language::SamplerOptions& sampler = request_.sampler;
    const RealLimits fraction{.min = 0, .max = 1};
    add_real_option(arguments, "--repeat-penalty", sampler.repeat_penalty, {.min = 0.001, .max = 1000},
                    "Divide positive logits of recent tokens by this, and multiply negative ones; 1 = none")
        ->group(group);
    repeat_last_ = add_integer_option(
        arguments, "--repeat-last", sampler.repeat_last, {.min = 0, .max = kMaxTokens},
        "Number of recent tokens that --repeat-penalty applies to, the prompt included; 0 = all");
    repeat_last_->group(group);
    of_random_tokens_.push_back(add_integer_option(arguments, "--top-k", sampler.top_k,
                                                   {.min = 0, .max = kMaxTokens},
                                                   "Keep the K most probable tokens; 0 = all"));
    of_random_tokens_.push_back(
        add_real_option(arguments, "--top-p", sampler.top_p, {.min = 0, .max = 1, .min_included = false},
                        "Keep the fewest most probable tokens whose probabilities add up to P"));
    of_random_tokens_.push_back(
        add_real_option(arguments, "--min-p", sampler.min_p, fraction,
                        "Keep tokens with at least P times the probability of the most probable one"));
    add_real_option(arguments, "--temperature", sampler.temperature, {.min = 0, .max = 1e6},
                    "Divide logits by this; 0 = always the most probable token")
        ->group(group);
    of_random_tokens_.push_back(
        arguments.add_flag("--hf-order", sampler.hf_order,
                           "Apply the temperature before --top-k, as the library transformers does"));
    for (Option* option : of_random_tokens_) {
      option->group(group);
    }
  }

  /// Whether a file was written by --state-out.
  static bool has_state(const std::filesystem::path& file) {
    try {
      return data::read_safetensors_header(data::InputFile(file)).metadata.contains("context_format");
    } catch (const DataError&) { // another format
      return false;
    }
  }

  void read_prompt(Progress& progress) {
    const bool has_prompt = prompt_option_->count() > 0;
    if (has_prompt && !file_.empty()) {
      throw UsageError("--prompt and --file are both given.\n  Leave out one of them.");
    }
    if (has_prompt) {
      request_.prompt = prompt_;
      request_.prompt_source = "--prompt";
    } else if (!file_.empty()) {
      request_.prompt = read_text(file_);
      request_.prompt_source = file_;
    } else if (state_in_.empty()) {
      if (isatty(STDIN_FILENO) != 0) {
        throw UsageError("no prompt is given.\n  Give a text with --prompt, a file with --file, or a text on "
                         "standard input.");
      }
      request_.prompt = read_text("-");
      request_.prompt_source = "standard input";
    } else {
      add_standard_input(progress);
    }
  }

  /// The prompt of a state, which needs none. Does not wait for a pipe that another program keeps open
  /// without writing to it, as many schedulers do.
  void add_standard_input(Progress& progress) {
    constexpr std::chrono::seconds kWait{1};
    if (const auto bytes = data::read_optional_standard_input(kWait)) {
      request_.prompt.assign(reinterpret_cast<const char*>(bytes->data()), bytes->size());
      request_.prompt_source = "standard input";
    } else {
      progress.message("Standard input is open but had no data for a second: the text continues without a "
                       "prompt. To wait for one, give --file -; for none, --prompt \"\" or < /dev/null.");
    }
  }

  nlohmann::ordered_json to_json(const GenerateOutcome& outcome) const {
    const language::SamplerOptions& sampler = request_.sampler;
    nlohmann::ordered_json samples = nlohmann::ordered_json::array();
    for (const GeneratedSample& sample : outcome.samples) {
      samples.push_back({{"text", sample.text},
                         {"end", sample.reason},
                         {"ids", sample.ids},
                         {"probabilities", sample.probabilities}});
    }
    return {{"model", model_},
            {"type", outcome.type},
            {"weights", language::name_of(request_.weights)},
            {"seed", request_.seed},
            {"sampler",
             {{"repeat_penalty", sampler.repeat_penalty},
              {"repeat_last", sampler.repeat_last},
              {"top_k", sampler.top_k},
              {"top_p", sampler.top_p},
              {"min_p", sampler.min_p},
              {"temperature", sampler.temperature},
              {"hf_order", sampler.hf_order}}},
            {"earlier_tokens", outcome.earlier_tokens},
            {"prompt_tokens", outcome.prompt_tokens},
            {"prompt", request_.prompt},
            {"end_tokens", outcome.end_tokens},
            {"samples", samples},
            {"timing", {{"prompt_seconds", outcome.prompt_seconds}, {"seconds", outcome.seconds}}}};
  }

  /// "200 tokens, seed 1, 150 tokens/s; ended at an end token"
  std::string statistics(const GenerateOutcome& outcome) const {
    int64_t tokens = 0;
    for (const GeneratedSample& sample : outcome.samples) {
      tokens += static_cast<int64_t>(sample.ids.size());
    }
    std::string line = fmt::format("{} after a prompt of {}, seed {}, {:.0f} tokens/s",
                                   report::counted(tokens, "token"), outcome.prompt_tokens, request_.seed,
                                   static_cast<double>(tokens) / std::max(outcome.seconds, 1e-9));
    if (request_.samples == 1) {
      const std::string& reason = outcome.samples.front().reason;
      line += reason == "end-of-text"   ? "; ended at an end token"
              : reason == "stop-string" ? "; ended at a --stop text"
              : reason == "max-length"  ? "; ended because the model has no more positions"
                                        : "";
    }
    return line;
  }

  std::string model_, prompt_, file_, state_in_, state_out_;
  Option* prompt_option_ = nullptr; ///< an empty prompt is a prompt, too
  Option* repeat_last_ = nullptr;
  std::vector<Option*> of_random_tokens_; ///< options without effect if the most probable token is taken
  GenerateRequest request_{.max_tokens = 200, .stop_strings = {}};
};

} // namespace

std::unique_ptr<Verb> make_generate() {
  return std::make_unique<Generate>();
}

} // namespace mneme::cli
