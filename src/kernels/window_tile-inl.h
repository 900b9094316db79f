// SPDX-License-Identifier: MIT

/// Window sums of the tokens of a tile, from left to right (forward pass) or from right to left (backward
/// pass). The sum of a token is the sum over three ranges, so that nothing is ever subtracted
/// (docs/theory/window_scan.md, section 3):
///   prefix: its prefix block (prefix_block_size()) up to the token itself;
///   middle: the whole tiles that the windows of all tokens of the tile contain;
///   far:    the tokens of the window beyond those tiles.
/// Included once per CPU target.

#if defined(MNEME_KERNELS_WINDOW_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MNEME_KERNELS_WINDOW_TILE_INL_H_
#undef MNEME_KERNELS_WINDOW_TILE_INL_H_
#else
#define MNEME_KERNELS_WINDOW_TILE_INL_H_
#endif

#include <cstdint>

#include <hwy/cache_control.h>
#include <hwy/highway.h>
#include <hwy/contrib/math/math-inl.h>

#include "kernels/first_lanes-inl.h"
#include "kernels/window_scan/window_scan_state.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t kTile = kWindowScanTile;

/// Vectors of at most kTile lanes, so that the scalars of a tile fill whole vectors.
template <class T> using TileTag = hn::CappedTag<T, kTile>;

template <class T> HWY_INLINE int64_t TileLanes() {
  return static_cast<int64_t>(hn::Lanes(TileTag<T>()));
}

/// The reference of a sum is raised only for exponents that exceed it by more than this: sums of 10^9 such
/// weights stay finite.
template <class T> constexpr T kFarExponent = sizeof(T) == 4 ? T(60) : T(600);
/// Reference of an empty sum, less than any other.
template <class T> constexpr T kEmptyReference = sizeof(T) == 4 ? T(-1e30) : T(-1e300);

/// exp(x) for x up to a little more than kFarExponent; 0 where the result would be subnormal; NaN stays NaN.
template <class D, class V> HWY_INLINE V ExpOrZero(D d, V x) {
  using T = hn::TFromD<D>;
  const auto lowest = hn::Set(d, sizeof(T) == 4 ? T(-87.3) : T(-708.3));
  return hn::IfThenElse(hn::IsNaN(x), x,
                        hn::IfThenZeroElse(hn::Lt(x, lowest), hn::Exp(d, hn::Max(x, lowest))));
}
template <class T> HWY_INLINE T ExpOrZero(T x) {
  const hn::CappedTag<T, 1> d;
  return hn::GetLane(ExpOrZero(d, hn::Set(d, x)));
}

/// Factor that converts a sum stored relative to exp(reference) to one relative to exp(joint). The references
/// are mostly equal. docs/theory/window_scan.md (14).
template <class T> HWY_INLINE T RescaleFactor(T reference, T joint) {
  return reference == joint ? T(1) : ExpOrZero(reference - joint);
}

/// 1 / (1 + exp(-x)), with full relative precision for either sign.
template <class D, class V> HWY_INLINE V Sigmoid(D d, V x) {
  const auto one = hn::Set(d, hn::TFromD<D>(1));
  const auto e = ExpOrZero(d, hn::Neg(hn::Abs(x)));
  return hn::Div(hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one), hn::Add(one, e));
}

/// Rows in the order of summation; `step` is negative from right to left.
template <class T> struct Rows {
  const T* first;
  int64_t step;
  const T* operator[](int64_t row) const { return first + row * step; }
};

/// Inlined, because GCC removes calls of functions that only prefetch, lambdas included.
template <class T> HWY_INLINE void PrefetchRow(const T* row, int64_t size) {
  constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(T));
  for (int64_t c = 0; c < size; c += kLine) {
    hwy::Prefetch(row + c);
  }
}

/// Prefetches rows that are read one or two steps later. The rows of a head are strided pieces of longer
/// rows, an access pattern that hardware prefetchers do not recognise. Prefetching all inputs at once would
/// exceed the number of cache misses that a CPU can have in flight, so each input is prefetched one or two
/// steps before its own use.
template <class T> HWY_INLINE void PrefetchRows(Rows<T> rows, int64_t count, int64_t size) {
  for (int64_t row = 0; row < count; ++row) {
    PrefetchRow(rows[row], size);
  }
}

