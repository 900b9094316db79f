// SPDX-License-Identifier: MIT

/// Floating-point type of a computation.
#pragma once

namespace mneme {

enum class Precision { float64, float32 };

} // namespace mneme
