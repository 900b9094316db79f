// SPDX-License-Identifier: MIT

/// Files of named tensors.
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
  std::map<std::string, std::string> texts =
      {}; ///< named texts (safetensors metadata), such as options of a run
  /// Notes of the reader on what it selected or ignored, without the name of the file.
  std::vector<std::string> notes = {};
};

/// Which tensors of a .safetensors file are mapped into memory (data::InputFile::mapped) instead of read.
enum class Mapping {
  aligned, ///< those that begin at a cache line: one-row products with others take a fifth more time
  all      ///< also those that begin at a multiple of their element size, for models that run whole texts
};

/// Reads a .safetensors file, a file written by torch.save (.pt, .pth, .bin), or the shards listed in an
/// index (NAME.safetensors.index.json, pytorch_model.bin.index.json). The format is detected from the first
/// bytes, an index from the end of its name.
///
/// `key` selects one of the dicts of a checkpoint, see parse_torch_checkpoint (mneme/data/torch_file.h). For
/// .safetensors it is a prefix of the names: "model" reads the tensors "model.*" as "*".
///
/// Mapped tensors can be written, which does not change the file, and must not be used while another program
/// changes the file in place. They keep the file open.
///
/// Tied tensors, which safetensors.torch.save_model writes once, are returned under all their names and share
/// one storage; so do tensors of one storage in a .pt file.
///
/// Errors  DataError, also for a type that LibTorch does not have
TensorFile read_tensor_file(const std::filesystem::path& path, const std::string& key = "",
                            Mapping mapping = Mapping::aligned);

/// Writes a .safetensors file atomically: an existing file is replaced only after everything has been
/// written.
/// Errors  OutputError; UsageError for a tensor that is undefined, not dense or not on the CPU, whose type
///         the format does not have, or whose name is __metadata__
void write_tensor_file(const std::filesystem::path& path, const TensorFile& file);

} // namespace mneme::nn
