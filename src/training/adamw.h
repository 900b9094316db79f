// SPDX-License-Identifier: MIT

/// AdamW on tensors of a model, in parallel chunks: results do not depend on the number of threads.
///
/// Source  Kingma & Ba 2015; decoupled weight decay: Loshchilov & Hutter 2019
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace mneme::training {

struct AdamWStep {
  double learning_rate = 0, beta1 = 0.9, beta2 = 0.999;
  double weight_decay = 0;   ///< of tensors with two dimensions or more
  double gradient_scale = 1; ///< multiplies the gradient before it is used
};

class AdamW {
public:
  /// parameters: float32, contiguous. They are updated in place.
  explicit AdamW(std::vector<at::Tensor> parameters);

  /// Euclidean norm of all gradients together, which are of the shapes of the parameters; computed in
  /// float64, in the same order for any number of threads.
  double norm(const std::vector<at::Tensor>& gradients) const;

  /// One step. The gradients are overwritten.
  void step(const std::vector<at::Tensor>& gradients, const AdamWStep& options);

  int64_t steps = 0;                      ///< number of steps so far
  std::vector<at::Tensor> means, squares; ///< moments, one per parameter

private:
  /// Elements of one parameter that one thread processes.
  struct Chunk {
    size_t tensor = 0;
    int64_t first = 0, count = 0;
  };

  std::vector<at::Tensor> parameters_;
  std::vector<Chunk> chunks_;
};

} // namespace mneme::training
