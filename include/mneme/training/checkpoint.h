// SPDX-License-Identifier: MIT

/// Checkpoints of training runs: named tensors and texts in one .safetensors file, with a checksum.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include <ATen/core/Tensor.h>

namespace mneme::training {

struct Checkpoint {
  std::map<std::string, at::Tensor> tensors; ///< on the CPU, of a type that nn/tensor_file.h knows
  std::map<std::string, std::string> texts;  ///< named texts, such as the options of the run

  /// The entry of a name.
  ///
  /// Errors  DataError if it is missing; the message names the file
  const at::Tensor& tensor(const std::string& name) const;
  const std::string& text(const std::string& name) const;

  std::string source; ///< path it was read from, for error messages
};

/// Adds the text "crc32c" to the file, the checksum of all tensors and texts.
///
/// Errors  OutputError; UsageError for a tensor that is not on the CPU or of a type that nn/tensor_file.h
///         does not support
void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);
/// A file without a checksum, from an earlier version, is read as it is.
///
/// Errors  DataError, also if the contents of the file do not have its checksum
Checkpoint load_checkpoint(const std::filesystem::path& path);

} // namespace mneme::training
