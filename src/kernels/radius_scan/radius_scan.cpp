// SPDX-License-Identifier: MIT

#include "kernels/radius_scan/radius_scan.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <type_traits>

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/radius_scan/radius_scan.cpp"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

#include "kernels/full_adder-inl.h"
#include "kernels/row_distances-inl.h"
#include "kernels/scratch.h"
#include "kernels/selected_lanes-inl.h"
#include "mneme/core/cpu.h"

#ifndef MNEME_KERNELS_RADIUS_SCAN_LISTS
#define MNEME_KERNELS_RADIUS_SCAN_LISTS
namespace mneme::kernels {
namespace {
constexpr int64_t kSlicingPays = 12;   // queries: a tile must be transposed, and the sums of groups computed
constexpr int64_t kWordsPerColumn = 4; // of the vectors that are used with lists
constexpr int64_t kListedWordsMax = (int64_t{1} << 16) / (64 * kWordsPerColumn) - 1;

/// RadiusQueries without vectors, whose functions must not be compiled for several CPU targets.
struct QueryLists {
  const RadiusQueries::Query* queries; ///< null: there are no lists
  const int32_t* order;                ///< of the first query to compare
  const uint16_t* columns;
  int32_t max_ones;
};
} // namespace
} // namespace mneme::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // every kernel has its own names
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR // One lane cannot be seen as eight bytes, and the reference is what it would do.
void RadiusScan(const RadiusScanArgs& args, const QueryLists&) {
  reference::radius_scan(args);
}
bool UsesLists() {
  return false;
}
#else

const WordTag d64;
const DistanceTag d32;
using V = Words;

/// Appends selected rows to the lists of a query.
class Selected {
public:
  Selected(const RadiusScanArgs& args, int64_t query)
      : args_(args), rows_(args.rows + query * args.capacity),
        distances_(args.distances == nullptr ? nullptr : args.distances + query * args.capacity),
        count_(args.counts[query]) {}

  HWY_INLINE void add(int64_t row, int32_t distance) {
    if (count_ < args_.capacity) {
      rows_[count_] = args_.first_row + static_cast<int32_t>(row);
      if (distances_ != nullptr) {
        distances_[count_] = distance;
      }
    }
    ++count_;
  }

  /// Adds the rows from `first` on whose lane of `near` is true.
  template <class M> HWY_INLINE void add_lanes(int64_t first, M near, Distances distances) {
    const auto lanes = static_cast<int64_t>(hn::Lanes(d32));
    if (count_ + lanes <= args_.capacity) { // a store writes a whole vector
      const hn::RebindToSigned<DistanceTag> di32;
      const auto of_first = hn::Set(di32, args_.first_row + static_cast<int32_t>(first));
      StoreSelected(di32, hn::Add(of_first, hn::Iota(di32, 0)), // a constant; Iota of a variable is slow
                    hn::RebindMask(di32, near), rows_ + count_);
      if (distances_ != nullptr) {
        StoreSelected(d32, distances, near, reinterpret_cast<uint32_t*>(distances_ + count_));
      }
      count_ += static_cast<int64_t>(hn::CountTrue(d32, near));
      return;
    }
    HWY_ALIGN uint32_t each[HWY_MAX_BYTES / sizeof(uint64_t)], is_near[HWY_MAX_BYTES / sizeof(uint64_t)];
    hn::Store(distances, d32, each);
    hn::Store(hn::VecFromMask(d32, near), d32, is_near);
    for (int64_t lane = 0; lane < lanes; ++lane) {
      if (is_near[lane] != 0) {
        add(first + lane, static_cast<int32_t>(each[lane]));
      }
    }
  }

  int64_t count() const { return count_; }
  bool wants_distances() const { return distances_ != nullptr && count_ < args_.capacity; }

private:
  const RadiusScanArgs& args_;
  int32_t* rows_;
  int32_t* distances_;
  int64_t count_;
};

/// Selects the rows within the limit of a query, and lowers its smallest distance.
class NearRows {
public:
  explicit NearRows(const RadiusScanArgs& args) : args_(args) {}

  template <class OfVector>
  HWY_INLINE void add(int64_t query, int64_t first, int64_t num_vectors, const OfVector& of_vector) const {
    Distances nearest = of_vector(0);
    for (int64_t i = 1; i < num_vectors; ++i) {
      nearest = hn::Min(nearest, of_vector(i));
    }
    const int32_t limit = args_.limits[query];
    if (is_any_within(limit, nearest)) { // then without branches: whether a vector has such a row is random
      Selected selected(args_, query);
      for (int64_t i = 0; i < num_vectors; ++i) {
        const Distances distances = of_vector(i);
        const auto near = hn::Not(hn::Gt(distances, hn::Set(d32, static_cast<uint32_t>(limit))));
        selected.add_lanes(first + i * static_cast<int64_t>(hn::Lanes(d32)), near, distances);
      }
      args_.counts[query] = selected.count();
    }
    if (args_.min_distances != nullptr && is_any_within(args_.min_distances[query] - 1, nearest)) {
      lower(query, static_cast<int32_t>(hn::GetLane(hn::MinOfLanes(d32, nearest))));
    }
  }

  void add_row(int64_t query, int64_t row, int32_t distance) const {
    if (args_.min_distances != nullptr) {
      lower(query, distance);
    }
    if (distance <= args_.limits[query]) {
      Selected selected(args_, query);
      selected.add(row, distance);
      args_.counts[query] = selected.count();
    }
  }

private:
  static HWY_INLINE bool is_any_within(int32_t limit, Distances distances) {
    return limit >= 0 && !hn::AllTrue(d32, hn::Gt(distances, hn::Set(d32, static_cast<uint32_t>(limit))));
  }

