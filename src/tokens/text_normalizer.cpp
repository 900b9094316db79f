// SPDX-License-Identifier: MIT

#include "tokens/text_normalizer.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <utf8proc.h>

#include "tokens/bert_normalizer.h"
#include "tokens/unicode.h"

namespace mneme::tokens {
namespace {

struct Range {
  char32_t first, last;
};

/// Characters with a decomposition or a combining class that are newer than the normalization of the library
/// tokenizers, which leaves them in their places; those of Unicode 16 in whole blocks.
constexpr Range kNewCharacters[] = {
    {0x7fd, 0x7fd},     {0x897, 0x89f},     {0x8ca, 0x8d3},     {0x9fe, 0x9fe},     {0xc3c, 0xc3c},
    {0xd3b, 0xd3c},     {0xeba, 0xeba},     {0x1715, 0x1715},   {0x1abf, 0x1ace},   {0x1df6, 0x1dfa},
    {0x32ff, 0x32ff},   {0xa7f2, 0xa7f4},   {0xa82c, 0xa82c},   {0xab69, 0xab69},   {0x105c0, 0x105ff},
    {0x10781, 0x107ba}, {0x10d24, 0x10d27}, {0x10d40, 0x10d8f}, {0x10eab, 0x10eac}, {0x10efc, 0x10eff},
    {0x10f46, 0x10f50}, {0x10f82, 0x10f85}, {0x11070, 0x11070}, {0x1133b, 0x1133b}, {0x11380, 0x113ff},
    {0x1145e, 0x1145e}, {0x11839, 0x1183a}, {0x11930, 0x11930}, {0x11938, 0x11938}, {0x1193d, 0x1193e},
    {0x11943, 0x11943}, {0x119e0, 0x119e0}, {0x11a34, 0x11a34}, {0x11a47, 0x11a47}, {0x11a99, 0x11a99},
    {0x11d42, 0x11d45}, {0x11d97, 0x11d97}, {0x11f41, 0x11f42}, {0x16100, 0x1613f}, {0x16d40, 0x16d7f},
    {0x16ff0, 0x16ff1}, {0x1cc00, 0x1ccff}, {0x1e030, 0x1e06d}, {0x1e08f, 0x1e08f}, {0x1e130, 0x1e136},
    {0x1e2ae, 0x1e2ae}, {0x1e2ec, 0x1e2ef}, {0x1e4ec, 0x1e4ef}, {0x1e5d0, 0x1e5ff}, {0x1f16c, 0x1f16c},
    {0x1fbf0, 0x1fbf9}};

bool is_new(char32_t code) {
  const Range* range = std::ranges::lower_bound(kNewCharacters, code, {}, &Range::last);
  return range != std::end(kNewCharacters) && code >= range->first;
}

/// Appends the normalization form of characters none of which is new.
void append_form(std::string_view text, bool is_compatible, bool composes, std::string& result) {
  std::vector<utf8proc_int32_t> all;
  std::vector<std::pair<int, utf8proc_int32_t>> marks; // of one character, with their combining classes
  const auto flush = [&] {
    std::ranges::stable_sort(marks, {}, &std::pair<int, utf8proc_int32_t>::first);
    for (const auto& [order, mark] : marks) {
      all.push_back(mark);
    }
    marks.clear();
  };
  const auto options =
      static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | (is_compatible ? UTF8PROC_COMPAT : 0));
  for (size_t i = 0; i < text.size();) {
    const Character character = character_at(text.data() + i);
    i += character.size;
    std::array<utf8proc_int32_t, 32> parts{};
    int boundary = 0;
    const utf8proc_ssize_t count =
        utf8proc_decompose_char(static_cast<utf8proc_int32_t>(character.code), parts.data(),
                                static_cast<utf8proc_ssize_t>(parts.size()), options, &boundary);
    for (utf8proc_ssize_t k = 0; k < count; ++k) {
      const utf8proc_int32_t part = parts.at(static_cast<size_t>(k));
      const int order = utf8proc_get_property(part)->combining_class;
      if (order == 0) {
        flush();
        all.push_back(part);
      } else {
        marks.emplace_back(order, part);
      }
    }
  }
  flush();
  auto size = static_cast<utf8proc_ssize_t>(all.size());
  if (composes) {
    size = utf8proc_normalize_utf32(all.data(), size,
                                    static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
  }
  for (utf8proc_ssize_t i = 0; i < size; ++i) {
    std::array<utf8proc_uint8_t, 4> bytes{};
    const utf8proc_ssize_t length = utf8proc_encode_char(all[static_cast<size_t>(i)], bytes.data());
    result.append(reinterpret_cast<const char*>(bytes.data()), static_cast<size_t>(length));
  }
}

/// Normalization form of valid UTF-8. ASCII changes only if a mark follows it.
std::string form(std::string_view text, bool is_compatible, bool composes) {
  const auto is_ascii = [&](size_t i) { return static_cast<unsigned char>(text[i]) < 0x80; };
  std::string result;
  result.reserve(text.size());
  for (size_t begin = 0; begin < text.size();) {
    size_t end = begin;
    while (end < text.size() && is_ascii(end) && (end + 1 == text.size() || is_ascii(end + 1))) {
      ++end;
    }
    result += text.substr(begin, end - begin);
    begin = end;
    if (begin == text.size()) {
      break;
    }
    if (const Character first = character_at(text.data() + begin); is_new(first.code)) {
      result += text.substr(begin, first.size);
      begin += first.size;
      continue;
    }
    end = begin + character_at(text.data() + begin).size;
    while (end < text.size() && !is_ascii(end)) {
      const Character next = character_at(text.data() + end);
      if (is_new(next.code)) {
        break;
      }
      end += next.size;
    }
    append_form(text.substr(begin, end - begin), is_compatible, composes, result);
    begin = end;
  }
  return result;
}

/// Calls `change` for the valid UTF-8 in a text, and keeps the bytes between.
template <class Change> std::string changed_where_valid(std::string_view text, const Change& change) {
  std::string result;
  while (!text.empty()) {
    const size_t valid = valid_prefix(text);
    result += change(text.substr(0, valid));
    text.remove_prefix(valid);
    if (!text.empty()) {
      result += text.front();
      text.remove_prefix(1);
    }
  }
  return result;
}

std::string replaced(std::string_view text, const std::string& from, const std::string& to) {
  std::string result;
  for (;;) {
    const size_t at = text.find(from);
    result += text.substr(0, at);
    if (at == std::string_view::npos) {
      return result;
    }
    result += to;
    text.remove_prefix(at + from.size());
  }
}

std::string applied(const TextNormalizer& normalizer, std::string text) {
  using Kind = TextNormalizer::Kind;
  const Kind kind = normalizer.kind;
  if (kind == Kind::prepend) {
    return text.empty() ? text : normalizer.text + text;
  }
  if (kind == Kind::replace) {
    return replaced(text, normalizer.text, normalizer.content);
  }
  if (kind == Kind::strip) {
    const size_t begin = normalizer.strips_left ? leading_white_space(text) : 0;
    text.erase(0, begin);
    text.resize(text.size() - (normalizer.strips_right ? trailing_white_space(text) : 0));
    return text;
  }
  return changed_where_valid(text, [&](std::string_view valid) {
    if (kind == Kind::lowercase) {
      return to_utf8(lowercased(decoded(valid)));
    }
    return form(valid, kind == Kind::nfkc || kind == Kind::nfkd, kind == Kind::nfc || kind == Kind::nfkc);
  });
}

} // namespace

std::string normalized(std::span<const TextNormalizer> normalizers, std::string_view text) {
  std::string result(text);
  for (const TextNormalizer& normalizer : normalizers) {
    result = applied(normalizer, std::move(result));
  }
  return result;
}

} // namespace mneme::tokens
