// SPDX-License-Identifier: MIT

/// Files of tokenizers.
#pragma once

#include <filesystem>
#include <string>

#include "mneme/data/read_file.h"

namespace mneme::tokens {

/// The text of a file. Errors  as data::read_file
inline std::string read_text(const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = data::read_file(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline bool is_present(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

} // namespace mneme::tokens
