// SPDX-License-Identifier: MIT

#include "verify/recall_cases.h"

#include <fmt/format.h>

namespace mneme::verify {
namespace {

RealPatterns transposed(const RealPatterns& matrix) {
  RealPatterns result(matrix.size(), matrix.count());
  for (int64_t i = 0; i < matrix.count(); ++i) {
    for (int64_t j = 0; j < matrix.size(); ++j) {
      result[j][static_cast<size_t>(i)] = matrix[i][static_cast<size_t>(j)];
    }
  }
  return result;
}

} // namespace

RealPatterns pattern_rows(const GoldenValue& matrix) {
  const auto rows = static_cast<int64_t>(matrix.size());
  const auto columns = static_cast<int64_t>(rows > 0 ? matrix.at(size_t{0}).size() : 0);
  if (rows == 0 || columns == 0) {
    matrix.fail("a list of lists of numbers, not empty");
  }
  RealPatterns patterns(rows, columns);
  for (int64_t i = 0; i < rows; ++i) {
    const GoldenValue row = matrix.at(static_cast<size_t>(i));
    if (row.size() != static_cast<size_t>(columns)) {
      row.fail(fmt::format("a list of {} numbers, as in the first row", columns));
    }
    for (int64_t j = 0; j < columns; ++j) {
      patterns[i][static_cast<size_t>(j)] = row.at(static_cast<size_t>(j)).number();
    }
  }
  return patterns;
}

RealPatterns pattern_columns(const GoldenValue& matrix) {
  return transposed(pattern_rows(matrix));
}

void expect_rows(Checker& checker, const GoldenValue& matrix, const RealPatterns& readout, double allowed) {
  if (const RealPatterns golden = pattern_rows(matrix);
      golden.count() != readout.count() || golden.size() != readout.size()) {
    matrix.fail(
        fmt::format("a matrix of {} by {}, the size of the readout", readout.count(), readout.size()));
  }
  for (int64_t i = 0; i < readout.count(); ++i) {
    for (int64_t j = 0; j < readout.size(); ++j) {
      checker.near(matrix.at(static_cast<size_t>(i)).at(static_cast<size_t>(j)),
                   readout[i][static_cast<size_t>(j)], allowed);
    }
  }
}

void expect_columns(Checker& checker, const GoldenValue& matrix, const RealPatterns& readout,
                    double allowed) {
  expect_rows(checker, matrix, transposed(readout), allowed);
}

} // namespace mneme::verify