  void lower(int64_t query, int32_t distance) const {
    args_.min_distances[query] = HWY_MIN(args_.min_distances[query], distance);
  }

  const RadiusScanArgs& args_;
};

#if HWY_TARGET <= HWY_AVX3
/// The bits of `yes` where `mask` has a bit, else those of `no`.
HWY_INLINE V Select(V mask, V yes, V no) {
  return V{_mm512_ternarylogic_epi64(mask.raw, yes.raw, no.raw, 0xCA)};
}
#endif

constexpr int64_t kColumnsPerGroup = 3;
constexpr int kSumsPerGroup = 8; // one for each value of the three bits of a query
constexpr int kGroupsPerStep =
    16; // the sums of the groups of a step stay in the L1 cache: 16 kB of 512-bit vectors
constexpr int64_t kColumnsPerStep = kColumnsPerGroup * kGroupsPerStep;
constexpr int64_t kRowsPerLane = 64;
constexpr int kLowPlanes = 6; // planes of a count that every step reads and writes

struct Three {
  V a, b, c;
};

/// A vector that stays in a register. GCC would load it twice, once for each instruction of a full adder, and
/// loads limit the speed of a step.
HWY_INLINE V LoadOnce(const uint64_t* from) {
  V v = hn::Load(d64, from);
#if HWY_TARGET <= HWY_AVX3 && HWY_COMPILER_GCC_ACTUAL
  __asm__("" : "+v"(v.raw));
#endif
  return v;
}

/// Adds the numbers of differing bits in 2^kLevel groups to the planes 0 to kLevel - 1 of a count. The
/// carries are three vectors of weight 2^kLevel.
template <int kLevel> struct AddGroups {
  static HWY_INLINE Three run(const uint64_t* sums, uint64_t query, V* planes) {
    const int64_t stride = static_cast<int64_t>(hn::Lanes(d64)) * kSumsPerGroup * 2;
    constexpr int kGroups = 1 << (kLevel - 1);
    const Three x = AddGroups<kLevel - 1>::run(sums, query, planes);
    const Three y =
        AddGroups<kLevel - 1>::run(sums + kGroups * stride, query >> (kColumnsPerGroup * kGroups), planes);
    V& plane = planes[kLevel - 1];
    const V a = FullAdder(plane, x.a, x.b);
    const V b = FullAdder(plane, x.c, y.a);
    const V c = FullAdder(plane, y.b, y.c);
    return {a, b, c};
  }
};

template <> struct AddGroups<1> {
  static HWY_INLINE Three run(const uint64_t* sums, uint64_t query, V* planes) {
    const auto lanes = static_cast<int64_t>(hn::Lanes(d64));
    const uint64_t* first = sums + static_cast<int64_t>(query & 7) * 2 * lanes;
    const uint64_t* second =
        sums + (kSumsPerGroup + static_cast<int64_t>((query >> kColumnsPerGroup) & 7)) * 2 * lanes;
    const V carry = FullAdder(planes[0], LoadOnce(first), LoadOnce(second));
    return {LoadOnce(first + lanes), LoadOnce(second + lanes), carry};
  }
};

/// Transposes rows of bits: word k of columns[c] has bit c of 64 rows.
class Columns {
public:
  Columns(int64_t words)
      : words_(words), columns_(take_scratch<uint64_t>((HWY_MAX(words, 1) * kRowsPerLane + 1) * lanes())) {
    hn::Store(hn::Zero(d64), d64, columns_.get() + words * kRowsPerLane * lanes());
  }

  /// Rows beyond num_rows repeat the last one.
  void load(const uint64_t* rows, int64_t num_rows) {
    const int64_t lanes = Columns::lanes(), stride = kRowsPerLane * lanes;
    HWY_ALIGN uint64_t blocks[kLanesMax * kRowsPerLane * kLanesMax]; // a block for each of `lanes` words
    for (int64_t w = 0; w < words_; w += lanes) {
      const int64_t count = HWY_MIN(lanes, words_ - w);
      for (int64_t i = 0; i < kRowsPerLane; ++i) {
        const auto row_of = [&](int64_t k) {
          return rows + HWY_MIN(k * kRowsPerLane + i, num_rows - 1) * words_ + w;
        };
        InterleaveWords(row_of, count, blocks + i * lanes, stride);
      }
      for (int64_t j = 0; j < count; ++j) {
        transpose(blocks + j * stride, columns_.get() + (w + j) * stride);
      }
    }
  }

  /// Column 64 words is 0.
  const uint64_t* data() const { return columns_.get(); }

  HWY_INLINE V operator[](int64_t column) const {
    return column < words_ * 64 ? hn::Load(d64, columns_.get() + column * lanes()) : hn::Zero(d64);
  }

  static HWY_INLINE int64_t lanes() { return static_cast<int64_t>(hn::Lanes(d64)); }

private:
  /// One step of the transposition of 64 x 64 bits: exchanges the bits of a whose position has the bit
  /// kShift with those of b that have it not.
  template <int kShift> static HWY_INLINE void exchange(V& a, V& b, uint64_t mask) {
#if HWY_TARGET <= HWY_AVX3
    const V low = hn::Set(d64, mask);
    const V upper = hn::ShiftRight<kShift>(a);
    a = Select(low, a, hn::ShiftLeft<kShift>(b));
    b = Select(low, upper, b);
#else
    if constexpr (kShift == 32 || kShift == 16) { // whole lanes move: 4 operations
      const hn::Repartition<std::conditional_t<kShift == 32, uint32_t, uint16_t>, WordTag> d;
      const V upper = hn::ShiftRight<kShift>(a);
      a = hn::BitCast(d64, hn::OddEven(hn::BitCast(d, hn::ShiftLeft<kShift>(b)), hn::BitCast(d, a)));
      b = hn::BitCast(d64, hn::OddEven(hn::BitCast(d, b), hn::BitCast(d, upper)));
    } else {
      const V differs = hn::And(hn::Xor(hn::ShiftRight<kShift>(a), b), hn::Set(d64, mask));
      b = hn::Xor(b, differs);
      a = hn::Xor(a, hn::ShiftLeft<kShift>(differs));
    }
#endif
  }

