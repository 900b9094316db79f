// SPDX-License-Identifier: MIT

#include "mneme/language/generate.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include <ATen/Functions.h>

#include "json/strict_json.h"
#include "language/refuse.h"
#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/random.h"
#include "mneme/core/text.h"
#include "mneme/data/read_file.h"
#include "mneme/language/text_stream.h"
#include "mneme/nn/tensor_checksum.h"

namespace mneme::language {
namespace {

constexpr int64_t kPromptChunk = 512; // tokens of a call: limits its memory
constexpr const char* kFormat = "context_format";
constexpr const char* kFormatName = "mneme context 1";
constexpr const char* kRecent = "context.recent";
constexpr const char* kWeights = "context_weights"; // absent in older files: float32

/// int64 [1, n]
at::Tensor tensor_of(std::span<const int32_t> ids) {
  at::Tensor tensor = at::empty({1, static_cast<int64_t>(ids.size())}, at::kLong);
  std::ranges::copy(ids, tensor.mutable_data_ptr<int64_t>());
  return tensor;
}

/// The logits after the last token.
at::Tensor step(Model& model, ModelState& state, std::span<const int32_t> ids) {
  return model.step(tensor_of(ids), state)[0][-1].to(at::kFloat).contiguous();
}

/// FNV-1a hash of the configuration and of some elements of every parameter: equal models have equal ones,
/// and training changes it.
std::string fingerprint(Model& model) {
  uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&](const void* data, size_t size) {
    for (const unsigned char* byte = static_cast<const unsigned char*>(data); size > 0; ++byte, --size) {
      hash = (hash ^ *byte) * 0x100000001b3;
    }
  };
  const std::string config = model.config_json();
  add(config.data(), config.size());
  constexpr int64_t kElements = 64;
  for (const at::Tensor& parameter : model.module().parameters()) {
    const at::Tensor flat = parameter.detach().flatten();
    const int64_t step = std::max<int64_t>(1, flat.numel() / kElements);
    const at::Tensor some = flat.slice(0, 0, flat.numel(), step).to(at::kFloat).cpu().contiguous();
    add(some.const_data_ptr(), some.nbytes());
  }
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(hash));
  return text.data();
}

[[noreturn]] void fail(const std::filesystem::path& file, const std::string& problem,
                       const std::string& advice) {
  throw DataError(file.string() + ": " + problem + "\n  " + advice);
}

/// A JSON file of a folder, by default config.json; an empty object without one. Errors  DataError
nlohmann::json config_of(const std::filesystem::path& folder, const char* name = "config.json") {
  const std::filesystem::path file = folder / name;
  std::error_code missing;
  if (!std::filesystem::exists(file, missing)) {
    return nlohmann::json::object();
  }
  const std::vector<std::byte> text = data::read_file(file);
  return parse_strict_json<nlohmann::json>({reinterpret_cast<const char*>(text.data()), text.size()},
                                           file.string(), {.advice = "Is it the configuration of a model?"});
}

struct Recorded {
  std::filesystem::path file;
  nlohmann::json value; ///< null: neither file has one
};

/// The value of generation_config.json, which has priority in transformers, or else of config.json.
Recorded recorded(const std::filesystem::path& folder, const char* key) {
  for (const char* name : {"generation_config.json", "config.json"}) {
    const nlohmann::json config = config_of(folder, name);
    if (const auto found = config.find(key); found != config.end() && !found->is_null()) {
      return {folder / name, *found};
    }
  }
  return {};
}

/// Errors  DataError if the model was trained with another tokenizer, according to its config.json
void require_recorded(const std::filesystem::path& folder, const tokens::Tokenizer& tokenizer,
                      bool has_files) {
  const nlohmann::json config = config_of(folder);
  const nlohmann::json::json_pointer place("/training/tokenizer_sha256");
  if (!config.contains(place) || !config.at(place).is_string()) {
    return;
  }
  const std::string recorded = config.at(place).get<std::string>(), own = tokenizer.hash();
  if (recorded != own) {
    constexpr size_t kShown = 12;
    fail(folder,
         c10::str("the model was trained with another tokenizer (SHA-256 ",
                  printable(recorded.substr(0, kShown)), "...) than that of the folder (",
                  has_files ? "" : "one token per byte, because it has no tokenizer.json; ", "SHA-256 ",
                  own.substr(0, kShown), "...)."),
         "Copy the tokenizer of the training into it. If another one is intended, remove "
         "\"tokenizer_sha256\" from config.json.");
  }
}

/// Whether the penalty needs tokens that `recent` does not have.
void check_recent(const TextContext& context, const SamplerOptions& options) {
  const auto known = static_cast<int64_t>(context.recent.size());
  const int64_t needed =
      options.repeat_last == 0 ? context.size() : std::min(context.size(), options.repeat_last);
  if (options.repeat_penalty != 1 && known < needed) {
    refuse(c10::str("the repetition penalty applies to the last ", needed, " tokens, but only the last ",
                    known, " of the text are known."),
           "Apply it to fewer tokens, or write the state with as many.");
  }
}

