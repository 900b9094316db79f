// SPDX-License-Identifier: MIT

#include "kernels/gelu_layer/gelu_layer.h"

#include "mneme/core/cpu.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/gelu_layer/gelu_layer.cpp"
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
  const auto t2 = hn::Mul(t, t); // two chains, of the even and the odd powers, do not wait for each other
  auto even = hn::Set(d, kTail[kTailPowers - 1]), odd = hn::Set(d, kTail[kTailPowers - 2]);
  for (int power = kTailPowers - 3; power > 0; power -= 2) {
    even = hn::MulAdd(even, t2, hn::Set(d, kTail[power]));
    odd = hn::MulAdd(odd, t2, hn::Set(d, kTail[power - 1]));
  }
  even = hn::MulAdd(even, t2, hn::Set(d, kTail[0]));
  auto tail = hn::MulAdd(odd, t, even);
  tail = hn::Mul(hn::Mul(tail, hn::Mul(sum, inverse)), hn::Mul(density, hn::Set(d, 0.5)));
  const auto below = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(one, tail));
  // x itself stands in both, so that NaN stays NaN; far out the density is 0 and so is what x multiplies.
  return {hn::Mul(x, below), hn::MulAdd(hn::Mul(x, hn::Set(d, kDensityAtZero)), density, below)};
}

/// Results of `kRows` samples for the units from `unit` on that one vector holds.
template <int kRows, class D>
HWY_INLINE void Block(D d, const GeluLayerArgs& args, int64_t sample, int64_t unit) {
  const double* inputs = args.inputs + sample * args.num_inputs;
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
    const auto result = Gelu(d, sum);
    const int64_t to = (sample + row) * args.num_units + unit;
    hn::StoreU(result.value, d, args.values + to);
    hn::StoreU(result.slope, d, args.slopes + to);
  };
  finish(s0, 0);
  if constexpr (kRows == 4) {
    finish(s1, 1), finish(s2, 2), finish(s3, 3);
  }
}

template <int kRows> HWY_INLINE void Rows(const GeluLayerArgs& args, int64_t sample) {
  const hn::ScalableTag<double> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  int64_t unit = 0;
  for (; unit + n <= args.num_units; unit += n) {
    Block<kRows>(d, args, sample, unit);
  }
  for (; unit < args.num_units; ++unit) {
    Block<kRows>(hn::CappedTag<double, 1>(), args, sample, unit);
  }
}

void GeluLayer(const GeluLayerArgs& args) {
  int64_t sample = 0;
  for (; sample + 4 <= args.num_samples; sample += 4) {
    Rows<4>(args, sample);
  }
  for (; sample < args.num_samples; ++sample) {
    Rows<1>(args, sample);
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

HWY_EXPORT(GeluLayer);
HWY_EXPORT(Target);

void gelu_layer(const GeluLayerArgs& args) {
  use_reference_kernels() ? reference::gelu_layer(args) : HWY_DYNAMIC_DISPATCH(GeluLayer)(args);
}

const char* gelu_layer_target() {
  return use_reference_kernels() ? "reference" : HWY_DYNAMIC_DISPATCH(Target)();
}

} // namespace mneme::kernels
#endif
