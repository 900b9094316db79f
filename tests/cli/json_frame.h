// SPDX-License-Identifier: MIT

/// The frame of the JSON output that all verbs share.
#pragma once

#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace mneme::testing {

/// The document on stdout of a verb with --json, after a check of its frame.
inline nlohmann::json framed(const std::string& out) {
  nlohmann::json document = nlohmann::json::parse(out, nullptr, false);
  EXPECT_TRUE(document.is_object()) << out;
  EXPECT_EQ(document.size(), 7U) << out;
  EXPECT_TRUE(document.value("version", nlohmann::json()).is_string());
  EXPECT_TRUE(document.value("verb", nlohmann::json()).is_string());
  EXPECT_TRUE(document.contains("seed"));
  EXPECT_TRUE(document.value("parameters", nlohmann::json()).is_object());
  EXPECT_TRUE(document.contains("results"));
  EXPECT_TRUE(document.value("timing", nlohmann::json()).value("seconds", nlohmann::json()).is_number());
  EXPECT_TRUE(document.value("environment", nlohmann::json()).is_object());
  return document;
}

inline nlohmann::json results_of(const std::string& out) {
  return framed(out).value("results", nlohmann::json());
}
inline nlohmann::json parameters_of(const std::string& out) {
  return framed(out).value("parameters", nlohmann::json());
}

} // namespace mneme::testing
