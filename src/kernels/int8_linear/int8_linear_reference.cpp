// SPDX-License-Identifier: MIT

#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/int8_linear/int8_linear.h"

namespace mneme::kernels::reference {

void quantise_rows(const QuantiseRowsArgs& args) {
  for (int64_t i = 0; i < args.rows; ++i) {
    const float* x = args.x + i * args.x_row;
    int16_t* quantised = args.quantised + i * args.inner;
    float max = 0;
    bool finite = true;
    for (int64_t k = 0; k < args.inner; ++k) {
      finite = finite && std::isfinite(x[k]);
      max = std::fmax(max, std::fabs(x[k]));
    }
    const bool is_zero = !finite || max < kMinRowMax;
    const float inverse = is_zero ? 0.0F : static_cast<float>(kInt15Max) / max;
    for (int64_t k = 0; k < args.inner; ++k) {
      quantised[k] = is_zero ? int16_t{0} : static_cast<int16_t>(std::nearbyint(x[k] * inverse));
    }
    args.scales[i] = !finite   ? std::numeric_limits<float>::quiet_NaN()
                     : is_zero ? 0.0F
                               : max / static_cast<float>(kInt15Max);
  }
}

void int8_linear(const Int8LinearArgs& args) {
  for (int64_t i = 0; i < args.rows; ++i) {
    const int16_t* a = args.a + i * args.inner;
    for (int64_t j = 0; j < args.columns; ++j) {
      const int8_t* b = args.b + j * (args.inner + kInt8ScaleBytes);
      float b_scale = 0;
      std::memcpy(&b_scale, b + args.inner, sizeof(float));
      int64_t sum = 0;
      for (int64_t k = 0; k < args.inner; ++k) {
        sum += static_cast<int64_t>(a[k]) * b[k];
      }
      const double scale = static_cast<double>(args.a_scales[i]) * static_cast<double>(b_scale),
                   bias = args.bias != nullptr ? static_cast<double>(args.bias[j]) : 0.0;
      args.out[i * args.out_row + j] = static_cast<float>(static_cast<double>(sum) * scale + bias);
    }
  }
}

} // namespace mneme::kernels::reference
