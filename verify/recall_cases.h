// SPDX-License-Identifier: MIT

/// Patterns in golden recall files, and how readouts are compared with them.
#pragma once

#include "mneme/core/patterns.h"
#include "verify/checker.h"
#include "verify/golden_value.h"

namespace mneme::verify {

/// A matrix [dimension][pattern]: every vector is a column.
RealPatterns pattern_columns(const GoldenValue& matrix);
/// A matrix [pattern][dimension].
RealPatterns pattern_rows(const GoldenValue& matrix);

/// Both have the layout of the golden matrix; bits must be equal, numbers within `allowed`.
void expect_columns(Checker& checker, const GoldenValue& matrix, const RealPatterns& readout, double allowed);
void expect_rows(Checker& checker, const GoldenValue& matrix, const RealPatterns& readout, double allowed);

} // namespace mneme::verify
