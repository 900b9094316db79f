// SPDX-License-Identifier: MIT

/// A layer or model of a published package with parameters and inputs from a case file: NAME.json, with
/// NAME.safetensors next to it. One runner for the classes of all packages.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <torch/nn/module.h>

#include "mneme/nn/tensor_file.h"
#include "verify/golden_value.h"

namespace mneme::verify {

/// Results of a module, under their names in case files: `output.*`, `grad.*`.
struct ModuleResult {
  nn::NamedTensors tensors;
  std::vector<int64_t> updates;             ///< number of updates per head; empty for other modules
  std::vector<std::vector<double>> changes; ///< of the associations, per update and head
};

/// Names that the case files of one package use.
struct CaseNames {
  std::string cotangent;                      ///< the tensor that belongs to the differentiated result
  std::string input_prefix, parameter_prefix; ///< of gradients
};

/// Adapter of one class: constructs the module, and calls it as its package does.
class CaseModule {
public:
  virtual ~CaseModule() = default;
  virtual torch::nn::Module& module() = 0;
  virtual CaseNames names() const = 0;
  /// Sets type and mode (training or evaluation) of the module as the case file requests.
  ///
  /// Errors  DataError (JSON path)
  virtual at::ScalarType configure() = 0;
  virtual void load(const nn::NamedTensors& state, const std::string& source) = 0;
  /// Whether the case has gradients of this floating-point input.
  virtual bool is_differentiated(const std::string& input) const = 0;
  /// Computes `output.*`. `inputs`: under their names without "input."; `source`: name of their file.
  virtual ModuleResult run(const nn::NamedTensors& inputs, const std::string& source) = 0;
  /// Name of the result that is differentiated; a loss is a scalar and needs no cotangent.
  virtual std::string result() const = 0;
};

/// One class of a package. `compat`: computes what hflayers computes where that differs from its
/// documentation; without effect on the classes of LEAP.
struct CaseClass {
  std::string_view name;
  std::unique_ptr<CaseModule> (*make)(const GoldenValue& file, bool compat);
};
std::span<const CaseClass> hopfield_classes();
std::span<const CaseClass> leap_classes();

struct CaseRun {
  bool compat = false;    ///< see CaseClass
  bool gradients = false; ///< also of sum(result * cotangent), or of the loss
  bool in_double = false; ///< converts parameters and inputs to float64
};

/// Errors  DataError (JSON path, or tensor and file); UsageError for an argument that is invalid for the
///         module
class ModuleCase {
public:
  /// `json`: content of the file, which must outlive this object; `file`: its path. `device`: full name of
  /// the device that the case runs on (device.h).
  ModuleCase(const GoldenValue& json, const std::filesystem::path& file, const std::string& device);

  /// Results are on the CPU.
  ModuleResult run(const CaseRun& run) const;

  /// All tensors of the .safetensors file.
  const nn::NamedTensors& tensors() const { return tensors_; }

private:
  GoldenValue json_;
  std::string source_;       ///< the name of the .safetensors file
  nn::NamedTensors tensors_; ///< on the CPU
  at::Device device_;
};

} // namespace mneme::verify
