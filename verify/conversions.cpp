// SPDX-License-Identifier: MIT

#include "mneme/theory/space_fraction.h"
#include "verify/published_precision.h"
#include "verify/registry.h"

namespace mneme::verify {

/// Conversions between radius and fraction of the space, and between Hamming distance and cosine.
void run_conversions(const GoldenValue& file, Checker& checker) {
  checker.each_case(file.at("cases"), [&](const GoldenValue& golden) {
    const int64_t bits = golden.at("n").integer_between(1, kGoldenBitsMax);
    const GoldenValue fractions = golden.at("p"), radii_of = golden.list("d_of_p", fractions.size());
    for (size_t i = 0; i < fractions.size(); ++i) {
      checker.equal(radii_of.at(i),
                    theory::hamming_radius_for_space_fraction(bits, fractions.at(i).number()));
    }
    const GoldenValue radii = golden.at("d"), fractions_of = golden.list("p_of_d", radii.size());
    for (size_t i = 0; i < radii.size(); ++i) {
      checker.near_relative(fractions_of.at(i), theory::space_fraction(bits, radii.at(i).integer()), 1e-10);
    }
  });
  checker.each_case(file.at("cosine_hamming"), [&](const GoldenValue& golden) {
    const int64_t bits = golden.at("n").integer_between(1, kGoldenBitsMax);
    const GoldenValue distances = golden.at("hamming"), cosines_of = golden.list("cosine", distances.size());
    for (size_t i = 0; i < distances.size(); ++i) {
      checker.near(cosines_of.at(i), theory::hamming_to_cosine(bits, distances.at(i).integer()), 1e-15);
    }
    const GoldenValue cosines = golden.at("cosine_in"), floors = golden.list("hamming_floor", cosines.size());
    for (size_t i = 0; i < cosines.size(); ++i) {
      checker.equal(floors.at(i), theory::cosine_to_hamming(bits, cosines.at(i).number()));
    }
  });
}

} // namespace mneme::verify
