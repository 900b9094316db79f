// SPDX-License-Identifier: MIT

#include "mneme/trials/parameter_choice.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/parallel.h"
#include "mneme/core/random.h"
#include "mneme/data/corruption.h"
#include "mneme/memory/attention.h"
#include "mneme/memory/bit_encoding.h"
#include "mneme/memory/similarity.h"
#include "mneme/theory/beta_fit.h"
#include "mneme/theory/circle_intersection.h"
#include "mneme/theory/selected_coordinates.h"
#include "mneme/theory/shared_locations.h"
#include "mneme/theory/space_fraction.h"

namespace mneme::trials {
namespace {

/// Purposes of random streams. The numbers are fixed, so that a seed gives the same results in every version.
enum class Purpose : uint64_t { patterns = 1, cues = 2, encoding = 3, others = 4, bits = 5 };

constexpr double kLocationsOfFit = 1e6; // changes only the bias of the fit, not beta
constexpr int64_t kRadiusOfFitMin = 2;  // a line fit needs two points
constexpr double kLocationsOfPatternSdm = 1e6;
/// Cosines of the cues that the first update must recall, on average: if it is the only one, and if later
/// ones start from an average.
constexpr double kCosineOfOnlyUpdate = 0.2, kCosineOfFirstUpdate = 0.3;
constexpr double kNoiseOfRead = 0.1; // noise level for which radius and encoding of hard locations are chosen
/// A radius is chosen among those that tolerate this fraction of the maximum noise.
constexpr double kNearlyMaximum = 0.99;
/// Noise up to which the choice of a radius is explained by a number: above it, the distances of other
/// patterns from a cue differ too much from their means.
constexpr double kNoiseReportedMax = 0.4;
/// Larger patterns are modelled with this many bits and the same relative distances, because the theory would
/// cost more than recall. The number of shared hard locations hardly depends on the number of bits. Circles
/// in fewer bits are less sharp, so the chosen radius is not too large.
constexpr int64_t kModelledBits = 4096;

Random random_for(uint64_t seed, Purpose purpose) {
  return Random(seed).stream(static_cast<uint64_t>(purpose));
}

/// All of 0 .. count - 1, or a random sample of `max` of them, in ascending order.
std::vector<int64_t> sample(int64_t count, int64_t max, Random random) {
  std::vector<int64_t> chosen(static_cast<size_t>(std::min(count, max)));
  if (count <= max) {
    std::iota(chosen.begin(), chosen.end(), 0);
  } else {
    chosen = random.distinct(max, count);
    std::ranges::sort(chosen);
  }
  return chosen;
}

void require_patterns(int64_t count, int64_t size) {
  if (count < 1 || size < 4) {
    throw UsageError(
        fmt::format("parameters cannot be chosen from {} patterns of {} components: at least 1 pattern of "
                    "at least 4 components is needed.",
                    count, size));
  }
}

/// Number of other patterns at each distance from one pattern, in bits; distances are in ascending order.
struct AtDistance {
  double distance, patterns;
};
using Neighbours = std::vector<AtDistance>;

/// Recall criterion of bits or of real patterns.
struct Criterion {
  double noise_max; ///< fraction of wrong bits to which noise is limited
  int64_t bins;     ///< number of histogram bins of distances, from 0 to all bits
  bool on_bits;

