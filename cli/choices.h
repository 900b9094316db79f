// SPDX-License-Identifier: MIT

/// Options whose value is one word of a fixed set, such as --progress auto|plain|json|none.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/arguments.h"

namespace mneme::cli {

/// The index of `text` in `words`.
///
/// Errors  UsageError with all words, and the most similar one, if `text` is none of them; the message begins
///         with `name`
size_t index_of_word(std::string_view name, std::string_view text, const std::vector<std::string>& words);

/// Adds an option (or, if `names` has no dashes, a positional argument) that calls `set` with the index of
/// the given word. The type shown in the help is the list of words, separated by "|"; `choices_of` parses it.
Option* add_word_option(Arguments& arguments, const std::string& names, const std::vector<std::string>& words,
                        const std::string& default_word, std::function<void(size_t)> set,
                        const std::string& help);

/// The permitted words of an option added by `add_word_option`, from its type; empty for any other option.
std::vector<std::string> choices_of(const std::string& type);

/// Adds an option that sets `target` to the value of the given word. The initial value of `target` is the
/// default.
template <class T>
Option* add_choice_option(Arguments& arguments, const std::string& names, T& target,
                          const std::vector<std::pair<std::string, T>>& choices, const std::string& help) {
  std::vector<std::string> words;
  std::string default_word;
  for (const auto& [word, value] : choices) {
    words.push_back(word);
    if (value == target && default_word.empty()) {
      default_word = word;
    }
  }
  return add_word_option(
      arguments, names, words, default_word,
      [&target, choices](size_t index) { target = choices[index].second; }, help);
}

} // namespace mneme::cli