/// Extends `context`, that of before the tokens, by those whose text is in the first `size` bytes, one by one
/// as they were generated, and by the encoded rest of these bytes.
void add_printed(Model& model, const tokens::Tokenizer& tokenizer, TextContext& context,
                 std::span<const int32_t> ids, size_t size) {
  for (const int32_t& id : ids) {
    const std::string_view bytes = tokenizer.is_special(id) ? std::string_view() : tokenizer.token_bytes(id);
    if (bytes.size() > size) {
      add_tokens(model, context, tokenizer.encode(bytes.substr(0, size)));
      return;
    }
    add_tokens(model, context, std::span(&id, 1));
    size -= bytes.size();
  }
}

} // namespace

TextContext TextContext::clone() const {
  return {state->clone(), pending, recent};
}

TextContext start_context(const Model& model) {
  return {model.start(1), {}, {}};
}

void write_context(const std::filesystem::path& file, const TextContext& context, int64_t recent,
                   Model& model, const tokens::Tokenizer& tokenizer) {
  nn::TensorFile content = context.state->to_file();
  const size_t count = std::min(context.recent.size(), static_cast<size_t>(std::max<int64_t>(recent, 1)));
  content.tensors[kRecent] = tensor_of(std::span(context.recent).last(count))[0];
  content.texts[kFormat] = kFormatName;
  content.texts["context_pending"] = context.pending ? "1" : "0"; // it is the last of the recent tokens
  content.texts["context_model"] = fingerprint(model);
  content.texts[kWeights] = name_of(model.weights());
  content.texts["context_tokenizer"] = tokenizer.hash();
  nn::add_checksum(content);
  nn::write_tensor_file(file, content);
}

TextContext read_context(const std::filesystem::path& file, Model& model,
                         const tokens::Tokenizer& tokenizer) {
  nn::TensorFile content;
  try {
    content = nn::read_tensor_file(file);
  } catch (const DataError& error) {
    throw DataError(std::string(error.what()) +
                    "\n  The state of a text is a file that mneme generate --state-out wrote.");
  }
  const auto text = [&](const char* name) {
    const auto found = content.texts.find(name);
    return found == content.texts.end() ? std::string() : found->second;
  };
  if (text(kFormat) != kFormatName) {
    fail(file, "it is not the state of a text.",
         "Give a file that write_context wrote (mneme generate --state-out).");
  }
  nn::check_checksum(content, file.string(), "Restore the file, or generate the text again.");
  const std::string weights = text(kWeights).empty() ? name_of(Weights::float32) : text(kWeights);
  if (weights != name_of(model.weights())) {
    fail(file,
         "it was written with " + printable(weights) + " weights, but this model has " +
             name_of(model.weights()) + " weights.",
         "Read the model with " + printable(weights) + " weights (mneme generate --weights " +
             printable(weights) + ").");
  }
  if (const std::string own = fingerprint(model); text("context_model") != own) {
    fail(file,
         "it was written with other parameters (" + text("context_model") + ", but this model is " + own +
             ").",
         "Give the state of this model.");
  }
  if (text("context_tokenizer") != tokenizer.hash()) {
    fail(file, "it was written with another tokenizer.", "Use the tokenizer that it was written with.");
  }
  const auto recent = content.tensors.find(kRecent);
  if (recent == content.tensors.end() || recent->second.dim() != 1 ||
      recent->second.scalar_type() != at::kLong) {
    fail(file, "its recent tokens are missing.", "The file was damaged or changed.");
  }
  TextContext context;
  const at::Tensor ids = recent->second.contiguous();
  for (int64_t i = 0; i < ids.size(0); ++i) {
    const int64_t id = ids.const_data_ptr<int64_t>()[i];
    if (id < 0 || id >= model.vocab_size()) {
      fail(file, c10::str("token ", id, " is not one of the ", model.vocab_size(), " words of the model."),
           "The file was damaged or changed.");
    }
    context.recent.push_back(static_cast<int32_t>(id));
  }
  content.tensors.erase(kRecent);
  if (text("context_pending") == "1" && !context.recent.empty()) {
    context.pending = context.recent.back();
  }
  try {
    context.state = model.state_from(content, file.string());
  } catch (const UsageError& error) {
    throw DataError(file.string() + ": " + error.what());
  }
  return context;
}

void add_tokens(Model& model, TextContext& context, std::span<const int32_t> ids) {
  if (ids.empty()) {
    return;
  }
  const int64_t size = context.size() + static_cast<int64_t>(ids.size());
  if (model.max_length() && size > *model.max_length()) {
    refuse(c10::str("the text has ", size, " tokens, but the model has ", *model.max_length(),
                    " learned positions."),
           "Shorten the prompt, or use a model without learned positions: `mneme train lm --positions "
           "decay`, or an "
           "LSTM.");
  }
  std::vector<int32_t> fed;
  if (context.pending) {
    fed.push_back(*context.pending);
  }
  fed.insert(fed.end(), ids.begin(), ids.end() - 1);
  for (size_t first = 0; first < fed.size(); first += kPromptChunk) {
    throw_if_interrupted();
    const size_t count = std::min<size_t>(kPromptChunk, fed.size() - first);
    model.advance(tensor_of(std::span(fed).subspan(first, count)), *context.state);
  }
  context.pending = ids.back();
  context.recent.insert(context.recent.end(), ids.begin(), ids.end());
}

