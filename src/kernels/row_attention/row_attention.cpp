// SPDX-License-Identifier: MIT

#include "kernels/row_attention/row_attention.h"

#include <algorithm>
#include <type_traits>

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/row_attention/row_attention.cpp"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

#include "kernels/first_lanes-inl.h"
#include "kernels/inline_lambda.h"
#include "kernels/lane_product-inl.h"
#include "kernels/linear_parts-inl.h"
#include "kernels/philox-inl.h"
#include "kernels/score_mask-inl.h"
#include "kernels/scratch.h"
#include "kernels/softmax_weight-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // other kernels define the same names

template <class T> using Tag = hn::ScalableTag<T>;

/// Accumulators: 16 vectors where the target has 32 vector registers, else 8.
constexpr int kRegisterRows = HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM ? 4 : 2;

/// Four accumulators.
template <class T> struct Four {
  using V = hn::Vec<Tag<T>>;
  V a, b, c, e;

  static HWY_INLINE Four Zero() {
    const V zero = hn::Zero(Tag<T>());
    return {zero, zero, zero, zero};
  }
  HWY_INLINE void AddProduct(V factor, V xa, V xb, V xc, V xe) {
    a = hn::MulAdd(factor, xa, a);
    b = hn::MulAdd(factor, xb, b);
    c = hn::MulAdd(factor, xc, c);
    e = hn::MulAdd(factor, xe, e);
  }
};

