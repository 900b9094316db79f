// SPDX-License-Identifier: MIT

#include "kernels/weighted_bit_sum/weighted_bit_sum.h"

#include <bit>
#include <utility>
#include <vector>

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/weighted_bit_sum/weighted_bit_sum.cpp"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

#include "kernels/full_adder-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // every kernel has its own names
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR // One lane is no vector of words, and the reference is what it would do.
void WeightedBitSum(const WeightedBitSumArgs& args) {
  reference::weighted_bit_sum(args);
}
void CountBitsByDistance(const CountBitsArgs& args) {
  reference::count_bits(args);
}
void CountPendingBits(BitCounts& counts, const uint64_t* values) {
  reference::count_pending_bits(counts, values);
}
void MergeCounts(BitCounts& counts, const BitCounts& others) {
  reference::merge_counts(counts, others);
}
void AddWeightedCounts(const BitCounts& counts, const double* weights, double* sums) {
  reference::add_weighted_counts(counts, weights, sums);
}
#else

constexpr int64_t kRowsPerTree =
    16;                     // 4 planes and 16 inputs fit into the 16 registers of AVX2 as they are consumed
constexpr int kPlanes = 32; // counts below 2^31

/// The rows of one distance: values[rows[0]], ..., values[rows[count - 1]].
struct Group {
  const uint64_t* values;
  const int32_t* rows;
  int64_t count, words;
};

/// planes[p] = bit p of the number of rows with each bit, for one vector of words from `first_word` on.
template <class D>
HWY_INLINE void CountBits(D d, const Group& group, int64_t first_word, int planes_used, hn::Vec<D>* planes) {
  using V = hn::Vec<D>;
  const auto row = [&](int64_t i) HWY_ATTR {
    return hn::LoadU(d, group.values + group.rows[i] * group.words + first_word);
  };
  const auto row_or_zero = [&](int64_t i) HWY_ATTR { return i < group.count ? row(i) : hn::Zero(d); };
  const auto add_carry = [&](V carry, int first_plane) HWY_ATTR { // half adders
    for (int p = first_plane; p < planes_used; ++p) {
      const V next = hn::And(planes[p], carry);
      planes[p] = hn::Xor(planes[p], carry);
      carry = next;
    }
  };
  for (int p = 0; p < planes_used; ++p) {
    planes[p] = hn::Zero(d);
  }
  // A tree takes 45 operations; a row alone takes 2 per plane.
  constexpr int64_t kRowsAloneMax = 4;
  int64_t i = 0;
  if (group.count > kRowsAloneMax) {
    V ones = hn::Zero(d), twos = hn::Zero(d), fours = hn::Zero(d), eights = hn::Zero(d);
    for (; i + kRowsAloneMax < group.count; i += kRowsPerTree) {
      V eights_of[2];
      for (int64_t half = 0; half < 2; ++half) {
        V fours_of[2];
        for (int64_t quarter = 0; quarter < 2; ++quarter) {
          const int64_t at = i + 8 * half + 4 * quarter;
          V inputs[4];
          if (at + 4 <= group.count) {
            inputs[0] = row(at), inputs[1] = row(at + 1), inputs[2] = row(at + 2), inputs[3] = row(at + 3);
          } else {
            inputs[0] = row_or_zero(at), inputs[1] = row_or_zero(at + 1);
            inputs[2] = row_or_zero(at + 2), inputs[3] = hn::Zero(d);
          }
          const V twos_a = FullAdder(ones, inputs[0], inputs[1]);
          const V twos_b = FullAdder(ones, inputs[2], inputs[3]);
          fours_of[quarter] = FullAdder(twos, twos_a, twos_b);
        }
        eights_of[half] = FullAdder(fours, fours_of[0], fours_of[1]);
      }
      add_carry(FullAdder(eights, eights_of[0], eights_of[1]), 4);
    }
    planes[0] = ones, planes[1] = twos, planes[2] = fours, planes[3] = eights;
  }
  for (; i < group.count; ++i) {
    add_carry(row(i), 0);
  }
}

