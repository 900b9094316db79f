// SPDX-License-Identifier: MIT

#include "kernels/weighted_sum/weighted_sum.h"

#include <algorithm>

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/weighted_sum/weighted_sum.cpp"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

#include "kernels/first_lanes-inl.h"
#include "kernels/lane_product-inl.h"
#include "kernels/scratch.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // other kernels define the same names

// The error of a long sum grows with the tile, not with the whole.
constexpr int64_t kStoredPerTile = kWeightedSumTile;

/// Rows of a tile that have a weight other than 0 for one of `num_queries` queries; weights are `stride`
/// apart.
struct UsedRows {
  int64_t rows[kStoredPerTile];
  int64_t count = 0;

  template <class T> UsedRows(const T* weights, int64_t stride, int64_t num_queries, int64_t num_rows) {
    uint8_t used[kStoredPerTile] = {};
    for (int64_t q = 0; q < num_queries; ++q) {
      for (int64_t r = 0; r < num_rows; ++r) {
        used[r] |= weights[q * stride + r] != 0 ? 1 : 0;
      }
    }
    for (int64_t r = 0; r < num_rows; ++r) {
      rows[count] = r;
      count += used[r];
    }
  }
};

/// Lanes = queries.
template <class T> void ManyQueries(const WeightedSumArgs<T>& args) {
  const int64_t lanes = PanelLanes<T>(), size = args.value_size, stride = args.row_stride();
  const auto weights = take_scratch<T>(kStoredPerTile * lanes);
  const auto sums = take_scratch<T>(HWY_MAX(size, 1) * lanes);
  const auto ones = take_scratch<T>(lanes);
  constexpr int64_t kGatheredMax = kStoredPerTile / 2;
  const auto gathered = take_scratch<T>(HWY_MAX(size, 1) * kGatheredMax);
  const auto gathered_weights = take_scratch<T>(kGatheredMax * lanes);
  for (int64_t lane = 0; lane < lanes; ++lane) {
    ones[static_cast<size_t>(lane)] = T{1};
  }
  for (int64_t q = 0; q < args.num_queries; q += lanes) {
    const int64_t used = HWY_MIN(lanes, args.num_queries - q);
    PackLanes(args.sums + q * stride, stride, used, size, T{1}, sums.get());
    for (int64_t s = 0; s < args.num_stored; s += kStoredPerTile) {
      const T* from = args.weights + q * args.weight_stride + s;
      const T* values = args.values + s * stride;
      int64_t rows = HWY_MIN(kStoredPerTile, args.num_stored - s), row_stride = stride;
      if (const UsedRows some(from, args.weight_stride, used, rows); some.count == 0) {
        continue;
      } else if (some.count <= kGatheredMax) {
        for (int64_t i = 0; i < some.count; ++i) {
          std::copy_n(values + some.rows[i] * stride, size, gathered.get() + i * size);
          for (int64_t lane = 0; lane < used; ++lane) {
            gathered_weights[static_cast<size_t>(lane * kGatheredMax + i)] =
                from[lane * args.weight_stride + some.rows[i]];
          }
        }
        rows = some.count;
        values = gathered.get();
        row_stride = size;
        PackLanes(gathered_weights.get(), kGatheredMax, used, rows, T{1}, weights.get());
      } else {
        PackLanes(from, args.weight_stride, used, rows, T{1}, weights.get());
      }
      LaneProduct<T>(values, {1, row_stride}, weights.get(), ones.get(), sums.get(), size, rows, used);
    }
    UnpackLanes(sums.get(), used, size, args.sums + q * stride, stride);
  }
}

/// Lanes = columns of the values. Every sum is the same chain of additions as above.
template <class T> void OneQuery(const T* weights, const WeightedSumArgs<T>& args, T* sums) {
  const hn::ScalableTag<T> d;
  const auto n = static_cast<int64_t>(hn::Lanes(d));
  const int64_t size = args.value_size, stride = args.row_stride();
  constexpr int64_t kVectors = 4; // 4 cycles latency x 2 FMA ports would want 8; memory is slower still
  for (int64_t s = 0; s < args.num_stored; s += kStoredPerTile) {
    const UsedRows some(weights + s, 0, 1, HWY_MIN(kStoredPerTile, args.num_stored - s));
    if (some.count == 0) {
      continue;
    }
    const T* values = args.values + s * stride;
    int64_t v = 0;
    for (; v + kVectors * n <= size; v += kVectors * n) {
      auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
      for (int64_t i = 0; i < some.count; ++i) {
        const T* row = values + some.rows[i] * stride + v;
        const auto weight = hn::Set(d, weights[s + some.rows[i]]);
        s0 = hn::MulAdd(weight, hn::LoadU(d, row), s0);
        s1 = hn::MulAdd(weight, hn::LoadU(d, row + n), s1);
        s2 = hn::MulAdd(weight, hn::LoadU(d, row + 2 * n), s2);
        s3 = hn::MulAdd(weight, hn::LoadU(d, row + 3 * n), s3);
      }
      hn::StoreU(hn::Add(hn::LoadU(d, sums + v), s0), d, sums + v);
      hn::StoreU(hn::Add(hn::LoadU(d, sums + v + n), s1), d, sums + v + n);
      hn::StoreU(hn::Add(hn::LoadU(d, sums + v + 2 * n), s2), d, sums + v + 2 * n);
      hn::StoreU(hn::Add(hn::LoadU(d, sums + v + 3 * n), s3), d, sums + v + 3 * n);
    }
    for (; v < size; v += n) {
      const int64_t used = HWY_MIN(n, size - v);
      const auto load = [&](const T* from)
                            HWY_ATTR { return used == n ? hn::LoadU(d, from) : LoadFirst(d, from, used); };
      auto sum = hn::Zero(d);
      for (int64_t i = 0; i < some.count; ++i) {
        sum =
            hn::MulAdd(hn::Set(d, weights[s + some.rows[i]]), load(values + some.rows[i] * stride + v), sum);
      }
      const auto total = hn::Add(load(sums + v), sum);
      if (used == n) {
        hn::StoreU(total, d, sums + v);
      } else {
        StoreFirst(total, d, sums + v, used);
      }
    }
  }
}

template <class T> void WeightedSum(const WeightedSumArgs<T>& args) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  if (args.num_queries >= HWY_MAX(lanes / 2, 2)) {
    return ManyQueries(args);
  }
  for (int64_t q = 0; q < args.num_queries; ++q) {
    OneQuery(args.weights + q * args.weight_stride, args, args.sums + q * args.row_stride());
  }
}

MNEME_KERNEL_TYPES(WeightedSum, WeightedSumArgs)

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

MNEME_EXPORT_KERNEL(weighted_sum, WeightedSum, WeightedSumArgs)

} // namespace mneme::kernels
#endif