  /// Displacement of the readout from a pattern by another pattern with weight 1.
  double pull(double cosine) const { return on_bits ? 1 : std::sqrt(std::max(0.0, 1 - cosine * cosine)); }
  /// Maximum displacement at which a pattern is recalled exactly from itself: by majority, or with a cosine
  /// of 0.999.
  double pull_max() const { return on_bits ? 1 : std::sqrt(1 / (kExactCosine * kExactCosine) - 1); }
};

/// Neighbours of one sampled pattern among `count`, in patterns of `bits` bits. Patterns at distance 0
/// coincide with it and are not counted.
template <class DistanceTo>
Neighbours neighbours(int64_t count, int64_t bits, const Criterion& criterion, DistanceTo distance_to) {
  std::vector<double> patterns(static_cast<size_t>(criterion.bins) + 1, 0.0);
  for (int64_t j = 0; j < count; ++j) {
    if (const double distance = distance_to(j); distance > 0) {
      ++patterns[static_cast<size_t>(std::lround(distance * static_cast<double>(criterion.bins)))];
    }
  }
  Neighbours result;
  for (size_t bin = 0; bin < patterns.size(); ++bin) {
    if (patterns[bin] > 0) {
      result.push_back(
          {static_cast<double>(bin) / static_cast<double>(criterion.bins) * static_cast<double>(bits),
           patterns[bin]});
    }
  }
  return result;
}

/// Weight at each distance, relative to that at distance 0.
std::vector<double> weights_at(int64_t size, int64_t hamming_radius, RadiusWeights kind) {
  if (kind == RadiusWeights::equal) {
    std::vector<double> weights(static_cast<size_t>(size) + 1, 0.0);
    std::fill_n(weights.begin(), hamming_radius + 1, 1.0);
    return weights;
  }
  std::vector<double> weights = theory::log_circle_intersections(size, hamming_radius);
  const double log_max = weights[0];
  for (double& weight : weights) {
    weight = std::exp(weight - log_max);
  }
  return weights;
}

/// True if a cue at distance `cue` from its pattern gives this pattern more weight than all others together.
bool outweighs(const Neighbours& others, const std::vector<double>& weights, int64_t cue) {
  const double kept = 1 - 2 * static_cast<double>(cue) / static_cast<double>(weights.size() - 1);
  const double own = weights[static_cast<size_t>(cue)];
  double sum = 0;
  for (const auto& [distance, patterns] : others) {
    sum += patterns * weights[static_cast<size_t>(std::lround(static_cast<double>(cue) + kept * distance))];
    if (sum >= own) {
      return false;
    }
  }
  return own > 0;
}

/// True if a pattern is recalled from itself despite the others. weight_at(distance) is the weight of another
/// pattern, relative to that of the pattern itself.
template <class WeightAt>
bool is_recalled(const Neighbours& others, int64_t size, const Criterion& criterion, WeightAt weight_at) {
  double sum = 0;
  for (const auto& [distance, patterns] : others) {
    sum += patterns * weight_at(distance) * criterion.pull(1 - 2 * distance / static_cast<double>(size));
  }
  return sum < criterion.pull_max();
}

/// Maximum distance at which a pattern outweighs the others; 0 if there is none, or it is not recalled from
/// itself.
int64_t tolerated_distance(const Neighbours& others, const std::vector<double>& weights,
                           const Criterion& criterion) {
  const auto size = static_cast<int64_t>(weights.size()) - 1;
  int64_t holds = 0, fails = static_cast<int64_t>(criterion.noise_max * static_cast<double>(size)) + 1;
  if (!is_recalled(others, size, criterion,
                   [&](double distance) { return weights[static_cast<size_t>(std::lround(distance))]; })) {
    return 0;
  }
  while (fails - holds > 1) {
    const int64_t middle = holds + (fails - holds) / 2;
    (outweighs(others, weights, middle) ? holds : fails) = middle;
  }
  return holds;
}

/// Minimum beta at which softmax recalls 99 % of the patterns from themselves.
double min_beta(const std::vector<Neighbours>& patterns, int64_t size, const Criterion& criterion) {
  constexpr double kQuantile = 0.99, kBetaMax = 1e5, kAccuracy = 1e-3;
  std::vector<double> betas;
  for (const Neighbours& others : patterns) {
    const auto is_recalled_with = [&](double beta) {
      return is_recalled(others, size, criterion, [&](double distance) {
        return std::exp(-2 * beta * distance / static_cast<double>(size));
      });
    };
    double fails = 0, holds = is_recalled_with(0) ? 0 : kBetaMax;
    while (holds - fails > kAccuracy * holds) {
      const double middle = (fails + holds) / 2;
      (is_recalled_with(middle) ? holds : fails) = middle;
    }
    betas.push_back(holds);
  }
  const auto index =
      static_cast<std::ptrdiff_t>(std::ceil(kQuantile * static_cast<double>(betas.size()))) - 1;
  std::ranges::nth_element(betas, betas.begin() + index);
  return betas[static_cast<size_t>(index)];
}

/// Mean over the patterns of the maximum fraction of wrong bits at which they outweigh the others.
double tolerated_noise(const std::vector<Neighbours>& patterns, const std::vector<double>& weights,
                       const Criterion& criterion) {
  int64_t sum = 0;
  for (const Neighbours& others : patterns) {
    sum += tolerated_distance(others, weights, criterion);
  }
  return static_cast<double>(sum) /
         (static_cast<double>(patterns.size()) * static_cast<double>(weights.size() - 1));
}

/// The radius among first, first + step .. last with the maximum value (the smallest of equal ones), and its
/// value. The loop over radii is parallel, because the computation for one radius is too short to be parallel
/// itself.
std::pair<int64_t, double> find_best_radius(int64_t first, int64_t last, int64_t step,
                                            const std::function<double(int64_t radius)>& value_of) {
  std::vector<double> values(static_cast<size_t>((last - first) / step + 1));
  parallel_for(std::ssize(values), 1, [&](int64_t index, int64_t) {
    values[static_cast<size_t>(index)] = value_of(first + index * step);
  });
  const auto best = std::ranges::max_element(values);
  return {first + (best - values.begin()) * step, *best};
}

/// The middle of the good radii around a good one, which are found in steps of `step` and then of `fine`.
int64_t middle_of_good(int64_t first, int64_t good, int64_t last, int64_t step, int64_t fine,
                       const std::function<bool(int64_t radius)>& is_good) {
  std::array<int64_t, 2> ends{};
  parallel_for(2, 1, [&](int64_t side, int64_t) {
    const int64_t sign = side == 0 ? -1 : 1;
    int64_t end = good;
    for (int64_t width = step; width >= fine; width = width > fine ? std::max(fine, width / 2) : 0) {
      while (true) {
        const int64_t next = end + sign * width;
        if (next < first || next > last || !is_good(next)) {
          break;
        }
        end = next;
      }
    }
    ends[static_cast<size_t>(side)] = end;
  });
  return ends[0] + (ends[1] - ends[0]) / 2;
}

/// Chooses a radius. distances_from(patterns) returns a function distance(i, j) from the i-th of them to
/// pattern j: a fraction of all bits, where 0 means that two patterns coincide.
template <class DistancesFrom>
RadiusChoice choose_radius_by(int64_t count, int64_t size, const Criterion& criterion, uint64_t seed,
                              RadiusWeights weights, DistancesFrom distances_from) {
  require_patterns(count, size);
  constexpr size_t kSampled = 100, kPerBlock = 16;
  const int64_t bits = std::min(size, kModelledBits);
  const std::vector<int64_t> sampled = sample(count, kSampled, random_for(seed, Purpose::patterns));
  std::vector<Neighbours> patterns(sampled.size());
  for (size_t first = 0; first < sampled.size(); first += kPerBlock) {
    throw_if_interrupted();
    const std::vector<int64_t> block(
        sampled.begin() + static_cast<std::ptrdiff_t>(first),
        sampled.begin() + static_cast<std::ptrdiff_t>(std::min(first + kPerBlock, sampled.size())));
    const auto distance = distances_from(block);
    parallel_for(std::ssize(block), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        patterns[first + static_cast<size_t>(i)] =
            neighbours(count, bits, criterion, [&](int64_t j) { return distance(i, j); });
      }
    });
  }
  const auto noise_at = [&](int64_t radius) {
    return tolerated_noise(patterns, weights_at(bits, radius, weights), criterion);
  };
  // Circles of more than half of the bits contain most of the space and separate nothing.
  constexpr int64_t kSteps =
      12; // coarse grid, followed by a fine grid of the same size around the best radius
  const int64_t first = 1, last = bits / 2, step = std::max<int64_t>(1, (last - first) / kSteps);
  const int64_t near = find_best_radius(first, last, step, noise_at).first;
  const int64_t fine = std::max<int64_t>(1, 2 * step / kSteps);
  auto [radius, noise] =
      find_best_radius(std::max(first, near - step), std::min(last, near + step), fine, noise_at);
  if (weights == RadiusWeights::circle_intersection) {
    const double enough = kNearlyMaximum * noise;
    radius = middle_of_good(first, radius, last, step, fine,
                            [&](int64_t tried) { return noise_at(tried) >= enough; });
    noise = noise_at(radius);
  }
  return {std::llround(static_cast<double>(radius) / static_cast<double>(bits) * static_cast<double>(size)),
          noise, min_beta(patterns, bits, criterion)};
}