/// sums_b += weight balance_b for the lanes of a vector of int16 or int32.
template <class D> HWY_INLINE void AddBalances(D /*d*/, hn::Vec<D> balance, double weight, double* sums) {
  if constexpr (sizeof(hn::TFromD<D>) == 2) {
    const hn::Half<D> half;
    const hn::Repartition<int32_t, D> d32;
    const auto lanes = static_cast<int64_t>(hn::Lanes(d32));
    AddBalances(d32, hn::PromoteTo(d32, hn::LowerHalf(half, balance)), weight, sums);
    AddBalances(d32, hn::PromoteTo(d32, hn::UpperHalf(half, balance)), weight, sums + lanes);
  } else {
    const hn::Half<D> half;
    const hn::Repartition<double, D> d64;
    const auto lanes = static_cast<int64_t>(hn::Lanes(d64));
    const auto factor = hn::Set(d64, weight);
    const auto low = hn::PromoteTo(d64, hn::LowerHalf(half, balance));
    const auto high = hn::PromoteTo(d64, hn::UpperHalf(half, balance));
    hn::StoreU(hn::MulAdd(factor, low, hn::LoadU(d64, sums)), d64, sums);
    hn::StoreU(hn::MulAdd(factor, high, hn::LoadU(d64, sums + lanes)), d64, sums + lanes);
  }
}

/// sums_b += weight (2 count_b - count), for the 64 columns of one word of each plane. The bracket is
/// computed in T, a signed integer that holds it.
template <class T>
HWY_INLINE void AddWord(const uint64_t* planes, int64_t stride, int planes_used, int64_t count, double weight,
                        double* sums) {
  const hn::CappedTag<T, 64> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t b = 0; b < 64; b += lanes) {
    auto balance = hn::Set(d, static_cast<T>(-count));
    for (int p = 0; p < planes_used; ++p) {
      const uint64_t bits = planes[p * stride] >> b;
      const auto mask = hn::LoadMaskBits(d, reinterpret_cast<const uint8_t*>(&bits));
      balance = hn::Add(balance, hn::IfThenElseZero(mask, hn::Set(d, static_cast<T>(int64_t{2} << p))));
    }
    AddBalances(d, balance, weight, sums + b);
  }
}

template <class D>
HWY_INLINE void AddWords(D d, const Group& group, int64_t first_word, double weight, double* sums) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int planes_used = static_cast<int>(std::bit_width(static_cast<uint64_t>(group.count)));
  hn::Vec<D> planes[kPlanes];
  CountBits(d, group, first_word, planes_used, planes);
  HWY_ALIGN uint64_t words[kPlanes * HWY_MAX_BYTES / sizeof(uint64_t)];
  for (int p = 0; p < planes_used; ++p) {
    hn::Store(planes[p], d, words + p * lanes);
  }
  for (int64_t w = 0; w < lanes; ++w) {
    double* to = sums + 64 * (first_word + w);
    if (group.count < (1 << 14)) {
      AddWord<int16_t>(words + w, lanes, planes_used, group.count, weight, to);
    } else {
      AddWord<int32_t>(words + w, lanes, planes_used, group.count, weight, to);
    }
  }
}

/// Row numbers, sorted by distance (counting sort).
class RowsByDistance {
public:
  RowsByDistance(const int32_t* rows, const int32_t* distances, int64_t num_rows, int64_t num_distances)
      : first_(static_cast<size_t>(num_distances) + 1), sorted_(static_cast<size_t>(num_rows)) {
    for (int64_t i = 0; i < num_rows; ++i) {
      ++first_[static_cast<size_t>(distances[i]) + 1];
    }
    for (size_t distance = 1; distance < first_.size(); ++distance) {
      first_[distance] += first_[distance - 1];
    }
    std::vector<int32_t> next(first_.begin(), first_.end() - 1);
    for (int64_t i = 0; i < num_rows; ++i) {
      sorted_[static_cast<size_t>(next[static_cast<size_t>(distances[i])]++)] = rows[i];
    }
  }

