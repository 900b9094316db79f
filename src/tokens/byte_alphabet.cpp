// SPDX-License-Identifier: MIT

#include "tokens/byte_alphabet.h"

#include <array>

#include "mneme/core/text.h"
#include "tokens/tokenizer_state.h"

namespace mneme::tokens {
namespace {

constexpr size_t kNumPrintable = 188, kFirstOther = 0x100, kNumOther = 68;

/// Code point of every byte, and byte of every code point below 0x144 (-1: not in the alphabet).
struct Alphabet {
  std::array<char32_t, 256> code_of_byte{};
  std::array<int, kFirstOther + kNumOther> byte_of_code{};
};

Alphabet make_alphabet() {
  Alphabet alphabet;
  alphabet.byte_of_code.fill(-1);
  const std::array<uint8_t, 256> bytes = bytes_in_gpt2_order();
  for (size_t i = 0; i < bytes.size(); ++i) {
    const size_t code = i < kNumPrintable ? bytes[i] : kFirstOther + (i - kNumPrintable);
    alphabet.code_of_byte[bytes[i]] = static_cast<char32_t>(code);
    alphabet.byte_of_code[code] = bytes[i];
  }
  return alphabet;
}

const Alphabet& alphabet() {
  static const Alphabet made = make_alphabet();
  return made;
}

} // namespace

std::optional<std::string> bytes_from_alphabet(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    const Utf8Character character = first_character(text);
    const std::array<int, kFirstOther + kNumOther>& byte_of_code = alphabet().byte_of_code;
    if (!character.valid || character.code >= byte_of_code.size() || byte_of_code[character.code] < 0) {
      return std::nullopt;
    }
    bytes += static_cast<char>(byte_of_code[character.code]);
    text.remove_prefix(character.size);
  }
  return bytes;
}

std::string to_alphabet(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    const char32_t code = alphabet().code_of_byte[static_cast<unsigned char>(byte)];
    if (code < 0x80) {
      text += static_cast<char>(code);
    } else {
      text += static_cast<char>(0xc0 | code >> 6U);
      text += static_cast<char>(0x80 | (code & 0x3fU));
    }
  }
  return text;
}

} // namespace mneme::tokens
