// SPDX-License-Identifier: MIT

#include "experiments/outcome_file.h"

#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "experiments/findings.h"
#include "experiments/sample_outcome.h"
#include "mneme/core/error.h"

namespace mneme::experiments {
namespace {

using mneme::testing::contains;
using mneme::testing::read_text;
using mneme::testing::TemporaryFolder;
using mneme::testing::write_text;

const Experiment kExperiment{
    .id = "work/sample", .title = "Sample", .claim = "It holds.", .source = "a paper"};
const RunSettings kSettings{.quick = true, .seed = 7};

std::string page_text(const Outcome& outcome) {
  const Finished finished{.experiment = &kExperiment, .outcome = outcome};
  return report::to_html(page_of(std::span(&finished, 1), kSettings));
}

TEST(OutcomeFile, RoundTrips) {
  const TemporaryFolder folder;
  Outcome outcome = sample_outcome();
  outcome.comparisons.push_back(
      {.title = "Recall", .rows = {{.what = "far off", .published = 1}}, .not_compared = "quick run"});
  save_outcome(folder.path(), kExperiment, kSettings, outcome);
  const Found found = find_outcome(folder.path(), kExperiment, kSettings);
  ASSERT_TRUE(std::holds_alternative<Outcome>(found));
  const auto& read = std::get<Outcome>(found);
  EXPECT_EQ(page_text(read), page_text(outcome));
  EXPECT_EQ(report::to_csv(read.tables[0].table), report::to_csv(outcome.tables[0].table));
  EXPECT_EQ(read.figures[0].chart.spec, outcome.figures[0].chart.spec);
  EXPECT_EQ(read.pictures[0].png, outcome.pictures[0].png);
  EXPECT_TRUE(read.comparisons[0].rows[2].is_met());
  EXPECT_EQ(tally(read).not_compared, 1);
  EXPECT_EQ(read.parameters, outcome.parameters);
  EXPECT_EQ(read.notes, outcome.notes);
}

TEST(OutcomeFile, IsIgnoredForOtherSettings) {
  const TemporaryFolder folder;
  EXPECT_TRUE(std::holds_alternative<std::monostate>(find_outcome(folder.path(), kExperiment, kSettings)));
  save_outcome(folder.path(), kExperiment, kSettings, sample_outcome());
  for (const RunSettings& other :
       {RunSettings{.quick = false, .seed = 7}, RunSettings{.quick = true, .seed = 8}}) {
    EXPECT_TRUE(std::holds_alternative<std::monostate>(find_outcome(folder.path(), kExperiment, other)));
  }
  Experiment with_inputs = kExperiment;
  with_inputs.inputs = [](const RunSettings&) { return std::string("data of 3 bytes"); };
  EXPECT_TRUE(std::holds_alternative<std::monostate>(find_outcome(folder.path(), with_inputs, kSettings)));
}

TEST(OutcomeFile, ReportsWhyItCannotBeUsed) {
  const TemporaryFolder folder;
  save_outcome(folder.path(), kExperiment, kSettings, sample_outcome());
  const std::filesystem::path own = folder_of(folder.path(), kExperiment);
  const std::string whole = read_text(own / "outcome.json");
  for (const std::string& broken : {whole.substr(0, whole.size() / 2), std::string("[]"), std::string()}) {
    write_text(own / "outcome.json", broken);
    const Found found = find_outcome(folder.path(), kExperiment, kSettings);
    ASSERT_TRUE(std::holds_alternative<std::string>(found));
    EXPECT_TRUE(contains(std::get<std::string>(found), "outcome.json"));
  }
  write_text(own / "outcome.json", whole);
  std::filesystem::remove(own / "a-figure.vl.json");
  const Found found = find_outcome(folder.path(), kExperiment, kSettings);
  ASSERT_TRUE(std::holds_alternative<std::string>(found));
  EXPECT_TRUE(contains(std::get<std::string>(found), "a-figure.vl.json"));
}

TEST(OutcomeFile, ReadsIntervalsOfOlderFiles) {
  const TemporaryFolder folder;
  save_outcome(folder.path(), kExperiment, kSettings, sample_outcome());
  const std::filesystem::path file = folder_of(folder.path(), kExperiment) / "outcome.json";
  nlohmann::ordered_json whole = nlohmann::ordered_json::parse(read_text(file));
  nlohmann::ordered_json& rows = whole.at("outcome").at("comparisons").at(0).at("rows");
  EXPECT_EQ(rows.at(0).at("measured").dump(), "[1.25,0.25]");
  EXPECT_EQ(rows.at(1).at("measured").dump(), "[3.0]");
  rows.at(0).at("measured") = {1.25, 1, 1.5};
  rows.at(1).at("measured") = {3, 3, 3};
  write_text(file, whole.dump());
  const Found found = find_outcome(folder.path(), kExperiment, kSettings);
  ASSERT_TRUE(std::holds_alternative<Outcome>(found));
  EXPECT_EQ(page_text(std::get<Outcome>(found)), page_text(sample_outcome()));
}

TEST(OutcomeFile, ThrowsIfTheFolderIsNotWritable) {
  const TemporaryFolder folder;
  write_text(folder / "work", "a file where a folder is needed");
  EXPECT_THROW(save_outcome(folder.path(), kExperiment, kSettings, sample_outcome()), OutputError);
}

} // namespace
} // namespace mneme::experiments
