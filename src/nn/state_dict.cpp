// SPDX-License-Identifier: MIT

#include "mneme/nn/state_dict.h"

#include <algorithm>
#include <set>
#include <utility>

#include <ATen/core/grad_mode.h>

#include "mneme/core/error.h"
#include "nn/name_prefixes.h"

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

/// List of problems of one kind for an error message: the first ones in full, the rest as a count.
class Problems {
public:
  explicit Problems(const char* kind) : kind_(kind) {}

  void add(const std::string& line) {
    constexpr int64_t kShown = 6;
    if (++count_ <= kShown) {
      lines_ += c10::str("\n    ", kind_, ": ", line);
    }
    more_ = count_ > kShown ? c10::str("\n    and ", count_ - kShown, " more ", kind_) : "";
  }
  std::string lines() const { return lines_ + more_; }

private:
  const char* kind_;
  int64_t count_ = 0;
  std::string lines_, more_;
};

/// True if a tensor of the state is the same view of the same storage as one whose name the module has.
bool is_tied_to_any(const at::Tensor& tensor, const NamedTensors& state, const NamedTensors& own) {
  return std::ranges::any_of(state, [&](const auto& entry) {
    return own.contains(entry.first) && entry.second.is_alias_of(tensor) &&
           entry.second.sizes() == tensor.sizes() && entry.second.strides() == tensor.strides() &&
           entry.second.storage_offset() == tensor.storage_offset() &&
           entry.second.scalar_type() == tensor.scalar_type();
  });
}

/// True if nothing else refers to the numbers of a tensor, and they are stored as those of the parameter are.
/// The tensor can then take the place of the parameter's numbers, which saves a copy and half of the memory.
bool can_become(const at::Tensor& given, const at::Tensor& parameter) {
  return given.use_count() == 1 && given.storage().use_count() == 1 && given.device() == parameter.device() &&
         given.scalar_type() == parameter.scalar_type() && given.is_contiguous() &&
         parameter.is_contiguous() && given.nbytes() == given.storage().nbytes() && !given.requires_grad();
}

} // namespace

NamedTensors state_dict(const torch::nn::Module& module) {
  NamedTensors state;
  for (const auto& [name, tensor] : own_tensors(module)) {
    state.emplace(name, tensor.detach().to(at::kCPU).clone());
  }
  return state;
}

int64_t count_parameters(const torch::nn::Module& module) {
  int64_t count = 0;
  for (const at::Tensor& parameter : module.parameters()) {
    count += parameter.numel();
  }
  return count;
}

std::vector<std::string> load_state_dict(torch::nn::Module& module, NamedTensors state,
                                         const std::string& source) {
  const NamedTensors own = own_tensors(module);
  std::set<std::string> names;
  for (const auto& [name, tensor] : own) {
    names.insert(name);
  }
  std::vector<std::string> notes = remove_name_prefixes(state, names);
  Problems missing("missing"), shapes("of another shape"), types("of another type"), unexpected("unexpected");
  for (const auto& [name, tensor] : own) {
    const auto found = state.find(name);
    if (found == state.end()) {
      missing.add(c10::str(name, " of shape ", tensor.sizes()));
    } else if (found->second.sizes() != tensor.sizes()) {
      shapes.add(c10::str(name, " is ", found->second.sizes(), ", expected ", tensor.sizes()));
    } else if (found->second.is_floating_point() != tensor.is_floating_point()) {
      types.add(c10::str(name, " is ", found->second.scalar_type(), ", expected ", tensor.scalar_type()));
    }
  }
  for (const auto& [name, tensor] : state) {
    if (!own.contains(name) && !is_tied_to_any(tensor, state, own)) {
      unexpected.add(c10::str(name, " of shape ", tensor.sizes()));
    }
  }
  const std::string wrong = missing.lines() + shapes.lines() + types.lines() + unexpected.lines();
  if (!wrong.empty()) {
    std::string message = source + ": the tensors do not match the parameters of this module:" + wrong;
    for (const std::string& note : notes) {
      message += "\n    (" + note + ")";
    }
    throw DataError(message +
                    "\n  Use the options that the parameters were trained with: correct the config.json of a "
                    "model folder, or construct the module with them.");
  }
  const at::NoGradGuard no_gradient;
  for (auto [name, tensor] : own) {
    at::Tensor given = std::move(state.at(name));
    if (can_become(given, tensor)) {
      tensor.set_data(given);
    } else {
      tensor.copy_(given);
    }
  }
  return notes;
}

} // namespace mneme::nn
