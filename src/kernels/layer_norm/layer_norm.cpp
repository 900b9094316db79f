// SPDX-License-Identifier: MIT

#include "kernels/layer_norm/layer_norm.h"

#include <cmath>

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/layer_norm/layer_norm.cpp"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

#include "kernels/first_lanes-inl.h"
#include "kernels/inline_lambda.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // other kernels define the same names

template <class T> using Tag = hn::ScalableTag<T>;
template <class T> using Vector = hn::Vec<Tag<T>>;

/// Access to a whole vector of a row.
template <class T> struct Whole {
  HWY_INLINE Vector<T> Load(const T* from) const { return hn::LoadU(Tag<T>(), from); }
  HWY_INLINE Vector<T> LoadOr(Vector<T> /*beyond*/, const T* from) const { return Load(from); }
  HWY_INLINE void Store(Vector<T> v, T* to) const { hn::StoreU(v, Tag<T>(), to); }
};

/// Access to the last elements of a row; the lanes beyond them are zero, or those of `beyond`.
template <class T> struct Tail {
  int64_t count;
  HWY_INLINE Vector<T> Load(const T* from) const { return LoadFirst(Tag<T>(), from, count); }
  HWY_INLINE Vector<T> LoadOr(Vector<T> beyond, const T* from) const {
    return hn::IfThenElse(hn::FirstN(Tag<T>(), static_cast<size_t>(count)), Load(from), beyond);
  }
  HWY_INLINE void Store(Vector<T> v, T* to) const { StoreFirst(v, Tag<T>(), to, count); }
};

/// Calls use(i, access) for the vectors of a row, from element `begin` on.
template <class T, class Use> HWY_INLINE void ForVectors(int64_t begin, int64_t size, const Use& use) {
  const auto n = static_cast<int64_t>(hn::Lanes(Tag<T>()));
  int64_t i = begin;
  for (; i + n <= size; i += n) {
    use(i, Whole<T>());
  }
  if (i < size) {
    use(i, Tail<T>{size - i});
  }
}

/// Sums of two terms over a row: add(i, access, first, second) adds the terms of a vector. The row is cut
/// into tiles, whose sums are added in double.
template <class T, class Add>
HWY_INLINE void SumsOfTwo(int64_t size, const Add& add, double& first, double& second) {
  constexpr int64_t kTile = 4096;
  const Tag<T> d;
  const auto n = static_cast<int64_t>(hn::Lanes(d));
  first = second = 0;
  for (int64_t begin = 0; begin < size; begin += kTile) {
    const int64_t end = HWY_MIN(begin + kTile, size);
    auto a0 = hn::Zero(d), a1 = a0, b0 = a0, b1 = a0;
    int64_t i = begin;
    for (; i + 2 * n <= end; i += 2 * n) {
      add(i, Whole<T>(), a0, b0);
      add(i + n, Whole<T>(), a1, b1);
    }
    ForVectors<T>(i, end, [&](int64_t at, auto access) MNEME_INLINE_LAMBDA { add(at, access, a0, b0); });
    first += double{hn::GetLane(hn::SumOfLanes(d, hn::Add(a0, a1)))};
    second += double{hn::GetLane(hn::SumOfLanes(d, hn::Add(b0, b1)))};
  }
}

template <class T> HWY_INLINE double SumOfRow(const T* x, int64_t size) {
  constexpr int64_t kTile = 4096;
  const Tag<T> d;
  const auto n = static_cast<int64_t>(hn::Lanes(d));
  double sum = 0;
  for (int64_t begin = 0; begin < size; begin += kTile) {
    const int64_t end = HWY_MIN(begin + kTile, size);
    auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
    int64_t i = begin;
    for (; i + 4 * n <= end; i += 4 * n) {
      s0 = hn::Add(s0, hn::LoadU(d, x + i));
      s1 = hn::Add(s1, hn::LoadU(d, x + i + n));
      s2 = hn::Add(s2, hn::LoadU(d, x + i + 2 * n));
      s3 = hn::Add(s3, hn::LoadU(d, x + i + 3 * n));
    }
    ForVectors<T>(
        i, end, [&](int64_t at, auto access) MNEME_INLINE_LAMBDA { s0 = hn::Add(s0, access.Load(x + at)); });
    sum += double{hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))))};
  }
  return sum;
}

