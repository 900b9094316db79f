// SPDX-License-Identifier: MIT

/// Options that take one word of a fixed set, such as --progress auto|plain|json|none.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace CLI {
class App;
class Option;
} // namespace CLI

namespace mneme::cli {

/// The place of `text` among `words`.
///
/// Errors  UsageError with all the words, and the nearest one
size_t choose(std::string_view name, std::string_view text, const std::vector<std::string>& words);

/// An option (or, without dashes, a positional argument) that calls `chosen` with the place of its word. Its
/// type is shown as the words joined by "|", which is also where `choices_of` finds them.
CLI::Option* add_word_option(CLI::App& app, const std::string& names, const std::vector<std::string>& words,
                             const std::string& default_word, std::function<void(size_t)> chosen,
                             const std::string& help);

/// The words of such an option; empty for every other one.
std::vector<std::string> choices_of(const CLI::Option& option);

/// Keeps what `target` holds unless the option is given, and shows its word as the default.
template <class T>
CLI::Option* add_choice_option(CLI::App& app, const std::string& names, T& target,
                               const std::vector<std::pair<std::string, T>>& choices,
                               const std::string& help) {
  std::vector<std::string> words;
  std::string default_word;
  for (const auto& [word, value] : choices) {
    words.push_back(word);
    if (value == target && default_word.empty()) {
      default_word = word;
    }
  }
  return add_word_option(
      app, names, words, default_word, [&target, choices](size_t place) { target = choices[place].second; },
      help);
}

} // namespace mneme::cli
