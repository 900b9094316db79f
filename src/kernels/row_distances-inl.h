// SPDX-License-Identifier: MIT

/// Hamming distances of a few queries to rows that are read in place. Included once per CPU target.

#if defined(MNEME_KERNELS_ROW_DISTANCES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MNEME_KERNELS_ROW_DISTANCES_INL_H_
#undef MNEME_KERNELS_ROW_DISTANCES_INL_H_
#else
#define MNEME_KERNELS_ROW_DISTANCES_INL_H_
#endif

#include <cstdint>
#include <type_traits>

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "kernels/first_lanes-inl.h"
#include "kernels/scratch.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR // one lane cannot be seen as eight bytes

using WordTag = hn::ScalableTag<uint64_t>;
using ByteTag = hn::Repartition<uint8_t, WordTag>;
using DistanceTag = hn::Rebind<uint32_t, WordTag>; ///< distances of as many rows as a vector has words
using Words = hn::Vec<WordTag>;
using Distances = hn::Vec<DistanceTag>;

/// Distance of the prefetched words: rows are adjacent, but the prefetchers of CPUs stop at the end of a
/// page.
constexpr int64_t kPrefetchWords = 1024, kLineWords = 8;

// Without a popcount of whole words, counts are kept per byte.
constexpr int64_t kWordsPerSum = 31; // 31 words of at most 8 bits fill a byte: 248

/// Differing bits of one row and one query, summed within each lane. `words` > 0.
HWY_INLINE Words DifferingBitsOfRow(const uint64_t* row, const uint64_t* query, int64_t words) {
  const WordTag d64;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d64));
  const auto differing = [&](int64_t w) HWY_ATTR {
    return w + lanes <= words
               ? hn::Xor(hn::LoadU(d64, row + w), hn::LoadU(d64, query + w))
               : hn::Xor(LoadFirst(d64, row + w, words - w), LoadFirst(d64, query + w, words - w));
  };
  Words total = hn::Zero(d64);
#if HWY_TARGET <= HWY_AVX3_DL
  for (int64_t w = 0; w < words; w += lanes) {
    hwy::Prefetch(row + w + kPrefetchWords);
    total = hn::Add(total, hn::PopulationCount(differing(w)));
  }
#else
  const ByteTag d8;
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
  const WordTag d64;
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
/// Calls store(first row, distances) for groups of rows; returns the number of rows done, a multiple of the
/// lanes.
template <class Store>
HWY_INLINE int64_t ShortRows(const uint64_t* query, const uint64_t* stored, int64_t num_stored, int64_t words,
                             const Store& store) {
#if HWY_MAX_BYTES < 32
  return (void)query, (void)stored, (void)num_stored, (void)words, (void)store, 0;
#else
  const WordTag d64;
  const DistanceTag d32;
  constexpr int64_t kLanes = HWY_MAX_BYTES / sizeof(uint64_t);
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
    hwy::Prefetch(from + kPrefetchWords);
    const auto bits = hn::Xor(hn::LoadU(d64, from), of_query);
#if HWY_TARGET <= HWY_AVX3_DL
    return hn::PopulationCount(bits);
#else
    return hn::SumsOf8(hn::PopulationCount(hn::BitCast(ByteTag(), bits)));
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
    store(s, hn::TruncateTo(d32, hn::TableLookupLanes(sums, indices)));
  }
  return s;
#endif
}

