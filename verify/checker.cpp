// SPDX-License-Identifier: MIT

#include "verify/checker.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"

namespace mneme::verify {
namespace {
constexpr size_t kMessagesMax = 5;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
} // namespace

void Checker::each_case(const GoldenValue& cases, const std::function<void(const GoldenValue&)>& body) {
  for (size_t i = 0; i < cases.size(); ++i) {
    one_case(cases.at(i), body);
  }
}

void Checker::one_case(const GoldenValue& golden_case, const std::function<void(const GoldenValue&)>& body) {
  throw_if_interrupted();
  case_holds_ = true;
  try {
    body(golden_case);
  } catch (const UsageError& error) {
    throw DataError(
        fmt::format("{}: {}", golden_case.path().empty() ? "/" : golden_case.path(), error.what()));
  }
  ++(case_holds_ ? result_.cases_passed : result_.cases_failed);
}

void Checker::record(const std::string& where, double ratio, const std::string& failure) {
  if (ratio > result_.worst_ratio) {
    result_.worst_ratio = ratio;
    result_.worst_where = where;
  }
  if (ratio > 1) {
    case_holds_ = false;
    if (result_.messages.size() < kMessagesMax) {
      result_.messages.push_back(failure);
    }
  }
}

void Checker::near(const GoldenValue& expected, double actual, double allowed) {
  near(expected.path(), expected.number(), actual, allowed);
}

void Checker::near(const std::string& where, double expected, double actual, double allowed) {
  const double error = std::abs(actual - expected);
  double ratio = kInfinity;
  if (actual == expected || (std::isnan(actual) && std::isnan(expected))) {
    ratio = 0;
  } else if (std::isfinite(error) && allowed > 0) {
    ratio = error / allowed;
  }
  record(where, ratio,
         ratio > 1
             ? fmt::format(
                   "{}: this build computes {}, the file has {}; they differ by {:.3g}, allowed is {:.3g}",
                   where, actual, expected, error, allowed)
             : "");
}

void Checker::near_relative(const GoldenValue& expected, double actual, double relative) {
  near(expected, actual, relative * std::abs(expected.number()));
}

void Checker::equal(const GoldenValue& expected, int64_t actual) {
  const int64_t expected_value = expected.integer();
  record(expected.path(), actual == expected_value ? 0 : kInfinity,
         fmt::format("{}: this build computes {}, the file has {}; they must be equal", expected.path(),
                     actual, expected_value));
}

void Checker::equal(const GoldenValue& expected, const std::string& actual) {
  const std::string expected_value = expected.text();
  record(expected.path(), actual == expected_value ? 0 : kInfinity,
         fmt::format("{}: this build computes {}, the file has {}; they must be equal", expected.path(),
                     summary(actual), summary(expected_value)));
}

void Checker::equal_boolean(const GoldenValue& expected, bool actual) {
  record(expected.path(), actual == expected.boolean() ? 0 : kInfinity,
         fmt::format("{}: this build computes {}, the file has {}; they must be equal", expected.path(),
                     actual, expected.boolean()));
}

void Checker::fail(const std::string& where, const std::string& failure) {
  record(where, kInfinity, fmt::format("{}: {}", where, failure));
}

void Checker::note(const std::string& text) {
  if (std::find(result_.notes.begin(), result_.notes.end(), text) == result_.notes.end()) {
    result_.notes.push_back(text);
  }
}

} // namespace mneme::verify
