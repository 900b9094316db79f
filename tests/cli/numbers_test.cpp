// SPDX-License-Identifier: MIT

#include "cli/numbers.h"

#include <cmath>
#include <functional>
#include <limits>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "core/text_checks.h"
#include "mneme/core/error.h"

namespace mneme::cli {
namespace {

using mneme::testing::contains;

constexpr int64_t kMax = std::numeric_limits<int64_t>::max(), kMin = std::numeric_limits<int64_t>::min();

std::string refusal(const std::function<void()>& parse) {
  try {
    parse();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(ParseInteger, AcceptsUsualNotations) {
  EXPECT_EQ(parse_integer("n", "0"), 0);
  EXPECT_EQ(parse_integer("n", "-0"), 0);
  EXPECT_EQ(parse_integer("n", "+7"), 7);
  EXPECT_EQ(parse_integer("n", "007"), 7);
  EXPECT_EQ(parse_integer("n", "1e6"), 1'000'000);
  EXPECT_EQ(parse_integer("n", "1E+6"), 1'000'000);
  EXPECT_EQ(parse_integer("n", "2.5e3"), 2500);
  EXPECT_EQ(parse_integer("n", "5000e-3"), 5);
  EXPECT_EQ(parse_integer("n", "1_000_000"), 1'000'000);
  EXPECT_EQ(parse_integer("n", "3.0"), 3);
  EXPECT_EQ(parse_integer("n", "0e999999999999"), 0);
}

RC_GTEST_PROP(ParseIntegerProperty, ReadsEveryInteger, (int64_t value)) {
  RC_ASSERT(parse_integer("n", std::to_string(value)) == value);
}

TEST(ParseInteger, ReadsTheLimitsOfInt64) {
  EXPECT_EQ(parse_integer("n", "9223372036854775807"), kMax);
  EXPECT_EQ(parse_integer("n", "-9223372036854775808"), kMin);
  for (const char* text : {"9223372036854775808", "-9223372036854775809", "1e19", "1e999999999999"}) {
    EXPECT_TRUE(contains(refusal([&] { parse_integer("n", text); }), "out of range"));
  }
}

TEST(ParseInteger, RejectsWhatIsNotANumber) {
  for (const char* text :
       {"",   " ",   "nan",  "inf", "-",  "+",   ".",     "e5",  "1e",  "1e+",   "0x10", "1 ",
        " 1", "1,5", "1__0", "_1",  "1_", "--1", "1e1.5", "1-2", "ten", "1.2.3", "\xff"}) {
    EXPECT_TRUE(contains(refusal([&] { parse_integer("--items", text); }),
                         fmt::format("--items: \"{}\" is {}", text, *text == 0 ? "empty" : "not a number")));
  }
  EXPECT_TRUE(contains(refusal([] { parse_integer("n", "1.5"); }), "not an integer"));
  EXPECT_TRUE(contains(refusal([] { parse_integer("n", "1e-1"); }), "not an integer"));
}

TEST(ParseInteger, NamesTheLimitsAndAnExample) {
  const auto with = [](const IntegerLimits& limits) {
    return refusal([&] { parse_integer("n", "x", limits); });
  };
  EXPECT_TRUE(contains(with({.min = 1, .max = 5}), "an integer from 1 to 5, such as 5"));
  EXPECT_TRUE(contains(with({.min = 100}), "of at least 100, such as 100"));
  EXPECT_TRUE(contains(with({.max = -3}), "of at most -3, such as -3"));
  EXPECT_TRUE(contains(with({}), "Give an integer, such as 8."));
}

TEST(ParseInteger, ShortensALongInputInTheMessage) {
  EXPECT_LT(refusal([] { parse_integer("n", std::string(1'000'000, 'x')); }).size(), 200U);
  EXPECT_LT(refusal([] { parse_integer("n", std::string(1'000'000, '9')); }).size(), 200U);
}

TEST(ParseReal, AcceptsUsualNotations) {
  EXPECT_EQ(parse_real("x", "0.25"), 0.25);
  EXPECT_EQ(parse_real("x", ".25"), 0.25);
  EXPECT_EQ(parse_real("x", "-2.5e-3"), -0.0025);
  EXPECT_EQ(parse_real("x", "0.1"), 0.1);
  EXPECT_EQ(parse_real("x", "1_000.5"), 1000.5);
  EXPECT_EQ(parse_real("x", "1.7976931348623157e308"), std::numeric_limits<double>::max());
  EXPECT_FALSE(std::signbit(parse_real("x", "-0")));
}

RC_GTEST_PROP(ParseRealProperty, ReadsEveryDouble, (double value)) {
  RC_ASSERT(parse_real("x", fmt::format("{}", value)) == value);
}

TEST(ParseReal, IsAlwaysFinite) {
  for (const char* text : {"nan", "NaN", "inf", "-infinity", "0x1p3", "1e", "", "1d5", "0,5"}) {
    EXPECT_TRUE(
        contains(refusal([&] { parse_real("--noise", text); }), "--noise: \"" + std::string(text) + "\" is"));
  }
  for (const char* text : {"1e309", "-1e309", "1e999999999999"}) {
    EXPECT_TRUE(contains(refusal([&] { parse_real("x", text); }), "out of range"));
  }
}

TEST(ParseReal, ChecksTheLimits) {
  const RealLimits share{.min = 0, .max = 1, .min_included = false};
  EXPECT_EQ(parse_real("x", "1", share), 1.0);
  for (const char* text : {"0", "1.0001", "-1"}) {
    EXPECT_TRUE(contains(refusal([&] { parse_real("x", text, share); }),
                         "Give a number greater than 0 and at most 1, such as 0.5."));
  }
}

TEST(ParseIntegers, ReadsListsAndRanges) {
  using List = std::vector<int64_t>;
  EXPECT_EQ(parse_integers("n", "3"), (List{3}));
  EXPECT_EQ(parse_integers("n", "1,2,5"), (List{1, 2, 5}));
  EXPECT_EQ(parse_integers("n", "440..443"), (List{440, 441, 442, 443}));
  EXPECT_EQ(parse_integers("n", "0..10..4"), (List{0, 4, 8}));
  EXPECT_EQ(parse_integers("n", "1,5..7,1e3"), (List{1, 5, 6, 7, 1000}));
  EXPECT_EQ(parse_integers("n", "-2..2..2"), (List{-2, 0, 2}));
  EXPECT_EQ(parse_integers("n", "4..4"), (List{4}));
  EXPECT_EQ(parse_integers("n", fmt::format("{}..{}..{}", kMin, kMax, kMax)), (List{kMin, -1, kMax - 1}));
}

TEST(ParseIntegers, RejectsInvalidLists) {
  const auto error = [](const char* text) { return refusal([&] { parse_integers("n", text, {.min = 0}); }); };
  EXPECT_TRUE(contains(error(""), "\"\" is empty"));
  EXPECT_TRUE(contains(error("1,,2"), "\"\" in \"1,,2\" is empty"));
  EXPECT_TRUE(contains(error("1,"), "is empty"));
  EXPECT_TRUE(contains(error("5..3"), "has its end before its start"));
  EXPECT_TRUE(contains(error("1..2..3..4"), "is not a range"));
  EXPECT_TRUE(contains(error("1..9..0"), "the step of 1..9..0: \"0\" is out of range"));
  EXPECT_TRUE(contains(error("1..9..-1"), "\"-1\" is out of range"));
  EXPECT_TRUE(contains(error("-1..9"), "\"-1\" in \"-1..9\" is out of range"));
  EXPECT_TRUE(contains(error("0..1e18"), "has more than 1000000 numbers"));
  EXPECT_TRUE(contains(error("1..x"), "\"x\" in \"1..x\" is not a number"));
  EXPECT_TRUE(contains(error("x"), "such as 8,12 or 8..12"));
}

TEST(ParseReals, ReturnsTheDoublesNearestToTheDecimals) {
  using List = std::vector<double>;
  EXPECT_EQ(parse_reals("x", "0..1..0.1"), (List{0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1}));
  EXPECT_EQ(parse_reals("x", "0.1,0.2"), (List{0.1, 0.2}));
  EXPECT_EQ(parse_reals("x", "-0.5..0.5..0.25,3"), (List{-0.5, -0.25, 0, 0.25, 0.5, 3}));
  EXPECT_EQ(parse_reals("x", "0..1e-2..5e-3"), (List{0, 0.005, 0.01}));
  EXPECT_EQ(parse_reals("x", "0..1..0.4"), (List{0, 0.4, 0.8}));
  EXPECT_EQ(parse_reals("x", "1..1..5"), (List{1}));
}

RC_GTEST_PROP(ParseRealsProperty, EndsAtTheEndOfTheRangeAndIncreases, ()) {
  const int steps = *rc::gen::inRange(1, 500), places = *rc::gen::inRange(0, 20);
  const std::string text = fmt::format("0..{0}e-{1}..1e-{1}", steps, places);
  const std::vector<double> list = parse_reals("x", text);
  RC_ASSERT(list.size() == static_cast<size_t>(steps) + 1);
  RC_ASSERT(list.back() == parse_real("x", fmt::format("{}e-{}", steps, places)));
  for (size_t i = 1; i < list.size(); ++i) {
    RC_ASSERT(list[i - 1] < list[i]);
  }
}

TEST(ParseReals, EndsAtTheEndOfTheRangeBeyondFifteenDecimals) {
  // 217 * 1e-16 in doubles is less than 217e-16.
  EXPECT_EQ(parse_reals("x", "0..217e-16..1e-16").back(), 217e-16);
  EXPECT_EQ(parse_reals("x", "0..217.5e-16..1e-16").back(), 217 * 1e-16);
}

TEST(ParseReals, RejectsInvalidLists) {
  const auto error = [](const char* text) {
    return refusal([&] { parse_reals("--noise", text, {.min = 0, .max = 1}); });
  };
  EXPECT_TRUE(contains(error("0..1"), "\"0..1\" has no step"));
  EXPECT_TRUE(contains(error("0.1,nan"), "--noise: \"nan\" in \"0.1,nan\" is not a number"));
  EXPECT_TRUE(contains(error("0..1..0"), "\"0\" is out of range"));
  EXPECT_TRUE(contains(error("0..2..0.5"), "\"2\" in \"0..2..0.5\" is out of range"));
  EXPECT_TRUE(contains(error("0..1..1e-300"), "has more than 1000000 numbers"));
  EXPECT_TRUE(contains(error("0.5,2"), "of at least 0 and at most 1"));
}

} // namespace
} // namespace mneme::cli
