// SPDX-License-Identifier: MIT

/// Compares what this build computes with what a golden file says, case by case.
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

  /// The file whose cases are checked, for runners that read another one beside it.
  const std::filesystem::path& file() const { return result_.path; }
  /// Where runners that compute with LibTorch do so.
  const std::string& device() const { return device_; }

  /// Calls `body` for every item of a list, each one case: passed if all comparisons made in it hold.
  ///
  /// Errors  DataError, also for arguments in the file that the library refuses; Interrupted
  void each_case(const GoldenValue& cases, const std::function<void(const GoldenValue&)>& body);
  /// The same for a file that is one case.
  void one_case(const GoldenValue& golden_case, const std::function<void(const GoldenValue&)>& body);

  /// Holds if the two differ by at most `allowed`, are the same infinity, or are both not a number.
  void near(const GoldenValue& expected, double actual, double allowed);
  /// The same for a number that stands elsewhere; `where` says so.
  void near(const std::string& where, double expected, double actual, double allowed);
  /// The same with an error allowed in proportion to the expected number.
  void near_relative(const GoldenValue& expected, double actual, double relative);
  void equal(const GoldenValue& expected, int64_t actual);
  void equal(const GoldenValue& expected, const std::string& actual);
  void same_truth(const GoldenValue& expected, bool actual);
  /// The case does not hold, for a reason that is no comparison of two numbers.
  void fails(const std::string& where, const std::string& failure);

  /// How values were compared where the file is inexact; each text is kept once.
  void note(const std::string& text);

private:
  void compared(const std::string& where, double ratio, const std::string& failure);

  FileResult& result_;
  std::string device_;
  bool case_holds_ = true;
};

} // namespace mneme::verify
