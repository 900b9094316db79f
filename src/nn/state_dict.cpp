// SPDX-License-Identifier: MIT

#include "mneme/nn/state_dict.h"

#include <ATen/core/grad_mode.h>

#include "mneme/core/error.h"

namespace mneme::nn {
namespace {

NamedTensors own_tensors(const torch::nn::Module& module) {
  NamedTensors all;
  for (const auto& parameter : module.named_parameters()) {
    all.emplace(parameter.key(), parameter.value());
  }
  for (const auto& buffer : module.named_buffers()) {
    all.emplace(buffer.key(), buffer.value());
  }
  return all;
}

} // namespace

NamedTensors state_dict(const torch::nn::Module& module) {
  NamedTensors state;
  for (const auto& [name, tensor] : own_tensors(module)) {
    state.emplace(name, tensor.detach().to(at::kCPU).clone());
  }
  return state;
}

void load_state_dict(torch::nn::Module& module, const NamedTensors& state, const std::string& source) {
  const NamedTensors own = own_tensors(module);
  std::string wrong;
  for (const auto& [name, tensor] : own) {
    if (const auto given = state.find(name); given == state.end()) {
      wrong += c10::str("\n    missing: ", name, " of shape ", tensor.sizes());
    } else if (given->second.sizes() != tensor.sizes()) {
      wrong += c10::str("\n    of another shape: ", name, " is ", given->second.sizes(), ", expected ",
                        tensor.sizes());
    }
  }
  for (const auto& [name, tensor] : state) {
    if (!own.contains(name)) {
      wrong += c10::str("\n    unexpected: ", name, " of shape ", tensor.sizes());
    }
  }
  if (!wrong.empty()) {
    throw DataError(source + ": these are not the parameters of this module:" + wrong +
                    "\n  Make the module with the options that the parameters were trained with.");
  }
  const at::NoGradGuard no_gradient;
  for (auto [name, tensor] : own) {
    tensor.copy_(state.at(name));
  }
}

} // namespace mneme::nn