/// Model of the expected fraction of correct bits after one read.
class ReadModelOfPatterns {
public:
  ReadModelOfPatterns(const BitPatterns& stored, uint64_t seed) {
    constexpr int64_t kCues = 32, kPatterns = 1024, kBits = 1024;
    const std::vector<int64_t> chosen = sample(stored.count(), kPatterns, random_for(seed, Purpose::others));
    patterns_ = select(stored, chosen);
    own_ = sample(patterns_.count(), kCues, random_for(seed, Purpose::patterns));
    cues_ = data::flip_bits(select(patterns_, own_),
                            std::llround(kNoiseOfRead * static_cast<double>(stored.bits())),
                            random_for(seed, Purpose::cues));
    const std::vector<int64_t> sampled = sample(stored.bits(), kBits, random_for(seed, Purpose::bits));
    bits_ = sampled.size();
    for (int64_t j = 0; j < patterns_.count(); ++j) {
      for (const int64_t bit : sampled) {
        bipolar_.push_back(patterns_.get(j, bit) ? 1.0F : -1.0F);
      }
    }
    patterns_per_sample_ = patterns_.count() > 1 ? static_cast<double>(stored.count() - 1) /
                                                       static_cast<double>(patterns_.count() - 1)
                                                 : 1;
  }

  /// The best number of coordinates in which all selected values are compared with the patterns themselves,
  /// or with their encodings.
  LocationChoice best_coordinates(double hard_locations, LocationDesign design,
                                  const BitEncoding* encoding) const {
    const BitPatterns cues = encoding != nullptr ? encoding->encode(cues_) : cues_;
    const BitPatterns patterns = encoding != nullptr ? encoding->encode(patterns_) : patterns_;
    const int64_t size = patterns.bits(), bits = std::min(size, kModelledBits);
    const bool by_distance = design == LocationDesign::selected_coordinates;
    const std::vector<int64_t> compared =
        by_distance ? scaled_distances(cues, patterns, bits) : scaled_common_ones(cues, patterns, bits);
    constexpr int64_t kCoordinatesMax = 32;
    const auto [coordinates, accuracy] =
        find_best_radius(1, std::min(kCoordinatesMax, bits), 1, [&](int64_t tried) {
          return expected_accuracy(
              compared, by_distance ? theory::selected_coordinate_locations(bits, hard_locations, tried)
                                    : theory::hyperplane_locations(bits, hard_locations, tried));
        });
    return {.selected_coordinates = coordinates,
            .encoded_bits = encoding != nullptr ? size : 0,
            .expected_accuracy = accuracy};
  }

