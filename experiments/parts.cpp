// SPDX-License-Identifier: MIT

#include "experiments/parts.h"

#include <cstddef>
#include <system_error>
#include <utility>
#include <vector>

#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/core/sha256.h"
#include "mneme/data/read_file.h"

namespace mneme::experiments {

Parts::Parts(std::filesystem::path folder, const nlohmann::json& key)
    : folder_(std::move(folder)), key_(key.dump()) {}

nlohmann::json Parts::result_of(const std::string& name) const {
  std::error_code error;
  if (folder_.empty() || !std::filesystem::is_regular_file(file_of(name), error)) {
    return {};
  }
  std::vector<std::byte> bytes;
  try {
    bytes = data::read_file(file_of(name));
  } catch (const DataError&) {
    return {};
  }
  nlohmann::json part = nlohmann::json::parse(bytes);
  return part.at("key") == key_ ? std::move(part.at("result")) : nlohmann::json();
}

void Parts::keep(const std::string& name, const nlohmann::json& result) const {
  if (folder_.empty()) {
    return;
  }
  make_output_folder(folder_);
  const nlohmann::json part = {{"key", key_}, {"result", result}};
  write_file_atomically(file_of(name), part.dump());
}

std::filesystem::path Parts::file(const std::string& name) const {
  if (folder_.empty()) {
    return {};
  }
  make_output_folder(folder_);
  Sha256 hash;
  hash.add(key_);
  return folder_ / (name + "-" + hash.digits());
}

void Parts::clear() const {
  std::error_code ignored;
  if (!folder_.empty()) {
    std::filesystem::remove_all(folder_, ignored);
  }
}

std::filesystem::path Parts::file_of(const std::string& name) const {
  return folder_ / (name + ".json");
}

} // namespace mneme::experiments