  const int32_t* rows(int64_t distance) const {
    return sorted_.data() + first_[static_cast<size_t>(distance)];
  }
  int64_t count(int64_t distance) const {
    return first_[static_cast<size_t>(distance) + 1] - first_[static_cast<size_t>(distance)];
  }

private:
  std::vector<int32_t> first_, sorted_;
};

void WeightedBitSum(const WeightedBitSumArgs& args) {
  const hn::ScalableTag<uint64_t> d;
  const hn::CappedTag<uint64_t, 1> d1; // words behind the last whole vector
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const RowsByDistance sorted(args.rows, args.distances, args.num_rows, args.num_distances);
  for (int64_t distance = 0; distance < args.num_distances; ++distance) {
    const double weight = args.weights[distance];
    const Group group{args.values, sorted.rows(distance), sorted.count(distance), args.words};
    if (group.count == 0 || weight == 0) {
      continue;
    }
    int64_t w = 0;
    for (; w + lanes <= args.words; w += lanes) {
      AddWords(d, group, w, weight, args.sums);
    }
    for (; w < args.words; ++w) {
      AddWords(d1, group, w, weight, args.sums);
    }
  }
}

/// Adjacent vectors of words of a row or plane.
template <class D, int kVectors> struct WordVectors { hn::Vec<D> v[kVectors]; };

template <int kVectors, class D> HWY_INLINE WordVectors<D, kVectors> LoadWords(D d, const uint64_t* from) {
  WordVectors<D, kVectors> loaded;
  HWY_UNROLL(2)
  for (int n = 0; n < kVectors; ++n) {
    loaded.v[n] = hn::LoadU(d, from + n * static_cast<int64_t>(hn::Lanes(d)));
  }
  return loaded;
}
template <class D, int kVectors>
HWY_INLINE void StoreWords(D d, const WordVectors<D, kVectors>& stored, uint64_t* to) {
  HWY_UNROLL(2)
  for (int n = 0; n < kVectors; ++n) {
    hn::StoreU(stored.v[n], d, to + n * static_cast<int64_t>(hn::Lanes(d)));
  }
}

/// Adds the bits of 2^kLevel rows, row_of(first), ..., to the planes 0 to kLevel - 1; the carry has the
/// weight 2^kLevel.
template <int kLevel, int kVectors> struct RowTree {
  template <class D, class RowOf>
  static HWY_INLINE WordVectors<D, kVectors> add(D d, const RowOf& row_of, int first, int64_t word,
                                                 WordVectors<D, kVectors>* planes) {
    constexpr int kHalf = 1 << (kLevel - 1);
    auto a = RowTree<kLevel - 1, kVectors>::add(d, row_of, first, word, planes);
    const auto b = RowTree<kLevel - 1, kVectors>::add(d, row_of, first + kHalf, word, planes);
    HWY_UNROLL(2)
    for (int n = 0; n < kVectors; ++n) {
      a.v[n] = FullAdder(planes[kLevel - 1].v[n], a.v[n], b.v[n]);
    }
    return a;
  }
};
template <int kVectors> struct RowTree<0, kVectors> {
  template <class D, class RowOf>
  static HWY_INLINE WordVectors<D, kVectors> add(D d, const RowOf& row_of, int first, int64_t word,
                                                 WordVectors<D, kVectors>*) {
    return LoadWords<kVectors>(d, row_of(first) + word);
  }
};
static_assert(1 << BitCounts::kPlanesMin == BitCounts::kPending);

/// Adds kPending rows to the planes of a distance, for adjacent vectors of words. Their counts fit in
/// `num_planes`.
template <int kVectors, class D, class RowOf>
HWY_INLINE void AddTree(D d, const RowOf& row_of, int64_t word, int num_planes, int64_t words, uint64_t* to) {
  constexpr int kLow = BitCounts::kPlanesMin;
  WordVectors<D, kVectors> low[kLow];
  uint64_t* plane_of = to + word;
  for (int p = 0; p < kLow; ++p) {
    low[p] = LoadWords<kVectors>(d, plane_of + p * words);
  }
  auto carry = RowTree<kLow, kVectors>::add(d, row_of, 0, word, low);
  for (int p = 0; p < kLow; ++p) {
    StoreWords(d, low[p], plane_of + p * words);
  }
  for (int p = kLow; p < num_planes; ++p) { // as many as before in most cases, which is predicted
    auto plane = LoadWords<kVectors>(d, plane_of + p * words);
    HWY_UNROLL(2)
    for (int n = 0; n < kVectors; ++n) {
      carry.v[n] = HalfAdder(plane.v[n], carry.v[n]);
    }
    StoreWords(d, plane, plane_of + p * words);
  }
}

