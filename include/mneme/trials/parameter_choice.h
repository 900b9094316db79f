// SPDX-License-Identifier: MIT

/// Chooses the parameters of memories from the patterns that they are to store.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "mneme/core/patterns.h"
#include "mneme/trials/memory_kinds.h"

namespace mneme::trials {

/// From this cosine on a real readout counts as the pattern itself, and two real patterns as one.
constexpr double kExactCosine = 0.999;

/// What the distances between stored patterns say about a memory that weights them by their distance from the cue.
struct RadiusChoice {
  int64_t hamming_radius = 0; ///< 1 .. size / 2
  double noise = 0;    ///< share of wrong bits up to which a pattern outweighs the others, mean over patterns
  double beta_min = 0; ///< the smallest beta with which softmax leaves 95 % of the patterns where they are
};

/// How patterns are weighted: by the circle intersection with the cue, or all equally that lie within the radius.
enum class RadiusWeights { circle_intersection, equal };

/// The radius with which stored patterns are recalled from the most noise.
///
/// A pattern is recalled from a cue at distance e if its weight exceeds the sum of those of all other patterns, whose distances from the cue are taken as e + v - 2 e v / n, v being those from the pattern.
/// The radius maximises the noise e / n up to which this holds, averaged over at most 100 patterns drawn from `seed`.
/// Noise counts up to 40 % of the bits, on real patterns up to 50 %: with pictures on black ground a share of wrong
/// pixels turns them further, since their mean is subtracted. Among equals the smallest radius is taken. Patterns
/// that coincide do not compete; one that is not recalled exactly from itself tolerates no noise.
///
/// Types   real patterns have length 1 or 0; their distance is n (1 - cosine) / 2
/// Errors  UsageError if there is no pattern, or patterns have fewer than 4 components
/// Cost    O(min(m, 100) m n) for distances, and some 20 radii of O(n^2 log n) per sampled pattern at most, n being at
///         most 4096 there
RadiusChoice choose_radius(const BitPatterns& stored, uint64_t seed,
                           RadiusWeights weights = RadiusWeights::circle_intersection);
RadiusChoice choose_radius(const RealPatterns& stored, uint64_t seed,
                           RadiusWeights weights = RadiusWeights::circle_intersection);

/// Radius and encoding of a memory with finitely many random hard locations.
struct LocationChoice {
  int64_t hamming_radius = 0; ///< in bits of an address
  int64_t encoded_bits =
      0;                  ///< bits of an address where patterns are encoded (`BitEncoding`); 0: they are not
  double right_share = 0; ///< expected share of right bits after one read from cues with 10 % noise
};

/// The choice with the largest expected share of right bits after one read from cues with 10 % noise.
///
/// Formula  a bit of pattern i is right with probability Phi((f - 1/2) / s): f = sum_j lambda(v_j) x_i x_j is the mean
///          of the sum of counters towards the stored bit, s^2 = sum_j lambda(v_j) its variance, x = -1 or +1 the bit
///          of pattern j, and lambda(v_j) the expected number of hard locations shared at the distance v_j between
///          cue and pattern j
/// Units    at most 32 cues, 1024 patterns and 1024 bits of each are drawn from `seed`; of more patterns each counts
///          for several
/// Errors   as `choose_radius`, and unless hard_locations >= 1
LocationChoice choose_locations(const BitPatterns& stored, double hard_locations, uint64_t seed);

/// What a user chooses; what is absent is chosen from the patterns.
struct ParameterChoices {
  std::optional<int64_t> hamming_radius = {}; ///< of every memory that has one; no patterns are encoded then
  /// Of every memory that has one, for its scores as they are. Absent: fitted to the Hamming radius in the published
  /// convention, but at least RadiusChoice::beta_min, and divided by how much the score changes with the cosine; or
  /// 1 / sqrt(size) (Transformer attention).
  std::optional<double> beta = {};
  std::optional<double> alpha = {}; ///< of alpha-entmax, in (1, 2]; absent: that of kSimplexSeparations
  /// Of every memory that has one, > 0. Absent: the fitted beta, rounded up, since (1 - x)^beta <= exp(-beta x); or 3
  /// (dense associative memory).
  std::optional<double> degree = {};
  int64_t hard_locations = 100000; ///< of neuron-based SDM
  int64_t update_steps_max = 10;
};

/// Errors  UsageError for patterns of fewer than 4 components, a radius outside 2 .. size - 1, or another number that
///         is out of its range
void require_valid(const ParameterChoices& choices, int64_t size);

/// Parameters of the memories of a sweep. What several memories share is computed once.
class ParameterChooser {
public:
  /// The patterns as bits and as real patterns of length 1; both must live as long as the chooser.
  ///
  /// Errors  as `require_valid`, and UsageError if there is no pattern
  ParameterChooser(const BitPatterns& bits, const RealPatterns& reals, const ParameterChoices& choices,
                   uint64_t seed);

  MemoryParameters parameters_for(const MemoryKind& kind);

private:
  const RadiusChoice& radius(bool on_bits, RadiusWeights weights);
  MemorySetting fitted_beta(const MemoryKind& kind, int64_t hamming_radius);
  double score_per_cosine(const MemoryKind& kind) const;
  const LocationChoice& locations(double hard_locations);

  const BitPatterns& bits_;
  const RealPatterns& reals_;
  ParameterChoices choices_;
  uint64_t seed_;
  std::map<std::pair<bool, RadiusWeights>, RadiusChoice> radii_; ///< by whether patterns are bits
  std::map<double, LocationChoice> locations_;                   ///< by the number of hard locations
};

} // namespace mneme::trials