/// sums[row] = a[row] . b[row] for `count` rows of a tile, 0 for the others. All rows are reduced together;
/// the order of additions within a row is fixed, so that its sum does not depend on the other rows.
template <class T> HWY_INLINE void RowDots(Rows<T> a, Rows<T> b, int64_t count, int64_t size, T* sums) {
  const TileTag<T> d;
  const int64_t n = TileLanes<T>();
  HWY_ALIGN T partial[(kTile + 1) * kTile];
  for (int64_t row = 0; row < count; ++row) {
    const T *x = a[row], *y = b[row];
    auto s0 = hn::Zero(d), s1 = hn::Zero(d), s2 = hn::Zero(d), s3 = hn::Zero(d);
    int64_t c = 0;
    for (; c + 4 * n <= size; c += 4 * n) {
      s0 = hn::MulAdd(hn::LoadU(d, x + c), hn::LoadU(d, y + c), s0);
      s1 = hn::MulAdd(hn::LoadU(d, x + c + n), hn::LoadU(d, y + c + n), s1);
      s2 = hn::MulAdd(hn::LoadU(d, x + c + 2 * n), hn::LoadU(d, y + c + 2 * n), s2);
      s3 = hn::MulAdd(hn::LoadU(d, x + c + 3 * n), hn::LoadU(d, y + c + 3 * n), s3);
    }
    for (; c + n <= size; c += n) {
      s0 = hn::MulAdd(hn::LoadU(d, x + c), hn::LoadU(d, y + c), s0);
    }
    if (c < size) {
      s1 = hn::MulAdd(LoadFirst(d, x + c, size - c), LoadFirst(d, y + c, size - c), s1);
    }
    hn::Store(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)), d, partial + row * n);
  }
  int64_t vectors = count;
#if HWY_TARGET != HWY_SCALAR // with one lane there is nothing to reduce
  for (int64_t width = n; width > 1; vectors = (vectors + 1) / 2, width /= 2) {
    hn::Store(hn::Zero(d), d, partial + vectors * n); // the last one of an odd number is paired with zeros
    for (int64_t i = 0; 2 * i < vectors; ++i) {
      const auto low = hn::Load(d, partial + 2 * i * n), high = hn::Load(d, partial + (2 * i + 1) * n);
      hn::Store(hn::Add(hn::ConcatEven(d, high, low), hn::ConcatOdd(d, high, low)), d, partial + i * n);
    }
  }
#endif
  for (int64_t i = 0; i < kTile; i += n) {
    hn::Store(i < vectors * n ? hn::Load(d, partial + i) : hn::Zero(d), d, sums + i);
  }
}

/// The rows of a tile that belong to one prefix block.
struct PrefixBlock {
  int64_t first, count;
  int64_t lead; ///< rows of the block before `first`: summed, but without a result of their own
  int64_t far_first, far_count; ///< far rows of the block in the plan, the nearest first
  int64_t num_far_of_first;     ///< far rows in the window of row `first`; one fewer for each row after it
  bool continues;               ///< the prefix sum continues the one that was passed in

  int64_t num_far_at(int64_t row) const { return HWY_MIN(HWY_MAX(num_far_of_first - row, 0), far_count); }
};

/// The rows that are summed for a tile, in order, and their weights.
template <class T> struct TilePlan {
  static constexpr int64_t kMaxFar = 48, kMaxLead = kTile;
  PrefixBlock blocks[kTile];
  int64_t num_blocks = 0, num_far = 0;
  int64_t far_tokens[kMaxFar];

  // First exponents (forward: logits; backward: -references), then weights relative to the reference of their
  // sum.
  HWY_ALIGN T far_weights[kMaxFar];
  HWY_ALIGN T weights_with_lead[kMaxLead + kTile];
  // Factors that rescale a sum before a row is added, and the prefix sum and the rest before they are added
  // up. Used only if is_rescaled.
  HWY_ALIGN T far_factors[kMaxFar];
  HWY_ALIGN T factors_with_lead[kMaxLead + kTile];
  HWY_ALIGN T near_scale[kTile];
  HWY_ALIGN T far_scale[kTile];
  HWY_ALIGN T references[kTile];
  bool is_rescaled;

  T* weights() { return weights_with_lead + kMaxLead; }
  T* factors() { return factors_with_lead + kMaxLead; }
  int64_t lead() const { return blocks[0].lead; } ///< only the first block can begin before the tile
};

