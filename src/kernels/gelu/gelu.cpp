// SPDX-License-Identifier: MIT

#include "kernels/gelu/gelu.h"

#include "mneme/core/cpu.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/gelu/gelu.cpp"
#define HWY_WANT_AVX3_DL
#include <hwy/foreach_target.h>

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // every kernel has its own names
namespace hn = hwy::HWY_NAMESPACE;

/// (1 + 2y) exp(y^2) erfc(y) for y >= 0 is a polynomial in t = (y - kCentre) / (y + kCentre), up to 3e-15.
/// fit_tail.py computes it; lowest power first.
constexpr double kCentre = 3.75;
constexpr double kTail[] = {1.23751263083782628,      -0.1402405985855061,      0.00358541548578171804,
                            0.0822767384871236358,    -0.108803930154552309,    0.0923043212263040695,
                            -0.058693398387769279,    0.0283622767577898775,    -0.00974658119430573722,
                            0.00175562950983504347,   0.000293721429567174653,  -0.00029016629854870584,
                            0.0000516260162225985315, 0.0000224100192286129172, -0.0000113997260744473654,
                            -1.00834521704796831e-6,  1.69599580794304785e-6,   -2.77496111228837624e-8,
                            -2.14306922758236402e-7,  8.52635981748303257e-9,   1.75521763074339262e-8};
constexpr int kTailPowers = sizeof(kTail) / sizeof(kTail[0]);
constexpr double kFar = 40; // the density is 0 in float64 from here on; larger y would overflow the quotient
constexpr double kHalfRoot = 0.70710678118654752440, kDensityAtZero = 0.39894228040143267794;

template <class V> struct ValueAndSlope { V value, slope; };

template <class D, class V> HWY_INLINE ValueAndSlope<V> Gelu(D d, V x) {
  const auto one = hn::Set(d, 1.0);
  const auto distance = hn::Min(hn::Abs(x), hn::Set(d, kFar));
  const auto density =
      hn::Exp(d, hn::Mul(hn::Mul(distance, distance), hn::Set(d, -0.5))); // times root of 2 pi
  const auto y = hn::Mul(distance, hn::Set(d, kHalfRoot));
  const auto sum = hn::Add(y, hn::Set(d, kCentre)), twice = hn::MulAdd(y, hn::Set(d, 2.0), one);
  const auto inverse = hn::Div(one, hn::Mul(sum, twice)); // one division for both quotients
  const auto t = hn::Mul(hn::Mul(hn::Sub(y, hn::Set(d, kCentre)), twice), inverse);
  auto tail = hn::Set(d, kTail[kTailPowers - 1]);
  for (int power = kTailPowers - 2; power >= 0; --power) {
    tail = hn::MulAdd(tail, t, hn::Set(d, kTail[power]));
  }
  tail = hn::Mul(hn::Mul(tail, hn::Mul(sum, inverse)), hn::Mul(density, hn::Set(d, 0.5)));
  const auto below = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(one, tail));
  // x itself stands in both, so that NaN stays NaN; far out the density is 0 and so is what x multiplies.
  return {hn::Mul(x, below), hn::MulAdd(hn::Mul(x, hn::Set(d, kDensityAtZero)), density, below)};
}

void GeluAll(const GeluArgs& args) {
  const hn::ScalableTag<double> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + n <= args.count; i += n) {
    const auto result = Gelu(d, hn::LoadU(d, args.inputs + i));
    hn::StoreU(result.value, d, args.values + i);
    hn::StoreU(result.slope, d, args.slopes + i);
  }
  const hn::CappedTag<double, 1> single;
  for (; i < args.count; ++i) {
    const auto result = Gelu(single, hn::LoadU(single, args.inputs + i));
    hn::StoreU(result.value, single, args.values + i);
    hn::StoreU(result.slope, single, args.slopes + i);
  }
}

const char* Target() {
  return hwy::TargetName(HWY_TARGET);
}

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

HWY_EXPORT(GeluAll);
HWY_EXPORT(Target);

void gelu(const GeluArgs& args) {
  use_reference_kernels() ? reference::gelu(args) : HWY_DYNAMIC_DISPATCH(GeluAll)(args);
}

const char* gelu_target() {
  return use_reference_kernels() ? "reference" : HWY_DYNAMIC_DISPATCH(Target)();
}

} // namespace mneme::kernels
#endif
