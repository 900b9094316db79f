// SPDX-License-Identifier: MIT

#include "kernels/part_dropout/part_dropout.h"

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/part_dropout/part_dropout.cpp"
#include <hwy/foreach_target.h>

#include <hwy/aligned_allocator.h>
#include <hwy/highway.h>

#include "kernels/first_lanes-inl.h"
#include "kernels/philox-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // every kernel has its own names

/// The random words of a row, four of its columns from each counter.
class RowWords {
public:
  RowWords(const PairDropout& dropout, int64_t columns)
      : dropout_(dropout),
        words_(hwy::AllocateAligned<uint32_t>(static_cast<size_t>(columns + 4 + kAtOnce * Lanes()))) {}

  const uint32_t* at(int64_t column) const { return words_.get() + column; }

  /// Draws those of the columns [first, last), and some around them.
  HWY_INLINE void Draw(int64_t row, int64_t first, int64_t last) {
    const hn::ScalableTag<uint64_t> d;
    const int64_t n = Lanes();
    const auto rows = hn::Set(d, static_cast<uint64_t>(dropout_.first_query + row)),
               step = hn::Set(d, static_cast<uint64_t>(n));
    for (int64_t group = first / 4; 4 * group < last; group += 3 * n) {
      const auto a = hn::Iota(d, static_cast<uint64_t>(group)), b = hn::Add(a, step), c = hn::Add(b, step);
      PhiloxOfThree(d, dropout_.seed, a, rows, b, rows, c, rows,
                    [&](auto x0, auto x1, auto x2, auto x3, int64_t which) HWY_ATTR {
                      const hn::Rebind<uint32_t, decltype(d)> low;
                      hn::StoreInterleaved4(x0, x1, x2, x3, low, words_.get() + 4 * (group + which * n));
                    });
    }
  }

private:
  static constexpr int64_t kAtOnce = 12; // words per lane: four from each of three counters

  static int64_t Lanes() { return static_cast<int64_t>(hn::Lanes(hn::ScalableTag<uint64_t>())); }

  PairDropout dropout_;
  hwy::AlignedFreeUniquePtr<uint32_t[]> words_;
};

/// What of the numbers of a vector is left: 0 or `left`.
template <class D, class V> HWY_INLINE V FactorsOf(D d, const uint32_t* words, uint32_t threshold, V left) {
  const hn::RebindToUnsigned<D> whole;
  const hn::Rebind<uint32_t, D> word;
  const auto drawn = [&]() HWY_ATTR {
    if constexpr (sizeof(hn::TFromD<D>) == 8) {
      return hn::PromoteTo(whole, hn::LoadU(word, words));
    } else {
      return hn::LoadU(word, words);
    }
  }();
  const auto dropped = hn::Lt(drawn, hn::Set(whole, static_cast<hn::TFromD<decltype(whole)>>(threshold)));
  return hn::IfThenZeroElse(hn::RebindMask(d, dropped), left);
}

/// numbers[0, count) times their factors, times `with`.
template <class T>
HWY_INLINE void Multiply(const uint32_t* words, uint32_t threshold, T left, T with, int64_t count,
                         T* numbers) {
  const hn::ScalableTag<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  const auto lefts = hn::Set(d, left), withs = hn::Set(d, with);
  int64_t i = 0;
  for (; i + n <= count; i += n) {
    const auto factors = FactorsOf(d, words + i, threshold, lefts);
    hn::StoreU(hn::Mul(hn::Mul(hn::LoadU(d, numbers + i), factors), withs), d, numbers + i);
  }
  if (i < count) {
    const auto factors = FactorsOf(d, words + i, threshold, lefts);
    StoreFirst(hn::Mul(hn::Mul(LoadFirst(d, numbers + i, count - i), factors), withs), d, numbers + i,
               count - i);
  }
}

template <class T> void PartDropout(const PartDropoutArgs<T>& args) {
  const int64_t head = args.head_size, size = args.num_heads * head;
  const uint32_t threshold = args.dropout.threshold();
  const T left = static_cast<T>(args.dropout.scale());
  if (args.dropout.share == 0) {
    return;
  }
  RowWords words(args.dropout, 4 * size);
  for (int64_t r = 0; r < args.num_rows; ++r) {
    T* row = args.rows + r * 4 * size;
    words.Draw(r, 0, 2 * size + args.num_heads);
    Multiply(words.at(0), threshold, left, T{1}, size, row);
    for (int64_t h = 0; h < args.num_heads; ++h) {
      const T of_logit = *words.at(2 * size + h) < threshold ? T{0} : left;
      Multiply(words.at(size + h * head), threshold, left, of_logit, head, row + size + h * head);
    }
    words.Draw(r, 3 * size, 4 * size);
    Multiply(words.at(3 * size), threshold, left, T{1}, size, row + 3 * size);
  }
}

MNEME_KERNEL_TYPES(PartDropout, PartDropoutArgs)

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

MNEME_EXPORT_KERNEL(part_dropout, PartDropout, PartDropoutArgs)

} // namespace mneme::kernels
#endif
