// SPDX-License-Identifier: MIT

#include "mneme/core/nearest_word.h"

#include <algorithm>

namespace mneme {
namespace {

/// Optimal string alignment distance, by dynamic programming over prefixes.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> cost(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      const bool same = a[i - 1] == b[j - 1];
      cost[i][j] =
          std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + static_cast<size_t>(!same)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

/// True if one name is a run of whole words of the other: "--radius" of "--hamming-radius".
bool contains_words(std::string_view a, std::string_view b) {
  constexpr size_t kMinLength = 4;
  const auto words = [](std::string_view name) {
    const size_t begin = std::min(name.find_first_not_of('-'), name.size());
    std::string text(1, '-');
    text.append(name.substr(begin)).push_back('-');
    return text;
  };
  std::string part = words(a), whole = words(b);
  if (part.size() > whole.size()) {
    std::swap(part, whole);
  }
  return part.size() >= kMinLength + 2 && whole.find(part) != std::string::npos;
}

/// True if a text differs in one letter from a word of a name: "atention" from "self-attention".
bool is_near_part(std::string_view text, std::string_view name) {
  constexpr size_t kMinLength = 5;
  while (text.size() >= kMinLength && !name.empty()) {
    const std::string_view word = name.substr(0, name.find('-'));
    if (word.size() >= kMinLength && edit_distance(text, word) == 1) {
      return true;
    }
    name.remove_prefix(std::min(word.size() + 1, name.size()));
  }
  return false;
}

} // namespace

std::string nearest_word(std::string_view text, const std::vector<std::string>& candidates) {
  constexpr size_t kMaxLength = 64; // bounds the time
  std::string best;
  const size_t max_distance = std::clamp<size_t>((text.size() + 1) / 3, 1, 3);
  size_t min_distance = max_distance + 1;
  for (const std::string& candidate : candidates) {
    if (text.size() > kMaxLength || candidate.size() > kMaxLength) {
      continue;
    }
    const bool is_beginning = text.size() >= 3 && candidate.starts_with(text);
    size_t distance = is_beginning ? 1 : edit_distance(text, candidate);
    if (distance > max_distance && (contains_words(text, candidate) || is_near_part(text, candidate))) {
      distance = max_distance;
    }
    if (distance < min_distance) {
      min_distance = distance;
      best = candidate;
    }
  }
  return best;
}

} // namespace mneme
