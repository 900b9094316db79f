// SPDX-License-Identifier: MIT

/// HTTP(S) downloads through libcurl, starting at any byte of a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "mneme/core/error.h"

namespace mneme::fetch {

/// A request failed because of the network or the server. Exit code 1.
class NetworkError : public Error {
public:
  NetworkError(const std::string& message, bool is_transient) : Error(message), is_transient_(is_transient) {}
  /// True if a retry may succeed, as after a broken connection or with a busy server.
  bool is_transient() const { return is_transient_; }

private:
  bool is_transient_;
};

/// Callbacks: `begin` is called when the response begins, with the offset of its first byte in the file;
/// `add` is called with the bytes as they arrive.
struct Receiver {
  std::function<void(int64_t first_byte)> begin;
  std::function<void(std::span<const std::byte>)> add;
};

/// Errors  UsageError if `url` is not a complete http:// or https:// address, or contains a user name
void check_address(const std::string& url);

/// Requests a file from `first_byte` on, or all of it if the server does not support ranges. Redirects are
/// followed; from an https address only to https. libcurl reads proxies from https_proxy, http_proxy,
/// all_proxy and no_proxy. Certificates are verified against those of the system, or those in SSL_CERT_FILE
/// and SSL_CERT_DIR.
///
/// Errors  NetworkError (address, problem, how to fix it), Interrupted, UsageError for an invalid address,
///         and exceptions of the receiver
void get(const std::string& url, int64_t first_byte, const Receiver& receiver);

} // namespace mneme::fetch
