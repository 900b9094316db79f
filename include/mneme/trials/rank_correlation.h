// SPDX-License-Identifier: MIT

/// Agreement of two orders of the same items, such as published and measured losses of several models.
#pragma once

#include <span>

namespace mneme::trials {

/// Spearman's rank correlation: the correlation of the ranks, 1 for the same order and -1 for the opposite
/// one. Equal numbers have the mean of their ranks. NaN if all numbers of a side are equal.
///
/// Errors  UsageError if the sides differ in length, have fewer than two items, or contain NaN
double rank_correlation(std::span<const double> a, std::span<const double> b);

} // namespace mneme::trials
