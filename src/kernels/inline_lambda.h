// SPDX-License-Identifier: MIT

/// Lambdas in inner loops.
#pragma once

#include <hwy/base.h>

/// Follows the parameters of a lambda that takes, or captures, vectors and is called several times: compilers
/// would else make a function of it, and each call would store and load the vectors that are in registers.
#define MNEME_INLINE_LAMBDA HWY_ATTR __attribute__((always_inline))
