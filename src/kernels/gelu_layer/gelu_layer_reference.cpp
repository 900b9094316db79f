// SPDX-License-Identifier: MIT

#include <cmath>
#include <numbers>

#include "kernels/gelu_layer/gelu_layer.h"

namespace mneme::kernels::reference {

void gelu_layer(const GeluLayerArgs& args) {
  for (int64_t sample = 0; sample < args.num_samples; ++sample) {
    for (int64_t unit = 0; unit < args.num_units; ++unit) {
      double sum = args.bias[unit];
      for (int64_t i = 0; i < args.num_inputs; ++i) {
        sum += args.inputs[sample * args.num_inputs + i] * args.weights[i * args.num_units + unit];
      }
      const double below = std::erfc(-sum / std::numbers::sqrt2) / 2;
      const double density = std::exp(-sum * sum / 2) / std::sqrt(2 * std::numbers::pi);
      args.values[sample * args.num_units + unit] = sum * below;
      args.slopes[sample * args.num_units + unit] = below + sum * density;
    }
  }
}

} // namespace mneme::kernels::reference