  /// The best radius for addresses that are the patterns themselves, or their encodings.
  LocationChoice best(double hard_locations, const BitEncoding* encoding) const {
    const int64_t size = encoding != nullptr ? encoding->bits() : patterns_.bits();
    const int64_t bits = std::min(size, kModelledBits);
    const std::vector<int64_t> distances =
        encoding != nullptr ? scaled_distances(encoding->encode(cues_), encoding->encode(patterns_), bits)
                            : scaled_distances(cues_, patterns_, bits);
    // A cue must activate several locations, and the circle must not contain too much of the space.
    constexpr double kReachedMin = 5, kFractionMax = 0.03;
    constexpr int64_t kRadiiTried = 12;
    const int64_t min = radius_of_fraction(bits, std::min(1.0, kReachedMin / hard_locations));
    const int64_t max = std::max(min, radius_of_fraction(bits, kFractionMax));
    const int64_t step = std::max<int64_t>(1, (max - min + kRadiiTried - 1) / kRadiiTried);
    const auto [radius, accuracy] = find_best_radius(min, max, step, [&](int64_t tried) {
      return expected_accuracy(distances, theory::shared_locations(bits, hard_locations, tried).at_distance);
    });
    return {.hamming_radius =
                size == bits ? radius : radius_of_fraction(size, theory::space_fraction(bits, radius)),
            .encoded_bits = encoding != nullptr ? size : 0,
            .expected_accuracy = accuracy};
  }

private:
  static int64_t radius_of_fraction(int64_t bits, double fraction) {
    return std::clamp<int64_t>(theory::hamming_radius_for_space_fraction(bits, fraction), 1, bits - 1);
  }

  /// Numbers of bits [cues, patterns], scaled to patterns of `bits` bits.
  template <class BitsOf>
  static std::vector<int64_t> scaled(const BitPatterns& cues, const BitPatterns& patterns, int64_t bits,
                                     BitsOf bits_of) {
    const double scale = static_cast<double>(bits) / static_cast<double>(patterns.bits());
    std::vector<int64_t> numbers;
    for (int64_t cue = 0; cue < cues.count(); ++cue) {
      for (int64_t j = 0; j < patterns.count(); ++j) {
        numbers.push_back(std::llround(scale * static_cast<double>(bits_of(cue, j))));
      }
    }
    return numbers;
  }
  static std::vector<int64_t> scaled_distances(const BitPatterns& cues, const BitPatterns& patterns,
                                               int64_t bits) {
    return scaled(cues, patterns, bits,
                  [&](int64_t cue, int64_t j) { return hamming_distance(cues, cue, patterns, j); });
  }
  static std::vector<int64_t> scaled_common_ones(const BitPatterns& cues, const BitPatterns& patterns,
                                                 int64_t bits) {
    return scaled(cues, patterns, bits, [&](int64_t cue, int64_t j) {
      int64_t common = 0;
      for (size_t w = 0; w < static_cast<size_t>(cues.words()); ++w) {
        common += std::popcount(cues[cue][w] & patterns[j][w]);
      }
      return common;
    });
  }

