// SPDX-License-Identifier: MIT

/// A case computed by the published LEAP code: one of its layers or models, with parameters, inputs and
/// outputs.
#pragma once

#include <filesystem>
#include <string_view>

#include "mneme/nn/tensor_file.h"
#include "verify/golden_value.h"

namespace mneme::verify {

/// Runs a case. Gradients are those of sum(result * input.grad_output), or of the loss.
///
/// Errors  DataError (JSON path, or tensor and file); UsageError for an argument that is invalid for the
///         layer
class LeapCase {
public:
  static bool supports(std::string_view class_name);

  /// `json`: content of the file, which must outlive this object; `file`: its path. `device`: full name of
  /// the device that the case runs on (device.h).
  LeapCase(const GoldenValue& json, const std::filesystem::path& file, const std::string& device);

  /// `output.*` and `grad.*` in float32, as published. Results are on the CPU.
  nn::NamedTensors run(bool with_gradients) const { return run_in(at::kFloat, with_gradients); }
  /// Likewise in float64 from the same parameters, as `output64.*` and `grad64.*`.
  nn::NamedTensors run_in_double(bool with_gradients) const;

  /// All tensors of the .safetensors file.
  const nn::NamedTensors& tensors() const { return tensors_; }

private:
  nn::NamedTensors run_in(at::ScalarType type, bool with_gradients) const;

  GoldenValue json_;
  std::string source_;       ///< the name of the .safetensors file
  nn::NamedTensors tensors_; ///< on the CPU
  at::Device device_;
};

} // namespace mneme::verify
