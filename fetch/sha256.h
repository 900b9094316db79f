// SPDX-License-Identifier: MIT

/// SHA-256 of byte streams and files.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace mneme::fetch {

/// Incremental SHA-256.
class Sha256 {
public:
  Sha256();
  void add(std::span<const std::byte> bytes);
  /// Finishes the hash: 64 lower-case hexadecimal digits. `add` must not be called afterwards.
  std::string digits();

private:
  struct Free {
    void operator()(void* context) const;
  };
  std::unique_ptr<void, Free> context_;
};

/// SHA-256 of the contents of a file.
///
/// Errors  DataError if the file cannot be read; Interrupted
std::string sha256_of_file(const std::filesystem::path& path);

} // namespace mneme::fetch
