// SPDX-License-Identifier: MIT

#include "mneme/language/text_stream.h"

#include <algorithm>
#include <utility>

#include "language/refuse.h"
#include "mneme/core/text.h"

namespace mneme::language {
namespace {

/// Length of the longest end of `text` that is the beginning of a stop string, but not all of it.
size_t possible_stop(std::string_view text, const std::vector<std::string>& stop_strings) {
  size_t longest = 0;
  for (const std::string& stop : stop_strings) {
    for (size_t size = std::min(stop.size() - 1, text.size()); size > longest; --size) {
      if (text.ends_with(std::string_view(stop).substr(0, size))) {
        longest = size;
      }
    }
  }
  return longest;
}

/// Bytes of the longest stop string with which `text` ends; 0 if there is none.
size_t complete_stop(std::string_view text, const std::vector<std::string>& stop_strings) {
  size_t longest = 0;
  for (const std::string& stop : stop_strings) {
    if (text.ends_with(stop)) {
      longest = std::max(longest, stop.size());
    }
  }
  return longest;
}

} // namespace

size_t incomplete_tail(std::string_view text) {
  constexpr size_t kMaxTail = 3;
  constexpr std::string_view kLargest = "\xBF\xBF\xBF", kSmallest = "\x80\x80\x80";
  for (size_t size = std::min(kMaxTail, text.size()); size > 0; --size) {
    const std::string_view tail = text.substr(text.size() - size);
    const auto first = static_cast<unsigned char>(tail.front());
    if (first < 0xC2 || first > 0xF4) {
      continue; // not the first byte of a longer character
    }
    // The tail is the beginning of a character if some bytes complete it. First bytes limit the second byte
    // on one side at most, and never all others, so that the largest or the smallest bytes do.
    const size_t needed = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (size >= needed) {
      continue;
    }
    for (const std::string_view fill : {kLargest, kSmallest}) {
      const std::string whole = std::string(tail) + std::string(fill.substr(0, needed - size));
      const Utf8Character character = first_character(whole);
      if (character.valid && character.size == needed) {
        return size;
      }
    }
  }
  return 0;
}

TextStream::TextStream(std::vector<std::string> stop_strings) : stop_strings_(std::move(stop_strings)) {
  if (std::ranges::any_of(stop_strings_, &std::string::empty)) {
    refuse("a stop string is empty.", "It would end every text before its first byte: leave it out.");
  }
}

std::string TextStream::add(std::string_view bytes) {
  if (is_stopped_) {
    return "";
  }
  for (const char byte : bytes) {
    held_ += byte;
    if (const size_t size = complete_stop(held_, stop_strings_); size > 0) {
      is_stopped_ = true;
      held_.resize(held_.size() - size);
      return std::exchange(held_, "");
    }
  }
  size_t printable = held_.size() - possible_stop(held_, stop_strings_);
  printable -= incomplete_tail(std::string_view(held_).substr(0, printable));
  std::string text = held_.substr(0, printable);
  held_.erase(0, printable);
  return text;
}

std::string TextStream::finish() {
  return std::exchange(held_, "");
}

} // namespace mneme::language
