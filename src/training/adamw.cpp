// SPDX-License-Identifier: MIT

#include "training/adamw.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros_like.h>

#include "mneme/core/assert.h"
#include "mneme/core/parallel.h"
#include "training/trainer.h"

namespace mneme::training {
namespace {

constexpr int64_t kChunk = 1 << 16; // elements: 256 kB of each tensor
constexpr double kEpsilon = 1e-8;

/// Sum of squares in 16 independent float64 sums, which the compiler computes with SIMD instructions.
double sum_of_squares(const float* numbers, int64_t count) {
  constexpr int64_t kLanes = 16;
  std::array<double, kLanes> lanes{};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const auto x = static_cast<double>(numbers[i + lane]);
      lanes[static_cast<size_t>(lane)] += x * x;
    }
  }
  double sum = 0;
  for (; i < count; ++i) {
    sum += static_cast<double>(numbers[i]) * static_cast<double>(numbers[i]);
  }
  for (const double lane : lanes) {
    sum += lane;
  }
  return sum;
}

} // namespace

AdamW::AdamW(std::vector<at::Tensor> parameters) : parameters_(std::move(parameters)) {
  const at::NoGradGuard no_gradient;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    at::Tensor& parameter = parameters_[i];
    MNEME_ASSERT(parameter.scalar_type() == at::kFloat && parameter.is_contiguous());
    means.push_back(at::zeros_like(parameter));
    squares.push_back(at::zeros_like(parameter));
    for (int64_t first = 0; first < parameter.numel(); first += kChunk) {
      chunks_.push_back({i, first, std::min(kChunk, parameter.numel() - first)});
    }
  }
}

double AdamW::norm(const std::vector<at::Tensor>& gradients) const {
  std::vector<double> sums(chunks_.size());
  parallel_for(static_cast<int64_t>(chunks_.size()), 1, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      const Chunk& chunk = chunks_[i];
      sums[i] = sum_of_squares(gradients[chunk.tensor].const_data_ptr<float>() + chunk.first, chunk.count);
    }
  });
  double sum = 0;
  for (const double part : sums) {
    sum += part;
  }
  return std::sqrt(sum);
}

void AdamW::step(const std::vector<at::Tensor>& gradients, const AdamWStep& options) {
  const OneThread one_thread;
  const at::Tensor count = at::full({}, static_cast<double>(steps + 1), at::kFloat);
  parallel_update(static_cast<int64_t>(chunks_.size()), 1, [&](int64_t begin, int64_t end) {
    const OneThread one_thread_of_worker;
    const at::NoGradGuard no_gradient;
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      const Chunk& chunk = chunks_[i];
      const auto part = [&](const std::vector<at::Tensor>& tensors) {
        return tensors[chunk.tensor].view({-1}).narrow(0, chunk.first, chunk.count);
      };
      at::Tensor gradient = part(gradients);
      if (options.gradient_scale != 1) {
        gradient.mul_(options.gradient_scale);
      }
      const bool is_matrix = parameters_[chunk.tensor].dim() >= 2;
      at::_fused_adamw_({part(parameters_)}, {gradient}, {part(means)}, {part(squares)}, {}, {count},
                        options.learning_rate, options.beta1, options.beta2,
                        is_matrix ? options.weight_decay : 0, kEpsilon, /*amsgrad=*/false,
                        /*maximize=*/false);
    }
  });
  ++steps;
}

} // namespace mneme::training