  double expected_accuracy(const std::vector<int64_t>& distances, const std::vector<double>& shared) const {
    double sum = 0;
    for (size_t cue = 0; cue < own_.size(); ++cue) {
      const auto patterns = static_cast<size_t>(patterns_.count());
      sum += expected_accuracy_of(static_cast<size_t>(own_[cue]),
                                  std::span(distances).subspan(cue * patterns, patterns), shared);
    }
    return sum / static_cast<double>(own_.size());
  }

  double expected_accuracy_of(size_t own, std::span<const int64_t> distances,
                              const std::vector<double>& shared) const {
    std::vector<float> sums(bits_, 0.0F);
    double variance = 0;
    for (size_t j = 0; j < distances.size(); ++j) {
      const double expected =
          shared[static_cast<size_t>(distances[j])] * (j == own ? 1 : patterns_per_sample_);
      const auto weight = static_cast<float>(expected);
      const float* pattern = bipolar_.data() + j * bits_;
      variance += expected;
      for (size_t b = 0; b < bits_; ++b) {
        sums[b] += weight * pattern[b];
      }
    }
    if (!(variance > 0)) {
      return 0;
    }
    double right = 0;
    for (size_t b = 0; b < bits_; ++b) {
      const double towards = sums[b] * bipolar_[own * bits_ + b];
      right += 0.5 * std::erfc((0.5 - towards) / std::sqrt(2 * variance));
    }
    return right / static_cast<double>(bits_);
  }

  std::vector<int64_t> own_;       ///< index of the pattern of each cue among the sampled patterns
  BitPatterns cues_, patterns_;    ///< sampled
  size_t bits_ = 0;                ///< number of sampled bits per pattern
  std::vector<float> bipolar_;     ///< sampled bits of the sampled patterns as -1 and +1, [patterns, bits]
  double patterns_per_sample_ = 1; ///< number of patterns that each sampled one represents
};

/// The smallest beta, not below `beta_min`, at which softmax of cosines recalls 99 % of the sampled patterns
/// from themselves in repeated updates; empty if there is none up to 3 times `beta_min`. The displacement of
/// the first update, which determines `beta_min`, may grow in the next ones where patterns are similar.
std::optional<double> beta_of_fixed_points(const RealPatterns& stored, double beta_min,
                                           const ParameterChoices& choices, uint64_t seed) {
  constexpr double kQuantile = 0.99, kFactor = 1.05, kLargest = 3, kWork = 2e8;
  constexpr int64_t kSampleMin = 10, kSampleMax = 100;
  const int64_t affordable = static_cast<int64_t>(
      kWork / (static_cast<double>(stored.count()) * static_cast<double>(stored.size())));
  const RealPatterns sampled =
      select(stored, sample(stored.count(), std::clamp(affordable, kSampleMin, kSampleMax),
                            random_for(seed, Purpose::patterns)));
  for (double beta = beta_min; beta <= kLargest * beta_min; beta *= kFactor) {
    AssociateOptions<RealPatterns> options = cosine_attention(beta);
    options.update.update_steps_max = choices.update_steps_max;
    const RealPatterns readouts = associate(sampled, stored, options).readout;
    int64_t with_direction = 0, kept = 0;
    for (int64_t i = 0; i < sampled.count(); ++i) {
      const RealPatterns& patterns = sampled;
      if (std::ranges::any_of(patterns[i], [](double x) { return x != 0; })) {
        ++with_direction;
        kept += cosine(readouts, i, patterns, i) >= kExactCosine ? 1 : 0;
      }
    }
    if (static_cast<double>(kept) >= kQuantile * static_cast<double>(with_direction)) {
      return beta;
    }
  }
  return std::nullopt;
}

bool any_bit_varies(const BitPatterns& patterns) {
  for (int64_t i = 1; i < patterns.count(); ++i) {
    if (!std::ranges::equal(patterns[i], patterns[0])) {
      return true;
    }
  }
  return false;
}

} // namespace

