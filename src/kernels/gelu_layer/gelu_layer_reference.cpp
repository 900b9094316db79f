// SPDX-License-Identifier: MIT

#include <cmath>
#include <numbers>

#include "kernels/gelu_layer/gelu_layer.h"

namespace mneme::kernels::reference {
namespace {

template <class T> void run(const GeluLayerArgs<T>& args) {
  for (int64_t sample = 0; sample < args.num_samples; ++sample) {
    for (int64_t unit = 0; unit < args.num_units; ++unit) {
      double x = args.bias[unit];
      for (int64_t i = 0; i < args.num_inputs; ++i) {
        x += double{args.inputs[sample * args.num_inputs + i]} * args.weights[i * args.num_units + unit];
      }
      const double cdf = std::erfc(-x / std::numbers::sqrt2) / 2;
      const double density = std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
      const int64_t to = sample * args.num_units + unit;
      double factor = 1;
      if (args.dropout_bits != nullptr) {
        factor = args.dropout_bits[to] < args.drop_threshold ? 0 : double{args.keep_scale};
      }
      args.outputs[to] = static_cast<T>(factor * (x * cdf));
      args.derivatives[to] = static_cast<T>(factor * (cdf + x * density));
    }
  }
}

} // namespace

void gelu_layer(const GeluLayerArgs<float>& args) {
  run(args);
}
void gelu_layer(const GeluLayerArgs<double>& args) {
  run(args);
}

} // namespace mneme::kernels::reference
