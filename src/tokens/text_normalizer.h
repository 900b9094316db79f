// SPDX-License-Identifier: MIT

/// Normalizers of tokenizer.json, which change a text before it is split: Unicode normalization forms, lower
/// case, replacements.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace mneme::tokens {

struct TextNormalizer {
  enum class Kind : uint8_t {
    nfc, ///< Unicode normalization form C: canonical decomposition, then composition
    nfd, ///< canonical decomposition
    nfkc,
    nfkd,      ///< the same with compatibility decomposition
    lowercase, ///< every character alone
    prepend,   ///< `text` is put in front of a text that is not empty
    replace,   ///< every occurrence of `text` becomes `content`
    strip,     ///< white space at the ends is removed
  };
  Kind kind = Kind::nfc;
  std::string text = {}, content = {};
  bool strips_left = false, strips_right = false;

  bool operator==(const TextNormalizer&) const = default;
};

/// The text after all normalizers, with the characters of the library tokenizers: normalization forms as in
/// Unicode 9. Bytes that are not valid UTF-8 are unchanged.
///
/// Cost  O(n log n) for n bytes
std::string normalized(std::span<const TextNormalizer> normalizers, std::string_view text);

} // namespace mneme::tokens
