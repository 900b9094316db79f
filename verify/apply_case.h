// SPDX-License-Identifier: MIT

/// Runs a layer that a case file describes and keeps its results; declared without LibTorch
/// (mneme/core/torch_function.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "mneme/core/torch_function.h"

namespace mneme::verify {

struct ApplyOptions {
  bool gradients = false; ///< also `grad.*`, of sum(result * cotangent)
  bool compat = false;    ///< as hflayers computes it, where that differs
  std::string device =
      "cpu"; ///< where the layer is computed: "cpu", "cuda", "cuda:1", or another that LibTorch finds
};

struct WrittenTensor {
  std::string name, type;
  std::vector<int64_t> shape;
};

/// Reads NAME.json and NAME.safetensors beside it; writes `output.*` to `out`. Returns what was written.
///
/// Errors  those of checked_device (device.h); DataError (JSON path or tensor), also for arguments in the file that the
///         layer refuses; OutputError; UnsupportedError where LibTorch fails on another device than the CPU
inline constinit TorchFunction<std::vector<WrittenTensor>(
    const std::filesystem::path& file, const std::filesystem::path& out, const ApplyOptions& options)>
    apply_case{"running a layer"};

} // namespace mneme::verify
