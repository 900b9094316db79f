// SPDX-License-Identifier: MIT

#include "kernels/hamming/hamming.h"

#include "mneme/core/cpu.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/hamming/hamming.cpp"
#define HWY_WANT_AVX3_DL // vector popcount: three times faster than its replacement
#include <hwy/foreach_target.h>

#include <hwy/aligned_allocator.h>
#include <hwy/highway.h>

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

/// Differing bits of the interleaved rows and two queries; two at once keep the vector units busier than one after the other.
HWY_INLINE void DifferingBits(const uint64_t* rows, const uint64_t* query0, const uint64_t* query1,
                              int64_t words, Words& total0, Words& total1) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d64));
  total0 = total1 = hn::Zero(d64);
  for (int64_t begin = 0; begin < words; begin += kWordsPerSum) {
    const int64_t end = HWY_MIN(words, begin + kWordsPerSum);
    auto counts0 = hn::Zero(d8), counts1 = hn::Zero(d8);
    for (int64_t w = begin; w < end; ++w) {
      const auto row = hn::Load(d64, rows + w * lanes);
      counts0 = hn::Add(counts0, hn::PopulationCount(hn::BitCast(d8, hn::Xor(row, hn::Set(d64, query0[w])))));
      counts1 = hn::Add(counts1, hn::PopulationCount(hn::BitCast(d8, hn::Xor(row, hn::Set(d64, query1[w])))));
    }
    total0 = hn::Add(total0, hn::SumsOf8(counts0));
    total1 = hn::Add(total1, hn::SumsOf8(counts1));
  }
}

/// Many queries: a group of rows is interleaved once (lane j = row j), then no sum across lanes is needed.
void ManyQueries(const HammingArgs& args) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d64));
  const auto group = hwy::AllocateAligned<uint64_t>(static_cast<size_t>(HWY_MAX(args.words, 1) * lanes));
  const hn::Rebind<uint32_t, decltype(d64)> d32;
  HWY_ALIGN uint32_t tail[HWY_MAX_BYTES / sizeof(uint64_t)];
  for (int64_t first = 0; first < args.num_stored; first += lanes) {
    const int64_t rows = HWY_MIN(lanes, args.num_stored - first);
    for (int64_t j = 0; j < lanes; ++j) {
      const uint64_t* row = args.stored + (first + HWY_MIN(j, rows - 1)) * args.words;
      for (int64_t w = 0; w < args.words; ++w) {
        group[static_cast<size_t>(w * lanes + j)] = row[w];
      }
    }
    const auto store = [&](Words total, int64_t q) HWY_ATTR {
      const auto distances = hn::TruncateTo(d32, total);
      auto* to = reinterpret_cast<uint32_t*>(args.distances + q * args.num_stored + first);
      if (rows == lanes) {
        hn::StoreU(distances, d32, to);
      } else {
        hn::Store(distances, d32, tail);
        for (int64_t j = 0; j < rows; ++j) {
          to[j] = tail[j];
        }
      }
    };
    for (int64_t q = 0; q < args.num_queries; q += 2) {
      const int64_t next = HWY_MIN(q + 1, args.num_queries - 1);
      Words total0, total1;
      DifferingBits(group.get(), args.queries + q * args.words, args.queries + next * args.words, args.words,
                    total0, total1);
      store(total0, q);
      store(total1, next);
    }
  }
}

/// Few queries: rows are read where they lie, since interleaving would cost more than it saves.
void FewQueries(const HammingArgs& args) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d64));
  const int64_t whole = args.words / lanes * lanes;
  for (int64_t s = 0; s < args.num_stored; ++s) {
    const uint64_t* row = args.stored + s * args.words;
    for (int64_t q = 0; q < args.num_queries; ++q) {
      const uint64_t* query = args.queries + q * args.words;
      auto total = hn::Zero(d64);
      for (int64_t begin = 0; begin < whole; begin += kWordsPerSum * lanes) {
        const int64_t end = HWY_MIN(whole, begin + kWordsPerSum * lanes);
        auto counts = hn::Zero(d8);
        for (int64_t w = begin; w < end; w += lanes) {
          const auto differing = hn::Xor(hn::LoadU(d64, row + w), hn::LoadU(d64, query + w));
          counts = hn::Add(counts, hn::PopulationCount(hn::BitCast(d8, differing)));
        }
        total = hn::Add(total, hn::SumsOf8(counts));
      }
      auto distance = static_cast<int64_t>(hn::GetLane(hn::SumOfLanes(d64, total)));
      for (int64_t w = whole; w < args.words; ++w) {
        distance += static_cast<int64_t>(hwy::PopCount(row[w] ^ query[w]));
      }
      args.distances[q * args.num_stored + s] = static_cast<int32_t>(distance);
    }
  }
}

void Hamming(const HammingArgs& args) {
  constexpr int64_t kInterleavingPays = 4; // queries
  args.num_queries < kInterleavingPays ? FewQueries(args) : ManyQueries(args);
}
#endif

const char* Target() {
  return hwy::TargetName(HWY_TARGET);
}

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

HWY_EXPORT(Hamming);
HWY_EXPORT(Target);

void hamming(const HammingArgs& args) {
  if (use_reference_kernels()) {
    reference::hamming(args);
  } else {
    HWY_DYNAMIC_DISPATCH(Hamming)(args);
  }
}

const char* hamming_target() {
  return use_reference_kernels() ? "reference" : HWY_DYNAMIC_DISPATCH(Target)();
}

} // namespace mneme::kernels
#endif
