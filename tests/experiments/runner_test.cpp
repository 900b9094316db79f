// SPDX-License-Identifier: MIT

#include "experiments/runner.h"

#include <algorithm>
#include <atomic>

#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "experiments/outcome_file.h"
#include "experiments/sample_outcome.h"
#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"

namespace mneme::experiments {
namespace {

using mneme::testing::contains;
using mneme::testing::TemporaryFolder;
using mneme::testing::write_text;

std::atomic<int> runs = 0;

Outcome counted(const RunSettings&, Progress&) {
  ++runs;
  return sample_outcome();
}

Outcome interrupting(const RunSettings&, Progress&) {
  request_interrupt();
  throw_if_interrupted();
  return {};
}

Experiment experiment(const std::string& id, bool is_parallel,
                      Outcome (*run)(const RunSettings&, Progress&) = counted) {
  return {.id = id, .title = id, .claim = "c.", .source = "s", .is_parallel = is_parallel, .run = run};
}

struct RecordedProgress : Progress {
  void message(const std::string& line) override { lines += line + "\n"; }
  std::string lines;
};

struct RunnerRun {
  std::vector<Finished> finished;
  std::string messages;
};

RunnerRun run(const std::vector<Experiment>& experiments, const TemporaryFolder& folder, bool again = false) {
  std::vector<const Experiment*> list;
  std::ranges::transform(experiments, std::back_inserter(list), [](const Experiment& one) { return &one; });
  RunnerRun result;
  RecordedProgress progress;
  run_experiments(list, {}, folder.path(), again, progress,
                  [&](Finished one) { result.finished.push_back(std::move(one)); });
  result.messages = progress.lines;
  return result;
}

TEST(Runner, LoadsFinishedExperimentsFromDisk) {
  const TemporaryFolder folder;
  const std::vector<Experiment> experiments = {experiment("a/one", false), experiment("a/two", true)};
  runs = 0;
  EXPECT_EQ(run(experiments, folder).finished.size(), 2U);
  EXPECT_EQ(runs, 2);
  const RunnerRun second = run(experiments, folder);
  EXPECT_EQ(runs, 2);
  EXPECT_TRUE(std::ranges::all_of(second.finished, &Finished::from_disk));
  EXPECT_EQ(tally(second.finished[0].outcome).met, 2);
  EXPECT_FALSE(run(experiments, folder, true).finished[0].from_disk);
  EXPECT_EQ(runs, 4);
}

TEST(Runner, RunsAgainIfAnOutcomeCannotBeReadAndReportsIt) {
  const TemporaryFolder folder;
  const std::vector<Experiment> experiments = {experiment("a/one", false)};
  run(experiments, folder);
  write_text(folder_of(folder.path(), experiments[0]) / "outcome.json", "{");
  const RunnerRun second = run(experiments, folder);
  EXPECT_FALSE(second.finished[0].from_disk);
  EXPECT_TRUE(contains(second.messages, "running a/one again"));
  EXPECT_TRUE(run(experiments, folder).finished[0].from_disk);
}

TEST(Runner, KeepsAnEarlierOutcomeIfTheExperimentIsSkipped) {
  const TemporaryFolder folder;
  const auto without_data = [](const RunSettings&, Progress&) { return Outcome{.skipped = "no data"}; };
  run({experiment("a/one", false)}, folder);
  EXPECT_EQ(run({experiment("a/one", false, without_data)}, folder, true).finished[0].outcome.skipped,
            "no data");
  const RunnerRun later = run({experiment("a/one", false)}, folder);
  EXPECT_TRUE(later.finished[0].from_disk);
  EXPECT_EQ(tally(later.finished[0].outcome).met, 2);
}

TEST(Runner, KeepsFinishedOutcomesWhenInterrupted) {
  const TemporaryFolder folder;
  const std::vector<Experiment> experiments = {experiment("a/one", false),
                                               experiment("a/two", true, interrupting)};
  EXPECT_THROW(run(experiments, folder), Interrupted);
  clear_interrupt();
  EXPECT_TRUE(std::holds_alternative<Outcome>(find_outcome(folder.path(), experiments[0], {})));
  EXPECT_TRUE(std::holds_alternative<std::monostate>(find_outcome(folder.path(), experiments[1], {})));
}

/// Keeps one part per run, and is interrupted until there are two.
Outcome in_two_parts(const RunSettings& settings, Progress&) {
  const auto text_of = [](const nlohmann::json& json) { return json.get<std::string>(); };
  const bool has_first = settings.parts.find("first", text_of).has_value();
  settings.parts.keep(has_first ? "second" : "first", "done");
  if (!has_first) {
    request_interrupt();
    throw_if_interrupted();
  }
  return sample_outcome();
}

TEST(Runner, KeepsFinishedPartsUntilTheExperimentIsFinished) {
  const TemporaryFolder folder;
  const std::vector<Experiment> experiments = {experiment("a/long", true, in_two_parts)};
  const std::filesystem::path parts = folder_of(folder.path(), experiments[0]) / "parts";
  EXPECT_THROW(run(experiments, folder), Interrupted);
  clear_interrupt();
  EXPECT_TRUE(std::filesystem::exists(parts / "first.json"));
  EXPECT_THROW(run(experiments, folder, true), Interrupted); // again: from the beginning
  clear_interrupt();
  EXPECT_EQ(tally(run(experiments, folder).finished[0].outcome).met, 2);
  EXPECT_FALSE(std::filesystem::exists(parts));
}

TEST(Runner, SkipsExperimentsThatNeedLibTorchInAProgramWithoutIt) {
  const TemporaryFolder folder;
  runs = 0;
  Experiment trained = experiment("a/trained", true);
  trained.needs_torch = true;
  const RunnerRun result = run({trained, experiment("a/plain", true)}, folder);
  ASSERT_EQ(result.finished.size(), 2U);
  EXPECT_TRUE(contains(result.finished[0].outcome.skipped, "needs LibTorch"));
  EXPECT_EQ(result.finished[1].outcome.skipped, "");
  EXPECT_EQ(runs, 1);
}

} // namespace
} // namespace mneme::experiments
