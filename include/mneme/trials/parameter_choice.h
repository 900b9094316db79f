// SPDX-License-Identifier: MIT

/// Choice of the parameters of memories from the patterns to be stored.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "mneme/core/patterns.h"
#include "mneme/trials/memory_kinds.h"

namespace mneme::trials {

/// Minimum cosine at which a real readout counts as equal to a pattern, and two real patterns as equal.
constexpr double kExactCosine = 0.999;

/// Radius and minimum beta for memories that weight stored patterns by their distance from the cue.
struct RadiusChoice {
  int64_t hamming_radius = 0; ///< 1 .. size / 2
  double noise = 0;    ///< maximum noise (fraction of wrong bits) that is tolerated, mean over patterns
  double beta_min = 0; ///< minimum beta at which the first softmax update keeps 99 % of the patterns
};

/// Weights of patterns: the circle intersection with the cue, or equal weights for all patterns within the
/// radius.
enum class RadiusWeights { circle_intersection, equal };

/// Chooses the radius at which stored patterns tolerate the most noise.
///
/// A pattern is recalled from a cue at distance e if its weight exceeds the sum of the weights of all other
/// patterns. The distance of another pattern from the cue is estimated as e + v - 2 e v / n, where v is its
/// distance from the pattern. The radius maximises the noise e / n up to which this condition holds, averaged
/// over at most 100 patterns drawn with `seed`. Noise is limited to 40 % of the bits, and to 50 % for real
/// patterns: in images with a black background a fraction of wrong pixels rotates a pattern further, because
/// the mean is subtracted. Patterns that coincide do not compete; a pattern that is not recalled exactly from
/// itself tolerates no noise.
///
/// Where patterns are far from each other, a range of radii reaches the maximum. With circle intersections,
/// the middle of those that tolerate 99 % of it is chosen, because with the smallest one, cues with slightly
/// more noise read nothing; with equal weights, the smallest one.
///
/// The distances of other patterns vary around these means, so that at high noise fewer cues are recalled
/// than `noise` suggests.
///
/// Types   real patterns have length 1 or 0; their distance is n (1 - cosine) / 2
/// Errors  UsageError if there is no pattern, or patterns have fewer than 4 components
/// Cost    for m patterns O(min(m, 100) m n) for distances, and about 40 radii of at most O(n^2 log n) per
///         sampled pattern, with n limited to 4096
RadiusChoice choose_radius(const BitPatterns& stored, uint64_t seed,
                           RadiusWeights weights = RadiusWeights::circle_intersection);
RadiusChoice choose_radius(const RealPatterns& stored, uint64_t seed,
                           RadiusWeights weights = RadiusWeights::circle_intersection);

/// Activation rule of hard locations: all bits are compared with a random address, or selected coordinates
/// with random values or ones (NeuronSdmOptions).
enum class LocationDesign { hamming_radius, selected_coordinates, hyperplane };

/// Activation and encoding of a memory with a finite number of random hard locations.
struct LocationChoice {
  int64_t hamming_radius = 0;       ///< in bits of an address; 0 with selected coordinates
  int64_t selected_coordinates = 0; ///< 0: all bits are compared
  int64_t encoded_bits = 0;         ///< bits of an encoded address (`BitEncoding`); 0: no encoding
  /// Expected fraction of correct bits after one read from cues with 10 % noise.
  double expected_accuracy = 0;
};

/// Chooses the radius, or the number of selected coordinates, and the encoding with the maximum expected
/// accuracy. The hyperplane design is not combined with an encoding, which has as many ones as zeros.
///
/// Formula  a bit of pattern i is correct with probability Phi((f - 1/2) / s): f = sum_j lambda(v_j) x_i x_j
///          is the mean of the sum of counters towards the stored bit, s^2 = sum_j lambda(v_j) its variance,
///          x = -1 or +1 the bit of pattern j, and lambda(v_j) the expected number of hard locations shared
///          at the distance v_j between cue and pattern j (hyperplane design: by their common ones)
/// Units    at most 32 cues, 1024 patterns and 1024 bits of each are sampled with `seed`; sampled patterns
///          are weighted by the number of patterns that each represents
/// Errors   as `choose_radius`, and unless hard_locations >= 1
LocationChoice choose_locations(const BitPatterns& stored, double hard_locations, uint64_t seed,
                                LocationDesign design = LocationDesign::hamming_radius);

/// Parameters given by the user; absent ones are chosen from the patterns.
struct ParameterChoices {
  /// For all memories that use a radius; beta is fitted to 2 if it is 1. Disables the encoding of patterns.
  std::optional<int64_t> hamming_radius = {};
  /// For all memories that use beta; multiplies the unscaled scores. Default: fitted to the Hamming radius in
  /// the published convention, but at least RadiusChoice::beta_min (for real patterns 5 times that if there
  /// is one update, 3.3 times if readouts are averages, which become shorter, and otherwise increased until
  /// repeated updates keep 99 % of sampled patterns), and divided by the derivative of the score with respect
  /// to the cosine; 1 / sqrt(size) for Transformer attention.
  std::optional<double> beta = {};
  std::optional<double> alpha = {}; ///< of alpha-entmax, in (1, 2]; default: that of kSimplexSeparations
  /// For all memories that use a degree, > 0. Default: the fitted beta, rounded up, because
  /// (1 - x)^beta <= exp(-beta x).
  std::optional<double> degree = {};
  int64_t hard_locations = 100000; ///< of neuron-based SDM
  /// Of neuron-based SDM with selected coordinates. Disables its encoding of patterns.
  std::optional<int64_t> selected_coordinates = {};
  int64_t update_steps_max = 10;
};

/// Errors  UsageError for patterns of fewer than 4 components, a radius outside 1 .. size - 1, more selected
///         coordinates than components, or another parameter out of range
void require_valid(const ParameterChoices& choices, int64_t size);

/// Chooses the parameters of the memories of a sweep. Results that several memories need are computed once.
class ParameterChooser {
public:
  /// `bits` and `reals` are the patterns as bits and as real patterns of length 1; both must outlive the
  /// chooser.
  ///
  /// Errors  as `require_valid`, and UsageError if there is no pattern
  ParameterChooser(const BitPatterns& bits, const RealPatterns& reals, const ParameterChoices& choices,
                   uint64_t seed);

  MemoryParameters parameters_for(const MemoryKind& kind);

private:
  const RadiusChoice& radius(bool on_bits, RadiusWeights weights);
  MemorySetting fitted_beta(const MemoryKind& kind, int64_t& hamming_radius);
  double score_per_cosine(const MemoryKind& kind) const;
  const LocationChoice& locations(double hard_locations, LocationDesign design);

  const BitPatterns& bits_;
  const RealPatterns& reals_;
  ParameterChoices choices_;
  uint64_t seed_;
  std::map<std::pair<bool, RadiusWeights>, RadiusChoice> radii_;          ///< key: patterns are bits, weights
  std::map<std::pair<double, LocationDesign>, LocationChoice> locations_; ///< key: number of hard locations
};

} // namespace mneme::trials
