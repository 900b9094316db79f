// SPDX-License-Identifier: MIT

#include "fetch/http.h"

#include <array>
#include <cstdlib>
#include <exception>
#include <memory>
#include <new>

#include <curl/curl.h>
#include <fmt/format.h>

#include "mneme/core/interrupt.h"
#include "mneme/core/version.h"

namespace mneme::fetch {
namespace {

using Number = long; // NOLINT(google-runtime-int): libcurl's type

constexpr Number kConnectSeconds = 20, kSilenceSeconds = 30, kRedirectsMax = 5;
constexpr std::string_view kOtherMirror = "Try another --mirror.";
constexpr std::string_view kOffline = "Check that this machine is online. Behind a proxy, set https_proxy; "
                                      "to use another mirror, set --mirror. "
                                      "The bytes received so far are kept.";

bool uses_tls(const std::string& url) {
  return url.starts_with("https://");
}

/// Transfer of one file. Exceptions of the receiver are stored until libcurl, which is C, has returned.
class Transfer {
public:
  Transfer(const std::string& url, int64_t first_byte, const Receiver& receiver)
      : url_(url), first_byte_(first_byte), receiver_(receiver), handle_(make_handle()) {
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_REDIR_PROTOCOLS_STR, uses_tls(url) ? "https" : "http,https");
    set(CURLOPT_FOLLOWLOCATION, 1L);
    set(CURLOPT_MAXREDIRS, kRedirectsMax);
    set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    set(CURLOPT_FAILONERROR, 1L);
    set(CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
    set(CURLOPT_LOW_SPEED_LIMIT, 1L); // byte per second
    set(CURLOPT_LOW_SPEED_TIME, kSilenceSeconds);
    set(CURLOPT_USERAGENT, fmt::format("mneme/{}", version()).c_str());
    // The published sizes and checksums are those of the stored files, without content encoding.
    set(CURLOPT_ACCEPT_ENCODING, "identity");
    set(CURLOPT_HTTP_CONTENT_DECODING, 0L);
    set(CURLOPT_ERRORBUFFER, detail_.data());
    set(CURLOPT_WRITEFUNCTION, &on_bytes);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &on_progress);
    set(CURLOPT_XFERINFODATA, this);
    set_from_environment(CURLOPT_CAINFO, "SSL_CERT_FILE");
    set_from_environment(CURLOPT_CAPATH, "SSL_CERT_DIR");
  }

  void perform() {
    CURLcode code = request();
    if (code == CURLE_RANGE_ERROR) { // the server did not send the bytes from first_byte_ on
      first_byte_ = 0;
      code = request();
    }
    if (failure_) {
      std::rethrow_exception(failure_);
    }
    if (code != CURLE_OK) {
      throw error_of(code);
    }
    begin();
  }

private:
  using Handle = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;

  static Handle make_handle() {
    static const CURLcode kReady = curl_global_init(CURL_GLOBAL_DEFAULT);
    Handle handle(kReady == CURLE_OK ? curl_easy_init() : nullptr, curl_easy_cleanup);
    if (!handle) {
      throw std::bad_alloc();
    }
    return handle;
  }

  template <class Value> void set(CURLoption option, Value value) {
    if (const CURLcode code = curl_easy_setopt(handle_.get(), option, value); code != CURLE_OK) {
      throw UnsupportedError(fmt::format(
          "{} does not support option {}: {}.\n  Install libcurl 7.85 or later with support for https.",
          curl_version(), static_cast<int>(option), curl_easy_strerror(code)));
    }
  }

  void set_from_environment(CURLoption option, const char* name) {
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') {
      set(option, value);
    }
  }

  CURLcode request() {
    set(CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(first_byte_));
    return curl_easy_perform(handle_.get());
  }

  template <class Value> Value info(CURLINFO which) const {
    Value value{};
    curl_easy_getinfo(handle_.get(), which, &value);
    return value;
  }
  Number status() const { return info<Number>(CURLINFO_RESPONSE_CODE); }

  /// Calls the receiver's `begin` once. If first_byte_ is not 0, libcurl only delivers bytes whose
  /// Content-Range starts at first_byte_.
  void begin() {
    if (begun_) {
      return;
    }
    if (status() != 200 && (status() != 206 || first_byte_ == 0)) {
      throw error_of(CURLE_HTTP_RETURNED_ERROR);
    }
    begun_ = true;
    receiver_.begin(first_byte_);
  }

  template <class Body> bool guarded(const Body& body) {
    try {
      throw_if_interrupted();
      body();
      return true;
    } catch (...) {
      failure_ = std::current_exception();
      return false;
    }
  }

  static size_t on_bytes(char* bytes, size_t, size_t count, void* transfer) {
    auto& self = *static_cast<Transfer*>(transfer);
    const bool taken = self.guarded([&] {
      self.begin();
      self.receiver_.add(std::as_bytes(std::span(bytes, count)));
    });
    return taken ? count : 0;
  }

