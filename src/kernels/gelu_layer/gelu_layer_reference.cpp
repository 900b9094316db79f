// SPDX-License-Identifier: MIT

#include <cmath>
#include <numbers>

#include "kernels/gelu_layer/gelu_layer.h"

namespace mneme::kernels::reference {
namespace {

template <class T> void run(const GeluLayerArgs<T>& args) {
  for (int64_t sample = 0; sample < args.num_samples; ++sample) {
    for (int64_t unit = 0; unit < args.num_units; ++unit) {
      double sum = args.bias[unit];
      for (int64_t i = 0; i < args.num_inputs; ++i) {
        sum += double{args.inputs[sample * args.num_inputs + i]} * args.weights[i * args.num_units + unit];
      }
      const double below = std::erfc(-sum / std::numbers::sqrt2) / 2;
      const double density = std::exp(-sum * sum / 2) / std::sqrt(2 * std::numbers::pi);
      const int64_t to = sample * args.num_units + unit;
      const bool drops = args.chances != nullptr;
      const double factor = !drops ? 1 : args.chances[to] < args.silenced_below ? 0 : double{args.louder};
      args.values[to] = static_cast<T>(factor * (sum * below));
      args.slopes[to] = static_cast<T>(factor * (below + sum * density));
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
