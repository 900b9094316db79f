// SPDX-License-Identifier: MIT

#include "cli/language_run.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <span>

#include <c10/util/StringUtil.h>

#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "mneme/language/generate.h"
#include "mneme/language/model.h"
#include "mneme/nn/state_dict.h"
#include "mneme/training/one_thread.h"
#include "report/text.h"

namespace mneme::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::unique_ptr<language::Model> open_model(const std::filesystem::path& folder, language::Weights weights,
                                            nn::Mapping mapping, Progress& progress) {
  std::vector<std::string> notes;
  std::unique_ptr<language::Model> model = language::read_model(folder, &notes, weights, mapping);
  for (const std::string& note : notes) {
    progress.message(note);
  }
  return model;
}

void note_unused_words(const language::Model& model, const tokens::Tokenizer& tokenizer, Progress& progress) {
  if (const int64_t more = model.vocab_size() - tokenizer.vocab_size(); more > 0) {
    progress.message(c10::str("The model has ", report::counted(more, "word"),
                              " more than the tokenizer has tokens: they are never generated. If that is not "
                              "intended, the tokenizer is that of another model."));
  }
}

/// Reports that a text does not begin with the tokens that the tokenizer puts before it, if it has any.
void note_special_tokens(std::span<const int32_t> text, const tokens::Tokenizer& tokenizer,
                         Progress& progress) {
  const std::vector<int32_t>& before = tokenizer.before_text();
  if (std::ranges::equal(text.first(std::min(text.size(), before.size())), before)) {
    return;
  }
  std::string names;
  for (const int32_t id : before) {
    names += c10::str(names.empty() ? "" : " ", printable(std::string(tokenizer.token_bytes(id))));
  }
  progress.message("The tokens that the tokenizer puts before a text are left out: " + names +
                   ". --add-special adds them.");
}

/// Whether a token takes so little time that a second thread would cost more than it gains.
bool is_small(language::Model& model) {
  constexpr int64_t kMaxNumbers = 2'000'000; // about 0.2 ms
  return nn::count_parameters(model.module()) <= kMaxNumbers;
}

const char* reason_text(language::StopReason reason) {
  switch (reason) {
  case language::StopReason::max_tokens:
    return "max-tokens";
  case language::StopReason::end_of_text:
    return "end-of-text";
  case language::StopReason::stop_string:
    return "stop-string";
  case language::StopReason::max_length:
    break;
  }
  return "max-length";
}

/// The tokens at which texts end: those that the folder records, and that of the tokenizer.
std::vector<int32_t> end_tokens_of(const std::filesystem::path& folder, const tokens::Tokenizer& tokenizer) {
  std::vector<int32_t> ids = language::recorded_end_tokens(folder);
  std::erase_if(ids, [&](int32_t id) { return id >= tokenizer.vocab_size(); }); // never generated
  const std::optional<int32_t> end = tokenizer.end_of_text();
  if (end && std::ranges::find(ids, *end) == ids.end()) {
    ids.push_back(*end);
  }
  return ids;
}

/// The text so far: the state that was read, if any, and the prompt.
language::TextContext prompt_context(const GenerateRequest& request, language::Model& model,
                                     const tokens::Tokenizer& tokenizer, GenerateOutcome& outcome,
                                     Progress& progress) {
  language::TextContext context = request.state_in.empty()
                                      ? language::start_context(model)
                                      : language::read_context(request.state_in, model, tokenizer);
  outcome.earlier_tokens = context.size();
  std::vector<int32_t> ids = tokenizer.encode(request.prompt, {.parse_special = request.parse_special});
  if (request.add_special && context.size() == 0) {
    ids.insert(ids.begin(), tokenizer.before_text().begin(), tokenizer.before_text().end());
  }
  if (context.size() == 0 && ids.empty()) { // texts follow this token in the training data
    const std::optional<int32_t> recorded = language::recorded_start_token(request.model, tokenizer);
    if (const auto start = recorded ? recorded : tokenizer.end_of_text()) {
      ids.push_back(*start);
    }
  }
  outcome.prompt_tokens = static_cast<int64_t>(ids.size());
  if (context.size() + outcome.prompt_tokens == 0) {
    throw UsageError(
        request.prompt_source +
        ": the prompt is empty, and the tokenizer has no end-of-text token to begin with.\n  Give "
        "at least one character to continue.");
  }
  if (context.size() == 0) {
    note_special_tokens(ids, tokenizer, progress);
  }
  try {
    language::add_tokens(model, context, ids);
  } catch (const UsageError& error) { // such as a text that is longer than the positions of the model
    throw DataError(request.prompt_source + ": " + error.what());
  }
  return context;
}

