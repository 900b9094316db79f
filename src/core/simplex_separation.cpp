// SPDX-License-Identifier: MIT

#include "mneme/core/simplex_separation.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "mneme/core/error.h"
#include "mneme/core/text.h"

namespace mneme {

void check_separation(const SimplexSeparation& separation) {
  if (separation.kind == SimplexSeparation::Kind::entmax &&
      !(separation.alpha > 1 && separation.alpha <= 2)) {
    throw UsageError(
        fmt::format("mneme: entmax has alpha = {}, but it must be in (1, 2].\n  1 would be softmax, 1.5 is "
                    "1.5-entmax and 2 is sparsemax.",
                    separation.alpha));
  }
}

SimplexSeparation separation_named(std::string_view name, std::optional<double> alpha) {
  const auto found = std::ranges::find(kSimplexSeparations, name, &NamedSeparation::name);
  if (found == kSimplexSeparations.end()) {
    std::vector<std::string_view> names;
    std::ranges::transform(kSimplexSeparations, std::back_inserter(names), &NamedSeparation::name);
    throw UsageError(fmt::format("mneme: there is no separation \"{}\".\n  Known separations: {}.",
                                 printable(std::string(name)), fmt::join(names, ", ")));
  }
  SimplexSeparation separation = found->separation;
  if (alpha && separation.kind != SimplexSeparation::Kind::entmax) {
    throw UsageError(fmt::format(
        "mneme: alpha is {}, but the separation {} has no alpha.\n  Use entmax, or leave out alpha.", *alpha,
        name));
  }
  separation.alpha = alpha.value_or(separation.alpha);
  check_separation(separation);
  return separation;
}

} // namespace mneme