/// Left to right: rows [token, token + count) of one tile. `continues`: the sum of an unfinished prefix block
/// is passed in; otherwise the earlier rows of the block are summed again. `has_far`: windows reach beyond
/// the prefix block, which is not the case for joined sequences.
template <class T>
void PlanForward(int64_t window, int64_t token, int64_t count, bool continues, bool has_far,
                 TilePlan<T>& plan) {
  const int64_t block_size = prefix_block_size(window), tile = token / kTile;
  plan.num_blocks = plan.num_far = 0;
  for (int64_t row = 0; row < count;) {
    const int64_t t = token + row;
    const int64_t begin = block_size == kTile ? tile * kTile : t - t % block_size;
    PrefixBlock& block = plan.blocks[plan.num_blocks++];
    block.first = row;
    block.count = HWY_MIN(begin + block_size, token + count) - t;
    block.continues = continues && begin < t;
    block.lead = continues ? 0 : t - begin;
    const int64_t nearest = window >= kTile ? kTile * (tile + 1 - window / kTile) - 1 : begin - 1;
    block.num_far_of_first = nearest - t + window;
    block.far_count = window == 0 || !has_far ? 0 : HWY_MAX(HWY_MIN(block.num_far_of_first, nearest + 1), 0);
    block.far_first = plan.num_far;
    for (int64_t i = 0; i < block.far_count; ++i) {
      plan.far_tokens[plan.num_far++] = nearest - i;
    }
    row += block.count;
  }
}

/// Right to left: row r is token `last` - r. The tokens [last - count + 1, last] are within one tile of a
/// sequence of `length` tokens, and include all tokens of the tile that the sequence has. For `has_far` see
/// PlanForward.
template <class T>
void PlanBackward(int64_t window, int64_t last, int64_t count, int64_t length, bool has_far,
                  TilePlan<T>& plan) {
  const int64_t block_size = prefix_block_size(window), tile = last / kTile;
  plan.num_blocks = plan.num_far = 0;
  for (int64_t row = 0; row < count;) {
    const int64_t t = last - row;
    const int64_t begin = block_size == kTile ? tile * kTile : t - t % block_size;
    PrefixBlock& block = plan.blocks[plan.num_blocks++];
    block.first = row;
    block.count = t - HWY_MAX(begin, last - count + 1) + 1;
    block.continues = false;
    block.lead = HWY_MIN(begin + block_size, length) - 1 - t;
    const int64_t nearest = window >= kTile ? kTile * (tile + window / kTile) : begin + window;
    block.num_far_of_first = t + window - nearest;
    block.far_count =
        window == 0 || !has_far ? 0 : HWY_MAX(HWY_MIN(block.num_far_of_first, length - nearest), 0);
    block.far_first = plan.num_far;
    for (int64_t i = 0; i < block.far_count; ++i) {
      plan.far_tokens[plan.num_far++] = nearest + i;
    }
    row += block.count;
  }
}

/// Makes the exponents of a plan relative to a reference, which is raised only where an exponent is far above
/// it and never depends on later rows (docs/theory/window_scan.md (12)). `empty` is the reference of an empty
/// sum, `middle` that of the whole tiles, `prefix` that of the prefix block, before and after.
template <class T> void PlanReferences(T empty, T middle, T& prefix, TilePlan<T>& plan) {
  bool is_rescaled = false;
  const auto make_relative = [&](T& exponent, T& factor, T& reference) HWY_ATTR {
    const T before = reference;
    if (exponent > reference + kFarExponent<T>) {
      reference = exponent;
    }
    factor = RescaleFactor(before, reference);
    is_rescaled |= before != reference;
    exponent -= reference;
  };
  T far_references[kTile];
  for (int64_t s = 0; s < plan.num_blocks; ++s) {
    const PrefixBlock& block = plan.blocks[s];
    T reference = middle;
    for (int64_t i = block.count - 1, far = 0; i >= 0; --i) {
      for (; far < block.num_far_at(i); ++far) {
        const int64_t at = block.far_first + far;
        make_relative(plan.far_weights[at], plan.far_factors[at], reference);
      }
      far_references[block.first + i] = reference;
    }
    if (!block.continues) {
      prefix = empty;
    }
    for (int64_t row = block.first - block.lead; row < block.first + block.count; ++row) {
      make_relative(plan.weights()[row], plan.factors()[row], prefix);
      if (row >= block.first) {
        const T joint = HWY_MAX(prefix, far_references[row]);
        plan.references[row] = joint;
        plan.near_scale[row] = RescaleFactor(prefix, joint);
        plan.far_scale[row] = RescaleFactor(far_references[row], joint);
        is_rescaled |= prefix != far_references[row];
      }
    }
  }
  plan.is_rescaled = is_rescaled;
}

