// SPDX-License-Identifier: MIT

#include <nlohmann/json.hpp>

#include "mneme/core/atomic_file.h"
#include "tokens/errors.h"
#include "tokens/text_file.h"
#include "tokens/tokenizer_json.h"

namespace mneme::tokens {
namespace {

namespace fs = std::filesystem;

/// The tokenizer in a folder, without its configuration.
Definition read_folder(const fs::path& folder) {
  const fs::path whole = folder / "tokenizer.json", vocabulary = folder / "vocab.json",
                 merges = folder / "merges.txt";
  if (is_present(whole)) {
    return parse_tokenizer_json(read_text(whole), whole.string());
  }
  if (!is_present(vocabulary) || !is_present(merges)) {
    fail(folder.string(), "contains no tokenizer: neither tokenizer.json nor vocab.json and merges.txt",
         "Name a folder with a tokenizer, or train one with `mneme tokenize train`.");
  }
  if (const fs::path more = folder / "added_tokens.json"; is_present(more)) {
    fail(more.string(), "adds tokens to vocab.json, which is not supported",
         "Save the tokenizer as tokenizer.json: AutoTokenizer.from_pretrained(...).save_pretrained(...).");
  }
  return parse_gpt2_files(read_text(vocabulary), vocabulary.string(), read_text(merges), merges.string());
}

} // namespace

Tokenizer read_tokenizer(const fs::path& folder_or_file) {
  std::error_code error;
  if (!fs::is_directory(folder_or_file, error)) {
    return make_tokenizer(parse_tokenizer_json(read_text(folder_or_file), folder_or_file.string()),
                          folder_or_file.string());
  }
  Definition definition = read_folder(folder_or_file);
  if (const fs::path configuration = folder_or_file / "tokenizer_config.json"; is_present(configuration)) {
    if (const auto end = parse_end_of_text(read_text(configuration), configuration.string(), definition)) {
      definition.end_of_text = end;
    }
    definition.named = parse_named_tokens(read_text(configuration), configuration.string(), definition);
  }
  return make_tokenizer(std::move(definition), folder_or_file.string());
}

bool has_tokenizer(const fs::path& folder) {
  return is_present(folder / "tokenizer.json") || is_present(folder / "vocab.json");
}

void write_tokenizer(const fs::path& folder, const Tokenizer& tokenizer) {
  using nlohmann::ordered_json;
  const Definition& definition = tokenizer.state().definition;
  ordered_json special = ordered_json::object(), added = ordered_json::object();
  if (definition.end_of_text) {
    special["eos_token"] = tokenizer.token_bytes(*definition.end_of_text);
  }
  for (const auto& [name, id] : definition.named) {
    special[name] = tokenizer.token_bytes(id);
  }
  for (const AddedToken& token : definition.added) {
    added[std::to_string(token.id)] = {{"content", token.text},
                                       {"lstrip", token.strips_left},
                                       {"normalized", token.after_normalizing},
                                       {"rstrip", token.strips_right},
                                       {"single_word", token.is_single_word},
                                       {"special", token.is_special}};
  }
  ordered_json configuration = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                                {"clean_up_tokenization_spaces", false},
                                {"added_tokens_decoder", added}};
  configuration.update(special);
  make_output_folder(folder);
  write_file_atomically(folder / "tokenizer.json", tokenizer_json_text(definition));
  write_file_atomically(folder / "tokenizer_config.json", configuration.dump(2) + "\n");
  write_file_atomically(folder / "special_tokens_map.json", special.dump(2) + "\n");
}

} // namespace mneme::tokens
