// SPDX-License-Identifier: MIT

#include "tokens/tokenizer_json.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <limits>
#include <unordered_set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "json/strict_json.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "tokens/byte_alphabet.h"
#include "tokens/errors.h"

namespace mneme::tokens {
namespace {

using nlohmann::json;

constexpr const char* kNotATokenizer =
    "Check that this is the tokenizer of a language model, and download it again.";
constexpr int64_t kMaxVocabulary = std::numeric_limits<int32_t>::max();

constexpr const char* kSupported = "Supported are byte-level BPE; the normalizers NFC, NFD, NFKC, NFKD, "
                                   "Lowercase, Prepend, Replace of a text, "
                                   "and Strip; the pre-tokenizers Split, Digits, Punctuation, Whitespace and "
                                   "WhitespaceSplit before ByteLevel, "
                                   "or the normalizer ByteLevel without a pre-tokenizer; and the "
                                   "post-processors ByteLevel, TemplateProcessing, "
                                   "RobertaProcessing and BertProcessing.";

/// A JSON value in short form, for messages.
std::string summary(const json& value) {
  if (value.is_object() && value.contains("type")) {
    return "of the type " + summary(value["type"]);
  }
  constexpr size_t kShown = 60;
  const std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  return text.size() > kShown ? text.substr(0, kShown) + "..." : text;
}

/// A value of the document, with its place for messages.
class Node {
public:
  Node(const json& value, std::string path, const std::string& name)
      : value_(&value), path_(std::move(path)), name_(&name) {}

  const json& value() const { return *value_; }
  const std::string& path() const { return path_; }
  const std::string& name() const { return *name_; } ///< of the file

  /// A member; null if it is absent.
  Node at(const char* key) const {
    static const json null;
    require(value_->is_object(), "an object");
    const auto found = value_->find(key);
    return member(key, found == value_->end() ? null : *found);
  }
  /// A member that was found by iterating over the object.
  Node member(const std::string& key, const json& value) const {
    return {value, path_.empty() ? key : path_ + "." + key, *name_};
  }
  Node at(size_t index) const { return {(*value_)[index], fmt::format("{}[{}]", path_, index), *name_}; }
  size_t size() const { return value_->size(); }
  bool is_null() const { return value_->is_null(); }

  std::string text() const {
    require(value_->is_string(), "a text");
    return value_->get<std::string>();
  }
  bool flag(bool if_absent) const {
    require(value_->is_null() || value_->is_boolean(), "true or false");
    return value_->is_null() ? if_absent : value_->get<bool>();
  }
  /// Errors  UnsupportedError, also with the place in the file
  SplitRule pattern() const {
    try {
      return pattern_rule(text());
    } catch (const UnsupportedError& error) {
      throw UnsupportedError(fmt::format("{}: {}: {}", printable(*name_), printable(path_), error.what()));
    }
  }
  int32_t id() const {
    require(value_->is_number_integer() && *value_ >= 0 && *value_ < kMaxVocabulary,
            "an id: a whole number from 0 on");
    return value_->get<int32_t>();
  }