/// Sets all references of a tile to 0: no rescaling.
template <class T> HWY_INLINE void PlanNoReferences(T& prefix, TilePlan<T>& plan) {
  const TileTag<T> d;
  for (int64_t row = 0; row < kTile; row += TileLanes<T>()) {
    hn::Store(hn::Zero(d), d, plan.references + row);
  }
  prefix = T(0);
  plan.is_rescaled = false;
}

/// Applies `map` to the weights of far rows, and to those of the `count` rows of the tile and its lead.
template <class T, class Map> HWY_INLINE void MapWeights(TilePlan<T>& plan, int64_t count, Map map) {
  const TileTag<T> d;
  const int64_t n = TileLanes<T>();
  for (int64_t i = 0; i < plan.num_far; i += n) {
    hn::Store(map(hn::Load(d, plan.far_weights + i)), d, plan.far_weights + i);
  }
  for (int64_t row = plan.lead() > 0 ? -plan.kMaxLead : 0; row < count; row += n) {
    hn::Store(map(hn::Load(d, plan.weights() + row)), d, plan.weights() + row);
  }
}

/// Weights of the rows of one sum: those of the plan (forward), or those times a coefficient per token
/// (backward).
template <class T> struct Weights {
  const T* far;
  const T* near; ///< weights of the tile; those of the lead are before it
};

/// Window sums of the columns [c, c + kVectors * Lanes) of rows. For the arguments see SumRows.
template <bool kRescaled, int kVectors, bool kWhole, class T>
HWY_INLINE void SumColumns(TilePlan<T>& plan, Weights<T> weights, const T* const* far_rows, Rows<T> rows,
                           int64_t size, const T* middle, T* prefix, T* totals, int64_t c) {
  const TileTag<T> d;
  const int64_t n = TileLanes<T>(), stride = round_up_to_tile(size);
  const auto load = [&](const T* from, int64_t vector) HWY_ATTR {
    if constexpr (kWhole) {
      return hn::LoadU(d, from + c + vector * n);
    } else {
      return LoadFirst(d, from + c, size - c);
    }
  };
  const auto add = [&](const T* row, T weight, T factor, auto& s0, auto& s1, auto& s2, auto& s3) HWY_ATTR {
    const auto w = hn::Set(d, weight), f = hn::Set(d, factor);
    s0 = hn::MulAdd(w, load(row, 0), kRescaled ? hn::Mul(s0, f) : s0);
    if constexpr (kVectors > 1) {
      s1 = hn::MulAdd(w, load(row, 1), kRescaled ? hn::Mul(s1, f) : s1);
      s2 = hn::MulAdd(w, load(row, 2), kRescaled ? hn::Mul(s2, f) : s2);
      s3 = hn::MulAdd(w, load(row, 3), kRescaled ? hn::Mul(s3, f) : s3);
    }
  };
  const auto from_sum = [&](const T* sum, int64_t vector) HWY_ATTR {
    return vector < kVectors ? hn::LoadU(d, sum + c + vector * n) : hn::Zero(d);
  };
  for (int64_t s = 0; s < plan.num_blocks; ++s) {
    const PrefixBlock& block = plan.blocks[s];
    auto s0 = from_sum(middle, 0), s1 = from_sum(middle, 1), s2 = from_sum(middle, 2),
         s3 = from_sum(middle, 3);
    for (int64_t i = block.count - 1, far = 0; i >= 0; --i) {
      for (; far < block.num_far_at(i); ++far) {
        const int64_t at = block.far_first + far;
        add(far_rows[at], weights.far[at], plan.far_factors[at], s0, s1, s2, s3);
      }
      T* total = totals + (block.first + i) * stride + c;
      hn::Store(s0, d, total);
      if constexpr (kVectors > 1) {
        hn::Store(s1, d, total + n);
        hn::Store(s2, d, total + 2 * n);
        hn::Store(s3, d, total + 3 * n);
      }
    }
    if (block.continues) {
      s0 = from_sum(prefix, 0), s1 = from_sum(prefix, 1), s2 = from_sum(prefix, 2), s3 = from_sum(prefix, 3);
    } else {
      s0 = s1 = s2 = s3 = hn::Zero(d);
    }
    for (int64_t row = block.first - block.lead; row < block.first + block.count; ++row) {
      add(rows[row], weights.near[row], plan.factors()[row], s0, s1, s2, s3);
      if (row < block.first) {
        continue;
      }
      T* total = totals + row * stride + c;
      const auto join = [&](auto near, int64_t vector) HWY_ATTR {
        const auto far = hn::Load(d, total + vector * n);
        hn::Store(kRescaled ? hn::MulAdd(far, hn::Set(d, plan.far_scale[row]),
                                         hn::Mul(near, hn::Set(d, plan.near_scale[row])))
                            : hn::Add(near, far),
                  d, total + vector * n);
      };
      join(s0, 0);
      if constexpr (kVectors > 1) {
        join(s1, 1), join(s2, 2), join(s3, 3);
      }
    }
    hn::StoreU(s0, d, prefix + c);
    if constexpr (kVectors > 1) {
      hn::StoreU(s1, d, prefix + c + n);
      hn::StoreU(s2, d, prefix + c + 2 * n);
      hn::StoreU(s3, d, prefix + c + 3 * n);
    }
  }
}

