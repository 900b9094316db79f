// SPDX-License-Identifier: MIT

/// Parameters of a sparse distributed memory in theoretical formulas.
#pragma once

#include <cstdint>

namespace mneme::theory {

/// Hard locations and patterns are random addresses. Every function with these parameters checks them.
///
/// Units   bits n and hamming_radius d in bits; hard_locations r and patterns m are counts, as doubles
///         because they may be as large as 2^64 or 1e20
/// Errors  UsageError unless 1 <= bits <= 10 000 000, 0 <= hamming_radius <= bits, 1 <= hard_locations <=
///         1e100 and 1 <= patterns <= 1e100
struct SdmParameters {
  int64_t bits = 0;
  double hard_locations = 0;
  int64_t hamming_radius = 0;
  double patterns = 1;
};

} // namespace mneme::theory
