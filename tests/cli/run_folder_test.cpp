// SPDX-License-Identifier: MIT

#include <filesystem>
#include <map>

#include <unistd.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/run_program.h"
#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "mneme/core/folder_lock.h"

namespace mneme {
namespace {

using testing::contains;
using testing::ProgramResult;
using testing::read_text;
using testing::run_mneme;
using testing::TemporaryFolder;
using testing::write_text;
using Arguments = std::vector<std::string>;

const Arguments kRecall = {"recall", "--memory", "pattern-sdm", "--noise", "0.1", "--limit", "4"};
const Arguments kTheory = {"theory", "capacity", "--bits", "64"};
const Arguments kPlan = {"theory", "plan", "--bits", "64", "--items", "10"};
const Arguments kSparseAnd = {"train",    "sparse-and", "--context-length", "9", "--samples", "60",
                              "--epochs", "5",          "--seeds",          "2"};

ProgramResult run_into(const std::filesystem::path& folder, Arguments arguments, const Arguments& more = {}) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  arguments.insert(arguments.end(), {"--quiet", "--out", folder.string()});
  return run_mneme(arguments);
}

/// Contents of all files in the folder, by path.
std::map<std::string, std::string> files_of(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      files[entry.path().string()] = read_text(entry.path());
    }
  }
  return files;
}

/// Expects exit code 2, a message with the folder and `parts`, and that no file in the folder has changed.
void expect_refused(const std::filesystem::path& folder, const Arguments& arguments, Arguments parts) {
  const auto before = files_of(folder);
  const ProgramResult result = run_into(folder, arguments);
  EXPECT_EQ(result.exit_code, 2) << result.out;
  EXPECT_EQ(result.out, "");
  parts.insert(parts.end(), {folder.string() + ": contains", "another folder with --out"});
  testing::expect_contains(result.err, parts);
  EXPECT_TRUE(files_of(folder) == before);
}

TEST(RunFolder, IsWrittenByOneProcessAtATime) {
  const TemporaryFolder folder;
  {
    const FolderLock lock(folder.path(), {});
    for (const Arguments& arguments : {kTheory, kSparseAnd}) {
      const ProgramResult result = run_into(folder.path(), arguments);
      EXPECT_EQ(result.exit_code, 1) << result.out;
      testing::expect_contains(result.err,
                               {folder.path().string(), "another process writes to this folder",
                                "process " + std::to_string(::getpid()), "another folder with --out"});
    }
    EXPECT_EQ(files_of(folder.path()).size(), 1U); // the lock
  }
  EXPECT_EQ(run_into(folder.path(), kTheory).exit_code, 0);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "lock"));
}

TEST(RunFolder, IsNotBehindALinkToAMissingFolder) {
  const TemporaryFolder folder;
  std::filesystem::create_symlink("missing", folder / "link");
  std::filesystem::create_symlink("loop", folder / "loop");
  for (const auto& [path, text] : std::map<std::string, std::string>{
           {"link", "is a symbolic link to missing, which does not exist"},
           {"link/below", "is a symbolic link to missing, which does not exist"},
           {"loop", "Too many levels of symbolic links"}}) {
    const ProgramResult result = run_into(folder / path, kTheory);
    EXPECT_EQ(result.exit_code, 1) << result.out;
    testing::expect_contains(result.err, {"cannot write", path.substr(0, 4), text});
  }
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link")) << "links of the user are never removed";
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "loop"));
}

TEST(RunFolder, IsNotOverwrittenByARunOfAnotherVerb) {
  const TemporaryFolder recalled, trained, predicted, planned, bags;
  ASSERT_EQ(run_into(recalled.path(), kRecall).exit_code, 0);
  ASSERT_EQ(run_into(trained.path(), kSparseAnd).exit_code, 0);
  ASSERT_EQ(run_into(predicted.path(), kTheory).exit_code, 0);
  ASSERT_EQ(run_into(planned.path(), kPlan).exit_code, 0);
  write_text(bags / "config.json",
             R"({"version": "0.1.0", "task": "latch", "model": "hopfield", "seeds": 2})");
  expect_refused(recalled.path(), kSparseAnd,
                 {"run of `mneme recall`", "`mneme train sparse-and` would overwrite"});
  expect_refused(trained.path(), kRecall,
                 {"run of `mneme train sparse-and`", "`mneme recall` would overwrite"});
  expect_refused(predicted.path(), kPlan,
                 {"run of `mneme theory capacity`", "`mneme theory plan` would overwrite"});
  expect_refused(planned.path(), kTheory,
                 {"run of `mneme theory plan`", "`mneme theory capacity` would overwrite"});
  expect_refused(bags.path(), kSparseAnd,
                 {"run of `mneme train latch`", "`mneme train sparse-and` would overwrite"});
  expect_refused(bags.path(), {"reproduce", "sdm/keyquery-norm-betas", "--quick"},
                 {"run of `mneme train latch`", "`mneme reproduce` would overwrite"});
}

