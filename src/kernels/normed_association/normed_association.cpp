// SPDX-License-Identifier: MIT

#include "kernels/normed_association/normed_association.h"

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/normed_association/normed_association.cpp"
#include <hwy/foreach_target.h>

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "kernels/first_lanes-inl.h"
#include "kernels/scratch.h"
#include "kernels/softmax_weight-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // other kernels define the same names
namespace hn = hwy::HWY_NAMESPACE;

/// Rows of a tile. Mean, variance, score and weight of 16 rows are computed together in one vector (AVX-512,
/// float), and a tile stays in the L1 cache: 2 KiB at 32 features.
constexpr int64_t kTile = 16;

template <class T> using Lanes = hn::CappedTag<T, kTile>;

/// `size` rounded up to whole vectors.
template <class T> HWY_INLINE int64_t PaddedSize(int64_t size) {
  const int64_t n = static_cast<int64_t>(hn::Lanes(Lanes<T>()));
  return HWY_MAX((size + n - 1) / n * n, n);
}

/// to [stride] = row minus its mean, padded with zeros; returns the sum of squares.
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
    const auto in_row = hn::FirstN(d, static_cast<size_t>(size - whole));
    const auto x = hn::IfThenElseZero(in_row, hn::Sub(hn::Load(d, to + whole), mean));
    squares = hn::MulAdd(x, x, squares);
    hn::Store(x, d, to + whole);
  }
  return hn::GetLane(hn::SumOfLanes(d, squares));
}

/// Columns of a row: exactly kVectors vectors, or any number for kVectors = 0. The loops below call member
/// functions instead of lambdas, because GCC does not always inline lambdas.
template <int kVectors, class T> struct Columns {
  int64_t size;

  HWY_INLINE int64_t whole() const { ///< columns in complete vectors
    const int64_t n = static_cast<int64_t>(hn::Lanes(Lanes<T>()));
    return kVectors > 0 ? kVectors * n : size / n * n;
  }
  HWY_INLINE int64_t tail() const { return kVectors > 0 ? 0 : size - whole(); }
};

/// Terms that Tile::SumColumns adds up over the columns of a row: the elements and their squares.
template <class T> struct SumAndSquares {
  using V = hn::Vec<Lanes<T>>;
  struct Sums {
    V first, second;
  };

  static HWY_INLINE Sums Zero() { return {hn::Zero(Lanes<T>()), hn::Zero(Lanes<T>())}; }
  HWY_INLINE void Add(V x, int64_t, Sums& sums) const {
    sums.first = hn::Add(sums.first, x);
    sums.second = hn::MulAdd(x, x, sums.second);
  }
};
/// Products of the elements with `factors`: a dot product.
template <class T> struct ProductWith {
  using V = hn::Vec<Lanes<T>>;
  struct Sums {
    V first;
  };
  const T* factors;

  static HWY_INLINE Sums Zero() { return {hn::Zero(Lanes<T>())}; }
  HWY_INLINE void Add(V x, int64_t column, Sums& sums) const {
    sums.first = hn::MulAdd(hn::Load(Lanes<T>(), factors + column), x, sums.first);
  }
};

