// SPDX-License-Identifier: MIT

#include "fetch/http.h"

#include <gtest/gtest.h>

namespace mneme::fetch {
namespace {

TEST(CheckAddress, AcceptsHttpAndHttps) {
  for (const char* text : {"https://example.org/a/b.gz?x=1", "http://h", "http://h:8080/x",
                           "http://[::1]:80/x", "http://[::1]/x", "http://h/a/../b"}) {
    EXPECT_NO_THROW(check_address(text)) << text;
  }
}

TEST(CheckAddress, RejectsInvalidAddresses) {
  for (const char* text : {"", "example.org", "ftp://h/", "https://", "https:///a", "http://h:0/",
                           "http://h:70000/", "http://h:8x/", "http://h:/", "http://user:word@h/"}) {
    EXPECT_THROW(check_address(text), UsageError) << text;
  }
}

} // namespace
} // namespace mneme::fetch
