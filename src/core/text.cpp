// SPDX-License-Identifier: MIT

#include "mneme/core/text.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace mneme {
namespace {

bool is_separator(char32_t code) {
  return code == 0x2028 || code == 0x2029;
}

std::string escaped(const Utf8Character& character) {
  switch (character.code) {
  case '\n':
    return "\\n";
  case '\r':
    return "\\r";
  case '\t':
    return "\\t";
  default:
    std::array<char, 16> text{};
    const bool is_byte = !character.valid || character.code < 0x100;
    std::snprintf(text.data(), text.size(), is_byte ? "\\x%02x" : "\\u%04x",
                  static_cast<unsigned>(character.code));
    return text.data();
  }
}

std::string escape(std::string_view text, bool is_message) {
  constexpr std::string_view kIndentedLine = "\n  ";
  std::string shown;
  shown.reserve(text.size());
  while (!text.empty()) {
    const Utf8Character character = first_character(text);
    const bool harmless = character.valid && !is_control(character.code) && !is_separator(character.code) &&
                          !is_bidirectional_override(character.code);
    if (harmless || (is_message && text.starts_with(kIndentedLine))) {
      shown += text.substr(0, character.size);
    } else {
      shown += escaped(character);
    }
    text.remove_prefix(character.size);
  }
  return shown;
}

} // namespace

std::string printable(std::string_view text) {
  return escape(text, false);
}

std::string printable_message(std::string_view text) {
  return escape(text, true);
}

std::string shell_argument(std::string_view text) {
  const bool needs_escapes = printable(text) != text;
  const auto is_plain = [](unsigned char c) {
    return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           std::string_view("_-./+:@%,").find(static_cast<char>(c)) != std::string_view::npos;
  };
  if (!needs_escapes && !text.empty() && std::ranges::all_of(text, is_plain)) {
    return std::string(text);
  }
  std::string inner;
  for (const char c : text) {
    const bool is_special = c == '\'' || (needs_escapes && c == '\\');
    inner += !is_special ? std::string(1, c) : needs_escapes ? std::string("\\") + c : "'\\''";
  }
  return needs_escapes ? "$'" + printable(inner) + "'" : "'" + inner + "'";
}

std::string shell_path(std::string_view path) {
  return shell_argument((path.starts_with('-') ? "./" : "") + std::string(path));
}

Utf8Character first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) -> char32_t { return static_cast<unsigned char>(text[i]); };
  const char32_t lead = byte(0);
  std::size_t size = 0; // invalid lead byte
  if (lead < 0x80) {
    size = 1;
  } else if (lead >= 0xC2 && lead <= 0xDF) {
    size = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    size = 3;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    size = 4;
  }
  bool valid = size > 0 && size <= text.size();
  char32_t code = size == 1 ? lead : lead & (0x7FU >> size);
  for (std::size_t k = 1; valid && k < size; ++k) {
    valid = (byte(k) & 0xC0) == 0x80;
    code = (code << 6) | (byte(k) & 0x3F);
  }
  valid = valid && !(size == 3 && code < 0x800) && !(size == 4 && (code < 0x10000 || code > 0x10FFFF)) &&
          !(code >= 0xD800 && code <= 0xDFFF);
  return valid ? Utf8Character{code, size, true} : Utf8Character{lead, 1, false};
}

bool is_control(char32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0);
}

bool is_bidirectional_override(char32_t code) {
  return (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

} // namespace mneme
