// SPDX-License-Identifier: MIT

/// Helpers of the tests in this folder: a byte builder, temporary folders, checks of error messages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "core/temporary_folder.h"
#include "mneme/core/error.h"

namespace mneme::data {

/// Builder of byte sequences; all functions append at the end.
class Bytes {
public:
  Bytes& text(std::string_view text) {
    for (const char c : text) {
      bytes_.push_back(static_cast<std::byte>(c));
    }
    return *this;
  }
  Bytes& little(uint64_t number, size_t size) {
    for (size_t i = 0; i < size; ++i, number >>= 8) {
      bytes_.push_back(static_cast<std::byte>(number));
    }
    return *this;
  }
  Bytes& big(uint64_t number, size_t size) {
    for (size_t i = size; i-- > 0;) {
      bytes_.push_back(static_cast<std::byte>(number >> (8 * i)));
    }
    return *this;
  }
  Bytes& append(std::span<const std::byte> more) {
    bytes_.insert(bytes_.end(), more.begin(), more.end());
    return *this;
  }
  std::byte& operator[](size_t i) { return bytes_[i]; }
  size_t size() const { return bytes_.size(); }
  std::span<const std::byte> all() const { return bytes_; }
  std::span<const std::byte> first(size_t count) const { return all().first(count); }

private:
  std::vector<std::byte> bytes_;
};

/// Temporary folder of one test, deleted at its end.
class TemporaryFolder : public mneme::testing::TemporaryFolder {
public:
  std::filesystem::path file(const std::string& name, std::span<const std::byte> bytes) const {
    std::ofstream stream(path() / name, std::ios::binary);
    stream.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return path() / name;
  }
};

/// Expects that `call` throws an ErrorType whose message contains all of `parts` and advice on a second line.
template <class ErrorType, class Call>
void expect_error(Call call, std::initializer_list<std::string_view> parts) {
  try {
    call();
    ADD_FAILURE() << "no error";
  } catch (const ErrorType& error) {
    const std::string message = error.what();
    for (const std::string_view part : parts) {
      EXPECT_NE(message.find(part), std::string::npos) << "\"" << part << "\" is not in: " << message;
    }
    EXPECT_NE(message.find("\n  "), std::string::npos) << "no advice in: " << message;
  }
}

/// Expects that `parse` accepts `bytes`, and throws a DataError on every proper prefix of them.
template <class Parse> void expect_no_prefix_parses(const Bytes& bytes, Parse parse) {
  EXPECT_NO_THROW(parse(bytes.all()));
  for (size_t length = 0; length < bytes.size(); ++length) {
    // The prefix is copied, so that the address sanitizer detects reads past its end.
    const std::vector<std::byte> prefix(bytes.all().begin(),
                                        bytes.all().begin() + static_cast<ptrdiff_t>(length));
    EXPECT_THROW(parse(std::span<const std::byte>(prefix)), DataError)
        << "truncated to " << length << " bytes";
  }
}

} // namespace mneme::data
