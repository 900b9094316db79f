// SPDX-License-Identifier: MIT

/// Ops and layers timed by device_benchmark, each with its peers in plain LibTorch on the same inputs.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <torch/torch.h>

namespace mneme::benchmarks {

/// Device, type and gradients of the inputs of a case.
struct Setting {
  at::Device device;
  at::ScalarType type;
  bool backward; ///< inputs require gradients

  at::TensorOptions options() const { return at::device(device).dtype(type); }
  /// Normally distributed input, which requires gradients if `backward`.
  at::Tensor input(at::IntArrayRef shape, double deviation = 1) const;
};

/// A function to be timed, with its inputs.
struct Call {
  std::vector<at::Tensor> inputs; ///< inputs and parameters that require gradients
  std::function<at::Tensor()> forward;
};

/// Lower bounds of the work of any implementation.
struct Work {
  int64_t elements = 0; ///< elements of inputs and outputs of the forward pass, in the type of the row
  int64_t gradient_elements = 0; ///< elements of gradients that the backward pass reads and writes
  int64_t mask_bytes = 0;
  int64_t multiply_adds = 0, backward_multiply_adds = 0; ///< of the forward and the backward pass
};

struct Contender {
  std::string name; ///< "mneme", "sdpa" (scaled_dot_product_attention), or another peer
  /// Called after the generator has been seeded, so that all contenders have the same inputs.
  std::function<Call(const Setting&)> prepare;
  bool same_result = false;  ///< a peer whose output equals that of mneme except for rounding
  int64_t multiply_adds = 0; ///< lower bound for the forward pass; 0: as in the case's `work`
};

struct Case {
  std::string part; ///< cases of a part share a time limit
  std::string op, shape;
  Work work;
  std::vector<Contender> contenders; ///< mneme first
  bool has_forward = true, has_backward = true;
};

/// All cases, grouped by part. `short_form`: small shapes that take milliseconds on a CPU.
std::vector<Case> device_cases(bool short_form);

} // namespace mneme::benchmarks