  /// Three of the six steps, for eight words that are `stride` apart.
  template <int kShift>
  static HWY_INLINE void exchange_eight(const uint64_t* from, uint64_t* to, int64_t stride, uint64_t mask4,
                                        uint64_t mask2, uint64_t mask1) {
    V v0 = hn::Load(d64, from), v1 = hn::Load(d64, from + stride), v2 = hn::Load(d64, from + 2 * stride),
      v3 = hn::Load(d64, from + 3 * stride), v4 = hn::Load(d64, from + 4 * stride),
      v5 = hn::Load(d64, from + 5 * stride), v6 = hn::Load(d64, from + 6 * stride),
      v7 = hn::Load(d64, from + 7 * stride);
    exchange<4 * kShift>(v0, v4, mask4), exchange<4 * kShift>(v1, v5, mask4);
    exchange<4 * kShift>(v2, v6, mask4), exchange<4 * kShift>(v3, v7, mask4);
    exchange<2 * kShift>(v0, v2, mask2), exchange<2 * kShift>(v1, v3, mask2);
    exchange<2 * kShift>(v4, v6, mask2), exchange<2 * kShift>(v5, v7, mask2);
    exchange<kShift>(v0, v1, mask1), exchange<kShift>(v2, v3, mask1);
    exchange<kShift>(v4, v5, mask1), exchange<kShift>(v6, v7, mask1);
    hn::Store(v0, d64, to), hn::Store(v1, d64, to + stride), hn::Store(v2, d64, to + 2 * stride);
    hn::Store(v3, d64, to + 3 * stride), hn::Store(v4, d64, to + 4 * stride);
    hn::Store(v5, d64, to + 5 * stride), hn::Store(v6, d64, to + 6 * stride);
    hn::Store(v7, d64, to + 7 * stride);
  }

  static void transpose(uint64_t* block, uint64_t* to) {
    const int64_t lanes = Columns::lanes();
    for (int64_t i = 0; i < 8; ++i) {
      exchange_eight<8>(block + i * lanes, block + i * lanes, 8 * lanes, 0x00000000FFFFFFFF,
                        0x0000FFFF0000FFFF, 0x00FF00FF00FF00FF);
    }
    for (int64_t i = 0; i < 8; ++i) {
      exchange_eight<1>(block + 8 * i * lanes, to + 8 * i * lanes, lanes, 0x0F0F0F0F0F0F0F0F,
                        0x3333333333333333, 0x5555555555555555);
    }
  }

  int64_t words_;
  Scratch<uint64_t> columns_;
};

/// The sums of three columns as two planes, for each value of the bits of a query.
HWY_INLINE void StoreSums(V x0, V x1, V x2, uint64_t* sums) {
  const int64_t lanes = Columns::lanes();
  for (int q = 0; q < kSumsPerGroup; ++q) {
    V sum = (q & 1) != 0 ? hn::Not(x0) : x0;
    const V carry = FullAdder(sum, (q & 2) != 0 ? hn::Not(x1) : x1, (q & 4) != 0 ? hn::Not(x2) : x2);
    hn::Store(sum, d64, sums + 2 * q * lanes);
    hn::Store(carry, d64, sums + (2 * q + 1) * lanes);
  }
}

/// One step for one query: adds its differing bits in kGroupsPerStep groups to the low planes of its counts.
/// Returns the carry.
HWY_INLINE V AddStep(const uint64_t* sums, uint64_t query, uint64_t* planes) {
  static_assert(kGroupsPerStep == 16 && kLowPlanes == 6);
  const int64_t lanes = Columns::lanes();
  V low[kLowPlanes];
  for (int p = 0; p < kLowPlanes; ++p) {
    low[p] = hn::Load(d64, planes + p * lanes);
  }
  const Three sixteens = AddGroups<4>::run(sums, query, low);
  const V first = FullAdder(low[4], sixteens.a, sixteens.b), second = HalfAdder(low[4], sixteens.c);
  const V carry = FullAdder(low[5], first, second);
  for (int p = 0; p < kLowPlanes; ++p) {
    hn::Store(low[p], d64, planes + p * lanes);
  }
  return carry;
}

/// Adds up the carries of all steps, and stores the planes from kLowPlanes on.
HWY_INLINE void AddCarries(uint64_t* carries, int64_t num_carries, uint64_t* planes, int num_planes) {
  const int64_t lanes = Columns::lanes();
  for (int p = kLowPlanes; p < num_planes; ++p) {
    V plane = hn::Zero(d64);
    int64_t next = 0, i = 0;
    for (; i + 2 <= num_carries; i += 2) {
      const V carry =
          FullAdder(plane, hn::Load(d64, carries + i * lanes), hn::Load(d64, carries + (i + 1) * lanes));
      hn::Store(carry, d64, carries + next++ * lanes);
    }
    if (i < num_carries) {
      const V carry = HalfAdder(plane, hn::Load(d64, carries + i * lanes));
      hn::Store(carry, d64, carries + next++ * lanes);
    }
    hn::Store(plane, d64, planes + p * lanes);
    num_carries = next;
  }
}

