// SPDX-License-Identifier: MIT

#include "mneme/tokens/word_piece.h"

#include <algorithm>
#include <limits>
#include <unordered_map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "json/strict_json.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "tokens/added_tokens.h"
#include "tokens/bert_normalizer.h"
#include "tokens/errors.h"
#include "tokens/text_file.h"
#include "tokens/vocabulary_lines.h"

namespace mneme::tokens {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr const char* kNotATokenizer =
    "Check that this is the tokenizer of an encoder, and download it again.";

struct Definition {
  std::vector<std::string> tokens;
  std::vector<AddedToken> added; ///< special tokens, which are found in texts if they are parsed
  BertNormalizer normalizer;
  std::string prefix = "##", unknown = "[UNK]";
  size_t max_word = 100; ///< characters; longer words become the unknown token
  std::vector<int32_t> before_text, after_text;
};

[[noreturn]] void refuse(const std::string& name, const std::string& path, const json& value) {
  const std::string text = value.is_object() && value.contains("type")
                               ? "of the type " + value["type"].dump(-1, ' ', true)
                               : value.dump(-1, ' ', true, json::error_handler_t::replace);
  throw UnsupportedError(
      fmt::format("{}: {} is {:.60}, which mneme does not support.\n"
                  "  Supported are WordPiece, BertNormalizer, BertPreTokenizer and one text "
                  "between special tokens.",
                  printable(name), printable(path), printable(text)));
}

const json& member(const json& object, const char* key) {
  static const json null;
  const auto found = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && found != object.end() ? *found : null;
}

std::string text_of(const json& value, const std::string& path, const std::string& name) {
  if (!value.is_string()) {
    fail(name, path + " is not a text", kNotATokenizer);
  }
  return value.get<std::string>();
}

bool flag_of(const json& value, bool if_null, const std::string& path, const std::string& name) {
  if (!value.is_null() && !value.is_boolean()) {
    fail(name, path + " is neither true nor false", kNotATokenizer);
  }
  return value.is_null() ? if_null : value.get<bool>();
}

int32_t id_of(const json& value, const std::string& path, const std::string& name) {
  if (!value.is_number_integer() || value < 0 || value >= std::numeric_limits<int32_t>::max()) {
    fail(name, path + " is not an id, a whole number from 0 on", kNotATokenizer);
  }
  return value.get<int32_t>();
}

void require_only(const json& object, std::initializer_list<std::string_view> keys, const std::string& path,
                  const std::string& name) {
  for (const auto& [key, value] : object.items()) {
    if (std::ranges::find(keys, std::string_view(key)) == keys.end()) {
      refuse(name, path + "." + key, value);
    }
  }
}

void require_type(const json& object, const char* type, const std::string& path, const std::string& name) {
  if (member(object, "type") != type) {
    refuse(name, path, object);
  }
}

BertNormalizer parse_normalizer(const json& node, const std::string& name) {
  require_type(node, "BertNormalizer", "normalizer", name);
  require_only(node, {"type", "clean_text", "handle_chinese_chars", "strip_accents", "lowercase"},
               "normalizer", name);
  const auto flag = [&](const char* key, bool if_null) {
    return flag_of(member(node, key), if_null, fmt::format("normalizer.{}", key), name);
  };
  const bool lowercase = flag("lowercase", true);
  return {.clean_text = flag("clean_text", true),
          .chinese = flag("handle_chinese_chars", true),
          .strip_accents = flag("strip_accents", lowercase), // null: as lowercase
          .lowercase = lowercase};
}

/// Special tokens before and after one text.
void parse_post_processor(const json& node, Definition& definition, const std::string& name) {
  if (node.is_null()) {
    return;
  }
  if (member(node, "type") == "BertProcessing") {
    for (const auto& [key, ids] :
         {std::pair{"cls", &definition.before_text}, {"sep", &definition.after_text}}) {
      const json& pair = member(node, key);
      ids->push_back(id_of(pair.is_array() && pair.size() == 2 ? pair[1] : json(),
                           fmt::format("post_processor.{}[1]", key), name));
    }
    return;
  }
  require_type(node, "TemplateProcessing", "post_processor", name);
  bool is_after = false;
  for (const json& item : member(node, "single")) {
    if (const json& sequence = member(item, "Sequence"); !sequence.is_null()) {
      if (is_after) {
        refuse(name, "post_processor.single", item);
      }
      is_after = true;
      continue;
    }
    const std::string token =
        text_of(member(member(item, "SpecialToken"), "id"), "post_processor.single", name);
    for (const json& id : member(member(member(node, "special_tokens"), token.c_str()), "ids")) {
      (is_after ? definition.after_text : definition.before_text)
          .push_back(id_of(id, "post_processor.special_tokens", name));
    }
  }
  if (!is_after) {
    fail(name, "post_processor.single does not contain the text, \"Sequence\"", kNotATokenizer);
  }
}

void parse_added_tokens(const json& list, Definition& definition, const std::string& name) {
  for (const json& item : list) {
    AddedToken token{.id = id_of(member(item, "id"), "added_tokens.id", name),
                     .text = text_of(member(item, "content"), "added_tokens.content", name),
                     .is_special = flag_of(member(item, "special"), false, "added_tokens.special", name)};
    for (const char* key : {"single_word", "lstrip", "rstrip", "normalized"}) {
      if (flag_of(member(item, key), false, "added_tokens", name)) {
        refuse(name, fmt::format("added_tokens.{} of {:?}", key, token.text), member(item, key));
      }
    }
    if (token.text.empty()) {
      fail(name, "an added token is empty", kNotATokenizer);
    }
    definition.added.push_back(std::move(token));
  }
}

void parse_vocabulary(const json& vocabulary, Definition& definition, const std::string& name) {
  if (!vocabulary.is_object()) {
    fail(name, "model.vocab is not an object that maps tokens to ids", kNotATokenizer);
  }
  const size_t limit = vocabulary.size() + definition.added.size(); // before anything is allocated
  const auto set = [&](int32_t id, const std::string& token, bool may_repeat) {
    if (static_cast<size_t>(id) >= limit) {
      fail(name, fmt::format("the id {} is given, but there are at most {} tokens", id, limit),
           "Ids must be consecutive, from 0 on.");
    }
    if (definition.tokens.size() <= static_cast<size_t>(id)) {
      definition.tokens.resize(static_cast<size_t>(id) + 1);
    }
    std::string& place = definition.tokens[static_cast<size_t>(id)];
    if (!place.empty() && !(may_repeat && place == token)) {
      fail(name, fmt::format("the id {} belongs to two tokens", id), kNotATokenizer);
    }
    place = token;
  };
  for (const auto& [token, id] : vocabulary.items()) {
    set(id_of(id, "model.vocab", name), token, false);
  }
  for (const AddedToken& token : definition.added) {
    set(token.id, token.text, true);
  }
}

/// vocab.txt: line i is token i.
Definition parse_lines(std::string_view text, const std::string& name) {
  Definition definition{.tokens = vocabulary_lines(text)};
  for (const char* special : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
    const auto found = std::ranges::find(definition.tokens, special);
    if (found == definition.tokens.end()) {
      fail(name, fmt::format("there is no line {}", special), "Is it the vocab.txt of a BERT model?");
    }
    definition.added.push_back(
        {.id = static_cast<int32_t>(found - definition.tokens.begin()), .text = special, .is_special = true});
  }
  if (std::ranges::none_of(definition.tokens, [](const auto& token) { return token.starts_with("##"); })) {
    throw UnsupportedError(
        printable(name) +
        ": no token begins with \"##\", so that this is not a vocabulary of WordPiece.\n"
        "  Convert texts to ids with the tokenizer of this model, and give these ids instead of a text.");
  }
  definition.before_text = {definition.added[2].id};
  definition.after_text = {definition.added[3].id};
  return definition;
}

void apply_configuration(std::string_view text, const std::string& name, Definition& definition) {
  const json document = parse_strict_json<json>(text, name, {.advice = kNotATokenizer});
  const json& kind = member(document, "tokenizer_class");
  if (!kind.is_null() && kind != "BertTokenizer" && kind != "BertTokenizerFast") {
    refuse(name, "tokenizer_class", kind);
  }
  const json& basic = member(document, "do_basic_tokenize");
  if (!flag_of(basic, true, "do_basic_tokenize", name)) {
    refuse(name, "do_basic_tokenize", basic);
  }
  BertNormalizer& normalizer = definition.normalizer;
  normalizer.lowercase = flag_of(member(document, "do_lower_case"), true, "do_lower_case", name);
  normalizer.strip_accents =
      flag_of(member(document, "strip_accents"), normalizer.lowercase, "strip_accents", name);
  normalizer.chinese =
      flag_of(member(document, "tokenize_chinese_chars"), true, "tokenize_chinese_chars", name);
}

} // namespace

