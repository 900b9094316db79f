// SPDX-License-Identifier: MIT

#include <csignal>
#include <filesystem>
#include <map>

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

constexpr const char* kQuick = "sdm/keyquery-norm-betas"; // the smallest
constexpr const char* kParallel = "sdm/critical-distances";

/// Contents of the files of a run by path, without those that may differ between runs with the same settings.
std::map<std::string, std::string> files_of(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().lexically_relative(folder).string();
    if (entry.is_regular_file() && name != "env.json" && name != "timing.csv") {
      files[name] = read_text(entry.path());
    }
  }
  return files;
}

TEST(ReproduceVerb, ListsExperiments) {
  const ProgramResult text = run_mneme({"reproduce"});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_TRUE(contains(text.out, "sdm/softmax-circle"));
  const nlohmann::json json = testing::results_of(run_mneme({"reproduce", "--json"}).out);
  EXPECT_GE(json.at("experiments").size(), 11U);
  EXPECT_TRUE(json.at("experiments").at(0).contains("claim"));
}

TEST(ReproduceVerb, RefusesOptionsOfARunWhenItOnlyLists) {
  for (const auto& [option, value] : {std::pair("--out", "folder"), {"--seed", "1"}, {"--bits", "64"}}) {
    const ProgramResult lacking = run_mneme({"reproduce", option, value});
    EXPECT_EQ(lacking.exit_code, 2);
    EXPECT_TRUE(contains(lacking.err, option)) << lacking.err;
    EXPECT_TRUE(contains(lacking.err, "needs an experiment")) << lacking.err;
    const ProgramResult list = run_mneme({"reproduce", "sdm", "--list", option, value});
    EXPECT_EQ(list.exit_code, 2);
    EXPECT_TRUE(contains(list.err, "has no effect with --list")) << list.err;
  }
}

TEST(ReproduceVerb, AcceptsPathsAsParameters) {
  const TemporaryFolder folder;
  const char* const own = "runs/reproduce-fine-tuned-second-model-first"; // its config.json refuses the run
  std::filesystem::create_directories(folder / own);
  write_text(folder / own / "config.json", "{}");
  const ProgramResult result = run_mneme({"reproduce", "transformer/fine-tuning", "--model",
                                          "../models/first/", "--fine-tuned", "../models/second/"},
                                         {.folder = folder.path(), .timeout = std::chrono::seconds(60)});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_TRUE(contains(result.err, std::string(own) + ": contains a config.json")) << result.err;
  const ProgramResult lacking = run_mneme({"reproduce", "transformer/fine-tuning", "--model", "first"});
  EXPECT_EQ(lacking.exit_code, 2);
  EXPECT_TRUE(contains(lacking.err, "transformer/fine-tuning needs --fine-tuned DIR"));
  const ProgramResult empty = run_mneme({"reproduce", "transformer/fine-tuning", "--model", ""});
  EXPECT_EQ(empty.exit_code, 2);
  EXPECT_TRUE(contains(empty.err, "--model: the name is empty"));
  const ProgramResult other = run_mneme({"reproduce", "sdm/optimal-radius", "--model", "first"});
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_TRUE(contains(other.err, "transformer/training"));
}

TEST(ReproduceVerb, RunsWithGivenParameters) {
  const TemporaryFolder folder;
  const std::vector<std::string> command = {"reproduce", "sdm/softmax-circle",  "--quick", "--bits",
                                            "64",        "--hamming-radius",    "11,12",   "--json",
                                            "--out",     folder.path().string()};
  const ProgramResult result = run_mneme(command);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(testing::parameters_of(result.out).at("hamming-radius"), nlohmann::json({11, 12}));
  const nlohmann::json experiment = testing::results_of(result.out).at("experiments").at(0);
  // Both radii were published, for circles and caps.
  EXPECT_EQ(experiment.at("met"), 4);
  EXPECT_EQ(experiment.at("missed"), 0);
  EXPECT_EQ(experiment.at("tables").at(0).at("rows").at(1).at("d"), 12);
  EXPECT_TRUE(std::filesystem::exists(folder / "sdm/softmax-circle/softmax-n64-d12.vl.json"));
  EXPECT_TRUE(contains(read_text(folder / "index.html"), "--hamming-radius 11,12"));
  const ProgramResult published =
      run_mneme({"reproduce", "sdm/softmax-circle", "--quick", "--out", folder.path().string()});
  EXPECT_EQ(published.exit_code, 2);
  EXPECT_TRUE(contains(published.err, "parameters")) << published.err;
}

