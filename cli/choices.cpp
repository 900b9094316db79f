// SPDX-License-Identifier: MIT

#include "cli/choices.h"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>

#include "cli/arguments.h"
#include "cli/numbers.h"
#include "mneme/core/error.h"
#include "mneme/core/nearest_word.h"

namespace mneme::cli {

size_t index_of_word(std::string_view name, std::string_view text, const std::vector<std::string>& words) {
  const auto found = std::find(words.begin(), words.end(), text);
  if (found == words.end()) {
    const std::string close = nearest_word(text, words);
    throw UsageError(fmt::format("{}: \"{}\" is not one of {}.{}", name, text, fmt::join(words, ", "),
                                 close.empty() ? "" : fmt::format("\n  Did you mean \"{}\"?", close)));
  }
  return static_cast<size_t>(found - words.begin());
}

Option* add_word_option(Arguments& arguments, const std::string& names, const std::vector<std::string>& words,
                        const std::string& default_word, std::function<void(size_t)> set,
                        const std::string& help) {
  return add_parsed_option(
      arguments, names, fmt::format("{}", fmt::join(words, "|")), default_word,
      [words, set = std::move(set)](const std::string& name, const std::string& text) {
        set(index_of_word(name, text, words));
      },
      help);
}

std::vector<std::string> choices_of(const std::string& type) {
  std::vector<std::string> words;
  if (type.find('|') != std::string::npos) {
    std::istringstream text(type);
    for (std::string word; std::getline(text, word, '|');) {
      words.push_back(word);
    }
  }
  return words;
}

} // namespace mneme::cli
