// SPDX-License-Identifier: MIT

/// Nearest candidate of a mistyped word, for "Did you mean ...?".
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mneme {

/// Candidate with the smallest edit distance to `text`; empty if none is close. A wrong, missing, extra or
/// transposed letter has cost 1; a candidate that begins with `text` (three letters or more) also has cost 1.
/// Names that consist of some of the words of the other, such as "--radius" and "--hamming-radius", are
/// close, and so is a text that differs in one letter from a word of the candidate.
std::string nearest_word(std::string_view text, const std::vector<std::string>& candidates);

} // namespace mneme
