// SPDX-License-Identifier: MIT

#include "tokens/tokenizer_state.h"

#include <algorithm>
#include <unordered_set>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/sha256.h"
#include "mneme/core/text.h"
#include "tokens/errors.h"

namespace mneme::tokens {
namespace {

constexpr const char* kIncomplete = "The tokenizer is damaged or incomplete: copy or download it again.";

/// Definition in which all added tokens are searched at once if their order does not matter.
Definition canonical(Definition definition) {
  const auto is_late = [](const AddedToken& token) { return token.after_normalizing; };
  if (definition.normalizers.empty() && std::ranges::all_of(definition.added, is_late)) {
    for (AddedToken& token : definition.added) {
      token.after_normalizing = false;
    }
  }
  return definition;
}

/// Adds the parts that earlier versions did not have, if there are any, so that hashes in files stay valid.
template <class AddNumber>
void add_later_parts(const Definition& definition, Sha256& sum, const AddNumber& add_number) {
  const SplitRules& rules = definition.rules;
  const auto changes_matches = [](const SplitRule& rule) {
    return rule.behavior != SplitRule::Behavior::isolated || rule.is_inverted;
  };
  const auto has_conditions = [](const AddedToken& token) {
    return token.strips_left || token.strips_right || token.is_single_word;
  };
  const auto add_text = [&](const std::string& text) {
    add_number(static_cast<int64_t>(text.size()));
    sum.add(text);
  };
  if (std::ranges::any_of(rules.rules, changes_matches)) {
    sum.add("behavior");
    for (const SplitRule& rule : rules.rules) {
      add_number(static_cast<int64_t>(rule.behavior));
      add_number(rule.is_inverted);
    }
  }
  if (rules.adds_space_to_pieces()) {
    sum.add("space");
    add_number(static_cast<int64_t>(rules.rules_before_space));
  }
  if (std::ranges::any_of(definition.added, has_conditions)) {
    sum.add("conditions");
    for (const AddedToken& token : definition.added) {
      add_number(token.strips_left);
      add_number(token.strips_right);
      add_number(token.is_single_word);
    }
  }
  if (!definition.normalizers.empty()) {
    sum.add("normalizers");
    for (const TextNormalizer& normalizer : definition.normalizers) {
      add_number(static_cast<int64_t>(normalizer.kind));
      add_text(normalizer.text);
      add_text(normalizer.content);
      add_number(normalizer.strips_left);
      add_number(normalizer.strips_right);
    }
  }
}

/// SHA-256 of everything that determines ids.
std::string hash_of(const Definition& definition) {
  Sha256 sum;
  const auto add_number = [&](int64_t number) {
    std::array<char, 8> bytes{};
    for (size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<char>(number >> (8 * i));
    }
    sum.add(std::string_view(bytes.data(), bytes.size()));
  };
  sum.add("mneme tokenizer 1");
  add_number(static_cast<int64_t>(definition.tokens.size()));
  for (const std::string& token : definition.tokens) {
    add_number(static_cast<int64_t>(token.size()));
    sum.add(token);
  }
  add_number(static_cast<int64_t>(definition.merges.size()));
  for (const Merge& merge : definition.merges) {
    add_number(merge.left);
    add_number(merge.right);
  }
  add_number(static_cast<int64_t>(definition.added.size()));
  for (const AddedToken& token : definition.added) {
    add_number(token.id);
    add_number(token.is_special);
    add_number(token.after_normalizing);
  }
  add_number(static_cast<int64_t>(definition.rules.rules.size()));
  for (const SplitRule& rule : definition.rules.rules) {
    add_number(static_cast<int64_t>(rule.kind));
    add_number(static_cast<int64_t>(rule.pattern_text.size()));
    sum.add(rule.pattern_text);
  }
  add_number(definition.rules.add_prefix_space);
  add_number(definition.ignore_merges);
  for (const std::vector<int32_t>& around : {definition.before_text, definition.after_text}) {
    add_number(static_cast<int64_t>(around.size()));
    std::ranges::for_each(around, add_number);
  }
  add_later_parts(definition, sum, add_number);
  return sum.digits();
}

} // namespace

void fail(const std::string& name, const std::string& problem, const std::string& advice) {
  throw DataError(fmt::format("{}: {}.\n  {}", printable(name), printable(problem), advice));
}

void check_id(int32_t id, int64_t vocab_size) {
  if (id < 0 || id >= vocab_size) {
    throw UsageError(
        fmt::format("mneme::tokens: there is no token {}; the vocabulary has {} tokens, from 0 on.\n"
                    "  Use the tokenizer with which the ids were made.",
                    id, vocab_size));
  }
}

std::array<uint8_t, 256> bytes_in_gpt2_order() {
  const auto is_printable = [](int byte) {
    return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  };
  std::array<uint8_t, 256> bytes{};
  size_t number = 0;
  for (const bool printable_ones : {true, false}) {
    for (int byte = 0; byte < 256; ++byte) {
      if (is_printable(byte) == printable_ones) {
        bytes[number++] = static_cast<uint8_t>(byte);
      }
    }
  }
  return bytes;
}

Tokenizer::State::State(Definition given, const std::string& name)
    : definition(canonical(std::move(given))), added_of_id(definition.tokens.size()),
      merges(definition.merges), hash(hash_of(definition)) {
  std::array<std::vector<std::pair<std::string_view, const AddedToken*>>, 2> found;
  std::unordered_set<std::string_view> normalized_texts;
  for (const AddedToken& token : definition.added) {
    added_of_id[static_cast<size_t>(token.id)] = &token;
    std::string_view text = token.text;
    if (token.after_normalizing) {
      text = added_texts.emplace_back(normalized(definition.normalizers, token.text));
    }
    if (text.empty()) {
      fail(name, fmt::format("the normalizer leaves nothing of the added token {:?}", token.text),
           "Such a token would be found everywhere: remove it, or let it not be normalized.");
    }
    if (!definition.normalizers.empty() && token.after_normalizing && !normalized_texts.insert(text).second) {
      fail(name, fmt::format("the normalizer makes the added token {:?} equal to another one", token.text),
           "Remove one of them, or let it not be normalized.");
    }
    found[token.after_normalizing].emplace_back(text, &token);
  }
  added = {AddedTokens(found[0]), AddedTokens(found[1])};

  id_of_byte.fill(-1);
  std::unordered_set<std::string_view> texts, texts_of_added;
  for (size_t id = 0; id < definition.tokens.size(); ++id) {
    const std::string& token = definition.tokens[id];
    const bool is_ordinary = added_of_id[id] == nullptr || added_of_id[id]->in_vocabulary;
    if (token.empty()) {
      fail(name, fmt::format("token {} is empty", id), kIncomplete);
    }
    if (!(is_ordinary ? texts : texts_of_added).insert(token).second) {
      fail(name, fmt::format("token {} is a copy of an earlier token: {:?}", id, token), kIncomplete);
    }
    if (is_ordinary && token.size() == 1) {
      id_of_byte[static_cast<unsigned char>(token[0])] = static_cast<int32_t>(id);
    }
    if (is_ordinary && definition.ignore_merges) {
      id_of_token.emplace(token, static_cast<int32_t>(id));
    }
  }
  for (size_t byte = 0; byte < id_of_byte.size(); ++byte) {
    if (id_of_byte[byte] < 0) {
      fail(name, fmt::format("the vocabulary has no token for the byte 0x{:02x}", byte),
           "Text with this byte could not be encoded. Train the tokenizer with an initial alphabet of all "
           "bytes.");
    }
  }
  for (const std::vector<int32_t>& around : {definition.before_text, definition.after_text}) {
    for (const int32_t id : around) {
      if (static_cast<size_t>(id) >= added_of_id.size() || added_of_id[static_cast<size_t>(id)] == nullptr) {
        fail(name, fmt::format("the tokens around a text have the id {}, which is not an added token", id),
             kIncomplete);
      }
    }
  }
  for (size_t rank = 0; rank < definition.merges.size(); ++rank) {
    const Merge& merge = definition.merges[rank];
    if (merges.find(merge.left, merge.right).rank != rank) {
      fail(name, fmt::format("merge {} is a copy of an earlier merge", rank), kIncomplete);
    }
  }
}

Tokenizer make_tokenizer(Definition definition, const std::string& name) {
  return Tokenizer(std::make_shared<const Tokenizer::State>(std::move(definition), name));
}

} // namespace mneme::tokens
