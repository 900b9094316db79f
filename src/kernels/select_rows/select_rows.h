// SPDX-License-Identifier: MIT

/// Selection of rows by their distance to a query.
#pragma once

#include <cstdint>

namespace mneme::kernels {

/// distances [num_rows]; rows and row_distances [num_rows], of which only the selected part is meaningful
/// afterwards. Any size >= 0, no alignment needed.
struct SelectRowsArgs {
  const int32_t* distances;
  int32_t* rows;          ///< first_row + index of every distance <= limit, ascending
  int32_t* row_distances; ///< their distances
  int64_t num_rows;
  int32_t limit, first_row;
};

/// Single-threaded. Returns the number of selected rows.
int64_t select_rows(const SelectRowsArgs& args);
/// The smallest of `num_rows` distances; the largest int32_t if there is none.
int32_t min_distance(const int32_t* distances, int64_t num_rows);

namespace reference {
int64_t select_rows(const SelectRowsArgs& args);
int32_t min_distance(const int32_t* distances, int64_t num_rows);
} // namespace reference

} // namespace mneme::kernels
