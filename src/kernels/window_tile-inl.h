// SPDX-License-Identifier: MIT

/// Window sums of a tile of tokens, the same from left to right (LEAP) and from right to left (its way back):
/// sum of a token = [tokens of its block up to it] + [whole tiles that the tile has in common] + [tokens beyond them].
/// Nothing is ever subtracted. Included once per CPU target.

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

/// Vectors of at most a tile, so that the results of a tile are whole vectors.
template <class T> using TileTag = hn::CappedTag<T, kTile>;

template <class T> HWY_INLINE int64_t TileLanes() {
  return static_cast<int64_t>(hn::Lanes(TileTag<T>()));
}

/// Exponents up to this one leave the reference of a sum alone: sums of 10^9 such weights stay finite.
template <class T> constexpr T kFarExponent = sizeof(T) == 4 ? T(60) : T(600);
/// The reference of a sum of nothing: any other is larger.
template <class T> constexpr T kNoReference = sizeof(T) == 4 ? T(-1e30) : T(-1e300);

/// exp(x) for x up to kFarExponent and a little more; 0 where that is no normal number; NaN stays NaN.
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

/// What a sum relative to exp(reference) is multiplied with to be relative to exp(joint); references are mostly equal.
template <class T> HWY_INLINE T ShareOf(T reference, T joint) {
  return reference == joint ? T(1) : ExpOrZero(reference - joint);
}

/// 1 / (1 + exp(-x)), good to the last digits on both sides.
template <class D, class V> HWY_INLINE V Sigmoid(D d, V x) {
  const auto one = hn::Set(d, hn::TFromD<D>(1));
  const auto e = ExpOrZero(d, hn::Neg(hn::Abs(x)));
  return hn::Div(hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one), hn::Add(one, e));
}

/// Rows in the order they are summed; `step` is negative from right to left.
template <class T> struct Rows {
  const T* first;
  int64_t step;
  const T* operator[](int64_t row) const { return first + row * step; }
};

/// Inlined: a compiler may leave out calls of functions that do nothing else (GCC does, lambdas included).
template <class T> HWY_INLINE void PrefetchRow(const T* row, int64_t size) {
  constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(T));
  for (int64_t c = 0; c < size; c += kLine) {
    hwy::Prefetch(row + c);
  }
}

/// Asks for rows that are read a little later. The rows of a head are pieces of longer ones, which no CPU foresees; all at
/// once would be more than a CPU has on its way, so that each kind of rows is asked for one or two steps before its own.
template <class T> HWY_INLINE void PrefetchRows(Rows<T> rows, int64_t count, int64_t size) {
  for (int64_t row = 0; row < count; ++row) {
    PrefetchRow(rows[row], size);
  }
}

