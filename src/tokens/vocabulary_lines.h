// SPDX-License-Identifier: MIT

/// Vocabularies with one token per line.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace mneme::tokens {

/// The lines of a vocab.txt, without line ends; the id of a token is the number of its line, from 0 on.
inline std::vector<std::string> vocabulary_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string line(text.substr(0, end));
    if (!line.empty() && line.back() == '\r') {
      line.pop_back();
    }
    text.remove_prefix(std::min(end + 1, text.size()));
    lines.push_back(std::move(line));
  }
  return lines;
}

} // namespace mneme::tokens