RadiusChoice choose_radius(const BitPatterns& stored, uint64_t seed, RadiusWeights weights) {
  const Criterion criterion{.noise_max = 0.4, .bins = stored.bits(), .on_bits = true};
  return choose_radius_by(
      stored.count(), stored.bits(), criterion, seed, weights, [&](const std::vector<int64_t>& patterns) {
        return [&stored, patterns](int64_t i, int64_t j) {
          return static_cast<double>(hamming_distance(stored, patterns[static_cast<size_t>(i)], stored, j)) /
                 static_cast<double>(stored.bits());
        };
      });
}

RadiusChoice choose_radius(const RealPatterns& stored, uint64_t seed, RadiusWeights weights) {
  constexpr int64_t kBins = 4096;
  const Criterion criterion{.noise_max = 0.5, .bins = kBins, .on_bits = false};
  return choose_radius_by(
      stored.count(), stored.size(), criterion, seed, weights, [&](const std::vector<int64_t>& patterns) {
        return [cosines = similarity(select(stored, patterns), stored, Dot{}).values](int64_t i, int64_t j) {
          const double cosine = cosines[i][static_cast<size_t>(j)];
          return cosine >= kExactCosine ? 0 : std::min((1 - cosine) / 2, 1.0);
        };
      });
}

LocationChoice choose_locations(const BitPatterns& stored, double hard_locations, uint64_t seed,
                                LocationDesign design) {
  require_patterns(stored.count(), stored.bits());
  const ReadModelOfPatterns model(stored, seed);
  const auto best = [&](const BitEncoding* encoding) {
    return design == LocationDesign::hamming_radius
               ? model.best(hard_locations, encoding)
               : model.best_coordinates(hard_locations, design, encoding);
  };
  LocationChoice choice = best(nullptr);
  if (design != LocationDesign::hyperplane && any_bit_varies(stored)) {
    const BitEncoding encoding(stored, {.seed = random_for(seed, Purpose::encoding).at(0)});
    const LocationChoice encoded = best(&encoding);
    choice = encoded.expected_accuracy > choice.expected_accuracy ? encoded : choice;
  }
  return choice;
}

void require_valid(const ParameterChoices& choices, int64_t size) {
  if (size < 4) {
    throw UsageError(fmt::format(
        "patterns of {} components are too small to be distinguished under noise: at least 4 components are "
        "needed.\n  The first axis of an array counts the patterns: store a single pattern as an array of "
        "one row.",
        size));
  }
  if (choices.hamming_radius && (*choices.hamming_radius < 1 || *choices.hamming_radius > size - 1)) {
    throw UsageError(fmt::format(
        "the Hamming radius is {}, but it must be in 1 .. {} for patterns of {} bits.\n  It is a number of "
        "bits; by default it is chosen from the distances between the patterns.",
        *choices.hamming_radius, size - 1, size));
  }
  if (choices.selected_coordinates &&
      (*choices.selected_coordinates < 1 || *choices.selected_coordinates > size)) {
    throw UsageError(fmt::format("{} selected coordinates were requested, but it must be in 1 .. {} for "
                                 "patterns of {} bits.",
                                 *choices.selected_coordinates, size, size));
  }
  constexpr double kBetaMax = 1e30; // far beyond any use, and within the range of float
  if (choices.beta && !(*choices.beta >= 0 && *choices.beta <= kBetaMax)) {
    throw UsageError(fmt::format("beta is {}, but must be a number from 0 to {}.", *choices.beta, kBetaMax));
  }
  if (choices.alpha) {
    check_separation(SimplexSeparation::entmax(*choices.alpha));
  }
  if (choices.degree && !(*choices.degree > 0 && std::isfinite(*choices.degree))) {
    throw UsageError(fmt::format("the degree is {}, but must be a finite number above 0.", *choices.degree));
  }
  if (choices.hard_locations < 1 || choices.update_steps_max < 1) {
    throw UsageError(
        fmt::format("{} hard locations and {} update steps were requested, at least 1 of each is needed.",
                    choices.hard_locations, choices.update_steps_max));
  }
}

ParameterChooser::ParameterChooser(const BitPatterns& bits, const RealPatterns& reals,
                                   const ParameterChoices& choices, uint64_t seed)
    : bits_(bits), reals_(reals), choices_(choices), seed_(seed) {
  require_valid(choices, bits.bits());
  require_patterns(bits.count(), bits.bits());
}

