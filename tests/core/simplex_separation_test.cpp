// SPDX-License-Identifier: MIT

#include "mneme/core/simplex_separation.h"

#include <string>

#include <gtest/gtest.h>

#include "core/text_checks.h"
#include "mneme/core/error.h"

namespace mneme {
namespace {

/// Message of the UsageError, or "accepted".
std::string error_of(const std::string& name, std::optional<double> alpha = std::nullopt) {
  try {
    separation_named(name, alpha);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(SeparationNamed, FindsEverySeparationOfTheList) {
  for (const NamedSeparation& named : kSimplexSeparations) {
    EXPECT_EQ(separation_named(named.name), named.separation) << named.name;
    EXPECT_EQ(name_of(separation_named(named.name)), named.name);
  }
  EXPECT_EQ(separation_named("entmax", 1.7), SimplexSeparation::entmax(1.7));
}

TEST(SeparationNamed, RejectsAnUnknownNameOrAlpha) {
  testing::expect_contains(error_of("softmin"), {"no separation \"softmin\"", "sparsemax", "normmax"});
  testing::expect_contains(error_of("softmax", 1.5), {"alpha is 1.5", "softmax has no alpha"});
  for (const double alpha : {1.0, 2.5, 0.0, -1.0}) {
    testing::expect_contains(error_of("entmax", alpha), {"must be in (1, 2]"});
  }
}

} // namespace
} // namespace mneme
