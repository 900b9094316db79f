// SPDX-License-Identifier: MIT

/// Normalization and splitting of texts for BERT, as in the library tokenizers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mneme::tokens {

struct BertNormalizer {
  bool clean_text = true;    ///< drop control characters; every white space becomes a space
  bool chinese = true;       ///< put spaces around Chinese characters
  bool strip_accents = true; ///< decompose characters and drop accents
  bool lowercase = true;
};

/// Code points of the normalized text; invalid UTF-8 counts as U+FFFD.
std::u32string normalized(const BertNormalizer& normalizer, std::string_view text);

/// Words of a normalized text: between spaces; a punctuation character is a word.
std::vector<std::u32string_view> bert_words(std::u32string_view text);

/// Code points of a text; invalid UTF-8 counts as U+FFFD.
std::u32string decoded(std::string_view text);
/// Every character in lower case, by itself.
std::u32string lowercased(const std::u32string& text);

std::string to_utf8(std::u32string_view text);

} // namespace mneme::tokens