const RadiusChoice& ParameterChooser::radius(bool on_bits, RadiusWeights weights) {
  const std::pair key(on_bits, weights);
  const auto known = radii_.find(key);
  return known != radii_.end() ? known->second
                               : radii_
                                     .emplace(key, on_bits ? choose_radius(bits_, seed_, weights)
                                                           : choose_radius(reals_, seed_, weights))
                                     .first->second;
}

const LocationChoice& ParameterChooser::locations(double hard_locations, LocationDesign design) {
  const std::pair key(hard_locations, design);
  const auto known = locations_.find(key);
  return known != locations_.end()
             ? known->second
             : locations_.emplace(key, choose_locations(bits_, hard_locations, seed_, design)).first->second;
}

/// Derivative of the score of a memory with respect to the cosine. It is exact except for Manhattan distances
/// of real patterns, where it is the mean over stored patterns.
double ParameterChooser::score_per_cosine(const MemoryKind& kind) const {
  const auto n = static_cast<double>(bits_.bits());
  const auto of_bits_or_reals = [&](double bits, double reals) { return kind.on_bits ? bits : reals; };
  if (std::holds_alternative<Hamming>(kind.similarity)) {
    return n / 2;
  }
  if (std::holds_alternative<Dot>(kind.similarity)) {
    return of_bits_or_reals(n, 1);
  }
  if (std::holds_alternative<Euclidean>(kind.similarity)) {
    return of_bits_or_reals(2 * n, 2);
  }
  if (std::holds_alternative<Cosine>(kind.similarity)) {
    return 1;
  }
  if (kind.on_bits) {
    return n;
  }
  constexpr int64_t kSampled = 100;
  const RealPatterns sampled =
      select(reals_, sample(reals_.count(), kSampled, random_for(seed_, Purpose::patterns)));
  const RealPatterns scores = similarity(sampled, sampled, kind.similarity).values,
                     cosines = similarity(sampled, sampled, Cosine{}).values;
  double score = 0, cosine = 0;
  for (int64_t i = 0; i < sampled.count(); ++i) {
    for (size_t j = 0; j < static_cast<size_t>(sampled.count()); ++j) {
      score -= scores[i][j];
      cosine += 1 - cosines[i][j];
    }
  }
  return score > 0 && cosine > 0 ? score / cosine : 1;
}

/// Beta for cosines, fitted to a Hamming radius, with a description of its origin. Sets the radius to that of
/// the fit, or to 0 if beta has another origin.
MemorySetting ParameterChooser::fitted_beta(const MemoryKind& kind, int64_t& hamming_radius) {
  hamming_radius = std::max(kRadiusOfFitMin, hamming_radius);
  const double fitted = theory::fit_beta(bits_.bits(), hamming_radius, std::log(kLocationsOfFit)).beta;
  double beta_min =
      choices_.hamming_radius ? 0 : radius(kind.on_bits, RadiusWeights::circle_intersection).beta_min;
  std::string origin = "minimum at which 99 % of the patterns are fixed points";
  const bool is_only_update = choices_.update_steps_max == 1;
  if (!kind.on_bits && (is_only_update || std::holds_alternative<Average>(kind.projection))) {
    // A cue with the cosine c has the cosines c x with the other patterns, on average, if its pattern has the
    // cosines x: beta c must be the minimum of a fixed point.
    const double cosine = is_only_update ? kCosineOfOnlyUpdate : kCosineOfFirstUpdate;
    beta_min /= cosine;
    origin = fmt::format("{:.2g} times the {}, because {}", 1 / cosine, origin,
                         is_only_update ? "there is one update"
                                        : "readouts that are not normalised become shorter");
  }
  if (fitted >= beta_min) {
    return {"beta", fitted, fmt::format("fitted to the Hamming radius {}", hamming_radius)};
  }
  hamming_radius = 0;
  if (!kind.on_bits && beta_min > 0 && choices_.update_steps_max > 1 &&
      !std::holds_alternative<Average>(kind.projection)) {
    if (const std::optional<double> raised = beta_of_fixed_points(reals_, beta_min, choices_, seed_)) {
      beta_min = *raised;
    } else {
      origin = "minimum at which one update keeps 99 % of the patterns";
    }
  }
  return {"beta", beta_min, origin};
}

