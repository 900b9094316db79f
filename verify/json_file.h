// SPDX-License-Identifier: MIT

/// Reads a JSON file.
#pragma once

#include <filesystem>

#include <nlohmann/json.hpp>

namespace mneme::verify {

/// Errors  DataError if it does not exist, cannot be read, is larger than 10^9 bytes or is not JSON
nlohmann::json read_json(const std::filesystem::path& path);

} // namespace mneme::verify
