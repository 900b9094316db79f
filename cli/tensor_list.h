// SPDX-License-Identifier: MIT

/// The tensors of a checkpoint, declared without LibTorch (mneme/core/torch_function.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "mneme/core/progress.h"
#include "mneme/core/torch_function.h"

namespace mneme::cli {

struct TensorInfo {
  std::string name, type; ///< type such as "float32"
  std::vector<int64_t> shape;
  int64_t numbers = 0, bytes = 0;
  double min = 0, max = 0, mean = 0; ///< of the finite numbers; NaN if there are none
  int64_t nans = 0, infinities = 0;
};

/// The tensors of a file, or of all files of a sharded checkpoint, by name. `key` as for
/// nn::read_tensor_file.
///
/// Errors  DataError for a file that is not a checkpoint; Interrupted
inline constinit TorchFunction<std::vector<TensorInfo>(const std::filesystem::path& path,
                                                       const std::string& key, Progress& progress)>
    list_tensors{"reading a checkpoint"};

} // namespace mneme::cli
