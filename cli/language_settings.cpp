// SPDX-License-Identifier: MIT

#include "cli/language_settings.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/arguments.h"
#include "cli/bytes.h"
#include "cli/choices.h"
#include "cli/numbers.h"
#include "cli/run_folder.h"
#include "mneme/core/error.h"
#include "mneme/core/machine.h"
#include "mneme/core/sha256.h"
#include "mneme/core/text.h"
#include "report/text.h"

namespace mneme::cli {
namespace {

using Json = nlohmann::ordered_json;
using training::RateSchedule;

constexpr IntegerLimits kSize{.min = 1, .max = 1'000'000};
constexpr IntegerLimits kSteps{.min = 1, .max = 1'000'000'000'000};
constexpr IntegerLimits kEvery{.min = 0, .max = 1'000'000'000'000};

const std::vector<std::pair<std::string, RateSchedule>> kRateSchedules = {
    {"cosine", RateSchedule::cosine}, {"wsd", RateSchedule::wsd}, {"constant", RateSchedule::constant}};

const std::vector<std::pair<std::string, ProductPrecision>> kPrecisions = {
    {"float32", ProductPrecision::float32}, {"bfloat16", ProductPrecision::bfloat16}};

const std::string& name_of(RateSchedule schedule) {
  return std::ranges::find(kRateSchedules, schedule, &std::pair<std::string, RateSchedule>::second)->first;
}
const std::string& name_of(ProductPrecision precision) {
  return std::ranges::find(kPrecisions, precision, &std::pair<std::string, ProductPrecision>::second)->first;
}

Option* add_optional_integer(Arguments& arguments, const std::string& name, std::optional<int64_t>& target,
                             const IntegerLimits& limits, const std::string& default_text,
                             const std::string& help) {
  return add_parsed_option(
      arguments, name, "N", default_text,
      [&target, limits](const std::string& option, const std::string& text) {
        target = parse_integer(option, text, limits);
      },
      help);
}

std::vector<int32_t> tokens_of(const std::vector<std::string>& paths, const LanguageOptions& options,
                               const tokens::Tokenizer& tokenizer) {
  const bool is_named = !options.tokenizer.empty() || !options.init.empty();
  std::vector<int32_t> all;
  Progress silent;
  encode_files({expanded(paths), options.field, options.content}, tokenizer, {},
               is_named
                   ? ""
                   : "Without --tokenizer, a token is a byte: name the tokenizer with which the file was "
                     "written with --tokenizer.",
               silent, [&](std::span<const int32_t> ids) { all.insert(all.end(), ids.begin(), ids.end()); });
  return all;
}

std::string sha256_of(const std::vector<int32_t>& ids, const tokens::Tokenizer& tokenizer) {
  constexpr size_t kBlock = 1 << 20;
  Sha256 hash;
  for (size_t first = 0; first < ids.size(); first += kBlock) {
    hash.add(tokenizer.decode(std::span(ids).subspan(first, std::min(kBlock, ids.size() - first))));
  }
  return hash.digits();
}

/// "5%" as a fraction, or a number of steps.
void set_warmup(const std::string& text, learning::LanguageRun& run) {
  if (text.ends_with('%')) {
    run.warmup_fraction =
        parse_real("--warmup", std::string_view(text).substr(0, text.size() - 1), {.min = 0, .max = 100}) /
        100;
  } else {
    run.warmup_steps = parse_integer("--warmup", text, kEvery);
  }
}

std::string limit_of(const LanguageOptions& options, const learning::LanguageRun& run) {
  if (options.tokens) {
    return fmt::format("{} tokens", *options.tokens);
  }
  // run.steps may also be the number that an earlier plan has computed from the minutes.
  const bool has_steps = options.steps || (options.overfit_one_batch && !options.minutes);
  return has_steps ? fmt::format("{} steps", *run.steps) : fmt::format("{:g} minutes", run.minutes);
}

training::LanguageModelSize size_of(const LanguageOptions& options) {
  if (options.model == "lstm" && options.heads) {
    throw UsageError("--heads: an LSTM has no heads.\n  Leave it out.");
  }
  training::LanguageModelSize size = training::language_preset(options.preset, options.model);
  size.layers = options.layers.value_or(size.layers);
  size.width = options.width.value_or(size.width);
  size.heads = options.heads.value_or(size.heads);
  size.length = options.length.value_or(size.length);
  size.positions = options.positions;
  if (size.positions != "learned" && options.model != "leap" && options.model != "matrix-leap") {
    throw UsageError(fmt::format("--positions {}: only leap and matrix-leap have a choice.\n  Leave it out.",
                                 size.positions));
  }
  if (size.positions == "rotary" && options.model == "matrix-leap") {
    throw UsageError("--positions rotary: matrix-leap does not have it.\n  Choose decay, or --model leap.");
  }
  if (options.model != "lstm" && size.width % size.heads != 0) {
    throw UsageError(fmt::format("--width is {}, but must be a multiple of the number of heads, {}.\n  Use "
                                 "{}, or other --heads.",
                                 size.width, size.heads,
                                 std::max<int64_t>(1, size.width / size.heads) * size.heads));
  }
  return size;
}

std::string duration(double seconds) {
  if (seconds < 1) {
    return fmt::format("{:.0f} ms", 1e3 * seconds);
  }
  return seconds < 120    ? fmt::format("{:.3g} s", seconds)
         : seconds < 7200 ? fmt::format("{:.1f} min", seconds / 60)
                          : fmt::format("{:.1f} h", seconds / 3600);
}

/// Length of the rows that the model in a folder was trained on, if its config.json contains it.
std::optional<int64_t> trained_length(const std::filesystem::path& folder) {
  const Json config = read_run_config(folder, "lm");
  const Json::json_pointer place("/training/length");
  if (config.is_null() || !config.contains(place) || !config.at(place).is_number_integer()) {
    return std::nullopt;
  }
  const auto length = config.at(place).get<int64_t>();
  return length > 0 ? std::optional(length) : std::nullopt;
}

std::string every(int64_t steps) {
  return steps == 0 ? "never" : steps == 1 ? "every step" : fmt::format("every {} steps", steps);
}

} // namespace

void LanguageOptions::declare(Arguments& arguments) {
  add_text_option(arguments, text,
                  "Text files or wildcards such as '*.txt' to train on, also compressed with gzip, or token "
                  "files of `mneme tokenize encode`. Files are separated by the end-of-text token; they are "
                  "joined if the tokenizer has none")
      ->required();
  add_field_option(arguments, field);
  add_content_option(arguments, content);
  arguments.add_option("--val", validation, "Text files for validation (default: the end of --text)")
      ->type_name("FILE");
  of_validation_share =
      add_real_option(arguments, "--val-share", validation_share, {.min = 0, .max = 0.9},
                      "Fraction of the text, at its end, that is used for validation (0: no validation)");
  arguments
      .add_option("--tokenizer", tokenizer, "Folder or file of a tokenizer (default: one token per byte)")
      ->type_name("DIR");
  const Option* of_model = add_word_option(
      arguments, "--model", training::language_model_types(), model,
      [this](size_t index) { model = training::language_model_types()[index]; }, "Model to train");
  arguments
      .add_option(
          "--init", init,
          "Folder of a trained model that the training continues, such as a run of `mneme train lm` or "
          "a GPT-2 of Hugging Face; its type, sizes and tokenizer hold (default: a new model)")
      ->type_name("DIR");
  const Option* of_preset = add_word_option(
      arguments, "--preset", training::language_presets(), preset,
      [this](size_t index) { preset = training::language_presets()[index]; },
      "Size; all models of a preset have about the same number of parameters");
  const Option* of_layers =
      add_optional_integer(arguments, "--layers", layers, kSize, "from the preset", "Number of layers");
  const Option* of_width = add_optional_integer(arguments, "--width", width, kSize, "from the preset",
                                                "Width of the hidden states");
  const Option* of_heads =
      add_optional_integer(arguments, "--heads", heads, kSize, "from the preset", "Number of heads");
  add_optional_integer(arguments, "--length", length, kSize, "from the preset or --init",
                       "Number of tokens per row, and of learned positions");
  static const std::vector<std::string> kPositions = {"learned", "rotary", "decay", "none"};
  const Option* of_positions = add_word_option(
      arguments, "--positions", kPositions, positions,
      [this](size_t index) { positions = kPositions[index]; },
      "How LEAP knows the order of tokens. learned: a vector per position, for texts of at most --length "
      "tokens; rotary, decay (of the weights with the distance) and none: texts of any length");
  of_new_model = {of_model, of_preset, of_layers, of_width, of_heads, of_positions};
  add_real_option(arguments, "--dropout", dropout, {.min = 0, .max = 1, .max_included = false},
                  "Dropout probability; with dropout, a step uses one thread only");
  add_optional_integer(arguments, "--tokens-per-step", tokens_per_step, {.min = 1, .max = 1'000'000'000},
                       "4096, at least one row", "Number of tokens per optimiser step");
  add_integer_option(arguments, "--batch", batch, {.min = 0, .max = 1'000'000},
                     "Rows that one thread computes at once; the gradients of a step are added (0: chosen "
                     "from the length)");
  add_optional_integer(arguments, "--steps", steps, kSteps, "from --minutes", "Number of optimiser steps");
  add_parsed_option(
      arguments, "--minutes", "X", "10",
      [this](const std::string& name, const std::string& given) {
        minutes = parse_real(name, given, {.min = 0, .max = 1e7, .min_included = false});
      },
      "Training time, from which the number of steps is computed before the first step");
  add_optional_integer(arguments, "--tokens", tokens, kSteps, "from --minutes",
                       "Number of tokens to train on");
  add_real_option(arguments, "--lr", learning_rate, {.min = 0, .min_included = false},
                  "Highest learning rate of AdamW");
  of_final_fraction = add_real_option(
      arguments, "--final-lr", final_fraction, {.min = 0, .max = 1},
      "Learning rate at the end, as a fraction of the highest: that of the last step (wsd), or of the one "
      "after it (cosine, as in nanoGPT)");
  add_choice_option<RateSchedule>(
      arguments, "--schedule", rate_schedule, kRateSchedules,
      "Learning rate after the warm-up; wsd: constant, then linear in the last fifth of the steps");
  arguments.add_option("--warmup", warmup, "Steps in which the learning rate increases, as N or N%")
      ->type_name("N|N%")
      ->capture_default_str();
  add_real_option(arguments, "--weight-decay", weight_decay, {.min = 0},
                  "Decoupled weight decay of matrices");
  add_reals_option(arguments, "--betas", betas, {.min = 0, .max = 1, .max_included = false},
                   "Decay rates of AdamW's two moments");
  add_real_option(arguments, "--clip", clip, {.min = 0, .min_included = false},
                  "Gradient clipping: larger gradients are scaled down to this norm");
  add_choice_option<ProductPrecision>(
      arguments, "--precision", precision, kPrecisions,
      "Numbers that linear layers multiply in training steps; bfloat16: rounded to 8 significant bits, with "
      "sums, parameters, validation and samples in float32. Faster on CPUs with instructions for it, which "
      "`mneme doctor` reports");
  add_optional_integer(arguments, "--eval-every", eval_every, kEvery, "ten times per run",
                       "Steps between two validations (0: never)");
  add_optional_integer(arguments, "--sample-every", sample_every, kEvery, "as --eval-every",
                       "Steps between two samples of the model (0: never)");
  add_optional_integer(arguments, "--save-every", save_every, kEvery, "ten times per run",
                       "Steps between two checkpoints (0: only at the end)");
  add_integer_option(arguments, "--keep", keep, {.min = 1, .max = 1'000'000},
                     "Number of checkpoints to keep");
  arguments
      .add_option("--resume", resume,
                  "auto: from the newest checkpoint of the run folder, if there is one; never; or a file of "
                  "checkpoints/")
      ->type_name("auto|never|FILE")
      ->capture_default_str();
  arguments.add_flag(
      "--overfit-one-batch", overfit_one_batch,
      "Check of model and settings: train on one batch only, 300 steps unless --steps is given; "
      "exit code 4 unless the loss falls below 0.01");
  arguments.add_flag("--dry-run", dry_run, "Print settings, sizes and the estimated time, and write nothing");
}

std::optional<learning::InitialModel> initial_model_of(LanguageOptions& options) {
  if (options.init.empty()) {
    return std::nullopt;
  }
  std::vector<std::string> refused;
  for (const Option* option : options.of_new_model) {
    if (option->count() > 0) {
      refused.push_back(option->name());
    }
  }
  if (!options.tokenizer.empty()) {
    refused.emplace_back("--tokenizer");
  }
  if (options.dropout > 0) {
    refused.emplace_back("--dropout");
  }
  if (!refused.empty()) {
    throw UsageError(fmt::format("{} does not go with --init: the model has its type, sizes and tokenizer, "
                                 "and is trained without dropout.\n  Leave it out.",
                                 fmt::join(refused, ", ")));
  }
  learning::InitialModel initial = learning::read_initial_model(options.init);
  options.model = initial.type;
  if (initial.max_length && options.length.value_or(0) > *initial.max_length) {
    throw UsageError(
        fmt::format("--length is {}, but the model of --init has {} positions.\n  Use at most {}.",
                    *options.length, *initial.max_length, *initial.max_length));
  }
  constexpr int64_t kLength = 512;
  const int64_t usual = trained_length(options.init).value_or(kLength);
  options.length = options.length.value_or(std::min(usual, initial.max_length.value_or(usual)));
  return initial;
}

LanguageText read_language_text(const LanguageOptions& options, int64_t length,
                                const std::optional<learning::InitialModel>& initial) {
  LanguageText text{.tokenizer = initial                     ? initial->tokenizer
                                 : options.tokenizer.empty() ? tokens::Tokenizer::bytes()
                                                             : tokens::read_tokenizer(options.tokenizer)};
  std::vector<int32_t> all = tokens_of(options.text, options, text.tokenizer);
  if (!options.validation.empty()) {
    text.data.validation = tokens_of(options.validation, options, text.tokenizer);
  } else {
    const auto split = static_cast<int64_t>(static_cast<double>(all.size()) * (1 - options.validation_share));
    text.data.validation.assign(all.begin() + split, all.end());
    all.resize(static_cast<size_t>(split));
  }
  text.data.training = std::move(all);
  if (static_cast<int64_t>(text.data.training.size()) <= length) {
    throw UsageError(fmt::format("--text: the training text has {} tokens, but a row of --length {} needs {}."
                                 "\n  Use a longer text, or a smaller --length.",
                                 text.data.training.size(), length, length + 1));
  }
  if (const size_t count = text.data.validation.size(); count == 1) {
    throw UsageError(
        options.validation.empty()
            ? fmt::format("--val-share {:g}: the validation text has 1 token, but needs 2.\n  Use a longer "
                          "text, or --val-share 0 to train without validation.",
                          options.validation_share)
            : std::string("--val: the validation text has 1 token, but needs 2.\n  Use a longer text."));
  }
  for (int64_t id = 0; id < text.tokenizer.vocab_size(); ++id) {
    const auto token = static_cast<int32_t>(id);
    text.data.token_bytes.push_back(static_cast<int32_t>(text.tokenizer.text_bytes({&token, 1})));
  }
  if (initial) { // a vocabulary can be larger than that of its tokenizer
    text.data.token_bytes.resize(static_cast<size_t>(initial->vocab_size), 0);
  }
  text.training_sha256 = sha256_of(text.data.training, text.tokenizer);
  text.validation_sha256 = sha256_of(text.data.validation, text.tokenizer);
  return text;
}

void require_memory(const learning::LanguageRun& run, int64_t vocab_size,
                    const std::optional<learning::InitialModel>& initial) {
  constexpr double kBytes = 4 * 4; // a parameter, its gradient and two moments of AdamW, in float32
  const double parameters = initial ? static_cast<double>(initial->num_parameters)
                                    : training::approximate_parameters(run.model, vocab_size);
  const MachineMemory memory = machine_memory();
  if (!memory.available || kBytes * parameters <= static_cast<double>(*memory.available)) {
    return;
  }
  const std::string model =
      initial ? "--init" : fmt::format("--layers {} and --width {}", run.model.layers, run.model.width);
  throw UsageError(
      fmt::format("{}: the model has about {:.2g} parameters, and its training needs "
                  "at least {}, "
                  "but {} of memory are available.\n  Use smaller numbers, or a machine with more memory.",
                  model, parameters, bytes_text(kBytes * parameters),
                  bytes_text(static_cast<double>(*memory.available))));
}

learning::LanguageRun language_run_of(const LanguageOptions& options, uint64_t seed, const Json& earlier) {
  if (int(options.steps.has_value()) + int(options.minutes.has_value()) + int(options.tokens.has_value()) >
      1) {
    throw UsageError("--steps, --minutes and --tokens: only one of them can limit the run.\n  Leave out the "
                     "others.");
  }
  if (options.model == "lstm" && options.precision != ProductPrecision::float32) {
    throw UsageError(
        "--precision bfloat16: the LSTM is computed by LibTorch, in float32.\n  Leave it out, or "
        "choose another --model.");
  }
  if (options.rate_schedule == RateSchedule::constant && options.of_final_fraction->count() > 0) {
    throw UsageError(
        "--final-lr has no effect: with --schedule constant, the learning rate stays the highest "
        "one.\n  Leave out one of the two options.");
  }
  if (!options.validation.empty() && options.of_validation_share->count() > 0) {
    throw UsageError(
        "--val-share has no effect: the validation text is that of --val.\n  Leave out one of the "
        "two options.");
  }
  if (options.betas.size() != 2) {
    throw UsageError(fmt::format("--betas: {} numbers are given, but AdamW has two.\n  Such as 0.9,0.95.",
                                 options.betas.size()));
  }
  learning::LanguageRun run{.model = size_of(options), .dropout = options.dropout, .keep = options.keep};
  const int64_t length = run.model.length,
                per_step = options.tokens_per_step.value_or(std::max<int64_t>(1, 4096 / length) * length);
  if (per_step % length != 0) {
    throw UsageError(fmt::format("--tokens-per-step is {}, but must be a multiple of the length of a row, "
                                 "{}.\n  Use {}, or another --length.",
                                 per_step, length, (per_step / length + 1) * length));
  }
  run.schedule = {.length = length,
                  .rows_per_step = per_step / length,
                  .rows_per_batch = options.batch,
                  .learning_rate = options.learning_rate,
                  .final_fraction = options.final_fraction,
                  .rate_schedule = options.rate_schedule,
                  .weight_decay = options.weight_decay,
                  .beta1 = options.betas[0],
                  .beta2 = options.betas[1],
                  .gradient_norm_max = options.clip,
                  .has_dropout = options.dropout > 0,
                  .precision = options.precision,
                  .one_batch = options.overfit_one_batch,
                  .seed = seed};
  set_warmup(options.warmup, run);
  run.steps = options.steps;
  if (options.tokens) {
    run.steps = (*options.tokens + per_step - 1) / per_step;
  } else if (options.overfit_one_batch && !options.steps && !options.minutes) {
    constexpr int64_t kOverfitSteps = 300;
    run.steps = kOverfitSteps;
  }
  run.minutes = options.minutes.value_or(run.minutes);
  run.eval_every = options.eval_every;
  run.sample_every = options.sample_every;
  run.save_every = options.save_every;
  const bool has_validation = !options.validation.empty() || options.validation_share > 0;
  if (!has_validation && options.eval_every.value_or(0) > 0) {
    throw UsageError("--eval-every: there is no validation text, because --val-share is 0.\n  Leave out one "
                     "of them.");
  }
  if (!has_validation || options.overfit_one_batch) {
    run.sample_every = run.sample_every.value_or(options.overfit_one_batch ? 0 : 1'000);
    run.eval_every = run.eval_every.value_or(0);
  }
  // Numbers of the earlier run that its plan has computed.
  const Json::json_pointer limit("/training/limit"), plan("/plan");
  if (earlier.contains(limit) && earlier.at(limit) == limit_of(options, run)) {
    const auto adopt = [&](std::optional<int64_t>& value, const char* key) {
      if (!value && earlier.contains(plan / key) && earlier.at(plan / key).is_number_integer()) {
        value = earlier.at(plan / key).get<int64_t>();
      }
    };
    adopt(run.steps, "steps");
    adopt(run.eval_every, "eval_every");
    adopt(run.sample_every, "sample_every");
  }
  return run;
}

Json language_settings(const LanguageOptions& options, const learning::LanguageRun& run,
                       const LanguageText& text, const std::optional<learning::InitialModel>& initial) {
  const training::LanguageSchedule& schedule = run.schedule;
  Json settings = {
      {"init", initial ? Json{{"sha256", initial->sha256}} : Json()},
      {"training_text", {{"sha256", text.training_sha256}, {"tokens", text.data.training.size()}}},
      {"validation_text", {{"sha256", text.validation_sha256}, {"tokens", text.data.validation.size()}}},
      {"tokenizer_sha256", text.tokenizer.hash()},
      {"model", run.model.type},
      {"layers", run.model.layers},
      {"width", run.model.width},
      {"heads", run.model.heads},
      {"length", schedule.length},
      {"positions", run.model.positions},
      {"dropout", run.dropout},
      {"rows_per_step", schedule.rows_per_step},
      {"rows_per_batch", schedule.rows_per_batch},
      {"limit", limit_of(options, run)},
      {"learning_rate", schedule.learning_rate},
      {"final_fraction", schedule.final_fraction},
      {"schedule", name_of(schedule.rate_schedule)},
      {"warmup", options.warmup},
      {"weight_decay", schedule.weight_decay},
      {"beta1", schedule.beta1},
      {"beta2", schedule.beta2},
      {"clip", schedule.gradient_norm_max},
      {"precision", name_of(schedule.precision)},
      {"overfit_one_batch", schedule.one_batch},
      {"seed", schedule.seed}};
  if (options.content != FileContent::automatic) { // earlier versions had no such option
    settings["token_type"] = name_of(options.content);
  }
  if (initial) {
    for (const char* size : {"layers", "width", "heads", "positions"}) { // of a new model
      settings.erase(size);
    }
  }
  return settings;
}

void update_language_config(Json& config) {
  const auto training = config.find("training");
  if (training == config.end() || !training->is_object()) {
    return;
  }
  Json& settings = *training;
  const auto use_word = [&](const char* name, const char* key, const char* usual) {
    const Json earlier = settings.value(name, Json::object());
    if (earlier.is_object()) { // {} was the default, {key: word} another choice
      settings[name] = earlier.value(key, Json(usual));
    }
  };
  use_word("precision", "products", "float32");
  const Json init = settings.value("init", Json());
  settings["init"] = init.empty() ? Json() : init;
  if (init.empty()) { // else the positions are those of the initial model
    use_word("positions", "kind", "learned");
  }
}

std::vector<std::pair<std::string, std::string>> language_summary(const LanguageOptions& options,
                                                                  const learning::LanguageRun& run,
                                                                  const LanguageText& text,
                                                                  const learning::LanguagePlan& plan) {
  const training::LanguageSchedule& schedule = run.schedule;
  const auto tokens = static_cast<double>(plan.steps * schedule.tokens_per_step());
  std::string size = fmt::format("{}, width {}", report::counted(run.model.layers, "layer"), run.model.width);
  if (run.model.type != "lstm") {
    size += ", " + report::counted(run.model.heads, "head");
  }
  if (run.model.positions != "learned") {
    size += fmt::format(", positions: {}", run.model.positions);
  }
  if (!options.init.empty()) {
    size = fmt::format("that of {}, in rows of {} tokens", printable(options.init), schedule.length);
  }
  std::string limit = limit_of(options, run); // of config.json: always with a plural
  if (limit.starts_with("1 ")) {
    limit.pop_back();
  }
  constexpr int64_t kValidations = 10; // of a run that has time for them
  const bool is_rare = !run.steps && !options.eval_every && kValidations * plan.eval_every > plan.steps + 10;
  const std::string joined = joined_text({expanded(options.text), options.field}, text.tokenizer);
  const int64_t batches = (schedule.rows_per_step + plan.rows_per_batch - 1) / plan.rows_per_batch;
  return {
      {"model",
       run.model.type + ", " + size + (run.dropout > 0 ? fmt::format(", dropout {}", run.dropout) : "")},
      {"parameters", fmt::format("{}", plan.num_parameters)},
      {"tokenizer", options.tokenizer.empty() && text.tokenizer.hash() == tokens::Tokenizer::bytes().hash()
                        ? "one token per byte"
                        : fmt::format("{}, {} tokens",
                                      printable(options.tokenizer.empty() ? options.init : options.tokenizer),
                                      text.tokenizer.vocab_size())},
      {"training text", fmt::format("{} tokens, SHA-256 {}{}{}", text.data.training.size(),
                                    text.training_sha256.substr(0, 12), joined.empty() ? "" : "; ", joined)},
      {"validation text", text.data.validation.empty()
                              ? "none"
                              : fmt::format("{} tokens, SHA-256 {}", text.data.validation.size(),
                                            text.validation_sha256.substr(0, 12))},
      {"steps", fmt::format("{} (limit: {})", plan.steps, limit)},
      {"tokens per step", fmt::format("{}: {} of {}, in {} of {}", schedule.tokens_per_step(),
                                      report::counted(schedule.rows_per_step, "row"), schedule.length,
                                      report::counted(batches, "micro-batch", "micro-batches"),
                                      report::counted(plan.rows_per_batch, "row"))},
      {"tokens in total", fmt::format("{:.3g}: {:.3g} per parameter, {:.3g} epochs of the text", tokens,
                                      tokens / static_cast<double>(plan.num_parameters),
                                      tokens / static_cast<double>(text.data.training.size()))},
      {"learning rate",
       fmt::format("{:g} after {} warm-up steps, then {}{}", schedule.learning_rate, plan.warmup_steps,
                   name_of(schedule.rate_schedule),
                   schedule.rate_schedule == RateSchedule::constant
                       ? ""
                       : fmt::format(" to {:g}", schedule.learning_rate * schedule.final_fraction))},
      {"AdamW",
       fmt::format("betas {:g} and {:g}, weight decay {:g}, gradient norm at most {:g}", schedule.beta1,
                   schedule.beta2, schedule.weight_decay, schedule.gradient_norm_max)},
      {"precision", schedule.precision == ProductPrecision::bfloat16
                        ? "bfloat16 products of linear layers, sums and parameters in float32"
                        : "float32"},
      {"validation", every(plan.eval_every) + (is_rare ? " (it takes at most a tenth of the time)" : "")},
      {"samples", every(plan.sample_every)},
      {"checkpoints", plan.save_every == 0
                          ? "at the end"
                          : fmt::format("{}, the last {} are kept", every(plan.save_every), run.keep)},
      {"seed", fmt::format("{}", schedule.seed)},
      {"time per step",
       fmt::format("{} ({:.1f} thousand tokens per second)", duration(plan.seconds_per_step),
                   1e-3 * static_cast<double>(schedule.tokens_per_step()) / plan.seconds_per_step)},
      {"estimated time", duration(plan.seconds)}};
}

} // namespace mneme::cli
