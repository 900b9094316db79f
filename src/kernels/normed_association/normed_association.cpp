// SPDX-License-Identifier: MIT

#include "kernels/normed_association/normed_association.h"

#include "mneme/core/cpu.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/normed_association/normed_association.cpp"
#define HWY_WANT_AVX3_DL
#include <hwy/foreach_target.h>

#include <hwy/aligned_allocator.h>
#include <hwy/cache_control.h>
#include <hwy/highway.h>

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

/// to [4] = the sums over the lanes of four vectors.
template <class T, class V> HWY_INLINE void SumsOfLanes(V a, V b, V c, V e, T* to) {
#if HWY_TARGET == HWY_SCALAR
  to[0] = hn::GetLane(a), to[1] = hn::GetLane(b), to[2] = hn::GetLane(c), to[3] = hn::GetLane(e);
#else
  const Lanes<T> d;
  // Transposed while they are added: each block of 128 bits ends with one sum of its own lanes per vector.
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  HWY_ALIGN T blocks[2 * kTile];
  const auto halved = [&](auto x, auto y) HWY_ATTR {
    return hn::Add(hn::InterleaveLower(d, x, y), hn::InterleaveUpper(d, x, y));
  };
  const auto ab = halved(a, b), ce = halved(c, e);
  if constexpr (sizeof(T) == 4) {
    const hn::Repartition<uint64_t, decltype(d)> pairs;
    const auto ab_pairs = hn::BitCast(pairs, ab), ce_pairs = hn::BitCast(pairs, ce);
    hn::Store(hn::Add(hn::BitCast(d, hn::InterleaveLower(pairs, ab_pairs, ce_pairs)),
                      hn::BitCast(d, hn::InterleaveUpper(pairs, ab_pairs, ce_pairs))),
              d, blocks);
    const hn::CappedTag<T, 4> block;
    auto sum = hn::Load(block, blocks);
    for (int64_t i = 4; i < n; i += 4) {
      sum = hn::Add(sum, hn::Load(block, blocks + i));
    }
    hn::Store(sum, block, to);
  } else {
    hn::Store(ab, d, blocks);
    hn::Store(ce, d, blocks + n);
    const hn::CappedTag<T, 2> block;
    auto sum_ab = hn::Load(block, blocks), sum_ce = hn::Load(block, blocks + n);
    for (int64_t i = 2; i < n; i += 2) {
      sum_ab = hn::Add(sum_ab, hn::Load(block, blocks + i));
      sum_ce = hn::Add(sum_ce, hn::Load(block, blocks + n + i));
    }
    hn::Store(sum_ab, block, to);
    hn::Store(sum_ce, block, to + 2);
  }
#endif
}

