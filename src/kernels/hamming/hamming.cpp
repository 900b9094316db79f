// SPDX-License-Identifier: MIT

#include "kernels/hamming/hamming.h"

#include "mneme/core/cpu.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/hamming/hamming.cpp"
#include <hwy/foreach_target.h>

#include <hwy/aligned_allocator.h>
#include <hwy/highway.h>

#include "kernels/first_lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // every kernel has its own names
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR // One lane cannot be seen as eight bytes, and the reference is what it would do.
void Hamming(const HammingArgs& args) {
  reference::hamming(args);
}
#else

const hn::ScalableTag<uint64_t> d64;
const hn::Repartition<uint8_t, decltype(d64)> d8;
using Words = hn::Vec<decltype(d64)>;

// Counts are kept per byte, so that a table lookup is enough where vectors have no popcount of their own.
constexpr int64_t kWordsPerSum = 31; // 31 words of at most 8 bits fill a byte: 248

// A block is kRowGroups vectors of rows against kQueriesAtOnce queries: as many as there are registers for,
// since each word of a query or a row is then loaded once for all the others. `store(total, group, query)`
// takes each count.
#if HWY_TARGET <=                                                                                            \
    HWY_AVX3_DL // 32 registers and a popcount of whole words: 16 counts at once, 4 times faster than 2
constexpr int64_t kRowGroups = 4, kQueriesAtOnce = 4;

template <class Store>
HWY_INLINE void DifferingBits(const uint64_t* rows, const uint64_t* const* queries, int64_t words,
                              const Store& store) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d64));
  Words totals[kRowGroups][kQueriesAtOnce];
  for (auto& of_group : totals) {
    for (Words& total : of_group) {
      total = hn::Zero(d64);
    }
  }
  for (int64_t w = 0; w < words; ++w) {
    Words query[kQueriesAtOnce];
    for (int64_t q = 0; q < kQueriesAtOnce; ++q) {
      query[q] = hn::Set(d64, queries[q][w]);
    }
    for (int64_t g = 0; g < kRowGroups; ++g) {
      const auto row = hn::Load(d64, rows + (w * kRowGroups + g) * lanes);
      for (int64_t q = 0; q < kQueriesAtOnce; ++q) {
        totals[g][q] = hn::Add(totals[g][q], hn::PopulationCount(hn::Xor(row, query[q])));
      }
    }
  }
  for (int64_t g = 0; g < kRowGroups; ++g) {
    for (int64_t q = 0; q < kQueriesAtOnce; ++q) {
      store(totals[g][q], g, q);
    }
  }
}
#else
constexpr int64_t kRowGroups = 1, kQueriesAtOnce = 2;

template <class Store>
HWY_INLINE void DifferingBits(const uint64_t* rows, const uint64_t* const* queries, int64_t words,
                              const Store& store) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d64));
  Words total0 = hn::Zero(d64), total1 = total0;
  for (int64_t begin = 0; begin < words; begin += kWordsPerSum) {
    const int64_t end = HWY_MIN(words, begin + kWordsPerSum);
    auto counts0 = hn::Zero(d8), counts1 = hn::Zero(d8);
    for (int64_t w = begin; w < end; ++w) {
      const auto row = hn::Load(d64, rows + w * lanes);
      counts0 =
          hn::Add(counts0, hn::PopulationCount(hn::BitCast(d8, hn::Xor(row, hn::Set(d64, queries[0][w])))));
      counts1 =
          hn::Add(counts1, hn::PopulationCount(hn::BitCast(d8, hn::Xor(row, hn::Set(d64, queries[1][w])))));
    }
    total0 = hn::Add(total0, hn::SumsOf8(counts0));
    total1 = hn::Add(total1, hn::SumsOf8(counts1));
  }
  store(total0, 0, 0);
  store(total1, 0, 1);
}
#endif

