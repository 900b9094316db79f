// SPDX-License-Identifier: MIT

#include "mneme/theory/exponential_bounds.h"

#include <cmath>
#include <numbers>

#include "mneme/theory/original_circle_intersection.h"
#include "verify/published_precision.h"
#include "verify/registry.h"

namespace mneme::verify {

/// The published exponential forms with the published number of terms, as fractions of the space.
void run_exponential_bounds(const GoldenValue& file, Checker& checker) {
  checker.note("lower and upper forms: compared to 1e-9 + an absolute error of 3e-23 in their exponential, "
               "which the published numbers have");
  checker.note("circle_intersection: the lune form, compared to 1e-9 of the value + 1e-12 of I(0)");
  checker.each_case(file.at("cases"), [&](const GoldenValue& golden) {
    const int64_t bits = golden.at("n").integer_between(2, kGoldenBitsMax);
    const int64_t radius = golden.at("hamm_radius").integer_between(0, bits);
    if (golden.at("r").integer() != 1) {
      golden.at("r").fail("1");
    }
    const GoldenValue distances = golden.at("dv");
    const size_t size = distances.size();
    const auto golden_at = [&](const char* key, size_t i) { return golden.list(key, size).at(i); };
    const double whole = theory::original_interpretable_intersection(bits, radius, 0, {});
    for (size_t i = 0; i < size; ++i) {
      const int64_t distance = distances.at(i).integer_between(1, bits - 1);
      const theory::PublishedExponentials forms =
          theory::published_exponentials(bits, radius, distance, theory::TermCount::published);
      const auto v = static_cast<double>(distance);
      const double constant =
          2 / (std::numbers::pi * std::sqrt(v * static_cast<double>(bits - distance))); // K(v)
      const auto near = [&](const char* key, double log, double factor) {
        const double ours = std::exp(log);
        checker.near(golden_at(key, i), ours, 1e-9 * ours + kExponentialError * factor);
      };
      const double terms = static_cast<double>(forms.terms);
      near("largest_sum_floor_half", forms.log_first_term, 0);
      near("largest_sum_exact_half", forms.log_first_term_half, 0);
      near("normal_approx", forms.log_normal, 0);
      near("taylor_approx", forms.log_taylor_lower, 0);
      near("taylor_lower_const", forms.log_taylor_constant_lower, 0);
      near("taylor_upper_const", forms.log_taylor_constant_upper, 0);
      near("lower_bound", forms.log_lower, constant);
      near("upper_bound", forms.log_upper, constant * terms);
      near("taylor_lower_bound", forms.log_taylor_lower, constant);
      near("taylor_upper_bound", forms.log_taylor_upper, constant * terms);
      checker.equal(golden_at("num_sum_elements", i), forms.terms);
      const double intersection = theory::original_interpretable_intersection(bits, radius, distance, {});
      checker.near(golden_at("circle_intersection", i), intersection,
                   1e-9 * intersection + kLuneErrorOfWhole * whole);
    }
  });
}

} // namespace mneme::verify
