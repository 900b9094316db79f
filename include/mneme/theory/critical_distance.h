// SPDX-License-Identifier: MIT

/// From how far away a cue is still recalled: where a read begins to lead away from the stored pattern
/// instead of towards it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mneme/theory/one_read_error.h"
#include "mneme/theory/sdm_parameters.h"
#include "mneme/theory/signal_to_noise.h"

namespace mneme::theory {

/// Where reads lead to the stored pattern.
struct CriticalDistance {
  /// The last distance from which a read still leads towards the stored pattern; 0 if none does.
  int64_t distance = 0;
  /// The first such distance: reads come this near, and no nearer. 0 with distance 0.
  int64_t first = 0;
};

/// For a curve of expected distances after one read, `after[v]` from distance v, v = 0 .. half of the bits.
///
/// A read helps at v >= 1 where after[v] < v. Distances of help begin at the first such v and end where two
/// in a row do not help: circle intersections are stairs two bits wide (I(2k-1) = I(2k)), and a single
/// distance at the foot of a stair ends nothing. Where they begin more than half way out there is no recall:
/// close to unrelated patterns any trace of the stored one helps, and what it leads to is noise.
/// Errors  UsageError for an empty curve, or a value that is negative, NaN or infinite
CriticalDistance critical_distance(std::span<const double> after);

/// The same for the corrected error of one read (`one_reads`).
///
/// It predicts the one-read crossing; repeated reads converge from somewhat less far: simulated at 1000 bits,
/// 10^6 locations, radius 451 and 10^4 patterns, 231 for one read, 205 for convergence.
/// Errors  UsageError as `SdmParameters` says
CriticalDistance critical_distance(const SdmParameters& parameters,
                                   Storage storage = Storage::autoassociative);

/// The published curve: n (1 - Phi(signal / noise)) at v = 0 .. n/2; NaN where both vanish, as published.
///
/// Errors  UsageError as `signal_to_noise`
std::vector<double> published_distances_after_read(const SdmParameters& parameters,
                                                   const SignalToNoiseOptions& options = {
                                                       .noise = NoiseModel::jaeckel});

struct PublishedCriticalDistance {
  int64_t distance = 0;
  bool forced_to_zero = false; ///< a read from half that distance leads away
};

/// The published rule for such a curve, odd cases included. e(v) = after[v] - v:
/// - no e(v) reaches 0.01: the last distance; or, with more than one NaN, as many as there are other values;
/// - else one less than the first v >= 5 with e(v) > 0; 4 if there is none;
/// - where after[v] > v at half of that, rounded down: 0.
///
/// For small radii this is the first distance without any shared location, 2 d + 1, not a crossing.
/// Errors  UsageError for an empty curve, or a value that is negative or infinite
/// Source  a later code of the authors of Bricken & Pehlevan 2021; it gives the figures of the paper
PublishedCriticalDistance published_critical_distance(std::span<const double> after);

} // namespace mneme::theory
