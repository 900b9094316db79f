// SPDX-License-Identifier: MIT

/// Named tensors in a file.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace mneme::nn {

using NamedTensors = std::map<std::string, at::Tensor>;

struct TensorFile {
  NamedTensors tensors;
  std::map<std::string, std::string> texts = {}; ///< such as the options of a run
  std::vector<std::string> notes = {}; ///< of reading: what was chosen or left out, without the file's name
};

/// Reads a .safetensors file, a file that torch.save has written (.pt, .pth, .bin), or the shards that an index lists
/// (NAME.safetensors.index.json, pytorch_model.bin.index.json); the format is determined by the first bytes, an index by
/// the end of its name.
///
/// `key` chooses among the dicts of a checkpoint, see parse_torch_checkpoint (mneme/data/torch_file.h); of .safetensors
/// it is the beginning of the names: "model" reads the tensors "model.*" as "*".
///
/// Tied tensors that safetensors.torch.save_model has written once are there under all their names, and share their
/// numbers; so do tensors of one storage in a .pt file.
///
/// Errors  DataError, also for a type that is none of LibTorch's
TensorFile read_tensor_file(const std::filesystem::path& path, const std::string& key = "");

/// Writes .safetensors; replaces the file once all is written.
/// Errors  OutputError; UsageError for a tensor that is not on the CPU or of a type that the format lacks
void write_tensor_file(const std::filesystem::path& path, const TensorFile& file);

} // namespace mneme::nn
