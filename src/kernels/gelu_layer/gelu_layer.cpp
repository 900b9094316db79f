// SPDX-License-Identifier: MIT

#include "kernels/gelu_layer/gelu_layer.h"

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/gelu_layer/gelu_layer.cpp"
#include <hwy/foreach_target.h>

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // other kernels define the same names
namespace hn = hwy::HWY_NAMESPACE;

/// Coefficients, lowest power first, of a polynomial in t = (y - kCentre) / (y + kCentre) that approximates
/// (1 + 2y) exp(y^2) erfc(y) for y >= 0, with an error of 3e-15 in double and 1.5e-8 in float. Computed by
/// fit_tail.py.
constexpr double kCentre = 3.75;
template <class T> struct Tail;
template <> struct Tail<double> {
  static constexpr double kPowers[] = {
      1.23751263083782628,      -0.1402405985855061,      0.00358541548578171804,    0.0822767384871236358,
      -0.108803930154552309,    0.0923043212263040695,    -0.058693398387769279,     0.0283622767577898775,
      -0.00974658119430573722,  0.00175562950983504347,   0.000293721429567174653,   -0.00029016629854870584,
      0.0000516260162225985315, 0.0000224100192286129172, -0.0000113997260744473654, -1.00834521704796831e-6,
      1.69599580794304785e-6,   -2.77496111228837624e-8,  -2.14306922758236402e-7,   8.52635981748303257e-9,
      1.75521763074339262e-8};
  // The density underflows to 0 from here on; a larger y would overflow the quotient in Gelu.
  static constexpr double kMaxDistance = 40;
};
template <> struct Tail<float> {
  static constexpr float kPowers[] = {
      1.23751261926769989F,     -0.140240658321386411F,  0.00358627039402461811F,  0.0822784199834704666F,
      -0.108814270149050695F,   0.0922907695913037828F,  -0.0586468587355461429F,  0.028409252364127258F,
      -0.00984449485967495096F, 0.00167591221798113118F, 0.000396307612989362722F, -0.000224116746744160212F};
  static constexpr float kMaxDistance = 15;
};
constexpr double kSqrtHalf = 0.70710678118654752440, kDensityAtZero = 0.39894228040143267794;

/// Evaluates the polynomial of Tail. Even and odd powers are two independent chains, which halves the
/// latency.
template <class D, class V> HWY_INLINE V TailAt(D d, V t) {
  constexpr auto& powers = Tail<hn::TFromD<D>>::kPowers;
  constexpr int kCount = static_cast<int>(sizeof(powers) / sizeof(powers[0]));
  const auto t2 = hn::Mul(t, t);
  auto last = hn::Set(d, powers[kCount - 1]), other = hn::Set(d, powers[kCount - 2]);
  for (int power = kCount - 3; power > 0; power -= 2) {
    last = hn::MulAdd(last, t2, hn::Set(d, powers[power]));
    other = hn::MulAdd(other, t2, hn::Set(d, powers[power - 1]));
  }
  if constexpr (kCount % 2 == 0) {
    return hn::MulAdd(last, t, other);
  } else {
    return hn::MulAdd(other, t, hn::MulAdd(last, t2, hn::Set(d, powers[0])));
  }
}

template <class V> struct Activation { V output, derivative; };

/// Computed from the tail probability Phi(-|x|) = erfc(y) / 2, y = |x| / sqrt(2), where erfc(y) is exp(-y^2)
/// times the polynomial of Tail, divided by 1 + 2y.
template <class D, class V> HWY_INLINE Activation<V> Gelu(D d, V x) {
  using T = hn::TFromD<D>;
  const auto one = hn::Set(d, T{1}), centre = hn::Set(d, static_cast<T>(kCentre));
  const auto distance = hn::Min(hn::Abs(x), hn::Set(d, Tail<T>::kMaxDistance));
  const auto density =
      hn::Exp(d, hn::Mul(hn::Mul(distance, distance), hn::Set(d, T{-0.5}))); // times sqrt(2 pi)
  const auto y = hn::Mul(distance, hn::Set(d, static_cast<T>(kSqrtHalf)));
  const auto sum = hn::Add(y, centre), twice = hn::MulAdd(y, hn::Set(d, T{2}), one);
  const auto inverse = hn::Div(one, hn::Mul(sum, twice)); // one division for both quotients
  const auto t = hn::Mul(hn::Mul(hn::Sub(y, centre), twice), inverse);
  const auto tail =
      hn::Mul(hn::Mul(TailAt(d, t), hn::Mul(sum, inverse)), hn::Mul(density, hn::Set(d, T{0.5})));
  const auto cdf = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(one, tail));
  // x is a factor of both results, so NaN stays NaN. Beyond kMaxDistance the density is 0.
  return {hn::Mul(x, cdf), hn::MulAdd(hn::Mul(x, hn::Set(d, static_cast<T>(kDensityAtZero))), density, cdf)};
}