#if HWY_TARGET != HWY_SCALAR && !HWY_HAVE_SCALABLE
/// Adds the halves of a vector until one block of 128 bits is left.
template <class D, class V> HWY_INLINE auto SumOfBlocks(D d, V v) {
  if constexpr (hn::MaxLanes(D()) * sizeof(hn::TFromD<D>) <= 16) {
    return v;
  } else {
    const hn::Half<D> half;
    return SumOfBlocks(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}
#endif

/// to [4] = scale * the sums of the lanes of the four vectors. The vectors are transposed while they are
/// added.
template <class T> HWY_INLINE void StoreSums(const Four<T>& v, T scale, T* to) {
  const Tag<T> d;
#if HWY_TARGET == HWY_SCALAR || HWY_HAVE_SCALABLE
  to[0] = scale * hn::GetLane(hn::SumOfLanes(d, v.a)), to[1] = scale * hn::GetLane(hn::SumOfLanes(d, v.b));
  to[2] = scale * hn::GetLane(hn::SumOfLanes(d, v.c)), to[3] = scale * hn::GetLane(hn::SumOfLanes(d, v.e));
#else
  const hn::Full128<T> block;
  const auto factor = hn::Set(block, scale);
  const auto ab = hn::Add(hn::InterleaveLower(d, v.a, v.b), hn::InterleaveUpper(d, v.a, v.b)),
             ce = hn::Add(hn::InterleaveLower(d, v.c, v.e), hn::InterleaveUpper(d, v.c, v.e));
  if constexpr (sizeof(T) == 8) {
    hn::StoreU(hn::Mul(SumOfBlocks(d, ab), factor), block, to);
    hn::StoreU(hn::Mul(SumOfBlocks(d, ce), factor), block, to + 2);
  } else {
    const hn::Repartition<uint64_t, decltype(d)> pairs;
    const auto ab_pairs = hn::BitCast(pairs, ab), ce_pairs = hn::BitCast(pairs, ce);
    const auto sums = hn::Add(hn::BitCast(d, hn::InterleaveLower(pairs, ab_pairs, ce_pairs)),
                              hn::BitCast(d, hn::InterleaveUpper(pairs, ab_pairs, ce_pairs)));
    hn::StoreU(hn::Mul(SumOfBlocks(d, sums), factor), block, to);
  }
#endif
}

/// Sums of the products of kRows rows of a and four rows of b.
template <int kRows, class T> struct TileSums {
  Four<T> s0, s1, s2, s3;

  /// Adds the products of the elements that `load` reads at `i`.
  template <class Load>
  HWY_INLINE void Add(const StridedRows<const T>& a, const T* const b[4], int64_t i, const Load& load) {
    const auto xa = load(b[0] + i), xb = load(b[1] + i), xc = load(b[2] + i), xe = load(b[3] + i);
    s0.AddProduct(load(a.data + i), xa, xb, xc, xe);
    if constexpr (kRows > 1) {
      s1.AddProduct(load(a.data + a.stride + i), xa, xb, xc, xe);
    }
    if constexpr (kRows > 2) {
      s2.AddProduct(load(a.data + 2 * a.stride + i), xa, xb, xc, xe);
    }
    if constexpr (kRows > 3) {
      s3.AddProduct(load(a.data + 3 * a.stride + i), xa, xb, xc, xe);
    }
  }
};

/// out [kRows][4] = scale * dot products of kRows rows of a and four rows of b.
template <int kRows, class T>
HWY_INLINE void DotTile(const StridedRows<const T>& a, const T* const b[4], int64_t size, T scale,
                        const StridedRows<T>& out) {
  const Tag<T> d;
  const int64_t n = Lanes<T>();
  const auto zero = Four<T>::Zero();
  TileSums<kRows, T> sums{zero, zero, zero, zero};
  int64_t i = 0;
  for (; i + n <= size; i += n) {
    sums.Add(a, b, i, [d](const T* from) HWY_ATTR { return hn::LoadU(d, from); });
  }
  if (i < size) {
    sums.Add(a, b, i, [d, tail = size - i](const T* from) HWY_ATTR { return LoadFirst(d, from, tail); });
  }
  StoreSums(sums.s0, scale, out.data);
  if constexpr (kRows > 1) {
    StoreSums(sums.s1, scale, out.data + out.stride);
  }
  if constexpr (kRows > 2) {
    StoreSums(sums.s2, scale, out.data + 2 * out.stride);
  }
  if constexpr (kRows > 3) {
    StoreSums(sums.s3, scale, out.data + 3 * out.stride);
  }
}

/// out [rows][count] = scale * dot products of the rows of a and of b. Rows of `out` are long enough for
/// `count` rounded up to 4.
template <class T>
HWY_INLINE void DotRows(const StridedRows<const T>& a, int64_t rows, const StridedRows<const T>& b,
                        int64_t count, int64_t size, T scale, const StridedRows<T>& out) {
  for (int64_t s = 0; s < count; s += 4) {
    const auto b_row = [&](int64_t i) HWY_ATTR { return b.row(HWY_MIN(s + i, count - 1)); };
    const T* const four[4] = {b_row(0), b_row(1), b_row(2), b_row(3)};
    int64_t r = 0;
    for (; r + kRegisterRows <= rows; r += kRegisterRows) {
      DotTile<kRegisterRows>(StridedRows<const T>{a.row(r), a.stride}, four, size, scale,
                             StridedRows<T>{out.row(r) + s, out.stride});
    }
    for (; r < rows; ++r) {
      DotTile<1>(StridedRows<const T>{a.row(r), a.stride}, four, size, scale,
                 StridedRows<T>{out.row(r) + s, out.stride});
    }
  }
}

/// Weights of rows: weight(row, inner) = data[row * row_stride + inner * inner_stride], times `scale`.
template <class T> struct Weights {
  const T* data;
  int64_t row_stride, inner_stride;
  T scale = 1;
};

/// out [kRows][columns of kVectors vectors] (+)= sum over inner of weight(row, inner) * b[inner]. `tail` > 0:
/// the only vector has that many columns.
template <int kRows, int kVectors, class T>
HWY_INLINE void WeightedTile(const Weights<T>& w, const StridedRows<const T>& b, int64_t inner, int64_t tail,
                             bool adds, const StridedRows<T>& out) {
  const Tag<T> d;
  using V = hn::Vec<Tag<T>>;
  const int64_t n = Lanes<T>();
  auto s0 = Four<T>::Zero(), s1 = s0, s2 = s0, s3 = s0;
  const auto load = [&](const T* from) MNEME_INLINE_LAMBDA {
    return kVectors == 1 && tail > 0 ? LoadFirst(d, from, tail) : hn::LoadU(d, from);
  };
  const T *row = b.data, *weight = w.data;
  const auto add = [&](Four<T>& sums, const T* x, T factor) MNEME_INLINE_LAMBDA {
    const V f = hn::Set(d, factor);
    sums.a = hn::MulAdd(f, load(x), sums.a);
    if constexpr (kVectors > 1) {
      sums.b = hn::MulAdd(f, hn::LoadU(d, x + n), sums.b);
    }
    if constexpr (kVectors > 2) {
      sums.c = hn::MulAdd(f, hn::LoadU(d, x + 2 * n), sums.c);
      sums.e = hn::MulAdd(f, hn::LoadU(d, x + 3 * n), sums.e);
    }
  };
  int64_t k = 0;
  if constexpr (kRows * kVectors == 1) { // four sums, since each waits for its previous addition
    for (; k + 4 <= inner; k += 4, row += 4 * b.stride, weight += 4 * w.inner_stride) {
      add(s0, row, weight[0]);
      add(s1, row + b.stride, weight[w.inner_stride]);
      add(s2, row + 2 * b.stride, weight[2 * w.inner_stride]);
      add(s3, row + 3 * b.stride, weight[3 * w.inner_stride]);
    }
    s0.a = hn::Add(hn::Add(s0.a, s1.a), hn::Add(s2.a, s3.a));
  }
  for (; k < inner; ++k, row += b.stride, weight += w.inner_stride) {
    add(s0, row, weight[0]);
    if constexpr (kRows > 1) {
      add(s1, row, weight[w.row_stride]);
    }
    if constexpr (kRows > 2) {
      add(s2, row, weight[2 * w.row_stride]);
      add(s3, row, weight[3 * w.row_stride]);
    }
  }
  const V scale = hn::Set(d, w.scale);
  const auto put = [&](V sum, T* to) MNEME_INLINE_LAMBDA {
    const V scaled = hn::Mul(scale, sum), total = adds ? hn::Add(load(to), scaled) : scaled;
    if (kVectors == 1 && tail > 0) {
      StoreFirst(total, d, to, tail);
    } else {
      hn::StoreU(total, d, to);
    }
  };
  const auto put_row = [&](const Four<T>& sums, T* to) MNEME_INLINE_LAMBDA {
    put(sums.a, to);
    if constexpr (kVectors > 1) {
      put(sums.b, to + n);
    }
    if constexpr (kVectors > 2) {
      put(sums.c, to + 2 * n);
      put(sums.e, to + 3 * n);
    }
  };
  put_row(s0, out.data);
  if constexpr (kRows > 1) {
    put_row(s1, out.data + out.stride);
  }
  if constexpr (kRows > 2) {
    put_row(s2, out.data + 2 * out.stride);
    put_row(s3, out.data + 3 * out.stride);
  }
}

/// WeightedTile for all columns.
template <int kRows, class T>
HWY_INLINE void WeightedColumns(const Weights<T>& w, const StridedRows<const T>& b, int64_t inner,
                                int64_t columns, bool adds, const StridedRows<T>& out) {
  const int64_t n = Lanes<T>();
  // With 32 registers: 4 x 4 accumulators, with 16: 4 x 2; a single row always has 4.
  constexpr int kVectors = kRows == 1 || kRegisterRows == 4 ? 4 : 2;
  int64_t c = 0;
  const auto b_at = [&](int64_t column) HWY_ATTR { return StridedRows<const T>{b.data + column, b.stride}; };
  const auto out_at = [&](int64_t column) HWY_ATTR { return StridedRows<T>{out.data + column, out.stride}; };
  for (; c + kVectors * n <= columns; c += kVectors * n) {
    WeightedTile<kRows, kVectors>(w, b_at(c), inner, 0, adds, out_at(c));
  }
  for (; c + 2 * n <= columns; c += 2 * n) {
    WeightedTile<kRows, 2>(w, b_at(c), inner, 0, adds, out_at(c));
  }
  for (; c < columns; c += n) {
    WeightedTile<kRows, 1>(w, b_at(c), inner, columns - c < n ? columns - c : 0, adds, out_at(c));
  }
}

/// out [rows][columns] (+)= weights [rows][inner] . b [inner][columns]
template <class T>
HWY_INLINE void WeightedRows(const Weights<T>& w, int64_t rows, const StridedRows<const T>& b, int64_t inner,
                             int64_t columns, bool adds, const StridedRows<T>& out) {
  // The rows of b that are multiplied with all weights stay in the cache, and rounding errors grow with the
  // tile instead of with the whole sum.
  constexpr int64_t kTile = 64;
  int64_t k = 0;
  do {
    const int64_t count = HWY_MIN(kTile, inner - k);
    const StridedRows<const T> tile{b.row(k), b.stride};
    const auto weights_of = [&](int64_t row) MNEME_INLINE_LAMBDA {
      return Weights<T>{w.data + row * w.row_stride + k * w.inner_stride, w.row_stride, w.inner_stride,
                        w.scale};
    };
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4) {
      WeightedColumns<4>(weights_of(r), tile, count, columns, adds || k > 0,
                         StridedRows<T>{out.row(r), out.stride});
    }
    for (; r + 2 <= rows; r += 2) {
      WeightedColumns<2>(weights_of(r), tile, count, columns, adds || k > 0,
                         StridedRows<T>{out.row(r), out.stride});
    }
    for (; r < rows; ++r) {
      WeightedColumns<1>(weights_of(r), tile, count, columns, adds || k > 0,
                         StridedRows<T>{out.row(r), out.stride});
    }
    k += count;
  } while (k < inner);
}

/// Unmasked stored patterns: all, those before the padding at the end, or copies of those that are not
/// masked.
template <class T> class UnmaskedRows {
public:
  UnmaskedRows(const ScoreMask<T>& mask, int64_t num_stored) : count_(num_stored), num_stored_(num_stored) {
    if (mask.key_padding_mask == nullptr) {
      return;
    }
    int64_t unmasked = 0, last = -1;
    for (int64_t s = 0; s < num_stored; ++s) {
      if (mask.key_padding_mask[s] == 0) {
        ++unmasked;
        last = s;
      }
    }
    count_ = unmasked;
    if (last + 1 != unmasked) {
      indices_ = take_scratch<int64_t>(unmasked);
      for (int64_t s = 0, i = 0; s < num_stored; ++s) {
        if (mask.key_padding_mask[s] == 0) {
          indices_[static_cast<size_t>(i++)] = s;
        }
      }
    }
  }

  int64_t count() const { return count_; }
  bool are_copied() const { return static_cast<bool>(indices_); }
  HWY_INLINE int64_t Index(int64_t i) const { return indices_ ? indices_[static_cast<size_t>(i)] : i; }

  using Copy = Scratch<T>;

  /// The unmasked rows, in place or copied to `copy`.
  StridedRows<const T> Of(const StridedRows<const T>& all, int64_t columns, Copy& copy) const {
    if (!are_copied()) {
      return all;
    }
    copy = take_scratch<T>(count_ * columns);
    for (int64_t i = 0; i < count_; ++i) {
      std::copy_n(all.row(Index(i)), columns, copy.get() + i * columns);
    }
    return {copy.get(), columns};
  }

  /// Where the gradients of the unmasked rows are computed: in place, or in `copy`.
  StridedRows<T> GradientOf(const StridedRows<T>& all, int64_t columns, Copy& copy) const {
    if (!are_copied() || all.data == nullptr) {
      return all;
    }
    copy = take_scratch<T>(count_ * columns);
    return {copy.get(), columns};
  }
  /// Writes gradients computed in a copy, and zeros of masked rows.
  void WriteGradient(const StridedRows<T>& from, int64_t columns, bool adds,
                     const StridedRows<T>& all) const {
    if (all.data == nullptr) {
      return;
    }
    int64_t next = 0;
    for (int64_t s = are_copied() ? 0 : count_; s < num_stored_; ++s) {
      T* to = all.row(s);
      if (are_copied() && next < count_ && Index(next) == s) {
        const T* row = from.row(next++);
        for (int64_t c = 0; c < columns; ++c) {
          to[c] = adds ? to[c] + row[c] : row[c];
        }
      } else if (!adds) {
        std::fill_n(to, columns, T{0});
      }
    }
  }

private:
  int64_t count_, num_stored_;
  Scratch<int64_t> indices_;
};

/// Fills the last vector of `count` numbers with `value`: as a whole, since to load a vector in which single
/// numbers were just stored takes ten times as long.
template <class T> HWY_INLINE void Pad(T* numbers, int64_t count, T value) {
  const Tag<T> d;
  if (const int64_t used = count % Lanes<T>(); used != 0) {
    T* last = numbers + count - used;
    hn::Store(hn::IfThenElse(hn::FirstN(d, static_cast<size_t>(used)), hn::Load(d, last), hn::Set(d, value)),
              d, last);
  }
}

/// Adds the attention mask of a query to its scores, and pads them to whole vectors; a pad has weight 0.
template <class T>
HWY_INLINE void MaskRow(const ScoreMask<T>& mask, int64_t query, const UnmaskedRows<T>& rows, T* scores) {
  const Tag<T> d;
  const int64_t n = Lanes<T>(), count = rows.count();
  if (mask.attention_bias != nullptr) {
    const T* bias = mask.attention_bias + query * mask.stride;
    int64_t s = 0;
    for (; !rows.are_copied() && s + n <= count; s += n) {
      hn::StoreU(hn::Add(hn::LoadU(d, scores + s), hn::LoadU(d, bias + s)), d, scores + s);
    }
    for (; s < count; ++s) {
      scores[s] += bias[rows.Index(s)];
    }
  }
  if (mask.attention_mask != nullptr) {
    const uint8_t* is_masked = mask.attention_mask + query * mask.stride;
    for (int64_t s = 0; s < count; ++s) {
      scores[s] = is_masked[rows.Index(s)] != 0 ? MaskedScore<T>() : scores[s];
    }
  }
  Pad(scores, count, MaskedScore<T>());
}

/// In place: scores [padded] become normalised weights. Returns row_max and row_sum.
template <class T> struct RowStatistics { T max, sum; };
template <class T> HWY_INLINE RowStatistics<T> Softmax(T* scores, int64_t padded) {
  const Tag<T> d;
  const int64_t n = Lanes<T>();
  auto max = hn::Set(d, hwy::LowestValue<T>()); // finite: -infinity minus itself would be NaN
  for (int64_t s = 0; s < padded; s += n) {
    max = hn::Max(max, hn::Load(d, scores + s));
  }
  max = hn::MaxOfLanes(d, max);
  auto sum = hn::Zero(d);
  for (int64_t s = 0; s < padded; s += n) {
    const auto weight = SoftmaxWeight(d, hn::Load(d, scores + s), max);
    hn::Store(weight, d, scores + s);
    sum = hn::Add(sum, weight);
  }
  const T total = hn::GetLane(hn::SumOfLanes(d, sum));
  const auto inverse = hn::Set(d, total == 0 ? T{0} : T{1} / total);
  for (int64_t s = 0; s < padded; s += n) {
    hn::Store(hn::Mul(hn::Load(d, scores + s), inverse), d, scores + s);
  }
  return {hn::GetLane(max), total};
}

/// Dropout factors of one query at a time.
template <class T> class RowDropout {
public:
  RowDropout(const PhiloxDropout& dropout, T* buffer)
      : dropout_(dropout), words_(reinterpret_cast<uint32_t*>(buffer)) {}

  bool enabled() const { return dropout_.probability != 0; }

  /// Generates the words of stored patterns 0 .. num_stored - 1 of the call.
  HWY_INLINE void Generate(int64_t query, int64_t num_stored) {
    const int64_t counters = 3 * Lanes<uint64_t>(); // of a call of the generator
    const int64_t first = dropout_.first_stored / 4,
                  groups = (dropout_.first_stored + num_stored - 1) / 4 - first + 1;
    if (2 * groups > counters) {
      GenerateRow(query, first, groups);
      words_of_query_ = words_;
      return;
    }
    const int64_t queries = counters / groups;
    if (query < first_query_ || query >= first_query_ + queries) {
      GenerateRows(query, first, groups);
      first_query_ = query;
    }
    words_of_query_ = few_words_ + 4 * groups * (query - first_query_);
  }

  /// scores [count] *= factors of the generated query.
  HWY_INLINE void Apply(const UnmaskedRows<T>& rows, T* scores) const {
    const uint32_t* words = words_of_query_ + dropout_.first_stored % 4;
    const uint32_t drop_threshold = dropout_.drop_threshold();
    const T keep_scale = static_cast<T>(dropout_.keep_scale());
    for (int64_t s = 0; s < rows.count(); ++s) {
      scores[s] *= words[rows.Index(s)] < drop_threshold ? T{0} : keep_scale;
    }
  }

private:
  /// Words of a row with many groups, [group][4], to words_.
  HWY_INLINE void GenerateRow(int64_t query, int64_t first, int64_t groups) {
    const hn::ScalableTag<uint64_t> d;
    const hn::Rebind<uint32_t, decltype(d)> low;
    const int64_t n = Lanes<uint64_t>();
    const auto row = hn::Set(d, static_cast<uint64_t>(dropout_.row(query)));
    const auto step = hn::Set(d, static_cast<uint64_t>(n));
    for (int64_t group = 0; group < groups; group += 3 * n) {
      const auto a = hn::Add(hn::Set(d, static_cast<uint64_t>(first + group)), hn::Iota(d, 0)),
                 b = hn::Add(a, step), c = hn::Add(b, step);
      PhiloxThreeVectors(d, dropout_.seed, a, row, b, row, c, row,
                         [&](auto x0, auto x1, auto x2, auto x3, int64_t vector) HWY_ATTR {
                           const int64_t at = group + vector * n;
                           if (at < groups) {
                             hn::StoreInterleaved4(x0, x1, x2, x3, low, words_ + 4 * at);
                           }
                         });
    }
  }

  /// Words of as many rows with few groups as one call of the generator has counters for, [row][group][4], to
  /// few_words_.
  HWY_INLINE void GenerateRows(int64_t query, int64_t first, int64_t groups) {
    const hn::ScalableTag<uint64_t> d;
    const hn::Rebind<uint32_t, decltype(d)> low;
    const int64_t n = Lanes<uint64_t>();
    HWY_ALIGN uint64_t of_row[kMaxCounters] = {}, of_group[kMaxCounters] = {};
    int64_t at = 0;
    for (; at + groups <= 3 * n; ++query) {
      const auto row = static_cast<uint64_t>(dropout_.row(query));
      for (int64_t group = 0; group < groups; ++group, ++at) {
        of_row[at] = row, of_group[at] = static_cast<uint64_t>(first + group);
      }
    }
    PhiloxThreeVectors(d, dropout_.seed, hn::Load(d, of_group), hn::Load(d, of_row),
                       hn::Load(d, of_group + n), hn::Load(d, of_row + n), hn::Load(d, of_group + 2 * n),
                       hn::Load(d, of_row + 2 * n),
                       [&](auto x0, auto x1, auto x2, auto x3, int64_t vector) HWY_ATTR {
                         hn::StoreInterleaved4(x0, x1, x2, x3, low, few_words_ + 4 * vector * n);
                       });
  }

  static constexpr size_t kMaxCounters = 3 * hn::MaxLanes(hn::ScalableTag<uint64_t>());
  PhiloxDropout dropout_;
  uint32_t* words_;
  const uint32_t* words_of_query_ = nullptr;
  int64_t first_query_ = -1 - static_cast<int64_t>(kMaxCounters); ///< of those in few_words_
  HWY_ALIGN uint32_t few_words_[4 * kMaxCounters];
};

/// Scores of a block of queries, and other numbers per query and stored pattern.
template <class T> struct Buffers {
  int64_t padded, block;
  StridedRows<T> first, second;
  T* words;

  Buffers(T* workspace, int64_t num_queries, int64_t num_stored) {
    const int64_t n = HWY_MAX(Lanes<T>(), 4);
    padded = HWY_MAX((num_stored + n - 1) / n * n, n);
    block = row_attention_block(num_queries, num_stored);
    first = {workspace, padded};
    second = {workspace + block * padded, padded};
    words = workspace + 2 * block * padded;
    transposed = words + 2 * padded;
  }

  /// Memory of a transposed copy of `columns` columns.
  HWY_INLINE T* Transposed(int64_t columns) {
    T* const begin = transposed;
    transposed += columns * padded;
    return begin;
  }

private:
  T* transposed;
};

template <class T> HWY_INLINE int64_t WholeVectors(int64_t count) {
  return (count + Lanes<T>() - 1) / Lanes<T>() * Lanes<T>();
}

/// Stored patterns or values whose products with queries, or with gradients of readouts, are computed.
template <class T> class ComparedRows {
public:
  ComparedRows(const StridedRows<const T>& rows, int64_t count, int64_t size, bool transposes,
               Buffers<T>& buffers)
      : rows_(rows), count_(count), size_(size) {
    if (transposes) {
      columns_ = {buffers.Transposed(size), WholeVectors<T>(count)};
      PackPanel(rows.data, 1, rows.stride, count, columns_.stride, size, columns_.data);
    }
  }

  /// out [num_queries][count] = scale * dot products of queries and rows. Rows of `out` are as long as whole
  /// vectors.
  HWY_INLINE void Products(const StridedRows<const T>& queries, int64_t num_queries, T scale,
                           const StridedRows<T>& out) const {
    if (columns_.data == nullptr) {
      return DotRows(queries, num_queries, rows_, count_, size_, scale, out);
    }
    WeightedRows(Weights<T>{queries.data, queries.stride, 1, scale}, num_queries,
                 StridedRows<const T>{columns_.data, columns_.stride}, size_, columns_.stride, false, out);
  }

private:
  StridedRows<const T> rows_;
  int64_t count_, size_;
  StridedRows<T> columns_ = {};
};

/// Gradient of stored patterns or values: weights [query][row]^T . rows of queries [query][size]. If a row
/// has fewer numbers than a vector has lanes, it is summed with stored patterns as lanes.
template <class T> class SummedRows {
public:
  SummedRows(const StridedRows<T>& to, int64_t count, int64_t size, bool transposes, bool adds,
             Buffers<T>& buffers)
      : to_(to), count_(count), size_(size), adds_(adds) {
    if (transposes && to.data != nullptr && size < Lanes<T>()) {
      columns_ = {buffers.Transposed(size), WholeVectors<T>(count)};
    }
  }

  /// Adds the products of a block of queries. `is_first`: of the call.
  HWY_INLINE void Add(const StridedRows<T>& weights, const StridedRows<const T>& queries, int64_t num_queries,
                      bool is_first) const {
    if (columns_.data != nullptr) {
      WeightedRows(Weights<T>{queries.data, 1, queries.stride}, size_,
                   StridedRows<const T>{weights.data, weights.stride}, num_queries, columns_.stride,
                   !is_first, columns_);
    } else if (to_.data != nullptr) {
      WeightedRows(Weights<T>{weights.data, 1, weights.stride}, count_, queries, num_queries, size_,
                   adds_ || !is_first, to_);
    }
  }

  /// Writes the sums of all blocks.
  void Finish() const {
    if (columns_.data == nullptr) {
      return;
    }
    constexpr int64_t kSide = kHasBlocks ? kBlock<T> : 1;
    const int64_t whole = adds_ ? 0 : count_ / kSide * kSide;
    int64_t c = 0;
    for (; c + kSide <= size_; c += kSide) {
      for (int64_t s = 0; s < whole; s += kSide) {
        TransposeBlock(columns_.row(c) + s, columns_.stride, T{1}, to_.row(s) + c, to_.stride);
      }
    }
    for (int64_t s = 0; s < count_; ++s) {
      for (int64_t i = s < whole ? c : 0; i < size_; ++i) {
        T& to = to_.row(s)[i];
        to = (adds_ ? to : T{0}) + columns_.row(i)[s];
      }
    }
  }

private:
  StridedRows<T> to_;
  int64_t count_, size_;
  bool adds_;
  StridedRows<T> columns_ = {};
};

template <class T> HWY_INLINE T DotOf(const T* a, const T* b, int64_t size) {
  const Tag<T> d;
  const int64_t n = Lanes<T>();
  auto sum = hn::Zero(d);
  int64_t i = 0;
  for (; i + n <= size; i += n) {
    sum = hn::MulAdd(hn::LoadU(d, a + i), hn::LoadU(d, b + i), sum);
  }
  if (i < size) {
    sum = hn::MulAdd(LoadFirst(d, a + i, size - i), LoadFirst(d, b + i, size - i), sum);
  }
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

/// Score of a query with the only stored pattern: rows of one score need neither buffers nor tiles.
template <class Args> HWY_INLINE auto ScoreOfOne(const Args& args, int64_t query) {
  using T = std::remove_const_t<std::remove_pointer_t<decltype(args.stored.data)>>;
  const ScoreMask<T>& mask = args.mask;
  if ((mask.key_padding_mask != nullptr && mask.key_padding_mask[0] != 0) ||
      (mask.attention_mask != nullptr && mask.attention_mask[query * mask.stride] != 0)) {
    return MaskedScore<T>();
  }
  const T score = args.beta * DotOf(args.queries.row(query), args.stored.data, args.size);
  return mask.attention_bias == nullptr ? score : score + mask.attention_bias[query * mask.stride];
}

/// to [size] (+)= factor * row; a row with the factor 0 is not read.
template <class T> void PutRow(T factor, const T* row, int64_t size, bool adds, T* to) {
  for (int64_t c = 0; c < size; ++c) {
    to[c] = (adds ? to[c] : T{0}) + (factor == 0 ? T{0} : factor * row[c]);
  }
}

/// One stored pattern has the weight 1, or 0 if it is masked, or NaN if its score is not finite, times its
/// factor of dropout.
template <class T> void AttentionToOne(const RowAttentionArgs<T>& args) {
  for (int64_t q = 0; q < args.num_queries; ++q) {
    const T score = ScoreOfOne(args, q);
    const bool is_masked = score == MaskedScore<T>();
    const T weight = is_masked ? T{0} : T{1} + (score - score);
    if (args.row_max != nullptr) {
      args.row_max[q] = is_masked ? hwy::LowestValue<T>() : score;
    }
    if (args.row_sum != nullptr) {
      args.row_sum[q] = weight;
    }
    if (args.weights.data != nullptr) {
      *args.weights.row(q) = weight;
    }
    PutRow(weight * static_cast<T>(args.dropout.factor(q, 0)), args.values.data, args.value_size, false,
           args.readout.row(q));
  }
}

/// Here, the only stored pattern of the call may be one of several, and have another weight than 1.
template <class T> void GradientOfOne(const RowAttentionGradientArgs<T>& args) {
  const hn::CappedTag<T, 1> d;
  for (int64_t q = 0; q < args.num_queries; ++q) {
    const T *query = args.queries.row(q), *d_readout = args.d_readout.row(q);
    const T score = ScoreOfOne(args, q);
    const T factor = static_cast<T>(args.dropout.factor(q, 0));
    T weight = 0, d_score = 0;
    if (score != MaskedScore<T>()) {
      weight =
          hn::GetLane(SoftmaxWeight(d, hn::Set(d, score), hn::Set(d, args.row_max[q]))) / args.row_sum[q];
      d_score = args.beta * weight *
                (factor * DotOf(args.values.data, d_readout, args.value_size) -
                 DotOf(args.readout.row(q), d_readout, args.value_size));
    }
    if (args.d_queries.data != nullptr) {
      PutRow(d_score, args.stored.data, args.size, false, args.d_queries.row(q));
    }
    if (args.d_stored.data != nullptr) {
      PutRow(d_score, query, args.size, args.adds || q > 0, args.d_stored.data);
    }
    if (args.d_values.data != nullptr) {
      PutRow(weight * factor, d_readout, args.value_size, args.adds || q > 0, args.d_values.data);
    }
  }
}

template <class T> void Attention(const RowAttentionArgs<T>& args) {
  if (args.num_stored == 1) {
    return AttentionToOne(args);
  }
  const UnmaskedRows<T> unmasked(args.mask, args.num_stored);
  typename UnmaskedRows<T>::Copy stored_copy, values_copy;
  const auto stored = unmasked.Of(args.stored, args.size, stored_copy),
             values = unmasked.Of(args.values, args.value_size, values_copy);
  const int64_t count = unmasked.count(), padded = WholeVectors<T>(count);
  Buffers<T> buffers(args.workspace, args.num_queries, args.num_stored);
  const ComparedRows<T> compared(stored, count, args.size, args.transposes_stored, buffers);
  RowDropout<T> dropout(args.dropout, buffers.words);
  for (int64_t q = 0; q < args.num_queries; q += buffers.block) {
    const int64_t queries = HWY_MIN(buffers.block, args.num_queries - q);
    compared.Products(StridedRows<const T>{args.queries.row(q), args.queries.stride}, queries, args.beta,
                      buffers.first);
    for (int64_t i = 0; i < queries; ++i) {
      T* weights = buffers.first.row(i);
      MaskRow(args.mask, q + i, unmasked, weights);
      const RowStatistics<T> statistics = Softmax(weights, padded);
      if (args.row_max != nullptr) {
        args.row_max[q + i] = statistics.max;
      }
      if (args.row_sum != nullptr) {
        args.row_sum[q + i] = statistics.sum;
      }
      if (args.weights.data != nullptr) {
        T* to = args.weights.row(q + i);
        if (count < args.num_stored) {
          std::fill_n(to, args.num_stored, T{0});
        }
        for (int64_t s = 0; s < count; ++s) {
          to[unmasked.Index(s)] = weights[s];
        }
      }
      if (dropout.enabled() && args.num_stored > 0) {
        dropout.Generate(q + i, args.num_stored);
        dropout.Apply(unmasked, weights);
      }
    }
    WeightedRows(Weights<T>{buffers.first.data, buffers.first.stride, 1}, queries, values, count,
                 args.value_size, false, StridedRows<T>{args.readout.row(q), args.readout.stride});
  }
}

template <class T> void Gradient(const RowAttentionGradientArgs<T>& args) {
  if (args.num_stored == 1) {
    return GradientOfOne(args);
  }
  const Tag<T> d;
  const int64_t n = Lanes<T>();
  const UnmaskedRows<T> unmasked(args.mask, args.num_stored);
  typename UnmaskedRows<T>::Copy stored_copy, values_copy, d_stored_copy, d_values_copy;
  const auto stored = unmasked.Of(args.stored, args.size, stored_copy),
             values = unmasked.Of(args.values, args.value_size, values_copy);
  const auto d_stored = unmasked.GradientOf(args.d_stored, args.size, d_stored_copy),
             d_values = unmasked.GradientOf(args.d_values, args.value_size, d_values_copy);
  const bool adds = args.adds && !unmasked.are_copied();
  const int64_t count = unmasked.count(), padded = WholeVectors<T>(count);
  Buffers<T> buffers(args.workspace, args.num_queries, args.num_stored);
  const ComparedRows<T> compared(stored, count, args.size, args.transposes_stored, buffers),
      compared_values(values, count, args.value_size, args.transposes_values, buffers);
  const SummedRows<T> summed_stored(d_stored, count, args.size, args.transposes_stored, adds, buffers),
      summed_values(d_values, count, args.value_size, args.transposes_values, adds, buffers);
  RowDropout<T> dropout(args.dropout, buffers.words);
  const auto beta = hn::Set(d, args.beta);
  for (int64_t q = 0; q < args.num_queries; q += buffers.block) {
    const int64_t queries = HWY_MIN(buffers.block, args.num_queries - q);
    const StridedRows<const T> query_rows{args.queries.row(q), args.queries.stride},
        d_readout_rows{args.d_readout.row(q), args.d_readout.stride};
    compared.Products(query_rows, queries, args.beta, buffers.first);
    compared_values.Products(d_readout_rows, queries, T{1}, buffers.second);
    for (int64_t i = 0; i < queries; ++i) {
      T *weights = buffers.first.row(i), *d_scores = buffers.second.row(i);
      MaskRow(args.mask, q + i, unmasked, weights);
      Pad(d_scores, count, T{0});
      const bool uses_dropout = dropout.enabled() && args.num_stored > 0;
      if (uses_dropout) {
        dropout.Generate(q + i, args.num_stored);
        dropout.Apply(unmasked, d_scores);
      }
      const T row_sum = args.row_sum[q + i];
      const auto inverse_sum = hn::Set(d, row_sum == 0 ? T{0} : T{1} / row_sum),
                 row_max = hn::Set(d, args.row_max[q + i]),
                 delta =
                     hn::Set(d, DotOf(args.readout.row(q + i), args.d_readout.row(q + i), args.value_size));
      for (int64_t s = 0; s < padded; s += n) {
        const auto weight = hn::Mul(SoftmaxWeight(d, hn::Load(d, weights + s), row_max), inverse_sum);
        hn::Store(weight, d, weights + s);
        hn::Store(hn::Mul(beta, hn::Mul(weight, hn::Sub(hn::Load(d, d_scores + s), delta))), d, d_scores + s);
      }
      if (uses_dropout) {
        dropout.Apply(unmasked, weights);
      }
    }
    if (args.d_queries.data != nullptr) {
      WeightedRows(Weights<T>{buffers.second.data, buffers.second.stride, 1}, queries, stored, count,
                   args.size, false, StridedRows<T>{args.d_queries.row(q), args.d_queries.stride});
    }
    summed_stored.Add(buffers.second, query_rows, queries, q == 0);
    summed_values.Add(buffers.first, d_readout_rows, queries, q == 0);
  }
  if (args.num_queries == 0) {
    return;
  }
  summed_stored.Finish();
  summed_values.Finish();
  if (count < args.num_stored) {
    unmasked.WriteGradient(d_stored, args.size, args.adds, args.d_stored);
    unmasked.WriteGradient(d_values, args.value_size, args.adds, args.d_values);
  }
}

MNEME_KERNEL_TYPES(Attention, RowAttentionArgs)
MNEME_KERNEL_TYPES(Gradient, RowAttentionGradientArgs)

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

MNEME_EXPORT_KERNEL(row_attention, Attention, RowAttentionArgs)
MNEME_EXPORT_KERNEL(row_attention_gradient, Gradient, RowAttentionGradientArgs)

} // namespace mneme::kernels
#endif
