// SPDX-License-Identifier: MIT

/// Logarithms of binomial coefficients of real arguments.
#pragma once

namespace mneme::theory {

/// Natural logarithm of C(items, chosen) = Gamma(items+1) / (Gamma(chosen+1) Gamma(items-chosen+1)), also for
/// fractional `chosen`; -infinity unless 0 <= chosen <= items. The error is 1e-15 of the largest of the three
/// terms.
double log_binomial(double items, double chosen);

} // namespace mneme::theory