/// Rows minus their means. Rows that the last tile lacks have the inverse 0; those up to `used` hold finite numbers if all
/// others do.
template <class T> struct Tile {
  T* rows;    ///< [kTile][stride]
  T* inverse; ///< [kTile], 1 / sqrt(variance + epsilon)
  int64_t stride, count, used;

  void Read(const T* from, int64_t rows_left, int64_t size, T epsilon) {
    const Lanes<T> d;
    const int64_t n = static_cast<int64_t>(hn::Lanes(d));
    count = HWY_MIN(kTile, rows_left);
    used = (count + 3) / 4 * 4;
    constexpr int64_t kLine = HWY_ALIGNMENT / static_cast<int64_t>(sizeof(T)); // of the cache
    const T share_of_one = T{1} / static_cast<T>(HWY_MAX(size, 1));
    for (int64_t r = 0; r < used; r += 4) {
      const auto row = [&](int64_t k) HWY_ATTR { return from + HWY_MIN(r + k, count - 1) * size; };
      // Four rows at a time are no order that the CPU foresees: without this, bags in memory took a third longer.
      for (int64_t i = 0; i < 4 * size && rows_left >= 2 * kTile; i += kLine) {
        hwy::Prefetch(from + (kTile + r) * size + i);
      }
      Centre4(row(0), row(1), row(2), row(3), size, share_of_one, r);
    }
    const auto share = hn::Set(d, share_of_one), one = hn::Set(d, T{1});
    for (int64_t r = 0; r < kTile; r += n) {
      const auto variance = hn::Mul(hn::Load(d, inverse + r), share);
      hn::Store(hn::Div(one, hn::Sqrt(hn::Add(variance, hn::Set(d, epsilon)))), d, inverse + r);
    }
    for (int64_t r = count; r < kTile; ++r) {
      inverse[r] = 0;
    }
  }

  /// Four rows side by side, the first of which becomes rows[first]; inverse becomes their sums of squares.
  HWY_INLINE void Centre4(const T* a, const T* b, const T* c, const T* e, int64_t size, T share,
                          int64_t first) {
    const Lanes<T> d;
    const int64_t n = static_cast<int64_t>(hn::Lanes(d));
    const int64_t whole = size / n * n;
    T *to_a = rows + first * stride, *to_b = to_a + stride, *to_c = to_b + stride, *to_e = to_c + stride;
    auto sum_a = hn::Zero(d), sum_b = sum_a, sum_c = sum_a, sum_e = sum_a;
    for (int64_t i = 0; i < whole; i += n) {
      sum_a = hn::Add(sum_a, hn::LoadU(d, a + i));
      sum_b = hn::Add(sum_b, hn::LoadU(d, b + i));
      sum_c = hn::Add(sum_c, hn::LoadU(d, c + i));
      sum_e = hn::Add(sum_e, hn::LoadU(d, e + i));
    }
    if (whole < stride) { // a part of a vector, with zeros behind it
      for (int64_t i = whole; i < stride; ++i) {
        to_a[i] = i < size ? a[i] : T{0};
        to_b[i] = i < size ? b[i] : T{0};
        to_c[i] = i < size ? c[i] : T{0};
        to_e[i] = i < size ? e[i] : T{0};
      }
      sum_a = hn::Add(sum_a, hn::Load(d, to_a + whole));
      sum_b = hn::Add(sum_b, hn::Load(d, to_b + whole));
      sum_c = hn::Add(sum_c, hn::Load(d, to_c + whole));
      sum_e = hn::Add(sum_e, hn::Load(d, to_e + whole));
    }
    HWY_ALIGN T means[4];
    SumsOfLanes<T>(sum_a, sum_b, sum_c, sum_e, means);
    const auto mean_a = hn::Set(d, share * means[0]), mean_b = hn::Set(d, share * means[1]),
               mean_c = hn::Set(d, share * means[2]), mean_e = hn::Set(d, share * means[3]);
    auto squares_a = hn::Zero(d), squares_b = squares_a, squares_c = squares_a, squares_e = squares_a;
    const auto keep = [&](auto x, auto& squares, T* to) HWY_ATTR {
      squares = hn::MulAdd(x, x, squares);
      hn::Store(x, d, to);
    };
    for (int64_t i = 0; i < whole; i += n) {
      keep(hn::Sub(hn::LoadU(d, a + i), mean_a), squares_a, to_a + i);
      keep(hn::Sub(hn::LoadU(d, b + i), mean_b), squares_b, to_b + i);
      keep(hn::Sub(hn::LoadU(d, c + i), mean_c), squares_c, to_c + i);
      keep(hn::Sub(hn::LoadU(d, e + i), mean_e), squares_e, to_e + i);
    }
    if (whole < stride) {
      const auto there = hn::FirstN(d, static_cast<size_t>(size - whole));
      const auto rest = [&](T* to, auto mean, auto& squares) HWY_ATTR {
        keep(hn::IfThenElseZero(there, hn::Sub(hn::Load(d, to + whole), mean)), squares, to + whole);
      };
      rest(to_a, mean_a, squares_a), rest(to_b, mean_b, squares_b);
      rest(to_c, mean_c, squares_c), rest(to_e, mean_e, squares_e);
    }
    SumsOfLanes<T>(squares_a, squares_b, squares_c, squares_e, inverse + first);
  }

  /// to [kTile] = x . row, for rows after their norm; `missing` for rows that are not there
  HWY_INLINE void Products(const T* x, T missing, T* to) const {
    const Lanes<T> d;
    const int64_t n = static_cast<int64_t>(hn::Lanes(d));
    for (int64_t r = 0; r < used; r += 4) {
      const T* row = rows + r * stride;
      auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
      for (int64_t i = 0; i < stride; i += n) {
        const auto factor = hn::Load(d, x + i);
        s0 = hn::MulAdd(factor, hn::Load(d, row + i), s0);
        s1 = hn::MulAdd(factor, hn::Load(d, row + stride + i), s1);
        s2 = hn::MulAdd(factor, hn::Load(d, row + 2 * stride + i), s2);
        s3 = hn::MulAdd(factor, hn::Load(d, row + 3 * stride + i), s3);
      }
      SumsOfLanes<T>(s0, s1, s2, s3, to + r);
    }
    for (int64_t r = 0; r < kTile; r += n) {
      hn::Store(hn::Mul(hn::Load(d, to + r), hn::Load(d, inverse + r)), d, to + r);
    }
    for (int64_t r = count; r < kTile; ++r) {
      to[r] = missing;
    }
  }

  /// total [stride] = total * scale + sum over rows of weights[row] row, for rows that are centred only
  HWY_INLINE void AddWeighted(const T* weights, T scale, T* total) const {
    const Lanes<T> d;
    const int64_t n = static_cast<int64_t>(hn::Lanes(d));
    for (int64_t i = 0; i < stride; i += n) {
      auto even = hn::Zero(d), odd = even;
      for (int64_t r = 0; r < used; r += 2) {
        even = hn::MulAdd(hn::Set(d, weights[r]), hn::Load(d, rows + r * stride + i), even);
        odd = hn::MulAdd(hn::Set(d, weights[r + 1]), hn::Load(d, rows + (r + 1) * stride + i), odd);
      }
      hn::Store(hn::MulAdd(hn::Load(d, total + i), hn::Set(d, scale), hn::Add(even, odd)), d, total + i);
    }
  }
};

