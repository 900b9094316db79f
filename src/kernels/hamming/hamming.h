// SPDX-License-Identifier: MIT

/// Hamming distances between every query and every stored pattern.
#pragma once

#include <cstdint>

namespace mneme::kernels {

/// queries [num_queries, words], stored [num_stored, words]: packed bits, row-major, pad bits 0;
/// distances [num_queries, num_stored] in bits. Any size >= 0, no alignment needed; words * 64 < 2^31.
struct HammingArgs {
  const uint64_t* queries;
  const uint64_t* stored;
  int32_t* distances;
  int64_t num_queries, num_stored, words;
};

/// Single-threaded; chooses the CPU target once per call. Equal to the reference bit for bit.
void hamming(const HammingArgs& args);

namespace reference {
void hamming(const HammingArgs& args);
}

} // namespace mneme::kernels
