// SPDX-License-Identifier: MIT

#include "experiments/transformer/study_texts.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "experiments/published.h"
#include "learning/texts.h"
#include "mneme/core/error.h"
#include "mneme/core/random.h"
#include "mneme/core/text.h"
#include "mneme/data/folders.h"
#include "mneme/data/read_file.h"

namespace mneme::experiments {
namespace {

constexpr int64_t kMinBytes = 20'000;      // 2000 of them are held out
constexpr int64_t kGrammarBytes = 400'000; // of the text that is generated
constexpr uint64_t kGrammarStream = 0x74657874;
constexpr const char* kDataFile = "tinyshakespeare.txt";

std::filesystem::path text_file(const RunSettings& settings) {
  if (settings.has_given("text")) {
    return settings.path_of("text");
  }
  const auto found = data::find_data_file(settings.data, "text", {kDataFile});
  return found && found->extension() == ".txt" ? *found : std::filesystem::path();
}

/// Name, size and time of a file, or of the files of a folder and of its checkpoints.
std::string signature_of(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::is_regular_file(path, error)) {
    const auto time = fs::last_write_time(path, error).time_since_epoch().count();
    return fmt::format("{}, {} bytes, {}; ", printable(path.filename().string()), fs::file_size(path, error),
                       time);
  }
  std::vector<std::string> parts;
  for (const fs::path& folder : {path, path / "checkpoints"}) {
    for (fs::directory_iterator file(folder, error), end; !error && file != end; file.increment(error)) {
      if (file->is_regular_file(error)) {
        parts.push_back(signature_of(file->path()));
      }
    }
  }
  std::ranges::sort(parts);
  std::string all;
  for (const std::string& part : parts) {
    all += part;
  }
  return all;
}

constexpr int64_t kExcerpts = 9; // as many texts as published
constexpr const char* kExcerptName = "excerpt ";
constexpr int64_t kExcerptTokens = 512;

/// True if config.json has the sizes of gpt2-small or gpt2-large, whose betas were published.
bool has_published_betas(const std::filesystem::path& model) {
  const nlohmann::json config = learning::config_of(model);
  const nlohmann::json& models = published("transformer_betas").at("models");
  return learning::model_type_of(model) == "gpt2" && std::ranges::any_of(models, [&](const auto& sizes) {
           const int64_t heads = sizes.at("heads_per_layer"), head_size = sizes.at("head_dim");
           return config.contains("n_layer") && config["n_layer"] == sizes.at("layers") &&
                  config.contains("n_head") && config["n_head"] == heads && config.contains("n_embd") &&
                  config["n_embd"] == heads * head_size && config.contains("vocab_size") &&
                  config["vocab_size"] == sizes.at("vocab_size");
         });
}

/// The file of --texts, or else the name of the nine published texts if they are in the data folder and the
/// model has their betas; empty for other texts.
std::filesystem::path texts_file(const RunSettings& settings) {
  if (settings.has_given("texts") || settings.has_given("text") || settings.has_given("tokens") ||
      !settings.has_given("model") || !learning::find_sdm_texts(settings.data) ||
      !has_published_betas(settings.path_of("model"))) {
    return settings.path_of("texts");
  }
  return learning::kSdmTexts;
}

std::string lines_text(const GivenTexts& given, const std::filesystem::path& file) {
  return fmt::format("{} lines of {}", given.texts.size(), printable(file.filename().string()));
}

template <size_t Size> const char* pick(Random& random, const std::array<const char*, Size>& words) {
  return words[random.below(Size)];
}

} // namespace

std::string grammar_text(int64_t bytes, uint64_t seed) {
  constexpr std::array names = {"Anna", "Bruno", "Clara", "David", "Emma", "Felix", "Greta", "Hugo"};
  constexpr std::array things = {"book", "lamp", "key", "ring", "bell", "coat", "drum", "cup", "map", "box"};
  constexpr std::array colours = {"red", "blue", "green", "white", "black", "golden"};
  constexpr std::array places = {"in the garden",    "at the station", "near the river",
                                 "in the old house", "on the hill",    "behind the school"};
  std::string text;
  Random random = Random(seed).stream(kGrammarStream);
  while (std::ssize(text) < bytes) {
    const std::array people = {pick(random, names), pick(random, names), pick(random, names)};
    const std::string thing = fmt::format("{} {}", pick(random, colours), pick(random, things)),
                      other = fmt::format("{} {}", pick(random, colours), pick(random, things));
    const char* place = pick(random, places);
    text += fmt::format("{} has a {}, and {} has a {}.", people[0], thing, people[1], other);
    for (uint64_t sentence = 3 + random.below(5); sentence > 0; --sentence) {
      const char *who = pick(random, people), *whom = pick(random, people);
      const std::string& what = random.below(2) == 0 ? thing : other;
      switch (random.below(5)) {
      case 0:
        text += fmt::format(" {} gives the {} to {}.", who, what, whom);
        break;
      case 1:
        text += fmt::format(" {} and {} meet {}.", who, whom, place);
        break;
      case 2:
        text += fmt::format(" \"Where is the {}?\" asks {}.", what, who);
        break;
      case 3:
        text += fmt::format(" {} finds the {} {}.", who, what, place);
        break;
      default:
        text += fmt::format(" {} does not want the {}, but {} does.", who, what, whom);
      }
    }
    text += "\n\n";
  }
  return text;
}