Generated generate(Model& model, const tokens::Tokenizer& tokenizer, TextContext& context,
                   const GenerateOptions& options, const std::function<void(std::string_view)>& print) {
  check(options.sampler);
  check_recent(context, options.sampler);
  if (!context.pending) {
    refuse("the text is empty.", "Give at least one token to continue.");
  }
  if (options.max_tokens < 0) {
    refuse(c10::str("max_tokens is ", options.max_tokens, ", but must be >= 0."), "0 generates nothing.");
  }
  const int64_t words = tokenizer.vocab_size();
  if (words > model.vocab_size()) {
    refuse(c10::str("the tokenizer has ", words, " tokens, but the model has a vocabulary of ",
                    model.vocab_size(), "."),
           "Use the tokenizer of the model.");
  }
  Generated result;
  TextStream stream(options.stop_strings);
  const auto add_text = [&](const std::string& text) {
    result.text += text;
    if (print && !text.empty()) {
      print(text);
    }
  };
  const Random random = Random(options.seed).stream(options.sample);
  std::optional<TextContext> before;
  if (options.removes_stop_string && !options.stop_strings.empty()) {
    before = context.clone();
  }
  while (true) {
    if (static_cast<int64_t>(result.ids.size()) == options.max_tokens) {
      result.reason = StopReason::max_tokens;
      break;
    }
    const int64_t position = context.size();
    // The last token needs no position of its own, because the model does not receive it.
    if (model.max_length() && position > *model.max_length()) {
      result.reason = StopReason::max_length;
      break;
    }
    throw_if_interrupted();
    const at::Tensor logits = step(model, *context.state, std::span(&*context.pending, 1));
    const std::vector<Candidate> choices =
        candidates(std::span(logits.const_data_ptr<float>(), static_cast<size_t>(words)), context.recent,
                   options.sampler);
    const Candidate& drawn = draw(choices, random.uniform_at(static_cast<uint64_t>(position)));
    context.pending = drawn.id;
    context.recent.push_back(drawn.id);
    result.ids.push_back(drawn.id);
    result.probabilities.push_back(drawn.probability);
    if (!options.ignore_end &&
        (tokenizer.end_of_text() == drawn.id ||
         std::ranges::find(options.end_tokens, drawn.id) != options.end_tokens.end())) {
      result.reason = StopReason::end_of_text;
      break;
    }
    if (!tokenizer.is_special(drawn.id)) {
      add_text(stream.add(tokenizer.token_bytes(drawn.id)));
    }
    if (stream.is_stopped()) {
      result.reason = StopReason::stop_string;
      break;
    }
  }
  add_text(stream.finish());
  if (before && result.reason == StopReason::stop_string) {
    context = std::move(*before);
    add_printed(model, tokenizer, context, result.ids, result.text.size());
  }
  return result;
}

tokens::Tokenizer tokenizer_of(const std::filesystem::path& folder, int64_t vocab_size) {
  constexpr int64_t kBytes = 256;
  const bool has_files = tokens::has_tokenizer(folder);
  if (!has_files && vocab_size != kBytes && vocab_size != kBytes + 1) {
    fail(folder,
         c10::str("there is no tokenizer in this folder, and the vocabulary of ", vocab_size,
                  " words is not that of bytes (256)."),
         "Copy tokenizer.json, or vocab.json and merges.txt, of the model into it.");
  }
  tokens::Tokenizer tokenizer = has_files ? tokens::read_tokenizer(folder) : tokens::Tokenizer::bytes();
  require_recorded(folder, tokenizer, has_files);
  if (tokenizer.vocab_size() > vocab_size) {
    fail(folder,
         c10::str("the tokenizer has ", tokenizer.vocab_size(), " tokens, but the model has a vocabulary of ",
                  vocab_size, "."),
         "Do both belong to the same model?");
  }
  return tokenizer;
}

std::optional<int32_t> recorded_start_token(const std::filesystem::path& folder,
                                            const tokens::Tokenizer& tokenizer) {
  const nlohmann::json id = recorded(folder, "bos_token_id").value;
  if (!id.is_number_integer() || id < 0 || id >= tokenizer.vocab_size()) {
    return std::nullopt;
  }
  return id.get<int32_t>();
}

std::vector<int32_t> recorded_end_tokens(const std::filesystem::path& folder) {
  const auto [file, value] = recorded(folder, "eos_token_id");
  std::vector<int32_t> ids;
  if (value.is_null()) {
    return ids;
  }
  for (const nlohmann::json& id : value.is_array() ? value : nlohmann::json::array({value})) {
    if (!id.is_number_integer() || id < 0 || id > std::numeric_limits<int32_t>::max()) {
      fail(file,
           "\"eos_token_id\" is " + printable(value.dump()) +
               ", expected the id of a token, or a list of ids.",
           "Correct or remove it.");
    }
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

} // namespace mneme::language
