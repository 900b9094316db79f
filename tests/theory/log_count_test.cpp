// SPDX-License-Identifier: MIT

#include "mneme/theory/log_count.h"

#include <cmath>
#include <numbers>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "mneme/core/error.h"
#include "theory/usage_error.h"

namespace mneme::theory {
namespace {

TEST(ParseLogCount, ParsesAllNotations) {
  EXPECT_DOUBLE_EQ(parse_log_count("2^64"), 64 * std::numbers::ln2);
  EXPECT_DOUBLE_EQ(parse_log_count("18446744073709551616"), 64 * std::numbers::ln2);
  EXPECT_DOUBLE_EQ(parse_log_count("1000000"), std::log(1e6));
  EXPECT_DOUBLE_EQ(parse_log_count("1e6"), std::log(1e6));
  EXPECT_DOUBLE_EQ(parse_log_count("1.5e13"), std::log(1.5e13));
  EXPECT_DOUBLE_EQ(parse_log_count("99.6"), std::log(100.0));
  EXPECT_DOUBLE_EQ(parse_log_count("0007"), std::log(7.0));
  EXPECT_DOUBLE_EQ(parse_log_count(fmt::format("1{:05000}", 0)), 5000 * std::numbers::ln10);
  EXPECT_EQ(parse_log_count("1"), 0);
  EXPECT_EQ(parse_log_count("7^0"), 0);
}

TEST(ParseLogCount, RejectsInvalidText) {
  for (const char* text : {"", "0", "00", "-5", "0.2", "nan", "inf", "1e999", "2^", "^3", "0^3", "2^-1",
                           "2^1e3", "2^99999999999999999999", "1e6x", " 1", "1,000", "0x10"}) {
    EXPECT_TRUE(contains_all(usage_error_of([&] { parse_log_count(text); }), {fmt::format("'{}'", text)}));
  }
}

} // namespace
} // namespace mneme::theory
