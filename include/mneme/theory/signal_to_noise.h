// SPDX-License-Identifier: MIT

/// Signal and noise of the sum of counters of one bit, in one read of a sparse distributed memory.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "mneme/theory/sdm_parameters.h"

namespace mneme::theory {

/// Variance of the noise from the other patterns. lambda(v) is the number of hard locations shared at
/// distance v (`shared_locations`).
enum class NoiseModel {
  averaged, ///< lambda(v) + (m-1) (E lambda + E lambda^2), means over the distance of random patterns
  jaeckel,  ///< lambda(v) + (m-1) (lambda(u) + lambda(u)^2), all others at the same distance u: the published
            ///< "new" variance
  book      ///< Kanerva's: p^2 r m (1 + h^2 r / (4 p^2 n)), h the density of `book_intersection.h` at 1/2
};

struct SignalToNoiseOptions {
  NoiseModel noise = NoiseModel::averaged;
  /// Distance u of unrelated patterns in the model `jaeckel`, in bits. Default: bits / 2, rounded down.
  std::optional<int64_t> unrelated_distance = {};
  /// True: signal by the book's continuous form instead of the exact circle intersection.
  bool book_intersection = false;
};

/// Statistics of one bit in one read. The ratio 0 / 0, where no location is shared, is defined as 0.
struct SignalToNoise {
  double signal = 0;          ///< mean of the sum of counters, positive towards the stored bit
  double noise_deviation = 0; ///< its standard deviation
  double ratio = 0;
};

/// Signal and noise of reads at the distances 0 .. bits: bits + 1 entries.
///
/// Errors  UsageError for invalid `SdmParameters`, or an unrelated_distance outside 0 .. bits
/// Cost    O(n)
/// Source  Jaeckel 1989; Kanerva 1988, chapter 7; Bricken & Pehlevan 2021, appendix B
std::vector<SignalToNoise> signal_to_noise(const SdmParameters& parameters,
                                           const SignalToNoiseOptions& options = {});

/// The Hamming radius with the largest ratio of a read at the stored address, with averaged noise; the
/// smallest one, if several have it. `parameters.hamming_radius` has no effect. The published closed form,
/// hamming_radius_for_signal_to_noise, neglects parts of the noise and rounds a continuous optimum up, and is
/// often larger by one bit.
///
/// Errors  as above
/// Cost    O(n) for each of a few radii around that of the closed form
int64_t best_hamming_radius_for_signal_to_noise(const SdmParameters& parameters);

} // namespace mneme::theory
