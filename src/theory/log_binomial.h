// SPDX-License-Identifier: MIT

/// Logarithms of single binomial coefficients, also of halves.
#pragma once

namespace mneme::theory {

/// Natural logarithm of C(items, chosen) = Gamma(items+1) / (Gamma(chosen+1) Gamma(items-chosen+1)), chosen
/// not necessarily whole; -infinity unless 0 <= chosen <= items. Good to 1e-15 of the largest of the three.
double log_binomial(double items, double chosen);

} // namespace mneme::theory
