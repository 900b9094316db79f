// SPDX-License-Identifier: MIT

#include "mneme/data/text_bits.h"

#include <algorithm>
#include <cctype>
#include <set>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/parallel.h"
#include "mneme/core/random.h"
#include "mneme/core/text.h"

namespace mneme::data {
namespace {

constexpr uint64_t kSeed = 0x7465787462697473; // "textbits"; patterns on disk depend on it
constexpr size_t kGram = 3;

/// Code points of the words, each with a space before and after it; a space between two words is shared.
std::u32string words_of(std::string_view text) {
  std::u32string words = U" ";
  while (!text.empty()) {
    const Utf8Character character = first_character(text);
    text.remove_prefix(character.size);
    char32_t code = character.code;
    if (code < 0x80) {
      const auto ascii = static_cast<unsigned char>(code);
      code = std::isalnum(ascii) != 0 ? static_cast<char32_t>(std::tolower(ascii)) : U' ';
    }
    if (code != U' ' || words.back() != U' ') {
      words += code;
    }
  }
  if (words.back() != U' ') {
    words += U' ';
  }
  return words;
}

void encode(std::string_view text, int64_t index, BitPatterns& patterns) {
  const std::u32string words = words_of(text);
  std::set<uint64_t> features;
  for (size_t i = 0; i + kGram <= words.size(); ++i) {
    // Code points have 21 bits, so a trigram is its own number.
    features.insert(static_cast<uint64_t>(words[i]) << 42 | static_cast<uint64_t>(words[i + 1]) << 21 |
                    words[i + 2]);
  }
  if (features.empty()) {
    throw UsageError(
        fmt::format("mneme::data::text_bits: text {} (\"{}\") has no letters or digits.\n  Leave it out.",
                    index, printable(text)));
  }
  const int64_t bits = patterns.bits();
  std::vector<int32_t> sums(static_cast<size_t>(bits), 0);
  const auto add_signs = [&](uint64_t stream, int32_t weight) {
    const Random random = Random(kSeed).stream(stream);
    for (int64_t first = 0; first < bits; first += 64) {
      const uint64_t word = random.at(static_cast<uint64_t>(first / 64));
      int32_t* of_word = sums.data() + first;
      for (int64_t b = 0; b < std::min<int64_t>(64, bits - first); ++b) {
        of_word[b] += (word >> b & 1) != 0 ? weight : -weight;
      }
    }
  };
  for (const uint64_t feature : features) {
    add_signs(feature, 2);
  }
  add_signs(0, 1); // decides ties
  for (int64_t b = 0; b < bits; ++b) {
    patterns.set(index, b, sums[static_cast<size_t>(b)] > 0);
  }
}

} // namespace

BitPatterns text_bits(std::span<const std::string> texts, int64_t bits) {
  if (bits < 1) {
    throw UsageError(fmt::format(
        "mneme::data::text_bits: patterns of {} bits were requested.\n  Request at least 1.", bits));
  }
  BitPatterns patterns(std::ssize(texts), bits);
  parallel_for(patterns.count(), 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      encode(texts[static_cast<size_t>(i)], i, patterns);
    }
  });
  return patterns;
}

} // namespace mneme::data
