// SPDX-License-Identifier: MIT

#include <cmath>

#include "kernels/layer_norm/layer_norm.h"

namespace mneme::kernels::reference {
namespace {

template <class T> void run(const LayerNormArgs<T>& args) {
  for (int64_t row = 0; row < args.rows; ++row) {
    const T* x = args.x + row * args.size;
    const auto mean_from = [&](double from) {
      double mean = 0;
      for (int64_t i = 0; i < args.size; ++i) {
        mean += (double{x[i]} - from) / static_cast<double>(args.size);
      }
      return from + mean;
    };
    const double mean = mean_from(mean_from(0));
    double variance = 0;
    for (int64_t i = 0; i < args.size; ++i) {
      variance += (double{x[i]} - mean) * (double{x[i]} - mean) / static_cast<double>(args.size);
    }
    const double inverse_std = 1 / std::sqrt(variance + args.epsilon);
    for (int64_t i = 0; i < args.size; ++i) {
      const double normalised = (double{x[i]} - mean) * inverse_std;
      args.outputs[row * args.size + i] =
          static_cast<T>(normalised * (args.gain == nullptr ? 1.0 : double{args.gain[i]}) +
                         (args.shift == nullptr ? 0.0 : double{args.shift[i]}));
    }
    if (args.means != nullptr) {
      args.means[row] = static_cast<T>(mean);
    }
    if (args.inverse_stds != nullptr) {
      args.inverse_stds[row] = static_cast<T>(inverse_std);
    }
  }
}

template <class T> void run(const LayerNormGradientArgs<T>& args) {
  for (int64_t row = 0; row < args.rows; ++row) {
    const T *x = args.x + row * args.size, *d_outputs = args.d_outputs + row * args.size;
    const double mean = args.means[row], inverse_std = args.inverse_stds[row];
    const auto normalised = [&](int64_t i) { return (double{x[i]} - mean) * inverse_std; };
    const auto d_normalised = [&](int64_t i) {
      return double{d_outputs[i]} * (args.gain == nullptr ? 1.0 : double{args.gain[i]});
    };
    for (int64_t i = 0; i < args.size; ++i) {
      if (args.d_gain != nullptr) {
        args.d_gain[i] += static_cast<T>(double{d_outputs[i]} * normalised(i));
      }
      if (args.d_shift != nullptr) {
        args.d_shift[i] += d_outputs[i];
      }
    }
    if (args.d_x == nullptr) {
      continue;
    }
    double mean_gradient = 0, mean_product = 0;
    for (int64_t i = 0; i < args.size; ++i) {
      mean_gradient += d_normalised(i) / static_cast<double>(args.size);
      mean_product += d_normalised(i) * normalised(i) / static_cast<double>(args.size);
    }
    for (int64_t i = 0; i < args.size; ++i) {
      args.d_x[row * args.size + i] =
          static_cast<T>(inverse_std * (d_normalised(i) - mean_gradient - normalised(i) * mean_product));
    }
  }
}

} // namespace

void layer_norm(const LayerNormArgs<float>& args) {
  run(args);
}
void layer_norm(const LayerNormArgs<double>& args) {
  run(args);
}
void layer_norm_gradient(const LayerNormGradientArgs<float>& args) {
  run(args);
}
void layer_norm_gradient(const LayerNormGradientArgs<double>& args) {
  run(args);
}

} // namespace mneme::kernels::reference
