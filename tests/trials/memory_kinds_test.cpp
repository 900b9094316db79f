// SPDX-License-Identifier: MIT

#include "mneme/trials/memory_kinds.h"

#include <set>

#include <gtest/gtest.h>

#include "mneme/core/random.h"
#include "mneme/data/random_patterns.h"
#include "trials/messages.h"

namespace mneme::trials {
namespace {

std::vector<std::string> names_of(const std::vector<MemoryKind>& kinds) {
  std::vector<std::string> names;
  for (const MemoryKind& kind : kinds) {
    names.push_back(kind.name);
  }
  return names;
}

using Names = std::vector<std::string>;

TEST(MemoryKinds, HaveUniqueNamesAndTitles) {
  std::set<std::string> names, titles;
  for (const MemoryKind& kind : memory_kinds()) {
    names.insert(kind.name);
    titles.insert(kind.title);
    EXPECT_NE(kind.steps.find("->"), std::string::npos) << kind.name;
  }
  EXPECT_EQ(names.size(), memory_kinds().size());
  EXPECT_EQ(titles.size(), memory_kinds().size());
}

TEST(MemoryKinds, AllSelectsAllMemories) {
  EXPECT_EQ(names_of(memory_kinds_named({"all"})), names_of(memory_kinds()));
}

TEST(MemoryKinds, PaperSelectsSevenMemories) {
  EXPECT_EQ(names_of(memory_kinds_named({"paper"})),
            (Names{"sdm", "pattern-sdm", "pattern-sdm-finite", "continuous-sdm", "continuous-binary-sdm",
                   "binary-attention", "attention"}));
  EXPECT_EQ(names_of(memory_kinds_named({"hopfield", "paper"})).size(), 8U);
}

TEST(MemoryKinds, KeepTheOrderOfTheNames) {
  EXPECT_EQ(names_of(memory_kinds_named({"hopfield", "sdm", "attention"})),
            (Names{"hopfield", "sdm", "attention"}));
  const Names dense_first = names_of(memory_kinds_named({"dense", "all"}));
  EXPECT_EQ(dense_first.front(), "dense");
  EXPECT_EQ(dense_first.size(), memory_kinds().size());
}

TEST(MemoryKinds, RemoveDuplicateNames) {
  EXPECT_EQ(names_of(memory_kinds_named({"sdm", "hopfield", "sdm"})), (Names{"sdm", "hopfield"}));
  EXPECT_EQ(names_of(memory_kinds_named({"all", "sdm", "all"})), names_of(memory_kinds()));
}

TEST(MemoryKinds, ListAllNamesIfANameIsUnknown) {
  for (const char* wrong : {"nonsense", "", "SDM", "sdm "}) {
    expect_usage_error(
        [&] {
          memory_kinds_named({"sdm", wrong});
        },
        {"\"" + std::string(wrong) + "\"", "paper, all"});
    for (const MemoryKind& kind : memory_kinds()) {
      expect_usage_error([&] { memory_kinds_named({wrong}); }, {kind.name});
    }
  }
}

TEST(Build, RejectsPatternsOfTheOtherType) {
  const BitPatterns bits = data::random_bits(3, 64, Random(1));
  const RealPatterns reals = data::random_sphere(3, 64, Random(1));
  const MemoryParameters parameters{.hamming_radius = 20, .hard_locations = 100, .beta = 8};
  for (const MemoryKind& kind : memory_kinds()) {
    if (kind.on_bits) {
      expect_usage_error([&] { build(kind, reals, parameters); }, {kind.name, "does not store real"});
    } else {
      expect_usage_error([&] { build(kind, bits, parameters, 1); }, {kind.name, "does not store bits"});
    }
  }
}

} // namespace
} // namespace mneme::trials
