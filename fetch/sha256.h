// SPDX-License-Identifier: MIT

/// The SHA-256 of bytes as they come, and of files.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace mneme::fetch {

class Sha256 {
public:
  Sha256();
  void add(std::span<const std::byte> bytes);
  /// 64 hexadecimal digits, in lower case. Nothing can be added afterwards.
  std::string digits();

private:
  struct Free {
    void operator()(void* context) const;
  };
  std::unique_ptr<void, Free> context_;
};

/// Errors  DataError if the file cannot be read; Interrupted
std::string sha256_of_file(const std::filesystem::path& path);

} // namespace mneme::fetch
