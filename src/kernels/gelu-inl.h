// SPDX-License-Identifier: MIT

/// GELU of a vector and its derivative, exact and in the form with tanh. Included once per CPU target.

#if defined(MNEME_KERNELS_GELU_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MNEME_KERNELS_GELU_INL_H_
#undef MNEME_KERNELS_GELU_INL_H_
#else
#define MNEME_KERNELS_GELU_INL_H_
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Coefficients, lowest power first, of a polynomial in t = (y - kGeluCentre) / (y + kGeluCentre) that
/// approximates (1 + 2y) exp(y^2) erfc(y) for y >= 0, with an error of 3e-15 in double and 1.5e-8 in float.
/// Computed by gelu_layer/fit_tail.py.
constexpr double kGeluCentre = 3.75;
template <class T> struct GeluTail;
template <> struct GeluTail<double> {
  static constexpr double kPowers[] = {
      1.23751263083782628,      -0.1402405985855061,      0.00358541548578171804,    0.0822767384871236358,
      -0.108803930154552309,    0.0923043212263040695,    -0.058693398387769279,     0.0283622767577898775,
      -0.00974658119430573722,  0.00175562950983504347,   0.000293721429567174653,   -0.00029016629854870584,
      0.0000516260162225985315, 0.0000224100192286129172, -0.0000113997260744473654, -1.00834521704796831e-6,
      1.69599580794304785e-6,   -2.77496111228837624e-8,  -2.14306922758236402e-7,   8.52635981748303257e-9,
      1.75521763074339262e-8};
  // The density underflows to 0 from here on; a larger y would overflow the quotient in ExactGelu.
  static constexpr double kMaxDistance = 40;
};
template <> struct GeluTail<float> {
  static constexpr float kPowers[] = {
      1.23751261926769989F,     -0.140240658321386411F,  0.00358627039402461811F,  0.0822784199834704666F,
      -0.108814270149050695F,   0.0922907695913037828F,  -0.0586468587355461429F,  0.028409252364127258F,
      -0.00984449485967495096F, 0.00167591221798113118F, 0.000396307612989362722F, -0.000224116746744160212F};
  static constexpr float kMaxDistance = 15;
};
constexpr double kGeluSqrtHalf = 0.70710678118654752440, kGeluDensityAtZero = 0.39894228040143267794;

/// Evaluates the polynomial of GeluTail. Even and odd powers are two independent chains, which halves the
/// latency.
template <class D, class V> HWY_INLINE V GeluTailAt(D d, V t) {
  constexpr auto& powers = GeluTail<hn::TFromD<D>>::kPowers;
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

template <class V> struct GeluOf { V output, derivative; };

/// Exact GELU x Phi(x), computed from the tail probability Phi(-|x|) = erfc(y) / 2, y = |x| / sqrt(2), where
/// erfc(y) is exp(-y^2) times the polynomial of GeluTail, divided by 1 + 2y.
template <class D, class V> HWY_INLINE GeluOf<V> ExactGelu(D d, V x) {
  using T = hn::TFromD<D>;
  const auto one = hn::Set(d, T{1}), centre = hn::Set(d, static_cast<T>(kGeluCentre));
  const auto distance = hn::Min(hn::Abs(x), hn::Set(d, GeluTail<T>::kMaxDistance));
  const auto density =
      hn::Exp(d, hn::Mul(hn::Mul(distance, distance), hn::Set(d, T{-0.5}))); // times sqrt(2 pi)
  const auto y = hn::Mul(distance, hn::Set(d, static_cast<T>(kGeluSqrtHalf)));
  const auto sum = hn::Add(y, centre), twice = hn::MulAdd(y, hn::Set(d, T{2}), one);
  const auto inverse = hn::Div(one, hn::Mul(sum, twice)); // one division for both quotients
  const auto t = hn::Mul(hn::Mul(hn::Sub(y, centre), twice), inverse);
  const auto tail =
      hn::Mul(hn::Mul(GeluTailAt(d, t), hn::Mul(sum, inverse)), hn::Mul(density, hn::Set(d, T{0.5})));
  const auto cdf = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(one, tail));
  // x is a factor of both results, so NaN stays NaN. Beyond kMaxDistance the density is 0.
  return {hn::Mul(x, cdf),
          hn::MulAdd(hn::Mul(x, hn::Set(d, static_cast<T>(kGeluDensityAtZero))), density, cdf)};
}

/// x / (1 + exp(-2u)) = 0.5 x (1 + tanh(u)) with u = sqrt(2 / pi) (x + 0.044715 x^3).
template <class D, class V> HWY_INLINE GeluOf<V> TanhGelu(D d, V x) {
  using T = hn::TFromD<D>;
  constexpr bool kIsDouble = sizeof(T) == 8;
  constexpr T kLinear = static_cast<T>(2 * 0.79788456080286535588), // of 2u
      kCubic = static_cast<T>(0.044715) * kLinear;
  // Below -kMaxDistance the quotient underflows to 0, and above kMaxDistance it is 1.
  constexpr T kMaxDistance = kIsDouble ? 22 : 12,
              kMaxExponent = kIsDouble ? 700 : 88; // within the range of Exp
  const auto one = hn::Set(d, T{1}), max = hn::Set(d, kMaxDistance);
  const auto near = hn::Min(hn::Max(x, hn::Neg(max)), max);
  const auto cubic = hn::Mul(hn::Mul(near, near), hn::Set(d, kCubic)), linear = hn::Set(d, kLinear);
  const auto twice_u = hn::Mul(near, hn::Add(linear, cubic));
  const auto exponential = hn::Exp(d, hn::Min(hn::Neg(twice_u), hn::Set(d, kMaxExponent)));
  const auto gate = hn::IfThenZeroElse(hn::Lt(x, hn::Neg(max)), hn::Div(one, hn::Add(one, exponential)));
  const auto rest = hn::Mul(gate, exponential);                   // 1 - gate, without cancellation
  const auto slope = hn::MulAdd(hn::Set(d, T{3}), cubic, linear); // of 2u
  // x is a factor of both results, so NaN stays NaN.
  return {hn::Mul(x, gate), hn::MulAdd(hn::Mul(x, slope), hn::Mul(gate, rest), gate)};
}

} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
