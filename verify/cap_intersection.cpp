// SPDX-License-Identifier: MIT

#include "mneme/theory/cap_intersection.h"

#include <cmath>
#include <numbers>

#include "mneme/theory/original_cap_table.h"
#include "verify/published_precision.h"
#include "verify/registry.h"

namespace mneme::verify {

/// Cap intersections at some cosines: the published numbers, and the exact fraction of the sphere.
void run_cap_intersection(const GoldenValue& file, Checker& checker) {
  checker.note(std::string("log_expected_original: ") + kCapQuadratureNote);
  checker.note(
      "log_fraction_of_sphere_true: compared to 1e-10 in the log; at cosines within 1e-12 of 1, any value "
      "between this build's and that of cosine 1 passes, since the file does not resolve the angle there");
  checker.note(
      "hypersphere volume_original: a formula that is known to be wrong and is not used, not compared");
  checker.each_case(file.at("cases"), [&](const GoldenValue& golden) {
    const int64_t bits = golden.at("n").integer_between(2, kGoldenBitsMax);
    const int64_t radius = golden.at("hamm_radius").integer_between(0, bits);
    const std::optional<double> log_hard_locations = golden.at("r").log_count();
    const GoldenValue cosines = golden.at("cos");
    const size_t size = cosines.size();
    const GoldenValue originals = golden.list("log_expected_original", size);
    const double log_factor =
        theory::kOriginalCapLogOffset +
        (log_hard_locations ? *log_hard_locations : theory::log_sphere_area(bits) + 40 * std::numbers::ln10);
    for (size_t i = 0; i < size; ++i) {
      const double cosine = cosines.at(i).number();
      const double log = theory::log_cap_intersection(bits, radius, cosine);
      checker.near(originals.at(i), std::isfinite(log) ? log + log_factor : -1e30,
                   cap_quadrature_error(bits));
      if (golden.has("log_fraction_of_sphere_true")) {
        constexpr double kUnresolved = 1e-12;
        const double unresolved = 1 - cosine < kUnresolved ? theory::log_cap_fraction(bits, radius) - log : 0;
        checker.near(golden.list("log_fraction_of_sphere_true", size).at(i), log, 1e-10 + unresolved);
      }
    }
    if (golden.has("log_cap_fraction_closed_form")) {
      checker.near(golden.at("log_cap_fraction_closed_form"), theory::log_cap_fraction(bits, radius), 1e-10);
    }
  });
  if (file.has("hypersphere")) {
    checker.each_case(file.at("hypersphere"), [&](const GoldenValue& golden) {
      const int64_t bits = golden.at("n").integer_between(1, kGoldenBitsMax);
      checker.near_relative(golden.at("log_surface_area"), theory::log_sphere_area(bits), 1e-12);
    });
  }
}

} // namespace mneme::verify
