// SPDX-License-Identifier: MIT

#include "mneme/theory/original_circle_intersection.h"

#include <cmath>

#include "mneme/theory/weighted_intersection.h"
#include "verify/published_precision.h"
#include "verify/registry.h"

namespace mneme::verify {
namespace {

void check_case(const GoldenValue& golden, Checker& checker) {
  const int64_t bits = golden.at("n").integer_between(1, kGoldenBitsMax);
  const int64_t radius = golden.at("hamm_radius").integer_between(0, bits);
  const std::optional<double> log_hard_locations = golden.at("r").log_count();
  const GoldenValue distances = golden.at("dv");
  const GoldenValue lunes = golden.list("lune", distances.size()),
                    sums = golden.list("interpretable", distances.size());
  const double whole = theory::original_lune_intersection(bits, radius, 0, log_hard_locations);
  for (size_t i = 0; i < distances.size(); ++i) {
    const int64_t distance = distances.at(i).integer_between(0, bits);
    const double lune = theory::original_lune_intersection(bits, radius, distance, log_hard_locations);
    checker.near(lunes.at(i), lune, 1e-9 * lune + kLuneErrorOfWhole * whole);
    checker.near_relative(
        sums.at(i), theory::original_interpretable_intersection(bits, radius, distance, log_hard_locations),
        1e-9);
  }
}

theory::AddressWeight weight_of(const GoldenValue& name) {
  const std::string text = name.text();
  if (text != "Linear" && text != "Expo") {
    name.fail("\"Linear\" or \"Expo\"");
  }
  return text == "Linear" ? theory::AddressWeight::linear : theory::AddressWeight::exponential;
}

/// Weighted variants with 2^n hard locations, where intersections are counts of addresses.
void check_weighted(const GoldenValue& golden, Checker& checker) {
  const int64_t bits = golden.at("n").integer_between(1, kGoldenBitsMax);
  const int64_t radius = golden.at("hamm_radius").integer_between(0, bits);
  const theory::AddressWeight weight = weight_of(golden.at("weight_type"));
  if (golden.at("r_expr").text() != "2^n") {
    golden.at("r_expr").fail("\"2^n\"");
  }
  const GoldenValue distances = golden.at("dv"), sums = golden.list("interpretable", distances.size());
  for (size_t i = 0; i < distances.size(); ++i) {
    const int64_t distance = distances.at(i).integer_between(0, bits);
    checker.near_relative(sums.at(i),
                          std::exp(theory::log_weighted_intersection(bits, radius, distance, weight)), 1e-9);
  }
}

} // namespace

/// Both published forms with and without a given number of hard locations, and the weighted variants.
void run_original_circle_intersection(const GoldenValue& file, Checker& checker) {
  checker.note(
      "lune: its subtraction has an error of up to 1e-12 of I(0); compared to 1e-9 of the value + that");
  checker.each_case(file.at("cases"), [&](const GoldenValue& golden) { check_case(golden, checker); });
  checker.each_case(file.at("weighted"), [&](const GoldenValue& golden) { check_weighted(golden, checker); });
}

} // namespace mneme::verify