#if HWY_MAX_BYTES == 32
/// Distances of one query to four rows of 1 to kWordsPerSum vectors. The four rows share the loads of the
/// query. kWhole: the last vector is whole; otherwise it repeats some words, which are masked.
template <bool kWhole>
HWY_INLINE Distances DistancesOfFourRows(const uint64_t* query, const uint64_t* rows, int64_t words) {
  const WordTag d64;
  const ByteTag d8;
  const uint64_t *b = rows + words, *c = b + words, *d = c + words;
  auto counts_a = hn::Zero(d8), counts_b = counts_a, counts_c = counts_a, counts_d = counts_a;
  const auto add = [&](const auto& masked, int64_t w) HWY_ATTR {
    const Words bits = hn::LoadU(d64, query + w);
    const auto differing = [&](const uint64_t* row) HWY_ATTR {
      return hn::PopulationCount(hn::BitCast(d8, masked(hn::Xor(hn::LoadU(d64, row + w), bits))));
    };
    counts_a = hn::Add(counts_a, differing(rows)), counts_b = hn::Add(counts_b, differing(b));
    counts_c = hn::Add(counts_c, differing(c)), counts_d = hn::Add(counts_d, differing(d));
  };
  const int64_t whole = kWhole ? words : words / 4 * 4;
  for (int64_t w = 0; w < whole; w += 4) {
    hwy::Prefetch(rows + 4 * w + kPrefetchWords); // the 16 words of four rows are two lines
    hwy::Prefetch(rows + 4 * w + kLineWords + kPrefetchWords);
    add([](Words bits) HWY_ATTR { return bits; }, w);
  }
  if constexpr (!kWhole) {
    const auto repeated = hn::FirstN(d64, static_cast<size_t>(4 - (words - whole)));
    add([&](Words bits) HWY_ATTR { return hn::IfThenZeroElse(repeated, bits); }, words - 4);
  }
  const Words sums_a = hn::SumsOf8(counts_a), sums_b = hn::SumsOf8(counts_b), sums_c = hn::SumsOf8(counts_c),
              sums_d = hn::SumsOf8(counts_d);
  const Words ab =
      hn::Add(hn::InterleaveLower(d64, sums_a, sums_b), hn::InterleaveUpper(d64, sums_a, sums_b));
  const Words cd =
      hn::Add(hn::InterleaveLower(d64, sums_c, sums_d), hn::InterleaveUpper(d64, sums_c, sums_d));
  return hn::TruncateTo(DistanceTag(),
                        hn::Add(hn::ConcatLowerLower(d64, cd, ab), hn::ConcatUpperUpper(d64, cd, ab)));
}
#endif

constexpr int64_t kLanesMax = HWY_MAX_BYTES / sizeof(uint64_t);

/// Lane k of the vector at to + j * stride becomes word j of row_of(k), for the first `count` words.
template <class RowOf>
HWY_INLINE void InterleaveWords(const RowOf& row_of, int64_t count, uint64_t* to, int64_t stride) {
  const WordTag d64;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d64));
#if HWY_MAX_BYTES <= 64
  if (lanes == kLanesMax && count == kLanesMax) {
    const auto row = [&](int64_t k) HWY_ATTR { return hn::LoadU(d64, row_of(k)); };
    const auto store = [&](int64_t word, Words v) HWY_ATTR { hn::Store(v, d64, to + word * stride); };
    // Blocks of two words of two rows, of which the even words come first.
    const auto pair = [&](int64_t k, Words& even, Words& odd) HWY_ATTR {
      const Words a = row(k), b = row(k + 1);
      even = hn::InterleaveLower(d64, a, b), odd = hn::InterleaveUpper(d64, a, b);
    };
    Words even0, odd0;
    pair(0, even0, odd0);
#if HWY_MAX_BYTES == 16
    store(0, even0), store(1, odd0);
#else
    Words even1, odd1;
    pair(2, even1, odd1);
#if HWY_MAX_BYTES == 32
    store(0, hn::ConcatLowerLower(d64, even1, even0)), store(1, hn::ConcatLowerLower(d64, odd1, odd0));
    store(2, hn::ConcatUpperUpper(d64, even1, even0)), store(3, hn::ConcatUpperUpper(d64, odd1, odd0));
#else
    Words even2, odd2, even3, odd3;
    pair(4, even2, odd2), pair(6, even3, odd3);
    const auto store_four = [&](int64_t word, Words a, Words b, Words c, Words d)
                                HWY_ATTR { // words 0, 2, 4, 6 from `word` on
                                  const Words ab02 = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(b), a),
                                              ab13 = hn::OddEvenBlocks(b, hn::SwapAdjacentBlocks(a)),
                                              cd02 = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(d), c),
                                              cd13 = hn::OddEvenBlocks(d, hn::SwapAdjacentBlocks(c));
                                  store(word, hn::ConcatLowerLower(d64, cd02, ab02)),
                                      store(word + 2, hn::ConcatLowerLower(d64, cd13, ab13));
                                  store(word + 4, hn::ConcatUpperUpper(d64, cd02, ab02)),
                                      store(word + 6, hn::ConcatUpperUpper(d64, cd13, ab13));
                                };
    store_four(0, even0, even1, even2, even3), store_four(1, odd0, odd1, odd2, odd3);
#endif
#endif
    return;
  }
#endif
  for (int64_t k = 0; k < lanes; ++k) {
    for (int64_t j = 0; j < count; ++j) {
      to[j * stride + k] = row_of(k)[j];
    }
  }
}

