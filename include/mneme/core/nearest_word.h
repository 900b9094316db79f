// SPDX-License-Identifier: MIT

/// "Did you mean ...?"
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mneme {

/// The candidate that most looks like a mistyped `text` (a letter wrong, missing, too much or swapped with
/// its neighbour costs 1; a beginning of three letters or more is enough); empty where none is close.
std::string nearest_word(std::string_view text, const std::vector<std::string>& candidates);

} // namespace mneme
