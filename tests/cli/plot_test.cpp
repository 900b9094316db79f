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

using testing::expect_contains;
using testing::ProgramResult;
using testing::run_mneme;
using testing::TemporaryFolder;
using testing::write_text;

void train(const std::filesystem::path& folder, const std::string& model) {
  const ProgramResult result =
      run_mneme({"train", "sparse-and", "--context-length", "9", "--samples", "60", "--epochs", "20",
                 "--seeds", "3", "--model", model, "--out", folder.string()});
  ASSERT_EQ(result.exit_code, 0) << result.err;
}

std::string run_of_language_model(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  write_text(folder / "config.json",
             R"({"version": "1", "verb": "train", "task": "lm", "training": {"model": "leap"}})");
  write_text(folder / "metrics.jsonl", "{\"step\":1,\"loss\":2,\"bits_per_byte\":3}\n");
  return folder.string();
}

TEST(PlotVerb, DrawsRunsOfSeveralModelsWithOneLegend) {
  const TemporaryFolder folder;
  const std::string attention = (folder / "attention").string(), mlp = (folder / "mlp").string(),
                    out = (folder / "out").string();
  train(attention, "self-attention");
  train(mlp, "mlp");
  const ProgramResult result = run_mneme({"plot", attention, mlp, "--out", out});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  expect_contains(result.out, {"run", "epochs", "training loss", "attention", "mlp", "index.html"});
  const nlohmann::json spec =
      nlohmann::json::parse(testing::read_text(std::filesystem::path(out) / "learning.vl.json"));
  int legends = 0;
  for (const nlohmann::json& panel : spec.at("concat")) {
    const nlohmann::json& colour = panel.at("encoding").at("color");
    EXPECT_EQ(colour.at("scale").at("domain"), nlohmann::json({"attention", "mlp"}));
    legends += colour.at("legend").is_null() ? 0 : 1;
  }
  EXPECT_EQ(legends, 1);
  for (const char* name : {"index.html", "learning.csv", "runs.csv", "config.json"}) {
    EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(out) / name)) << name;
  }
  EXPECT_EQ(run_mneme({"plot", mlp, attention, "--out", out}).exit_code, 2) << "a folder has one figure";
  const nlohmann::json rows = testing::results_of(run_mneme({"plot", mlp, "--json"}).out).at("runs");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows.at(0).at("run"), "mlp");
  EXPECT_EQ(rows.at(0).at("seeds"), 3);
}

TEST(PlotVerb, NamesRunsByTheirFoldersWhereTheLastComponentsAreEqual) {
  const TemporaryFolder folder;
  const std::string a = run_of_language_model(folder / "a" / "run"),
                    b = run_of_language_model(folder / "b" / "run");
  const nlohmann::json rows = testing::results_of(run_mneme({"plot", a + "/", b, "--json"}).out).at("runs");
  EXPECT_EQ(rows.at(0).at("run"), a);
  EXPECT_EQ(rows.at(1).at("run"), b);
  EXPECT_EQ(rows.at(1).at("model"), "leap");
}

TEST(PlotVerb, ShowsSmallLossesAndNamesTheMedian) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "run");
  write_text(folder / "run" / "config.json", R"({"version": "1", "verb": "train", "task": "sparse-and"})");
  write_text(folder / "run" / "metrics.jsonl", "{\"trial\":0,\"epoch\":1,\"loss\":1.46e-5}\n");
  const ProgramResult result = run_mneme({"plot", (folder / "run").string()});
  expect_contains(result.out, {"1.46e-05", "medians over the seeds"});
  const std::filesystem::path out = folder / "out";
  ASSERT_EQ(run_mneme({"plot", (folder / "run").string(), "--out", out.string()}).exit_code, 0);
  const std::string page = testing::read_text(out / "index.html");
  expect_contains(page, {"1 run of"});
  EXPECT_EQ(page.find("legend of the first panel"), std::string::npos) << "one run needs no legend";
}

TEST(PlotVerb, NamesTheCurrentFolder) {
  const TemporaryFolder folder;
  const std::string run = run_of_language_model(folder / "run");
  for (const char* here : {".", "./", "../run/."}) {
    const ProgramResult result = testing::run_program(
        {"sh", "-c", "cd \"$0\" && exec \"$1\" plot \"$2\" --json", run, MNEME_PROGRAM, here});
    ASSERT_EQ(result.exit_code, 0) << here << result.err;
    EXPECT_EQ(testing::results_of(result.out).at("runs").at(0).at("run"), "run") << here;
  }
}

TEST(PlotVerb, ReportsWhatIsNoRun) {
  const TemporaryFolder folder;
  const std::string run = run_of_language_model(folder / "run"),
                    bags = run_of_language_model(folder / "bags");
  write_text(folder / "bags" / "metrics.jsonl", "{\"epoch\":1,\"loss\":2}\n");
  const auto expect_refused = [&](int code, std::vector<std::string> arguments,
                                  const std::vector<std::string>& parts) {
    arguments.insert(arguments.begin(), "plot");
    const ProgramResult result = run_mneme(arguments);
    EXPECT_EQ(result.exit_code, code) << result.out;
    expect_contains(result.err, parts);
  };
  expect_refused(2, {}, {"RUN"});
  expect_refused(2, {run, run}, {"twice"});
  expect_refused(2, {run, bags}, {"run counts steps, but bags counts epochs"});
  expect_refused(2, {run, "--figures", "svg"}, {"--figures needs --out"});
  expect_refused(3, {folder.path().string()}, {"no run folder of `mneme train`"});
  std::filesystem::remove(folder / "run" / "metrics.jsonl");
  expect_refused(3, {run}, {"no metrics.jsonl yet", "resume"});
}

} // namespace
} // namespace mneme
