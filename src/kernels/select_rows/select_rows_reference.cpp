// SPDX-License-Identifier: MIT

#include "kernels/select_rows/select_rows.h"

#include <algorithm>
#include <limits>

namespace mneme::kernels::reference {

int64_t select_rows(const SelectRowsArgs& args) {
  int64_t selected = 0;
  for (int64_t i = 0; i < args.num_rows; ++i) {
    if (args.distances[i] <= args.limit) {
      args.rows[selected] = args.first_row + static_cast<int32_t>(i);
      args.row_distances[selected] = args.distances[i];
      ++selected;
    }
  }
  return selected;
}

int32_t min_distance(const int32_t* distances, int64_t num_rows) {
  int32_t min = std::numeric_limits<int32_t>::max();
  for (int64_t i = 0; i < num_rows; ++i) {
    min = std::min(min, distances[i]);
  }
  return min;
}

} // namespace mneme::kernels::reference