/// The rows whose count is at most `limit`, a bit each.
HWY_INLINE V AtMost(const uint64_t* planes, int num_planes, int64_t limit) {
  V less = hn::Zero(d64), equal = hn::Not(less);
  if (limit < 0) {
    return less;
  }
  if (limit >= (int64_t{1} << num_planes) - 1) {
    return equal;
  }
  const int64_t lanes = Columns::lanes();
  for (int p = num_planes - 1; p >= 0; --p) {
    const V plane = hn::Load(d64, planes + p * lanes);
    if (((limit >> p) & 1) != 0) {
      less = hn::Or(less, hn::AndNot(plane, equal));
      equal = hn::And(equal, plane);
    } else {
      equal = hn::AndNot(plane, equal);
    }
  }
  return hn::Or(less, equal);
}

/// The counts of the 64 rows of a lane.
HWY_INLINE void CountsOfLane(const uint64_t* planes, int64_t lane, int num_planes, int32_t* counts) {
  const hn::CappedTag<int32_t, 16> d;
  const int64_t lanes = Columns::lanes(), counts_at_once = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < kRowsPerLane; i += counts_at_once) {
    auto count = hn::Zero(d);
    for (int p = 0; p < num_planes; ++p) {
      const uint64_t bits = planes[p * lanes + lane] >> i;
      const auto mask = hn::LoadMaskBits(d, reinterpret_cast<const uint8_t*>(&bits));
      count = hn::Add(count, hn::IfThenElseZero(mask, hn::Set(d, static_cast<int32_t>(1 << p))));
    }
    hn::StoreU(count, d, counts + i);
  }
}

/// Adds the rows of one vector of rows that are set in `near`.
template <class Counts>
void AddRows(const RadiusScanArgs& args, int64_t query, int64_t first_row, const uint64_t* near,
             Counts& all) {
  const int64_t lanes = Columns::lanes();
  Selected selected(args, query);
  const uint64_t* planes = selected.wants_distances() ? all.planes(query) : nullptr;
  const int num_planes = all.num_planes();
  const int32_t offset = all.offset(query);
  for (int64_t lane = 0; lane < lanes; ++lane) {
    uint64_t rows = near[lane];
    constexpr int kFew = 6; // for more rows, all 64 counts are computed at once
    int32_t counts[kRowsPerLane];
    const bool few = std::popcount(rows) <= kFew;
    if (selected.wants_distances() && !few) {
      CountsOfLane(planes, lane, num_planes, counts);
    }
    for (; rows != 0; rows &= rows - 1) {
      const int row = std::countr_zero(rows);
      int32_t distance = 0;
      if (selected.wants_distances()) {
        if (few) {
          for (int p = 0; p < num_planes; ++p) {
            distance |= static_cast<int32_t>((planes[p * lanes + lane] >> row) & 1) << p;
          }
        } else {
          distance = counts[row];
        }
      }
      selected.add(first_row + lane * kRowsPerLane + row, distance - offset);
    }
  }
  args.counts[query] = selected.count();
}

/// The smallest count of the rows that are set in `candidates`, of which there is at least one.
int32_t MinCount(const uint64_t* planes, int num_planes, V candidates) {
  const int64_t lanes = Columns::lanes();
  int32_t min = 0;
  for (int p = num_planes - 1; p >= 0; --p) {
    const V zeros = hn::AndNot(hn::Load(d64, planes + p * lanes), candidates);
    if (hn::AllTrue(d64, hn::Eq(zeros, hn::Zero(d64)))) {
      min |= int32_t{1} << p;
    } else {
      candidates = zeros;
    }
  }
  return min;
}

/// 48 bits of a query from bit 48 step on.
HWY_INLINE uint64_t StepOfQuery(const uint64_t* query, int64_t words, int64_t step) {
  const int64_t bit = step * kColumnsPerStep, w = bit / 64, shift = bit % 64;
  uint64_t bits = query[w] >> shift;
  if (shift > 64 - kColumnsPerStep && w + 1 < words) {
    bits |= query[w + 1] << (64 - shift);
  }
  return bits;
}

/// Counts of a block of queries for one vector of rows, and the carries of all steps: groups of columns.
class GroupedCounts {
public:
  static constexpr int64_t kQueriesPerBlock = 128; // their counts stay in the L2 cache

  GroupedCounts(const RadiusScanArgs& args, int64_t num_queries)
      : args_(args), steps_((64 * args.words + kColumnsPerStep - 1) / kColumnsPerStep),
        num_planes_(
            HWY_MAX(kLowPlanes, static_cast<int>(std::bit_width(static_cast<uint64_t>(64 * args.words))))),
        bits_(take_scratch<uint64_t>(num_queries)),
        sums_(take_scratch<uint64_t>(kGroupsPerStep * kSumsPerGroup * 2 * Columns::lanes())),
        planes_(take_scratch<uint64_t>(num_queries * size())) {}

  void load(const Columns&) {}

