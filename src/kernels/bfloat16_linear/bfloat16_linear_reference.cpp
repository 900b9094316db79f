// SPDX-License-Identifier: MIT

#include <bit>
#include <cmath>
#include <vector>

#include "kernels/bfloat16_linear/bfloat16_linear.h"

namespace mneme::kernels::reference {
namespace {

/// The nearest number whose lower 16 bits are 0; of two, the one whose last remaining bit is 0.
float rounded(float x) {
  if (std::isnan(x)) {
    return x;
  }
  const auto bits = std::bit_cast<uint32_t>(x);
  return std::bit_cast<float>((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000);
}

} // namespace

void bfloat16_linear(const LinearArgs<float>& args) {
  std::vector<float> a, b;
  for (int64_t i = 0; i < args.rows; ++i) {
    for (int64_t k = 0; k < args.inner; ++k) {
      a.push_back(rounded(args.a[i * args.a_row + k * args.a_inner]));
    }
  }
  for (int64_t k = 0; k < args.inner; ++k) {
    for (int64_t j = 0; j < args.columns; ++j) {
      b.push_back(rounded(args.b[k * args.b_inner + j * args.b_column]));
    }
  }
  LinearArgs<float> product = args;
  product.a = a.data(), product.a_row = args.inner, product.a_inner = 1;
  product.b = b.data(), product.b_inner = args.columns, product.b_column = 1;
  reference::linear(product);
}

} // namespace mneme::kernels::reference
