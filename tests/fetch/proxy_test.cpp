// SPDX-License-Identifier: MIT

#include "fetch/proxy.h"

#include <cstdlib>

#include <gtest/gtest.h>

#include "mneme/core/error.h"

namespace mneme::fetch {
namespace {

TEST(ParseAddress, TellsTheParts) {
  const Address address = parse_address("https://example.org/a/b.gz?x=1");
  EXPECT_TRUE(address.tls);
  EXPECT_EQ(address.host, "example.org");
  EXPECT_EQ(address.port, 443);
  EXPECT_EQ(address.path, "/a/b.gz?x=1");
  EXPECT_EQ(address.origin(), "https://example.org");
  EXPECT_EQ(parse_address("http://h").path, "/");
  EXPECT_EQ(parse_address("http://h:8080/x").origin(), "http://h:8080");
  EXPECT_EQ(parse_address("http://[::1]:80/x").host, "[::1]");
  EXPECT_EQ(parse_address("http://[::1]/x").port, 80);
}

TEST(ParseAddress, RefusesWhatIsNone) {
  for (const char* text : {"", "example.org", "ftp://h/", "https://", "https:///a", "http://h:0/",
                           "http://h:70000/", "http://h:8x/", "http://h:/", "http://user:word@h/"}) {
    EXPECT_THROW(parse_address(text), UsageError) << text;
  }
}

TEST(ProxyFor, FollowsTheEnvironment) {
  const Address tls = parse_address("https://data.example.org/"),
                plain = parse_address("http://data.example.org/");
  for (const char* name : {"https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY",
                           "no_proxy", "NO_PROXY"}) {
    ::unsetenv(name);
  }
  EXPECT_FALSE(proxy_for(tls));
  ::setenv("https_proxy", "http://gate:3128", 1);
  ASSERT_TRUE(proxy_for(tls));
  EXPECT_EQ(proxy_for(tls)->host, "gate");
  EXPECT_EQ(proxy_for(tls)->port, 3128);
  EXPECT_FALSE(proxy_for(plain));
  ::setenv("http_proxy", "gate:8080", 1); // without a scheme
  EXPECT_EQ(proxy_for(plain)->port, 8080);
  ::setenv("no_proxy", "localhost, .example.org", 1);
  EXPECT_FALSE(proxy_for(tls));
  EXPECT_TRUE(proxy_for(parse_address("https://notexample.org/")));
  ::setenv("no_proxy", "*", 1);
  EXPECT_FALSE(proxy_for(parse_address("https://notexample.org/")));
  ::setenv("no_proxy", "", 1);
  ::setenv("https_proxy", "ftp://gate", 1);
  EXPECT_THROW(proxy_for(tls), UsageError);
  for (const char* name : {"https_proxy", "http_proxy", "no_proxy"}) {
    ::unsetenv(name);
  }
}

} // namespace
} // namespace mneme::fetch
