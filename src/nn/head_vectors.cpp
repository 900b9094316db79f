// SPDX-License-Identifier: MIT

#include "nn/head_vectors.h"

#include <ATen/Functions.h>

namespace mneme::nn {
namespace {
constexpr double kStdEpsilon = 1e-5;  // as in the published code
constexpr double kRotaryBase = 10000; // base of rotary position embeddings, as published
} // namespace

at::Tensor standardise(const at::Tensor& x) {
  if (x.numel() == 0) { // LibTorch warns about the standard deviation of an empty tensor
    return x;
  }
  return (x - x.mean(-1, true)) / (x.std(-1, /*unbiased=*/true, /*keepdim=*/true) + kStdEpsilon);
}

at::Tensor rotary_embedding(const at::Tensor& x, int64_t first_position) {
  const int64_t half = x.size(3) / 2;
  const at::TensorOptions exact =
      x.options().dtype(at::kDouble); // float32 angles lose digits on long sequences
  const at::Tensor frequency = at::pow(kRotaryBase, at::arange(half, exact) / -static_cast<double>(half));
  const at::Tensor position = at::arange(first_position, first_position + x.size(1), exact);
  const at::Tensor angle = (position.unsqueeze(1) * frequency).unsqueeze(1); // [T, 1, D / 2]
  const at::Tensor cosine = angle.cos().to(x.scalar_type()), sine = angle.sin().to(x.scalar_type());
  const at::Tensor first = x.slice(3, 0, half), second = x.slice(3, half);
  return at::cat({first * cosine - second * sine, first * sine + second * cosine}, 3);
}

} // namespace mneme::nn
