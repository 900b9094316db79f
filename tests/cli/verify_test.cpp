// SPDX-License-Identifier: MIT

#include <csignal>
#include <filesystem>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/json_frame.h"
#include "cli/run_program.h"
#include "core/temporary_folder.h"
#include "core/text_checks.h"

namespace mneme {
namespace {

using testing::contains;
using testing::ProgramResult;
using testing::read_text;
using testing::run_mneme;
using testing::TemporaryFolder;
using testing::write_text;

const std::filesystem::path kGoldenFile =
    std::filesystem::path(MNEME_SOURCE_DIR) / "tests" / "golden" / "sdm" / "circle_intersection.json";

/// Writes a golden file with one changed number.
void write_wrong_golden_file(const std::filesystem::path& path) {
  nlohmann::json golden = nlohmann::json::parse(read_text(kGoldenFile));
  nlohmann::json& number = golden.at("cases").at(0).at("lune").at(0);
  number = 2 * number.get<double>() + 1;
  write_text(path, golden.dump());
}

TEST(VerifyVerb, PassesGoldenFiles) {
  const ProgramResult text = run_mneme({"verify", kGoldenFile.string()});
  EXPECT_EQ(text.exit_code, 0) << text.out << text.err;
  EXPECT_TRUE(contains(text.out, "0 failed"));
  const ProgramResult json = run_mneme({"verify", "--json", kGoldenFile.string()});
  EXPECT_EQ(json.exit_code, 0);
  const nlohmann::json total = testing::results_of(json.out).at("total");
  EXPECT_EQ(total.at("files"), 1);
  EXPECT_GT(total.at("cases_passed"), 0);
  EXPECT_EQ(total.at("cases_failed"), 0);
}

TEST(VerifyVerb, WritesItsReportToAFolder) {
  const TemporaryFolder folder;
  const std::vector<std::string> command = {"verify", kGoldenFile.string(), "--json", "--out",
                                            (folder / "out").string()};
  const ProgramResult result = run_mneme(command);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(nlohmann::json::parse(read_text(folder / "out" / "verify.json")),
            testing::results_of(result.out));
  EXPECT_EQ(nlohmann::json::parse(read_text(folder / "out" / "config.json")).at("verb"), "verify");
  EXPECT_EQ(run_mneme(command).exit_code, 0);
}

TEST(VerifyVerb, ExitsWithFourWhenANumberDiffers) {
  const TemporaryFolder folder;
  write_wrong_golden_file(folder / "circle_intersection.json");
  const ProgramResult text = run_mneme({"verify", folder.path().string()});
  EXPECT_EQ(text.exit_code, 4) << text.out << text.err;
  EXPECT_TRUE(contains(text.out, "1 failed"));
  const ProgramResult json = run_mneme({"verify", "--json", folder.path().string()});
  EXPECT_EQ(json.exit_code, 4);
  EXPECT_EQ(testing::results_of(json.out).at("total").at("cases_failed"), 1);
}

TEST(VerifyVerb, ExitsWithThreeForInvalidGoldenFiles) {
  const TemporaryFolder folder;
  write_text(folder / "cut.json", "{\"cases\": [");
  EXPECT_EQ(run_mneme({"verify", (folder / "cut.json").string()}).exit_code, 3);
  EXPECT_EQ(run_mneme({"verify", (folder / "missing.json").string()}).exit_code, 3);
  // The exit code is the same with an additional valid file, which is still checked.
  const ProgramResult both =
      run_mneme({"verify", (folder / "cut.json").string(), kGoldenFile.string(), "--json"});
  EXPECT_EQ(both.exit_code, 3);
  EXPECT_GT(testing::results_of(both.out).at("total").at("cases_passed"), 0);
}

TEST(VerifyVerb, ReportsAWrongNumberBeforeABadFile) {
  const TemporaryFolder folder;
  write_text(folder / "cut.json", "{\"cases\": [");
  write_wrong_golden_file(folder / "circle_intersection.json");
  EXPECT_EQ(run_mneme({"verify", folder.path().string()}).exit_code, 4);
}

TEST(VerifyVerb, ReportsAFolderWithoutGoldenFiles) {
  const TemporaryFolder folder;
  const ProgramResult result = run_mneme({"verify", folder.path().string()});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_TRUE(contains(result.out + result.err, folder.path().string()));
}

const std::filesystem::path kLayer =
    std::filesystem::path(MNEME_SOURCE_DIR) / "tests" / "golden" / "hopfield" / "pooling_default.json";

TEST(VerifyVerb, RunsOnTheCpuByDefault) {
  for (const std::string path : {kGoldenFile, kLayer}) {
    std::vector<std::string> command{"verify", path, "--quiet"};
    const ProgramResult plain = run_mneme(command);
    command.insert(command.end(), {"--device", "cpu"});
    const ProgramResult cpu = run_mneme(command);
    EXPECT_EQ(cpu.out, plain.out);
    EXPECT_EQ(cpu.err, plain.err);
    EXPECT_EQ(cpu.exit_code, plain.exit_code);
  }
  const ProgramResult json = run_mneme({"verify", kGoldenFile.string(), "--json"});
  EXPECT_EQ(testing::results_of(json.out).at("device"), "cpu");
}

TEST(VerifyVerb, RejectsAMissingDeviceBeforeReadingFiles) {
  const TemporaryFolder folder;
  for (const std::string device : {"cuda:99", "gpu", "meta", ""}) {
    const ProgramResult result = run_mneme({"verify", (folder / "missing.json").string(), "--device", device,
                                            "--out", (folder / "out").string()});
#ifdef MNEME_WITH_TORCH
    EXPECT_EQ(result.exit_code, 2) << result.err;
    EXPECT_TRUE(contains(result.err, "available: cpu")) << result.err;
#else
    EXPECT_EQ(result.exit_code, 1) << result.err;
    EXPECT_TRUE(contains(result.err, "needs LibTorch")) << result.err;
#endif
    EXPECT_TRUE(contains(result.err, "device \"" + device + "\"")) << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_FALSE(std::filesystem::exists(folder / "out"));
  }
}

TEST(VerifyVerb, RejectsAnotherDeviceInARunFolder) {
  const TemporaryFolder folder;
  const std::string out = folder / "out";
  EXPECT_EQ(run_mneme({"verify", kLayer, "--out", out}).exit_code, run_mneme({"verify", kLayer}).exit_code);
  EXPECT_EQ(nlohmann::json::parse(read_text(folder / "out" / "config.json")).at("device"), "cpu");
  write_text(folder / "out" / "config.json", R"({"version": "0", "verb": "verify", "device": "cuda:0"})");
  const ProgramResult other = run_mneme({"verify", kLayer, "--out", out});
  EXPECT_EQ(other.exit_code, 2);
  testing::expect_contains(other.err, {"device \"cuda:0\"", "\"cpu\""});
}

TEST(VerifyVerb, RequiresAPath) {
  const ProgramResult result = run_mneme({"verify"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_TRUE(contains(result.err, "PATH is required"));
}

// The folder is listed many times, to keep the program busy until the signal arrives.
TEST(VerifyVerb, StopsAtAnInterruptWithoutAPartialResult) {
  // JSON progress prints a line at the start; with a slow build, the first file may take a minute.
  std::vector<std::string> arguments{"verify", "--json", "--progress", "json"};
  arguments.insert(arguments.end(), 100, kGoldenFile.parent_path().string());
  const ProgramResult result = run_mneme(arguments, {.signal = SIGINT, .signal_after = "\"verify\""});
  EXPECT_EQ(result.exit_code, 130);
  EXPECT_EQ(result.out, "");
  EXPECT_TRUE(contains(result.err, "mneme verify: interrupted"));
}

} // namespace
} // namespace mneme