template <class T> void LayerNorm(const LayerNormArgs<T>& args) {
  const Tag<T> d;
  const double per_element = 1 / static_cast<double>(args.size);
  for (int64_t row = 0; row < args.rows; ++row) {
    const T* x = args.x + row * args.size;
    T* outputs = args.outputs + row * args.size;
    const double about = SumOfRow(x, args.size) * per_element;
    const auto near = hn::Set(d, static_cast<T>(about));
    double deviations = 0, squares = 0;
    SumsOfTwo<T>(
        args.size,
        [&](int64_t i, auto access, auto& first, auto& second) MNEME_INLINE_LAMBDA {
          const auto deviation = hn::Sub(access.LoadOr(near, x + i), near);
          first = hn::Add(first, deviation);
          second = hn::MulAdd(deviation, deviation, second);
        },
        deviations, squares);
    const double correction = deviations * per_element;
    const T mean = static_cast<T>(double{hn::GetLane(near)} + correction);
    const T variance = static_cast<T>(HWY_MAX(squares * per_element - correction * correction, 0.0));
    const T inverse_std = T{1} / std::sqrt(variance + static_cast<T>(args.epsilon));
    const auto m = hn::Set(d, mean), scale = hn::Set(d, inverse_std);
    ForVectors<T>(0, args.size, [&](int64_t i, auto access) MNEME_INLINE_LAMBDA {
      auto output = hn::Mul(hn::Sub(access.Load(x + i), m), scale);
      if (args.gain != nullptr) {
        output = hn::Mul(output, access.Load(args.gain + i));
      }
      if (args.shift != nullptr) {
        output = hn::Add(output, access.Load(args.shift + i));
      }
      access.Store(output, outputs + i);
    });
    if (args.means != nullptr) {
      args.means[row] = mean;
    }
    if (args.inverse_stds != nullptr) {
      args.inverse_stds[row] = inverse_std;
    }
  }
}

template <class T> void LayerNormGradient(const LayerNormGradientArgs<T>& args) {
  const Tag<T> d;
  const double per_element = 1 / static_cast<double>(args.size);
  for (int64_t row = 0; row < args.rows; ++row) {
    const T *x = args.x + row * args.size, *d_outputs = args.d_outputs + row * args.size;
    const auto mean = hn::Set(d, args.means[row]), scale = hn::Set(d, args.inverse_stds[row]);
    const auto normalised = [&](int64_t i, auto access) MNEME_INLINE_LAMBDA {
      return hn::Mul(hn::Sub(access.LoadOr(mean, x + i), mean), scale);
    };
    const auto times_gain = [&](auto d_output, int64_t i, auto access) MNEME_INLINE_LAMBDA {
      return args.gain == nullptr ? d_output : hn::Mul(d_output, access.Load(args.gain + i));
    };
    double gradients = 0, products = 0;
    if (args.d_x != nullptr) {
      SumsOfTwo<T>(
          args.size,
          [&](int64_t i, auto access, auto& first, auto& second) MNEME_INLINE_LAMBDA {
            const auto d_normalised = times_gain(access.Load(d_outputs + i), i, access);
            first = hn::Add(first, d_normalised);
            second = hn::MulAdd(d_normalised, normalised(i, access), second);
          },
          gradients, products);
    }
    const auto mean_gradient = hn::Set(d, static_cast<T>(gradients * per_element)),
               mean_product = hn::Set(d, static_cast<T>(products * per_element));
    ForVectors<T>(0, args.size, [&](int64_t i, auto access) MNEME_INLINE_LAMBDA {
      const auto d_output = access.Load(d_outputs + i), of_row = normalised(i, access);
      if (args.d_gain != nullptr) {
        access.Store(hn::MulAdd(d_output, of_row, access.Load(args.d_gain + i)), args.d_gain + i);
      }
      if (args.d_shift != nullptr) {
        access.Store(hn::Add(access.Load(args.d_shift + i), d_output), args.d_shift + i);
      }
      if (args.d_x != nullptr) {
        const auto centred = hn::Sub(times_gain(d_output, i, access), mean_gradient);
        access.Store(hn::Mul(scale, hn::NegMulAdd(of_row, mean_product, centred)),
                     args.d_x + row * args.size + i);
      }
    });
  }
}

MNEME_KERNEL_TYPES(LayerNorm, LayerNormArgs)
MNEME_KERNEL_TYPES(LayerNormGradient, LayerNormGradientArgs)

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

MNEME_EXPORT_KERNEL(layer_norm, LayerNorm, LayerNormArgs)
MNEME_EXPORT_KERNEL(layer_norm_gradient, LayerNormGradient, LayerNormGradientArgs)

} // namespace mneme::kernels
#endif
