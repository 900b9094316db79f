// SPDX-License-Identifier: MIT

/// MNEME_ASSERT: check of an internal invariant that no input can break. Compiled in with the CMake option
/// MNEME_ASSERTS (tests); without it, it has no cost.
#pragma once

namespace mneme::detail {
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);
}

#ifdef MNEME_ASSERTS_ON
#define MNEME_ASSERT(condition)                                                                              \
  ((condition) ? static_cast<void>(0) : ::mneme::detail::assertion_failed(#condition, __FILE__, __LINE__))
#else
#define MNEME_ASSERT(condition) static_cast<void>(0)
#endif
