// SPDX-License-Identifier: MIT

/// The tokenizer of models of chemistry: molecules and reactions in SMILES notation, divided into atoms,
/// bonds, ring closures and brackets.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mneme/tokens/tokenizer.h"

namespace mneme::tokens {

/// Each atom with its bracket, such as "C", "Cl" and "[NH4+]", and each other symbol, such as "=", "(" and
/// ">>", is a token of the vocabulary. Nothing is replaced by an unknown token. Immutable and thread-safe;
/// copies share their state.
///
/// Source  Schwaller et al. 2018, "Found in Translation" (the regular expression of the symbols)
class SmilesTokenizer {
public:
  /// Number of ids: they are 0 to vocab_size() - 1.
  int64_t vocab_size() const;

  /// The ids of a text of any length; options as in Tokenizer: with `add_special`, [CLS] and [SEP] are added;
  /// with `parse_special`, special tokens such as [MASK] may stand between the symbols.
  ///
  /// Errors  DataError, with the position, for characters that are not SMILES (also spaces), symbols that are
  ///         not in the vocabulary, and special tokens that are not parsed
  std::vector<int32_t> encode(std::string_view text, const EncodeOptions& options = {}) const;

  /// The text of one token, such as "[nH]". Errors  UsageError if the id is not in the vocabulary
  std::string_view token_text(int32_t id) const;

  struct State;
  explicit SmilesTokenizer(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  SmilesTokenizer(const SmilesTokenizer&) =
      default; ///< no move, which would leave a tokenizer without a state
  SmilesTokenizer& operator=(const SmilesTokenizer&) = default;
  ~SmilesTokenizer() = default;

private:
  std::shared_ptr<const State> state_; ///< never null
};

/// True if the tokenizer of a model folder is one of SMILES: it has no tokenizer.json, each line of its
/// vocab.txt is a symbol of SMILES or a special token, and the "tokenizer_class" of its
/// tokenizer_config.json, if it is given, is "SmilesTokenizer".
///
/// Errors  DataError if a file cannot be read
bool has_smiles_tokenizer(const std::filesystem::path& folder);

/// Reads a vocab.txt with one token per line, or that of a folder.
///
/// Errors  DataError if there is no vocab.txt, or it has a line that is neither a symbol of SMILES nor a
///         special token, a line twice, or no [CLS] and [SEP]
SmilesTokenizer read_smiles_tokenizer(const std::filesystem::path& folder_or_file);

/// The same from the text of a vocab.txt. `name` is used in messages.
SmilesTokenizer parse_smiles_vocabulary(std::string_view text, const std::string& name);

} // namespace mneme::tokens
