// SPDX-License-Identifier: MIT

#include "mneme/core/simplex_separation.h"

#include <string>

#include <gtest/gtest.h>

#include "core/text_checks.h"
#include "mneme/core/error.h"

namespace mneme {
namespace {

std::string refusal(const std::string& name, std::optional<double> alpha = std::nullopt) {
  try {
    separation_named(name, alpha);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(SeparationNamed, FindsEveryRowOfTheList) {
  for (const NamedSeparation& named : kSimplexSeparations) {
    EXPECT_EQ(separation_named(named.name), named.separation) << named.name;
    EXPECT_EQ(name_of(separation_named(named.name)), named.name);
  }
  EXPECT_EQ(separation_named("entmax", 1.7), SimplexSeparation::entmax(1.7));
}

TEST(SeparationNamed, RefusesAnotherNameOrAlpha) {
  testing::expect_contains(refusal("softmin"), {"no separation \"softmin\"", "sparsemax", "normmax"});
  testing::expect_contains(refusal("softmax", 1.5), {"alpha is 1.5", "softmax has no alpha"});
  for (const double alpha : {1.0, 2.5, 0.0, -1.0}) {
    testing::expect_contains(refusal("entmax", alpha), {"must lie in (1, 2]"});
  }
}

} // namespace
} // namespace mneme