struct WordPiece::State {
  State(Definition given, const std::string& name) : definition(std::move(given)) {
    std::vector<const AddedToken*> pointers;
    for (const AddedToken& token : definition.added) {
      pointers.push_back(&token);
    }
    added = AddedTokens(pointers);
    for (size_t id = 0; id < definition.tokens.size(); ++id) {
      const std::string& token = definition.tokens[id];
      ids.insert_or_assign(token, static_cast<int32_t>(id)); // of equal lines of vocab.txt, the last one
      longest = std::max(longest, token.size());
    }
    const auto found = ids.find(definition.unknown);
    if (found == ids.end()) {
      fail(name, fmt::format("the unknown token {:?} is not in the vocabulary", definition.unknown),
           kNotATokenizer);
    }
    unknown = found->second;
    for (const std::vector<int32_t>& around : {definition.before_text, definition.after_text}) {
      for (const int32_t id : around) {
        if (static_cast<size_t>(id) >= definition.tokens.size()) {
          fail(name, fmt::format("the tokens around a text have the id {}, beyond the vocabulary", id),
               kNotATokenizer);
        }
      }
    }
  }
  State(const State&) = delete; // the tables refer to the definition
  State& operator=(const State&) = delete;

  void encode_word(std::u32string_view word, std::vector<int32_t>& output) const {
    if (word.size() > definition.max_word) {
      output.push_back(unknown);
      return;
    }
    std::vector<int32_t> found;
    for (size_t begin = 0; begin < word.size();) {
      size_t end = std::min(word.size(), begin + longest);
      for (; end > begin; --end) {
        const std::string piece =
            (begin > 0 ? definition.prefix : "") + to_utf8(word.substr(begin, end - begin));
        if (const auto id = ids.find(piece); id != ids.end()) {
          found.push_back(id->second);
          break;
        }
      }
      if (end == begin) {
        output.push_back(unknown);
        return;
      }
      begin = end;
    }
    output.insert(output.end(), found.begin(), found.end());
  }