TEST(ReproduceVerb, AcceptsAnyPositiveBeta) {
  const TemporaryFolder folder;
  const auto run_with = [&](const char* betas) {
    return run_mneme({"reproduce", "hopfield/energy", "--quick", "--bits", "8", "--patterns", "5", "--beta",
                      betas, "--json", "--out", (folder / betas).string()});
  };
  const ProgramResult result = run_with("0.5,2..4,1e-3,1e5,0.1..0.2..0.1");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(testing::parameters_of(result.out).at("beta"),
            nlohmann::json({0.5, 2, 3, 4, 1e-3, 1e5, 0.1, 0.2}));
  EXPECT_EQ(testing::results_of(result.out).at("experiments").at(0).at("missed"), 0);
  for (const char* refused : {"0", "-1", "0.5..2", "2,x", "1,", "1e9"}) {
    const ProgramResult error = run_with(refused);
    EXPECT_EQ(error.exit_code, 2) << refused;
    EXPECT_TRUE(contains(error.err, "--beta")) << error.err;
  }
}

TEST(ReproduceVerb, LeavesOutPublishedRadiiThatAreTooSmallForTheGivenBits) {
  const TemporaryFolder folder;
  const auto run_at = [&](const char* id, const char* bits) {
    return run_mneme(
        {"reproduce", id, "--quick", "--bits", bits, "--json", "--out", (folder / bits).string()});
  };
  const ProgramResult small = run_at("sdm/softmax-circle", "24"), tiny = run_at("sdm/softmax-circle", "8");
  EXPECT_EQ(small.exit_code, 0) << small.err;
  EXPECT_EQ(tiny.exit_code, 2);
  EXPECT_TRUE(contains(tiny.err, "--bits 8: no published radius is from 3 to 8 bits")) << tiny.err;
  EXPECT_TRUE(contains(run_at("sdm/exp-bounds", "4").err, "Give --hamming-radius"));
}

TEST(ReproduceVerb, ReportsThatItDrawsOnlySomeOfManyRadii) {
  const TemporaryFolder folder;
  const auto notes_at = [&](const char* radii) {
    const ProgramResult result =
        run_mneme({"reproduce", "sdm/softmax-circle", "--bits", "32", "--hamming-radius", radii, "--json",
                   "--out", (folder / radii).string()});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return testing::results_of(result.out).at("experiments").at(0).at("notes").dump();
  };
  EXPECT_TRUE(contains(notes_at("3..16"), "drawn for 7 of the 14 combinations"));
  EXPECT_FALSE(contains(notes_at("3..14"), "is drawn for"));
}

