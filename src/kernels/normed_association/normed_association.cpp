// SPDX-License-Identifier: MIT

#include "kernels/normed_association/normed_association.h"

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/normed_association/normed_association.cpp"
#include <hwy/foreach_target.h>

#include <hwy/aligned_allocator.h>
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "kernels/first_lanes-inl.h"
#include "kernels/softmax_weight-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // every kernel has its own names
namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t kTile =
    16; // rows whose scalars are computed side by side; a tile stays in the nearest cache

template <class T> using Lanes = hn::CappedTag<T, kTile>;

template <class T> HWY_INLINE int64_t Padded(int64_t size) {
  const int64_t n = static_cast<int64_t>(hn::Lanes(Lanes<T>()));
  return HWY_MAX((size + n - 1) / n * n, n);
}

/// to [stride] = row minus its mean, with zeros behind it; returns the sum of squares.
template <class T> HWY_INLINE T Centre(const T* row, int64_t size, int64_t stride, T* to) {
  const Lanes<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  const int64_t whole = size / n * n;
  auto sum = hn::Zero(d);
  for (int64_t i = 0; i < whole; i += n) {
    sum = hn::Add(sum, hn::LoadU(d, row + i));
  }
  for (int64_t i = whole; i < stride; ++i) {
    to[i] = i < size ? row[i] : T{0};
  }
  if (whole < size) {
    sum = hn::Add(sum, hn::Load(d, to + whole));
  }
  const auto mean = hn::Set(d, hn::GetLane(hn::SumOfLanes(d, sum)) / static_cast<T>(HWY_MAX(size, 1)));
  auto squares = hn::Zero(d);
  for (int64_t i = 0; i < whole; i += n) {
    const auto x = hn::Sub(hn::LoadU(d, row + i), mean);
    squares = hn::MulAdd(x, x, squares);
    hn::Store(x, d, to + i);
  }
  if (whole < size) {
    const auto there = hn::FirstN(d, static_cast<size_t>(size - whole));
    const auto x = hn::IfThenElseZero(there, hn::Sub(hn::Load(d, to + whole), mean));
    squares = hn::MulAdd(x, x, squares);
    hn::Store(x, d, to + whole);
  }
  return hn::GetLane(hn::SumOfLanes(d, squares));
}

/// The columns of a row: kVectors whole vectors, or any number for kVectors = 0. Below are functions and no lambdas: GCC
/// does not always inline these.
template <int kVectors, class T> struct Columns {
  int64_t size;

  HWY_INLINE int64_t whole() const { ///< columns of whole vectors
    const int64_t n = static_cast<int64_t>(hn::Lanes(Lanes<T>()));
    return kVectors > 0 ? kVectors * n : size / n * n;
  }
  HWY_INLINE int64_t rest() const { return kVectors > 0 ? 0 : size - whole(); }
};

/// What is summed over the columns of a row: they and their squares, or their products with factors.
template <class T> struct SumAndSquares {
  using V = hn::Vec<Lanes<T>>;
  struct Sums {
    V first, second;
  };

  static HWY_INLINE Sums None() { return {hn::Zero(Lanes<T>()), hn::Zero(Lanes<T>())}; }
  HWY_INLINE void Add(V x, int64_t, Sums& sums) const {
    sums.first = hn::Add(sums.first, x);
    sums.second = hn::MulAdd(x, x, sums.second);
  }
};
template <class T> struct ProductWith {
  using V = hn::Vec<Lanes<T>>;
  struct Sums {
    V first;
  };
  const T* factors;

  static HWY_INLINE Sums None() { return {hn::Zero(Lanes<T>())}; }
  HWY_INLINE void Add(V x, int64_t column, Sums& sums) const {
    sums.first = hn::MulAdd(hn::Load(Lanes<T>(), factors + column), x, sums.first);
  }
};