StudyTexts study_texts(const RunSettings& settings) {
  StudyTexts texts;
  std::string all;
  if (const std::filesystem::path file = text_file(settings); !file.empty()) {
    const std::vector<std::byte> bytes = data::read_decompressed_file(file);
    all.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    texts.source = fmt::format("{}, {} bytes", printable(file.filename().string()), all.size());
    if (std::ssize(all) < kMinBytes) {
      throw DataError(fmt::format("{}: has {} bytes, but {} are needed: the last tenth is held out.\n  Give "
                                  "a longer text.",
                                  printable(file.string()), all.size(), kMinBytes));
    }
  } else {
    all = grammar_text(kGrammarBytes, settings.seed);
    texts.source = fmt::format("{} bytes of sentences from a small grammar, since there is no {} in the data "
                               "folder; --text uses another text",
                               all.size(), kDataFile);
  }
  const size_t held_out = all.size() / 10;
  texts.training = all.substr(0, all.size() - held_out);
  texts.held_out = all.substr(all.size() - held_out);
  return texts;
}

GivenTexts given_texts(const RunSettings& settings) {
  GivenTexts given;
  std::vector<std::string> names;
  for (const char* name : {"text", "texts", "tokens"}) {
    if (settings.has_given(name)) {
      names.push_back(fmt::format("--{}", name));
    }
  }
  if (names.size() > 1) {
    throw UsageError(fmt::format("{} and {} are both given.\n  Give one of them.", names[0], names[1]));
  }
  if (settings.has_given("tokens")) {
    const std::filesystem::path file = settings.path_of("tokens");
    for (const std::string& line : learning::read_lines(file)) {
      learning::InspectedText& text = given.texts.emplace_back();
      text.name = fmt::format("{}: line {}", printable(file.string()), given.texts.size());
      text.ids = learning::parse_ids(line, text.name);
    }
    given.source = lines_text(given, file);
    return given;
  }
  if (const std::filesystem::path file = texts_file(settings); !file.empty()) {
    given.texts = learning::read_texts(file, settings.data);
    given.cut_to_positions = !settings.has_given("texts");
    given.source = file == learning::kSdmTexts ? "the nine published texts" : lines_text(given, file);
    return given;
  }
  const StudyTexts texts = study_texts(settings);
  const size_t size = texts.held_out.size() / kExcerpts; // more than are used
  for (size_t i = 0; i < static_cast<size_t>(kExcerpts); ++i) {
    given.texts.push_back(
        {.name = fmt::format("{}{}", kExcerptName, i + 1), .text = texts.held_out.substr(i * size, size)});
  }
  given.are_excerpts = given.cut_to_positions = true;
  given.source = fmt::format("{} excerpts of {}", kExcerpts, texts.source);
  return given;
}

learning::HeadsInspection inspect_given(const std::filesystem::path& model, const GivenTexts& texts,
                                        Progress& progress) {
  const std::string type = learning::model_type_of(model);
  if (type != "gpt2" && type != "bert" && type != "albert") {
    throw DataError(
        fmt::format("{}: {}.\n  Give the folder of a GPT-2, BERT or ALBERT model.", printable(model.string()),
                    type.empty() ? "there is no config.json with a \"model_type\", such as \"gpt2\""
                                 : fmt::format("is a model of the type \"{}\"", printable(type))));
  }
  learning::HeadsRequest request{
      .model = model, .type = type, .texts = texts.texts, .cut_to_positions = texts.cut_to_positions};
  if (texts.are_excerpts) {
    request.end = kExcerptTokens;
  }
  try {
    return learning::inspect_heads(request, progress);
  } catch (const DataError& error) {
    const std::string message = error.what();
    if (!texts.are_excerpts || message.find(kExcerptName) == std::string::npos) {
      throw;
    }
    throw DataError(message + " The excerpts are of a general text; give texts for this model with --texts.");
  }
}

std::string study_inputs(const RunSettings& settings) {
  std::string inputs;
  if (const std::filesystem::path file = text_file(settings); !file.empty()) {
    inputs += "text " + signature_of(file);
  }
  for (const char* name : {"tokens", "model", "fine-tuned"}) {
    if (settings.has_given(name)) {
      inputs += fmt::format("{} {}", name, signature_of(settings.path_of(name)));
    }
  }
  if (const std::filesystem::path file = texts_file(settings); !file.empty()) {
    const bool is_named = file == learning::kSdmTexts;
    inputs += "texts " + signature_of(is_named ? learning::find_sdm_texts(settings.data).value_or("") : file);
  }
  return inputs;
}

ParameterInfo text_parameter() {
  return {.name = "text",
          .help = "Text file on which a model is trained or measured; its last tenth is held out",
          .published = "tinyshakespeare.txt of the data folder, or else sentences of a small grammar",
          .path = "FILE"};
}

ParameterInfo texts_parameter() {
  return {
      .name = "texts",
      .help =
          "Text file with one text per line, on which the heads of a given model are measured; sdm for the "
          "nine published texts, which `mneme data get sdm` downloads",
      .published = "sdm",
      .path = "FILE"};
}

ParameterInfo tokens_parameter() {
  return {.name = "tokens",
          .help = "File of token ids, one text per line, for a model without its tokenizer",
          .published = "none",
          .path = "FILE"};
}

ParameterInfo steps_parameter(int64_t quick, int64_t full) {
  return {.name = "steps",
          .help = "Training steps of the model that the experiment trains",
          .published = fmt::format("{}, with --quick {}", full, quick),
          .min = 1,
          .max = 1'000'000};
}

ParameterInfo model_parameter(const std::string& help) {
  return {
      .name = "model", .help = help, .published = "a small model that the experiment trains", .path = "DIR"};
}

int64_t study_steps(const RunSettings& settings, int64_t quick, int64_t full) {
  if (settings.has_given("model") && settings.has_given("steps")) {
    throw UsageError("--steps has no effect on a model that is given.\n  Leave out --steps or --model.");
  }
  return settings.value_of("steps", settings.quick ? quick : full);
}

} // namespace mneme::experiments
