// SPDX-License-Identifier: MIT

#include "mneme/tokens/smiles.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "json/strict_json.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "tokens/errors.h"
#include "tokens/text_file.h"
#include "tokens/vocabulary_lines.h"

namespace mneme::tokens {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kOneCharacter = "BCNOSPFIbcnosp().=#-+\\/:~@?>*$0123456789";
constexpr std::array<std::string_view, 5> kSpecial = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
constexpr const char* kNotSmiles = "Give molecules or reactions in SMILES notation, such as "
                                   "CC(=O)O.OCC>>CC(=O)OCC, without spaces and names.";

/// Also [unused1] and the like, which reserve ids.
bool is_special(std::string_view token) {
  return std::ranges::find(kSpecial, token) != kSpecial.end() || token.starts_with("[unused");
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Size of the symbol that a text, which is not empty, begins with; 0 if there is none. The published
/// expression is
///   \[[^\]]+]|Br?|Cl?|N|O|S|P|F|I|b|c|n|o|s|p|\(|\)|\.|=|#|-|\+|\\|\/|:|~|@|\?|>>?|\*|\$|%[0-9]{2}|[0-9]
size_t symbol_size(std::string_view text) {
  if (text[0] == '[') {
    const size_t end = text.find(']');
    return end == std::string_view::npos || end == 1 ? 0 : end + 1;
  }
  if (text.starts_with("Br") || text.starts_with("Cl") || text.starts_with(">>")) {
    return 2;
  }
  if (text[0] == '%') {
    return text.size() > 2 && is_digit(text[1]) && is_digit(text[2]) ? 3 : 0;
  }
  return kOneCharacter.find(text[0]) == std::string_view::npos ? 0 : 1;
}

bool is_symbol(std::string_view token) {
  return !token.empty() && symbol_size(token) == token.size();
}

} // namespace

struct SmilesTokenizer::State {
  std::vector<std::string> tokens;
  std::unordered_map<std::string_view, int32_t> ids; ///< refers to `tokens`
  int32_t begin_of_text = 0, end_of_text = 0;        ///< [CLS], [SEP]
};

int64_t SmilesTokenizer::vocab_size() const {
  return std::ssize(state_->tokens);
}

std::string_view SmilesTokenizer::token_text(int32_t id) const {
  check_id(id, vocab_size());
  return state_->tokens[static_cast<size_t>(id)];
}

std::vector<int32_t> SmilesTokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  std::vector<int32_t> ids;
  if (options.add_special) {
    ids.push_back(state_->begin_of_text);
  }
  const auto refuse = [](size_t begin, std::string_view part, const char* problem, const char* advice) {
    fail(fmt::format("byte {}", begin), fmt::format("\"{}\" {}", part.substr(0, 24), problem), advice);
  };
  for (size_t begin = 0, size = 0; begin < text.size(); begin += size) {
    size = symbol_size(text.substr(begin));
    if (size == 0) {
      refuse(begin, text.substr(begin), "does not begin with a symbol of SMILES", kNotSmiles);
    }
    const std::string_view symbol = text.substr(begin, size);
    if (is_special(symbol) && !options.parse_special) {
      refuse(begin, symbol, "is a special token, not an atom", kNotSmiles);
    }
    const auto found = state_->ids.find(symbol);
    if (found == state_->ids.end()) {
      refuse(begin, symbol, "is not in the vocabulary of this model",
             "Leave out atom-map numbers such as :1, and write reagents before >>, as in A.B>>C; or use a "
             "model that knows this symbol.");
    }
    ids.push_back(found->second);
  }
  if (options.add_special) {
    ids.push_back(state_->end_of_text);
  }
  return ids;
}

bool has_smiles_tokenizer(const fs::path& folder) {
  const fs::path vocabulary = folder / "vocab.txt", configuration = folder / "tokenizer_config.json";
  if (is_present(folder / "tokenizer.json") || !is_present(vocabulary)) {
    return false;
  }
  if (is_present(configuration)) {
    const auto document =
        parse_strict_json<nlohmann::json>(read_text(configuration), configuration.string(),
                                          {.advice = "Download the folder of the model again."});
    const auto kind = document.find("tokenizer_class");
    if (kind != document.end() && *kind != "SmilesTokenizer") {
      return false;
    }
  }
  const std::vector<std::string> tokens = vocabulary_lines(read_text(vocabulary));
  return std::ranges::all_of(tokens, [](const std::string& token) { return is_symbol(token); });
}

SmilesTokenizer parse_smiles_vocabulary(std::string_view text, const std::string& name) {
  SmilesTokenizer::State state{.tokens = vocabulary_lines(text)};
  for (size_t line = 0; line < state.tokens.size(); ++line) {
    const std::string& token = state.tokens[line];
    if (!is_symbol(token)) {
      fail(name,
           fmt::format("line {}: {:?} is neither a symbol of SMILES nor a special token", line + 1, token),
           "Is it the vocab.txt of a model of molecules or reactions?");
    }
    if (!state.ids.emplace(token, static_cast<int32_t>(line)).second) {
      fail(name, fmt::format("line {}: {:?} is on an earlier line, too", line + 1, token),
           "Each token has one id, the number of its line.");
    }
  }
  const auto special = [&](const char* token) {
    const auto found = state.ids.find(token);
    if (found == state.ids.end()) {
      fail(name, fmt::format("there is no line {}", token), "Texts begin with [CLS] and end with [SEP].");
    }
    return found->second;
  };
  state.begin_of_text = special("[CLS]");
  state.end_of_text = special("[SEP]");
  return SmilesTokenizer(std::make_shared<const SmilesTokenizer::State>(std::move(state)));
}

SmilesTokenizer read_smiles_tokenizer(const fs::path& folder_or_file) {
  std::error_code error;
  const fs::path file =
      fs::is_directory(folder_or_file, error) ? folder_or_file / "vocab.txt" : folder_or_file;
  return parse_smiles_vocabulary(read_text(file), file.string());
}

} // namespace mneme::tokens
