// SPDX-License-Identifier: MIT

#include "kernels/select_rows/select_rows.h"

#include <limits>

#include "mneme/core/cpu.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/select_rows/select_rows.cpp"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // every kernel has its own names
namespace hn = hwy::HWY_NAMESPACE;

const hn::ScalableTag<int32_t> d32;

int64_t SelectRows(const SelectRowsArgs& args) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d32));
  const auto limit = hn::Set(d32, args.limit);
  int64_t selected = 0, i = 0;
  const auto select = [&](int64_t at) HWY_ATTR {
    const auto distances = hn::LoadU(d32, args.distances + at);
    const auto near = hn::Not(hn::Gt(distances, limit));
    // A store writes a whole vector, at most up to the end of what was read.
    hn::CompressStore(hn::Iota(d32, args.first_row + static_cast<int32_t>(at)), near, d32,
                      args.rows + selected);
    selected += static_cast<int64_t>(hn::CompressStore(distances, near, d32, args.row_distances + selected));
  };
  for (; i + 4 * lanes <= args.num_rows; i += 4 * lanes) { // four at once: mostly there is none
    const auto min01 =
        hn::Min(hn::LoadU(d32, args.distances + i), hn::LoadU(d32, args.distances + i + lanes));
    const auto min23 = hn::Min(hn::LoadU(d32, args.distances + i + 2 * lanes),
                               hn::LoadU(d32, args.distances + i + 3 * lanes));
    if (!hn::AllTrue(d32, hn::Gt(hn::Min(min01, min23), limit))) {
      select(i), select(i + lanes), select(i + 2 * lanes), select(i + 3 * lanes);
    }
  }
  const SelectRowsArgs rest{.distances = args.distances + i,
                            .rows = args.rows + selected,
                            .row_distances = args.row_distances + selected,
                            .num_rows = args.num_rows - i,
                            .limit = args.limit,
                            .first_row = args.first_row + static_cast<int32_t>(i)};
  return selected + reference::select_rows(rest);
}

int32_t MinDistance(const int32_t* distances, int64_t num_rows) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d32));
  auto min0 = hn::Set(d32, std::numeric_limits<int32_t>::max()), min1 = min0;
  int64_t i = 0;
  for (; i + 2 * lanes <= num_rows; i += 2 * lanes) {
    min0 = hn::Min(min0, hn::LoadU(d32, distances + i));
    min1 = hn::Min(min1, hn::LoadU(d32, distances + i + lanes));
  }
  const int32_t min = hn::GetLane(hn::MinOfLanes(d32, hn::Min(min0, min1)));
  return HWY_MIN(min, reference::min_distance(distances + i, num_rows - i));
}

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

HWY_EXPORT(SelectRows);
HWY_EXPORT(MinDistance);

int64_t select_rows(const SelectRowsArgs& args) {
  return use_reference_kernels() ? reference::select_rows(args) : HWY_DYNAMIC_DISPATCH(SelectRows)(args);
}
int32_t min_distance(const int32_t* distances, int64_t num_rows) {
  return use_reference_kernels() ? reference::min_distance(distances, num_rows)
                                 : HWY_DYNAMIC_DISPATCH(MinDistance)(distances, num_rows);
}

} // namespace mneme::kernels
#endif
