// SPDX-License-Identifier: MIT

/// Compares results of this build with the values of a golden file, case by case.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "verify/golden_value.h"
#include "verify/verify.h"

namespace mneme::verify {

class Checker {
public:
  explicit Checker(FileResult& result, std::string device = "cpu")
      : result_(result), device_(std::move(device)) {}

  /// The golden file being checked, for runners that read a second file next to it.
  const std::filesystem::path& file() const { return result_.path; }
  /// Device for runners that compute with LibTorch.
  const std::string& device() const { return device_; }

  /// Calls `body` for every item of a list. Each item is one case, which passes if all comparisons made in it
  /// hold.
  ///
  /// Errors  DataError, also for arguments in the file that are invalid for the library; Interrupted
  void each_case(const GoldenValue& cases, const std::function<void(const GoldenValue&)>& body);
  /// Calls `body` once, for a file that is a single case.
  void one_case(const GoldenValue& golden_case, const std::function<void(const GoldenValue&)>& body);

  /// Holds if the values differ by at most `allowed`, are the same infinity, or are both NaN.
  void near(const GoldenValue& expected, double actual, double allowed);
  /// Likewise for an expected number that is not in the golden file itself; `where` names its source.
  void near(const std::string& where, double expected, double actual, double allowed);
  /// Likewise with an error of at most `relative` * |expected|.
  void near_relative(const GoldenValue& expected, double actual, double relative);
  void equal(const GoldenValue& expected, int64_t actual);
  void equal(const GoldenValue& expected, const std::string& actual);
  void equal_boolean(const GoldenValue& expected, bool actual);
  /// Fails the case for a reason other than a comparison of two values.
  void fail(const std::string& where, const std::string& failure);

  /// Adds a note on how inexact values of the file were compared; duplicates are dropped.
  void note(const std::string& text);

private:
  void record(const std::string& where, double ratio, const std::string& failure);

  FileResult& result_;
  std::string device_;
  bool case_holds_ = true;
};

} // namespace mneme::verify
