// SPDX-License-Identifier: MIT

/// Assertions on texts that print the text on failure: EXPECT_TRUE(contains(message, "37")).
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace mneme::testing {

inline ::testing::AssertionResult contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos ? ::testing::AssertionSuccess()
                                              : ::testing::AssertionFailure()
                                                    << "\"" << part << "\" is not in:\n"
                                                    << text;
}

inline void expect_contains(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    EXPECT_TRUE(contains(text, part));
  }
}

inline ::testing::AssertionResult starts_with(const std::string& text, const std::string& part) {
  return text.starts_with(part) ? ::testing::AssertionSuccess()
                                : ::testing::AssertionFailure()
                                      << "\"" << part << "\" is not the beginning of:\n"
                                      << text;
}

inline ::testing::AssertionResult ends_with(const std::string& text, const std::string& part) {
  return text.ends_with(part) ? ::testing::AssertionSuccess()
                              : ::testing::AssertionFailure() << "\"" << part << "\" is not the end of:\n"
                                                              << text;
}

} // namespace mneme::testing