MemoryParameters ParameterChooser::parameters_for(const MemoryKind& kind) {
  const auto origin_of = [](const LocationChoice& choice) {
    return fmt::format("{:.3g} % of bits right after one read", 100 * choice.expected_accuracy);
  };
  const MemoryUses& uses = kind.uses;
  MemoryParameters parameters{.update_steps_max = choices_.update_steps_max};
  const auto add = [&](const char* name, double value, std::string origin) {
    parameters.settings.push_back({name, value, std::move(origin)});
    return value;
  };
  const bool is_fitted = uses.is_fitted && !(uses.beta ? choices_.beta : choices_.degree);
  if (uses.finite_locations) {
    parameters.hard_locations =
        uses.hard_locations ? static_cast<double>(choices_.hard_locations) : kLocationsOfPatternSdm;
  }
  if (uses.hamming_radius || is_fitted) {
    std::string origin;
    if (choices_.hamming_radius) {
      parameters.hamming_radius = *choices_.hamming_radius;
    } else if (uses.finite_locations) {
      const LocationChoice& choice = locations(parameters.hard_locations, LocationDesign::hamming_radius);
      parameters.hamming_radius = choice.hamming_radius;
      parameters.encoded_bits = choice.encoded_bits;
      origin = origin_of(choice);
    } else {
      const RadiusChoice& choice = radius(
          kind.on_bits, uses.equal_within_radius ? RadiusWeights::equal : RadiusWeights::circle_intersection);
      parameters.hamming_radius = choice.hamming_radius;
      const bool is_beyond = choice.noise >= kNearlyMaximum * kNoiseReportedMax;
      const double noise = is_beyond ? kNoiseReportedMax : choice.noise;
      const std::string limit =
          kind.on_bits ? fmt::format("up to {}{:.0f} % noise", is_beyond ? "at least " : "", 100 * noise)
                       : fmt::format("down to a cosine of {:.2g}{} with their cue", 1 - 2 * noise,
                                     is_beyond ? " or less" : "");
      origin = bits_.count() == 1 ? "there are no other patterns"
                                  : fmt::format("patterns outweigh all others {}, at mean distances", limit);
    }
    if (uses.hamming_radius) {
      add("hamming_radius", static_cast<double>(parameters.hamming_radius), origin);
    }
  }
  if (uses.selected_coordinates && choices_.selected_coordinates) {
    parameters.selected_coordinates = *choices_.selected_coordinates;
    add("selected_coordinates", static_cast<double>(parameters.selected_coordinates), "");
  } else if (uses.selected_coordinates) {
    const LocationChoice& choice =
        locations(parameters.hard_locations, kind.assigned_values == AssignedValues::ones
                                                 ? LocationDesign::hyperplane
                                                 : LocationDesign::selected_coordinates);
    parameters.selected_coordinates = choice.selected_coordinates;
    parameters.encoded_bits = choice.encoded_bits;
    add("selected_coordinates", static_cast<double>(choice.selected_coordinates), origin_of(choice));
  }
  if (parameters.encoded_bits > 0) {
    add("encoded_bits", static_cast<double>(parameters.encoded_bits), "");
  }
  if (uses.finite_locations) {
    add("hard_locations", parameters.hard_locations, uses.hard_locations ? "" : "expected numbers, sampled");
  }
  if (uses.beta && choices_.beta) {
    parameters.beta = add("beta", *choices_.beta, "");
  } else if (uses.beta && is_fitted) {
    MemorySetting beta = fitted_beta(kind, parameters.hamming_radius);
    if (const double scale = score_per_cosine(kind); scale != 1) {
      beta.origin = fmt::format("{:.6g} for cosines, {}; divided by {:.4g}, the score per cosine", beta.value,
                                beta.origin, scale);
      beta.value /= scale;
    }
    parameters.beta = add("beta", beta.value, beta.origin);
  } else if (uses.beta) {
    parameters.beta = add("beta", 1 / std::sqrt(static_cast<double>(bits_.bits())), "1 / sqrt(size)");
  }
  if (uses.alpha) {
    parameters.alpha = add("alpha", choices_.alpha.value_or(kind.separation->default_alpha),
                           choices_.alpha ? "" : "the default");
  }
  if (uses.degree && is_fitted) {
    const MemorySetting beta = fitted_beta(kind, parameters.hamming_radius);
    parameters.degree =
        add("degree", std::ceil(beta.value),
            fmt::format("at least as sharp as softmax with beta {:.6g}, {}", beta.value, beta.origin));
  } else if (uses.degree) {
    parameters.degree = add("degree", choices_.degree.value(), "");
  }
  return parameters;
}

} // namespace mneme::trials
