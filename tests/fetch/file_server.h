// SPDX-License-Identifier: MIT

/// Local test server for a few files, with configurable faults. It also acts as an http proxy that serves its
/// own files for any host and rejects CONNECT requests.
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
  struct Options {
    bool ranges = true;           ///< false: always sends the complete file
    bool wrong_ranges = false;    ///< responds to a range with status 206 and the file from its first byte
    int64_t breaks_after = 0;     ///< closes the connection after this many bytes of a response; 0: never
    int failures_first = 0;       ///< number of initial requests with status 503
    std::string redirect_to = {}; ///< redirects every request to this address, if not empty
  };

  FileServer(std::map<std::string, std::string> files, Options options,
             const Certificate* certificate = nullptr);
  explicit FileServer(std::map<std::string, std::string> files) : FileServer(std::move(files), Options{}) {}
  FileServer(const FileServer&) = delete;
  FileServer& operator=(const FileServer&) = delete;
  ~FileServer();

  /// "http://127.0.0.1:PORT/"
  const std::string& address() const { return address_; }
  /// Range headers of all requests so far ("" if a request had none).
  std::vector<std::string> ranges() const;

private:
  std::map<std::string, std::string> files_;
  Options options_;
  std::unique_ptr<httplib::Server> server_;
  std::string address_;
  mutable std::mutex mutex_;
  std::vector<std::string> ranges_;
  std::thread thread_;
};

} // namespace mneme::testing
