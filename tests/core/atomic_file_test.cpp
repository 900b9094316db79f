// SPDX-License-Identifier: MIT

#include "mneme/core/atomic_file.h"

#include <csignal>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "mneme/core/error.h"

namespace mneme {
namespace {

using testing::contains;

using testing::read_text;
using testing::TemporaryFolder;
using testing::write_text;

std::string output_error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const OutputError& error) {
    return error.what();
  }
  ADD_FAILURE() << "no OutputError was thrown";
  return "";
}

/// Limits the size of every file that this process writes, during the lifetime of the object.
class FileSizeLimit {
public:
  explicit FileSizeLimit(rlim_t bytes) {
    former_handler_ = std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &former_);
    rlimit limited = former_;
    limited.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limited);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &former_);
    std::signal(SIGXFSZ, former_handler_);
  }

private:
  rlimit former_{};
  void (*former_handler_)(int) = SIG_DFL;
};

TEST(AtomicFile, ReplacesTheOldFileCompletely) {
  const TemporaryFolder folder;
  const auto path = folder / "result.txt";
  write_file_atomically(path, std::string(100000, 'a'));
  write_file_atomically(path, "short");
  EXPECT_EQ(read_text(path), "short");
  EXPECT_EQ(folder.names(), std::vector<std::string>{"result.txt"});
}

TEST(AtomicFile, WritesBytesUnchanged) {
  const TemporaryFolder folder;
  std::string all;
  for (int i = 0; i < 256; ++i) {
    all += static_cast<char>(i);
  }
  write_file_atomically(folder / "bytes", all);
  EXPECT_EQ(read_text(folder / "bytes"), all);
  write_file_atomically(folder / "bytes", "");
  EXPECT_EQ(read_text(folder / "bytes"), "");
}

TEST(AtomicFile, KeepsTheOldFileWhenWritingFailsHalfway) {
  const TemporaryFolder folder;
  const auto path = folder / "result.txt";
  write_text(path, "old");
  std::string message;
  {
    const FileSizeLimit limit(4096);
    message = output_error_of([&] { write_file_atomically(path, std::string(100000, 'x')); });
  }
  EXPECT_TRUE(contains(message, path.string()));
  EXPECT_TRUE(contains(message, "ulimit -f"));
  EXPECT_EQ(read_text(path), "old");
  EXPECT_EQ(folder.names(), std::vector<std::string>{"result.txt"});
}

TEST(AtomicFile, ReportsThatADeviceIsFull) {
  const std::string message = output_error_of([] { write_file_atomically("/dev/full", "text"); });
  EXPECT_TRUE(contains(message, "/dev/full"));
  EXPECT_TRUE(contains(message, "No space left"));
  EXPECT_TRUE(contains(message, "This file was not changed")) << "others may have been written before";
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
}