/// Many queries: a block of rows is interleaved once (lane j = row j), then no sum across lanes is needed.
void ManyQueries(const HammingArgs& args) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d64)), rows_per_block = kRowGroups * lanes;
  const auto block =
      hwy::AllocateAligned<uint64_t>(static_cast<size_t>(HWY_MAX(args.words, 1) * rows_per_block));
  const hn::Rebind<uint32_t, decltype(d64)> d32;
  HWY_ALIGN uint32_t tail[HWY_MAX_BYTES / sizeof(uint64_t)];
  for (int64_t first = 0; first < args.num_stored; first += rows_per_block) {
    const int64_t rows = HWY_MIN(rows_per_block, args.num_stored - first);
    for (int64_t j = 0; j < rows_per_block; ++j) {
      const uint64_t* row = args.stored + (first + HWY_MIN(j, rows - 1)) * args.words;
      for (int64_t w = 0; w < args.words; ++w) {
        block[static_cast<size_t>(w * rows_per_block + j)] = row[w];
      }
    }
    for (int64_t q = 0; q < args.num_queries; q += kQueriesAtOnce) {
      const uint64_t* queries[kQueriesAtOnce];
      for (int64_t i = 0; i < kQueriesAtOnce; ++i) {
        queries[i] = args.queries + HWY_MIN(q + i, args.num_queries - 1) * args.words;
      }
      const auto store = [&](Words total, int64_t group, int64_t i) HWY_ATTR {
        const int64_t left = rows - group * lanes;
        if (q + i >= args.num_queries || left <= 0) {
          return;
        }
        const auto distances = hn::TruncateTo(d32, total);
        auto* to =
            reinterpret_cast<uint32_t*>(args.distances + (q + i) * args.num_stored + first + group * lanes);
        if (left >= lanes) {
          hn::StoreU(distances, d32, to);
          return;
        }
        hn::Store(distances, d32, tail);
        for (int64_t j = 0; j < left; ++j) {
          to[j] = tail[j];
        }
      };
      DifferingBits(block.get(), queries, args.words, store);
    }
  }
}

/// Differing bits of one row and one query, summed within each lane. `words` > 0.
HWY_INLINE Words DifferingBitsOfRow(const uint64_t* row, const uint64_t* query, int64_t words) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d64));
  const auto differing = [&](int64_t w) HWY_ATTR {
    return w + lanes <= words
               ? hn::Xor(hn::LoadU(d64, row + w), hn::LoadU(d64, query + w))
               : hn::Xor(LoadFirst(d64, row + w, words - w), LoadFirst(d64, query + w, words - w));
  };
  Words total = hn::Zero(d64);
#if HWY_TARGET <= HWY_AVX3_DL
  for (int64_t w = 0; w < words; w += lanes) {
    total = hn::Add(total, hn::PopulationCount(differing(w)));
  }
#else
  for (int64_t begin = 0; begin < words; begin += kWordsPerSum * lanes) {
    const int64_t end = HWY_MIN(words, begin + kWordsPerSum * lanes);
    auto counts = hn::Zero(d8);
    for (int64_t w = begin; w < end; w += lanes) {
      counts = hn::Add(counts, hn::PopulationCount(hn::BitCast(d8, differing(w))));
    }
    total = hn::Add(total, hn::SumsOf8(counts));
  }
#endif
  return total;
}

/// Lane j of the result is the sum of the lanes of of_row(j). Pairwise additions of shuffled vectors: for 8
/// lanes 7 of them and 14 shuffles, a quarter of what 8 sums over lanes take.
template <class OfRow> HWY_INLINE Words SumsOfRows(const OfRow& of_row) {
  const auto pair = [&](int64_t row) HWY_ATTR {
    const Words a = of_row(row), b = of_row(row + 1);
    return hn::Add(hn::InterleaveLower(d64, a, b), hn::InterleaveUpper(d64, a, b));
  };
#if HWY_MAX_BYTES == 16
  return pair(0);
#else
  const auto four = [&](int64_t first, int64_t second) HWY_ATTR {
    const Words a = pair(first), b = pair(second);
    return hn::Add(hn::ConcatLowerLower(d64, b, a), hn::ConcatUpperUpper(d64, b, a));
  };
#if HWY_MAX_BYTES == 32
  return four(0, 2);
#else
  const Words a = four(0, 4),
              b = four(2, 6); // blocks: rows 0-1, 0-1, 4-5, 4-5 and 2-3, 2-3, 6-7, 6-7, yet to be added
  return hn::OddEvenBlocks(hn::Add(b, hn::SwapAdjacentBlocks(b)), hn::Add(a, hn::SwapAdjacentBlocks(a)));
#endif
#endif
}

