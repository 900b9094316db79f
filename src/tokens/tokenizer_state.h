// SPDX-License-Identifier: MIT

/// Contents of a Tokenizer: its definition, which files store, and the tables that encoding uses.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "mneme/tokens/tokenizer.h"
#include "tokens/added_tokens.h"
#include "tokens/merge_table.h"
#include "tokens/split_rules.h"
#include "tokens/text_normalizer.h"

namespace mneme::tokens {

/// Definition of a tokenizer with byte-level BPE. Tokens of one byte are the case without merges.
struct Definition {
  std::vector<std::string> tokens;         ///< bytes of every id; for added tokens their text
  std::vector<Merge> merges;               ///< in the order of their ranks
  std::vector<AddedToken> added;           ///< ascending ids
  std::vector<TextNormalizer> normalizers; ///< change a text before it is split, in this order
  SplitRules rules;
  bool ignore_merges = false; ///< a piece that is a token becomes that token, whatever the merges are
  std::vector<int32_t> before_text, after_text; ///< added around a text if `add_special` is set
  std::optional<int32_t> end_of_text;
  /// Names of other tokens in tokenizer_config.json, such as "bos_token"; they are only kept for it.
  std::vector<std::pair<std::string, int32_t>> named;
};

struct Tokenizer::State {
  /// Errors  DataError if the definition is not consistent; `name` is that of its file
  State(Definition given, const std::string& name);
  State(const State&) = delete; // the tables refer to the definition
  State& operator=(const State&) = delete;

  const Definition definition;
  std::array<int32_t, 256> id_of_byte{};
  std::vector<const AddedToken*> added_of_id; ///< null for other tokens
  std::deque<std::string> added_texts;        ///< of the tokens that are found after normalizing
  std::array<AddedTokens, 2> added;           ///< before and after normalizing
  MergeTable merges;
  std::unordered_map<std::string_view, int32_t> id_of_token; ///< ordinary tokens; only if ignore_merges
  std::string hash;
};

/// Makes a tokenizer. Errors  DataError if the definition is not consistent
Tokenizer make_tokenizer(Definition definition, const std::string& name);

/// The bytes in the order in which GPT-2 numbers their tokens: the printable bytes 33-126, 161-172 and
/// 174-255, then the others.
std::array<uint8_t, 256> bytes_in_gpt2_order();

} // namespace mneme::tokens
