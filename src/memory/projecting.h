// SPDX-License-Identifier: MIT

/// Projection for blocks of queries, the private interface that memories use.
#pragma once

#include <span>

#include "mneme/memory/projection.h"

namespace mneme {

/// Errors  UsageError if the projection does not support this kind of pattern
void require_projection(const Projection& projection, const BitPatterns&);
void require_projection(const Projection& projection, const RealPatterns&);

/// sums [num_queries, value_size] += weights [num_queries, num_stored] . values [num_stored, value_size];
/// T = float or double.
template <class T>
void add_weighted(const T* weights, int64_t num_queries, const T* values, int64_t num_stored,
                  int64_t value_size, T* sums);
/// Accumulates weighted sums of binary values, with bits as -1 and +1.
template <class T>
void add_weighted(const T* weights, int64_t num_queries, const BitPatterns& values, T* sums);

/// Converts the weighted sums of one query into its readout.
void read_out(std::span<double> sums, const Projection& projection, std::span<uint64_t> readout);
void read_out(std::span<double> sums, const Projection& projection, std::span<double> readout);

} // namespace mneme