  /// Called by libcurl at least once per second, also while no data arrives.
  static int on_progress(void* transfer, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Transfer*>(transfer)->guarded([] {}) ? 0 : 1;
  }

  NetworkError error_of(CURLcode code) const {
    const std::string at = info<const char*>(CURLINFO_EFFECTIVE_URL);
    const std::string detail = detail_[0] != '\0' ? detail_.data() : curl_easy_strerror(code);
    const auto failed = [&](std::string_view what, std::string_view advice, bool is_transient = false) {
      return NetworkError(fmt::format("{}: {}.\n  {}", at, what, advice), is_transient);
    };
    if (const auto proxy_status = info<Number>(CURLINFO_HTTP_CONNECTCODE); proxy_status >= 300) {
      return failed(fmt::format("the proxy answered with status {}", proxy_status),
                    "Check the proxy in https_proxy, or exempt the host with no_proxy.");
    }
    switch (code) {
    case CURLE_HTTP_RETURNED_ERROR: {
      const bool is_transient = status() == 429 || status() >= 500;
      return failed(fmt::format("the server answered with status {}{}", status(),
                                status() == 404 ? " (no such file)" : ""),
                    is_transient ? "Try again later, or try another --mirror." : kOtherMirror, is_transient);
    }
    case CURLE_TOO_MANY_REDIRECTS:
      return failed(fmt::format("more than {} redirects", kRedirectsMax), kOtherMirror);
    case CURLE_UNSUPPORTED_PROTOCOL: {
      const bool is_http = at.starts_with("http://");
      if (uses_tls(at) || (is_http && !uses_tls(url_))) {
        return failed(fmt::format("the response is not HTTP ({})", detail), kOtherMirror);
      }
      return NetworkError(fmt::format("{}: the server redirects to {}, which is {}.\n  {}", url_, at,
                                      is_http ? "not protected by TLS" : "neither http nor https",
                                      kOtherMirror),
                          false);
    }
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return failed(fmt::format("its certificate could not be verified ({})", detail),
                    "This system does not trust the server's certificate: install ca-certificates, or set "
                    "SSL_CERT_FILE to the right certificates.");
    case CURLE_SSL_CONNECT_ERROR:
      return failed(fmt::format("no TLS connection ({})", detail),
                    "The server responded, but not over TLS. Check the port, and whether there is a proxy "
                    "in between (https_proxy).");
    case CURLE_OPERATION_TIMEDOUT:
      if (info<curl_off_t>(CURLINFO_PRETRANSFER_TIME_T) > 0) {
        return failed(fmt::format("no data arrived for {} s", kSilenceSeconds), kOffline, true);
      }
      [[fallthrough]];
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
      return failed(fmt::format("no connection ({})", detail), kOffline);
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return failed(fmt::format("the connection broke ({})", detail), kOffline, true);
    default:
      return failed(fmt::format("failed ({})", detail), kOffline);
    }
  }

  const std::string url_;
  int64_t first_byte_;
  const Receiver& receiver_;
  Handle handle_;
  std::array<char, CURL_ERROR_SIZE> detail_{};
  bool begun_ = false;
  std::exception_ptr failure_;
};

} // namespace

void check_address(const std::string& url) {
  const auto error = [&](std::string_view problem) -> UsageError {
    return UsageError(
        fmt::format("\"{}\" is not a valid address: {}.\n  Example of an address: https://example.org/mnist/",
                    url, problem));
  };
  if (!url.starts_with("http://") && !uses_tls(url)) {
    throw error("it does not start with https:// or http://");
  }
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), curl_url_cleanup);
  const CURLUcode code =
      curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), CURLU_DISALLOW_USER | CURLU_PATH_AS_IS);
  if (code == CURLUE_USER_NOT_ALLOWED) {
    throw error("names and passwords in addresses are not supported");
  }
  if (code != CURLUE_OK) {
    throw error(curl_url_strerror(code));
  }
  const auto part = [&](CURLUPart which) {
    char* text = nullptr;
    curl_url_get(parsed.get(), which, &text, 0);
    const std::unique_ptr<char, decltype(&curl_free)> owned(text, curl_free);
    return std::string(text != nullptr ? text : "");
  };
  if (part(CURLUPART_PORT) == "0") {
    throw error("port 0 does not exist");
  }
  // libcurl silently changes addresses such as "https:///host" and "http://host:/".
  if (const std::string parsed_url = part(CURLUPART_URL); parsed_url != url && parsed_url != url + "/") {
    throw error("it would be interpreted as " + parsed_url);
  }
}

void get(const std::string& url, int64_t first_byte, const Receiver& receiver) {
  check_address(url);
  Transfer(url, first_byte, receiver).perform();
}

} // namespace mneme::fetch
