// SPDX-License-Identifier: MIT

/// Projections on blocks of queries, as the memories use them.
#pragma once

#include <span>

#include "mneme/memory/projection.h"

namespace mneme {

/// Errors  UsageError if this kind of pattern cannot be read out in this way
void require_projection(const Projection& projection, const BitPatterns&);
void require_projection(const Projection& projection, const RealPatterns&);

/// sums [num_queries, value_size] += weights [num_queries, num_stored] . values [num_stored, value_size];
/// single-threaded, T = float or double.
template <class T>
void add_weighted(const T* weights, int64_t num_queries, const T* values, int64_t num_stored,
                  int64_t value_size, T* sums);
/// The same for bits as -1 and +1.
template <class T>
void add_weighted(const T* weights, int64_t num_queries, const BitPatterns& values, T* sums);

/// The readout of one query from its weighted sums.
void read_out(std::span<double> sums, const Projection& projection, std::span<uint64_t> readout);
void read_out(std::span<double> sums, const Projection& projection, std::span<double> readout);

} // namespace mneme
