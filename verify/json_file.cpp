// SPDX-License-Identifier: MIT

#include "verify/json_file.h"

#include <fstream>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "json/strict_json.h"
#include "mneme/core/error.h"

namespace mneme::verify {

namespace fs = std::filesystem;

namespace {

/// Whether a file begins as .pt (a ZIP archive) or as .safetensors (the size of a JSON header, then the
/// header).
bool is_state_dict(std::string_view text) {
  constexpr size_t kSizeBytes = 8;
  return text.starts_with("PK\x03\x04") || (text.size() > kSizeBytes && text[kSizeBytes] == '{' &&
                                            text.substr(0, kSizeBytes).find('\0') != std::string_view::npos);
}

} // namespace

nlohmann::json read_json(const fs::path& path) {
  constexpr uintmax_t kBytesMax = 1'000'000'000;
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) {
    throw DataError("no such file.\n  Name a golden file, or a folder with golden files.");
  }
  if (error || !fs::is_regular_file(status)) {
    throw DataError(fmt::format("it cannot be read: {}.", error ? error.message() : "it is not a file"));
  }
  const uintmax_t bytes = fs::file_size(path, error);
  if (error || bytes > kBytesMax) {
    throw DataError(fmt::format("it holds {} bytes, but a golden file has at most {}.", bytes, kBytesMax));
  }
  std::ifstream stream(path, std::ios::binary);
  std::string text(bytes, '\0');
  if (!stream || !stream.read(text.data(), static_cast<std::streamsize>(bytes))) {
    throw DataError("it cannot be read: check its permissions.");
  }
  if (is_state_dict(text)) {
    throw DataError("this file contains tensors, such as the weights of a model, but a golden file is a JSON "
                    "document.\n  `mneme apply --weights FILE` runs a layer of hflayers, as "
                    "docs/how-to/load_hflayers_weights.md explains; `mneme inspect FILE` lists the tensors.");
  }
  return parse_strict_json(
      text, "content",
      {.must_be_object = false,
       .advice = "A golden file is a JSON document: create, copy or download it again."});
}

} // namespace mneme::verify
