// SPDX-License-Identifier: MIT

#include "fetch/download.h"

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <thread>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "fetch/certificate.h"
#include "fetch/file_server.h"
#include "fetch/http.h"
#include "fetch/sha256.h"
#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"

namespace mneme::fetch {
namespace {

using testing::Certificate;
using testing::FileServer;
using testing::read_text;
using testing::TemporaryFolder;
using testing::write_text;

std::string some_bytes(size_t count) {
  std::string bytes(count, '\0');
  for (size_t i = 0; i < count; ++i) {
    bytes[i] = static_cast<char>(i * i + 7 * i);
  }
  return bytes;
}

std::string sha256_of(const std::string& bytes) {
  Sha256 sum;
  sum.add(std::as_bytes(std::span(bytes)));
  return sum.digits();
}

RemoteFile remote(const std::string& name, const std::string& bytes) {
  return {.name = name, .size = static_cast<int64_t>(bytes.size()), .sha256 = sha256_of(bytes)};
}

/// Sets an environment variable during its lifetime.
class Environment {
public:
  Environment(const char* name, const std::string& value) : name_(name) { ::setenv(name, value.c_str(), 1); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() { ::unsetenv(name_); }

private:
  const char* name_;
};

/// Server without HTTP: accepts one connection and passes it to `serve` after the first byte of a request.
class RawServer {
public:
  explicit RawServer(const std::function<void(int connection)>& serve)
      : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in socket_address{
        .sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    socklen_t size = sizeof socket_address;
    auto* generic = reinterpret_cast<sockaddr*>(&socket_address);
    EXPECT_EQ(::bind(listener_, generic, size), 0);
    EXPECT_EQ(::listen(listener_, 1), 0);
    EXPECT_EQ(::getsockname(listener_, generic, &size), 0);
    port_ = ntohs(socket_address.sin_port);
    thread_ = std::thread([this, serve] {
      const int connection = ::accept(listener_, nullptr, nullptr);
      char byte = 0;
      EXPECT_EQ(::recv(connection, &byte, 1, 0), 1);
      serve(connection);
      while (::recv(connection, &byte, 1, 0) > 0) { // until the client disconnects
      }
      ::close(connection);
    });
  }
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;
  ~RawServer() {
    thread_.join();
    ::close(listener_);
  }
  std::string address() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

private:
  int listener_, port_ = 0;
  std::thread thread_;
};

class Download : public ::testing::Test {
protected:
  void SetUp() override {
    for (const char* name : {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy",
                             "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"}) {
      ::unsetenv(name);
    }
  }
  void fetch_from(const std::vector<std::string>& mirrors) {
    download(file_, mirrors, folder_.path(), quiet_);
  }
  template <class Kind> std::string message_of(const std::vector<std::string>& mirrors) {
    try {
      fetch_from(mirrors);
    } catch (const Kind& error) {
      return error.what();
    }
    ADD_FAILURE() << "nothing of the expected kind was thrown";
    return "";
  }
  void expect_complete() {
    EXPECT_TRUE(read_text(folder_ / "a.bin") == bytes_);
    EXPECT_EQ(folder_.names(), std::vector<std::string>{"a.bin"}) << "a .part file is left";
  }

