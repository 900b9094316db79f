// SPDX-License-Identifier: MIT

/// Splitting of texts by the pattern of GPT-2:
///
///   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
#pragma once

#include <cstddef>
#include <string_view>

namespace mneme::tokens {

/// End of the piece that begins at `begin` in valid UTF-8; begin < text.size().
size_t gpt2_piece_end(std::string_view text, size_t begin);

/// First position >= `from` at which every text, also one that is not valid UTF-8, can be divided without
/// changing its pieces; the size of the text if there is none.
size_t gpt2_division(std::string_view text, size_t from);

} // namespace mneme::tokens