template <bool kRescaled, class T>
HWY_INLINE void SumAllColumns(TilePlan<T>& plan, Weights<T> weights, const T* const* far_rows, Rows<T> rows,
                              int64_t size, const T* middle, T* prefix, T* totals) {
  const int64_t n = TileLanes<T>();
  int64_t c = 0;
  for (; c + 4 * n <= size; c += 4 * n) {
    SumColumns<kRescaled, 4, true>(plan, weights, far_rows, rows, size, middle, prefix, totals, c);
  }
  for (; c + n <= size; c += n) {
    SumColumns<kRescaled, 1, true>(plan, weights, far_rows, rows, size, middle, prefix, totals, c);
  }
  if (c < size) {
    SumColumns<kRescaled, 1, false>(plan, weights, far_rows, rows, size, middle, prefix, totals, c);
  }
}

/// totals [kTile, round_up_to_tile(size)] = window sums of weighted rows, relative to plan.references: for
/// each row, prefix + middle + far rows. `prefix` is the sum of the unfinished prefix block, before and
/// after; `middle` that of the whole tiles. docs/theory/window_scan.md (8).
template <class T>
void SumRows(TilePlan<T>& plan, Weights<T> weights, const T* const* far_rows, Rows<T> rows, int64_t size,
             const T* middle, T* prefix, T* totals) {
  if (plan.is_rescaled) {
    SumAllColumns<true>(plan, weights, far_rows, rows, size, middle, prefix, totals);
  } else {
    SumAllColumns<false>(plan, weights, far_rows, rows, size, middle, prefix, totals);
  }
}

