// SPDX-License-Identifier: MIT

/// Whether numbers are finite.
#pragma once

#include <span>

namespace mneme {

/// Whether no number is NaN or infinite; true for no numbers. Single-threaded.
bool all_finite(std::span<const float> numbers);
bool all_finite(std::span<const double> numbers);

} // namespace mneme
