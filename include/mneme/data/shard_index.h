// SPDX-License-Identifier: MIT

/// The index of a model whose tensors are spread over several files: model.safetensors.index.json and
/// pytorch_model.bin.index.json.
///
/// Layout  a JSON object: "weight_map", an object from names of tensors to names of files next to the index; "metadata"
/// Source  the documentation of Hugging Face's transformers and safetensors on sharded checkpoints
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace mneme::data {

struct ShardIndex {
  std::map<std::string, std::string> shard_of; ///< by the name of the tensor; not empty

  std::map<std::string, std::vector<std::string>> names_by_shard() const;
};

/// True for names that end in ".index.json".
bool is_shard_index(const std::filesystem::path& path);

/// Errors  DataError: no such JSON, a name twice, or a shard that is not the plain name of a file: no folder, no ".."
ShardIndex parse_shard_index(std::span<const std::byte> bytes, const std::string& name);
ShardIndex read_shard_index(const std::filesystem::path& path);

} // namespace mneme::data
