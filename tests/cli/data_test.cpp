// SPDX-License-Identifier: MIT

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
using testing::expect_contains;
using testing::ProgramResult;
using testing::run_mneme;
using testing::TemporaryFolder;
using testing::write_text;

/// An address that nothing listens on (the discard port).
const std::string kUnreachable = "http://127.0.0.1:9/";

TEST(DataVerb, ListsDataSetsAndWhichArePresent) {
  const TemporaryFolder folder;
  const ProgramResult empty =
      run_mneme({"data", "list"}, {.environment = {{"MNEME_DATA", folder.path().string()}}});
  EXPECT_EQ(empty.exit_code, 0) << empty.err;
  expect_contains(empty.out, {folder.path().string(), "mnist", "cifar-10", "missing",
                              "mneme data get mnist cifar-10 sdm"});

  std::filesystem::create_directories(folder / "mnist");
  write_text(folder / "mnist" / "t10k-labels-idx1-ubyte.gz", std::string(4542, 'x'));
  const ProgramResult some = run_mneme({"data", "list", "--json", "--out", folder.path().string()});
  const nlohmann::json mnist = testing::results_of(some.out).at("data_sets").at(0);
  EXPECT_EQ(mnist.at("files_present"), 1) << "of the right size";
  EXPECT_EQ(mnist.at("complete"), false);

  std::filesystem::create_directories(folder / "sdm");
  write_text(folder / "sdm" / "text_inputs.txt", std::string(35'536, 'x'));
  const ProgramResult texts = run_mneme({"data", "list", "--out", folder.path().string()});
  expect_contains(texts.out, {"To use sdm: mneme inspect MODEL --texts sdm --data " + folder.path().string(),
                              "To download: mneme data get mnist cifar-10\n"});

  const ProgramResult checked = run_mneme({"data", "list", "--check", "--out", folder.path().string()});
  EXPECT_EQ(checked.exit_code, 4) << "its SHA-256 is another";
  EXPECT_TRUE(contains(checked.out, "not the published file: t10k-labels-idx1-ubyte.gz"));
}

TEST(DataVerb, AdvisesWithoutANetwork) {
  const TemporaryFolder folder;
  const ProgramResult result = run_mneme(
      {"data", "get", "mnist", "--mirror", kUnreachable, "--quiet", "--out", folder.path().string()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(result.out.empty());
  expect_contains(result.err,
                  {kUnreachable + "train-images-idx3-ubyte.gz", "no connection", "online", "--mirror"});
  EXPECT_TRUE(std::filesystem::is_empty(folder / "mnist"));
}

TEST(DataVerb, RejectsUnknownNamesAndAddresses) {
  const TemporaryFolder folder;
  const std::string out = folder.path().string();
  EXPECT_EQ(run_mneme({"data", "get"}).exit_code, 2);
  const ProgramResult unknown =
      run_mneme({"data", "get", "mnist", "imagenet", "--mirror", kUnreachable, "--out", out});
  EXPECT_EQ(unknown.exit_code, 2) << "before anything is fetched";
  EXPECT_TRUE(contains(unknown.err, "imagenet"));
  const ProgramResult address = run_mneme({"data", "get", "mnist", "--mirror", "somewhere", "--out", out});
  EXPECT_EQ(address.exit_code, 2);
  expect_contains(address.err, {"somewhere", "https://"});
  EXPECT_FALSE(std::filesystem::exists(folder / "mnist"));
}

TEST(DataVerb, ReportsAFolderThatCannotBeWritten) {
  const ProgramResult result =
      run_mneme({"data", "get", "mnist", "--mirror", kUnreachable, "--out", "/proc/none"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.err, "/proc/none"));
}

} // namespace
} // namespace mneme
