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
/// the words joined by single spaces, with a space before the first and after the last word. A trigram may
/// contain the end of a word and the beginning of the next ("b c" in "ab cd"), so that the order of words
/// counts. Files of stored memories depend on the features and signs, which do not change.
///
/// Formula  bit b = 1 where the sum over all features of 2 s_b(feature), plus a sign t_b that is the same for
///          all texts, is above 0, with a pseudo-random sign s per feature and bit. The sum is odd: t_b
///          decides where the signs of the features add up to 0. Texts that share the fraction f of their
///          features have about bits * arccos(f) / pi different bits
/// Errors   UsageError if bits < 1, or if a text has no word (with its index)
/// Source   Charikar 2002, "Similarity Estimation Techniques from Rounding Algorithms"
BitPatterns text_bits(std::span<const std::string> texts, int64_t bits);

} // namespace mneme::data
