// SPDX-License-Identifier: MIT

#include <cmath>
#include <numbers>

#include "mneme/theory/circle_intersection.h"
#include "mneme/theory/original_cap_table.h"
#include "verify/published_precision.h"
#include "verify/registry.h"

namespace mneme::verify {
namespace {

constexpr int64_t kResolutionMax = 1'000'000;

void check_case(const GoldenValue& golden, Checker& checker) {
  const int64_t bits = golden.at("n").integer_between(2, kGoldenBitsMax);
  const int64_t radius = golden.at("hamm_radius").integer_between(0, bits);
  const int64_t resolution = golden.at("resolution").integer_between(2, kResolutionMax);
  const std::optional<double> log_hard_locations = golden.at("r").log_count();
  if (!log_hard_locations) {
    golden.at("r").fail("a count");
  }
  const std::vector<double> logs = theory::log_circle_intersections(bits, radius);
  const double log_density = *log_hard_locations - static_cast<double>(bits) * std::numbers::ln2;
  const GoldenValue circles = golden.list("binary_cache", logs.size());
  for (size_t i = 0; i < logs.size(); ++i) {
    const double expected = std::exp(logs[i] + log_density);
    checker.near(circles.at(i), expected,
                 1e-9 * expected + kLuneErrorOfWhole * std::exp(logs[0] + log_density));
  }
  const theory::OriginalCapTable table(bits, radius, log_hard_locations, resolution);
  const GoldenValue caps = golden.list("log_cap_cache", static_cast<size_t>(resolution));
  for (size_t i = 0; i < table.log_expected().size(); ++i) {
    checker.near(caps.at(i), table.log_expected()[i], cap_quadrature_error(bits));
  }
}

} // namespace

/// The two lookup tables of the published recall, and its rule for indexing the second.
void run_caches(const GoldenValue& file, Checker& checker) {
  checker.note(
      "binary_cache: compared to 1e-9 of the value + 1e-12 of the first, the error of the lune form");
  checker.note(std::string("log_cap_cache: ") + kCapQuadratureNote);
  checker.each_case(file.at("cases"), [&](const GoldenValue& golden) { check_case(golden, checker); });
  if (file.has("index_rule")) {
    const GoldenValue rule = file.at("index_rule");
    const theory::OriginalCapTable table(2, 1, 0.0, rule.at("resolution").integer_between(2, kResolutionMax));
    const GoldenValue dots = rule.at("dot"), indices = rule.list("index", dots.size());
    size_t i = 0;
    checker.each_case(
        dots, [&](const GoldenValue& dot) { checker.equal(indices.at(i++), table.index(dot.number())); });
  }
}

} // namespace mneme::verify
