// SPDX-License-Identifier: MIT

#include "kernels/gelu_layer/gelu_layer.h"

#include "kernels/export.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/gelu_layer/gelu_layer.cpp"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

#include "kernels/gelu-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // other kernels define the same names

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
    auto result = ExactGelu(d, sum);
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
