// SPDX-License-Identifier: MIT

#include "fetch/proxy.h"

#include <charconv>
#include <cstdlib>

#include <fmt/format.h>

#include "mneme/core/error.h"

namespace mneme::fetch {
namespace {

std::string environment(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') {
      return value;
    }
  }
  return "";
}

bool is_exempt(const std::string& host) {
  const std::string list = environment({"NO_PROXY", "no_proxy"});
  std::string_view names = list;
  while (!names.empty()) {
    const size_t comma = names.find(',');
    std::string_view name = names.substr(0, comma);
    names.remove_prefix(comma == std::string_view::npos ? names.size() : comma + 1);
    while (name.starts_with(' ') || name.starts_with('.')) {
      name.remove_prefix(1);
    }
    if (name == "*" || name == host ||
        (!name.empty() && host.ends_with(name) && host[host.size() - name.size() - 1] == '.')) {
      return true;
    }
  }
  return false;
}

} // namespace

std::string Address::origin() const {
  const bool usual = port == (tls ? 443 : 80);
  return fmt::format("{}://{}{}", tls ? "https" : "http", host, usual ? "" : fmt::format(":{}", port));
}

Address parse_address(std::string_view url) {
  const auto refuse = [&](std::string_view why) -> UsageError {
    return UsageError(fmt::format(
        "\"{}\" is no address: {}.\n  An address looks like https://example.org/mnist/", url, why));
  };
  Address address;
  if (url.starts_with("https://")) {
    url.remove_prefix(8);
  } else if (url.starts_with("http://")) {
    url.remove_prefix(7);
    address.tls = false;
  } else {
    throw refuse("it does not begin with https:// or http://");
  }
  const size_t slash = url.find('/');
  address.path = slash == std::string_view::npos ? "/" : std::string(url.substr(slash));
  std::string_view authority = url.substr(0, slash);
  if (authority.find('@') != std::string_view::npos) {
    throw refuse("names and passwords in addresses are not supported");
  }
  const size_t colon = authority.rfind(':');
  address.port = address.tls ? 443 : 80;
  if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos) {
    const std::string_view digits = authority.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), address.port);
    if (error != std::errc() || end != digits.data() + digits.size() || address.port < 1 ||
        address.port > 65535) {
      throw refuse("its port is no number from 1 to 65535");
    }
    authority = authority.substr(0, colon);
  }
  address.host = authority;
  if (address.host.empty()) {
    throw refuse("it names no host");
  }
  return address;
}

std::optional<Address> proxy_for(const Address& address) {
  const std::string proxy = address.tls
                                ? environment({"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"})
                                : environment({"http_proxy", "ALL_PROXY", "all_proxy"});
  if (proxy.empty() || is_exempt(address.host)) {
    return std::nullopt;
  }
  return parse_address(proxy.find("://") == std::string::npos ? "http://" + proxy : proxy);
}

} // namespace mneme::fetch
