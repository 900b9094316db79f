// SPDX-License-Identifier: MIT

#include "mneme/data/read_file.h"

#include <thread>

#include <sys/stat.h>

#include "data/testing.h"

namespace mneme::data {
namespace {

TEST(ReadFile, GivesAllBytes) {
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

TEST(ReadFile, SaysWhyItCannotRead) {
  const TemporaryFolder folder;
  expect_error<DataError>([&] { read_file(folder.path() / "no"); }, {"/no: ", "no such file"});
  expect_error<DataError>([&] { read_file(folder.path()); }, {folder.path().string(), "is a folder"});
  expect_error<DataError>([&] { read_file(folder.file("empty", {})); }, {"/empty: ", "empty (0 bytes)"});
  expect_error<DataError>([] { read_file("/dev/null"); }, {"/dev/null", "device"});
}

TEST(ReadFile, SaysThatItIsNotPermitted) {
  const TemporaryFolder folder;
  const auto secret = folder.file("secret", Bytes().text("x").all());
  std::filesystem::permissions(secret, std::filesystem::perms::none);
  if (::geteuid() == 0) {
    GTEST_SKIP() << "root may read every file, so a forbidden one cannot be tried";
  }
  expect_error<DataError>([&] { read_file(secret); }, {"/secret: ", "cannot be read"});
}

} // namespace
} // namespace mneme::data
