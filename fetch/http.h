// SPDX-License-Identifier: MIT

/// HTTP(S) through libcurl: the bytes of a file from some place on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "mneme/core/error.h"

namespace mneme::fetch {

/// The network or a server did not give what was requested. Exit code 1.
class NetworkError : public Error {
public:
  NetworkError(const std::string& message, bool passing) : Error(message), passing_(passing) {}
  /// Whether another try may help: a connection that broke, a server that is busy.
  bool passing() const { return passing_; }

private:
  bool passing_;
};

/// Called when the response begins, with the place in the file of its first byte, then with its bytes.
struct Receiver {
  std::function<void(int64_t first_byte)> begin;
  std::function<void(std::span<const std::byte>)> add;
};

/// Errors  UsageError unless it is a complete http:// or https:// address without a user name
void check_address(const std::string& url);

/// Requests what follows `first_byte` of a file, or all of it from a server that cannot do that. Redirects are
/// followed; those of an https address only to https. libcurl takes proxies from https_proxy, http_proxy, all_proxy
/// and no_proxy. Certificates are checked against those of the system; SSL_CERT_FILE and SSL_CERT_DIR name others.
///
/// Errors  NetworkError (address, what happened, how to fix), Interrupted, UsageError for a bad address, and
/// whatever the receiver throws
void get(const std::string& url, int64_t first_byte, const Receiver& receiver);

} // namespace mneme::fetch
