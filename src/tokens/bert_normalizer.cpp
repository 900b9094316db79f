// SPDX-License-Identifier: MIT

#include "tokens/bert_normalizer.h"

#include <algorithm>
#include <array>

#include <utf8proc.h>

#include "tokens/bert_classes.h"
#include "tokens/unicode.h"

namespace mneme::tokens {
namespace {

constexpr char32_t kReplacement = 0xfffd, kDottedI = 0x130, kDot = 0x307;

/// As the original code: extension E begins at another place than in Unicode.
bool is_chinese(char32_t c) {
  static constexpr std::array<std::pair<char32_t, char32_t>, 8> kRanges = {{{0x4e00, 0x9fff},
                                                                            {0x3400, 0x4dbf},
                                                                            {0x20000, 0x2a6df},
                                                                            {0x2a700, 0x2b73f},
                                                                            {0x2b740, 0x2b81f},
                                                                            {0x2b920, 0x2ceaf},
                                                                            {0xf900, 0xfaff},
                                                                            {0x2f800, 0x2fa1f}}};
  return std::ranges::any_of(kRanges,
                             [c](const auto& range) { return c >= range.first && c <= range.second; });
}

std::u32string cleaned(const std::u32string& text) {
  std::u32string result;
  for (const char32_t c : text) {
    if (!is_removed_by_bert(c)) {
      result += is_white_space(c) ? U' ' : c;
    }
  }
  return result;
}

std::u32string with_separate_chinese(const std::u32string& text) {
  std::u32string result;
  for (const char32_t c : text) {
    if (is_chinese(c)) {
      result += {U' ', c, U' '};
    } else {
      result += c;
    }
  }
  return result;
}

/// Canonical decomposition without nonspacing marks.
std::u32string without_accents(const std::u32string& text) {
  std::u32string all;
  std::vector<std::pair<int, char32_t>> marks; // of one character, with their combining classes
  const auto flush = [&] {
    std::ranges::stable_sort(marks, {}, &std::pair<int, char32_t>::first);
    for (const auto& [order, mark] : marks) {
      all += mark;
    }
    marks.clear();
  };
  for (const char32_t c : text) {
    std::array<utf8proc_int32_t, 32> parts{};
    int boundary = 0;
    const utf8proc_ssize_t count =
        utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts.data(),
                                static_cast<utf8proc_ssize_t>(parts.size()), UTF8PROC_DECOMPOSE, &boundary);
    for (utf8proc_ssize_t i = 0; i < count; ++i) {
      const utf8proc_int32_t part = parts.at(static_cast<size_t>(i));
      const int order = utf8proc_get_property(part)->combining_class;
      if (order == 0) {
        flush();
        all += static_cast<char32_t>(part);
      } else {
        marks.emplace_back(order, static_cast<char32_t>(part));
      }
    }
  }
  flush();
  std::erase_if(all, is_mark_of_bert);
  return all;
}

} // namespace

std::u32string decoded(std::string_view text) {
  std::u32string codes;
  codes.reserve(text.size());
  while (!text.empty()) {
    const size_t valid = valid_prefix(text);
    for (size_t i = 0; i < valid;) {
      const Character character = character_at(text.data() + i);
      codes += character.code;
      i += character.size;
    }
    text.remove_prefix(valid);
    if (!text.empty()) {
      codes += kReplacement;
      text.remove_prefix(1);
    }
  }
  return codes;
}

std::u32string lowercased(const std::u32string& text) {
  std::u32string result;
  for (const char32_t c : text) {
    if (c == kDottedI) { // the only character whose lower case is two
      result += {U'i', kDot};
    } else {
      result += new_lower_case(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
    }
  }
  return result;
}

std::u32string normalized(const BertNormalizer& normalizer, std::string_view text) {
  std::u32string codes = decoded(text);
  codes = normalizer.clean_text ? cleaned(codes) : codes;
  codes = normalizer.chinese ? with_separate_chinese(codes) : codes;
  codes = normalizer.strip_accents ? without_accents(codes) : codes;
  return normalizer.lowercase ? lowercased(codes) : codes;
}

std::vector<std::u32string_view> bert_words(std::u32string_view text) {
  std::vector<std::u32string_view> words;
  size_t begin = 0;
  const auto end_word = [&](size_t end) {
    if (end > begin) {
      words.push_back(text.substr(begin, end - begin));
    }
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const bool punctuation = is_punctuation_of_bert(text[i]);
    if (punctuation || is_white_space(text[i])) {
      end_word(i);
      if (punctuation) {
        words.push_back(text.substr(i, 1));
      }
      begin = i + 1;
    }
  }
  end_word(text.size());
  return words;
}

std::string to_utf8(std::u32string_view text) {
  std::string bytes;
  for (const char32_t c : text) {
    std::array<utf8proc_uint8_t, 4> buffer{};
    const utf8proc_ssize_t size = utf8proc_encode_char(static_cast<utf8proc_int32_t>(c), buffer.data());
    bytes.append(reinterpret_cast<const char*>(buffer.data()), static_cast<size_t>(size));
  }
  return bytes;
}

} // namespace mneme::tokens
