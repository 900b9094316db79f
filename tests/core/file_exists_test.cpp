// SPDX-License-Identifier: MIT

#include "mneme/core/file_exists.h"

#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "mneme/core/error.h"

namespace mneme {
namespace {

TEST(FileExists, ReportsFilesThatCannotBeRead) {
  const testing::TemporaryFolder folder;
  EXPECT_TRUE(file_exists(folder.path()));
  EXPECT_FALSE(file_exists(folder / "missing"));
  EXPECT_FALSE(file_exists(folder / "missing" / "file"));
  std::filesystem::create_symlink("loop", folder / "loop"); // unreadable also for root
  try {
    file_exists(folder / "loop" / "file");
    FAIL() << "no error";
  } catch (const DataError& error) {
    testing::expect_contains(error.what(), {"loop/file: cannot be read: Too many levels", "permissions"});
  }
}

} // namespace
} // namespace mneme
