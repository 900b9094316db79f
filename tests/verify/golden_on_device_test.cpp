// SPDX-License-Identifier: MIT

/// All golden cases of layers and ops on a device other than the CPU.
#include <filesystem>
#include <vector>

#include <gtest/gtest.h>

#include "ops/other_device.h"
#include "verify/verify.h"

namespace mneme::verify {
namespace {

TEST(GoldenCasesOnADevice, PassAsOnTheCpu) {
  const std::filesystem::path golden = std::filesystem::path(MNEME_SOURCE_DIR) / "tests" / "golden";
  const std::vector<std::filesystem::path> folders{golden / "hopfield", golden / "leap"};
  const std::string device = mneme::testing::other_device().str();
  Progress silent;
  const std::vector<FileResult> here = verify_paths(folders, silent),
                                there = verify_paths(folders, silent, {.device = device});
  EXPECT_TRUE(totals(there).good()) << to_text(there, device);
  ASSERT_EQ(there.size(), here.size());
  for (size_t i = 0; i < here.size(); ++i) {
    if (there[i].state == FileState::checked) {
      EXPECT_EQ(there[i].cases_passed, here[i].cases_passed) << here[i].path;
    }
  }
  EXPECT_GT(totals(there).cases_passed, 60); // layers and models; theory is skipped
}

} // namespace
} // namespace mneme::verify