/// Adds kPending rows row_of(i) to the planes of a distance, of which `num_added` count.
template <class RowOf>
HWY_INLINE void AddRows(BitCounts& counts, int64_t distance, int64_t num_added, const RowOf& row_of) {
  const hn::ScalableTag<uint64_t> d;
  const hn::CappedTag<uint64_t, 1> d1; // words behind the last whole vector
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  // With 32 registers, two vectors share the address of a row.
  constexpr int kVectors = HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM ? 2 : 1;
  const int32_t slot = reference::slot_of(counts, distance);
  int64_t& num_rows = counts.num_rows.data()[slot];
  num_rows += num_added;
  const int num_planes = static_cast<int>(std::bit_width(static_cast<uint64_t>(num_rows)));
  const int64_t words = counts.words;
  uint64_t* planes = counts.planes.data() + int64_t{slot} * counts.num_planes * words;
  int64_t w = 0;
  for (; w + kVectors * lanes <= words; w += kVectors * lanes) {
    AddTree<kVectors>(d, row_of, w, num_planes, words, planes);
  }
  for (; w + lanes <= words; w += lanes) {
    AddTree<1>(d, row_of, w, num_planes, words, planes);
  }
  for (; w < words; ++w) {
    AddTree<1>(d1, row_of, w, num_planes, words, planes);
  }
}

/// Adds the pending rows of a distance, of which there are kPending.
HWY_NOINLINE void AddFullTree(BitCounts& counts, const uint64_t* values, int64_t distance) {
  counts.num_pending.data()[distance] = 0;
  const int32_t* pending = counts.pending.get() + distance * BitCounts::kPending;
  const int64_t words = counts.words;
  AddRows(counts, distance, BitCounts::kPending, [=](int i) HWY_ATTR { return values + pending[i] * words; });
}

/// Adds the pending rows of a distance. zeros [words]: takes the place of rows that a tree lacks.
HWY_NOINLINE void AddPendingRows(BitCounts& counts, const uint64_t* values, int64_t distance,
                                 const uint64_t* zeros) {
  const int num_pending = std::exchange(counts.num_pending.data()[distance], uint8_t{0});
  const int32_t* pending = counts.pending.get() + distance * BitCounts::kPending;
  const int64_t words = counts.words;
  AddRows(counts, distance, num_pending,
          [=](int i) HWY_ATTR { return i < num_pending ? values + pending[i] * words : zeros; });
}

void CountBitsByDistance(const CountBitsArgs& args) {
  BitCounts& counts = *args.counts;
  // Copies, which stores of bytes cannot change.
  const int64_t num_rows = args.num_rows;
  const int32_t *const rows = args.rows, *const distances = args.distances;
  const int32_t first_row = args.first_row;
  int32_t* const pending = counts.pending.get();
  uint8_t* const num_pending = counts.num_pending.data();
  for (int64_t i = 0; i < num_rows; ++i) {
    const int64_t distance = distances[i];
    const int count = num_pending[distance];
    pending[distance * BitCounts::kPending + count] =
        rows != nullptr ? rows[i] : first_row + static_cast<int32_t>(i);
    num_pending[distance] = static_cast<uint8_t>(count + 1);
    if (count + 1 == BitCounts::kPending) {
      AddFullTree(counts, args.values, distance);
    }
  }
}

void CountPendingBits(BitCounts& counts, const uint64_t* values) {
  const std::vector<uint64_t> zeros(static_cast<size_t>(counts.words), 0);
  for (int64_t distance = 0; distance < std::ssize(counts.slots); ++distance) {
    if (counts.num_pending[static_cast<size_t>(distance)] > 0) {
      AddPendingRows(counts, values, distance, zeros.data());
    }
  }
}

