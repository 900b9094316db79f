// SPDX-License-Identifier: MIT

/// A layer with parameters and inputs from a case file: NAME.json, with NAME.safetensors next to it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mneme/nn/tensor_file.h"
#include "verify/golden_value.h"

namespace mneme::verify {

/// Results of a layer, under the names used in case files: `output.*`, `grad.*`.
struct LayerOutput {
  nn::NamedTensors tensors;
  std::vector<int64_t> updates; ///< number of updates per head; empty for blocks of several layers
  std::vector<std::vector<double>> changes; ///< of the associations, per update and head
};

/// Runs a case. Gradients are those of sum(result * cotangent).
///
/// Errors  DataError (JSON path, or tensor and file); UsageError for an argument that is invalid for the
///         layer
class LayerCase {
public:
  /// `json`: content of the file, which must outlive this object; `file`: its path. `device`: full name of
  /// the device that the case runs on (device.h).
  LayerCase(const GoldenValue& json, const std::filesystem::path& file, const std::string& device);

  /// Results are on the CPU.
  LayerOutput run(bool compat, bool with_gradients) const;

  /// All tensors of the .safetensors file.
  const nn::NamedTensors& tensors() const { return tensors_; }
  bool is_double() const { return json_.at("dtype").text() == "float64"; }

private:
  /// Errors  DataError for a tensor of another floating-point type
  void check_type(const std::string& name, const at::Tensor& tensor, at::ScalarType type) const;

  GoldenValue json_;
  std::string source_;       ///< the name of the .safetensors file
  nn::NamedTensors tensors_; ///< on the CPU
  at::Device device_;
};

} // namespace mneme::verify
