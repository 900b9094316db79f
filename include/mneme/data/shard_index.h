// SPDX-License-Identifier: MIT

/// Reader of the index of a sharded checkpoint, such as model.safetensors.index.json or
/// pytorch_model.bin.index.json.
///
/// Layout  a JSON object with "weight_map", which maps tensor names to names of files in the folder of the
///         index; "metadata" is ignored
/// Source  documentation of Hugging Face transformers and safetensors on sharded checkpoints
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace mneme::data {

struct ShardIndex {
  std::map<std::string, std::string> shard_of; ///< tensor name -> file name; not empty

  std::map<std::string, std::vector<std::string>> names_by_shard() const; ///< file name -> tensor names
};

/// True for names that end in ".index.json".
bool is_shard_index(const std::filesystem::path& path);

/// Errors  DataError if this is not valid JSON of this layout, if a name occurs twice, or if a shard is not a
///         plain file name (it must not contain a folder or be "..")
ShardIndex parse_shard_index(std::span<const std::byte> bytes, const std::string& name);
ShardIndex read_shard_index(const std::filesystem::path& path);

} // namespace mneme::data