GenerateOutcome generate(const GenerateRequest& request, Progress& progress,
                         const std::function<void(int64_t, std::string_view)>& print) {
  language::check(request.sampler);
  const std::unique_ptr<language::Model> model =
      open_model(request.model, request.weights, nn::Mapping::aligned, progress);
  const tokens::Tokenizer tokenizer = language::tokenizer_of(request.model, model->vocab_size());
  note_unused_words(*model, tokenizer, progress);
  model->order_weights_for_steps();
  GenerateOutcome outcome{.type = model->type(), .samples = {}};
  if (!request.ignore_end) {
    outcome.end_tokens = end_tokens_of(request.model, tokenizer);
  }
  Clock::time_point start = Clock::now();
  const language::TextContext prompt = prompt_context(request, *model, tokenizer, outcome, progress);
  outcome.prompt_seconds = seconds_since(start);
  std::optional<training::OneThread> one_thread;
  if (is_small(*model)) {
    one_thread.emplace();
  }
  start = Clock::now();
  for (int64_t sample = 0; sample < request.samples; ++sample) {
    language::TextContext context = prompt.clone();
    language::Generated generated = language::generate(*model, tokenizer, context,
                                                       {.max_tokens = request.max_tokens,
                                                        .sampler = request.sampler,
                                                        .seed = request.seed,
                                                        .sample = static_cast<uint64_t>(sample),
                                                        .stop_strings = request.stop_strings,
                                                        .end_tokens = outcome.end_tokens,
                                                        .ignore_end = request.ignore_end,
                                                        .removes_stop_string = !request.state_out.empty()},
                                                       [&](std::string_view text) { print(sample, text); });
    if (!request.state_out.empty()) {
      const int64_t recent = request.sampler.repeat_last == 0 ? context.size() : request.sampler.repeat_last;
      language::write_context(request.state_out, context, recent, *model, tokenizer);
    }
    outcome.samples.push_back({std::move(generated.ids), std::move(generated.probabilities),
                               std::move(generated.text), reason_text(generated.reason)});
  }
  outcome.seconds = seconds_since(start);
  return outcome;
}

EvalOutcome evaluate(const EvalRequest& request, Progress& progress) {
  const std::unique_ptr<language::Model> model =
      open_model(request.model, request.weights, nn::Mapping::all, progress);
  const tokens::Tokenizer tokenizer = language::tokenizer_of(request.model, model->vocab_size());
  note_unused_words(*model, tokenizer, progress);
  constexpr int64_t kWindow = 512; // of models without learned positions
  const int64_t window = request.window.value_or(model->max_length().value_or(kWindow));
  const bool any_length = model->is_recurrent() && !model->max_length();
  const auto usual = any_length && !request.window && !request.stride ? language::EvalProtocol::carry
                                                                      : language::EvalProtocol::windows;
  EvalOutcome outcome{.type = model->type(),
                      .options = {.protocol = request.protocol.value_or(usual),
                                  .window = window,
                                  .stride = request.stride.value_or(window)},
                      .result = {}};
  outcome.protocol = language::name_of(outcome.options);
  std::vector<int32_t> ids;
  encode_files(
      request.text, tokenizer, {.parse_special = request.parse_special, .add_special = request.add_special},
      "Encode the text with the tokenizer in the folder of the model, or give the text itself.", progress,
      [&](std::span<const int32_t> more) { ids.insert(ids.end(), more.begin(), more.end()); });
  if (ids.size() < 2) {
    throw DataError(c10::str(request.text.paths.back(), ": the text has ",
                             report::counted(std::ssize(ids), "token"),
                             ", but a loss needs at least 2.\n  The first token is not predicted."));
  }
  note_special_tokens(ids, tokenizer, progress);
  outcome.joined = joined_text(request.text, tokenizer);
  outcome.result = language::evaluate(*model, tokenizer, ids, outcome.options, progress);
  return outcome;
}

[[maybe_unused]] const bool implemented =
    generate_text.implement(generate) && evaluate_text.implement(evaluate);

} // namespace
} // namespace mneme::cli