  /// Compares the rows with `num_queries` queries from `first` on.
  void compare(const Columns& columns, int64_t first, int64_t num_queries) {
    const int64_t words = args_.words;
    const uint64_t* queries = args_.queries + first * words;
    first_ = first;
    const int64_t lanes = Columns::lanes();
    for (int64_t q = 0; q < num_queries; ++q) {
      for (int p = 0; p < kLowPlanes; ++p) {
        hn::Store(hn::Zero(d64), d64, of(q) + p * lanes);
      }
    }
    for (int64_t step = 0; step < steps_; ++step) {
      for (int64_t g = 0; g < kGroupsPerStep; ++g) {
        const int64_t column = step * kColumnsPerStep + kColumnsPerGroup * g;
        StoreSums(columns[column], columns[column + 1], columns[column + 2],
                  sums_.get() + g * kSumsPerGroup * 2 * lanes);
      }
      for (int64_t q = 0; q < num_queries; ++q) {
        bits_[static_cast<size_t>(q)] = StepOfQuery(queries + q * words, words, step);
      }
      for (int64_t q = 0; q < num_queries; ++q) {
        const V carry = AddStep(sums_.get(), bits_[static_cast<size_t>(q)], of(q));
        hn::Store(carry, d64, of(q) + (num_planes_ + step) * lanes);
      }
    }
    for (int64_t q = 0; q < num_queries; ++q) {
      AddCarries(of(q) + num_planes_ * lanes, steps_, of(q), num_planes_);
    }
  }

  /// The rows within the limit of a query, a bit each.
  V within_limit(int64_t query) { return AtMost(planes(query), num_planes_, args_.limits[query]); }

  /// Counts of a query of the block that was compared, and by how much they exceed the distances.
  const uint64_t* planes(int64_t query) { return of(query - first_); }
  int num_planes() const { return num_planes_; }
  int32_t offset(int64_t) const { return 0; }

private:
  int64_t size() const { return (num_planes_ + steps_) * Columns::lanes(); } ///< of one query
  uint64_t* of(int64_t query) { return planes_.get() + query * size(); }

  const RadiusScanArgs& args_;
  int64_t steps_, first_ = 0;
  int num_planes_;
  Scratch<uint64_t> bits_, sums_, planes_;
};

/// Vectors of bits that are added: columns in the order of a list, or consecutive ones. Passed by value,
/// because pointers behind a reference would be loaded again after every store.
struct ListedColumns {
  const uint64_t* columns;
  const uint16_t* list;
  HWY_INLINE V operator()(int i) const { return hn::Load(d64, columns + list[i]); }
  HWY_INLINE void next_block() { list += RadiusQueries::kColumnsPerBlock; }
};
struct ConsecutiveColumns {
  const uint64_t* columns;
  HWY_INLINE V operator()(int i) const {
    return hn::Load(d64, columns + i * static_cast<int64_t>(hn::Lanes(d64)));
  }
  HWY_INLINE void next_block() {
    columns += RadiusQueries::kColumnsPerBlock * static_cast<int64_t>(hn::Lanes(d64));
  }
};

/// The sum of bits i to i + 3 and a plane: the plane becomes its lowest bit.
template <class Bits> HWY_INLINE BitPair<V> AddFour(Bits bits, int i, V& plane) {
  const V a = bits(i), b = bits(i + 2);
  return AddPairs(plane, BitPair<V>{a, hn::Xor(a, bits(i + 1))}, BitPair<V>{b, hn::Xor(b, bits(i + 3))});
}
template <class Bits> HWY_INLINE BitPair<V> AddEight(Bits bits, int i, V& plane0, V& plane1) {
  const BitPair<V> a = AddFour(bits, i, plane0), b = AddFour(bits, i + 4, plane0);
  return AddPairs(plane1, a, b);
}

/// Adds blocks of 16 vectors of bits to the number of four planes at `from`, and stores it at `to`. The
/// carries may overwrite bits that were added. 68 operations per block.
template <class Bits>
HWY_INLINE void AddToFourPlanes(Bits bits, int64_t num_blocks, const uint64_t* from, uint64_t* to,
                                uint64_t* carries) {
  const int64_t lanes = Columns::lanes();
  V p0 = hn::Load(d64, from), p1 = hn::Load(d64, from + lanes), p2 = hn::Load(d64, from + 2 * lanes),
    p3 = hn::Load(d64, from + 3 * lanes);
  for (int64_t k = 0; k < num_blocks; ++k, bits.next_block()) {
    const BitPair<V> a = AddEight(bits, 0, p0, p1), b = AddEight(bits, 8, p0, p1);
    hn::Store(AddPair(p3, AddPairs(p2, a, b)), d64, carries + k * lanes);
  }
  hn::Store(p0, d64, to), hn::Store(p1, d64, to + lanes), hn::Store(p2, d64, to + 2 * lanes);
  hn::Store(p3, d64, to + 3 * lanes);
}

/// The planes of `to` become those of `from` + the sum of 16 num_blocks vectors of bits, modulo 2^num_planes.
/// Planes are stored in whole groups of 4, and `carries` has space for num_blocks vectors, rounded up to 16.
template <class Bits>
HWY_INLINE void AddBlocks(Bits bits, int64_t num_blocks, const uint64_t* from, uint64_t* to, int num_planes,
                          uint64_t* carries) {
  const int64_t lanes = Columns::lanes();
  constexpr int kPlanes = 4;
  constexpr int64_t kPerBlock = RadiusQueries::kColumnsPerBlock, kFewCarries = 3;
  // Four planes at a time; the carries of one time are the bits of the next.
  AddToFourPlanes(bits, num_blocks, from, to, carries);
  int p = kPlanes;
  for (; p < num_planes && num_blocks > kFewCarries; p += kPlanes) {
    const int64_t num_carries = num_blocks;
    num_blocks = (num_carries + kPerBlock - 1) / kPerBlock;
    for (int64_t k = num_carries; k < num_blocks * kPerBlock; ++k) {
      hn::Store(hn::Zero(d64), d64, carries + k * lanes);
    }
    AddToFourPlanes(ConsecutiveColumns{carries}, num_blocks, from + p * lanes, to + p * lanes, carries);
  }
  const auto carry = [&](int64_t k) HWY_ATTR {
    return k < num_blocks ? hn::Load(d64, carries + k * lanes) : hn::Zero(d64);
  };
  V a = carry(0), b = carry(1), c = carry(2);
  for (; p < num_planes; ++p) {
    V plane = hn::Load(d64, from + p * lanes);
    a = HalfAdder(plane, a), b = HalfAdder(plane, b), c = HalfAdder(plane, c);
    hn::Store(plane, d64, to + p * lanes);
  }
}