/// Dropout factors of one vector of units: 0 or keep_scale.
template <class D, class T> HWY_INLINE auto DropoutFactor(D d, const GeluLayerArgs<T>& args, int64_t to) {
  const hn::Rebind<int32_t, D> di;
  const auto integers = hn::PromoteTo(di, hn::LoadU(hn::Rebind<uint16_t, D>(), args.dropout_bits + to));
  const auto factor = [&](auto bits) HWY_ATTR {
    return hn::IfThenElse(hn::Lt(bits, hn::Set(d, static_cast<T>(args.drop_threshold))), hn::Zero(d),
                          hn::Set(d, args.keep_scale));
  };
  if constexpr (sizeof(T) == sizeof(int32_t)) {
    return factor(hn::ConvertTo(d, integers));
  } else {
    return factor(hn::PromoteTo(d, integers));
  }
}

/// Results of `kRows` samples for one vector of units from `unit` on. Four rows share each load of the
/// weights.
template <int kRows, class D, class T>
HWY_INLINE void Block(D d, const GeluLayerArgs<T>& args, int64_t sample, int64_t unit) {
  const T* inputs = args.inputs + sample * args.num_inputs;
  auto s0 = hn::LoadU(d, args.bias + unit), s1 = s0, s2 = s0, s3 = s0;
  for (int64_t i = 0; i < args.num_inputs; ++i) {
    const auto weight = hn::LoadU(d, args.weights + i * args.num_units + unit);
    s0 = hn::MulAdd(hn::Set(d, inputs[i]), weight, s0);
    if constexpr (kRows == 4) {
      s1 = hn::MulAdd(hn::Set(d, inputs[args.num_inputs + i]), weight, s1);
      s2 = hn::MulAdd(hn::Set(d, inputs[2 * args.num_inputs + i]), weight, s2);
      s3 = hn::MulAdd(hn::Set(d, inputs[3 * args.num_inputs + i]), weight, s3);
    }
  }
  const auto finish = [&](auto sum, int64_t row) HWY_ATTR {
    auto result = Gelu(d, sum);
    const int64_t to = (sample + row) * args.num_units + unit;
    if (args.dropout_bits != nullptr) {
      const auto factor = DropoutFactor(d, args, to);
      result = {hn::Mul(result.output, factor), hn::Mul(result.derivative, factor)};
    }
    hn::StoreU(result.output, d, args.outputs + to);
    hn::StoreU(result.derivative, d, args.derivatives + to);
  };
  finish(s0, 0);
  if constexpr (kRows == 4) {
    finish(s1, 1), finish(s2, 2), finish(s3, 3);
  }
}

template <int kRows, class T> HWY_INLINE void Rows(const GeluLayerArgs<T>& args, int64_t sample) {
  const hn::ScalableTag<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  int64_t unit = 0;
  for (; unit + n <= args.num_units; unit += n) {
    Block<kRows>(d, args, sample, unit);
  }
  for (; unit < args.num_units; ++unit) {
    Block<kRows>(hn::CappedTag<T, 1>(), args, sample, unit);
  }
}

template <class T> void GeluLayer(const GeluLayerArgs<T>& args) {
  int64_t sample = 0;
  for (; sample + 4 <= args.num_samples; sample += 4) {
    Rows<4>(args, sample);
  }
  for (; sample < args.num_samples; ++sample) {
    Rows<1>(args, sample);
  }
}

MNEME_KERNEL_TYPES(GeluLayer, GeluLayerArgs)

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

MNEME_EXPORT_KERNEL(gelu_layer, GeluLayer, GeluLayerArgs)

} // namespace mneme::kernels
#endif