/// Memory of one call: a tile, and rows of `stride` numbers per query.
template <class T> class Room {
public:
  Room(int64_t size, int64_t rows_per_query, int64_t num_queries)
      : stride_(Padded<T>(size)), rows_(hwy::AllocateAligned<T>(static_cast<size_t>(kTile * stride_))),
        scalars_(hwy::AllocateAligned<T>(static_cast<size_t>(kTile * kSlots))),
        per_query_(hwy::AllocateAligned<T>(
            static_cast<size_t>(HWY_MAX(rows_per_query * num_queries, 1) * stride_))) {}

  Tile<T> tile() const { return {rows_.get(), slot(0), stride_, 0, 0}; }
  /// [kTile], aligned; 1 .. 4
  T* slot(int64_t index) const { return scalars_.get() + index * kTile; }
  T* row(int64_t index) const { return per_query_.get() + index * stride_; }
  int64_t stride() const { return stride_; }

private:
  static constexpr int64_t kSlots = 5;
  int64_t stride_;
  hwy::AlignedFreeUniquePtr<T[]> rows_, scalars_, per_query_;
};

template <class T> void Associate(const NormedAssociationArgs<T>& args) {
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
  Tile<T> tile = room.tile();
  T *scores = room.slot(1), *weights = room.slot(2);
  for (int64_t first = 0; first < args.num_rows; first += kTile) {
    tile.Read(args.rows + first * args.size, args.num_rows - first, args.size, args.epsilon);
    for (int64_t q = 0; q < args.num_queries; ++q) {
      tile.Products(query(q), hwy::LowestValue<T>(), scores); // their weight is 0
      const auto before = hn::Set(d, args.largest[q]);
      auto most = before;
      for (int64_t r = 0; r < kTile; r += n) {
        most = hn::Max(most, hn::Load(d, scores + r));
      }
      const auto largest = hn::Set(d, hn::GetLane(hn::MaxOfLanes(d, most)));
      auto sum = hn::Zero(d);
      for (int64_t r = 0; r < kTile; r += n) {
        const auto weight = SoftmaxWeight(d, hn::Load(d, scores + r), largest);
        sum = hn::Add(sum, weight);
        hn::Store(hn::Mul(weight, hn::Load(d, tile.inverse + r)), d, weights + r);
      }
      const T rescale = hn::GetLane(SoftmaxWeight(d, before, largest));
      args.largest[q] = hn::GetLane(largest);
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

template <class T> void Gradient(const NormedAssociationGradientArgs<T>& args) {
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
  Tile<T> tile = room.tile();
  T *scores = room.slot(1), *slopes = room.slot(2), *weights = room.slot(3), *along = room.slot(4);
  for (int64_t first = 0; first < args.num_rows; first += kTile) {
    tile.Read(args.rows + first * args.size, args.num_rows - first, args.size, args.epsilon);
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
      T* to = d_tile.get() + r * room.stride();
      for (int64_t i = 0; i < room.stride(); i += n) {
        const auto x = hn::MulAdd(back, hn::Load(d, tile.rows + r * room.stride() + i), hn::Load(d, to + i));
        hn::Store(hn::Mul(x, scale), d, to + i);
      }
      T* out = args.d_rows + (first + r) * args.size;
      for (int64_t i = 0; i < args.size; ++i) {
        out[i] = to[i];
      }
    }
  }
  for (int64_t q = 0; args.d_queries != nullptr && q < args.num_queries; ++q) {
    for (int64_t i = 0; i < args.size; ++i) {
      args.d_queries[q * args.size + i] += d_query(q)[i];
    }
  }
}

void AssociateFloat(const NormedAssociationArgs<float>& args) {
  Associate(args);
}
void AssociateDouble(const NormedAssociationArgs<double>& args) {
  Associate(args);
}
void GradientFloat(const NormedAssociationGradientArgs<float>& args) {
  Gradient(args);
}
void GradientDouble(const NormedAssociationGradientArgs<double>& args) {
  Gradient(args);
}
const char* Target() {
  return hwy::TargetName(HWY_TARGET);
}

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

HWY_EXPORT(AssociateFloat);
HWY_EXPORT(AssociateDouble);
HWY_EXPORT(GradientFloat);
HWY_EXPORT(GradientDouble);
HWY_EXPORT(Target);

void normed_association(const NormedAssociationArgs<float>& args) {
  use_reference_kernels() ? reference::normed_association(args) : HWY_DYNAMIC_DISPATCH(AssociateFloat)(args);
}

void normed_association(const NormedAssociationArgs<double>& args) {
  use_reference_kernels() ? reference::normed_association(args) : HWY_DYNAMIC_DISPATCH(AssociateDouble)(args);
}

void normed_association_gradient(const NormedAssociationGradientArgs<float>& args) {
  use_reference_kernels() ? reference::normed_association_gradient(args)
                          : HWY_DYNAMIC_DISPATCH(GradientFloat)(args);
}

void normed_association_gradient(const NormedAssociationGradientArgs<double>& args) {
  use_reference_kernels() ? reference::normed_association_gradient(args)
                          : HWY_DYNAMIC_DISPATCH(GradientDouble)(args);
}

const char* normed_association_target() {
  return use_reference_kernels() ? "reference" : HWY_DYNAMIC_DISPATCH(Target)();
}

} // namespace mneme::kernels
#endif
