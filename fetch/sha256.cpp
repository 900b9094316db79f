// SPDX-License-Identifier: MIT

#include "fetch/sha256.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <new>
#include <vector>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "mneme/core/assert.h"
#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"

namespace mneme::fetch {
namespace {

EVP_MD_CTX* as_context(void* context) {
  return static_cast<EVP_MD_CTX*>(context);
}

} // namespace

void Sha256::Free::operator()(void* context) const {
  EVP_MD_CTX_free(as_context(context));
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  if (!context_ || EVP_DigestInit_ex(as_context(context_.get()), EVP_sha256(), nullptr) != 1) {
    throw std::bad_alloc();
  }
}

void Sha256::add(std::span<const std::byte> bytes) {
  const int added = EVP_DigestUpdate(as_context(context_.get()), bytes.data(), bytes.size());
  MNEME_ASSERT(added == 1);
  static_cast<void>(added);
}

std::string Sha256::digits() {
  std::array<unsigned char, 32> digest{};
  EVP_DigestFinal_ex(as_context(context_.get()), digest.data(), nullptr);
  return fmt::format("{:02x}", fmt::join(digest, ""));
}

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