/// Sums of the columns [c, c + kVectors * Lanes) of all rows. For the arguments see SumTileRows.
template <int kVectors, bool kWhole, class T>
HWY_INLINE void SumTileColumns(const TilePlan<T>& plan, const T* weights, Rows<T> rows, int64_t count,
                               int64_t size, T* prefix, int64_t c) {
  const TileTag<T> d;
  const int64_t n = TileLanes<T>();
  const T* factors = plan.factors_with_lead + plan.kMaxLead;
  auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
  for (int64_t row = 0; row < count; ++row) {
    const auto w = hn::Set(d, weights[row]), f = hn::Set(d, plan.is_rescaled ? factors[row] : T(1));
    const T* x = rows[row] + c;
    s0 = hn::MulAdd(w, kWhole ? hn::LoadU(d, x) : LoadFirst(d, x, size - c), hn::Mul(s0, f));
    if constexpr (kVectors > 1) {
      s1 = hn::MulAdd(w, hn::LoadU(d, x + n), hn::Mul(s1, f));
      s2 = hn::MulAdd(w, hn::LoadU(d, x + 2 * n), hn::Mul(s2, f));
      s3 = hn::MulAdd(w, hn::LoadU(d, x + 3 * n), hn::Mul(s3, f));
    }
  }
  hn::StoreU(s0, d, prefix + c);
  if constexpr (kVectors > 1) {
    hn::StoreU(s1, d, prefix + c + n);
    hn::StoreU(s2, d, prefix + c + 2 * n);
    hn::StoreU(s3, d, prefix + c + 3 * n);
  }
}

/// Computes only `prefix`, for a plan of one block that begins with the tile: the same bits as SumRows,
/// without the sums of its tokens.
template <class T>
void SumTileRows(const TilePlan<T>& plan, const T* weights, Rows<T> rows, int64_t count, int64_t size,
                 T* prefix) {
  const int64_t n = TileLanes<T>();
  int64_t c = 0;
  for (; c + 4 * n <= size; c += 4 * n) {
    SumTileColumns<4, true>(plan, weights, rows, count, size, prefix, c);
  }
  for (; c + n <= size; c += n) {
    SumTileColumns<1, true>(plan, weights, rows, count, size, prefix, c);
  }
  if (c < size) {
    SumTileColumns<1, false>(plan, weights, rows, count, size, prefix, c);
  }
}

/// SumRows for the weights themselves: totals [kTile].
template <class T>
void SumWeights(const TilePlan<T>& plan, Weights<T> weights, T middle, T& prefix, T* totals) {
  const T* factors = plan.factors_with_lead + plan.kMaxLead;
  for (int64_t s = 0; s < plan.num_blocks; ++s) {
    const PrefixBlock& block = plan.blocks[s];
    T sum = middle;
    for (int64_t i = block.count - 1, far = 0; i >= 0; --i) {
      for (; far < block.num_far_at(i); ++far) {
        const int64_t at = block.far_first + far;
        sum = weights.far[at] + (plan.is_rescaled ? sum * plan.far_factors[at] : sum);
      }
      totals[block.first + i] = sum;
    }
    sum = block.continues ? prefix : T(0);
    for (int64_t row = block.first - block.lead; row < block.first + block.count; ++row) {
      sum = weights.near[row] + (plan.is_rescaled ? sum * factors[row] : sum);
      if (row >= block.first) {
        totals[row] = plan.is_rescaled ? sum * plan.near_scale[row] + totals[row] * plan.far_scale[row]
                                       : sum + totals[row];
      }
    }
    prefix = sum;
  }
}

/// to = a + b, where all are sums with SumLayout and may have different references; `to` may be a or b.
/// docs/theory/window_scan.md (14).
template <class T> void AddSums(const SumLayout& layout, const T* a, const T* b, T* to) {
  const TileTag<T> d;
  const T reference_a = a[layout.reference], reference_b = b[layout.reference];
  const T reference = HWY_MAX(reference_a, reference_b);
  const auto share_a = hn::Set(d, RescaleFactor(reference_a, reference));
  const auto share_b = hn::Set(d, RescaleFactor(reference_b, reference));
  for (int64_t c = 0; c < layout.size; c += TileLanes<T>()) {
    hn::StoreU(hn::MulAdd(hn::LoadU(d, b + c), share_b, hn::Mul(hn::LoadU(d, a + c), share_a)), d, to + c);
  }
  to[layout.reference] = reference;
}