/// Rows shorter than a vector: each vector holds `rows_per_vector` of them, a power of 2 of at least 2.
/// Returns the number of rows done, a multiple of the lanes.
int64_t ShortRows(const uint64_t* query, const uint64_t* stored, int64_t num_stored, int64_t words,
                  int32_t* distances) {
#if HWY_MAX_BYTES < 32
  return (void)query, (void)stored, (void)num_stored, (void)words, (void)distances, 0;
#else
  constexpr int64_t kLanes = HWY_MAX_BYTES / sizeof(uint64_t);
  const hn::Rebind<uint32_t, decltype(d64)> d32;
  HWY_ALIGN uint64_t repeated[kLanes], order[kLanes];
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    repeated[lane] = query[lane % words];
    // Lane of the row in the sums below: its vectors alternate first, then its place in the vector.
    const int64_t per_vector = kLanes / words, vector = lane / per_vector, in_vector = lane % per_vector;
    order[lane] = static_cast<uint64_t>(words == 1   ? lane
                                        : words == 2 ? 2 * in_vector + vector
                                                     : 4 * in_vector + 2 * (vector / 2) + vector % 2);
  }
  const auto of_query = hn::Load(d64, repeated);
  const auto indices = hn::SetTableIndices(d64, order);
  const auto differing = [&](const uint64_t* from) HWY_ATTR {
    const auto bits = hn::Xor(hn::LoadU(d64, from), of_query);
#if HWY_TARGET <= HWY_AVX3_DL
    return hn::PopulationCount(bits);
#else
    return hn::SumsOf8(hn::PopulationCount(hn::BitCast(d8, bits)));
#endif
  };
  const auto pair = [&](const uint64_t* from) HWY_ATTR {
    const Words a = differing(from), b = differing(from + kLanes);
    return hn::Add(hn::InterleaveLower(d64, a, b), hn::InterleaveUpper(d64, a, b));
  };
  int64_t s = 0;
  for (; s + kLanes <= num_stored; s += kLanes) {
    const uint64_t* from = stored + s * words;
    Words sums;
    if (words == 1) {
      sums = differing(from);
    } else if (words == 2) {
      sums = pair(from);
    } else {
#if HWY_MAX_BYTES == 64
      const Words a = pair(from), b = pair(from + 2 * kLanes);
      sums = hn::OddEvenBlocks(hn::Add(b, hn::SwapAdjacentBlocks(b)), hn::Add(a, hn::SwapAdjacentBlocks(a)));
#else
      break; // 4 words are a whole vector
#endif
    }
    hn::StoreU(hn::TruncateTo(d32, hn::TableLookupLanes(sums, indices)), d32,
               reinterpret_cast<uint32_t*>(distances + s));
  }
  return s;
#endif
}

/// Few queries: rows are read in place, since interleaving would cost more than it saves.
void FewQueries(const HammingArgs& args) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d64));
  const hn::Rebind<uint32_t, decltype(d64)> d32;
  int64_t s = 0;
  if (lanes == HWY_MAX_BYTES / static_cast<int64_t>(sizeof(uint64_t)) && args.words < lanes &&
      (args.words == 1 || args.words == 2 || args.words == 4)) {
    for (int64_t q = 0; q < args.num_queries; ++q) {
      s = ShortRows(args.queries + q * args.words, args.stored, args.num_stored, args.words,
                    args.distances + q * args.num_stored);
    }
  } else if (args.words > 0 && lanes == HWY_MAX_BYTES / static_cast<int64_t>(sizeof(uint64_t))) {
    for (; s + lanes <= args.num_stored; s += lanes) {
      for (int64_t q = 0; q < args.num_queries; ++q) {
        const auto of_row = [&](int64_t row) HWY_ATTR {
          return DifferingBitsOfRow(args.stored + (s + row) * args.words, args.queries + q * args.words,
                                    args.words);
        };
        hn::StoreU(hn::TruncateTo(d32, SumsOfRows(of_row)), d32,
                   reinterpret_cast<uint32_t*>(args.distances + q * args.num_stored + s));
      }
    }
  }
  for (; s < args.num_stored; ++s) {
    for (int64_t q = 0; q < args.num_queries; ++q) {
      int32_t distance = 0;
      for (int64_t w = 0; w < args.words; ++w) {
        distance += static_cast<int32_t>(
            hwy::PopCount(args.stored[s * args.words + w] ^ args.queries[q * args.words + w]));
      }
      args.distances[q * args.num_stored + s] = distance;
    }
  }
}

void Hamming(const HammingArgs& args) {
  constexpr int64_t kInterleavingPays = 4; // queries
  args.num_queries < kInterleavingPays ? FewQueries(args) : ManyQueries(args);
}
#endif

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

HWY_EXPORT(Hamming);

void hamming(const HammingArgs& args) {
  if (use_reference_kernels()) {
    reference::hamming(args);
  } else {
    HWY_DYNAMIC_DISPATCH(Hamming)(args);
  }
}

} // namespace mneme::kernels
#endif
