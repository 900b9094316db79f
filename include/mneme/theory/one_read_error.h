// SPDX-License-Identifier: MIT

/// How many bits are wrong after one read of a sparse distributed memory: corrected formulas, which full-size
/// simulations confirm.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mneme/theory/sdm_parameters.h"

namespace mneme::theory {

/// What the stored patterns are written with.
enum class Storage {
  autoassociative,  ///< themselves: then the noise leans towards the cue's own bits
  heteroassociative ///< unrelated data
};

/// One read from a cue that differs from its stored address in some bits.
struct OneRead {
  double signal = 0; ///< lambda, the hard locations shared with the stored address
  double bias = 0;   ///< B, what other patterns add in favour of the cue's bits; 0 for unrelated data
  double noise_deviation = 0; ///< sigma
  double wrong_bits = 0;      ///< g, expected
};

/// For cues that differ in D = 0 .. bits bits: bits + 1 entries.
///
/// Formula g(D) = (n-D) Phi(-(lambda(D) + B) / sigma) + D Phi(-(lambda(D) - B) / sigma), with
///         sigma^2 = lambda(D) + (m-1) (E lambda + E lambda^2) and B = (m-1) E lambda(V) (1 - 2 V / n), means
///         over the distance V of random patterns (`shared_locations.h`). The published formulas put all
///         others at n / 2 and leave B out, and so miss simulated critical distances by up to 40 bits
/// Accuracy as a prediction 1 to 3 % low beyond D = 0.14 n at 1000 bits, 10^6 locations, 10^4 patterns; the
///         normal distribution needs some tens of shared locations
/// Errors  UsageError as `SdmParameters` says
/// Cost    O(n)
std::vector<OneRead> one_reads(const SdmParameters& parameters, Storage storage = Storage::autoassociative);

/// Expected shares of wrong bits after one read from each of these distances, in small memories too: g(D),
/// averaged over the number of hard locations that a cue reaches, with the covariances and the fourth cumulant
/// that g leaves out. A read that reaches nothing keeps the cue.
///
/// Accuracy as a prediction: within 6 % of simulations with 10 to 10 000 patterns of 64 to 1000 bits, where g
///         errs by up to 25 % (docs/theory/one_read_error.md)
/// Errors  UsageError as `SdmParameters` says, and for more than 1e30 locations or patterns, or a distance
///         outside 0 .. bits
/// Cost    O(n), and some tens of microseconds per distance
std::vector<double> wrong_shares_after_read(const SdmParameters& parameters,
                                            std::span<const int64_t> distances,
                                            Storage storage = Storage::autoassociative);

} // namespace mneme::theory
