// SPDX-License-Identifier: MIT

/// Argument checks of products with int8 matrices.
#pragma once

#include "ops/checks.h"

namespace mneme::ops {

/// x [..., K] and bias [N] (undefined: none) are float32 on the CPU, matrix is an int8 matrix [N, K + 4], and
/// no gradient is required.
void check_int8_product(const Checks& checks, const Checks::Named& x, const Checks::Named& matrix,
                        const Checks::Named& bias);

} // namespace mneme::ops
