// SPDX-License-Identifier: MIT

/// Addresses, and the proxy that the environment asks for.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mneme::fetch {

/// "https://host:8443/a/b?c" in parts.
struct Address {
  bool tls = true;
  std::string host;
  int port = 443;
  std::string path; ///< from the "/" on, with what follows

  std::string origin() const; ///< "https://host:8443"
};

/// Errors  UsageError unless it is an http:// or https:// address with a host
Address parse_address(std::string_view url);

/// What https_proxy (for https), http_proxy (for http) or all_proxy name, unless no_proxy names the host, a
/// domain that it ends with, or "*". Capital letters do as well, but for HTTP_PROXY, which a web server's
/// clients could set.
///
/// Errors  UsageError if a variable holds no address
std::optional<Address> proxy_for(const Address& address);

} // namespace mneme::fetch