/// Sums of sixteen vectors over their lanes, four at a time. None is summed by itself: they are transposed while they are
/// added.
template <class T> class LaneSums {
public:
  using V = hn::Vec<Lanes<T>>;

  HWY_INLINE void Put(int64_t row, V a, V b, V c, V e) {
    const Lanes<T> d;
#if HWY_TARGET == HWY_SCALAR || HWY_HAVE_SCALABLE
    parts_[row] = hn::GetLane(hn::SumOfLanes(d, a)), parts_[row + 1] = hn::GetLane(hn::SumOfLanes(d, b));
    parts_[row + 2] = hn::GetLane(hn::SumOfLanes(d, c)), parts_[row + 3] = hn::GetLane(hn::SumOfLanes(d, e));
#else
    const V ab = Halved(a, b), ce = Halved(c, e);
    T* to = parts_ + row / kRows * static_cast<int64_t>(hn::Lanes(d));
    if constexpr (kRows == 2) {
      hn::Store(ab, d, to);
      hn::Store(ce, d, to + hn::Lanes(d));
    } else {
      const hn::Repartition<uint64_t, decltype(d)> pairs;
      const auto ab_pairs = hn::BitCast(pairs, ab), ce_pairs = hn::BitCast(pairs, ce);
      hn::Store(hn::Add(hn::BitCast(d, hn::InterleaveLower(pairs, ab_pairs, ce_pairs)),
                        hn::BitCast(d, hn::InterleaveUpper(pairs, ab_pairs, ce_pairs))),
                d, to);
    }
#endif
  }

  /// Of the rows [row, row + Lanes).
  HWY_INLINE V Get(int64_t row) const {
    const Lanes<T> d;
#if HWY_TARGET == HWY_SCALAR || HWY_HAVE_SCALABLE
    return hn::Load(d, parts_ + row);
#else
    constexpr int64_t kBlocks = static_cast<int64_t>(hn::MaxLanes(Lanes<T>())) / kRows;
    const int64_t n = static_cast<int64_t>(hn::Lanes(d));
    const T* from = parts_ + row / kRows * n;
    if constexpr (kBlocks == 1) {
      return hn::Load(d, from);
    } else if constexpr (kBlocks == 2) {
      return Joined(hn::Load(d, from), hn::Load(d, from + n));
    } else {
      const V even = Joined(hn::Load(d, from), hn::Load(d, from + 2 * n));
      const V odd = Joined(hn::Load(d, from + n), hn::Load(d, from + 3 * n));
      return hn::OddEvenBlocks(hn::Add(odd, hn::SwapAdjacentBlocks(odd)),
                               hn::Add(even, hn::SwapAdjacentBlocks(even)));
    }
#endif
  }

private:
#if HWY_TARGET == HWY_SCALAR || HWY_HAVE_SCALABLE
  HWY_ALIGN T parts_[kTile];
#else
  static constexpr int64_t kRows = 16 / static_cast<int64_t>(sizeof(T)); ///< of a block of 128 bits
  /// A vector for each block of rows: in every one of its blocks a part of their sums.
  HWY_ALIGN T parts_[kTile / kRows * static_cast<int64_t>(hn::MaxLanes(Lanes<T>()))];

  static HWY_INLINE V Halved(V a, V b) {
    const Lanes<T> d;
    return hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b));
  }
  static HWY_INLINE V Joined(V low, V high) {
    const Lanes<T> d;
    return hn::Add(hn::ConcatLowerLower(d, high, low), hn::ConcatUpperUpper(d, high, low));
  }
#endif
};