/// Sums over the lanes of 16 vectors, four at a time. The vectors are transposed while they are added (about
/// 30 shuffles and 15 additions for 16 sums), which is cheaper than 16 separate horizontal sums.
template <class T> class LaneSums {
public:
  using V = hn::Vec<Lanes<T>>;

  /// Adds the vectors of the rows row .. row + 3.
  HWY_INLINE void Put(int64_t row, V a, V b, V c, V e) {
    const Lanes<T> d;
#if HWY_TARGET == HWY_SCALAR || HWY_HAVE_SCALABLE
    partial_[row] = hn::GetLane(hn::SumOfLanes(d, a)), partial_[row + 1] = hn::GetLane(hn::SumOfLanes(d, b));
    partial_[row + 2] = hn::GetLane(hn::SumOfLanes(d, c)),
                   partial_[row + 3] = hn::GetLane(hn::SumOfLanes(d, e));
#else
    const V ab = Halved(a, b), ce = Halved(c, e);
    T* to = partial_ + row / kRows * static_cast<int64_t>(hn::Lanes(d));
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

  /// Sums of the rows [row, row + Lanes).
  HWY_INLINE V Get(int64_t row) const {
    const Lanes<T> d;
#if HWY_TARGET == HWY_SCALAR || HWY_HAVE_SCALABLE
    return hn::Load(d, partial_ + row);
#else
    constexpr int64_t kBlocks = static_cast<int64_t>(hn::MaxLanes(Lanes<T>())) / kRows;
    const int64_t n = static_cast<int64_t>(hn::Lanes(d));
    const T* from = partial_ + row / kRows * n;
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
  HWY_ALIGN T partial_[kTile];
#else
  static constexpr int64_t kRows =
      16 / static_cast<int64_t>(sizeof(T)); ///< elements, and rows, per 128-bit block
  /// One vector per block of rows; each of its 128-bit blocks holds partial sums of these rows.
  HWY_ALIGN T partial_[kTile / kRows * static_cast<int64_t>(hn::MaxLanes(Lanes<T>()))];

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

/// Tile of 16 rows. Rows are read in place, except in two cases that work on a copy: the last tile, which is
/// padded with zero rows, and rows whose mean is large compared with their deviation, from which the mean is
/// subtracted first.
template <int kVectors, class T> struct Tile {
  using V = hn::Vec<Lanes<T>>;
  Columns<kVectors, T> columns;
  T* copy;    ///< [kTile][padded size]
  T* mean;    ///< [kTile], means of `rows`, not yet subtracted
  T* inverse; ///< [kTile], 1 / sqrt(variance + epsilon); 0 for padding rows
  const T* rows;
  int64_t stride, count;

  /// Sums of the rows row .. row + 3. Four independent accumulators hide the latency of the additions.
  template <class Term, class Sums = typename Term::Sums>
  HWY_INLINE void SumColumns(const Term& term, int64_t row, Sums& a, Sums& b, Sums& c, Sums& e) const {
    const Lanes<T> d;
    const T *from_a = rows + row * stride, *from_b = from_a + stride, *from_c = from_b + stride,
            *from_e = from_c + stride;
    const int64_t n = static_cast<int64_t>(hn::Lanes(d)), whole = columns.whole(), tail = columns.tail();
    a = b = c = e = Term::Zero();
    for (int64_t i = 0; i < whole; i += n) {
      term.Add(hn::LoadU(d, from_a + i), i, a);
      term.Add(hn::LoadU(d, from_b + i), i, b);
      term.Add(hn::LoadU(d, from_c + i), i, c);
      term.Add(hn::LoadU(d, from_e + i), i, e);
    }
    if (tail > 0) {
      term.Add(LoadFirst(d, from_a + whole, tail), whole, a);
      term.Add(LoadFirst(d, from_b + whole, tail), whole, b);
      term.Add(LoadFirst(d, from_c + whole, tail), whole, c);
      term.Add(LoadFirst(d, from_e + whole, tail), whole, e);
    }
  }

  /// Writes the means of the rows to `mean` and the means of their squares to `inverse`.
  HWY_INLINE void ComputeMoments() {
    const Lanes<T> d;
    LaneSums<T> sums, squares;
    for (int64_t r = 0; r < kTile; r += 4) {
      typename SumAndSquares<T>::Sums a, b, c, e;
      SumColumns(SumAndSquares<T>(), r, a, b, c, e);
      sums.Put(r, a.first, b.first, c.first, e.first);
      squares.Put(r, a.second, b.second, c.second, e.second);
    }
    const auto inverse_size = hn::Set(d, T{1} / static_cast<T>(columns.size));
    for (int64_t r = 0; r < kTile; r += static_cast<int64_t>(hn::Lanes(d))) {
      hn::Store(hn::Mul(sums.Get(r), inverse_size), d, mean + r);
      hn::Store(hn::Mul(squares.Get(r), inverse_size), d, inverse + r);
    }
  }

  /// Loads the next rows and computes their means and inverse deviations.
  HWY_INLINE void Load(const T* from, int64_t rows_left, T epsilon) {
    const Lanes<T> d;
    const int64_t n = static_cast<int64_t>(hn::Lanes(d)), size = columns.size;
    count = HWY_MIN(kTile, rows_left);
    rows = from, stride = size;
    if (rows_left >= 2 * kTile) {
      // The hardware prefetcher does not follow four interleaved rows: without this, bags in memory take a
      // third longer.
      constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(T)); // elements per cache line
      for (int64_t i = 0; i < kTile * size; i += kLine) {
        hwy::Prefetch(from + kTile * size + i);
      }
    } else if (count < kTile) {
      Copy(false);
    }
    ComputeMoments();
    // Largest ratio of mean square to variance for which variance = mean square - mean^2 is used: it loses
    // three bits.
    constexpr T kMaxRatio = 8;
    bool is_exact = true;
    for (int64_t r = 0; r < kTile; r += n) {
      const auto means = hn::Load(d, mean + r), squares = hn::Load(d, inverse + r);
      is_exact &= hn::AllTrue(
          d, hn::Ge(hn::Mul(hn::Set(d, kMaxRatio), hn::NegMulAdd(means, means, squares)), squares));
    }
    if (HWY_UNLIKELY(!is_exact)) {
      Copy(true);
      ComputeMoments(); // the means of the copy are about 0
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

  /// Replaces `rows` by a padded copy; `subtract_means` subtracts the means of the rows.
  HWY_NOINLINE void Copy(bool subtract_means) {
    const Lanes<T> d;
    const int64_t n = static_cast<int64_t>(hn::Lanes(d)), whole = columns.whole(), tail = columns.tail(),
                  padded = PaddedSize<T>(columns.size);
    for (int64_t r = 0; r < count; ++r) {
      const auto offset = hn::Set(d, subtract_means ? mean[r] : T{0});
      const T* from = rows + r * stride;
      T* to = copy + r * padded;
      for (int64_t i = 0; i < whole; i += n) {
        hn::Store(hn::Sub(hn::LoadU(d, from + i), offset), d, to + i);
      }
      if (tail > 0) {
        hn::Store(hn::IfThenElseZero(hn::FirstN(d, static_cast<size_t>(tail)),
                                     hn::Sub(LoadFirst(d, from + whole, tail), offset)),
                  d, to + whole);
      }
    }
    for (int64_t i = count * padded; i < kTile * padded; ++i) {
      copy[i] = 0;
    }
    rows = copy, stride = padded;
  }

  /// to [kTile] = x . y for the normalised rows y; `padding_value` for padding rows. The mean of x must be 0:
  /// then x . y = inverse * (x . row), and the mean of the row is never subtracted.
  HWY_INLINE void Products(const T* x, T padding_value, T* to) const {
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
      to[r] = padding_value;
    }
  }

  /// total [padded size] = total * scale + sum over rows of weights[row] (row - mean)
  HWY_INLINE void AddWeighted(const T* weights, T scale, T* total) const {
    const Lanes<T> d;
    const int64_t n = static_cast<int64_t>(hn::Lanes(d)), whole = columns.whole();
    auto weighted_means = hn::Zero(d);
    for (int64_t r = 0; r < kTile; r += n) {
      weighted_means = hn::MulAdd(hn::Load(d, weights + r), hn::Load(d, mean + r), weighted_means);
    }
    const auto offset = hn::SumOfLanes(d, weighted_means); // the same for all columns
    for (int64_t i = 0; i < whole; i += kVectorsPerStep * n) {
      // Even rows, odd rows, and the same for the next vector: up to four independent accumulators.
      V s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
      const T* row = rows + i;
      for (int64_t r = 0; r < kTile; r += 2, row += 2 * stride) {
        const V even = hn::Set(d, weights[r]), odd = hn::Set(d, weights[r + 1]);
        s0 = hn::MulAdd(even, hn::LoadU(d, row), s0);
        s1 = hn::MulAdd(odd, hn::LoadU(d, row + stride), s1);
        if constexpr (kVectorsPerStep == 2) {
          s2 = hn::MulAdd(even, hn::LoadU(d, row + n), s2);
          s3 = hn::MulAdd(odd, hn::LoadU(d, row + stride + n), s3);
        }
      }
      AddTotal(hn::Sub(hn::Add(s0, s1), offset), scale, total + i);
      if constexpr (kVectorsPerStep == 2) {
        AddTotal(hn::Sub(hn::Add(s2, s3), offset), scale, total + i + n);
      }
    }
    if (columns.tail() > 0) {
      V sum = hn::Zero(d);
      for (int64_t r = 0; r < kTile; ++r) {
        sum =
            hn::MulAdd(hn::Set(d, weights[r]), LoadFirst(d, rows + r * stride + whole, columns.tail()), sum);
      }
      AddTotal(hn::Sub(sum, offset), scale, total + whole);
    }
  }

private:
  static constexpr int kVectorsPerStep = kVectors > 0 && kVectors % 2 == 0 ? 2 : 1;

  static HWY_INLINE void AddTotal(V sum, T scale, T* total) {
    const Lanes<T> d;
    hn::Store(hn::MulAdd(hn::Load(d, total), hn::Set(d, scale), sum), d, total);
  }
};

/// Scratch buffers of one call: a tile, and `rows_per_query` rows of `stride` elements per query.
template <class T> class Workspace {
public:
  Workspace(int64_t size, int64_t rows_per_query, int64_t num_queries)
      : size_(size), stride_(PaddedSize<T>(size)), rows_(take_scratch<T>(kTile * stride_)),
        scalars_(take_scratch<T>(kTile * kSlots)),
        per_query_(take_scratch<T>(HWY_MAX(rows_per_query * num_queries, 1) * stride_)) {}

  template <int kVectors> Tile<kVectors, T> tile() const {
    return {{size_}, rows_.get(), slot(0), slot(1), nullptr, 0, 0};
  }
  /// Scalars [kTile] of the rows of a tile, aligned. The tile uses 0 and 1; 2 .. 5 are free.
  T* slot(int64_t index) const { return scalars_.get() + index * kTile; }
  T* row(int64_t index) const { return per_query_.get() + index * stride_; }
  int64_t stride() const { return stride_; }

private:
  static constexpr int64_t kSlots = 6;
  int64_t size_, stride_;
  Scratch<T> rows_, scalars_, per_query_;
};

template <int kVectors, class T> void AssociateRows(const NormedAssociationArgs<T>& args) {
  const Lanes<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  const Workspace<T> workspace(args.size, 2, args.num_queries);
  const auto query = [&](int64_t q) { return workspace.row(2 * q); };
  const auto total = [&](int64_t q) { return workspace.row(2 * q + 1); };
  for (int64_t q = 0; q < args.num_queries; ++q) {
    Centre(args.queries + q * args.size, args.size, workspace.stride(), query(q)); // y has mean 0
    for (int64_t i = 0; i < workspace.stride(); ++i) {
      total(q)[i] = 0;
    }
    args.row_max[q] = hwy::LowestValue<T>(); // finite: -infinity minus itself would be NaN
    args.row_sum[q] = 0;
  }
  auto tile = workspace.template tile<kVectors>();
  T *scores = workspace.slot(2), *weights = workspace.slot(3);
  for (int64_t first = 0; first < args.num_rows; first += kTile) {
    tile.Load(args.rows + first * args.size, args.num_rows - first, args.epsilon);
    for (int64_t q = 0; q < args.num_queries; ++q) {
      tile.Products(query(q), hwy::LowestValue<T>(), scores); // padding rows get weight 0
      auto row_max = hn::Set(d, args.row_max[q]);
      bool is_larger = false;
      for (int64_t r = 0; r < kTile; r += n) {
        is_larger |= !hn::AllTrue(d, hn::Le(hn::Load(d, scores + r), row_max));
      }
      T rescale = 1;
      if (HWY_UNLIKELY(is_larger)) { // rarer the more rows have been read
        const auto old_max = row_max;
        for (int64_t r = 0; r < kTile; r += n) {
          row_max = hn::Max(row_max, hn::Load(d, scores + r));
        }
        row_max = hn::MaxOfLanes(d, row_max);
        rescale = hn::GetLane(SoftmaxWeight(d, old_max, row_max));
        args.row_max[q] = hn::GetLane(row_max);
      }
      auto sum = hn::Zero(d);
      for (int64_t r = 0; r < kTile; r += n) {
        const auto weight = SoftmaxWeight(d, hn::Load(d, scores + r), row_max);
        sum = hn::Add(sum, weight);
        hn::Store(hn::Mul(weight, hn::Load(d, tile.inverse + r)), d, weights + r);
      }
      args.row_sum[q] = args.row_sum[q] * rescale + hn::GetLane(hn::SumOfLanes(d, sum));
      tile.AddWeighted(weights, rescale, total(q));
    }
  }
  for (int64_t q = 0; q < args.num_queries; ++q) {
    for (int64_t i = 0; i < args.size; ++i) {
      args.readout[q * args.size + i] = args.row_sum[q] == 0 ? T{0} : total(q)[i] / args.row_sum[q];
    }
  }
}

template <int kVectors, class T> void GradientOfRows(const NormedAssociationGradientArgs<T>& args) {
  const Lanes<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  const Workspace<T> workspace(args.size, 3, args.num_queries);
  const auto query = [&](int64_t q) { return workspace.row(3 * q); };
  const auto d_readout = [&](int64_t q) { return workspace.row(3 * q + 1); };
  const auto d_query = [&](int64_t q) { return workspace.row(3 * q + 2); };
  for (int64_t q = 0; q < args.num_queries; ++q) {
    Centre(args.queries + q * args.size, args.size, workspace.stride(), query(q));
    Centre(args.d_readout + q * args.size, args.size, workspace.stride(), d_readout(q));
    for (int64_t i = 0; i < workspace.stride(); ++i) {
      d_query(q)[i] = 0;
    }
  }
  const int64_t d_tile_items = args.d_rows != nullptr ? kTile * workspace.stride() : 0;
  const auto d_tile = take_scratch<T>(d_tile_items);
  auto tile = workspace.template tile<kVectors>();
  T *scores = workspace.slot(2), *d_scores = workspace.slot(3), *weights = workspace.slot(4);
  T* d_y_dot_y = workspace.slot(5); // [kTile], sum over queries of dY . y
  for (int64_t first = 0; first < args.num_rows; first += kTile) {
    tile.Load(args.rows + first * args.size, args.num_rows - first, args.epsilon);
    for (int64_t i = 0; i < d_tile_items; ++i) {
      d_tile[static_cast<size_t>(i)] = 0;
    }
    for (int64_t r = 0; r < kTile; ++r) {
      d_y_dot_y[r] = 0;
    }
    for (int64_t q = 0; q < args.num_queries; ++q) {
      if (args.row_sum[q] == 0) {
        continue;
      }
      tile.Products(query(q), hwy::LowestValue<T>(), scores); // padding rows get weight 0
      tile.Products(d_readout(q), T{0}, d_scores);            // d_readout . y at first
      const auto row_max = hn::Set(d, args.row_max[q]), inverse_sum = hn::Set(d, T{1} / args.row_sum[q]),
                 delta = hn::Set(d, args.delta[q]);
      for (int64_t r = 0; r < kTile; r += n) {
        const auto score = hn::Load(d, scores + r), d_p = hn::Load(d, d_scores + r);
        const auto p = hn::Mul(SoftmaxWeight(d, score, row_max), inverse_sum);
        const auto d_score = hn::Mul(p, hn::Sub(d_p, delta));
        hn::Store(hn::MulAdd(d_score, score, hn::MulAdd(p, d_p, hn::Load(d, d_y_dot_y + r))), d,
                  d_y_dot_y + r);
        hn::Store(p, d, weights + r);
        hn::Store(d_score, d, d_scores + r);
        hn::Store(hn::Mul(d_score, hn::Load(d, tile.inverse + r)), d, scores + r);
      }
      tile.AddWeighted(scores, T{1}, d_query(q));
      for (int64_t r = 0; args.d_rows != nullptr && r < tile.count; ++r) {
        const auto query_coef = hn::Set(d, d_scores[r]), d_readout_coef = hn::Set(d, weights[r]);
        T* to = d_tile.get() + r * workspace.stride();
        for (int64_t i = 0; i < workspace.stride(); i += n) {
          const auto x = hn::MulAdd(query_coef, hn::Load(d, query(q) + i), hn::Load(d, to + i));
          hn::Store(hn::MulAdd(d_readout_coef, hn::Load(d, d_readout(q) + i), x), d, to + i);
        }
      }
    }
    for (int64_t r = 0; args.d_rows != nullptr && r < tile.count; ++r) {
      const T inverse = tile.inverse[r];
      const auto scale = hn::Set(d, inverse);
      const auto row_coef = hn::Set(d, -inverse * d_y_dot_y[r] / static_cast<T>(args.size));
      const auto mean = hn::Set(d, tile.mean[r]);
      const T *row = tile.rows + r * tile.stride, *d_row = d_tile.get() + r * workspace.stride();
      T* out = args.d_rows + (first + r) * args.size;
      int64_t i = 0;
      for (; i + n <= args.size; i += n) {
        const auto x = hn::MulAdd(row_coef, hn::Sub(hn::LoadU(d, row + i), mean), hn::Load(d, d_row + i));
        hn::StoreU(hn::Mul(x, scale), d, out + i);
      }
      if (i < args.size) {
        const auto x = hn::Sub(LoadFirst(d, row + i, args.size - i), mean);
        StoreFirst(hn::Mul(hn::MulAdd(row_coef, x, hn::Load(d, d_row + i)), scale), d, out + i,
                   args.size - i);
      }
    }
  }
  for (int64_t q = 0; args.d_queries != nullptr && q < args.num_queries; ++q) {
    for (int64_t i = 0; i < args.size; ++i) {
      args.d_queries[q * args.size + i] += d_query(q)[i];
    }
  }
}

/// Rows of exactly two or four vectors get unrolled loops.
template <class T> void Associate(const NormedAssociationArgs<T>& args) {
  const int64_t n = static_cast<int64_t>(hn::Lanes(Lanes<T>()));
  if (args.size == 2 * n) {
    AssociateRows<2>(args);
  } else if (args.size == 4 * n) {
    AssociateRows<4>(args);
  } else {
    AssociateRows<0>(args);
  }
}
template <class T> void Gradient(const NormedAssociationGradientArgs<T>& args) {
  const int64_t n = static_cast<int64_t>(hn::Lanes(Lanes<T>()));
  if (args.size == 2 * n) {
    GradientOfRows<2>(args);
  } else if (args.size == 4 * n) {
    GradientOfRows<4>(args);
  } else {
    GradientOfRows<0>(args);
  }
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
