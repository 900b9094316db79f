// SPDX-License-Identifier: MIT

/// Arithmetic of a computation.
#pragma once

namespace mneme {

enum class Precision { float64, float32 };

} // namespace mneme
