// SPDX-License-Identifier: MIT

/// Texts and tokenizers for tests.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mneme/core/random.h"
#include "mneme/tokens/tokenizer.h"

namespace mneme::tokens::testing {

inline const std::filesystem::path kGolden = std::filesystem::path(MNEME_SOURCE_DIR) / "tests/golden/tokens";

inline Tokenizer golden_tokenizer(const std::string& name = "gpt2_pattern") {
  return read_tokenizer(kGolden / name);
}

/// Text of random bytes, most of them from characters that matter for splitting.
inline std::string random_text(Random& random, uint64_t max_parts) {
  static const std::vector<std::string> parts = {"the",          " the",
                                                 "hello",        " ",
                                                 "  ",           "\n",
                                                 "\t",           "'s",
                                                 "'re",          "1",
                                                 "23",           "!",
                                                 "...",          "\u00e9",
                                                 "\u65e5",       "\u0301",
                                                 "\u2028",       "\u0085",
                                                 "\u00a0",       "\u3000",
                                                 "\u00b2",       "<|endoftext|>",
                                                 "\xed\xa0\x80", "\xff",
                                                 "\xc3",         "\xe2\x82",
                                                 "\U0001f600"};
  std::string text;
  for (uint64_t left = random.below(max_parts + 1); left > 0; --left) {
    const size_t i = random.below(parts.size() + 3);
    text += i < parts.size() ? parts[i] : std::string(1, static_cast<char>(random.below(256)));
  }
  return text;
}

} // namespace mneme::tokens::testing
