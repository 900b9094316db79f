// SPDX-License-Identifier: MIT

#include "mneme/theory/signal_to_noise.h"

#include <cmath>
#include <limits>

#include "mneme/theory/book_intersection.h"
#include "mneme/theory/space_fraction.h"
#include "verify/lune_error.h"
#include "verify/published_precision.h"
#include "verify/registry.h"

namespace mneme::verify {
namespace {

void check_case(const GoldenValue& golden, Checker& checker) {
  const int64_t bits = golden.at("n").integer_between(2, kGoldenBitsMax);
  const theory::SdmParameters parameters{.bits = bits,
                                         .hard_locations = golden.at("r").count(),
                                         .hamming_radius = golden.at("hamm_radius").integer_between(0, bits),
                                         .patterns = golden.at("m").count()};
  const GoldenValue distances = golden.at("dv");
  const size_t size = distances.size();
  if (size == 0) {
    distances.fail("at least one distance");
  }
  const std::vector<theory::SignalToNoise> jaeckel = theory::signal_to_noise(
      parameters, {.noise = theory::NoiseModel::jaeckel,
                   .unrelated_distance = distances.at(size - 1).integer_between(0, bits)});
  const std::vector<theory::SignalToNoise> book =
      theory::signal_to_noise(parameters, {.noise = theory::NoiseModel::book});

  const double unrelated = jaeckel[static_cast<size_t>(distances.at(size - 1).integer())].signal;
  const LuneError lune(jaeckel, unrelated, parameters.patterns);
  const auto near = [&](const char* key, size_t i, double ours, double error) {
    checker.near(golden.list(key, size).at(i), ours, 1e-9 * std::abs(ours) + error);
  };
  for (size_t i = 0; i < size; ++i) {
    const auto v = static_cast<size_t>(distances.at(i).integer_between(0, bits));
    const theory::SignalToNoise& read = jaeckel[v];
    near("expected_signal", i, read.signal, lune.of_signal());
    near("sigma_new", i, read.noise_deviation, lune.of_deviation(read));
    const bool vanishes = read.noise_deviation == 0; // 0 / 0 in the published code
    near("snr_new", i, vanishes ? std::numeric_limits<double>::quiet_NaN() : read.ratio, lune.of_ratio(read));
    near("snr_old", i, book[v].ratio, lune.of_signal() / book[v].noise_deviation);
  }
  checker.near_relative(golden.at("sigma_old"), book[0].noise_deviation, 1e-9);
  checker.near_relative(golden.at("p"), theory::space_fraction(bits, parameters.hamming_radius), 1e-10);
  checker.near_relative(golden.at("h"),
                        -theory::book_intersection_density(bits, parameters.hamming_radius, 0.5), 1e-10);
  const auto n = static_cast<double>(bits);
  checker.near_relative(golden.at("c_p"),
                        (static_cast<double>(parameters.hamming_radius) - n / 2) / std::sqrt(n / 4), 1e-12);
}

} // namespace

/// Signal, and noise by the two published variances.
void run_signal_to_noise(const GoldenValue& file, Checker& checker) {
  checker.note(kLuneSignalNote);
  checker.each_case(file.at("cases"), [&](const GoldenValue& golden) { check_case(golden, checker); });
}

} // namespace mneme::verify