/// Counts of a block of queries for one vector of rows: lists of columns. The count of a query is max_ones +
/// ones(row) - 2 (ones that the row shares with the query), which exceeds the distance by max_ones -
/// ones(query). Its complement is kept, to which shared ones are added: ~(a - b) = ~a + b. Numbers are modulo
/// 2^num_planes; counts of kNoZeros can be negative.
class ListedCounts {
public:
  static constexpr int64_t kQueriesPerBlock = RadiusQueries::kQueriesPerGroup;

  ListedCounts(const RadiusScanArgs& args, int64_t num_queries, const QueryLists& lists)
      : args_(args), lists_(lists), blocks_(64 * args.words / RadiusQueries::kColumnsPerBlock),
        num_planes_(
            static_cast<int>(std::bit_width(static_cast<uint64_t>(64 * args.words + lists.max_ones)))),
        carries_(take_scratch<uint64_t>((blocks_ + 16) * Columns::lanes())),
        planes_(take_scratch<uint64_t>((num_queries + 3) * size())),
        limits_(take_scratch<uint64_t>(args.num_queries * num_planes_)) {
    for (int64_t i = 0; i < (num_queries + 3) * size(); i += Columns::lanes()) {
      hn::Store(hn::Zero(d64), d64, planes_.get() + i);
    }
    for (int64_t q = 0; q < args.num_queries; ++q) {
      const RadiusQueries::Query& query = lists.queries[args.first_prepared + q];
      // Count <= limit + offset, which is complement >= ~(limit + offset).
      const int64_t max = (int64_t{1} << num_planes_) - 1;
      const int64_t most = int64_t{args.limits[q]} + lists.max_ones - query.ones;
      const int64_t least = max - HWY_MIN(max, HWY_MAX(most, int64_t{0}));
      for (int p = 0; p < num_planes_; ++p) {
        limits_[static_cast<size_t>(q * num_planes_ + p)] =
            uint64_t{0} - ((static_cast<uint64_t>(least) >> p) & 1);
      }
    }
  }

  /// The counts of both predecessors that are not queries.
  void load(const Columns& columns) {
    const int64_t lanes = Columns::lanes();
    uint64_t *no_ones = of(RadiusQueries::kNoOnes), *no_zeros = of(RadiusQueries::kNoZeros);
    const ConsecutiveColumns all{columns.data()};
    for (int p = 0; p < num_planes_; ++p) {
      hn::Store(((lists_.max_ones >> p) & 1) != 0 ? hn::Not(hn::Zero(d64)) : hn::Zero(d64), d64,
                no_ones + p * lanes);
    }
    complement(no_ones, no_zeros); // ~(max_ones - ones(row)) = ~max_ones + ones(row)
    AddBlocks(all, blocks_, no_ones, no_ones, num_planes_, carries_.get());
    complement(no_ones, no_ones);
    AddBlocks(all, blocks_, no_zeros, no_zeros, num_planes_, carries_.get());
  }

  /// Compares the rows with `num_queries` queries from `first` on.
  void compare(const Columns& columns, int64_t first, int64_t num_queries) {
    const int64_t lanes = Columns::lanes(), begin = args_.first_prepared + first;
    first_ = first;
    for (int64_t i = begin; i < begin + num_queries; ++i) {
      const int64_t q = lists_.order[i];
      const RadiusQueries::Query& query = lists_.queries[q];
      const uint64_t* from = of(query.predecessor < 0 ? query.predecessor : query.predecessor - begin);
      uint64_t* to = of(q - begin);
      ListedColumns bits{columns.data(), lists_.columns + query.begin};
      hn::Store(hn::Load(d64, from), d64, to); // twice the shared ones are even
      AddBlocks(bits, query.added_blocks, from + lanes, to + lanes, num_planes_ - 1, carries_.get());
      if (query.removed_blocks > 0) {
        bits.list += query.added_blocks * RadiusQueries::kColumnsPerBlock;
        complement(to, to);
        AddBlocks(bits, query.removed_blocks, to + lanes, to + lanes, num_planes_ - 1, carries_.get());
        complement(to, to);
      }
    }
  }

  /// The rows within the limit of a query, a bit each. Without branches, because the bits of limits + offsets
  /// vary. The comparison >= of the lower planes is kept where the next plane equals the bit of the limit.
  V within_limit(int64_t query) {
    const int64_t lanes = Columns::lanes();
    const uint64_t *planes = of(query - first_), *limit = limits_.get() + query * num_planes_;
    V near = hn::Not(hn::Zero(d64));
    for (int p = 0; p < num_planes_; ++p) {
      const V plane = hn::Load(d64, planes + p * lanes), both = hn::And(plane, near);
      near = hn::Or(both, hn::AndNot(hn::Set(d64, limit[p]), hn::Or(plane, near)));
    }
    return args_.limits[query] < 0 ? hn::Zero(d64) : near;
  }

