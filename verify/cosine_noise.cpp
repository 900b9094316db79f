// SPDX-License-Identifier: MIT

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "mneme/data/corruption.h"
#include "verify/published_precision.h"
#include "verify/recall_cases.h"
#include "verify/registry.h"

namespace mneme::verify {
namespace {

constexpr double kTolerance = 1e-5; // the file is single precision, with entries of size 1 to 3
constexpr double kClosest = 1e-5;   // published: tolerance within which another pattern may be closer

void check_case(const GoldenValue& golden, Checker& checker) {
  const RealPatterns queries = pattern_columns(golden.at("queries"));
  const RealPatterns stored = pattern_columns(golden.at("patterns"));
  const auto count = static_cast<size_t>(queries.count()), size = static_cast<size_t>(queries.size());
  if (static_cast<size_t>(stored.size()) != size ||
      size != static_cast<size_t>(golden.at("n_base").integer())) {
    golden.fail("queries and patterns of n_base numbers");
  }
  const bool fixed = golden.at("fix_perturb").boolean();
  const GoldenValue draws = golden.list("uniform_draws", fixed ? 1 : 2);
  const RealPatterns directions = pattern_columns(draws.at(fixed ? size_t{0} : size_t{1}));
  if (directions.count() != queries.count() || directions.size() != queries.size()) {
    draws.fail("a draw for every number of every query");
  }
  RealPatterns rotated(queries.count(), queries.size());
  for (size_t q = 0; q < count; ++q) {
    double flips = 0;
    if (fixed) {
      flips = golden.at("perturb").number();
    } else {
      const double min_flips = golden.at("min_train_perturb").number();
      flips = min_flips +
              (golden.at("max_train_perturb").number() - min_flips) * draws.at(size_t{0}).at(q).number();
    }
    const double target_cosine = 1 - 2 * flips / static_cast<double>(size);
    const auto row = static_cast<int64_t>(q);
    std::vector<double> direction(directions[row].begin(), directions[row].end());
    std::ranges::transform(direction, direction.begin(), [](double u) { return 2 * u - 1; });
    std::ranges::copy(data::rotate_towards(queries[row], target_cosine, direction), rotated[row].begin());

    double nearest = -1;
    for (int64_t s = 0; s < stored.count(); ++s) {
      nearest = std::max(nearest, cosine(rotated, row, stored, s));
    }
    checker.equal_boolean(golden.list("is_closest", count).at(q), nearest <= target_cosine + kClosest);
  }
  expect_columns(checker, golden.at("perturbed"), rotated, kTolerance);
}

} // namespace

/// Queries rotated away from their targets to a given cosine.
void run_cosine_noise(const GoldenValue& file, Checker& checker) {
  checker.note(fmt::format("compared to {:g}: the file is single precision", kTolerance));
  checker.each_case(file.at("cases"), [&](const GoldenValue& golden) { check_case(golden, checker); });
}

} // namespace mneme::verify
