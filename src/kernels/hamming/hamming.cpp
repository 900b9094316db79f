// SPDX-License-Identifier: MIT

#include "kernels/hamming/hamming.h"

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/hamming/hamming.cpp"
#include <hwy/foreach_target.h>

#include <hwy/aligned_allocator.h>
#include <hwy/highway.h>

#include "kernels/row_distances-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // every kernel has its own names
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR // One lane cannot be seen as eight bytes, and the reference is what it would do.
void Hamming(const HammingArgs& args) {
  reference::hamming(args);
}
#else

const WordTag d64;

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
  const ByteTag d8;
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
  const DistanceTag d32;
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

/// Few queries: rows are read in place, since interleaving would cost more than it saves.
void FewQueries(const HammingArgs& args) {
  const DistanceTag d32;
  RowDistances(
      args.queries, args.num_queries, args.stored, args.num_stored, args.words,
      [&](int64_t q, int64_t first, Distances distances) HWY_ATTR {
        hn::StoreU(distances, d32, reinterpret_cast<uint32_t*>(args.distances + q * args.num_stored + first));
      },
      [&](int64_t q, int64_t row, int32_t distance) {
        args.distances[q * args.num_stored + row] = distance;
      });
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

MNEME_EXPORT_UNTYPED_KERNEL(void, hamming, Hamming, HammingArgs)

} // namespace mneme::kernels
#endif
