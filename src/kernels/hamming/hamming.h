// SPDX-License-Identifier: MIT

/// Hamming distances between every query and every stored pattern.
#pragma once

#include <cstdint>

namespace mneme::kernels {

/// Row-major matrices: queries [num_queries, words] and stored [num_stored, words] of packed bits with pad
/// bits 0, distances [num_queries, num_stored] in bits. Any size >= 0, no alignment needed;
/// words * 64 < 2^31.
struct HammingArgs {
  const uint64_t* queries;
  const uint64_t* stored;
  int32_t* distances;
  int64_t num_queries, num_stored, words;
};

/// Single-threaded; selects the CPU target once per call. Bitwise identical to the reference.
void hamming(const HammingArgs& args);

namespace reference {
void hamming(const HammingArgs& args);
}

} // namespace mneme::kernels
