// SPDX-License-Identifier: MIT

#include "tokens/unicode.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <vector>

#include "mneme/core/text.h"

namespace mneme::tokens {
namespace {

constexpr size_t kCodePoints = 0x110000, kPage = 256;

/// Table of two levels: pages of 256 code points, equal pages stored once.
template <class Value> class PagedTable {
public:
  template <class Function> explicit PagedTable(Function value_of) {
    std::map<std::array<Value, kPage>, uint16_t> numbers;
    for (size_t begin = 0; begin < kCodePoints; begin += kPage) {
      std::array<Value, kPage> page;
      for (size_t i = 0; i < kPage; ++i) {
        page[i] = value_of(static_cast<char32_t>(begin + i));
      }
      const auto [at, added] = numbers.emplace(page, static_cast<uint16_t>(numbers.size()));
      if (added) {
        values_.insert(values_.end(), page.begin(), page.end());
      }
      page_numbers_[begin / kPage] = at->second;
    }
  }
  Value operator[](char32_t code) const {
    return values_[page_numbers_[code / kPage] * kPage + code % kPage];
  }

private:
  std::array<uint16_t, kCodePoints / kPage> page_numbers_{};
  std::vector<Value> values_;
};

PagedTable<Category> make_category_table() {
  const std::span<const uint32_t> ranges = category_ranges();
  size_t range = 0;
  return PagedTable<Category>([&](char32_t code) { // called for ascending code points
    while (range + 1 < ranges.size() && ranges[range + 1] >> 5U <= code) {
      ++range;
    }
    return static_cast<Category>(ranges[range] & 31U);
  });
}

SplitClass class_from_category(char32_t code) {
  const CategorySet category = set_of(category_of(code));
  return (category & kLetters) != 0   ? SplitClass::letter
         : (category & kNumbers) != 0 ? SplitClass::number
         : is_white_space(code)       ? SplitClass::space
                                      : SplitClass::other;
}

constexpr SplitClass ascii_class(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ? SplitClass::letter
         : c >= '0' && c <= '9'                           ? SplitClass::number
         : c == ' ' || (c >= '\t' && c <= '\r')           ? SplitClass::space
                                                          : SplitClass::other;
}

constexpr std::array<SplitClass, 128> make_ascii_classes() {
  std::array<SplitClass, 128> classes{};
  for (size_t i = 0; i < classes.size(); ++i) {
    classes[i] = ascii_class(static_cast<char>(i));
  }
  return classes;
}

constexpr std::array<std::string_view, kNumCategories> kNames = {
    "Cc", "Cf", "Cn", "Co", "Cs", "Ll", "Lm", "Lo", "Lt", "Lu", "Mc", "Me", "Mn", "Nd", "Nl",
    "No", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "Sc", "Sk", "Sm", "So", "Zl", "Zp", "Zs"};

/// The first character; none if there are only other bytes.
std::optional<Character> first_of(std::string_view text) {
  return valid_prefix(text.substr(0, 4)) > 0 ? std::optional(character_at(text.data())) : std::nullopt;
}

std::optional<Character> last_of(std::string_view text) {
  for (size_t size = 1; size <= std::min<size_t>(4, text.size()); ++size) {
    const std::string_view end = text.substr(text.size() - size);
    if (valid_prefix(end) == size) {
      return character_at(end.data());
    }
  }
  return std::nullopt;
}

} // namespace

const std::array<SplitClass, 128> kAsciiClasses = make_ascii_classes();

CategorySet categories_named(std::string_view name) {
  CategorySet set = 0;
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (name == kNames[i] || (name.size() == 1 && name[0] == kNames[i][0])) {
      set |= set_of(static_cast<Category>(i));
    }
  }
  return set;
}

Category category_of(char32_t code) {
  static const PagedTable<Category> table = make_category_table();
  return table[code];
}

bool is_white_space(char32_t code) {
  return (code >= 0x09 && code <= 0x0d) || code == 0x20 || code == 0x85 || code == 0xa0 || code == 0x1680 ||
         (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 || code == 0x202f ||
         code == 0x205f || code == 0x3000;
}

bool is_word_character(char32_t code) {
  constexpr CategorySet kWords = kLetters | set_of(Category::Mc) | set_of(Category::Me) |
                                 set_of(Category::Mn) | set_of(Category::Nd) | set_of(Category::Nl) |
                                 set_of(Category::Pc);
  const bool is_circled_letter = (code >= 0x24b6 && code <= 0x24e9) || (code >= 0x1f130 && code <= 0x1f149) ||
                                 (code >= 0x1f150 && code <= 0x1f169) ||
                                 (code >= 0x1f170 && code <= 0x1f189); // Other_Alphabetic
  return is_circled_letter || code == 0x200c || code == 0x200d || (set_of(category_of(code)) & kWords) != 0;
}

size_t leading_white_space(std::string_view text) {
  size_t size = 0;
  for (std::optional<Character> first;
       (first = first_of(text.substr(size))) && is_white_space(first->code);) {
    size += first->size;
  }
  return size;
}

size_t trailing_white_space(std::string_view text) {
  size_t size = 0;
  for (std::optional<Character> last;
       (last = last_of(text.substr(0, text.size() - size))) && is_white_space(last->code);) {
    size += last->size;
  }
  return size;
}

bool begins_with_word(std::string_view text) {
  const std::optional<Character> first = first_of(text);
  return first && is_word_character(first->code);
}

bool ends_with_word(std::string_view text) {
  const std::optional<Character> last = last_of(text);
  return last && is_word_character(last->code);
}

SplitClass split_class_of(char32_t code) {
  static const PagedTable<SplitClass> table(class_from_category);
  return table[code];
}

size_t valid_prefix(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    if (text.size() - at >= 8) {
      uint64_t word = 0;
      std::memcpy(&word, text.data() + at, sizeof word);
      if ((word & 0x8080808080808080U) == 0) {
        at += 8;
        continue;
      }
    }
    const Utf8Character character = first_character(text.substr(at, 4));
    if (!character.valid) {
      break;
    }
    at += character.size;
  }
  return at;
}

} // namespace mneme::tokens
