// SPDX-License-Identifier: MIT

/// A layer, its parameters and its inputs as a case file describes them: NAME.json with NAME.safetensors beside
/// it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mneme/nn/tensor_file.h"
#include "verify/golden_value.h"

namespace mneme::verify {

/// What a layer gives, under the names of case files: `output.*`, `grad.*`.
struct LayerOutput {
  nn::NamedTensors tensors;
  std::vector<int64_t> updates;             ///< per head; empty for blocks of several layers
  std::vector<std::vector<double>> changes; ///< per update, per head
};

/// Runs a case. Gradients are those of sum(result * cotangent).
///
/// Errors  DataError (JSON path, or tensor and file); UsageError where the layer refuses an argument
class LayerCase {
public:
  /// `json`: the file's content; `file`: where it lies. The first one must outlive this. `device`: where it runs, by
  /// its full name (device.h).
  LayerCase(const GoldenValue& json, const std::filesystem::path& file, const std::string& device);

  /// Results are on the CPU.
  LayerOutput run(bool compat, bool with_gradients) const;

  /// All tensors of the .safetensors file.
  const nn::NamedTensors& tensors() const { return tensors_; }
  bool is_double() const { return json_.at("dtype").text() == "float64"; }

private:
  /// Errors  DataError for numbers of another floating type
  void check_type(const std::string& name, const at::Tensor& tensor, at::ScalarType type) const;

  GoldenValue json_;
  std::string source_;       ///< the name of the .safetensors file
  nn::NamedTensors tensors_; ///< on the CPU
  at::Device device_;
};

} // namespace mneme::verify
