// SPDX-License-Identifier: MIT

#include <cmath>
#include <numbers>

#include "kernels/gelu/gelu.h"

namespace mneme::kernels::reference {
namespace {

struct Result {
  double output, derivative;
};

Result exact(double x) {
  const double cdf = std::erfc(-x / std::numbers::sqrt2) / 2;
  const double density = std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
  return {x * cdf, cdf + x * density};
}

Result with_tanh(double x) {
  const double factor = std::sqrt(2 / std::numbers::pi), cubic = 0.044715 * x * x;
  const double gate = 1 / (1 + std::exp(-2 * factor * x * (1 + cubic))); // (1 + tanh(u)) / 2
  const double steepness = gate * (1 - gate);
  return {x * gate, gate + (steepness == 0 ? 0 : x * steepness * 2 * factor * (1 + 3 * cubic))};
}

template <class T> void run(const GeluArgs<T>& args) {
  for (int64_t row = 0; row < args.rows; ++row) {
    for (int64_t i = row * args.row_stride; i < row * args.row_stride + args.columns; ++i) {
      const Result result = args.tanh_form ? with_tanh(args.x[i]) : exact(args.x[i]);
      args.outputs[i] = static_cast<T>(result.output);
      if (args.derivatives != nullptr) {
        args.derivatives[i] = static_cast<T>(result.derivative);
      }
    }
  }
}

} // namespace

void gelu(const GeluArgs<float>& args) {
  run(args);
}
void gelu(const GeluArgs<double>& args) {
  run(args);
}

} // namespace mneme::kernels::reference
