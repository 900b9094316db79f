// SPDX-License-Identifier: MIT

/// The tokenizer.json of Hugging Face, and the files of GPT-2, as text.
#pragma once

#include <string>
#include <string_view>

#include "tokens/tokenizer_state.h"

namespace mneme::tokens {

/// Parses the text of a tokenizer.json. `name` is used in messages.
///
/// Errors  DataError if it is invalid; UnsupportedError, naming the part, for anything that is not reproduced
///         exactly
Definition parse_tokenizer_json(std::string_view text, const std::string& name);

/// Parses the texts of vocab.json and merges.txt. A token <|endoftext|> is special, as in GPT-2.
///
/// Errors  DataError
Definition parse_gpt2_files(std::string_view vocabulary, const std::string& vocabulary_name,
                            std::string_view merges, const std::string& merges_name);

/// The text of a tokenizer.json.
std::string tokenizer_json_text(const Definition& definition);

/// The id of `eos_token` in the text of a tokenizer_config.json; none if it is absent or null.
///
/// Errors  DataError if it is not an added token of the definition
std::optional<int32_t> parse_end_of_text(std::string_view text, const std::string& name,
                                         const Definition& definition);

/// `bos_token`, `unk_token` and `pad_token` in the text of a tokenizer_config.json, with the ids of their
/// added tokens; others are left out.
std::vector<std::pair<std::string, int32_t>>
parse_named_tokens(std::string_view text, const std::string& name, const Definition& definition);

/// The id of <|endoftext|>, <|end_of_text|> or </s> if it is a special token.
std::optional<int32_t> usual_end_of_text(const Definition& definition);

} // namespace mneme::tokens
