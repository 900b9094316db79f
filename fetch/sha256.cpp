// SPDX-License-Identifier: MIT

#include "fetch/sha256.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"

namespace mneme::fetch {

std::string sha256_of_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> block(1 << 20);
  Sha256 sum;
  while (file) {
    throw_if_interrupted();
    file.read(block.data(), static_cast<std::streamsize>(block.size()));
    sum.add(std::as_bytes(std::span(block).first(static_cast<size_t>(file.gcount()))));
  }
  if (!file.eof()) {
    throw DataError(fmt::format("{}: it cannot be read: {}.\n  Check that it exists and is readable.",
                                path.string(), std::strerror(errno)));
  }
  return sum.digits();
}

} // namespace mneme::fetch
