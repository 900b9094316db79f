// SPDX-License-Identifier: MIT

#include "fetch/http.h"

#include <charconv>
#include <exception>
#include <optional>

#include <fmt/format.h>
#include <httplib.h>

#include "fetch/proxy.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/version.h"

namespace mneme::fetch {
namespace {

constexpr time_t kSecondsToConnect = 20, kSecondsOfSilence = 30;
constexpr int kRedirectsMost = 5;

const char* advice_for(httplib::Error error) {
  switch (error) {
  case httplib::Error::SSLServerVerification:
  case httplib::Error::SSLLoadingCerts:
    return "The server's certificate is not one that this system trusts: install ca-certificates, or name "
           "the "
           "right ones with SSL_CERT_FILE.";
  case httplib::Error::SSLConnection:
    return "There was an answer, but not over TLS: is this the right port, or is a proxy in between "
           "(https_proxy)?";
  default:
    return "Is this machine online? Behind a proxy, set https_proxy; another place is named with --mirror. "
           "What "
           "has come so far is kept.";
  }
}

std::string what_happened(httplib::Error error) {
  switch (error) {
  case httplib::Error::Connection:
  case httplib::Error::ConnectionTimeout:
    return "no connection";
  case httplib::Error::Read:
    return "the connection broke, or was silent for too long";
  case httplib::Error::SSLServerVerification:
    return "its certificate could not be verified";
  default:
    return "failed (" + httplib::to_string(error) + ")";
  }
}

/// The first byte of "bytes 100-199/200".
std::optional<int64_t> first_byte_of(const std::string& content_range) {
  constexpr std::string_view kUnit = "bytes ";
  int64_t first = 0;
  const char* begin = content_range.data() + std::min(kUnit.size(), content_range.size());
  const auto [end, error] = std::from_chars(begin, content_range.data() + content_range.size(), first);
  if (!content_range.starts_with(kUnit) || error != std::errc() || *end != '-' || first < 0) {
    return std::nullopt;
  }
  return first;
}

/// One answer: its status, where it points to, and what the receiver threw.
struct Answer {
  int status = 0;
  std::string location;
  std::exception_ptr failure;
};

Answer ask(const Address& address, const std::string& url, int64_t first_byte, const Receiver& receiver) {
  httplib::Client client(address.origin());
  client.set_connection_timeout(kSecondsToConnect);
  client.set_read_timeout(kSecondsOfSilence);
  client.set_decompress(false);
  if (const auto proxy = proxy_for(address)) {
    client.set_proxy(proxy->host, proxy->port);
  }
  httplib::Headers headers{{"Accept-Encoding", "identity"},
                           {"User-Agent", fmt::format("mneme/{}", version())}};
  if (first_byte > 0) {
    headers.emplace("Range", fmt::format("bytes={}-", first_byte));
  }
  Answer answer;
  const auto guarded = [&](const auto& body) {
    try {
      throw_if_interrupted();
      body();
      return true;
    } catch (...) {
      answer.failure = std::current_exception();
      return false;
    }
  };
  const auto result = client.Get(
      address.path, headers,
      [&](const httplib::Response& response) {
        answer.status = response.status;
        answer.location = response.get_header_value("Location");
        return guarded([&] {
          if (response.status == 200) {
            receiver.begin(0);
          } else if (response.status == 206) {
            const auto first = first_byte_of(response.get_header_value("Content-Range"));
            if (!first) {
              throw NetworkError(
                  fmt::format("{}: the server sent a part of the file and did not say which.\n  "
                              "Try another --mirror.",
                              url),
                  false);
            }
            receiver.begin(*first);
          }
        });
      },
      [&](const char* bytes, size_t size) {
        return guarded([&] {
          if (answer.status == 200 || answer.status == 206) {
            receiver.add(std::as_bytes(std::span(bytes, size)));
          }
        });
      });
  if (answer.failure) {
    std::rethrow_exception(answer.failure);
  }
  if (!result) {
    throw_if_interrupted();
    const httplib::Error error = result.error();
    throw NetworkError(fmt::format("{}: {}.\n  {}", url, what_happened(error), advice_for(error)),
                       error == httplib::Error::Read);
  }
  return answer;
}

} // namespace

void get(const std::string& url, int64_t first_byte, const Receiver& receiver) {
  std::string at = url;
  Address address = parse_address(at);
  for (int redirects = 0; redirects <= kRedirectsMost; ++redirects) {
    const Answer answer = ask(address, at, first_byte, receiver);
    if (answer.status == 200 || answer.status == 206) {
      return;
    }
    const bool moved = answer.status == 301 || answer.status == 302 || answer.status == 303 ||
                       answer.status == 307 || answer.status == 308;
    if (!moved || answer.location.empty()) {
      const bool passing = answer.status == 429 || answer.status >= 500;
      throw NetworkError(
          fmt::format("{}: the server answered with status {}{}.\n  {}", at, answer.status,
                      answer.status == 404 ? " (no such file)" : "",
                      passing ? "Try again later, or another --mirror." : "Try another --mirror."),
          passing);
    }
    at = answer.location.starts_with('/') ? address.origin() + answer.location : answer.location;
    const Address next = parse_address(at);
    if (address.tls && !next.tls) {
      throw NetworkError(fmt::format("{}: the server points to {}, which is not protected by TLS.\n  Try "
                                     "another --mirror.",
                                     url, at),
                         false);
    }
    address = next;
  }
  throw NetworkError(fmt::format("{}: more than {} redirects.\n  Try another --mirror.", url, kRedirectsMost),
                     false);
}

} // namespace mneme::fetch
