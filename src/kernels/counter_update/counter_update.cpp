// SPDX-License-Identifier: MIT

#include "kernels/counter_update/counter_update.h"

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/counter_update/counter_update.cpp"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // every kernel has its own names
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR // One lane is no vector of bits, and the reference is what it would do.
int64_t CounterUpdate(const CounterUpdateArgs& args) {
  return reference::counter_update(args);
}
#else

const hn::CappedTag<int16_t, 32> d; // at most half a word of bits, so that every word is whole vectors
using V = hn::Vec<decltype(d)>;

/// +one or -one, for the counters of a vector from bit `shift` of a word on.
HWY_INLINE V SignedOf(uint64_t word, int64_t shift, V plus, V minus) {
  const uint64_t bits = word >> shift;
  return hn::IfThenElse(hn::LoadMaskBits(d, reinterpret_cast<const uint8_t*>(&bits)), plus, minus);
}

/// One pattern for one location, by its own addition: most locations have one pattern of a small batch.
HWY_INLINE void AddOne(const uint64_t* pattern, int16_t* counters, int64_t words, V plus, V minus) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t w = 0; w < words; ++w) {
    for (int64_t shift = 0; shift < 64; shift += lanes) {
      int16_t* to = counters + 64 * w + shift;
      hn::StoreU(hn::Add(hn::LoadU(d, to), SignedOf(pattern[w], shift, plus, minus)), d, to);
    }
  }
}

/// All patterns of a location; their sum is added to each counter once.
void AddSum(const CounterUpdateArgs& args, int64_t location, V plus, V minus) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int16_t* counters = args.counters + args.locations[location] * 64 * args.words;
  const int32_t begin = args.offsets[location], end = args.offsets[location + 1];
  for (int64_t w = 0; w < args.words; ++w) {
    for (int64_t shift = 0; shift < 64; shift += lanes) {
      V sum = hn::Zero(d);
      for (int32_t j = begin; j < end; ++j) {
        sum = hn::Add(sum, SignedOf(args.patterns[args.written[j] * args.words + w], shift, plus, minus));
      }
      int16_t* to = counters + 64 * w + shift;
      hn::StoreU(hn::Add(hn::LoadU(d, to), sum), d, to);
    }
  }
}

/// All patterns of a location, one after another; returns the number of clipped additions.
int64_t AddSaturating(const CounterUpdateArgs& args, int64_t location, V plus, V minus) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int16_t* counters = args.counters + args.locations[location] * 64 * args.words;
  int64_t clipped = 0;
  for (int64_t w = 0; w < args.words; ++w) {
    for (int64_t shift = 0; shift < 64; shift += lanes) {
      const int64_t left = args.bits - 64 * w - shift; // counters that are defined
      if (left <= 0) {
        break;
      }
      const auto defined = hn::FirstN(d, static_cast<size_t>(HWY_MIN(left, lanes)));
      int16_t* to = counters + 64 * w + shift;
      V sum = hn::LoadU(d, to);
      for (int32_t j = args.offsets[location]; j < args.offsets[location + 1]; ++j) {
        const V addend = SignedOf(args.patterns[args.written[j] * args.words + w], shift, plus, minus);
        const V saturated = hn::SaturatedAdd(sum, addend);
        clipped +=
            static_cast<int64_t>(hn::CountTrue(d, hn::And(defined, hn::Ne(saturated, hn::Add(sum, addend)))));
        sum = saturated;
      }
      hn::StoreU(sum, d, to);
    }
  }
  return clipped;
}

int64_t CounterUpdate(const CounterUpdateArgs& args) {
  const V plus = hn::Set(d, args.sign), minus = hn::Set(d, static_cast<int16_t>(-args.sign));
  int64_t clipped = 0;
  for (int64_t i = 0; i < args.num_locations; ++i) {
    if (args.saturates) {
      clipped += AddSaturating(args, i, plus, minus);
    } else if (args.offsets[i + 1] == args.offsets[i] + 1) {
      AddOne(args.patterns + args.written[args.offsets[i]] * args.words,
             args.counters + args.locations[i] * 64 * args.words, args.words, plus, minus);
    } else {
      AddSum(args, i, plus, minus);
    }
  }
  return clipped;
}
#endif

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

MNEME_EXPORT_UNTYPED_KERNEL(int64_t, counter_update, CounterUpdate, CounterUpdateArgs)

} // namespace mneme::kernels
#endif
