// SPDX-License-Identifier: MIT

/// MNEME_ASSERT: an invariant of ours that no input can break. On where MNEME_ASSERTS is (tests); costs
/// nothing elsewhere.
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
