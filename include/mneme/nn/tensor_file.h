// SPDX-License-Identifier: MIT

/// Named tensors in a file.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include <ATen/core/Tensor.h>

namespace mneme::nn {

using NamedTensors = std::map<std::string, at::Tensor>;

struct TensorFile {
  NamedTensors tensors;
  std::map<std::string, std::string> texts; ///< such as the options of a run
};

/// Reads a .safetensors file, or a state dict that torch.save has written (.pt, .pth): the first bytes tell.
///
/// Errors  DataError, also for a type that is none of LibTorch's, or a .pt that holds more than tensors
TensorFile read_tensor_file(const std::filesystem::path& path);

/// Writes .safetensors; replaces the file once all is written.
/// Errors  OutputError; UsageError for a tensor that is not on the CPU or of a type that the format lacks
void write_tensor_file(const std::filesystem::path& path, const TensorFile& file);

} // namespace mneme::nn