template <class D>
HWY_INLINE void MergePlanes(D d, const uint64_t* from, uint64_t* to, int64_t first_word, int64_t words,
                            int num_planes) {
  auto carry = hn::Zero(d);
  for (int p = 0; p < num_planes; ++p) {
    auto plane = hn::LoadU(d, to + p * words + first_word);
    carry = FullAdder(plane, hn::LoadU(d, from + p * words + first_word), carry);
    hn::StoreU(plane, d, to + p * words + first_word);
  }
}

void MergeCounts(BitCounts& counts, const BitCounts& others) {
  const hn::ScalableTag<uint64_t> d;
  const hn::CappedTag<uint64_t, 1> d1;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (size_t distance = 0; distance < others.slots.size(); ++distance) {
    const int32_t other = others.slots[distance];
    if (other < 0) {
      continue;
    }
    const int32_t slot = reference::slot_of(counts, static_cast<int64_t>(distance));
    int64_t& num_rows = counts.num_rows[static_cast<size_t>(slot)];
    num_rows += others.num_rows[static_cast<size_t>(other)];
    const int num_planes = static_cast<int>(std::bit_width(static_cast<uint64_t>(num_rows)));
    const uint64_t* from = others.planes.data() + int64_t{other} * others.num_planes * counts.words;
    uint64_t* to = counts.planes.data() + int64_t{slot} * counts.num_planes * counts.words;
    int64_t w = 0;
    for (; w + lanes <= counts.words; w += lanes) {
      MergePlanes(d, from, to, w, counts.words, num_planes);
    }
    for (; w < counts.words; ++w) {
      MergePlanes(d1, from, to, w, counts.words, num_planes);
    }
  }
}

void AddWeightedCounts(const BitCounts& counts, const double* weights, double* sums) {
  for (size_t distance = 0; distance < counts.slots.size(); ++distance) {
    const int32_t slot = counts.slots[distance];
    if (slot < 0 || weights[distance] == 0) {
      continue;
    }
    const int64_t num_rows = counts.num_rows[static_cast<size_t>(slot)];
    const int planes_used = static_cast<int>(std::bit_width(static_cast<uint64_t>(num_rows)));
    const uint64_t* planes = counts.planes.data() + int64_t{slot} * counts.num_planes * counts.words;
    for (int64_t w = 0; w < counts.words; ++w) {
      if (num_rows < (1 << 14)) {
        AddWord<int16_t>(planes + w, counts.words, planes_used, num_rows, weights[distance], sums + 64 * w);
      } else {
        AddWord<int32_t>(planes + w, counts.words, planes_used, num_rows, weights[distance], sums + 64 * w);
      }
    }
  }
}
#endif

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

HWY_EXPORT(CountBitsByDistance);
HWY_EXPORT(CountPendingBits);
HWY_EXPORT(MergeCounts);
HWY_EXPORT(AddWeightedCounts);

void count_bits(const CountBitsArgs& args) {
  use_reference_kernels() ? reference::count_bits(args) : HWY_DYNAMIC_DISPATCH(CountBitsByDistance)(args);
}
void count_pending_bits(BitCounts& counts, const uint64_t* values) {
  use_reference_kernels() ? reference::count_pending_bits(counts, values)
                          : HWY_DYNAMIC_DISPATCH(CountPendingBits)(counts, values);
}
void merge_counts(BitCounts& counts, const BitCounts& others) {
  use_reference_kernels() ? reference::merge_counts(counts, others)
                          : HWY_DYNAMIC_DISPATCH(MergeCounts)(counts, others);
}
void add_weighted_counts(const BitCounts& counts, const double* weights, double* sums) {
  use_reference_kernels() ? reference::add_weighted_counts(counts, weights, sums)
                          : HWY_DYNAMIC_DISPATCH(AddWeightedCounts)(counts, weights, sums);
}

MNEME_EXPORT_UNTYPED_KERNEL(void, weighted_bit_sum, WeightedBitSum, WeightedBitSumArgs)

} // namespace mneme::kernels
#endif
