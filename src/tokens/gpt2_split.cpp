// SPDX-License-Identifier: MIT

#include "tokens/gpt2_split.h"

#include "tokens/unicode.h"

namespace mneme::tokens {
namespace {

struct Classified {
  SplitClass split_class;
  size_t size; ///< bytes of the character
};

Classified classify(std::string_view text, size_t at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte < 0x80) {
    return {kAsciiClasses[byte], 1};
  }
  const Character character = character_at(text.data() + at);
  return {split_class_of(character.code), character.size};
}

/// End of the run of characters of one class.
size_t run_end(std::string_view text, size_t at, SplitClass split_class) {
  while (at < text.size()) {
    const Classified next = classify(text, at);
    if (next.split_class != split_class) {
      break;
    }
    at += next.size;
  }
  return at;
}

/// Size of the contraction at an apostrophe, or 0.
size_t contraction_size(std::string_view text, size_t at) {
  const char first = at + 1 < text.size() ? text[at + 1] : '\0',
             second = at + 2 < text.size() ? text[at + 2] : '\0';
  if (first == 's' || first == 't' || first == 'm' || first == 'd') {
    return 2;
  }
  return ((first == 'r' || first == 'v') && second == 'e') || (first == 'l' && second == 'l') ? 3 : 0;
}

/// End of a piece of white space. A run of several spaces before another character gives up its last one,
/// which may begin the next piece.
size_t space_end(std::string_view text, size_t begin) {
  size_t at = begin, last = begin;
  while (at < text.size()) {
    const Classified next = classify(text, at);
    if (next.split_class != SplitClass::space) {
      return last > begin ? last : at;
    }
    last = at;
    at += next.size;
  }
  return at;
}

bool is_ascii_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

} // namespace

size_t gpt2_piece_end(std::string_view text, size_t begin) {
  const Classified first = classify(text, begin);
  if (text[begin] == '\'') {
    if (const size_t size = contraction_size(text, begin); size > 0) {
      return begin + size;
    }
  }
  if (text[begin] == ' ' && begin + 1 < text.size()) {
    const Classified second = classify(text, begin + 1);
    if (second.split_class != SplitClass::space) {
      return run_end(text, begin + 1 + second.size, second.split_class);
    }
  }
  return first.split_class == SplitClass::space ? space_end(text, begin)
                                                : run_end(text, begin + first.size, first.split_class);
}

size_t gpt2_division(std::string_view text, size_t from) {
  for (size_t at = from > 0 ? from : 1; at < text.size(); ++at) {
    if (is_ascii_space(text[at]) && static_cast<unsigned char>(text[at - 1]) < 0x80 &&
        !is_ascii_space(text[at - 1])) {
      return at;
    }
  }
  return text.size();
}

} // namespace mneme::tokens
