// SPDX-License-Identifier: MIT

/// Runs a Hopfield layer of hflayers with trained weights, declared without LibTorch
/// (mneme/core/torch_function.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "mneme/core/torch_function.h"
#include "verify/apply_case.h"

namespace mneme::cli {

/// Weights and inputs of a layer, and those of its options that the weights do not show.
struct LayerRun {
  std::filesystem::path weights; ///< as for nn::read_tensor_file, together with `key`
  std::string key = {};
  std::string layer = {}; ///< name of the layer in the model; empty: the only one
  /// In the order of hflayers: stored patterns, then state patterns (Hopfield only) and pattern projections.
  /// .npy files, or files of tensors.
  std::vector<std::filesystem::path> inputs;
  /// Name of the tensor in each file of inputs, or one name for all; empty: the only one.
  std::vector<std::string> tensors = {};
  std::filesystem::path padding_mask = {}, association_mask = {}; ///< empty: none
  int64_t num_heads = 1;
  std::vector<double> beta = {};               ///< `scaling` of hflayers; empty: 1 / sqrt(hidden_size)
  std::optional<int64_t> update_steps_max = 0; ///< nullopt: until convergence
  double update_steps_eps = 1e-4;
  /// NAME=VALUE, as in Python: options of hflayers that neither the weights show nor the members above set.
  std::vector<std::string> options = {};
  bool length_first = false;
  bool compat = false;
  std::string device = "cpu";
};

struct LayerOutput {
  std::string layer;              ///< the layer with its options, as it is constructed in Python
  std::vector<std::string> notes; ///< on the weights
  std::vector<verify::WrittenTensor> tensors;
};

/// Constructs the layer whose parameters are in the weights (`Hopfield`, `HopfieldPooling` or
/// `HopfieldLayer`), and applies it to the inputs. Sizes and the presence of biases and norms are those of
/// the parameters. Writes the output to `out`, in float64 if it is a .npy file; a .safetensors file also gets
/// the association.
///
/// Errors  DataError for weights or inputs that cannot be used; UsageError for options that do not fit them;
///         OutputError; UnsupportedError where LibTorch fails on a device other than the CPU
inline constinit TorchFunction<LayerOutput(const LayerRun& run, const std::filesystem::path& out)> run_layer{
    "running a layer"};

} // namespace mneme::cli
