// SPDX-License-Identifier: MIT

#include <cmath>
#include <numbers>

#include "kernels/gelu/gelu.h"

namespace mneme::kernels::reference {

void gelu(const GeluArgs& args) {
  for (int64_t i = 0; i < args.count; ++i) {
    const double x = args.inputs[i];
    const double below = std::erfc(-x / std::numbers::sqrt2) / 2;
    const double density = std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
    args.values[i] = x * below;
    args.slopes[i] = below + x * density;
  }
}

} // namespace mneme::kernels::reference
