// SPDX-License-Identifier: MIT

/// Generated text as it can be printed: whole characters, up to the first stop string.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mneme::language {

/// Receives the bytes of a text in parts, and returns those that can be printed. All returned parts together
/// are the same for every division of the text: the text up to the stop string that is complete first (of
/// several that end at the same byte, the longest), or the whole text.
///
/// Held back are the beginning of what may become a stop string, and the incomplete last character of a UTF-8
/// text: at most 3 bytes. Invalid bytes are passed on as they are.
class TextStream {
public:
  /// Errors  UsageError for an empty stop string
  explicit TextStream(std::vector<std::string> stop_strings = {});

  /// Adds bytes, and returns those that can be printed now. After a stop string, nothing is added.
  std::string add(std::string_view bytes);
  /// The rest of the text, when no more bytes follow.
  std::string finish();

  bool is_stopped() const { return is_stopped_; } ///< whether a stop string was found

private:
  std::vector<std::string> stop_strings_;
  std::string held_;
  bool is_stopped_ = false;
};

/// Number of bytes at the end of a text that are the beginning of a UTF-8 character: 0 to 3.
size_t incomplete_tail(std::string_view text);

} // namespace mneme::language