/// Rows of a bag, as they lie there, or a copy: of the last rows, with zeros behind them, and of rows whose means are so large
/// that squares would lose too many digits, less these means.
template <int kVectors, class T> struct Tile {
  using V = hn::Vec<Lanes<T>>;
  Columns<kVectors, T> columns;
  T* copy;    ///< [kTile][padded size]
  T* mean;    ///< [kTile], still to be subtracted from the rows
  T* inverse; ///< [kTile], 1 / sqrt(variance + epsilon); 0 for rows that the last tile lacks
  const T* rows;
  int64_t stride, count;

  /// Four rows from `row` on, side by side, so that no sum waits for itself.
  template <class Term, class Sums = typename Term::Sums>
  HWY_INLINE void SumColumns(const Term& term, int64_t row, Sums& a, Sums& b, Sums& c, Sums& e) const {
    const Lanes<T> d;
    const T *from_a = rows + row * stride, *from_b = from_a + stride, *from_c = from_b + stride,
            *from_e = from_c + stride;
    const int64_t n = static_cast<int64_t>(hn::Lanes(d)), whole = columns.whole(), rest = columns.rest();
    a = b = c = e = Term::None();
    for (int64_t i = 0; i < whole; i += n) {
      term.Add(hn::LoadU(d, from_a + i), i, a);
      term.Add(hn::LoadU(d, from_b + i), i, b);
      term.Add(hn::LoadU(d, from_c + i), i, c);
      term.Add(hn::LoadU(d, from_e + i), i, e);
    }
    if (rest > 0) {
      term.Add(LoadFirst(d, from_a + whole, rest), whole, a);
      term.Add(LoadFirst(d, from_b + whole, rest), whole, b);
      term.Add(LoadFirst(d, from_c + whole, rest), whole, c);
      term.Add(LoadFirst(d, from_e + whole, rest), whole, e);
    }
  }

  /// mean = means, inverse = means of squares
  HWY_INLINE void SumRows() {
    const Lanes<T> d;
    LaneSums<T> sums, squares;
    for (int64_t r = 0; r < kTile; r += 4) {
      typename SumAndSquares<T>::Sums a, b, c, e;
      SumColumns(SumAndSquares<T>(), r, a, b, c, e);
      sums.Put(r, a.first, b.first, c.first, e.first);
      squares.Put(r, a.second, b.second, c.second, e.second);
    }
    const auto share = hn::Set(d, T{1} / static_cast<T>(columns.size));
    for (int64_t r = 0; r < kTile; r += static_cast<int64_t>(hn::Lanes(d))) {
      hn::Store(hn::Mul(sums.Get(r), share), d, mean + r);
      hn::Store(hn::Mul(squares.Get(r), share), d, inverse + r);
    }
  }

  HWY_INLINE void Read(const T* from, int64_t rows_left, T epsilon) {
    const Lanes<T> d;
    const int64_t n = static_cast<int64_t>(hn::Lanes(d)), size = columns.size;
    count = HWY_MIN(kTile, rows_left);
    rows = from, stride = size;
    if (rows_left >= 2 * kTile) {
      // Four rows at a time are no order that the CPU foresees: without this, bags in memory took a third longer.
      constexpr int64_t kLine = HWY_ALIGNMENT / static_cast<int64_t>(sizeof(T)); // of the cache
      for (int64_t i = 0; i < kTile * size; i += kLine) {
        hwy::Prefetch(from + kTile * size + i);
      }
    } else if (count < kTile) {
      Copy(false);
    }
    SumRows();
    constexpr T kMost = 8; // times that squares may be larger than their variance: three binary digits lost
    bool is_exact = true;
    for (int64_t r = 0; r < kTile; r += n) {
      const auto means = hn::Load(d, mean + r), squares = hn::Load(d, inverse + r);
      is_exact &=
          hn::AllTrue(d, hn::Ge(hn::Mul(hn::Set(d, kMost), hn::NegMulAdd(means, means, squares)), squares));
    }
    if (HWY_UNLIKELY(!is_exact)) {
      Copy(true);
      SumRows(); // means are about 0 then
    }
    for (int64_t r = 0; r < kTile; r += n) {
      const auto means = hn::Load(d, mean + r);
      const auto variance = hn::NegMulAdd(means, means, hn::Load(d, inverse + r));
      hn::Store(hn::Div(hn::Set(d, T{1}), hn::Sqrt(hn::Add(variance, hn::Set(d, epsilon)))), d, inverse + r);
    }
    for (int64_t r = count; r < kTile; ++r) {
      inverse[r] = 0;
    }
  }

  /// Goes on with a copy of the rows, less their means if these are known.
  HWY_NOINLINE void Copy(bool less_means) {
    const Lanes<T> d;
    const int64_t n = static_cast<int64_t>(hn::Lanes(d)), whole = columns.whole(), rest = columns.rest(),
                  padded = Padded<T>(columns.size);
    for (int64_t r = 0; r < count; ++r) {
      const auto less = hn::Set(d, less_means ? mean[r] : T{0});
      const T* from = rows + r * stride;
      T* to = copy + r * padded;
      for (int64_t i = 0; i < whole; i += n) {
        hn::Store(hn::Sub(hn::LoadU(d, from + i), less), d, to + i);
      }
      if (rest > 0) {
        hn::Store(hn::IfThenElseZero(hn::FirstN(d, static_cast<size_t>(rest)),
                                     hn::Sub(LoadFirst(d, from + whole, rest), less)),
                  d, to + whole);
      }
    }
    for (int64_t i = count * padded; i < kTile * padded; ++i) {
      copy[i] = 0;
    }
    rows = copy, stride = padded;
  }

  /// to [kTile] = x . row, for rows after their norm; `missing` for rows that are not there. The mean of x is 0.
  HWY_INLINE void Products(const T* x, T missing, T* to) const {
    const Lanes<T> d;
    LaneSums<T> sums;
    for (int64_t r = 0; r < kTile; r += 4) {
      typename ProductWith<T>::Sums a, b, c, e;
      SumColumns(ProductWith<T>{x}, r, a, b, c, e);
      sums.Put(r, a.first, b.first, c.first, e.first);
    }
    for (int64_t r = 0; r < kTile; r += static_cast<int64_t>(hn::Lanes(d))) {
      hn::Store(hn::Mul(sums.Get(r), hn::Load(d, inverse + r)), d, to + r);
    }
    for (int64_t r = count; r < kTile; ++r) {
      to[r] = missing;
    }
  }

  /// total [padded size] = total * scale + sum over rows of weights[row] (row - mean)
  HWY_INLINE void AddWeighted(const T* weights, T scale, T* total) const {
    const Lanes<T> d;
    const int64_t n = static_cast<int64_t>(hn::Lanes(d)), whole = columns.whole();
    auto means = hn::Zero(d);
    for (int64_t r = 0; r < kTile; r += n) {
      means = hn::MulAdd(hn::Load(d, weights + r), hn::Load(d, mean + r), means);
    }
    const auto mean_of_all = hn::SumOfLanes(d, means);
    for (int64_t i = 0; i < whole; i += kColumnsAtOnce * n) {
      V s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0; // even rows, odd rows, and the same of the next vector
      const T* row = rows + i;
      for (int64_t r = 0; r < kTile; r += 2, row += 2 * stride) {
        const V even = hn::Set(d, weights[r]), odd = hn::Set(d, weights[r + 1]);
        s0 = hn::MulAdd(even, hn::LoadU(d, row), s0);
        s1 = hn::MulAdd(odd, hn::LoadU(d, row + stride), s1);
        if constexpr (kColumnsAtOnce == 2) {
          s2 = hn::MulAdd(even, hn::LoadU(d, row + n), s2);
          s3 = hn::MulAdd(odd, hn::LoadU(d, row + stride + n), s3);
        }
      }
      AddTotal(hn::Sub(hn::Add(s0, s1), mean_of_all), scale, total + i);
      if constexpr (kColumnsAtOnce == 2) {
        AddTotal(hn::Sub(hn::Add(s2, s3), mean_of_all), scale, total + i + n);
      }
    }
    if (columns.rest() > 0) {
      V sum = hn::Zero(d);
      for (int64_t r = 0; r < kTile; ++r) {
        sum =
            hn::MulAdd(hn::Set(d, weights[r]), LoadFirst(d, rows + r * stride + whole, columns.rest()), sum);
      }
      AddTotal(hn::Sub(sum, mean_of_all), scale, total + whole);
    }
  }

private:
  static constexpr int kColumnsAtOnce = kVectors > 0 && kVectors % 2 == 0 ? 2 : 1; ///< vectors

  static HWY_INLINE void AddTotal(V sum, T scale, T* total) {
    const Lanes<T> d;
    hn::Store(hn::MulAdd(hn::Load(d, total), hn::Set(d, scale), sum), d, total);
  }
};

