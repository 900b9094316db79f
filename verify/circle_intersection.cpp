// SPDX-License-Identifier: MIT

#include "mneme/theory/circle_intersection.h"

#include <cmath>
#include <numbers>

#include "verify/published_precision.h"
#include "verify/registry.h"

namespace mneme::verify {

/// Counts of addresses at some distances, exact and by the two published forms (with 2^n hard locations).
void run_circle_intersection(const GoldenValue& file, Checker& checker) {
  checker.note(
      "lune: its subtraction has an error of up to 1e-12 of I(0); compared to 1e-9 of the value + that");
  checker.each_case(file.at("cases"), [&](const GoldenValue& golden) {
    const int64_t bits = golden.at("n").integer_between(1, kGoldenBitsMax);
    const int64_t radius = golden.at("hamm_radius").integer_between(0, bits);
    if (golden.at("r_expr").text() != "2^n") {
      golden.at("r_expr").fail("\"2^n\"");
    }
    const GoldenValue distances = golden.at("dv");
    const size_t size = distances.size();
    const GoldenValue logs = golden.list("exact_log_count", size),
                      fractions = golden.list("exact_fraction", size), lunes = golden.list("lune", size),
                      sums = golden.list("interpretable", size);
    const std::vector<double> ours = theory::log_circle_intersections(bits, radius);
    for (size_t i = 0; i < size; ++i) {
      const int64_t distance = distances.at(i).integer_between(0, bits);
      const double log = ours[static_cast<size_t>(distance)];
      if (golden.has("exact_count")) {
        checker.equal(golden.list("exact_count", size).at(i),
                      theory::circle_intersection_count(bits, radius, distance));
      }
      constexpr double kLogOfOne = 1e-15; // where the count is 1, its log is 0
      checker.near(logs.at(i), log, 1e-12 * std::abs(log) + kLogOfOne);
      checker.near_relative(fractions.at(i), std::exp(log - static_cast<double>(bits) * std::numbers::ln2),
                            1e-10);
      const double count = std::exp(log);
      checker.near(lunes.at(i), count, 1e-9 * count + kLuneErrorOfWhole * std::exp(ours[0]));
      checker.near(sums.at(i), count, 1e-9 * count);
    }
  });
}

} // namespace mneme::verify
