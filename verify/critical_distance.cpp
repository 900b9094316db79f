// SPDX-License-Identifier: MIT

#include "mneme/theory/critical_distance.h"

#include <cmath>

#include "verify/lune_error.h"
#include "verify/published_precision.h"
#include "verify/registry.h"

namespace mneme::verify {
namespace {

void check_case(const GoldenValue& golden, Checker& checker) {
  const int64_t bits = golden.at("n").integer_between(1, kGoldenBitsMax);
  const theory::SdmParameters parameters{.bits = bits,
                                         .hard_locations = golden.at("r").count(),
                                         .hamming_radius = golden.at("hamm_radius").integer_between(0, bits),
                                         .patterns = golden.at("m").count()};
  if (golden.at("step").integer() != 1) {
    golden.at("step").fail("1");
  }
  const std::vector<theory::SignalToNoise> reads =
      theory::signal_to_noise(parameters, {.noise = theory::NoiseModel::jaeckel});
  const std::vector<double> after = theory::published_distances_after_read(parameters);
  const theory::PublishedCriticalDistance published = theory::published_critical_distance(after);
  checker.equal(golden.at("critical_distance"), published.distance);
  checker.equal_boolean(golden.at("forced_to_zero"), published.forced_to_zero);

  const LuneError lune(reads, reads[static_cast<size_t>(bits / 2)].signal, parameters.patterns);
  const GoldenValue distances = golden.at("dv"), ratios = golden.list("snr", distances.size()),
                    curve = golden.list("new_distance", distances.size());
  for (size_t i = 0; i < distances.size(); ++i) {
    const auto v = static_cast<size_t>(distances.at(i).integer_between(0, bits / 2));
    const double ratio = std::isnan(after[v]) ? after[v] : reads[v].ratio;
    const double ratio_error = lune.of_ratio(reads[v]);
    checker.near(ratios.at(i), ratio, 1e-9 * ratio + ratio_error);
    // Phi changes by at most 0.4 per unit; 1 - Phi has a rounding error where Phi is near 1.
    checker.near(curve.at(i), after[v],
                 1e-9 * after[v] + static_cast<double>(bits) * (0.4 * ratio_error + kOneMinusError));
  }
}

} // namespace

/// The published curve of distances after one read, and the published rule for the distance from which reads
/// no longer help.
void run_critical_distance(const GoldenValue& file, Checker& checker) {
  checker.note(kLuneSignalNote);
  checker.note(
      "new_distance: 1.2e-16 n is allowed in addition, the rounding error of n (1 - Phi) in doubles");
  checker.each_case(file.at("cases"), [&](const GoldenValue& golden) { check_case(golden, checker); });
}

} // namespace mneme::verify
