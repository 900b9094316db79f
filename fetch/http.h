// SPDX-License-Identifier: MIT

/// One HTTP(S) request: the bytes of a file from some place on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "mneme/core/error.h"

namespace mneme::fetch {

/// The network or a server did not give what was asked for. Exit code 1.
class NetworkError : public Error {
public:
  NetworkError(const std::string& message, bool passing) : Error(message), passing_(passing) {}
  /// Whether asking again may help: a connection that broke, a server that is busy.
  bool passing() const { return passing_; }

private:
  bool passing_;
};

/// Called when the answer begins, with the place in the file of its first byte, then with its bytes.
struct Receiver {
  std::function<void(int64_t first_byte)> begin;
  std::function<void(std::span<const std::byte>)> add;
};

/// Asks for what follows `first_byte` of a file; a server that cannot do that sends all of it. Redirects are
/// followed, but never from https to http. Certificates are checked against those of the system (OpenSSL's
/// SSL_CERT_FILE and SSL_CERT_DIR name others).
///
/// Errors  NetworkError (address, what happened, how to fix), Interrupted, UsageError for a bad address, and
/// whatever the receiver throws
void get(const std::string& url, int64_t first_byte, const Receiver& receiver);

} // namespace mneme::fetch