  const std::string bytes_ = some_bytes(200'000);
  const RemoteFile file_ = remote("a.bin", bytes_);
  const TemporaryFolder folder_;
  Progress quiet_;
};

TEST(Sha256, MatchesTheTestVectorsOfTheStandard) {
  EXPECT_EQ(sha256_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_F(Download, DownloadsTheCompleteFile) {
  const FileServer server({{"a.bin", bytes_}});
  fetch_from({server.address()});
  expect_complete();
  EXPECT_TRUE(is_published(file_, folder_.path()));
  EXPECT_EQ(server.ranges(), std::vector<std::string>{""});
}

TEST_F(Download, ResumesAnEarlierRun) {
  write_text(folder_ / "a.bin.part", bytes_.substr(0, 70'000));
  EXPECT_EQ(state_of(file_, folder_.path()), FileState::partial);
  const FileServer server({{"a.bin", bytes_}});
  fetch_from({server.address()});
  expect_complete();
  EXPECT_EQ(server.ranges(), std::vector<std::string>{"bytes=70000-"});
}

TEST_F(Download, DownloadsEverythingFromAServerWithoutRanges) {
  write_text(folder_ / "a.bin.part", bytes_.substr(0, 70'000));
  const FileServer server({{"a.bin", bytes_}}, {.ranges = false});
  fetch_from({server.address()});
  expect_complete();
}

TEST_F(Download, DownloadsEverythingFromAServerThatSendsTheWrongRange) {
  write_text(folder_ / "a.bin.part", bytes_.substr(0, 70'000));
  const FileServer server({{"a.bin", bytes_}}, {.wrong_ranges = true});
  fetch_from({server.address()});
  expect_complete();
  EXPECT_EQ(server.ranges(), (std::vector<std::string>{"bytes=70000-", ""}));
}

TEST_F(Download, ResumesAfterARedirect) {
  write_text(folder_ / "a.bin.part", bytes_.substr(0, 70'000));
  const FileServer target({{"a.bin", bytes_}});
  const FileServer server({}, {.redirect_to = target.address()});
  fetch_from({server.address()});
  expect_complete();
  EXPECT_EQ(target.ranges(), std::vector<std::string>{"bytes=70000-"});
}

TEST_F(Download, KeepsThePartFileIfTheFileIsNotFound) {
  write_text(folder_ / "a.bin.part", bytes_.substr(0, 70'000));
  const FileServer server({});
  testing::expect_contains(message_of<NetworkError>({server.address()}), {"404"});
  EXPECT_EQ(server.ranges().size(), 1U);
  EXPECT_EQ(std::filesystem::file_size(folder_ / "a.bin.part"), 70'000U);
}

TEST_F(Download, ResumesAfterBrokenConnections) {
  const FileServer server({{"a.bin", bytes_}}, {.breaks_after = 30'000});
  fetch_from({server.address()});
  expect_complete();
  EXPECT_GE(server.ranges().size(), 7U);
}

TEST_F(Download, RetriesIfAServerIsBusy) {
  const FileServer server({{"a.bin", bytes_}}, {.failures_first = 2});
  fetch_from({server.address()});
  expect_complete();

  const FileServer busy({{"a.bin", bytes_}}, {.failures_first = 1000});
  const TemporaryFolder other;
  EXPECT_THROW(download(file_, std::vector{busy.address()}, other.path(), quiet_), NetworkError);
  EXPECT_LT(busy.ranges().size(), 10U) << "the number of retries is limited";
}

TEST_F(Download, RestartsIfThePartFileBelongsToADifferentFile) {
  write_text(folder_ / "a.bin.part", std::string(70'000, 'x'));
  const FileServer server({{"a.bin", bytes_}});
  fetch_from({server.address()});
  expect_complete();
}

TEST_F(Download, RejectsAFileThatIsNotThePublishedOne) {
  std::string other = bytes_;
  other[100] ^= 1;
  const FileServer server({{"a.bin", other}});
  const std::string message = message_of<DataError>({server.address()});
  testing::expect_contains(message, {file_.sha256, sha256_of(other), "--mirror"});
  EXPECT_TRUE(folder_.names().empty()) << "the wrong file is removed";
}

TEST_F(Download, RejectsAFileOfADifferentLength) {
  const FileServer longer({{"a.bin", bytes_ + "more"}});
  testing::expect_contains(message_of<DataError>({longer.address()}), {"longer", "200000 bytes"});
  EXPECT_FALSE(std::filesystem::exists(folder_ / "a.bin"));
  const FileServer shorter({{"a.bin", bytes_.substr(0, 1234)}});
  std::filesystem::remove(folder_ / "a.bin.part");
  testing::expect_contains(message_of<DataError>({shorter.address()}), {"after 1234 bytes", "has 200000"});
}

TEST_F(Download, TriesTheNextMirror) {
  const FileServer empty({}), full({{"a.bin", bytes_}});
  fetch_from({empty.address(), full.address()});
  expect_complete();
}

TEST_F(Download, ReportsTheMissingFile) {
  const FileServer server({});
  testing::expect_contains(message_of<NetworkError>({server.address()}),
                           {server.address() + "a.bin", "404", "--mirror"});
  EXPECT_TRUE(folder_.names().empty()) << "a failure leaves no empty file";
}

TEST_F(Download, ReportsThatThereIsNoConnection) {
  std::string address;
  {
    const FileServer gone({});
    address = gone.address();
  }
  testing::expect_contains(message_of<NetworkError>({address}),
                           {address, "no connection", "online", "--mirror"});
}

TEST_F(Download, LimitsTheNumberOfRedirects) {
  const FileServer target({{"a.bin", bytes_}});
  const FileServer server({}, {.redirect_to = target.address()});
  fetch_from({server.address()});
  expect_complete();

  const FileServer circle({}, {.redirect_to = "/"});
  testing::expect_contains(message_of<NetworkError>({circle.address()}), {"redirects"});
}

TEST_F(Download, FollowsRedirectsToHttpAndHttpsOnly) {
  const FileServer server({}, {.redirect_to = "ftp://127.0.0.1/"});
  testing::expect_contains(message_of<NetworkError>({server.address()}),
                           {"ftp://127.0.0.1/a.bin", "neither http nor https"});
}

TEST_F(Download, StopsAtAnInterruptAndKeepsTheReceivedBytes) {
  const FileServer server({{"a.bin", bytes_}});
  class InterruptHalfWay : public Progress {
    void advance(int64_t steps) override {
      done_ += steps;
      if (done_ > 100'000) {
        request_interrupt();
      }
    }
    int64_t done_ = 0;
  } progress;
  EXPECT_THROW(download(file_, std::vector{server.address()}, folder_.path(), progress), Interrupted);
  clear_interrupt();
  EXPECT_GT(std::filesystem::file_size(folder_ / "a.bin.part"), 100'000U);
  fetch_from({server.address()});
  expect_complete();
}

TEST_F(Download, StopsAtAnInterruptWhileTheServerIsSilent) {
  const RawServer server([](int) { request_interrupt(); });
  EXPECT_THROW(fetch_from({server.address()}), Interrupted);
  clear_interrupt();
  EXPECT_TRUE(folder_.names().empty());
}

TEST_F(Download, RejectsAResponseThatIsNotHttp) {
  const RawServer server([](int connection) {
    constexpr std::string_view kText = "220 mail.example.org ready\r\n";
    EXPECT_EQ(::send(connection, kText.data(), kText.size(), 0), std::ssize(kText));
  });
  testing::expect_contains(message_of<NetworkError>({server.address()}), {"not HTTP", "--mirror"});
  EXPECT_TRUE(folder_.names().empty());
}

TEST_F(Download, ReportsThatTheFolderIsNotWritable) {
  const FileServer server({{"a.bin", bytes_}});
  EXPECT_THROW(download(file_, std::vector{server.address()}, folder_ / "none", quiet_), OutputError);
}

TEST_F(Download, VerifiesCertificates) {
  const Certificate certificate = testing::make_certificate();
  const FileServer server({{"a.bin", bytes_}}, {}, &certificate);
  const std::string message = message_of<NetworkError>({server.address()});
  testing::expect_contains(message, {"certificate", "SSL_CERT_FILE"});
  EXPECT_TRUE(folder_.names().empty());

  const TemporaryFolder trusted;
  write_text(trusted / "ca.pem", certificate.pem);
  const Environment trust("SSL_CERT_FILE", (trusted / "ca.pem").string());
  fetch_from({server.address()});
  expect_complete();
}

TEST_F(Download, ReportsAnUnreadableCertificateFile) {
  const Certificate certificate = testing::make_certificate();
  const FileServer server({{"a.bin", bytes_}}, {}, &certificate);
  const Environment trust("SSL_CERT_FILE", (folder_ / "none.pem").string());
  testing::expect_contains(message_of<NetworkError>({server.address()}), {"none.pem", "SSL_CERT_FILE"});
}

TEST_F(Download, ReportsThatTheServerDoesNotUseTls) {
  const FileServer server({{"a.bin", bytes_}});
  const std::string address = "https" + server.address().substr(4);
  testing::expect_contains(message_of<NetworkError>({address}), {address, "TLS", "https_proxy"});
}

TEST_F(Download, NeverFollowsRedirectsFromTlsToPlainHttp) {
  const Certificate certificate = testing::make_certificate();
  const FileServer plain({{"a.bin", bytes_}});
  const FileServer server({}, {.redirect_to = plain.address()}, &certificate);
  const TemporaryFolder trusted;
  write_text(trusted / "ca.pem", certificate.pem);
  const Environment trust("SSL_CERT_FILE", (trusted / "ca.pem").string());
  testing::expect_contains(message_of<NetworkError>({server.address()}), {plain.address(), "TLS"});
  EXPECT_TRUE(plain.ranges().empty());
}

TEST_F(Download, UsesTheProxyOfTheEnvironment) {
  write_text(folder_ / "a.bin.part", bytes_.substr(0, 70'000));
  const FileServer proxy({{"a.bin", bytes_}});
  const Environment proxy_variable("http_proxy", proxy.address());
  fetch_from({"http://mirror.invalid/"});
  expect_complete();
  EXPECT_EQ(proxy.ranges(), std::vector<std::string>{"bytes=70000-"});
}

TEST_F(Download, BypassesTheProxyForHostsInNoProxy) {
  const FileServer server({{"a.bin", bytes_}}), proxy({});
  const Environment proxy_variable("ALL_PROXY", proxy.address());
  testing::expect_contains(message_of<NetworkError>({server.address()}), {"404"});
  EXPECT_EQ(proxy.ranges().size(), 1U);
  EXPECT_TRUE(server.ranges().empty());
  for (const char* name : {"no_proxy", "NO_PROXY"}) {
    const Environment exempt(name, "localhost, 127.0.0.1");
    const TemporaryFolder other;
    download(file_, std::vector{server.address()}, other.path(), quiet_);
  }
  EXPECT_EQ(server.ranges().size(), 2U);
  EXPECT_EQ(proxy.ranges().size(), 1U);
}

TEST_F(Download, ReportsThatTheProxyRefusesTheRequest) {
  const FileServer proxy({});
  const Environment proxy_variable("https_proxy", proxy.address());
  testing::expect_contains(message_of<NetworkError>({"https://mirror.invalid/"}),
                           {"https://mirror.invalid/a.bin", "the proxy answered with status 4", "no_proxy"});
}

TEST_F(Download, ReportsThatThereIsNoConnectionToTheProxy) {
  const FileServer server({{"a.bin", bytes_}});
  std::string unused_address;
  {
    const FileServer gone({});
    unused_address = gone.address();
  }
  const Environment proxy_variable("http_proxy", unused_address);
  const std::string port = unused_address.substr(unused_address.rfind(':') + 1, 4);
  testing::expect_contains(message_of<NetworkError>({server.address()}),
                           {"no connection", port, "https_proxy"});
  EXPECT_TRUE(server.ranges().empty());
}

} // namespace
} // namespace mneme::fetch