TEST(ReproduceVerb, RefusesParametersThatAnExperimentDoesNotHave) {
  const ProgramResult result = run_mneme({"reproduce", "sdm/optimal-radius", "--bits", "128"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_TRUE(contains(result.err, "--bits: the experiment sdm/optimal-radius has no such parameter"))
      << result.err;
  EXPECT_TRUE(contains(result.err, "sdm/softmax-circle")) << result.err;
  const ProgramResult range =
      run_mneme({"reproduce", "sdm/softmax-circle", "--bits", "8", "--hamming-radius", "9"});
  EXPECT_EQ(range.exit_code, 2);
  EXPECT_TRUE(contains(range.err, "--hamming-radius 9: patterns have 8 bits")) << range.err;
}

TEST(ReproduceVerb, AppliesParametersToTheExperimentsThatHaveThem) {
  const TemporaryFolder folder;
  const ProgramResult result =
      run_mneme({"reproduce", "sdm/softmax-circle", "sdm/optimal-radius", "--quick", "--bits", "64",
                 "--hamming-radius", "11", "--out", (folder / "out").string()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(contains(result.err, "--bits has no effect on sdm/optimal-radius.")) << result.err;
  const ProgramResult none =
      run_mneme({"reproduce", "sdm/optimal-radius", "sdm/neuron-distance", "--bits", "64"});
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_TRUE(contains(none.err, "--bits: none of the chosen experiments has this parameter")) << none.err;
}

TEST(ReproduceVerb, LeavesNoFolderBehindARefusedParameter) {
  const TemporaryFolder folder;
  const ProgramResult result =
      run_mneme({"reproduce", "sdm/softmax-circle", "--bits", "8", "--hamming-radius", "9", "--out",
                 (folder / "runs" / "out").string()});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_FALSE(std::filesystem::exists(folder / "runs"));
}

TEST(ReproduceVerb, ListsTheChosenExperiments) {
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"reproduce", "leap", "--list"}, {"reproduce", "--list", "leap"}}) {
    const ProgramResult result = run_mneme(command);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_TRUE(contains(result.out, "leap/mqar"));
    EXPECT_FALSE(contains(result.out, "sdm/optimal-radius"));
  }
}

TEST(ReproduceVerb, AcceptsAStarAtTheEndOfAnId) {
  const ProgramResult result = run_mneme({"reproduce", "attention/*", "sdm/softmax*", "--list"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  for (const char* id : {"attention/gain-plot", "attention/rule-graph", "sdm/softmax-circle"}) {
    EXPECT_TRUE(contains(result.out, id));
  }
  EXPECT_FALSE(contains(result.out, "sdm/optimal-radius"));
  EXPECT_TRUE(contains(run_mneme({"reproduce", "list"}).err, "`mneme reproduce --list` lists"));
}

/// A Python without any package.
TEST(ReproduceVerb, SaysHowToInstallVlConvert) {
  const TemporaryFolder folder;
  const ProgramResult result =
      run_mneme({"reproduce", kQuick, "--quick", "--figures", "svg", "--out", (folder / "out").string()},
                {.environment = {{"MNEME_PYTHON", "/bin/false"}}});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.err, "`/bin/false -m pip install vl-convert-python`")) << result.err;
  EXPECT_FALSE(std::filesystem::exists(folder / "out")) << "the error is before the computation";
}

TEST(ReproduceVerb, RejectsAnUnknownId) {
  const ProgramResult result = run_mneme({"reproduce", "sdm/nothing", "--quick"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_TRUE(contains(result.err, "there is no experiment \"sdm/nothing\""));
  for (const auto& [given, similar] : {std::pair("sdn", "sdm"),
                                       {"sdm/softmax-circel", "sdm/softmax-circle"},
                                       {"neuron-distance", "sdm/neuron-distance"}}) {
    const ProgramResult misspelt = run_mneme({"reproduce", given});
    EXPECT_EQ(misspelt.exit_code, 2);
    EXPECT_TRUE(contains(misspelt.err, "Did you mean \"" + std::string(similar) + "\"?")) << misspelt.err;
  }
}

TEST(ReproduceVerb, WritesTheSameFilesOnAnyNumberOfThreads) {
  const TemporaryFolder folder;
  for (const char* threads : {"1", "3"}) {
    const ProgramResult result = run_mneme({"reproduce", kQuick, kParallel, "--quick", "--threads", threads,
                                            "--out", (folder / threads).string()});
    ASSERT_EQ(result.exit_code, 0) << result.err;
  }
  const auto one = files_of(folder / "1");
  EXPECT_TRUE(one.contains("index.html"));
  EXPECT_TRUE(one.contains("config.json"));
  EXPECT_TRUE(one.contains("sdm/keyquery-norm-betas/learnt-betas.csv"));
  EXPECT_TRUE(one.contains("sdm/keyquery-norm-betas/learnt-betas.vl.json"));
  EXPECT_TRUE(one.contains("sdm/critical-distances/outcome.json"));
  EXPECT_TRUE(one == files_of(folder / "3"));
}

TEST(ReproduceVerb, LoadsFinishedExperimentsFromDisk) {
  const TemporaryFolder folder;
  const std::vector<std::string> command = {"reproduce", kQuick, "--quick", "--out", folder.path().string()};
  EXPECT_FALSE(run_mneme(command).err.find("loaded from") != std::string::npos);
  const auto before = files_of(folder.path());
  EXPECT_TRUE(contains(run_mneme(command).err, "loaded from"));
  EXPECT_TRUE(before == files_of(folder.path()));
  write_text(folder / "sdm/keyquery-norm-betas/outcome.json", "{\"key\":");
  const ProgramResult broken = run_mneme(command);
  EXPECT_EQ(broken.exit_code, 0) << broken.err;
  EXPECT_TRUE(contains(broken.err, "cannot be used"));
}

TEST(ReproduceVerb, ExitsWithFourWhenAValueIsMissed) {
  const TemporaryFolder folder;
  const std::vector<std::string> command = {
      "reproduce", kQuick, "--quick", "--check", "--json", "--out", folder.path().string()};
  EXPECT_EQ(run_mneme(command).exit_code, 0);
  const std::filesystem::path file = folder / "sdm/keyquery-norm-betas/outcome.json";
  nlohmann::ordered_json outcome = nlohmann::ordered_json::parse(read_text(file));
  outcome.at("outcome").at("comparisons").at(0).at("rows").at(0).at("measured").at(0) = 0.5;
  write_text(file, outcome.dump());
  const ProgramResult missed = run_mneme(command);
  EXPECT_EQ(missed.exit_code, 4);
  EXPECT_EQ(testing::results_of(missed.out).at("experiments").at(0).at("missed"), 1);
  std::vector<std::string> unchecked = command;
  std::erase(unchecked, "--check");
  EXPECT_EQ(run_mneme(unchecked).exit_code, 0);
}

TEST(ReproduceVerb, ExitsWithTwoWhenNothingCouldBeChecked) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "data");
  std::vector<std::string> command = {
      "reproduce", "hopfield/mnist-bags",      "--quick", "--check",
      "--data",    (folder / "data").string(), "--out",   (folder / "run").string()};
  const ProgramResult nothing = run_mneme(command);
  EXPECT_EQ(nothing.exit_code, 2);
  EXPECT_TRUE(contains(nothing.err, "1 of 1 experiments did not run")) << nothing.err;
  command.insert(command.begin() + 1, kQuick);
  const ProgramResult some = run_mneme(command);
  EXPECT_EQ(some.exit_code, 0);
  EXPECT_TRUE(contains(some.err, "1 of 2 experiments did not run")) << some.err;
}

TEST(ReproduceVerb, WritesMarkdown) {
  const TemporaryFolder folder;
  const ProgramResult result = run_mneme({"reproduce", kQuick, "--quick", "--out", (folder / "run").string(),
                                          "--markdown", (folder / "results.md").string()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(contains(read_text(folder / "results.md"), "| verdict |"));
}

TEST(ReproduceVerb, FailsIfItCannotWrite) {
  const TemporaryFolder folder;
  write_text(folder / "file", "");
  const ProgramResult result =
      run_mneme({"reproduce", kQuick, "--quick", "--out", (folder / "file").string()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.err, "cannot"));
}

TEST(ReproduceVerb, ChecksPathsBeforeItComputes) {
  const TemporaryFolder folder;
  const auto error_of = [&](const std::string& option, const std::filesystem::path& path) {
    const ProgramResult result = run_mneme(
        {"reproduce", kQuick, "--quick", "--out", (folder / "run").string(), option, path.string()});
    EXPECT_NE(result.exit_code, 0);
    EXPECT_FALSE(std::filesystem::exists(folder / "run"));
    return result.err;
  };
  write_text(folder / "file", "");
  EXPECT_TRUE(contains(error_of("--markdown", folder.path()), "it is a folder, but a file is needed"));
  EXPECT_TRUE(contains(error_of("--markdown", folder / "no" / "x.md"), "there is no folder"));
  EXPECT_TRUE(contains(error_of("--data", folder / "no"), "there is no such folder"));
  EXPECT_TRUE(contains(error_of("--data", folder / "file"), "is a file"));
}

TEST(ReproduceVerb, NamesAFileThatBecameShorterWhileItWasInUse) {
  const ProgramResult result = run_mneme(
      {"reproduce", kQuick, "--quick", "--progress", "plain"},
      {.signal = SIGBUS, .signal_after = std::string(kQuick) + ": ", .timeout = std::chrono::seconds(60)});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_TRUE(contains(result.err, "a file in use, such as model.safetensors, has become shorter"));
}

TEST(ReproduceVerb, SavesFinishedExperimentsWhenInterrupted) {
  const TemporaryFolder folder;
  const std::vector<std::string> command = {"reproduce",  kQuick,  "sdm/neuron-limited",
                                            "--quick",    "--out", folder.path().string(),
                                            "--progress", "plain"};
  const ProgramResult result = run_mneme(
      command,
      {.signal = SIGINT, .signal_after = std::string(kQuick) + ": ", .timeout = std::chrono::seconds(60)});
  EXPECT_EQ(result.exit_code, 130) << result.err;
  EXPECT_TRUE(contains(result.err, "1 of 2 experiments had finished"));
  EXPECT_TRUE(std::filesystem::exists(folder / "index.html"));
  EXPECT_TRUE(contains(run_mneme({"reproduce", kQuick, "--quick", "--out", folder.path().string()}).err,
                       "loaded from"));
}

} // namespace
} // namespace mneme
