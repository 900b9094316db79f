// SPDX-License-Identifier: MIT

/// Helpers for tests of error messages.
#pragma once

#include <initializer_list>
#include <string>

#include <gtest/gtest.h>

#include "mneme/core/error.h"

namespace mneme {

/// Message of the UsageError that `call` throws; "nothing was thrown" if it throws none.
template <class Call> std::string usage_error_of(Call call) {
  try {
    call();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

/// True if the text contains all the words.
inline testing::AssertionResult contains_all(const std::string& text,
                                             std::initializer_list<std::string> words) {
  for (const std::string& word : words) {
    if (text.find(word) == std::string::npos) {
      return testing::AssertionFailure() << '"' << word << "\" is not in: " << text;
    }
  }
  return testing::AssertionSuccess();
}

} // namespace mneme
