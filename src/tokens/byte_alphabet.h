// SPDX-License-Identifier: MIT

/// The alphabet in which files write the bytes of tokens: one character per byte. The printable bytes of
/// `bytes_in_gpt2_order` stand for themselves (as code points), the other 68, in ascending order, are U+0100,
/// U+0101, ...
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mneme::tokens {

/// Bytes of a token that is written in the alphabet; none if it has other characters.
std::optional<std::string> bytes_from_alphabet(std::string_view text);

/// Bytes in the alphabet, as UTF-8.
std::string to_alphabet(std::string_view bytes);

} // namespace mneme::tokens
