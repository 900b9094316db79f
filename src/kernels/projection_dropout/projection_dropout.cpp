// SPDX-License-Identifier: MIT

#include "kernels/projection_dropout/projection_dropout.h"

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/projection_dropout/projection_dropout.cpp"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

#include "kernels/first_lanes-inl.h"
#include "kernels/philox-inl.h"
#include "kernels/scratch.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // other kernels define the same names

/// Random words of a row. Each Philox counter gives the words of four columns.
class RowWords {
public:
  RowWords(const PhiloxDropout& dropout, int64_t columns)
      : dropout_(dropout), words_(take_scratch<uint32_t>(columns + 4 + kWordsPerLane * Lanes())) {}

  const uint32_t* at(int64_t column) const { return words_.get() + column; }

  /// Generates the words of the columns [first, last), rounded outwards to whole groups and vectors.
  HWY_INLINE void Generate(int64_t row, int64_t first, int64_t last) {
    const hn::ScalableTag<uint64_t> d;
    const int64_t n = Lanes();
    const auto rows = hn::Set(d, static_cast<uint64_t>(dropout_.row(row))),
               step = hn::Set(d, static_cast<uint64_t>(n));
    for (int64_t group = first / 4; 4 * group < last; group += 3 * n) {
      const auto a = hn::Add(hn::Set(d, static_cast<uint64_t>(group)), hn::Iota(d, 0)), b = hn::Add(a, step),
                 c = hn::Add(b, step);
      PhiloxThreeVectors(d, dropout_.seed, a, rows, b, rows, c, rows,
                         [&](auto x0, auto x1, auto x2, auto x3, int64_t vector) HWY_ATTR {
                           const hn::Rebind<uint32_t, decltype(d)> low;
                           hn::StoreInterleaved4(x0, x1, x2, x3, low,
                                                 words_.get() + 4 * (group + vector * n));
                         });
    }
  }

private:
  static constexpr int64_t kWordsPerLane = 12; // of one step: four from each of three counters

  static int64_t Lanes() { return static_cast<int64_t>(hn::Lanes(hn::ScalableTag<uint64_t>())); }

  PhiloxDropout dropout_;
  Scratch<uint32_t> words_;
};

/// Dropout factors of a vector of elements: 0 or keep_scale.
template <class D, class V>
HWY_INLINE V Factors(D d, const uint32_t* words, uint32_t drop_threshold, V keep_scale) {
  const hn::RebindToUnsigned<D> bits;
  const hn::Rebind<uint32_t, D> word;
  const auto random_bits = [&]() HWY_ATTR {
    if constexpr (sizeof(hn::TFromD<D>) == 8) {
      return hn::PromoteTo(bits, hn::LoadU(word, words));
    } else {
      return hn::LoadU(word, words);
    }
  }();
  const auto dropped =
      hn::Lt(random_bits, hn::Set(bits, static_cast<hn::TFromD<decltype(bits)>>(drop_threshold)));
  return hn::IfThenZeroElse(hn::RebindMask(d, dropped), keep_scale);
}

/// Multiplies elements[0, count) by their dropout factors and by `scale`.
template <class T>
HWY_INLINE void Apply(const uint32_t* words, uint32_t drop_threshold, T keep_scale, T scale, int64_t count,
                      T* elements) {
  const hn::ScalableTag<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  const auto keep = hn::Set(d, keep_scale), scales = hn::Set(d, scale);
  int64_t i = 0;
  for (; i + n <= count; i += n) {
    const auto factors = Factors(d, words + i, drop_threshold, keep);
    hn::StoreU(hn::Mul(hn::Mul(hn::LoadU(d, elements + i), factors), scales), d, elements + i);
  }
  if (i < count) {
    const auto factors = Factors(d, words + i, drop_threshold, keep);
    StoreFirst(hn::Mul(hn::Mul(LoadFirst(d, elements + i, count - i), factors), scales), d, elements + i,
               count - i);
  }
}

template <class T> void ProjectionDropout(const ProjectionDropoutArgs<T>& args) {
  const int64_t head = args.head_size, size = args.num_heads * head;
  const uint32_t drop_threshold = args.dropout.drop_threshold();
  const T keep_scale = static_cast<T>(args.dropout.keep_scale());
  if (args.dropout.probability == 0) {
    return;
  }
  RowWords words(args.dropout, 4 * size);
  for (int64_t r = 0; r < args.num_rows; ++r) {
    T* row = args.rows + r * 4 * size;
    words.Generate(r, 0, 2 * size + args.num_heads);
    Apply(words.at(0), drop_threshold, keep_scale, T{1}, size, row);
    for (int64_t h = 0; h < args.num_heads; ++h) {
      const T logit_factor = *words.at(2 * size + h) < drop_threshold ? T{0} : keep_scale;
      Apply(words.at(size + h * head), drop_threshold, keep_scale, logit_factor, head, row + size + h * head);
    }
    words.Generate(r, 3 * size, 4 * size);
    Apply(words.at(3 * size), drop_threshold, keep_scale, T{1}, size, row + 3 * size);
  }
}

MNEME_KERNEL_TYPES(ProjectionDropout, ProjectionDropoutArgs)

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

MNEME_EXPORT_KERNEL(projection_dropout, ProjectionDropout, ProjectionDropoutArgs)

} // namespace mneme::kernels
#endif