  /// Counts of a query of the block that was compared, and by how much they exceed the distances. The planes
  /// are valid until the next call.
  const uint64_t* planes(int64_t query) {
    uint64_t* counts = planes_.get() + 2 * size();
    complement(of(query - first_), counts);
    return counts;
  }
  int num_planes() const { return num_planes_; }
  int32_t offset(int64_t query) const {
    return lists_.max_ones - lists_.queries[args_.first_prepared + query].ones;
  }

private:
  /// Planes of one query: groups of 4 from the first or second plane on.
  int64_t size() const { return ((num_planes_ + 3) / 4 * 4 + 1) * Columns::lanes(); }
  /// The complements of a query of the block, or of one of the predecessors -1 and -2.
  uint64_t* of(int64_t query) { return planes_.get() + (query < 0 ? -1 - query : query + 3) * size(); }

  void complement(const uint64_t* from, uint64_t* to) const {
    const int64_t lanes = Columns::lanes();
    for (int p = 0; p < num_planes_; ++p) {
      hn::Store(hn::Not(hn::Load(d64, from + p * lanes)), d64, to + p * lanes);
    }
  }

  const RadiusScanArgs& args_;
  const QueryLists& lists_;
  int64_t blocks_, first_ = 0;
  int num_planes_;
  Scratch<uint64_t> carries_, planes_, limits_;
};

template <class Counts>
HWY_INLINE void SlicedQueries(const RadiusScanArgs& args, int64_t block, Counts& counts) {
  const int64_t lanes = Columns::lanes(), rows_per_tile = kRowsPerLane * lanes;
  Columns columns(args.words);
  const int num_planes = counts.num_planes();
  HWY_ALIGN uint64_t valid[HWY_MAX_BYTES / sizeof(uint64_t)], near_rows[HWY_MAX_BYTES / sizeof(uint64_t)];
  for (int64_t first = 0; first < args.num_stored; first += rows_per_tile) {
    const int64_t rows = HWY_MIN(rows_per_tile, args.num_stored - first);
    columns.load(args.stored + first * args.words, rows);
    counts.load(columns);
    for (int64_t k = 0; k < lanes; ++k) {
      const int64_t in_lane = HWY_MAX(int64_t{0}, HWY_MIN(kRowsPerLane, rows - k * kRowsPerLane));
      valid[k] = in_lane == kRowsPerLane ? ~uint64_t{0} : (uint64_t{1} << in_lane) - 1;
    }
    for (int64_t begin = 0; begin < args.num_queries; begin += block) {
      const int64_t end = HWY_MIN(args.num_queries, begin + block);
      counts.compare(columns, begin, end - begin);
      for (int64_t q = begin; q < end; ++q) {
        const V of_tile = hn::Load(d64, valid);
        const V near = hn::And(of_tile, counts.within_limit(q));
        if (!hn::AllTrue(d64, hn::Eq(near, hn::Zero(d64)))) {
          hn::Store(near, d64, near_rows);
          AddRows(args, q, first, near_rows, counts);
        }
        if (args.min_distances != nullptr) {
          const uint64_t* planes = counts.planes(q);
          const int32_t offset = counts.offset(q);
          const V nearer =
              hn::And(of_tile, AtMost(planes, num_planes, int64_t{args.min_distances[q]} + offset - 1));
          if (!hn::AllTrue(d64, hn::Eq(nearer, hn::Zero(d64)))) {
            args.min_distances[q] = MinCount(planes, num_planes, nearer) - offset;
          }
        }
      }
    }
  }
}

/// Lists are used with vectors of kWordsPerColumn words and without ternary instructions.
bool UsesLists() {
  return HWY_MAX_BYTES == kWordsPerColumn * sizeof(uint64_t) && Columns::lanes() == kWordsPerColumn;
}