  void require(bool condition, const char* expected) const {
    if (!condition) {
      fail(fmt::format("{} is {}, expected {}", path_, summary(*value_), expected), kNotATokenizer);
    }
  }
  /// Only these members may be present.
  void require_only(std::initializer_list<std::string_view> keys) const {
    for (const auto& [key, value] : value_->items()) {
      if (std::ranges::find(keys, std::string_view(key)) == keys.end()) {
        member(key, value).refuse();
      }
    }
  }
  /// The values that have no effect here.
  void require_one_of(const std::vector<json>& permitted) const {
    if (std::ranges::find(permitted, *value_) == permitted.end()) {
      refuse();
    }
  }
  [[noreturn]] void refuse(const std::string& advice = kSupported) const {
    throw UnsupportedError(fmt::format("{}: {} is {}, which mneme does not support.\n  {}", printable(*name_),
                                       printable(path_), printable(summary(*value_)), advice));
  }
  [[noreturn]] void fail(const std::string& problem, const std::string& advice) const {
    tokens::fail(*name_, problem, advice);
  }

private:
  const json* value_;
  std::string path_;
  const std::string* name_;
};

/// The pre-tokenizer ByteLevel: bytes are written in the byte alphabet, and optionally split as in GPT-2.
void parse_byte_level(const Node& node, SplitRules& rules) {
  node.require_only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
  if (node.at("add_prefix_space").flag(true)) {
    rules.add_prefix_space = true;
    rules.rules_before_space = rules.rules.size(); // every piece of theirs gets a space
  }
  node.at("trim_offsets").flag(true); // has no effect on ids
  if (node.at("use_regex").flag(true)) {
    rules.rules.push_back({.kind = SplitRule::Kind::gpt2});
  }
}

/// The names of SplitRule::Behavior, in their order.
constexpr std::array<std::string_view, 5> kBehaviors = {"Isolated", "Removed", "MergedWithPrevious",
                                                        "MergedWithNext", "Contiguous"};

SplitRule::Behavior parse_behavior(const Node& node) {
  const auto found = std::ranges::find(kBehaviors, std::string_view(node.text()));
  if (found == kBehaviors.end()) {
    node.refuse();
  }
  return static_cast<SplitRule::Behavior>(found - kBehaviors.begin());
}

SplitRule parse_split_pattern(const Node& pattern) {
  pattern.require_only({"Regex", "String"});
  if (!pattern.at("Regex").is_null()) {
    return pattern.at("Regex").pattern();
  }
  std::string escaped;
  for (const char c : pattern.at("String").text()) {
    const bool is_letter = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (c > ' ' && c < 127 && !is_letter) {
      escaped += '\\';
    }
    escaped += c;
  }
  return pattern_rule(escaped);
}

/// The pre-tokenizer Split, by matches of a pattern or of a text.
SplitRule parse_split(const Node& node) {
  node.require_only({"type", "pattern", "behavior", "invert"});
  SplitRule rule = parse_split_pattern(node.at("pattern"));
  rule.behavior = parse_behavior(node.at("behavior"));
  rule.is_inverted = node.at("invert").flag(false) && rule.behavior != SplitRule::Behavior::isolated;
  return rule;
}

SplitRule parse_punctuation(const Node& node) {
  node.require_only({"type", "behavior"});
  const Node behavior = node.at("behavior");
  return {.kind = SplitRule::Kind::punctuation,
          .behavior = behavior.is_null() ? SplitRule::Behavior::isolated : parse_behavior(behavior)};
}

const SplitRule kWhitespace{
    .kind = SplitRule::Kind::words, .behavior = SplitRule::Behavior::removed, .is_inverted = true};
const SplitRule kWhitespaceSplit{.kind = SplitRule::Kind::white_space,
                                 .behavior = SplitRule::Behavior::removed};

/// Returns true after ByteLevel, which must come last.
bool parse_pre_tokenizer(const Node& node, SplitRules& rules, int depth = 0) {
  if (node.is_null() || depth > 8) {
    node.refuse();
  }
  const std::string type = node.at("type").is_null() ? "" : node.at("type").text();
  if (type == "ByteLevel") {
    parse_byte_level(node, rules);
    return true;
  }
  if (type == "Digits") {
    node.require_only({"type", "individual_digits"});
    rules.rules.push_back({.kind = node.at("individual_digits").flag(false) ? SplitRule::Kind::digit
                                                                            : SplitRule::Kind::digit_runs});
    return false;
  }
  if (type == "Split") {
    rules.rules.push_back(parse_split(node));
    return false;
  }
  if (type == "Punctuation") {
    rules.rules.push_back(parse_punctuation(node));
    return false;
  }
  if (type == "Whitespace" || type == "WhitespaceSplit") {
    node.require_only({"type"});
    rules.rules.push_back(type == "Whitespace" ? kWhitespace : kWhitespaceSplit);
    return false;
  }
  if (type != "Sequence") {
    node.refuse();
  }
  node.require_only({"type", "pretokenizers"});
  const Node steps = node.at("pretokenizers");
  steps.require(steps.value().is_array(), "a list");
  bool is_byte_level = false;
  for (size_t i = 0; i < steps.size(); ++i) {
    if (is_byte_level) {
      steps.at(i).refuse();
    }
    is_byte_level = parse_pre_tokenizer(steps.at(i), rules, depth + 1);
  }
  return is_byte_level;
}

/// Checks the type of the model first, which the other parts depend on.
void require_byte_pairs(const Node& model) {
  if (model.is_null() || !model.value().is_object()) {
    return; // parse_model reports it
  }
  const Node type = model.at("type");
  if (type.value().is_string() && type.value() != "BPE") {
    throw UnsupportedError(fmt::format("{}: is a tokenizer of the type {}{}, which is not supported here.\n  "
                                       "Supported is byte-level BPE, as "
                                       "of GPT-2, GPT-4o, Llama 3, DeepSeek and Qwen.",
                                       printable(type.name()), printable(type.text()),
                                       type.value() == "WordPiece" ? " (BERT; `mneme inspect` reads it)"
                                       : type.value() == "Unigram" ? " (SentencePiece, such as T5)"
                                                                   : ""));
  }
}

/// The kinds of normalizers without options, by their names.
constexpr std::pair<std::string_view, TextNormalizer::Kind> kPlainNormalizers[] = {
    {"NFC", TextNormalizer::Kind::nfc},
    {"NFD", TextNormalizer::Kind::nfd},
    {"NFKC", TextNormalizer::Kind::nfkc},
    {"NFKD", TextNormalizer::Kind::nfkd},
    {"Lowercase", TextNormalizer::Kind::lowercase}};

/// The normalizer Replace, of a text that is not empty.
TextNormalizer parse_replace(const Node& node) {
  node.require_only({"type", "pattern", "content"});
  const Node pattern = node.at("pattern"), text = pattern.at("String");
  if (text.is_null() || text.text().empty()) {
    pattern.refuse();
  }
  return {.kind = TextNormalizer::Kind::replace, .text = text.text(), .content = node.at("content").text()};
}

/// Returns true after ByteLevel, which must come last: it writes bytes in the byte alphabet, as the
/// pre-tokenizer does otherwise.
bool parse_normalizer(const Node& node, std::vector<TextNormalizer>& normalizers, int depth = 0) {
  if (node.is_null() && depth == 0) {
    return false;
  }
  bool is_byte_level = false;
  const std::string type = node.at("type").is_null() ? "" : node.at("type").text();
  const auto* plain =
      std::ranges::find(kPlainNormalizers, type, &std::pair<std::string_view, TextNormalizer::Kind>::first);
  if (plain != std::end(kPlainNormalizers)) {
    node.require_only({"type"});
    normalizers.push_back({.kind = plain->second});
  } else if (type == "Prepend") {
    node.require_only({"type", "prepend"});
    normalizers.push_back({.kind = TextNormalizer::Kind::prepend, .text = node.at("prepend").text()});
  } else if (type == "Replace") {
    normalizers.push_back(parse_replace(node));
  } else if (type == "Strip") {
    node.require_only({"type", "strip_left", "strip_right"});
    normalizers.push_back({.kind = TextNormalizer::Kind::strip,
                           .strips_left = node.at("strip_left").flag(true),
                           .strips_right = node.at("strip_right").flag(true)});
  } else if (type == "ByteLevel") {
    node.require_only({"type"});
    is_byte_level = true;
  } else if (type == "Sequence" && depth < 8) {
    node.require_only({"type", "normalizers"});
    const Node steps = node.at("normalizers");
    steps.require(steps.value().is_array(), "a list");
    for (size_t i = 0; i < steps.size(); ++i) {
      if (is_byte_level) {
        steps.at(i).refuse();
      }
      is_byte_level = parse_normalizer(steps.at(i), normalizers, depth + 1);
    }
  } else {
    node.refuse();
  }
  return is_byte_level;
}

/// The post-processor TemplateProcessing, for a single text: special tokens before and after it.
void parse_template(const Node& node, Definition& definition) {
  node.require_only({"type", "single", "pair", "special_tokens"});
  const Node items = node.at("single");
  items.require(items.value().is_array(), "a list");
  bool is_after = false;
  for (size_t i = 0; i < items.size(); ++i) {
    const Node item = items.at(i), sequence = item.at("Sequence"), special = item.at("SpecialToken");
    if (!sequence.is_null()) {
      if (is_after || sequence.at("id").text() != "A") {
        sequence.refuse();
      }
      is_after = true;
      continue;
    }
    const Node token = node.at("special_tokens").at(special.at("id").text().c_str()), ids = token.at("ids");
    ids.require(ids.value().is_array(), "a list of ids");
    for (size_t k = 0; k < ids.size(); ++k) {
      (is_after ? definition.after_text : definition.before_text).push_back(ids.at(k).id());
    }
  }
  items.require(is_after, "a list with the text, \"Sequence\"");
}

/// The post-processors of RoBERTa and BERT: a token before the text, and one after it.
void parse_class_and_separator(const Node& node, Definition& definition) {
  if (node.at("type").value() == "RobertaProcessing") {
    node.require_only({"type", "sep", "cls", "trim_offsets", "add_prefix_space"});
  } else {
    node.require_only({"type", "sep", "cls"});
  }
  for (const auto& [key, ids] :
       {std::pair("cls", &definition.before_text), std::pair("sep", &definition.after_text)}) {
    const Node token = node.at(key);
    token.require(token.value().is_array() && token.size() == 2, "a token and its id");
    ids->push_back(token.at(size_t{1}).id());
  }
}

/// Adds the tokens around a text. Returns false for other post-processors.
bool parse_tokens_around(const Node& node, Definition& definition) {
  const json& type = node.at("type").value();
  if (type == "TemplateProcessing") {
    parse_template(node, definition);
  } else if (type == "RobertaProcessing" || type == "BertProcessing") {
    parse_class_and_separator(node, definition);
  } else {
    return false;
  }
  return true;
}

void require_byte_level(const Node& node) {
  if (node.is_null() || node.at("type").value() != "ByteLevel") {
    node.refuse();
  }
  node.require_only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
}

/// Post-processors add special tokens or change offsets, which mneme does not have.
void parse_post_processor(const Node& node, Definition& definition) {
  if (node.is_null()) {
    return;
  }
  if (parse_tokens_around(node, definition)) {
    return;
  }
  if (node.at("type").value() == "Sequence") {
    node.require_only({"type", "processors"});
    const Node steps = node.at("processors");
    steps.require(steps.value().is_array(), "a list");
    for (size_t i = 0; i < steps.size(); ++i) {
      const bool is_first = definition.before_text.empty() && definition.after_text.empty();
      if (!is_first || !parse_tokens_around(steps.at(i), definition)) {
        require_byte_level(steps.at(i));
      }
    }
  } else {
    require_byte_level(node);
  }
}

/// Ids of the tokens of a vocabulary, as they are written.
using Vocabulary = std::unordered_map<std::string, int32_t>;

Vocabulary parse_vocabulary(const Node& node) {
  node.require(node.value().is_object(), "an object that maps tokens to ids");
  Vocabulary vocabulary;
  vocabulary.reserve(node.size());
  for (const auto& [token, id] : node.value().items()) {
    vocabulary.emplace(token, node.member(token, id).id());
  }
  return vocabulary;
}

int32_t id_of(const Vocabulary& vocabulary, const std::string& token, const Node& merge) {
  const auto found = vocabulary.find(token);
  if (found == vocabulary.end()) {
    merge.fail(fmt::format("{}: {:?} is not in the vocabulary", merge.path(), token), kNotATokenizer);
  }
  return found->second;
}

/// The two tokens of a merge: ["a", "b"] or "a b".
std::pair<std::string, std::string> parse_pair(const Node& merge) {
  if (merge.value().is_array()) {
    merge.require(merge.size() == 2, "two tokens");
    return {merge.at(size_t{0}).text(), merge.at(size_t{1}).text()};
  }
  const std::string text = merge.text();
  const size_t space = text.find(' ');
  merge.require(space != std::string::npos && text.find(' ', space + 1) == std::string::npos,
                "two tokens, separated by a space");
  return {text.substr(0, space), text.substr(space + 1)};
}

/// Sets the bytes of all tokens. Added tokens are not written in the byte alphabet.
void set_vocabulary(Definition& definition, const Vocabulary& vocabulary, const Node& node) {
  std::unordered_set<int32_t> added_ids;
  int64_t size = 0;
  for (const auto& [token, id] : vocabulary) {
    size = std::max(size, int64_t{id} + 1);
  }
  for (const AddedToken& token : definition.added) {
    size = std::max(size, int64_t{token.id} + 1);
    added_ids.insert(token.id);
  }
  const auto count = static_cast<int64_t>(vocabulary.size() + definition.added.size());
  if (size > count) { // before anything is allocated
    node.fail(fmt::format("the largest id is {}, but there are at most {} tokens", size - 1, count),
              "Ids must be consecutive, from 0 on.");
  }
  definition.tokens.resize(static_cast<size_t>(size));
  std::vector<bool> is_set(static_cast<size_t>(size));
  const auto set = [&](int32_t id, std::string bytes) {
    if (is_set[static_cast<size_t>(id)]) {
      node.fail(fmt::format("the id {} belongs to two tokens", id), kNotATokenizer);
    }
    is_set[static_cast<size_t>(id)] = true;
    definition.tokens[static_cast<size_t>(id)] = std::move(bytes);
  };
  for (AddedToken& token : definition.added) {
    const auto found = vocabulary.find(token.text);
    token.in_vocabulary = found != vocabulary.end();
    if (token.in_vocabulary && found->second != token.id) {
      node.fail(fmt::format("the added token {:?} has the id {}, but {} in the vocabulary", token.text,
                            token.id, found->second),
                kNotATokenizer);
    }
    if (token.in_vocabulary && bytes_from_alphabet(token.text).value_or(token.text) != token.text) {
      node.fail(fmt::format("the added token {:?} is written like other bytes of the vocabulary", token.text),
                "Use an added token of ASCII characters.");
    }
    set(token.id, token.text);
  }
  for (const auto& [token, id] : vocabulary) {
    if (added_ids.contains(id)) {
      continue;
    }
    std::optional<std::string> bytes = bytes_from_alphabet(token);
    if (!bytes) {
      node.fail(
          fmt::format(
              "token {} is {:?}, which is neither written in the byte alphabet of GPT-2 nor an added token",
              id, token),
          "Supported are byte-level vocabularies.");
    }
    set(id, std::move(*bytes));
  }
  if (const auto hole = std::ranges::find(is_set, false); hole != is_set.end()) {
    node.fail(fmt::format("no token has the id {}", hole - is_set.begin()),
              "Ids must be consecutive, from 0 on.");
  }
}

void parse_merge(Definition& definition, const Vocabulary& vocabulary, const Node& node) {
  const auto [left, right] = parse_pair(node);
  definition.merges.push_back({.left = id_of(vocabulary, left, node),
                               .right = id_of(vocabulary, right, node),
                               .result = id_of(vocabulary, left + right, node)});
}

void parse_model(const Node& model, Definition& definition) {
  if (const Node type = model.at("type"); !type.is_null() && type.value() != "BPE") {
    type.refuse();
  }
  model.require_only({"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
                      "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges"});
  model.at("dropout").require_one_of({nullptr, 0.0});
  model.at("continuing_subword_prefix").require_one_of({nullptr, ""});
  model.at("end_of_word_suffix").require_one_of({nullptr, ""});
  // unk_token, fuse_unk and byte_fallback have no effect, because every byte must have a token.
  definition.ignore_merges = model.at("ignore_merges").flag(false);
  const Vocabulary vocabulary = parse_vocabulary(model.at("vocab"));
  set_vocabulary(definition, vocabulary, model.at("vocab"));
  const Node merges = model.at("merges");
  merges.require(merges.value().is_array(), "a list of merges");
  for (size_t i = 0; i < merges.size(); ++i) {
    parse_merge(definition, vocabulary, merges.at(i));
  }
}

void parse_added_tokens(const Node& list, Definition& definition) {
  list.require(list.is_null() || list.value().is_array(), "a list");
  for (size_t i = 0; i < list.size(); ++i) {
    const Node token = list.at(i);
    token.require(token.value().is_object(), "an object");
    token.require_only({"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
    const bool special = token.at("special").flag(false);
    definition.added.push_back({.id = token.at("id").id(),
                                .text = token.at("content").text(),
                                .is_special = special,
                                .after_normalizing = token.at("normalized").flag(!special),
                                .strips_left = token.at("lstrip").flag(false),
                                .strips_right = token.at("rstrip").flag(false),
                                .is_single_word = token.at("single_word").flag(false)});
    token.require(!definition.added.back().text.empty(), "a token with at least one character");
  }
  std::ranges::sort(definition.added, {}, &AddedToken::id);
}

nlohmann::ordered_json template_json(const Definition& definition) {
  using nlohmann::ordered_json;
  if (definition.before_text.empty() && definition.after_text.empty()) {
    return nullptr;
  }
  ordered_json single = ordered_json::array(), pair = ordered_json::array(), special = ordered_json::object();
  const auto add_tokens = [&](const std::vector<int32_t>& ids) {
    for (const int32_t id : ids) {
      const std::string& token = definition.tokens[static_cast<size_t>(id)];
      single.push_back({{"SpecialToken", {{"id", token}, {"type_id", 0}}}});
      special[token] = {{"id", token}, {"ids", {id}}, {"tokens", {token}}};
    }
  };
  add_tokens(definition.before_text);
  single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
  add_tokens(definition.after_text);
  for (const char* text : {"A", "B"}) {
    for (ordered_json item : single) {
      if (item.contains("Sequence")) {
        item["Sequence"]["id"] = text;
      }
      pair.push_back(item);
    }
  }
  return {{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", special}};
}

} // namespace

Definition parse_tokenizer_json(std::string_view text, const std::string& name) {
  const json document = parse_strict_json<json>(text, name + ": the tokenizer", {.advice = kNotATokenizer});
  const Node root(document, "", name);
  root.require_only({"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
                     "post_processor", "decoder", "model"});
  for (const char* key : {"truncation", "padding"}) {
    if (const Node saved = root.at(key); !saved.is_null()) {
      saved.refuse(fmt::format("Set {:?} to null in the file: whole texts are encoded.", key));
    }
  }
  require_byte_pairs(root.at("model"));
  require_byte_level(root.at("decoder"));
  Definition definition;
  const bool is_byte_level = parse_normalizer(root.at("normalizer"), definition.normalizers);
  parse_post_processor(root.at("post_processor"), definition);
  const Node pre_tokenizer = root.at("pre_tokenizer");
  // After the normalizer ByteLevel, a text without a pre-tokenizer is one piece. Without both, the model
  // would get characters instead of bytes.
  if (is_byte_level ? !pre_tokenizer.is_null() : !parse_pre_tokenizer(pre_tokenizer, definition.rules)) {
    pre_tokenizer.refuse();
  }
  parse_added_tokens(root.at("added_tokens"), definition);
  for (const AddedToken& token : definition.added) { // spaces are written as letters where it is found
    if (is_byte_level && token.after_normalizing &&
        (token.strips_left || token.strips_right || token.is_single_word)) {
      root.at("added_tokens").refuse();
    }
  }
  parse_model(root.at("model"), definition);
  definition.end_of_text = usual_end_of_text(definition);
  return definition;
}

Definition parse_gpt2_files(std::string_view vocabulary_text, const std::string& vocabulary_name,
                            std::string_view merges, const std::string& merges_name) {
  const json document = parse_strict_json<json>(vocabulary_text, vocabulary_name + ": the vocabulary",
                                                {.advice = kNotATokenizer});
  const Node root(document, "", vocabulary_name);
  const Vocabulary vocabulary = parse_vocabulary(root);
  Definition definition{.rules = {.rules = {{.kind = SplitRule::Kind::gpt2}}}};
  if (const auto end = vocabulary.find("<|endoftext|>"); end != vocabulary.end()) {
    definition.added.push_back({.id = end->second, .text = end->first, .is_special = true});
  }
  set_vocabulary(definition, vocabulary, root);
  for (size_t line = 1; !merges.empty(); ++line) {
    const size_t end = std::min(merges.find('\n'), merges.size());
    std::string text(merges.substr(0, end));
    merges.remove_prefix(std::min(end + 1, merges.size()));
    if (!text.empty() && text.back() == '\r') {
      text.pop_back();
    }
    if (text.empty() || (line == 1 && text.starts_with("#version"))) {
      continue;
    }
    const json value = text;
    parse_merge(definition, vocabulary, Node(value, fmt::format("line {}", line), merges_name));
  }
  definition.end_of_text = usual_end_of_text(definition);
  return definition;
}

namespace {

/// A rule other than that of ByteLevel.
nlohmann::ordered_json rule_json(const SplitRule& rule) {
  const std::string_view behavior = kBehaviors.at(static_cast<size_t>(rule.behavior));
  switch (rule.kind) {
  case SplitRule::Kind::gpt2:
  case SplitRule::Kind::pattern:
    return {{"type", "Split"},
            {"pattern", {{"Regex", rule.kind == SplitRule::Kind::gpt2 ? kGpt2Pattern : rule.pattern_text}}},
            {"behavior", behavior},
            {"invert", rule.is_inverted}};
  case SplitRule::Kind::punctuation:
    return {{"type", "Punctuation"}, {"behavior", behavior}};
  case SplitRule::Kind::white_space:
    return {{"type", "WhitespaceSplit"}};
  case SplitRule::Kind::words:
    return {{"type", "Whitespace"}};
  default:
    return {{"type", "Digits"}, {"individual_digits", rule.kind == SplitRule::Kind::digit}};
  }
}

nlohmann::ordered_json normalizer_json(const TextNormalizer& normalizer) {
  switch (normalizer.kind) {
  case TextNormalizer::Kind::prepend:
    return {{"type", "Prepend"}, {"prepend", normalizer.text}};
  case TextNormalizer::Kind::replace:
    return {{"type", "Replace"}, {"pattern", {{"String", normalizer.text}}}, {"content", normalizer.content}};
  case TextNormalizer::Kind::strip:
    return {
        {"type", "Strip"}, {"strip_left", normalizer.strips_left}, {"strip_right", normalizer.strips_right}};
  default:
    return {{"type", std::ranges::find(kPlainNormalizers, normalizer.kind,
                                       &std::pair<std::string_view, TextNormalizer::Kind>::second)
                         ->first}};
  }
}

/// Null without normalizers.
nlohmann::ordered_json normalizers_json(const std::vector<TextNormalizer>& normalizers) {
  if (normalizers.size() == 1) {
    return normalizer_json(normalizers.front());
  }
  nlohmann::ordered_json steps = nlohmann::ordered_json::array();
  for (const TextNormalizer& normalizer : normalizers) {
    steps.push_back(normalizer_json(normalizer));
  }
  return steps.empty() ? nlohmann::ordered_json()
                       : nlohmann::ordered_json{{"type", "Sequence"}, {"normalizers", steps}};
}

} // namespace

std::string tokenizer_json_text(const Definition& definition) {
  using nlohmann::ordered_json;
  const ordered_json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};
  ordered_json steps = ordered_json::array(), last = byte_level;
  last["add_prefix_space"] = definition.rules.add_prefix_space;
  const SplitRules& rules = definition.rules;
  for (size_t i = 0; i < rules.rules.size(); ++i) {
    // A space is added before the pattern of ByteLevel, and after all other rules.
    const bool is_of_byte_level = i + 1 == rules.rules.size() &&
                                  rules.rules[i] == SplitRule{.kind = SplitRule::Kind::gpt2} &&
                                  (!rules.add_prefix_space || rules.rules_before_space == i);
    if (is_of_byte_level) {
      last["use_regex"] = true;
    } else {
      steps.push_back(rule_json(rules.rules[i]));
    }
  }
  steps.push_back(last);
  const ordered_json pre_tokenizer =
      steps.size() == 1 ? last : ordered_json{{"type", "Sequence"}, {"pretokenizers", steps}};

  ordered_json added = ordered_json::array(), vocabulary = ordered_json::object(),
               merges = ordered_json::array();
  std::vector<const AddedToken*> added_of_id(definition.tokens.size());
  for (const AddedToken& token : definition.added) {
    added_of_id[static_cast<size_t>(token.id)] = &token;
    added.push_back({{"id", token.id},
                     {"content", token.text},
                     {"single_word", token.is_single_word},
                     {"lstrip", token.strips_left},
                     {"rstrip", token.strips_right},
                     {"normalized", token.after_normalizing},
                     {"special", token.is_special}});
  }
  const auto written = [&](int32_t id) {
    const std::string& token = definition.tokens[static_cast<size_t>(id)];
    return added_of_id[static_cast<size_t>(id)] != nullptr ? token : to_alphabet(token);
  };
  for (size_t id = 0; id < definition.tokens.size(); ++id) {
    if (added_of_id[id] == nullptr || added_of_id[id]->in_vocabulary) {
      // Tokens are distinct; operator[] would compare each one with all others.
      vocabulary.get_ref<ordered_json::object_t&>().emplace_back(written(static_cast<int32_t>(id)), id);
    }
  }
  for (const Merge& merge : definition.merges) {
    merges.push_back(written(merge.left) + " " + written(merge.right));
  }
  const ordered_json document = {{"version", "1.0"},
                                 {"truncation", nullptr},
                                 {"padding", nullptr},
                                 {"added_tokens", added},
                                 {"normalizer", normalizers_json(definition.normalizers)},
                                 {"pre_tokenizer", pre_tokenizer},
                                 {"post_processor", template_json(definition)},
                                 {"decoder", byte_level},
                                 {"model",
                                  {{"type", "BPE"},
                                   {"dropout", nullptr},
                                   {"unk_token", nullptr},
                                   {"continuing_subword_prefix", nullptr},
                                   {"end_of_word_suffix", nullptr},
                                   {"fuse_unk", false},
                                   {"byte_fallback", false},
                                   {"ignore_merges", definition.ignore_merges},
                                   {"vocab", vocabulary},
                                   {"merges", merges}}}};
  return document.dump(1) + "\n";
}

std::optional<int32_t> parse_end_of_text(std::string_view text, const std::string& name,
                                         const Definition& definition) {
  const json document =
      parse_strict_json<json>(text, name + ": the configuration", {.advice = kNotATokenizer});
  const Node root(document, "", name), token = root.at("eos_token");
  if (token.is_null()) {
    return std::nullopt;
  }
  const std::string content = token.value().is_object() ? token.at("content").text() : token.text();
  const auto found = std::ranges::find(definition.added, content, &AddedToken::text);
  if (found == definition.added.end()) {
    root.fail(fmt::format("eos_token is {:?}, which is not an added token of the tokenizer", content),
              kNotATokenizer);
  }
  return found->id;
}

std::vector<std::pair<std::string, int32_t>>
parse_named_tokens(std::string_view text, const std::string& name, const Definition& definition) {
  const json document =
      parse_strict_json<json>(text, name + ": the configuration", {.advice = kNotATokenizer});
  std::vector<std::pair<std::string, int32_t>> named;
  for (const char* key : {"bos_token", "unk_token", "pad_token"}) {
    const json& token = document.value(key, json());
    const json& content = token.is_object() ? token.value("content", json()) : token;
    const auto found = std::ranges::find_if(
        definition.added, [&](const AddedToken& added) { return content == json(added.text); });
    if (found != definition.added.end()) {
      named.emplace_back(key, found->id);
    }
  }
  return named;
}

std::optional<int32_t> usual_end_of_text(const Definition& definition) {
  for (const std::string_view text : {"<|endoftext|>", "<|end_of_text|>", "</s>"}) {
    const auto found = std::ranges::find(definition.added, text, &AddedToken::text);
    if (found != definition.added.end() && found->is_special) {
      return found->id;
    }
  }
  return std::nullopt;
}

} // namespace mneme::tokens
