// SPDX-License-Identifier: MIT

#include "cli/bytes.h"

#include <string>

#include <gtest/gtest.h>

#include "core/text_checks.h"
#include "mneme/core/error.h"

namespace mneme::cli {
namespace {

using mneme::testing::contains;

TEST(ParseBytes, AcceptsUsualNotations) {
  EXPECT_EQ(parse_bytes("--limit", "1000"), 1000);
  EXPECT_EQ(parse_bytes("--limit", "1e9"), 1e9);
  EXPECT_EQ(parse_bytes("--limit", "4GB"), 4e9);
  EXPECT_EQ(parse_bytes("--limit", "4 gb"), 4e9);
  EXPECT_EQ(parse_bytes("--limit", "4G"), 4e9);
  EXPECT_EQ(parse_bytes("--limit", "1.5kB"), 1500);
  EXPECT_EQ(parse_bytes("--limit", "512MiB"), 512.0 * 1024 * 1024);
  EXPECT_EQ(parse_bytes("--limit", "7B"), 7);
}

TEST(ParseBytes, RejectsInvalidAmounts) {
  for (const char* text : {"", "GB", "4XB", "4GBB", "-1GB", "0", "0.5", "1e-320", "nan", "4 G B", "iB"}) {
    try {
      parse_bytes("--limit", text);
      FAIL() << text << " was accepted";
    } catch (const UsageError& error) {
      EXPECT_TRUE(contains(error.what(), "--limit")) << error.what();
    }
  }
}

TEST(BytesText, HasThreeDigitsAndAUnit) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(999), "999 B");
  EXPECT_EQ(bytes_text(2136), "2.14 kB");
  EXPECT_EQ(bytes_text(999'999), "1 MB");
  EXPECT_EQ(bytes_text(2.3e9), "2.3 GB");
  EXPECT_EQ(bytes_text(1e21), "1e+03 EB");
}

} // namespace
} // namespace mneme::cli
