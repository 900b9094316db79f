// SPDX-License-Identifier: MIT

/// Runs the layer described by a case file and writes its results to a file. Declared without LibTorch
/// (mneme/core/torch_function.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "mneme/core/torch_function.h"

namespace mneme::verify {

struct ApplyOptions {
  bool gradients = false; ///< also computes `grad.*`, the gradients of sum(result * cotangent)
  bool compat = false;    ///< computes what hflayers computes where that differs from its documentation
  /// Device of the layer: "cpu", "cuda", "cuda:1", or another that LibTorch finds.
  std::string device = "cpu";
};

struct WrittenTensor {
  std::string name, type;
  std::vector<int64_t> shape;
};

struct AppliedCase {
  std::vector<WrittenTensor> tensors;
  std::vector<std::string> notes; ///< options of the file that have no effect
};

/// Reads NAME.json and NAME.safetensors next to it; writes `output.*` to `out`.
///
/// Errors  those of checked_device (device.h); DataError (JSON path or tensor), also for arguments in the
///         file that are invalid for the layer; OutputError; UnsupportedError where LibTorch fails on a
///         device other than the CPU
inline constinit TorchFunction<AppliedCase(const std::filesystem::path& file,
                                           const std::filesystem::path& out, const ApplyOptions& options)>
    apply_case{"running a layer"};

} // namespace mneme::verify