// A block is kRowGroups vectors of rows against kQueriesAtOnce queries: as many as there are registers for,
// since each word of a query or a row is then loaded once for all the others.
#if HWY_TARGET <= HWY_AVX3_DL // 32 registers and a popcount of whole words: 16 counts at once
constexpr int64_t kRowGroups = 4, kQueriesAtOnce = 4, kInterleavingPays = 3; // queries
#else
constexpr int64_t kRowGroups = 1, kQueriesAtOnce = 2, kInterleavingPays = 12;
#endif

/// Differing bits of kRowGroups vectors of rows, whose word w is at rows + w * stride, and kQueries queries:
/// the vector of group g and query q is at totals + (g * kQueries + q) lanes.
template <int64_t kQueries>
HWY_INLINE void DifferingBitsOfBlock(const uint64_t* rows, int64_t stride, const uint64_t* queries,
                                     int64_t words, uint64_t* totals) {
  const WordTag d64;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d64));
#if HWY_TARGET <= HWY_AVX3_DL
  Words sums[kRowGroups][kQueries];
  for (auto& of_group : sums) {
    for (Words& sum : of_group) {
      sum = hn::Zero(d64);
    }
  }
  for (int64_t w = 0; w < words; ++w) {
    Words query[kQueries];
    for (int64_t q = 0; q < kQueries; ++q) {
      query[q] = hn::Set(d64, queries[q * words + w]);
    }
    for (int64_t g = 0; g < kRowGroups; ++g) {
      const Words row = hn::Load(d64, rows + w * stride + g * lanes);
      for (int64_t q = 0; q < kQueries; ++q) {
        sums[g][q] = hn::Add(sums[g][q], hn::PopulationCount(hn::Xor(row, query[q])));
      }
    }
  }
  for (int64_t g = 0; g < kRowGroups; ++g) {
    for (int64_t q = 0; q < kQueries; ++q) {
      hn::Store(sums[g][q], d64, totals + (g * kQueries + q) * lanes);
    }
  }
#else
  static_assert(kRowGroups == 1);
  const ByteTag d8;
  Words sums[kQueries];
  for (Words& sum : sums) {
    sum = hn::Zero(d64);
  }
  for (int64_t begin = 0; begin < words; begin += kWordsPerSum) {
    const int64_t end = HWY_MIN(words, begin + kWordsPerSum);
    hn::Vec<ByteTag> counts[kQueries];
    for (auto& count : counts) {
      count = hn::Zero(d8);
    }
    for (int64_t w = begin; w < end; ++w) {
      const Words row = hn::Load(d64, rows + w * stride);
      for (int64_t q = 0; q < kQueries; ++q) {
        const Words differing = hn::Xor(row, hn::Set(d64, queries[q * words + w]));
        counts[q] = hn::Add(counts[q], hn::PopulationCount(hn::BitCast(d8, differing)));
      }
    }
    for (int64_t q = 0; q < kQueries; ++q) {
      sums[q] = hn::Add(sums[q], hn::SumsOf8(counts[q]));
    }
  }
  for (int64_t q = 0; q < kQueries; ++q) {
    hn::Store(sums[q], d64, totals + q * lanes);
  }
#endif
}

/// Many queries: a tile of rows is interleaved once (lane j = row j), then no sum across lanes is needed.
/// Gives distances to `sink` as RowDistances does; returns the number of rows done, a multiple of the lanes.
template <class Sink>
HWY_INLINE int64_t InterleavedRows(const uint64_t* queries, int64_t num_queries, const uint64_t* stored,
                                   int64_t num_stored, int64_t words, const Sink& sink) {
  const WordTag d64;
  const DistanceTag d32;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d64));
  constexpr int64_t kBlocksPerTile = 4; // results of a query are then adjacent, and a tile stays in cache
  const int64_t stride = kRowGroups * lanes, block_size = words * stride;
  const auto tile = take_scratch<uint64_t>(kBlocksPerTile * block_size);
  HWY_ALIGN uint64_t totals[kRowGroups * kQueriesAtOnce * HWY_MAX_BYTES / sizeof(uint64_t)];
  const int64_t whole = num_stored / lanes * lanes;
  const int64_t blocks = (num_queries / kQueriesAtOnce + num_queries % kQueriesAtOnce) * kBlocksPerTile;
  const int64_t prefetched = (kBlocksPerTile * block_size + blocks - 1) / blocks; // words per block
  for (int64_t first = 0; first < whole; first += kBlocksPerTile * stride) {
    const int64_t end = HWY_MIN(whole, first + kBlocksPerTile * stride);
    for (int64_t row = first; row < end; row += lanes) {
      uint64_t* to = tile.get() + (row - first) / stride * block_size + (row - first) % stride;
      for (int64_t w = 0; w < words; w += lanes) {
        const auto row_of = [&](int64_t k) { return stored + (row + k) * words + w; };
        InterleaveWords(row_of, HWY_MIN(lanes, words - w), to + w * stride, stride);
      }
    }
    const uint64_t* next = stored + end * words; // the next tile is read while this one is compared
    const auto compare = [&](int64_t q, auto queries_at_once) HWY_ATTR {
      for (int64_t begin = first; begin < end; begin += stride) {
        for (int64_t w = 0; w < prefetched; w += kLineWords) {
          hwy::Prefetch(next + w);
        }
        next += prefetched;
        constexpr int64_t kQueries = decltype(queries_at_once)::value;
        DifferingBitsOfBlock<kQueries>(tile.get() + (begin - first) / stride * block_size, stride,
                                       queries + q * words, words, totals);
        const int64_t groups = HWY_MIN(kRowGroups, (end - begin) / lanes);
        for (int64_t i = 0; i < kQueries; ++i) {
          sink.add(q + i, begin, groups, [&](int64_t g) HWY_ATTR {
            return hn::TruncateTo(d32, hn::Load(d64, totals + (g * kQueries + i) * lanes));
          });
        }
      }
    };
    int64_t q = 0;
    for (; q + kQueriesAtOnce <= num_queries; q += kQueriesAtOnce) {
      compare(q, std::integral_constant<int64_t, kQueriesAtOnce>());
    }
    for (; q + 2 <= num_queries; q += 2) {
      compare(q, std::integral_constant<int64_t, 2>());
    }
    if (q < num_queries) {
      compare(q, std::integral_constant<int64_t, 1>());
    }
  }
  return whole;
}

