// SPDX-License-Identifier: MIT

#include "mneme/data/shard_index.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "data/source.h"
#include "json/strict_json.h"
#include "mneme/data/read_file.h"

namespace mneme::data {
namespace {

constexpr const char* kDownloadAgain = "Download the index again, or save the model again.";
constexpr std::string_view kWeightMap = "weight_map";

/// True for a plain file name. The index must not refer to files outside of its own folder.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && std::ranges::none_of(name, [](char c) {
    return c == '/' || c == '\\' || static_cast<unsigned char>(c) < ' ';
  });
}

} // namespace

std::map<std::string, std::vector<std::string>> ShardIndex::names_by_shard() const {
  std::map<std::string, std::vector<std::string>> names;
  for (const auto& [name, shard] : shard_of) {
    names[shard].push_back(name);
  }
  return names;
}

bool is_shard_index(const std::filesystem::path& path) {
  return path.filename().string().ends_with(".index.json");
}

ShardIndex parse_shard_index(std::span<const std::byte> bytes, const std::string& name) {
  const nlohmann::json json =
      parse_strict_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, name + ": the index",
                        {.max_depth = 8, .advice = kDownloadAgain});
  if (!json.contains(kWeightMap) || !json.at(kWeightMap).is_object()) {
    fail(name, "contains no \"weight_map\", an object that maps tensor names to file names",
         "Check that this is the index of a sharded model.");
  }
  ShardIndex index;
  for (const auto& [tensor, shard] : json.at(kWeightMap).items()) {
    if (!shard.is_string() || !is_plain_name(shard.get_ref<const std::string&>())) {
      fail(name,
           fmt::format("weight_map: the shard of {:?} is {:.60}, expected the name of a file in the folder "
                       "of the index",
                       tensor, shard.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace)),
           kDownloadAgain);
    }
    index.shard_of.emplace(tensor, shard.get<std::string>());
  }
  if (index.shard_of.empty()) {
    fail(name, "weight_map: contains no tensor, at least 1 was expected", kDownloadAgain);
  }
  return index;
}

ShardIndex read_shard_index(const std::filesystem::path& path) {
  return parse_shard_index(read_file(path), path.string());
}

} // namespace mneme::data