  void encode_part(std::string_view text, std::vector<int32_t>& output) const {
    const std::u32string clean = normalized(definition.normalizer, text);
    for (const std::u32string_view word : bert_words(clean)) {
      encode_word(word, output);
    }
  }

  Definition definition;
  AddedTokens added;
  std::unordered_map<std::string_view, int32_t> ids;
  int32_t unknown = 0;
  size_t longest = 0; ///< bytes of a token
};

int64_t WordPiece::vocab_size() const {
  return static_cast<int64_t>(state_->definition.tokens.size());
}

std::string_view WordPiece::token_text(int32_t id) const {
  check_id(id, vocab_size());
  return state_->definition.tokens[static_cast<size_t>(id)];
}

std::vector<int32_t> WordPiece::encode(std::string_view text, const EncodeOptions& options) const {
  const Definition& definition = state_->definition;
  std::vector<int32_t> ids = options.add_special ? definition.before_text : std::vector<int32_t>{};
  size_t begin = 0;
  for (size_t from = 0; from < text.size();) {
    const AddedTokenMatch match = state_->added.find(text, from);
    if (match.token == nullptr) {
      break;
    }
    from = match.begin + match.size;
    if (match.token->is_special && !options.parse_special) {
      continue;
    }
    state_->encode_part(text.substr(begin, match.begin - begin), ids);
    ids.push_back(match.token->id);
    begin = from;
  }
  state_->encode_part(text.substr(begin), ids);
  if (options.add_special) {
    ids.insert(ids.end(), definition.after_text.begin(), definition.after_text.end());
  }
  return ids;
}

WordPiece parse_word_piece(std::string_view text, const std::string& name) {
  const json document = parse_strict_json<json>(text, name + ": the tokenizer", {.advice = kNotATokenizer});
  const json& model = member(document, "model");
  require_type(model, "WordPiece", "model", name);
  require_only(model, {"type", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"},
               "model", name);
  Definition definition;
  parse_added_tokens(member(document, "added_tokens"), definition, name);
  definition.normalizer = parse_normalizer(member(document, "normalizer"), name);
  require_type(member(document, "pre_tokenizer"), "BertPreTokenizer", "pre_tokenizer", name);
  parse_post_processor(member(document, "post_processor"), definition, name);
  definition.unknown = text_of(member(model, "unk_token"), "model.unk_token", name);
  definition.prefix =
      text_of(member(model, "continuing_subword_prefix"), "model.continuing_subword_prefix", name);
  definition.max_word = static_cast<size_t>(
      id_of(member(model, "max_input_chars_per_word"), "model.max_input_chars_per_word", name));
  parse_vocabulary(member(model, "vocab"), definition, name);
  return WordPiece(std::make_shared<const WordPiece::State>(std::move(definition), name));
}

WordPiece read_word_piece(const fs::path& folder_or_file) {
  std::error_code error;
  const bool is_folder = fs::is_directory(folder_or_file, error);
  const fs::path whole = is_folder ? folder_or_file / "tokenizer.json" : folder_or_file;
  if (!is_folder || is_present(whole)) {
    return parse_word_piece(read_text(whole), whole.string());
  }
  const fs::path vocabulary = folder_or_file / "vocab.txt";
  if (!is_present(vocabulary)) {
    fail(folder_or_file.string(), "contains no tokenizer: neither tokenizer.json nor vocab.txt",
         "Name the folder of a BERT model with its tokenizer.");
  }
  Definition definition = parse_lines(read_text(vocabulary), vocabulary.string());
  if (const fs::path configuration = folder_or_file / "tokenizer_config.json"; is_present(configuration)) {
    apply_configuration(read_text(configuration), configuration.string(), definition);
  }
  return WordPiece(std::make_shared<const WordPiece::State>(std::move(definition), vocabulary.string()));
}

} // namespace mneme::tokens
