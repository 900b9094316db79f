// SPDX-License-Identifier: MIT

/// Bit patterns of texts: texts with many words or parts of words in common are near each other.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "mneme/core/patterns.h"

namespace mneme::data {

/// SimHash of the words of a text. A word is a sequence of characters other than ASCII spaces and
/// punctuation; ASCII capitals count as small letters. Features are the distinct trigrams of characters of
/// all words, each word with a space before and after it.
///
/// Formula  bit b = 1 where the sum over all features of s_b(feature) is above 0, with a pseudo-random sign s
///          per feature and bit. Texts that share the fraction f of their features have about
///          bits * arccos(f) / pi different bits
/// Errors   UsageError if bits < 1, or if a text has no word (with its index)
/// Source   Charikar 2002, "Similarity Estimation Techniques from Rounding Algorithms"
BitPatterns text_bits(std::span<const std::string> texts, int64_t bits);

} // namespace mneme::data
