// SPDX-License-Identifier: MIT

#include "verify/module_case.h"

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "verify/case_tensors.h"
#include "verify/expect_tensor.h"
#include "verify/on_device.h"

namespace mneme::verify {
namespace {

std::unique_ptr<CaseModule> module_of(const GoldenValue& file, bool compat) {
  const GoldenValue name = file.at("class");
  std::string names;
  for (const std::span<const CaseClass> classes : {hopfield_classes(), leap_classes()}) {
    for (const CaseClass& known : classes) {
      if (known.name == name.text()) {
        return known.make(file, compat);
      }
      names += fmt::format("{}{}", names.empty() ? "" : ", ", known.name);
    }
  }
  name.fail("one of " + names);
}

void check_type(const std::string& source, const std::string& name, const at::Tensor& tensor,
                at::ScalarType type) {
  if (tensor.is_floating_point() && tensor.scalar_type() != type) {
    throw DataError(
        fmt::format("{}: the tensor \"{}\" is of type {}, but the case is of type {}.\n  Use one type for "
                    "both: change \"dtype\" of the case, or the tensor.",
                    source, name, c10::toString(tensor.scalar_type()), c10::toString(type)));
  }
}

void differentiate(const at::Tensor& result, const at::Tensor& cotangent, const std::string& name,
                   const std::string& source) {
  if (!cotangent.defined()) {
    throw DataError(fmt::format("{}: there is no tensor \"{}\", which is needed for gradients.\n  Add it, "
                                "with the shape of the result.",
                                source, name));
  }
  if (cotangent.sizes() != result.sizes()) {
    throw DataError(c10::str(
        source, ": ", name, " has shape ", cotangent.sizes(), ", but the result has ", result.sizes(),
        ".\n  If it was made by hflayers, it may have the shape of the result with compat."));
  }
  result.backward(cotangent);
}

} // namespace

ModuleCase::ModuleCase(const GoldenValue& json, const std::filesystem::path& file, const std::string& device)
    : json_(json), source_(tensors_path(file).filename().string()),
      tensors_(nn::read_tensor_file(tensors_path(file)).tensors), device_(device) {}

ModuleResult ModuleCase::run(const CaseRun& run) const {
  const std::unique_ptr<CaseModule> adapter = module_of(json_, run.compat);
  torch::nn::Module& module = adapter->module();
  const at::ScalarType stored = adapter->configure(), type = run.in_double ? at::kDouble : stored;
  adapter->load(with_prefix(tensors_, "state."), source_);
  module.to(device_, type);
  // A copy, since the tensors of the file are used again, and inputs accumulate gradients.
  const auto prepared = [&](const std::string& name, const at::Tensor& tensor) {
    check_type(source_, name, tensor, stored);
    return tensor.to(device_, tensor.is_floating_point() ? type : tensor.scalar_type(), false, /*copy=*/true);
  };
  nn::NamedTensors inputs = with_prefix(tensors_, "input.");
  for (auto& [name, tensor] : inputs) {
    tensor = prepared("input." + name, tensor);
    tensor.requires_grad_(run.gradients && tensor.is_floating_point() && adapter->is_differentiated(name));
  }
  const FullFloat32 full_float32(device_);
  const at::AutoGradMode with_gradients(run.gradients);
  ModuleResult output = adapter->run(inputs, source_);
  if (run.gradients) {
    const CaseNames names = adapter->names();
    const at::Tensor result = output.tensors.at(adapter->result());
    if (const auto found = tensors_.find(names.cotangent); adapter->result() == "output.loss") {
      result.backward();
    } else {
      differentiate(result, found == tensors_.end() ? at::Tensor() : prepared(names.cotangent, found->second),
                    names.cotangent, source_);
    }
    for (const auto& [name, tensor] : inputs) {
      if (tensor.grad().defined()) {
        output.tensors[names.input_prefix + name] = tensor.grad();
      }
    }
    for (const auto& parameter : module.named_parameters()) {
      if (parameter.value().grad().defined()) {
        output.tensors[names.parameter_prefix + parameter.key()] = parameter.value().grad();
      }
    }
  }
  for (auto& [name, tensor] : output.tensors) {
    tensor = tensor.detach().cpu();
  }
  return output;
}

} // namespace mneme::verify
