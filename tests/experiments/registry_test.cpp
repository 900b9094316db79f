// SPDX-License-Identifier: MIT

#include "experiments/registry.h"

#include <algorithm>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "core/text_checks.h"
#include "experiments/published.h"
#include "mneme/core/error.h"

namespace mneme::experiments {
namespace {

using mneme::testing::contains;

std::vector<std::string> ids(const std::vector<std::string>& names) {
  std::vector<std::string> list;
  for (const Experiment* experiment : experiments_named(names)) {
    list.push_back(experiment->id);
  }
  return list;
}

TEST(Registry, EveryExperimentHasAClaimAndASource) {
  std::set<std::string> seen;
  for (const Experiment& experiment : all_experiments()) {
    EXPECT_TRUE(seen.insert(experiment.id).second) << experiment.id;
    EXPECT_TRUE(contains(experiment.id, "/"));
    EXPECT_FALSE(experiment.title.empty());
    EXPECT_TRUE(experiment.claim.ends_with(".")) << experiment.id;
    EXPECT_FALSE(experiment.source.empty());
    EXPECT_NE(experiment.run, nullptr);
  }
}

TEST(Registry, NamesThePlaceWhereEachExperimentWasPublished) {
  // The parts of each work: notebooks and their cells, exercises, theorems, examples.
  const std::map<std::string, std::vector<std::string>> places = {
      {"sdm", {"notebook ", "Kanerva 1988"}},
      {"attention", {"section 3", "exercise"}},
      {"hopfield", {"theorem", "section ", "example \""}},
      {"leap", {"README", "notebook "}},
      {"transformer", {"notebook ", "abstract"}}};
  for (const Experiment& experiment : all_experiments()) {
    const std::string work = experiment.id.substr(0, experiment.id.find('/'));
    EXPECT_TRUE(std::ranges::any_of(
        places.at(work), [&](const std::string& place) { return contains(experiment.source, place); }))
        << experiment.id << ": " << experiment.source;
  }
}

TEST(Registry, FindsExperimentsByIdAndByPrefix) {
  EXPECT_EQ(ids({"sdm/softmax-circle"}), std::vector<std::string>{"sdm/softmax-circle"});
  EXPECT_EQ(ids({"sdm/sdm-experiments"}).size(), 3U);
  EXPECT_EQ(ids({"sdm/softmax"}), std::vector<std::string>{"sdm/softmax-circle"});
  EXPECT_EQ(ids({"sdm/"}), ids({"sdm"}));
  EXPECT_EQ(ids({"sdm/learn-projections"}).size(), 1U); // not those whose ids begin with it
  EXPECT_EQ(ids({"all"}).size(), all_experiments().size());
  EXPECT_EQ(ids({"sdm", "sdm/softmax-circle"}), ids({"sdm"})); // each once
}

TEST(Registry, RejectsUnknownIdsAndListsTheAvailableOnes) {
  for (const char* id : {"sdm/nothing", "", "SDM"}) {
    try {
      experiments_named(std::vector<std::string>{id});
      ADD_FAILURE() << "\"" << id << "\" was accepted";
    } catch (const UsageError& error) {
      EXPECT_TRUE(contains(error.what(), "sdm/softmax-circle"));
    }
  }
}

TEST(Published, ListsTheAvailableFiles) {
  EXPECT_EQ(published("keyquery_norm_betas").at("cases").size(), 90U);
  try {
    published("nothing");
    ADD_FAILURE();
  } catch (const UsageError& error) {
    EXPECT_TRUE(contains(error.what(), "sdm_tables"));
  }
}

} // namespace
} // namespace mneme::experiments