/// Calls sink.add(query, first row, number of vectors, of_vector) for as many whole vectors of rows as there
/// are, rows ascending for each query, where of_vector(i) are the distances of vector i, and
/// sink.add_row(query, row, distance) for the other rows.
template <class Sink>
HWY_INLINE void RowDistances(const uint64_t* queries, int64_t num_queries, const uint64_t* stored,
                             int64_t num_stored, int64_t words, const Sink& sink) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(WordTag()));
  const DistanceTag d32;
  const bool whole_vectors = lanes == HWY_MAX_BYTES / static_cast<int64_t>(sizeof(uint64_t));
  const auto add = [&](int64_t query, int64_t first, Distances distances)
                       HWY_ATTR { sink.add(query, first, 1, [&](int64_t) HWY_ATTR { return distances; }); };
  int64_t s = 0;
  if (whole_vectors && words > 0 && num_queries >= kInterleavingPays) {
    s = InterleavedRows(queries, num_queries, stored, num_stored, words, sink);
  } else if (whole_vectors && words < lanes && (words == 1 || words == 2 || words == 4)) {
    for (int64_t q = 0; q < num_queries; ++q) {
      s = ShortRows(queries + q * words, stored, num_stored, words,
                    [&](int64_t first, Distances distances) HWY_ATTR { add(q, first, distances); });
    }
#if HWY_MAX_BYTES == 32
  } else if (whole_vectors && words >= lanes && words < kWordsPerSum * lanes) {
    const auto compare = [&](const auto& of_four_rows) HWY_ATTR {
      for (; s + lanes <= num_stored; s += lanes) {
        for (int64_t q = 0; q < num_queries; ++q) {
          add(q, s, of_four_rows(queries + q * words, stored + s * words));
        }
      }
    };
    if (words % lanes == 0) {
      compare([words](const uint64_t* query, const uint64_t* rows)
                  HWY_ATTR { return DistancesOfFourRows<true>(query, rows, words); });
    } else {
      compare([words](const uint64_t* query, const uint64_t* rows)
                  HWY_ATTR { return DistancesOfFourRows<false>(query, rows, words); });
    }
#endif
  } else if (whole_vectors && words > 0) {
    for (; s + lanes <= num_stored; s += lanes) {
      for (int64_t q = 0; q < num_queries; ++q) {
        const auto of_row = [&](int64_t row) HWY_ATTR {
          return DifferingBitsOfRow(stored + (s + row) * words, queries + q * words, words);
        };
        add(q, s, hn::TruncateTo(d32, SumsOfRows(of_row)));
      }
    }
  }
  for (; s < num_stored; ++s) {
    for (int64_t q = 0; q < num_queries; ++q) {
      int32_t distance = 0;
      for (int64_t w = 0; w < words; ++w) {
        distance += static_cast<int32_t>(hwy::PopCount(stored[s * words + w] ^ queries[q * words + w]));
      }
      sink.add_row(q, s, distance);
    }
  }
}

#endif

} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