void RadiusScan(const RadiusScanArgs& args, const QueryLists& lists) {
  for (int64_t q = 0; q < args.num_queries; ++q) {
    args.counts[q] = 0;
  }
  constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  const int64_t own_choice = HWY_TARGET <= HWY_AVX3_DL && has_fast_popcount() ? kNever : kSlicingPays;
  const int64_t sliced_from = args.sliced_from > 0 ? args.sliced_from : own_choice;
  if (args.num_queries < sliced_from || args.words == 0) {
    RowDistances(args.queries, args.num_queries, args.stored, args.num_stored, args.words, NearRows(args));
  } else if (lists.queries != nullptr && UsesLists()) {
    const int64_t block = HWY_MIN(ListedCounts::kQueriesPerBlock, args.num_queries);
    ListedCounts counts(args, block, lists);
    SlicedQueries(args, block, counts);
  } else {
    const int64_t block = HWY_MIN(GroupedCounts::kQueriesPerBlock, args.num_queries);
    GroupedCounts counts(args, block);
    SlicedQueries(args, block, counts);
  }
}
#endif

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {
namespace {

int32_t different_bits(const uint64_t* a, const uint64_t* b, int64_t words) {
  int32_t bits = 0;
  for (int64_t w = 0; w < words; ++w) {
    bits += std::popcount(a[w] ^ b[w]);
  }
  return bits;
}

/// Finds the predecessors of the queries of a group: a minimum spanning tree (Prim) whose lengths are columns
/// to add. Appends the queries to the order.
void find_predecessors(const uint64_t* queries, int64_t first, int64_t count, int64_t words,
                       bool among_queries, RadiusQueries& prepared) {
  constexpr int32_t kExtra = 32; // a second list costs about as much as these columns
  std::vector<int32_t> length(static_cast<size_t>(count));
  for (int64_t q = 0; q < count; ++q) {
    RadiusQueries::Query& query = prepared.queries[static_cast<size_t>(first + q)];
    const auto zeros = static_cast<int32_t>(64 * words) - query.ones;
    query.predecessor = query.ones <= zeros ? RadiusQueries::kNoOnes : RadiusQueries::kNoZeros;
    length[static_cast<size_t>(q)] = std::min(query.ones, zeros);
  }
  std::vector<uint8_t> is_ordered(static_cast<size_t>(count), 0);
  for (int64_t i = 0; i < count; ++i) {
    int64_t next = i;
    if (among_queries) {
      int32_t shortest = std::numeric_limits<int32_t>::max();
      for (int64_t q = 0; q < count; ++q) {
        if (is_ordered[static_cast<size_t>(q)] == 0 && length[static_cast<size_t>(q)] < shortest) {
          next = q, shortest = length[static_cast<size_t>(q)];
        }
      }
      is_ordered[static_cast<size_t>(next)] = 1;
      for (int64_t q = 0; q < count; ++q) {
        if (is_ordered[static_cast<size_t>(q)] == 0 && length[static_cast<size_t>(q)] > kExtra) {
          const int32_t to_next =
              kExtra + different_bits(queries + (first + q) * words, queries + (first + next) * words, words);
          if (to_next < length[static_cast<size_t>(q)]) {
            length[static_cast<size_t>(q)] = to_next;
            prepared.queries[static_cast<size_t>(first + q)].predecessor = static_cast<int32_t>(first + next);
          }
        }
      }
    }
    prepared.order.push_back(static_cast<int32_t>(first + next));
  }
}

/// Appends the columns of the ones of a & ~b, where a and b are absent if null, and fills the last block.
int32_t add_columns(const uint64_t* a, const uint64_t* b, int64_t words, std::vector<uint16_t>& columns) {
  const size_t begin = columns.size();
  for (int64_t w = 0; w < words; ++w) {
    uint64_t bits = (a == nullptr ? ~uint64_t{0} : a[w]) & (b == nullptr ? ~uint64_t{0} : ~b[w]);
    for (; bits != 0; bits &= bits - 1) {
      columns.push_back(static_cast<uint16_t>(kWordsPerColumn * (64 * w + std::countr_zero(bits))));
    }
  }
  constexpr size_t kPerBlock = RadiusQueries::kColumnsPerBlock;
  const size_t blocks = (columns.size() - begin + kPerBlock - 1) / kPerBlock;
  columns.resize(begin + blocks * kPerBlock, static_cast<uint16_t>(kWordsPerColumn * 64 * words));
  return static_cast<int32_t>(blocks);
}

} // namespace

HWY_EXPORT(RadiusScan);
HWY_EXPORT(UsesLists);

RadiusQueries prepare_radius_queries(const uint64_t* queries, int64_t num_queries, int64_t words,
                                     int64_t num_stored) {
  RadiusQueries prepared;
  if (use_reference_kernels() || !HWY_DYNAMIC_DISPATCH(UsesLists)() || words < 1 || words > kListedWordsMax ||
      num_queries < kSlicingPays || num_queries > std::numeric_limits<int32_t>::max()) {
    return prepared;
  }
  prepared.queries.resize(static_cast<size_t>(num_queries));
  const std::vector<uint64_t> none(static_cast<size_t>(words), 0);
  for (int64_t q = 0; q < num_queries; ++q) {
    const int32_t ones = different_bits(queries + q * words, none.data(), words);
    prepared.queries[static_cast<size_t>(q)].ones = ones;
    prepared.max_ones = std::max(prepared.max_ones, ones);
  }
  constexpr int64_t kRowsPerQueryOfGroup = 1024; // then the search takes about 2 % of the comparisons
  for (int64_t first = 0; first < num_queries; first += RadiusQueries::kQueriesPerGroup) {
    const int64_t count = std::min(RadiusQueries::kQueriesPerGroup, num_queries - first);
    find_predecessors(queries, first, count, words, num_stored >= kRowsPerQueryOfGroup * count, prepared);
  }
  for (int64_t q = 0; q < num_queries; ++q) {
    RadiusQueries::Query& query = prepared.queries[static_cast<size_t>(q)];
    const uint64_t* own = queries + q * words;
    query.begin = static_cast<int64_t>(prepared.columns.size());
    if (query.predecessor == RadiusQueries::kNoOnes) {
      query.added_blocks = add_columns(own, nullptr, words, prepared.columns);
      query.removed_blocks = 0;
    } else if (query.predecessor == RadiusQueries::kNoZeros) {
      query.added_blocks = 0;
      query.removed_blocks = add_columns(nullptr, own, words, prepared.columns);
    } else {
      const uint64_t* before = queries + query.predecessor * words;
      query.added_blocks = add_columns(own, before, words, prepared.columns);
      query.removed_blocks = add_columns(before, own, words, prepared.columns);
    }
  }
  return prepared;
}

void radius_scan(const RadiusScanArgs& args) {
  if (use_reference_kernels()) {
    reference::radius_scan(args);
    return;
  }
  RadiusQueries of_call;
  const RadiusQueries* prepared = args.prepared;
  RadiusScanArgs with_lists = args;
  if (prepared == nullptr || prepared->queries.empty()) {
    of_call = prepare_radius_queries(args.queries, args.num_queries, args.words, args.num_stored);
    prepared = &of_call;
    with_lists.first_prepared = 0;
  }
  const QueryLists lists{prepared->queries.empty() ? nullptr : prepared->queries.data(),
                         prepared->order.data(), prepared->columns.data(), prepared->max_ones};
  HWY_DYNAMIC_DISPATCH(RadiusScan)(with_lists, lists);
}

} // namespace mneme::kernels
#endif
