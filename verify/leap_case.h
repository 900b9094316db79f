// SPDX-License-Identifier: MIT

/// A case of the published LEAP code: one of its layers or models, with parameters, inputs and what came out.
#pragma once

#include <filesystem>
#include <string_view>

#include "mneme/nn/tensor_file.h"
#include "verify/golden_value.h"

namespace mneme::verify {

/// Runs a case. Gradients are those of sum(result * input.grad_output), or of the loss.
///
/// Errors  DataError (JSON path, or tensor and file); UsageError where the layer refuses an argument
class LeapCase {
public:
  static bool takes(std::string_view class_name);

  /// `json`: the file's content; `file`: where it lies. The first one must outlive this. `device`: where it runs, by
  /// its full name (device.h).
  LeapCase(const GoldenValue& json, const std::filesystem::path& file, const std::string& device);

  /// `output.*` and `grad.*` in float32, as published; on the CPU.
  nn::NamedTensors run(bool with_gradients) const { return run_in(at::kFloat, with_gradients); }
  /// The same in float64, of the same parameters, as `output64.*` and `grad64.*`.
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
