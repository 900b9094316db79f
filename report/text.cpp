// SPDX-License-Identifier: MIT

#include "report/text.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "mneme/core/text.h"

namespace mneme::report {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

struct Range {
  char32_t first, last;
};

bool within(char32_t c, const auto& ranges) {
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), c,
                                      [](char32_t value, const Range& range) { return value < range.first; });
  return after != ranges.begin() && c <= std::prev(after)->last;
}

// Blocks of combining marks and invisible characters, and blocks that terminals draw two columns wide
// (Unicode 15, whole blocks: exact enough to line up a table).
constexpr std::array kZeroWidth = {Range{0x0300, 0x036F}, Range{0x0483, 0x0489},   Range{0x0591, 0x05BD},
                                   Range{0x0610, 0x061A}, Range{0x064B, 0x065F},   Range{0x0E31, 0x0E31},
                                   Range{0x0E34, 0x0E3A}, Range{0x0E47, 0x0E4E},   Range{0x1AB0, 0x1AFF},
                                   Range{0x1DC0, 0x1DFF}, Range{0x200B, 0x200D},   Range{0x2060, 0x2060},
                                   Range{0x20D0, 0x20FF}, Range{0xFE00, 0xFE0F},   Range{0xFE20, 0xFE2F},
                                   Range{0xFEFF, 0xFEFF}, Range{0x1F3FB, 0x1F3FF}, Range{0xE0000, 0xE01EF}};
constexpr std::array kWide = {
    Range{0x1100, 0x115F},   Range{0x231A, 0x231B},   Range{0x23E9, 0x23EC},   Range{0x25FD, 0x25FE},
    Range{0x2614, 0x2615},   Range{0x2648, 0x2653},   Range{0x26AA, 0x26AB},   Range{0x26BD, 0x26BE},
    Range{0x26C4, 0x26C5},   Range{0x2705, 0x2705},   Range{0x270A, 0x270B},   Range{0x2728, 0x2728},
    Range{0x274C, 0x274C},   Range{0x2753, 0x2755},   Range{0x2795, 0x2797},   Range{0x2B1B, 0x2B1C},
    Range{0x2E80, 0x303E},   Range{0x3041, 0x33FF},   Range{0x3400, 0x4DBF},   Range{0x4E00, 0x9FFF},
    Range{0xA000, 0xA4CF},   Range{0xA960, 0xA97F},   Range{0xAC00, 0xD7A3},   Range{0xF900, 0xFAFF},
    Range{0xFE30, 0xFE6F},   Range{0xFF00, 0xFF60},   Range{0xFFE0, 0xFFE6},   Range{0x16FE0, 0x18CFF},
    Range{0x1B000, 0x1B2FF}, Range{0x1F004, 0x1F004}, Range{0x1F0CF, 0x1F0CF}, Range{0x1F18E, 0x1F18E},
    Range{0x1F191, 0x1F19A}, Range{0x1F200, 0x1F64F}, Range{0x1F680, 0x1F6FF}, Range{0x1F7E0, 0x1F7EB},
    Range{0x1F900, 0x1F9FF}, Range{0x1FA70, 0x1FAFF}, Range{0x20000, 0x3FFFD}};

bool is_line_break(char32_t c) {
  return (c >= '\n' && c <= '\r') || c == 0x85 || c == 0x2028 || c == 0x2029;
}

void append_utf8(std::string& text, char32_t c) {
  const auto byte = [&](char32_t value) { text += static_cast<char>(static_cast<unsigned char>(value)); };
  if (c < 0x80) {
    byte(c);
  } else if (c < 0x800) {
    byte(0xC0 | (c >> 6));
    byte(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    byte(0xE0 | (c >> 12));
    byte(0x80 | ((c >> 6) & 0x3F));
    byte(0x80 | (c & 0x3F));
  } else {
    byte(0xF0 | (c >> 18));
    byte(0x80 | ((c >> 12) & 0x3F));
    byte(0x80 | ((c >> 6) & 0x3F));
    byte(0x80 | (c & 0x3F));
  }
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
  if (is_control(code_point) || is_bidirectional_override(code_point) || within(code_point, kZeroWidth)) {
    return 0;
  }
  return within(code_point, kWide) ? 2 : 1;
}

int64_t display_width(std::string_view text) {
  int64_t width = 0;
  for (const char32_t c : decode_utf8(text)) {
    width += display_width(c);
  }
  return width;
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
    const std::u32string word = all.substr(begin, end - begin);
    int64_t word_width = 0;
    for (const char32_t c : word) {
      word_width += display_width(c);
    }
    if (used > 0 && used + 1 + word_width > width) {
      new_line();
    } else if (used > 0) {
      lines.back() += ' ';
      ++used;
    }
    for (const char32_t c : word) {
      if (used + display_width(c) > width) {
        new_line();
      }
      append_utf8(lines.back(), c);
      used += display_width(c);
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
  const auto starts_with = [&](size_t at, std::string_view wanted) {
    return script.size() - at >= wanted.size() &&
           std::equal(wanted.begin(), wanted.end(), script.begin() + static_cast<std::ptrdiff_t>(at),
                      [](char want, char have) {
                        return want ==
                               (have >= 'A' && have <= 'Z' ? static_cast<char>(have - 'A' + 'a') : have);
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
