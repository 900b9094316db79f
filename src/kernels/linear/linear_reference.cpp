// SPDX-License-Identifier: MIT

#include "kernels/linear/linear.h"

namespace mneme::kernels::reference {
namespace {

template <class T> void linear_plain(const LinearArgs<T>& args) {
  for (int64_t i = 0; i < args.rows; ++i) {
    for (int64_t j = 0; j < args.columns; ++j) {
      double sum = args.bias != nullptr ? static_cast<double>(args.bias[j]) : 0.0;
      for (int64_t k = 0; k < args.inner; ++k) {
        sum += static_cast<double>(args.a[i * args.a_row + k * args.a_inner]) *
               static_cast<double>(args.b[k * args.b_inner + j * args.b_column]);
      }
      T& out = args.out[i * args.out_row + j];
      out = static_cast<T>(args.accumulate ? static_cast<double>(out) + sum : sum);
    }
  }
}

} // namespace

void linear(const LinearArgs<float>& args) {
  linear_plain(args);
}
void linear(const LinearArgs<double>& args) {
  linear_plain(args);
}

} // namespace mneme::kernels::reference
