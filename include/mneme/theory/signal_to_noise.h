// SPDX-License-Identifier: MIT

/// Signal and noise of one read, bit by bit: how far the sum of counters stands out of its fluctuations.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "mneme/theory/sdm_parameters.h"

namespace mneme::theory {

/// How the noise of the other patterns is reckoned. lambda(v) is the number of hard locations shared at
/// distance v (`shared_locations`).
enum class NoiseModel {
  averaged, ///< lambda(v) + (m-1) (E lambda + E lambda^2), means over the distance of random patterns
  jaeckel,  ///< lambda(v) + (m-1) (lambda(u) + lambda(u)^2), all others at one distance u: the published
            ///< "new" variance
  book      ///< p^2 r m (1 + h^2 r / (4 p^2 n)), h the density of `book_intersection.h` at 1/2: Kanerva's
};

struct SignalToNoiseOptions {
  NoiseModel noise = NoiseModel::averaged;
  /// Distance u of unrelated patterns in the model `jaeckel`, in bits. Default bits / 2, rounded down.
  std::optional<int64_t> unrelated_distance = {};
  /// Takes the signal from the book's continuous form instead of the exact circle intersection.
  bool book_intersection = false;
};

/// One bit of one read. The ratio of 0 to 0 counts as 0: where nothing is shared nothing is said.
struct SignalToNoise {
  double signal = 0;          ///< mean of the sum of counters, in the direction of the stored bit
  double noise_deviation = 0; ///< its standard deviation
  double ratio = 0;
};

/// For reads from 0 .. bits bits away: bits + 1 entries.
///
/// Errors  UsageError as `SdmParameters` says; an unrelated_distance outside 0 .. bits
/// Cost    O(n)
/// Source  Jaeckel 1989; Kanerva 1988, chapter 7; Bricken & Pehlevan 2021, appendix B
std::vector<SignalToNoise> signal_to_noise(const SdmParameters& parameters,
                                           const SignalToNoiseOptions& options = {});

} // namespace mneme::theory
