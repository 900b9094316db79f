// SPDX-License-Identifier: MIT

#include "verify/verify.h"

#include <filesystem>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "verify/registry.h"

namespace mneme::verify {
namespace {

const std::filesystem::path kGolden = std::filesystem::path(MNEME_SOURCE_DIR) / "tests" / "golden" / "sdm";

using Golden = std::pair<std::string, int64_t>; // file and number of cases

class SdmGoldenFile : public testing::TestWithParam<Golden> {};

TEST_P(SdmGoldenFile, EveryCasePasses) {
  const auto [name, cases] = GetParam();
  Progress silent;
  const std::vector<FileResult> results = verify_paths(std::vector{kGolden / name}, silent);
  ASSERT_EQ(results.size(), 1U);
  EXPECT_TRUE(totals(results).good()) << to_text(results);
  EXPECT_EQ(results[0].cases_passed, cases) << to_text(results);
  EXPECT_LE(results[0].worst_ratio, 1);
}

INSTANTIATE_TEST_SUITE_P(
    All, SdmGoldenFile,
    testing::Values(Golden("beta_fit.json", 59), Golden("beta_vs_d_n64.json", 27), Golden("caches.json", 15),
                    Golden("cap_intersection.json", 39), Golden("circle_intersection.json", 40),
                    Golden("circle_intersection_book_continuous.json", 5),
                    Golden("circle_intersection_r_and_weights.json", 15), Golden("conversions.json", 9),
                    Golden("cosine_perturb.json", 4), Golden("critical_distance.json", 57),
                    Golden("effective_beta.json", 1), Golden("exp_bounds.json", 12),
                    Golden("experiment_randunif64.json", 336), Golden("experiment_randunif1000.json", 240),
                    Golden("neuron_near.json", 3), Golden("optimal_d.json", 11),
                    Golden("projection_recall.json", 2), Golden("recall_first_release.json", 4),
                    Golden("recall_head.json", 5), Golden("snr_variance.json", 5)),
    [](const auto& test) { return std::filesystem::path(test.param.first).stem().string(); });

TEST(SdmGoldenFolder, PassesAsAWhole) {
  Progress silent;
  const std::vector<FileResult> results = verify_paths(std::vector{kGolden}, silent);
  EXPECT_EQ(results.size(), 20U);
  EXPECT_TRUE(totals(results).good()) << to_text(results);
}

TEST(TrainingGoldenFile, EveryCasePassesWithLibTorch) {
  if (!run_layer_case) {
    GTEST_SKIP() << "this build has no LibTorch";
  }
  Progress silent;
  const std::vector<FileResult> results =
      verify_paths(std::vector{kGolden.parent_path() / "training"}, silent);
  ASSERT_EQ(results.size(), 1U);
  EXPECT_TRUE(totals(results).good()) << to_text(results);
  EXPECT_EQ(results[0].cases_passed, 3) << to_text(results);
}

TEST(Gpt2GoldenFolder, EveryCasePasses) {
  if (!run_gpt2_cases) {
    GTEST_SKIP() << "this build has no LibTorch";
  }
  Progress silent;
  const std::vector<FileResult> results = verify_paths(std::vector{kGolden.parent_path() / "gpt2"}, silent);
  ASSERT_EQ(results.size(), 2U);
  EXPECT_TRUE(totals(results).good()) << to_text(results);
  EXPECT_EQ(totals(results).cases_passed, 34);
}

TEST(BertGoldenFolder, EveryCasePasses) {
  if (!run_bert_cases) {
    GTEST_SKIP() << "this build has no LibTorch";
  }
  Progress silent;
  const std::vector<FileResult> results = verify_paths(std::vector{kGolden.parent_path() / "bert"}, silent);
  ASSERT_EQ(results.size(), 4U);
  EXPECT_TRUE(totals(results).good()) << to_text(results);
  EXPECT_EQ(totals(results).cases_passed, 44);
}

TEST(WordPieceGoldenFolder, EveryCasePasses) {
  Progress silent;
  const std::vector<FileResult> results =
      verify_paths(std::vector{kGolden.parent_path() / "word_piece"}, silent);
  ASSERT_EQ(results.size(), 5U);
  EXPECT_TRUE(totals(results).good()) << to_text(results);
  EXPECT_EQ(totals(results).cases_passed, 5 * 146);
}

TEST(SmilesGoldenFolder, EveryCasePasses) {
  Progress silent;
  const std::vector<FileResult> results = verify_paths(std::vector{kGolden.parent_path() / "smiles"}, silent);
  ASSERT_EQ(results.size(), 1U);
  EXPECT_TRUE(totals(results).good()) << to_text(results);
  EXPECT_EQ(totals(results).cases_passed, 103);
}

TEST(HopfieldGoldenFolder, EveryLayerAgreesWithAndWithoutCompat) {
  if (!run_layer_case) {
    GTEST_SKIP() << "this build has no LibTorch";
  }
  Progress silent;
  const std::vector<FileResult> results =
      verify_paths(std::vector{kGolden.parent_path() / "hopfield"}, silent);
  EXPECT_EQ(results.size(), 70U);
  EXPECT_TRUE(totals(results).good()) << to_text(results);
  EXPECT_EQ(totals(results).cases_passed, 70);
}

TEST(HopfieldGoldenFolder, DataSetsAndTheoryAgreeWithoutLibTorch) {
  Progress silent;
  std::vector<std::filesystem::path> files;
  for (const char* name : {"data_bit_pattern_example", "data_bit_pattern_small", "data_latch_example",
                           "data_latch_small", "theory_energy", "theory_fixed_point_regimes"}) {
    files.push_back(kGolden.parent_path() / "hopfield" / (std::string(name) + ".json"));
  }
  const std::vector<FileResult> results = verify_paths(files, silent);
  EXPECT_TRUE(totals(results).good()) << to_text(results);
  EXPECT_EQ(totals(results).cases_passed, 6) << to_text(results);
}

TEST(LeapGoldenFolder, EveryLayerAndModelAgrees) {
  if (!run_layer_case) {
    GTEST_SKIP() << "this build has no LibTorch";
  }
  Progress silent;
  const std::vector<FileResult> results = verify_paths(std::vector{kGolden.parent_path() / "leap"}, silent);
  EXPECT_EQ(results.size(), 9U);
  EXPECT_TRUE(totals(results).good()) << to_text(results);
  EXPECT_EQ(totals(results).cases_passed, 9);
}

TEST(TokensGoldenFolder, EveryStringHasThePublishedIds) {
  Progress silent;
  const std::vector<FileResult> results = verify_paths(std::vector{kGolden.parent_path() / "tokens"}, silent);
  EXPECT_EQ(results.size(), 14U);
  EXPECT_TRUE(totals(results).good()) << to_text(results);
  EXPECT_EQ(totals(results).cases_passed, 251 + 91 + 60 + 60 + 4 * 104 + 55 + 45 + 51 + 2 * 52 + 66);
}

TEST(Gpt2Reference, EveryStringHasThePublishedIds) {
  const std::filesystem::path file =
      std::filesystem::path(MNEME_SOURCE_DIR).parent_path() / "shared/reference/gpt2/bpe.json";
  if (!std::filesystem::exists(file)) {
    GTEST_SKIP() << file << " is not present";
  }
  Progress silent;
  const std::vector<FileResult> results = verify_paths(std::vector{file}, silent);
  EXPECT_TRUE(totals(results).good()) << to_text(results);
  EXPECT_EQ(totals(results).cases_passed, 119) << "118 strings and the table of bytes";
}

} // namespace
} // namespace mneme::verify
