// SPDX-License-Identifier: MIT

/// The ops and layers that device_benchmark times, each with its peers in plain LibTorch on the same inputs.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <torch/torch.h>

namespace mneme::benchmarks {

/// How the inputs of a case are made.
struct Setting {
  at::Device device;
  at::ScalarType type;
  bool backward; ///< inputs want gradients

  at::TensorOptions options() const { return at::device(device).dtype(type); }
  /// Normal numbers, an input that `backward` differentiates.
  at::Tensor input(at::IntArrayRef shape, double deviation = 1) const;
};

/// A call that is ready to be timed.
struct Call {
  std::vector<at::Tensor> inputs; ///< those that are differentiated, parameters included
  std::function<at::Tensor()> forward;
};

/// Lower bounds of what any implementation has to do.
struct Work {
  int64_t elements = 0;          ///< of inputs and outputs of forward, in the type of the row
  int64_t gradient_elements = 0; ///< those of the gradients that backward reads and writes
  int64_t mask_bytes = 0;
  int64_t multiply_adds = 0, backward_multiply_adds = 0; ///< of forward, of backward
};

struct Contender {
  std::string name; ///< "mneme", "sdpa" (scaled_dot_product_attention), or another peer
  /// Called after the generator is seeded: contenders draw the same inputs.
  std::function<Call(const Setting&)> prepare;
  bool same_result = false;  ///< a peer whose output is that of mneme but for rounding
  int64_t multiply_adds = 0; ///< of forward, at least; 0 = as the case's work says
};

struct Case {
  std::string part; ///< cases of a part share a time limit
  std::string op, shape;
  Work work;
  std::vector<Contender> contenders; ///< mneme first
  bool has_forward = true, has_backward = true;
};

/// All cases, those of a part behind each other. `short_form`: small shapes that take milliseconds on a CPU.
std::vector<Case> device_cases(bool short_form);

} // namespace mneme::benchmarks