/// Memory of one call: a tile, and rows of `stride` numbers per query.
template <class T> class Room {
public:
  Room(int64_t size, int64_t rows_per_query, int64_t num_queries)
      : size_(size), stride_(Padded<T>(size)),
        rows_(hwy::AllocateAligned<T>(static_cast<size_t>(kTile * stride_))),
        scalars_(hwy::AllocateAligned<T>(static_cast<size_t>(kTile * kSlots))),
        per_query_(hwy::AllocateAligned<T>(
            static_cast<size_t>(HWY_MAX(rows_per_query * num_queries, 1) * stride_))) {}

  template <int kVectors> Tile<kVectors, T> tile() const {
    return {{size_}, rows_.get(), slot(0), slot(1), nullptr, 0, 0};
  }
  /// [kTile], aligned; 2 .. 5
  T* slot(int64_t index) const { return scalars_.get() + index * kTile; }
  T* row(int64_t index) const { return per_query_.get() + index * stride_; }
  int64_t stride() const { return stride_; }

private:
  static constexpr int64_t kSlots = 6;
  int64_t size_, stride_;
  hwy::AlignedFreeUniquePtr<T[]> rows_, scalars_, per_query_;
};

template <int kVectors, class T> void AssociateRows(const NormedAssociationArgs<T>& args) {
  const Lanes<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  const Room<T> room(args.size, 2, args.num_queries);
  const auto query = [&](int64_t q) { return room.row(2 * q); };
  const auto total = [&](int64_t q) { return room.row(2 * q + 1); };
  for (int64_t q = 0; q < args.num_queries; ++q) {
    Centre(args.queries + q * args.size, args.size, room.stride(), query(q)); // a row's mean is 0 anyway
    for (int64_t i = 0; i < room.stride(); ++i) {
      total(q)[i] = 0;
    }
    args.largest[q] = hwy::LowestValue<T>(); // finite: -infinity minus itself would be NaN
    args.sum[q] = 0;
  }
  auto tile = room.template tile<kVectors>();
  T *scores = room.slot(2), *weights = room.slot(3);
  for (int64_t first = 0; first < args.num_rows; first += kTile) {
    tile.Read(args.rows + first * args.size, args.num_rows - first, args.epsilon);
    for (int64_t q = 0; q < args.num_queries; ++q) {
      tile.Products(query(q), hwy::LowestValue<T>(), scores); // their weight is 0
      auto largest = hn::Set(d, args.largest[q]);
      bool is_larger = false;
      for (int64_t r = 0; r < kTile; r += n) {
        is_larger |= !hn::AllTrue(d, hn::Le(hn::Load(d, scores + r), largest));
      }
      T rescale = 1;
      if (HWY_UNLIKELY(is_larger)) { // ever more seldom
        const auto before = largest;
        for (int64_t r = 0; r < kTile; r += n) {
          largest = hn::Max(largest, hn::Load(d, scores + r));
        }
        largest = hn::MaxOfLanes(d, largest);
        rescale = hn::GetLane(SoftmaxWeight(d, before, largest));
        args.largest[q] = hn::GetLane(largest);
      }
      auto sum = hn::Zero(d);
      for (int64_t r = 0; r < kTile; r += n) {
        const auto weight = SoftmaxWeight(d, hn::Load(d, scores + r), largest);
        sum = hn::Add(sum, weight);
        hn::Store(hn::Mul(weight, hn::Load(d, tile.inverse + r)), d, weights + r);
      }
      args.sum[q] = args.sum[q] * rescale + hn::GetLane(hn::SumOfLanes(d, sum));
      tile.AddWeighted(weights, rescale, total(q));
    }
  }
  for (int64_t q = 0; q < args.num_queries; ++q) {
    for (int64_t i = 0; i < args.size; ++i) {
      args.readout[q * args.size + i] = args.sum[q] == 0 ? T{0} : total(q)[i] / args.sum[q];
    }
  }
}

