// SPDX-License-Identifier: MIT

#include "fetch/file_server.h"

#include <algorithm>

#include <httplib.h>

#include "fetch/certificate.h"

namespace mneme::testing {

FileServer::FileServer(std::map<std::string, std::string> files, Options options,
                       const Certificate* certificate)
    : files_(std::move(files)), options_(std::move(options)),
      server_(certificate != nullptr
                  ? std::make_unique<httplib::SSLServer>(certificate->x509.get(), certificate->key.get())
                  : std::make_unique<httplib::Server>()) {
  server_->Get("(?:http://[^/]*)?/(.*)", [this](const httplib::Request& request,
                                                httplib::Response& response) {
    {
      const std::lock_guard lock(mutex_);
      ranges_.push_back(request.get_header_value("Range"));
    }
    if (options_.failures_first > 0) {
      --options_.failures_first;
      response.status = 503;
      return;
    }
    if (!options_.redirect_to.empty()) {
      response.set_redirect(options_.redirect_to + std::string(request.matches[1]));
      return;
    }
    const auto file = files_.find(request.matches[1]);
    if (file == files_.end()) {
      response.status = 404;
      return;
    }
    if (!options_.ranges) {
      const_cast<httplib::Request&>(request).ranges.clear(); // otherwise httplib handles them itself
      response.set_content(file->second, "application/octet-stream");
      return;
    }
    if (options_.wrong_ranges && !request.ranges.empty()) {
      const_cast<httplib::Request&>(request).ranges = {{0, -1}};
    }
    const std::string& bytes = file->second;
    response.set_content_provider(
        bytes.size(), "application/octet-stream",
        [this, &bytes, sent = int64_t{0}](size_t offset, size_t length, httplib::DataSink& sink) mutable {
          size_t count = std::min<size_t>(length, 1000);
          if (options_.breaks_after > 0) {
            count = std::min<size_t>(count,
                                     static_cast<size_t>(std::max<int64_t>(options_.breaks_after - sent, 0)));
            if (count == 0) {
              return false; // closes the connection
            }
          }
          sent += static_cast<int64_t>(count);
          return sink.write(bytes.data() + offset, count);
        });
  });
  const int port = server_->bind_to_any_port("127.0.0.1");
  address_ =
      std::string(certificate != nullptr ? "https" : "http") + "://127.0.0.1:" + std::to_string(port) + "/";
  thread_ = std::thread([this] { server_->listen_after_bind(); });
  while (!server_->is_running()) {
    std::this_thread::yield();
  }
}

FileServer::~FileServer() {
  server_->stop();
  thread_.join();
}

std::vector<std::string> FileServer::ranges() const {
  const std::lock_guard lock(mutex_);
  return ranges_;
}

} // namespace mneme::testing