/// sums[row] = a[row] . b[row] for `count` rows of a tile, 0 for the others. Lanes meet in an order of their own: the sum
/// of a row does not depend on the other rows.
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
#if HWY_TARGET != HWY_SCALAR // one lane needs no sum
  for (int64_t width = n; width > 1; vectors = (vectors + 1) / 2, width /= 2) {
    hn::Store(hn::Zero(d), d, partial + vectors * n); // the partner of the last, if it has none
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

/// Rows of a tile that belong to one block.
struct Segment {
  int64_t first, count;
  int64_t lead;                 ///< rows before `first` that belong to the block; nobody reads at them
  int64_t far_first, far_count; ///< rows beyond the whole tiles, the nearest first
  int64_t
      far_of_first; ///< that many of them are in the window of the first row, one less in each that follows
  bool goes_on;     ///< the sum of the block has begun before

  int64_t far_of(int64_t row) const { return HWY_MIN(HWY_MAX(far_of_first - row, 0), far_count); }
};

/// What is to be summed for a tile, in which order.
template <class T> struct TilePlan {
  static constexpr int64_t kMaxFar = 48, kMaxLead = kTile;
  Segment segments[kTile];
  int64_t num_segments = 0, num_far = 0;
  int64_t far_tokens[kMaxFar];

  // Logits, or on the way back minus references; then weights relative to the reference of the sum they go into.
  HWY_ALIGN T far_weights[kMaxFar];
  HWY_ALIGN T weights_with_lead[kMaxLead + kTile];
  // What a sum is multiplied with before a row is added, and when sums meet. Used only if is_rescaled.
  HWY_ALIGN T far_factors[kMaxFar];
  HWY_ALIGN T factors_with_lead[kMaxLead + kTile];
  HWY_ALIGN T near_share[kTile];
  HWY_ALIGN T far_share[kTile];
  HWY_ALIGN T references[kTile];
  bool is_rescaled;

  T* weights() { return weights_with_lead + kMaxLead; }
  T* factors() { return factors_with_lead + kMaxLead; }
  int64_t lead() const { return segments[0].lead; } ///< only the first block can have begun before the tile
};

/// Left to right: rows [token, token + count) of one tile. `goes_on`: the sum of an open block is at hand, else its
/// earlier rows are summed anew.
template <class T>
void PlanForward(int64_t window, int64_t token, int64_t count, bool goes_on, TilePlan<T>& plan) {
  const int64_t block = block_of_window(window), tile = token / kTile;
  plan.num_segments = plan.num_far = 0;
  for (int64_t row = 0; row < count;) {
    const int64_t t = token + row;
    const int64_t begin = block == kTile ? tile * kTile : t - t % block;
    Segment& segment = plan.segments[plan.num_segments++];
    segment.first = row;
    segment.count = HWY_MIN(begin + block, token + count) - t;
    segment.goes_on = goes_on && begin < t;
    segment.lead = goes_on ? 0 : t - begin;
    const int64_t nearest = window >= kTile ? kTile * (tile + 1 - window / kTile) - 1 : begin - 1;
    segment.far_of_first = nearest - t + window;
    segment.far_count = window == 0 ? 0 : HWY_MAX(HWY_MIN(segment.far_of_first, nearest + 1), 0);
    segment.far_first = plan.num_far;
    for (int64_t i = 0; i < segment.far_count; ++i) {
      plan.far_tokens[plan.num_far++] = nearest - i;
    }
    row += segment.count;
  }
}

/// Right to left: row r is token `last` - r; the tokens [last - count + 1, last] lie in one tile of a sequence of
/// `length`, and all of the tile's tokens up to the end of the sequence are among them.
template <class T>
void PlanBackward(int64_t window, int64_t last, int64_t count, int64_t length, TilePlan<T>& plan) {
  const int64_t block = block_of_window(window), tile = last / kTile;
  plan.num_segments = plan.num_far = 0;
  for (int64_t row = 0; row < count;) {
    const int64_t t = last - row;
    const int64_t begin = block == kTile ? tile * kTile : t - t % block;
    Segment& segment = plan.segments[plan.num_segments++];
    segment.first = row;
    segment.count = t - HWY_MAX(begin, last - count + 1) + 1;
    segment.goes_on = false;
    segment.lead = HWY_MIN(begin + block, length) - 1 - t;
    const int64_t nearest = window >= kTile ? kTile * (tile + window / kTile) : begin + window;
    segment.far_of_first = t + window - nearest;
    segment.far_count = window == 0 ? 0 : HWY_MAX(HWY_MIN(segment.far_of_first, length - nearest), 0);
    segment.far_first = plan.num_far;
    for (int64_t i = 0; i < segment.far_count; ++i) {
      plan.far_tokens[plan.num_far++] = nearest + i;
    }
    row += segment.count;
  }
}

/// From exponents to weights relative to a reference that moves only where an exponent is far above it, and never looks
/// ahead. `begin` is the reference of an empty sum, `common` that of the whole tiles, `open` that of the open block.
template <class T> void PlanReferences(T begin, T common, T& open, TilePlan<T>& plan) {
  bool is_rescaled = false;
  const auto weigh = [&](T& exponent, T& factor, T& reference) HWY_ATTR {
    const T before = reference;
    if (exponent > reference + kFarExponent<T>) {
      reference = exponent;
    }
    factor = ShareOf(before, reference);
    is_rescaled |= before != reference;
    exponent -= reference;
  };
  T far_references[kTile];
  for (int64_t s = 0; s < plan.num_segments; ++s) {
    const Segment& segment = plan.segments[s];
    T reference = common;
    for (int64_t i = segment.count - 1, far = 0; i >= 0; --i) {
      for (; far < segment.far_of(i); ++far) {
        const int64_t at = segment.far_first + far;
        weigh(plan.far_weights[at], plan.far_factors[at], reference);
      }
      far_references[segment.first + i] = reference;
    }
    if (!segment.goes_on) {
      open = begin;
    }
    for (int64_t row = segment.first - segment.lead; row < segment.first + segment.count; ++row) {
      weigh(plan.weights()[row], plan.factors()[row], open);
      if (row >= segment.first) {
        const T joint = HWY_MAX(open, far_references[row]);
        plan.references[row] = joint;
        plan.near_share[row] = ShareOf(open, joint);
        plan.far_share[row] = ShareOf(far_references[row], joint);
        is_rescaled |= open != far_references[row];
      }
    }
  }
  plan.is_rescaled = is_rescaled;
}

/// The references of a tile that needs none.
template <class T> HWY_INLINE void PlanNoReferences(T& open, TilePlan<T>& plan) {
  const TileTag<T> d;
  for (int64_t row = 0; row < kTile; row += TileLanes<T>()) {
    hn::Store(hn::Zero(d), d, plan.references + row);
  }
  open = T(0);
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

/// Weights of one kind of rows: those of the plan, or on the way back these times a number per token.
template <class T> struct Weights {
  const T* far;
  const T* near; ///< of the tile; before it those of the lead
};

/// Window sums of the columns [c, c + kVectors * Lanes) of rows. For the arguments see SumRows.
template <bool kRescaled, int kVectors, bool kWhole, class T>
HWY_INLINE void SumColumns(TilePlan<T>& plan, Weights<T> weights, const T* const* far_rows, Rows<T> rows,
                           int64_t size, const T* common, T* open, T* totals, int64_t c) {
  const TileTag<T> d;
  const int64_t n = TileLanes<T>(), stride = whole_tiles(size);
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
  for (int64_t s = 0; s < plan.num_segments; ++s) {
    const Segment& segment = plan.segments[s];
    auto s0 = from_sum(common, 0), s1 = from_sum(common, 1), s2 = from_sum(common, 2),
         s3 = from_sum(common, 3);
    for (int64_t i = segment.count - 1, far = 0; i >= 0; --i) {
      for (; far < segment.far_of(i); ++far) {
        const int64_t at = segment.far_first + far;
        add(far_rows[at], weights.far[at], plan.far_factors[at], s0, s1, s2, s3);
      }
      T* total = totals + (segment.first + i) * stride + c;
      hn::Store(s0, d, total);
      if constexpr (kVectors > 1) {
        hn::Store(s1, d, total + n);
        hn::Store(s2, d, total + 2 * n);
        hn::Store(s3, d, total + 3 * n);
      }
    }
    if (segment.goes_on) {
      s0 = from_sum(open, 0), s1 = from_sum(open, 1), s2 = from_sum(open, 2), s3 = from_sum(open, 3);
    } else {
      s0 = s1 = s2 = s3 = hn::Zero(d);
    }
    for (int64_t row = segment.first - segment.lead; row < segment.first + segment.count; ++row) {
      add(rows[row], weights.near[row], plan.factors()[row], s0, s1, s2, s3);
      if (row < segment.first) {
        continue;
      }
      T* total = totals + row * stride + c;
      const auto join = [&](auto near, int64_t vector) HWY_ATTR {
        const auto far = hn::Load(d, total + vector * n);
        hn::Store(kRescaled ? hn::MulAdd(far, hn::Set(d, plan.far_share[row]),
                                         hn::Mul(near, hn::Set(d, plan.near_share[row])))
                            : hn::Add(near, far),
                  d, total + vector * n);
      };
      join(s0, 0);
      if constexpr (kVectors > 1) {
        join(s1, 1), join(s2, 2), join(s3, 3);
      }
    }
    hn::StoreU(s0, d, open + c);
    if constexpr (kVectors > 1) {
      hn::StoreU(s1, d, open + c + n);
      hn::StoreU(s2, d, open + c + 2 * n);
      hn::StoreU(s3, d, open + c + 3 * n);
    }
  }
}

template <bool kRescaled, class T>
HWY_INLINE void SumAllColumns(TilePlan<T>& plan, Weights<T> weights, const T* const* far_rows, Rows<T> rows,
                              int64_t size, const T* common, T* open, T* totals) {
  const int64_t n = TileLanes<T>();
  int64_t c = 0;
  for (; c + 4 * n <= size; c += 4 * n) {
    SumColumns<kRescaled, 4, true>(plan, weights, far_rows, rows, size, common, open, totals, c);
  }
  for (; c + n <= size; c += n) {
    SumColumns<kRescaled, 1, true>(plan, weights, far_rows, rows, size, common, open, totals, c);
  }
  if (c < size) {
    SumColumns<kRescaled, 1, false>(plan, weights, far_rows, rows, size, common, open, totals, c);
  }
}

/// totals [kTile, whole_tiles(size)] = window sums of weighted rows, relative to plan.references. `open` is the sum of the
/// open block, before and after; `common` that of the whole tiles that all rows of the tile have in their windows.
template <class T>
void SumRows(TilePlan<T>& plan, Weights<T> weights, const T* const* far_rows, Rows<T> rows, int64_t size,
             const T* common, T* open, T* totals) {
  if (plan.is_rescaled) {
    SumAllColumns<true>(plan, weights, far_rows, rows, size, common, open, totals);
  } else {
    SumAllColumns<false>(plan, weights, far_rows, rows, size, common, open, totals);
  }
}

/// Sums of the columns [c, c + kVectors * Lanes) of all rows. For the arguments see SumOpenRows.
template <int kVectors, bool kWhole, class T>
HWY_INLINE void SumOpenColumns(const TilePlan<T>& plan, const T* weights, Rows<T> rows, int64_t count,
                               int64_t size, T* open, int64_t c) {
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
  hn::StoreU(s0, d, open + c);
  if constexpr (kVectors > 1) {
    hn::StoreU(s1, d, open + c + n);
    hn::StoreU(s2, d, open + c + 2 * n);
    hn::StoreU(s3, d, open + c + 3 * n);
  }
}

/// `open` alone, of a plan of one segment that begins with the tile: the same bits without the sums of its tokens.
template <class T>
void SumOpenRows(const TilePlan<T>& plan, const T* weights, Rows<T> rows, int64_t count, int64_t size,
                 T* open) {
  const int64_t n = TileLanes<T>();
  int64_t c = 0;
  for (; c + 4 * n <= size; c += 4 * n) {
    SumOpenColumns<4, true>(plan, weights, rows, count, size, open, c);
  }
  for (; c + n <= size; c += n) {
    SumOpenColumns<1, true>(plan, weights, rows, count, size, open, c);
  }
  if (c < size) {
    SumOpenColumns<1, false>(plan, weights, rows, count, size, open, c);
  }
}

/// The same of the weights themselves.
template <class T>
void SumWeights(const TilePlan<T>& plan, Weights<T> weights, T common, T& open, T* totals) {
  const T* factors = plan.factors_with_lead + plan.kMaxLead;
  for (int64_t s = 0; s < plan.num_segments; ++s) {
    const Segment& segment = plan.segments[s];
    T sum = common;
    for (int64_t i = segment.count - 1, far = 0; i >= 0; --i) {
      for (; far < segment.far_of(i); ++far) {
        const int64_t at = segment.far_first + far;
        sum = weights.far[at] + (plan.is_rescaled ? sum * plan.far_factors[at] : sum);
      }
      totals[segment.first + i] = sum;
    }
    sum = segment.goes_on ? open : T(0);
    for (int64_t row = segment.first - segment.lead; row < segment.first + segment.count; ++row) {
      sum = weights.near[row] + (plan.is_rescaled ? sum * factors[row] : sum);
      if (row >= segment.first) {
        totals[row] = plan.is_rescaled ? sum * plan.near_share[row] + totals[row] * plan.far_share[row]
                                       : sum + totals[row];
      }
    }
    open = sum;
  }
}

/// to = a + b, sums of SumLayout; `to` may be a or b.
template <class T> void AddSums(const SumLayout& layout, const T* a, const T* b, T* to) {
  const TileTag<T> d;
  const T reference_a = a[layout.reference], reference_b = b[layout.reference];
  const T reference = HWY_MAX(reference_a, reference_b);
  const auto share_a = hn::Set(d, ShareOf(reference_a, reference));
  const auto share_b = hn::Set(d, ShareOf(reference_b, reference));
  for (int64_t c = 0; c < layout.size; c += TileLanes<T>()) {
    hn::StoreU(hn::MulAdd(hn::LoadU(d, b + c), share_b, hn::Mul(hn::LoadU(d, a + c), share_a)), d, to + c);
  }
  to[layout.reference] = reference;
}

/// sum + error += b, where `error` is what rounding has taken from `sum` so far: no length of a sequence adds to it.
template <class T> void AddExactly(const SumLayout& layout, const T* b, T* sum, T* error) {
  const TileTag<T> d;
  const T before = sum[layout.reference];
  const T reference = HWY_MAX(before, b[layout.reference]);
  const auto share = hn::Set(d, ShareOf(before, reference));
  const auto share_b = hn::Set(d, ShareOf(b[layout.reference], reference));
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

/// Takes in the sum of `tile`. Tiles come one after the other, in either direction.
template <class T>
void PushTile(const SumLayout& layout, const TileSums& sums, int64_t tile, bool forward, const T* sum,
              T* past) {
  if (sums.levels == 0) {
    return;
  }
  T* to = past + sums.at(0, tile) * layout.size;
  for (int64_t c = 0; c < layout.size; ++c) {
    to[c] = sum[c];
  }
  int64_t i = tile; // A pair is complete with its second tile in that direction.
  for (int level = 1; level < sums.levels && (i & 1) == (forward ? 1 : 0); ++level, i /= 2) {
    AddSums(layout, past + sums.at(level - 1, i & ~int64_t{1}) * layout.size,
            past + sums.at(level - 1, i | 1) * layout.size, past + sums.at(level, i / 2) * layout.size);
  }
}

/// to = sum of the tiles [begin, end), all of them pushed and none out of reach. `empty` is the reference of an empty sum.
template <class T>
void SumTiles(const SumLayout& layout, const TileSums& sums, int64_t begin, int64_t end, T empty,
              const T* past, T* to) {
  ClearSum(layout, empty, to);
  while (begin < end) {
    int level = 0;
    while (level + 1 < sums.levels && (begin >> level & 1) == 0 && begin + (int64_t{2} << level) <= end) {
      ++level;
    }
    AddSums(layout, to, past + sums.at(level, begin >> level) * layout.size, to);
    begin += int64_t{1} << level;
  }
}

/// to[c] = factor * row[c]; with kStream past the caches, which takes whole, aligned vectors.
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

/// Whether results of `items` in all go past the caches: they would only push out what is still to be read.
template <class T>
HWY_INLINE bool StoresPastCaches(const T* to, int64_t stride, int64_t size, int64_t items) {
  constexpr int64_t kFromBytes = 4 << 20;
  const int64_t n = TileLanes<T>(), bytes = static_cast<int64_t>(sizeof(T));
  return items * bytes >= kFromBytes && size % n == 0 && stride % n == 0 &&
         reinterpret_cast<uintptr_t>(to) % static_cast<uintptr_t>(n * bytes) == 0;
}

} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
