// SPDX-License-Identifier: MIT

/// Patterns of golden recall files, and comparison of readouts with them.
#pragma once

#include "mneme/core/patterns.h"
#include "verify/checker.h"
#include "verify/golden_value.h"

namespace mneme::verify {

/// Patterns of a matrix [dimension][pattern], where each pattern is a column.
RealPatterns pattern_columns(const GoldenValue& matrix);
/// Patterns of a matrix [pattern][dimension].
RealPatterns pattern_rows(const GoldenValue& matrix);

/// Compare a readout with a golden matrix in the layout of pattern_columns or pattern_rows; `allowed` is the
/// absolute error (0 for bits).
void expect_columns(Checker& checker, const GoldenValue& matrix, const RealPatterns& readout, double allowed);
void expect_rows(Checker& checker, const GoldenValue& matrix, const RealPatterns& readout, double allowed);

} // namespace mneme::verify
