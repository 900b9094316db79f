// SPDX-License-Identifier: MIT

#include <numbers>

#include "mneme/theory/beta_fit.h"
#include "mneme/theory/circle_intersection.h"
#include "mneme/theory/space_fraction.h"
#include "verify/published_precision.h"
#include "verify/registry.h"

namespace mneme::verify {

/// Beta as a function of the radius, fitted to the interpretable form from distance 1 on, with 2^64 hard
/// locations.
void run_beta_vs_d(const GoldenValue& file, Checker& checker) {
  checker.each_case(file.at("cases"), [&](const GoldenValue& golden) {
    const int64_t bits = golden.at("n").integer_between(2, kGoldenBitsMax);
    const int64_t radius = golden.at("hamm_radius").integer_between(0, bits);
    const int64_t first = golden.at("dv_first").integer_between(0, bits);
    const int64_t last = golden.at("dv_last").integer_between(first, bits);
    const std::vector<double> counts = theory::log_circle_intersections(bits, radius);
    std::vector<double> cosines, logs;
    for (int64_t distance = first; distance <= last; ++distance) {
      cosines.push_back(theory::hamming_to_cosine(bits, distance));
      logs.push_back(counts[static_cast<size_t>(distance)] +
                     static_cast<double>(64 - bits) * std::numbers::ln2);
    }
    const theory::BetaFit fit = theory::fit_beta_log_regression(cosines, logs);
    checker.equal(golden.at("n_points"), fit.points);
    checker.near_relative(golden.at("beta"), fit.beta, 1e-9);
    checker.near_relative(golden.at("bias"), fit.bias, 1e-9);
  });
}

} // namespace mneme::verify
