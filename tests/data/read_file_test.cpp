// SPDX-License-Identifier: MIT

#include "mneme/data/read_file.h"

#include <array>
#include <thread>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/source.h"
#include "data/testing.h"
#include "mneme/core/error.h"

namespace mneme::data {
namespace {

TEST(ReadFile, ReturnsAllBytes) {
  const TemporaryFolder folder;
  const Bytes bytes = Bytes().text(std::string(200000, 'x')).text("end");
  const std::vector<std::byte> read = read_file(folder.file("a", bytes.all()));
  EXPECT_TRUE(std::equal(read.begin(), read.end(), bytes.all().begin(), bytes.all().end()));
}

TEST(ReadFile, ReadsPipesToTheirEnd) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "pipe";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const Bytes bytes = Bytes().text(std::string(200000, 'x'));
  std::thread writer([&] { folder.file("pipe", bytes.all()); });
  const std::vector<std::byte> read = read_file(path);
  writer.join();
  EXPECT_EQ(read.size(), bytes.size());
}

TEST(ReadFile, ReadsPipesUpToABound) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  ASSERT_EQ(::write(ends[1], "123456789", 9), 9);
  ::close(ends[1]);
  try {
    (void)read_to_end(ends[0], "standard input", 8);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("standard input: has more than 8 bytes"), std::string::npos)
        << error.what();
    EXPECT_NE(std::string(error.what()).find("Write the data to a file"), std::string::npos) << error.what();
  }
  ::close(ends[0]);
}

/// Redirects standard input to `descriptor`, and restores it at the end.
class StandardInput {
public:
  explicit StandardInput(int descriptor) : before_(::dup(STDIN_FILENO)) { ::dup2(descriptor, STDIN_FILENO); }
  StandardInput(const StandardInput&) = delete;
  StandardInput& operator=(const StandardInput&) = delete;
  ~StandardInput() {
    if (before_ < 0) {
      ::close(STDIN_FILENO);
      return;
    }
    ::dup2(before_, STDIN_FILENO);
    ::close(before_);
  }

private:
  int before_;
};

TEST(ReadFile, ReadsEveryKindOfStandardInputToItsEnd) {
  const std::string text = "some bytes";
  const auto expect_read = [&](int descriptor, const char* name) {
    const StandardInput input(descriptor);
    EXPECT_EQ(read_file(name).size(), text.size()) << name;
  };
  for (const char* name : {"-", "/dev/stdin", "/dev/fd/0"}) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    ASSERT_EQ(::write(ends[1], text.data(), text.size()), std::ssize(text));
    ::close(ends[1]);
    expect_read(ends[0], name);
    ::close(ends[0]);

    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
    ASSERT_EQ(::write(ends[1], text.data(), text.size()), std::ssize(text));
    ::close(ends[1]);
    expect_read(ends[0], name);
    ::close(ends[0]);

    const TemporaryFolder folder;
    const int file = ::open(folder.file("a", Bytes().text(text).all()).c_str(), O_RDONLY | O_CLOEXEC);
    expect_read(file, name);
    ::close(file);

    // Control-D ends the input of a terminal only at the beginning of a line.
    const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal < 0) {
      continue; // no terminals on this machine
    }
    ASSERT_EQ(::grantpt(terminal) + ::unlockpt(terminal), 0);
    const int other =
        ::open(::ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC); // NOLINT(concurrency-mt-unsafe)
    ASSERT_GE(other, 0);
    const std::string typed = text.substr(1) + "\n\x04";
    ASSERT_EQ(::write(terminal, typed.data(), typed.size()), std::ssize(typed));
    expect_read(other, name);
    ::close(other);
    ::close(terminal);
  }
}

TEST(ReadFile, ReportsEmptyOrClosedStandardInput) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  ::close(ends[1]);
  {
    const StandardInput input(ends[0]);
    expect_error<DataError>([] { read_file("-"); },
                            {"standard input: ", "empty (0 bytes)", "Pipe the data to it"});
  }
  const StandardInput input(ends[0]);
  ::close(STDIN_FILENO);
  expect_error<DataError>([] { read_file("-"); }, {"standard input: ", "cannot be read"});
  ::close(ends[0]);
}

TEST(ReadFile, DoesNotWaitForAnOptionalStandardInput) {
  using std::chrono::milliseconds;
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const StandardInput input(ends[0]);
  EXPECT_FALSE(read_optional_standard_input(milliseconds(20)).has_value()) << "an open pipe without data";
  std::thread later([&] {
    std::this_thread::sleep_for(milliseconds(20));
    EXPECT_EQ(::write(ends[1], "abc", 3), 3);
    std::this_thread::sleep_for(milliseconds(20));
    EXPECT_EQ(::write(ends[1], "def", 3), 3);
    ::close(ends[1]);
  });
  const auto read = read_optional_standard_input(std::chrono::seconds(20));
  later.join();
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->size(), 6U) << "up to its end";
  EXPECT_EQ(read_optional_standard_input(std::chrono::seconds(20)), std::vector<std::byte>()) << "the end";
  ::close(ends[0]);
  {
    const StandardInput none(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    EXPECT_EQ(read_optional_standard_input(std::chrono::seconds(20)), std::vector<std::byte>());
  }
  ::close(STDIN_FILENO);
  EXPECT_EQ(read_optional_standard_input(std::chrono::seconds(20)), std::vector<std::byte>());
}

TEST(ReadFile, ReportsWhyAFileCannotBeRead) {
  const TemporaryFolder folder;
  expect_error<DataError>([&] { read_file(folder.path() / "no"); }, {"/no: ", "file not found"});
  expect_error<DataError>([&] { read_file(folder.path()); }, {folder.path().string(), "is a folder"});
  expect_error<DataError>([&] { read_file(folder.file("empty", {})); },
                          {"/empty: ", "empty (0 bytes)", "create, copy"});
  expect_error<DataError>([] { read_file("/dev/null"); }, {"/dev/null", "device"});
}

TEST(ReadFile, ReportsMissingPermission) {
  const TemporaryFolder folder;
  const auto secret = folder.file("secret", Bytes().text("x").all());
  std::filesystem::permissions(secret, std::filesystem::perms::none);
  if (::geteuid() == 0) {
    GTEST_SKIP() << "root may read every file, so missing permissions cannot be tested";
  }
  expect_error<DataError>([&] { read_file(secret); }, {"/secret: ", "cannot be read"});
}

} // namespace
} // namespace mneme::data