TEST(RunFolder, IsNotOverwrittenByTrainingWithOtherSettings) {
  const TemporaryFolder folder;
  ASSERT_EQ(run_into(folder.path(), kSparseAnd).exit_code, 0);
  Arguments other = kSparseAnd;
  other.insert(other.end(), {"--learning-rate", "0.5", "--seed", "7"});
  expect_refused(folder.path(), other,
                 {"run of `mneme train sparse-and` with learning_rate 0.01 (requested: 0.5)",
                  "seed 1 (requested: 7)", "Use the same settings to resume or repeat that run"});
  Arguments fewer = kSparseAnd;
  fewer.back() = "1";
  expect_refused(folder.path(), fewer, {"seeds 2 (requested: 1)", "(seeds may only increase)"});
}

TEST(RunFolder, IsNotOverwrittenByReproducingWithOtherSettings) {
  const TemporaryFolder folder;
  const Arguments quick = {"reproduce", "sdm/keyquery-norm-betas", "--quick"};
  ASSERT_EQ(run_into(folder.path(), quick).exit_code, 0);
  expect_refused(folder.path(), {"reproduce", "sdm/keyquery-norm-betas"}, {"quick true (requested: false)"});
  expect_refused(folder.path(), {"reproduce", "sdm/keyquery-norm-betas", "--quick", "--seed", "5"},
                 {"seed 1 (requested: 5)"});
}

TEST(RunFolder, AcceptsTheSameRunAgain) {
  for (const Arguments& run : {kRecall, kTheory, kPlan, kSparseAnd}) {
    const TemporaryFolder folder;
    ASSERT_EQ(run_into(folder.path(), run).exit_code, 0);
    const std::string results = read_text(folder / "index.html");
    const ProgramResult again = run_into(folder.path(), run);
    EXPECT_EQ(again.exit_code, 0) << again.err;
    EXPECT_EQ(read_text(folder / "index.html"), results);
  }
}

TEST(RunFolder, AcceptsMoreSeedsOfTheSameRun) {
  const TemporaryFolder folder;
  ASSERT_EQ(run_into(folder.path(), kSparseAnd).exit_code, 0);
  const std::string two = read_text(folder / "trials.csv");
  Arguments more = kSparseAnd;
  more.back() = "3";
  ASSERT_EQ(run_into(folder.path(), more).exit_code, 0);
  EXPECT_TRUE(testing::starts_with(read_text(folder / "trials.csv"), two));
}

TEST(RunFolder, IsNotOverwrittenByRecallOrTheoryWithOtherSettings) {
  const TemporaryFolder recalled, predicted, planned;
  const auto with = [](Arguments arguments, const Arguments& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  };
  ASSERT_EQ(run_into(recalled.path(), kRecall).exit_code, 0);
  expect_refused(recalled.path(), with(kRecall, {"--seed", "9"}),
                 {"seed 1 (requested: 9)", "delete the folder"});
  expect_refused(recalled.path(), with(kRecall, {"--hamming-radius", "70"}),
                 {"hamming_radius default (requested: 70)"});
  expect_refused(recalled.path(), {"recall", "--memory", "hopfield", "--noise", "0.1", "--limit", "4"},
                 {"memory [\"pattern-sdm\"] (requested: [\"hopfield\"])"});
  ASSERT_EQ(run_into(predicted.path(), {"theory", "capacity", "--bits", "64..128..32"}).exit_code, 0);
  expect_refused(predicted.path(), kTheory, {"bits [64,96,128] (requested: 64)"});
  ASSERT_EQ(run_into(planned.path(), kPlan).exit_code, 0);
  expect_refused(planned.path(), with(kPlan, {"--noise", "0.2"}), {"(requested: 0.2)"});
  expect_refused(planned.path(), with(kPlan, {"--simulate"}), {"trials default (requested: "});
}

TEST(RunFolder, DoesNotOverwriteAForeignConfiguration) {
  const TemporaryFolder model, broken;
  write_text(model / "config.json", R"({"hidden_size": 64, "num_hidden_layers": 2})");
  write_text(broken / "config.json", "{\"verb\":");
  for (const Arguments& run : {kRecall, kTheory, kPlan, kSparseAnd}) {
    expect_refused(model.path(), run, {"contains a config.json that was not written by mneme"});
    expect_refused(broken.path(), run, {"contains a config.json that was not written by mneme"});
  }
  write_text(model / "text", "a text");
  expect_refused(model.path(), {"inspect", model.path().string(), "--text", (model / "text").string()},
                 {"contains a config.json that was not written by mneme"});
}

TEST(RunFolder, DoesNotOverwriteResultsWithoutAConfiguration) {
  const TemporaryFolder folder;
  write_text(folder / "notes.txt", "mine");
  EXPECT_EQ(run_into(folder / "new", kTheory).exit_code, 0);
  write_text(folder / "index.html", "<p>mine</p>");
  expect_refused(folder.path(), kTheory, {"contains index.html, but no config.json"});
  std::filesystem::remove(folder / "index.html");
  EXPECT_EQ(run_into(folder.path(), kTheory).exit_code, 0) << "other files do not matter";
  EXPECT_EQ(read_text(folder / "notes.txt"), "mine");
}

} // namespace
} // namespace mneme