TEST(AtomicFile, WritesToADeviceWithoutReplacingIt) {
  write_file_atomically("/dev/null", "text");
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST(AtomicFile, NamesTheMissingFolder) {
  const TemporaryFolder folder;
  const auto path = folder / "missing" / "result.txt";
  const std::string message = output_error_of([&] { write_file_atomically(path, "text"); });
  EXPECT_TRUE(contains(message, path.string()));
  EXPECT_TRUE(contains(message, "No such file or directory"));
}

TEST(AtomicFile, NeverReplacesAFolder) {
  const TemporaryFolder folder;
  EXPECT_TRUE(
      contains(output_error_of([&] { write_file_atomically(folder.path(), "text"); }), "Is a directory"));
  EXPECT_TRUE(std::filesystem::is_directory(folder.path()));
}

TEST(AtomicFile, FollowsALinkAndLeavesItInPlace) {
  const TemporaryFolder folder;
  write_text(folder / "real", "old");
  std::filesystem::create_symlink(folder / "real", folder / "link");
  write_file_atomically(folder / "link", "new");
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_EQ(read_text(folder / "real"), "new");
}

TEST(AtomicFile, KeepsThePermissionsOfTheFileItReplaces) {
  const TemporaryFolder folder;
  const auto path = folder / "secret";
  write_text(path, "old");
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  write_file_atomically(path, "new");
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
}

TEST(AtomicFile, ManyWritersOfOneFileLeaveOneCompleteVersion) {
  const TemporaryFolder folder;
  const auto path = folder / "shared";
  std::vector<std::thread> writers;
  for (const char letter : {'a', 'b', 'c', 'd'}) {
    writers.emplace_back([&path, letter] {
      for (int i = 0; i < 20; ++i) {
        write_file_atomically(path, std::string(50000, letter));
      }
    });
  }
  for (std::thread& writer : writers) {
    writer.join();
  }
  const std::string text = read_text(path);
  EXPECT_EQ(text, std::string(50000, text.at(0)));
  EXPECT_EQ(folder.names(), std::vector<std::string>{"shared"});
}

TEST(OutputFolder, IsCreatedWithItsParents) {
  const TemporaryFolder folder;
  make_output_folder(folder / "a/b/c");
  make_output_folder(folder / "a/b/c");
  EXPECT_TRUE(std::filesystem::is_directory(folder / "a/b/c"));
}

TEST(RequireWritable, AcceptsWhatCanBeWrittenAndCreatesNothing) {
  const TemporaryFolder folder;
  write_text(folder / "file", "text");
  require_writable(folder / "file", OutputKind::file);
  require_writable(folder / "new", OutputKind::file);
  require_writable("new", OutputKind::file);
  require_writable("/dev/null", OutputKind::file);
  require_writable(folder / "a" / "b", OutputKind::folder);
  require_writable(folder.path(), OutputKind::folder);
  EXPECT_EQ(folder.names(), std::vector<std::string>{"file"});
}

TEST(RequireWritable, RefusesFoldersAsFilesAndTheOtherWayRound) {
  const TemporaryFolder folder;
  write_text(folder / "file", "text");
  const auto refusal = [&](const std::filesystem::path& path, OutputKind kind) {
    return output_error_of([&] { require_writable(path, kind); });
  };
  EXPECT_TRUE(contains(refusal(folder.path(), OutputKind::file), "it is a folder, but a file is needed"));
  EXPECT_TRUE(contains(refusal(folder / "file", OutputKind::folder), "it is a file, but a folder is needed"));
  EXPECT_TRUE(
      contains(refusal(folder / "file" / "x", OutputKind::file), "is a file, but a folder is needed"));
  EXPECT_TRUE(contains(refusal(folder / "no" / "x", OutputKind::file), "there is no folder"));
}

TEST(OutputFolder, CannotBeAFile) {
  const TemporaryFolder folder;
  write_text(folder / "file", "text");
  for (const auto& path : {folder / "file", folder / "file" / "below"}) {
    const std::string message = output_error_of([&] { make_output_folder(path); });
    EXPECT_TRUE(contains(message, path.string()));
    EXPECT_TRUE(contains(message, "is a file, but a folder is needed")) << message;
  }
}

TEST(AtomicFile, CreatesTheTargetOfALinkThatDoesNotExistYet) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "data");
  std::filesystem::create_symlink("data/target", folder / "second"); // relative to the folder of the link
  std::filesystem::create_symlink(folder / "second", folder / "first");
  require_writable(folder / "first", OutputKind::file);
  write_file_atomically(folder / "first", "text");
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "first"));
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "second"));
  EXPECT_EQ(read_text(folder / "data" / "target"), "text");
}

TEST(AtomicFile, RefusesLinksToAMissingFolderAndToThemselves) {
  const TemporaryFolder folder;
  std::filesystem::create_symlink("missing/target", folder / "link");
  std::filesystem::create_symlink("self", folder / "self");
  for (const char* name : {"link", "self"}) {
    EXPECT_TRUE(contains(output_error_of([&] { write_file_atomically(folder / name, "text"); }),
                         (folder / name).string().substr(0, 4)));
    output_error_of([&] { require_writable(folder / name, OutputKind::file); });
    EXPECT_TRUE(std::filesystem::is_symlink(folder / name));
  }
}

} // namespace
} // namespace mneme
