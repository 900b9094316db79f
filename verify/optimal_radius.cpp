// SPDX-License-Identifier: MIT

#include "mneme/theory/capacity.h"
#include "mneme/theory/space_fraction.h"
#include "verify/published_precision.h"
#include "verify/registry.h"

namespace mneme::verify {

/// Radii of maximum signal-to-noise ratio and of maximum capacity.
void run_optimal_radius(const GoldenValue& file, Checker& checker) {
  constexpr double kTolerance = 1e-10;
  checker.each_case(file.at("cases"), [&](const GoldenValue& golden) {
    const int64_t bits = golden.at("n").integer_between(1, kGoldenBitsMax);
    const double patterns = golden.at("m").count(), hard_locations = golden.at("r").count();
    checker.near_relative(golden.at("p_snr"),
                          theory::signal_to_noise_space_fraction(patterns, hard_locations), kTolerance);
    checker.equal(golden.at("d_snr"),
                  theory::hamming_radius_for_signal_to_noise(bits, patterns, hard_locations));

    const double z = theory::z_per_bit(bits);
    const double fraction = theory::capacity_space_fraction(hard_locations, z);
    checker.near_relative(golden.at("z_per_bit"), z, kTolerance);
    checker.near_relative(golden.at("p_mem"), fraction, kTolerance);
    checker.equal(golden.at("d_mem"), theory::hamming_radius_for_capacity(bits, hard_locations));
    checker.near_relative(golden.at("capacity_at_p_mem"), theory::capacity(fraction, hard_locations, z),
                          kTolerance);
    const GoldenValue fractions = golden.at("capacity_p"),
                      capacities = golden.list("capacity", fractions.size());
    for (size_t i = 0; i < fractions.size(); ++i) {
      checker.near_relative(capacities.at(i), theory::capacity(fractions.at(i).number(), hard_locations, z),
                            kTolerance);
    }
  });
}

} // namespace mneme::verify