template <int kVectors, class T> void GradientOfRows(const NormedAssociationGradientArgs<T>& args) {
  const Lanes<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  const Room<T> room(args.size, 3, args.num_queries);
  const auto query = [&](int64_t q) { return room.row(3 * q); };
  const auto slope = [&](int64_t q) { return room.row(3 * q + 1); };
  const auto d_query = [&](int64_t q) { return room.row(3 * q + 2); };
  for (int64_t q = 0; q < args.num_queries; ++q) {
    Centre(args.queries + q * args.size, args.size, room.stride(), query(q));
    Centre(args.d_readout + q * args.size, args.size, room.stride(), slope(q));
    for (int64_t i = 0; i < room.stride(); ++i) {
      d_query(q)[i] = 0;
    }
  }
  const int64_t of_rows = args.d_rows != nullptr ? kTile * room.stride() : 0;
  const auto d_tile = hwy::AllocateAligned<T>(static_cast<size_t>(HWY_MAX(of_rows, 1)));
  auto tile = room.template tile<kVectors>();
  T *scores = room.slot(2), *slopes = room.slot(3), *weights = room.slot(4), *along = room.slot(5);
  for (int64_t first = 0; first < args.num_rows; first += kTile) {
    tile.Read(args.rows + first * args.size, args.num_rows - first, args.epsilon);
    for (int64_t i = 0; i < of_rows; ++i) {
      d_tile[static_cast<size_t>(i)] = 0;
    }
    for (int64_t r = 0; r < kTile; ++r) {
      along[r] = 0;
    }
    for (int64_t q = 0; q < args.num_queries; ++q) {
      if (args.sum[q] == 0) {
        continue;
      }
      tile.Products(query(q), hwy::LowestValue<T>(), scores); // their weight is 0
      tile.Products(slope(q), T{0}, slopes);
      const auto largest = hn::Set(d, args.largest[q]), inverse_sum = hn::Set(d, T{1} / args.sum[q]),
                 shift = hn::Set(d, args.shift[q]);
      for (int64_t r = 0; r < kTile; r += n) {
        const auto score = hn::Load(d, scores + r), d_p = hn::Load(d, slopes + r);
        const auto p = hn::Mul(SoftmaxWeight(d, score, largest), inverse_sum);
        const auto d_score = hn::Mul(p, hn::Sub(d_p, shift));
        hn::Store(hn::MulAdd(d_score, score, hn::MulAdd(p, d_p, hn::Load(d, along + r))), d, along + r);
        hn::Store(p, d, weights + r);
        hn::Store(d_score, d, slopes + r);
        hn::Store(hn::Mul(d_score, hn::Load(d, tile.inverse + r)), d, scores + r);
      }
      tile.AddWeighted(scores, T{1}, d_query(q));
      for (int64_t r = 0; args.d_rows != nullptr && r < tile.count; ++r) {
        const auto of_query = hn::Set(d, slopes[r]), of_slope = hn::Set(d, weights[r]);
        T* to = d_tile.get() + r * room.stride();
        for (int64_t i = 0; i < room.stride(); i += n) {
          const auto x = hn::MulAdd(of_query, hn::Load(d, query(q) + i), hn::Load(d, to + i));
          hn::Store(hn::MulAdd(of_slope, hn::Load(d, slope(q) + i), x), d, to + i);
        }
      }
    }
    for (int64_t r = 0; args.d_rows != nullptr && r < tile.count; ++r) {
      const T inverse = tile.inverse[r];
      const auto scale = hn::Set(d, inverse);
      const auto back = hn::Set(d, -inverse * along[r] / static_cast<T>(args.size));
      const auto mean = hn::Set(d, tile.mean[r]);
      const T *row = tile.rows + r * tile.stride, *d_row = d_tile.get() + r * room.stride();
      T* out = args.d_rows + (first + r) * args.size;
      int64_t i = 0;
      for (; i + n <= args.size; i += n) {
        const auto x = hn::MulAdd(back, hn::Sub(hn::LoadU(d, row + i), mean), hn::Load(d, d_row + i));
        hn::StoreU(hn::Mul(x, scale), d, out + i);
      }
      if (i < args.size) {
        const auto x = hn::Sub(LoadFirst(d, row + i, args.size - i), mean);
        StoreFirst(hn::Mul(hn::MulAdd(back, x, hn::Load(d, d_row + i)), scale), d, out + i, args.size - i);
      }
    }
  }
  for (int64_t q = 0; args.d_queries != nullptr && q < args.num_queries; ++q) {
    for (int64_t i = 0; i < args.size; ++i) {
      args.d_queries[q * args.size + i] += d_query(q)[i];
    }
  }
}

/// Narrow rows of whole vectors have loops that are written out.
template <class T> void Associate(const NormedAssociationArgs<T>& args) {
  const int64_t n = static_cast<int64_t>(hn::Lanes(Lanes<T>()));
  args.size == 2 * n   ? AssociateRows<2>(args)
  : args.size == 4 * n ? AssociateRows<4>(args)
                       : AssociateRows<0>(args);
}
template <class T> void Gradient(const NormedAssociationGradientArgs<T>& args) {
  const int64_t n = static_cast<int64_t>(hn::Lanes(Lanes<T>()));
  args.size == 2 * n   ? GradientOfRows<2>(args)
  : args.size == 4 * n ? GradientOfRows<4>(args)
                       : GradientOfRows<0>(args);
}

MNEME_KERNEL_TYPES(Associate, NormedAssociationArgs)
MNEME_KERNEL_TYPES(Gradient, NormedAssociationGradientArgs)

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

MNEME_EXPORT_KERNEL(normed_association, Associate, NormedAssociationArgs)
MNEME_EXPORT_KERNEL(normed_association_gradient, Gradient, NormedAssociationGradientArgs)

} // namespace mneme::kernels
#endif
