// SPDX-License-Identifier: MIT

#include "report/text.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include <utf8proc.h>

#include "mneme/core/text.h"

namespace mneme::report {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

bool is_line_break(char32_t c) {
  return (c >= '\n' && c <= '\r') || c == 0x85 || c == 0x2028 || c == 0x2029;
}

void append_utf8(std::string& text, char32_t c) {
  std::array<utf8proc_uint8_t, 4> bytes{};
  const utf8proc_ssize_t size = utf8proc_encode_char(static_cast<utf8proc_int32_t>(c), bytes.data());
  text.append(bytes.begin(), bytes.begin() + size);
}

/// Grapheme clusters: user-perceived characters such as a letter with accents, a flag or joined emoji.
std::vector<std::u32string_view> graphemes(std::u32string_view text) {
  std::vector<std::u32string_view> found;
  utf8proc_int32_t state = 0;
  for (size_t begin = 0, end = 1; end <= text.size(); ++end) {
    if (end == text.size() ||
        utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(text[end - 1]),
                                         static_cast<utf8proc_int32_t>(text[end]), &state)) {
      found.push_back(text.substr(begin, end - begin));
      begin = end;
    }
  }
  return found;
}

/// Terminal columns of one grapheme: joined emoji share the two columns of the first.
int64_t grapheme_width(std::u32string_view grapheme) {
  int64_t width = 0;
  for (const char32_t c : grapheme) {
    width += display_width(c);
  }
  return std::min<int64_t>(width, 2);
}

int64_t width_of(std::u32string_view text) {
  int64_t width = 0;
  for (const std::u32string_view grapheme : graphemes(text)) {
    width += grapheme_width(grapheme);
  }
  return width;
}

} // namespace

std::u32string decode_utf8(std::string_view text) {
  std::u32string decoded;
  decoded.reserve(text.size());
  while (!text.empty()) {
    const Utf8Character character = first_character(text);
    decoded += character.valid ? character.code : kReplacement;
    text.remove_prefix(character.size);
  }
  return decoded;
}

std::string encode_utf8(std::u32string_view text) {
  std::string encoded;
  encoded.reserve(text.size());
  for (const char32_t c : text) {
    append_utf8(encoded, c);
  }
  return encoded;
}

int display_width(char32_t code_point) {
  return utf8proc_charwidth(static_cast<utf8proc_int32_t>(code_point));
}

int64_t display_width(std::string_view text) {
  return width_of(decode_utf8(text));
}

std::string counted(int64_t count, std::string_view noun, std::string_view plural) {
  std::string text = std::to_string(count) + " ";
  text += count == 1 || plural.empty() ? noun : plural;
  return count == 1 || !plural.empty() ? text : text + "s";
}

std::string one_line(std::string_view text) {
  std::string line;
  line.reserve(text.size());
  for (const char32_t c : decode_utf8(text)) {
    if (c == '\t' || is_line_break(c)) {
      line += ' ';
    } else {
      append_utf8(line, is_control(c) || is_bidirectional_override(c) ? kReplacement : c);
    }
  }
  return line;
}

std::vector<std::string> wrap(std::string_view text, int64_t width) {
  std::vector<std::string> lines(1);
  int64_t used = 0;
  const auto new_line = [&] {
    lines.emplace_back();
    used = 0;
  };
  const std::u32string all = decode_utf8(text);
  for (size_t begin = 0; begin < all.size();) {
    const size_t end = std::min(all.find(U' ', begin), all.size());
    const std::u32string_view word = std::u32string_view(all).substr(begin, end - begin);
    if (used > 0 && used + 1 + width_of(word) > width) {
      new_line();
    } else if (used > 0) {
      lines.back() += ' ';
      ++used;
    }
    for (const std::u32string_view grapheme : graphemes(word)) {
      if (used + grapheme_width(grapheme) > width) {
        new_line();
      }
      for (const char32_t c : grapheme) {
        append_utf8(lines.back(), c);
      }
      used += grapheme_width(grapheme);
    }
    begin = end + 1;
  }
  return lines;
}

std::string escape_html(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size() + text.size() / 8);
  for (const char32_t c : decode_utf8(text)) {
    switch (c) {
    case '&':
      escaped += "&amp;";
      break;
    case '<':
      escaped += "&lt;";
      break;
    case '>':
      escaped += "&gt;";
      break;
    case '"':
      escaped += "&quot;";
      break;
    case '\'':
      escaped += "&#39;";
      break;
    default: {
      const bool allowed = c == '\t' || c == '\n' || !is_control(c);
      append_utf8(escaped, allowed && !is_bidirectional_override(c) ? c : kReplacement);
    }
    }
  }
  return escaped;
}

std::string escape_script(std::string_view script) {
  constexpr std::string_view kClosing = "</script", kComment = "<!--";
  // Case-insensitive; `prefix` is lower case.
  const auto starts_with = [&](size_t at, std::string_view prefix) {
    return script.size() - at >= prefix.size() &&
           std::equal(prefix.begin(), prefix.end(), script.begin() + static_cast<std::ptrdiff_t>(at),
                      [](char lower, char c) {
                        return lower == (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
                      });
  };
  std::string escaped;
  escaped.reserve(script.size());
  for (size_t i = 0; i < script.size(); ++i) {
    escaped += script[i];
    if (script[i] == '<' && (starts_with(i, kClosing) || starts_with(i, kComment))) {
      escaped += '\\';
    }
  }
  return escaped;
}

} // namespace mneme::report
