// SPDX-License-Identifier: MIT

/// A JSON file as a whole.
#pragma once

#include <filesystem>

#include <nlohmann/json.hpp>

namespace mneme::verify {

/// Errors  DataError if it is not there, cannot be read, is larger than 10^9 bytes or is no JSON
nlohmann::json read_json(const std::filesystem::path& path);

} // namespace mneme::verify
