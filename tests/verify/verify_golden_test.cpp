// SPDX-License-Identifier: MIT

#include "verify/verify.h"

#include <filesystem>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace mneme::verify {
namespace {

const std::filesystem::path kGolden = std::filesystem::path(MNEME_SOURCE_DIR) / "tests" / "golden" / "sdm";

class SdmGoldenFile : public testing::TestWithParam<std::pair<std::string, int64_t>> {};

TEST_P(SdmGoldenFile, EveryCasePasses) {
  const auto [name, cases] = GetParam();
  Progress silent;
  const std::vector<FileResult> results = verify_paths(std::vector{kGolden / name}, silent);
  ASSERT_EQ(results.size(), 1U);
  EXPECT_TRUE(totals(results).good()) << to_text(results);
  EXPECT_EQ(results[0].cases_passed, cases) << to_text(results);
  EXPECT_LE(results[0].worst_ratio, 1);
}

INSTANTIATE_TEST_SUITE_P(All, SdmGoldenFile,
                         testing::Values(std::pair<std::string, int64_t>("beta_fit.json", 59),
                                         std::pair<std::string, int64_t>("beta_vs_d_n64.json", 27),
                                         std::pair<std::string, int64_t>("caches.json", 15),
                                         std::pair<std::string, int64_t>("cap_intersection.json", 39),
                                         std::pair<std::string, int64_t>("circle_intersection.json", 40),
                                         std::pair<std::string, int64_t>("conversions.json", 9),
                                         std::pair<std::string, int64_t>("recall_first_release.json", 4),
                                         std::pair<std::string, int64_t>("recall_head.json", 5)),
                         [](const auto& test) {
                           return std::filesystem::path(test.param.first).stem().string();
                         });

TEST(SdmGoldenFolder, PassesAsAWhole) {
  Progress silent;
  const std::vector<FileResult> results = verify_paths(std::vector{kGolden}, silent);
  EXPECT_EQ(results.size(), 8U);
  EXPECT_TRUE(totals(results).good()) << to_text(results);
}

} // namespace
} // namespace mneme::verify