/// Compensated addition: sum + error += b, where `error` is the rounding error of `sum` so far. The error of
/// the result does not grow with the length of the sequence. docs/theory/window_scan.md (11).
template <class T> void AddCompensated(const SumLayout& layout, const T* b, T* sum, T* error) {
  const TileTag<T> d;
  const T before = sum[layout.reference];
  const T reference = HWY_MAX(before, b[layout.reference]);
  const auto share = hn::Set(d, RescaleFactor(before, reference));
  const auto share_b = hn::Set(d, RescaleFactor(b[layout.reference], reference));
  for (int64_t c = 0; c < layout.size; c += TileLanes<T>()) {
    const auto x = hn::Mul(hn::LoadU(d, sum + c), share), y = hn::Mul(hn::LoadU(d, b + c), share_b);
    const auto s = hn::Add(x, y), of_y = hn::Sub(s, x);
    const auto lost = hn::Add(hn::Sub(x, hn::Sub(s, of_y)), hn::Sub(y, of_y));
    const auto e = hn::Add(hn::Mul(hn::LoadU(d, error + c), share), lost);
    const auto rounded = hn::Add(s, e);
    hn::StoreU(rounded, d, sum + c);
    hn::StoreU(hn::Sub(e, hn::Sub(rounded, s)), d, error + c);
  }
  sum[layout.reference] = reference;
  error[layout.reference] = T(0);
}

template <class T> HWY_INLINE void ClearSum(const SumLayout& layout, T reference, T* sum) {
  for (int64_t c = 0; c < layout.size; ++c) {
    sum[c] = T(0);
  }
  sum[layout.reference] = reference;
}

/// Adds the sum of `tile` to the ring buffers of TileSums. Tiles must be pushed one after the other, in
/// either direction.
template <class T>
void PushTile(const SumLayout& layout, const TileSums& sums, int64_t tile, bool forward, const T* sum,
              T* tile_sums) {
  if (sums.levels == 0) {
    return;
  }
  T* to = tile_sums + sums.at(0, tile) * layout.size;
  for (int64_t c = 0; c < layout.size; ++c) {
    to[c] = sum[c];
  }
  int64_t i = tile; // A pair is complete with its second tile in that direction.
  for (int level = 1; level < sums.levels && (i & 1) == (forward ? 1 : 0); ++level, i /= 2) {
    AddSums(layout, tile_sums + sums.at(level - 1, i & ~int64_t{1}) * layout.size,
            tile_sums + sums.at(level - 1, i | 1) * layout.size,
            tile_sums + sums.at(level, i / 2) * layout.size);
  }
}

/// to = sum of the tiles [begin, end), all of which must have been pushed and be within reach. `empty` is the
/// reference of an empty sum. docs/theory/window_scan.md (10).
template <class T>
void SumTiles(const SumLayout& layout, const TileSums& sums, int64_t begin, int64_t end, T empty,
              const T* tile_sums, T* to) {
  ClearSum(layout, empty, to);
  while (begin < end) {
    int level = 0;
    while (level + 1 < sums.levels && (begin >> level & 1) == 0 && begin + (int64_t{2} << level) <= end) {
      ++level;
    }
    AddSums(layout, to, tile_sums + sums.at(level, begin >> level) * layout.size, to);
    begin += int64_t{1} << level;
  }
}

/// to[c] = factor * row[c]. kStream: non-temporal stores, which need whole, aligned vectors.
template <bool kStream, class T> HWY_INLINE void StoreScaled(const T* row, T factor, int64_t size, T* to) {
  const TileTag<T> d;
  const int64_t n = TileLanes<T>();
  const auto f = hn::Set(d, factor);
  int64_t c = 0;
  for (; c + n <= size; c += n) {
    const auto x = hn::Mul(f, hn::Load(d, row + c));
    if constexpr (kStream) {
      hn::Stream(x, d, to + c);
    } else {
      hn::StoreU(x, d, to + c);
    }
  }
  if (c < size) {
    StoreFirst(hn::Mul(f, hn::Load(d, row + c)), d, to + c, size - c);
  }
}

/// Whether to use non-temporal stores for results of `items` in total: in the caches they would only evict
/// inputs that are still to be read.
template <class T>
HWY_INLINE bool UsesStreamingStores(const T* to, int64_t stride, int64_t size, int64_t items) {
  constexpr int64_t kFromBytes = 4 << 20;
  const int64_t n = TileLanes<T>(), bytes = static_cast<int64_t>(sizeof(T));
  return items * bytes >= kFromBytes && size % n == 0 && stride % n == 0 &&
         reinterpret_cast<uintptr_t>(to) % static_cast<uintptr_t>(n * bytes) == 0;
}

} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
