// SPDX-License-Identifier: MIT

#include "mneme/core/crc32c.h"

#include <string>

#include <gtest/gtest.h>

namespace mneme {
namespace {

TEST(Crc32c, EqualsThePublishedValues) {
  const auto crc = [](const std::string& text) { return crc32c(std::as_bytes(std::span(text))); };
  EXPECT_EQ(crc("123456789"), 0xE3069283);           // the check value of CRC-32C
  EXPECT_EQ(crc(std::string(32, '\0')), 0x8A9136AA); // RFC 3720, B.4
  EXPECT_EQ(crc(std::string(32, '\xff')), 0x62A8AB43);
  const std::string text = "any bytes, also in parts";
  for (size_t size = 0; size <= text.size(); ++size) { // both implementations
    const auto bytes = std::as_bytes(std::span(text).first(size));
    EXPECT_EQ(crc32c_by_tables(bytes, 7), crc32c(bytes, 7)) << size;
  }
  EXPECT_EQ(crc32c(std::as_bytes(std::span(text).subspan(9)), crc(text.substr(0, 9))), crc(text));
}

TEST(Crc32c, DependsOnWhereTextsAreDivided) {
  const auto of_both = [](const std::string& a, const std::string& b) {
    return crc32c_with_size(std::as_bytes(std::span(b)), crc32c_with_size(std::as_bytes(std::span(a)), 0));
  };
  EXPECT_NE(of_both("ab", "c"), of_both("a", "bc"));
  const std::string no_bytes(8, '\0'); // a size of 0
  EXPECT_EQ(crc32c_with_size({}, 0), crc32c(std::as_bytes(std::span(no_bytes))));
}

TEST(Crc32c, IsWrittenAsEightDigits) {
  EXPECT_EQ(crc32c_text(0xE3069283), "e3069283");
  EXPECT_EQ(crc32c_text(0xAB), "000000ab");
}

} // namespace
} // namespace mneme
