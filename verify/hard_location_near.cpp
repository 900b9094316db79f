// SPDX-License-Identifier: MIT

#include "mneme/theory/hard_location_near.h"

#include "verify/published_precision.h"
#include "verify/registry.h"

namespace mneme::verify {

/// Probability that a hard location is near, by the published rule and exactly.
void run_hard_location_near(const GoldenValue& file, Checker& checker) {
  checker.note("prob: compared to 1e-9 of the value + 1.2e-16, the rounding error of 1 - exp(-x) in doubles");
  checker.each_case(file.at("cases"), [&](const GoldenValue& golden) {
    const int64_t bits = golden.at("n").integer_between(1, kGoldenBitsMax);
    const double hard_locations = golden.at("r").count();
    const GoldenValue radii = golden.at("d");
    const size_t size = radii.size();
    const GoldenValue expected = golden.list("expected_count", size), published = golden.list("prob", size),
                      exact = golden.list("prob_exact_binomial", size);
    for (size_t i = 0; i < size; ++i) {
      const int64_t radius = radii.at(i).integer_between(0, bits);
      const auto near = theory::published_hard_location_near(bits, hard_locations, radius);
      checker.near_relative(expected.at(i), near.expected, 1e-9);
      checker.near(published.at(i), near.probability, 1e-9 * near.probability + kOneMinusError);
      checker.near_relative(exact.at(i),
                            theory::probability_of_hard_location_near(bits, hard_locations, radius), 1e-10);
    }
    checker.near_relative(golden.at("d_first_neuron"),
                          theory::published_nearest_hard_location(bits, hard_locations), 1e-10);
  });
}

} // namespace mneme::verify
