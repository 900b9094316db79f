// SPDX-License-Identifier: MIT

/// A server on this machine that serves a few files, well or badly. As a proxy for http it serves them as those of
/// any host, and refuses to connect to one.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace httplib {
class Server;
}

namespace mneme::testing {

struct Certificate;

class FileServer {
public:
  /// How it treats requests.
  struct Manners {
    bool ranges = true;           ///< false: always the whole file
    bool wrong_ranges = false;    ///< a range is answered with status 206 and the file from its first byte on
    int64_t breaks_after = 0;     ///< bytes of each answer, then the connection is cut; 0: never
    int failures_first = 0;       ///< so many requests are answered with status 503
    std::string redirect_to = {}; ///< every request is sent there
  };

  FileServer(std::map<std::string, std::string> files, Manners manners,
             const Certificate* certificate = nullptr);
  explicit FileServer(std::map<std::string, std::string> files) : FileServer(std::move(files), Manners{}) {}
  FileServer(const FileServer&) = delete;
  FileServer& operator=(const FileServer&) = delete;
  ~FileServer();

  /// "http://127.0.0.1:PORT/"
  const std::string& address() const { return address_; }
  /// The Range header of each request so far ("" where there was none).
  std::vector<std::string> ranges() const;

private:
  std::map<std::string, std::string> files_;
  Manners manners_;
  std::unique_ptr<httplib::Server> server_;
  std::string address_;
  mutable std::mutex mutex_;
  std::vector<std::string> ranges_;
  std::thread thread_;
};

} // namespace mneme::testing
