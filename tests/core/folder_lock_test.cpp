// SPDX-License-Identifier: MIT

#include "mneme/core/folder_lock.h"

#include <csignal>
#include <optional>
#include <string>
#include <utility>

#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "mneme/core/error.h"

namespace mneme {
namespace {

using testing::expect_contains;
using testing::TemporaryFolder;

const FolderLockOptions kOptions = {.taken = "another process writes to it",
                                    .taken_advice = "End that process.",
                                    .read_only_advice = "Check the permissions."};

std::string error_of_lock(const std::filesystem::path& folder) {
  try {
    const FolderLock lock(folder, kOptions);
  } catch (const OutputError& error) {
    return error.what();
  }
  ADD_FAILURE() << "the folder was locked twice";
  return "";
}

TEST(FolderLock, IsHeldOnceAndNamesTheProcessThatHasIt) {
  const TemporaryFolder folder;
  {
    FolderLock lock(folder.path(), kOptions);
    const FolderLock moved = std::move(lock);
    expect_contains(error_of_lock(folder.path()),
                    {folder.path().string(), "another process writes to it",
                     "(process " + std::to_string(::getpid()) + ")", "End that process."});
  }
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "lock"));
  const FolderLock again(folder.path(), kOptions);
}

TEST(FolderLock, EndsWithAKilledProcess) {
  const TemporaryFolder folder;
  int locked[2];
  ASSERT_EQ(::pipe(locked), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const FolderLock lock(folder.path(), kOptions);
    const bool is_written = ::write(locked[1], "x", 1) == 1;
    while (is_written) {
      ::pause();
    }
    ::_exit(1);
  }
  char byte = 0;
  ASSERT_EQ(::read(locked[0], &byte, 1), 1);
  expect_contains(error_of_lock(folder.path()), {"(process " + std::to_string(child) + ")"});
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(locked[0]), ::close(locked[1]);
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "lock")); // left behind, but not locked
  { const FolderLock lock(folder.path(), kOptions); }
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "lock"));
}

TEST(FolderLock, NamesAFolderThatItCannotWriteTo) {
  expect_contains(error_of_lock("/proc/self"), {"/proc/self/lock", "cannot open", "Check the permissions."});
}

} // namespace
} // namespace mneme
