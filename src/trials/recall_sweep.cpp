// SPDX-License-Identifier: MIT

#include "mneme/trials/recall_sweep.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/parallel.h"
#include "mneme/core/random.h"
#include "mneme/data/corruption.h"
#include "mneme/memory/hopfield_network.h"
#include "mneme/memory/neuron_sdm.h"
#include "mneme/memory/nearest.h"
#include "mneme/memory/similarity.h"
#include "trials/close_patterns.h"

namespace mneme::trials {
namespace {

/// Purposes of random streams. The numbers are fixed, so that a seed gives the same results in every version.
enum class Purpose : uint64_t { cues = 1, hard_locations = 2, parameters = 4 };

Random random_for(const SweepOptions& options, Purpose purpose, int64_t trial) {
  return Random(options.seed).stream(static_cast<uint64_t>(purpose)).stream(static_cast<uint64_t>(trial));
}

/// Transform to the form in which real-valued memories compare patterns (centred and normalised, unless the
/// options exclude it), and its inverse for display.
class RealCoding {
public:
  RealCoding(const RealPatterns& patterns, bool centre, bool normalise)
      : normalise_(normalise), mean_(static_cast<size_t>(patterns.size()), 0.0) {
    const auto count = static_cast<double>(patterns.count());
    if (centre && patterns.count() > 1) {
      // Differences from the first pattern are summed, so that equal patterns have a residual of exactly
      // zero.
      const std::span<const double> first = patterns[0];
      for (int64_t i = 1; i < patterns.count(); ++i) {
        for (size_t j = 0; j < mean_.size(); ++j) {
          mean_[j] += (patterns[i][j] - first[j]) / count;
        }
      }
      for (size_t j = 0; j < mean_.size(); ++j) {
        mean_[j] += first[j];
      }
    }
    for (int64_t i = 0; i < patterns.count(); ++i) {
      double squares = 0;
      for (size_t j = 0; j < mean_.size(); ++j) {
        const double residual = residual_of(patterns[i][j], j);
        squares += residual * residual;
      }
      typical_length_ += std::sqrt(squares) / count;
    }
  }

  RealPatterns encode(RealPatterns patterns) const {
    for (int64_t i = 0; i < patterns.count(); ++i) {
      for (size_t j = 0; j < mean_.size(); ++j) {
        patterns[i][j] = residual_of(patterns[i][j], j);
      }
    }
    return normalise_ ? normalised(std::move(patterns)) : patterns;
  }

  /// Readouts of normalised patterns have no length, so they are scaled to the mean length of the patterns.
  RealPatterns decode(const RealPatterns& readouts) const {
    RealPatterns shown = normalise_ ? normalised(readouts, typical_length_) : readouts;
    for (int64_t i = 0; i < shown.count(); ++i) {
      for (size_t j = 0; j < mean_.size(); ++j) {
        shown[i][j] += mean_[j];
      }
    }
    return shown;
  }

private:
  /// The number minus the mean. Residuals below the rounding error of the difference are set to zero, because
  /// they would be amplified by normalisation.
  double residual_of(double x, size_t component) const {
    constexpr double kRounding = 8 * std::numeric_limits<double>::epsilon();
    const double mean = mean_[component], residual = x - mean;
    return std::abs(residual) <= kRounding * std::max(std::abs(x), std::abs(mean)) ? 0 : residual;
  }

  bool normalise_;
  std::vector<double> mean_;
  double typical_length_ = 0;
};

int64_t flips_of(double noise, int64_t size) {
  return std::llround(noise * static_cast<double>(size));
}

/// A stage of progress, if it takes about a second or more; else nothing is shown.
class LongStage {
public:
  /// `work`: numbers that are read, or an equivalent
  LongStage(Progress& progress, const std::string& name, int64_t total, int64_t work) : total_(total) {
    constexpr int64_t kWorkMin = 4'000'000;
    if (work >= kWorkMin) {
      progress_ = &progress;
      progress.start(name, total);
    }
  }
  LongStage(const LongStage&) = delete;
  LongStage& operator=(const LongStage&) = delete;
  ~LongStage() {
    if (progress_ != nullptr) {
      progress_->advance(total_ - done_);
      progress_->finish();
    }
  }
  void advance(int64_t steps) const {
    done_ += steps;
    if (progress_ != nullptr) {
      progress_->advance(steps);
    }
  }

private:
  Progress* progress_ = nullptr;
  int64_t total_;
  mutable int64_t done_ = 0;
};

/// The patterns in the form that memories on bits store.
struct BitView {
  using Patterns = BitPatterns;
  BitPatterns stored;
  std::optional<BitPatterns> own_values; ///< unless the patterns are their own values
  data::ImageShape shape;
  double threshold;

  const BitPatterns& values() const { return own_values ? *own_values : stored; }
  int64_t size() const { return stored.bits(); }

  BitPatterns corrupted(const std::vector<int64_t>& rows, Corruption corruption, double noise,
                        const Random& random) const {
    const BitPatterns patterns = select(stored, rows);
    switch (corruption) {
    case Corruption::mask:
      return data::mask(patterns, noise, shape);
    case Corruption::salt_and_pepper:
      return data::salt_and_pepper(patterns, noise, random);
    default:
      return data::flip_bits(patterns, flips_of(noise, stored.bits()), random);
    }
  }
  BitPatterns as_cues(const RealPatterns& cues) const { return to_bits(cues, threshold); }
  RealPatterns shown(const BitPatterns& cues) const { return to_zeros_and_ones(cues); }
  RealPatterns shown_readouts(const BitPatterns& readouts) const { return to_zeros_and_ones(readouts); }
  /// Cosine of a cue and a stored pattern, or of a readout and a value.
  static double cosine_to(const BitPatterns& patterns, int64_t i, const BitPatterns& others, int64_t target) {
    return 1 - 2 * static_cast<double>(hamming_distance(patterns, i, others, target)) /
                   static_cast<double>(others.bits());
  }
  bool equals(const BitPatterns& readouts, int64_t i, int64_t target, bool /*have_length*/) const {
    return std::ranges::equal(readouts[i], values()[target]);
  }
  std::vector<int64_t> nearest_to(const BitPatterns& readouts, bool /*have_length*/) const {
    return nearest(readouts, values(), 1).indices;
  }

  static constexpr bool kComparesQuickly = true; ///< all patterns with each other
  /// For every pattern the index of the first pattern that it coincides with, which may be its own.
  std::vector<int64_t> first_of_equal(Progress& /*progress*/) const {
    const std::vector<int64_t> groups = distinct_pattern_indices(stored);
    std::vector<int64_t> first(groups.size());
    std::vector<int64_t> first_of_group;
    for (size_t i = 0; i < groups.size(); ++i) {
      if (groups[i] == std::ssize(first_of_group)) {
        first_of_group.push_back(static_cast<int64_t>(i));
      }
      first[i] = first_of_group[static_cast<size_t>(groups[i])];
    }
    return first;
  }
  std::vector<int64_t> first_of_equal(const std::vector<int64_t>& /*rows*/, Progress& progress) const {
    return first_of_equal(progress);
  }
  static int64_t without_direction() { return 0; }
};

/// The patterns in the form that real-valued memories store.
struct RealView {
  using Patterns = RealPatterns;
  const RealPatterns& raw;
  RealCoding coding;
  RealPatterns stored;
  RealCoding value_coding;
  std::optional<RealPatterns> own_values; ///< unless the patterns are their own values
  data::ImageShape shape;
  bool is_normalised;

  const RealPatterns& values() const { return own_values ? *own_values : stored; }
  int64_t size() const { return stored.size(); }

  RealPatterns corrupted(const std::vector<int64_t>& rows, Corruption corruption, double noise,
                         const Random& random) const {
    switch (corruption) {
    case Corruption::cosine: // rotated in the compared form, so that the cosine is exactly the requested one
      return rotated(select(stored, rows), 1 - 2 * noise, random);
    case Corruption::mask:
      return coding.encode(data::mask(select(raw, rows), noise, shape));
    case Corruption::salt_and_pepper:
      return coding.encode(data::salt_and_pepper(select(raw, rows), noise, random));
    default:
      return coding.encode(data::flip_bits(select(raw, rows), flips_of(noise, raw.size()), random));
    }
  }
  RealPatterns as_cues(const RealPatterns& cues) const { return coding.encode(cues); }
  RealPatterns shown(const RealPatterns& cues) const { return coding.decode(cues); }
  RealPatterns shown_readouts(const RealPatterns& readouts) const { return value_coding.decode(readouts); }
  static double cosine_to(const RealPatterns& patterns, int64_t i, const RealPatterns& others,
                          int64_t target) {
    return cosine(patterns, i, others, target);
  }
  bool equals(const RealPatterns& readouts, int64_t i, int64_t target, bool have_length) const {
    return are_equal(readouts, i, values(), target, have_length);
  }
  std::vector<int64_t> nearest_to(const RealPatterns& readouts, bool have_length) const {
    return have_length ? nearest(readouts, values(), 1, Euclidean{}).indices
                       : nearest(readouts, values(), 1, Cosine{}).indices;
  }

  static constexpr bool kComparesQuickly = false;
  std::vector<int64_t> first_of_equal(Progress& progress) const {
    const std::vector<int64_t> identical = first_of_identical(stored);
    std::vector<int64_t> kept; // one of each set of identical patterns
    for (int64_t i = 0; i < stored.count(); ++i) {
      if (identical[static_cast<size_t>(i)] == i) {
        kept.push_back(i);
      }
    }
    std::vector<int64_t> first = kept; // of the patterns of `kept`, in the same order
    const RealPatterns distinct = select(stored, kept);
    const LongStage stage(progress, "comparing patterns", distinct.count(), stored.count() * stored.size());
    std::vector<uint8_t> visited(kept.size(), 0);
    visit_close(distinct, kExactCosine, [&](std::span<const int64_t> group) {
      stage.advance(std::ranges::count_if(
          group, [&](int64_t i) { return std::exchange(visited[static_cast<size_t>(i)], 1) == 0; }));
      constexpr size_t kRowsPerBlock = 128;
      for (size_t begin = 0; begin < group.size(); begin += kRowsPerBlock) {
        throw_if_interrupted();
        const size_t end = std::min(begin + kRowsPerBlock, group.size());
        const RealNeighbours similar = at_least(select(distinct, group.subspan(begin, end - begin)),
                                                select(distinct, group.first(end)), kExactCosine, Cosine{});
        for (size_t i = begin; i < end; ++i) {
          int64_t& first_of_i = first[static_cast<size_t>(group[i])];
          for (const int64_t position : similar.indices_of(static_cast<int64_t>(i - begin))) {
            const int64_t other = group[static_cast<size_t>(position)];
            if (kept[static_cast<size_t>(other)] < first_of_i &&
                are_equal(distinct, group[i], distinct, other, !is_normalised)) {
              first_of_i = kept[static_cast<size_t>(other)];
            }
          }
        }
      }
    });
    std::vector<int64_t> first_of_all = identical;
    for (size_t i = 0; i < kept.size(); ++i) {
      first_of_all[static_cast<size_t>(kept[i])] = first[i];
    }
    for (size_t i = 0; i < first_of_all.size(); ++i) { // zeros have no cosine, but they are identical
      first_of_all[i] = first_of_all[static_cast<size_t>(identical[i])];
    }
    return first_of_all;
  }

  /// As above, but only the patterns of `rows` are compared with all others; of the rest, only identical ones
  /// are found.
  std::vector<int64_t> first_of_equal(const std::vector<int64_t>& rows, Progress& progress) const {
    const std::vector<int64_t> identical = first_of_identical(stored);
    std::vector<int64_t> first = identical;
    constexpr int64_t kRowsPerBlock = 64;
    const LongStage stage(progress, "comparing patterns", std::ssize(rows),
                          std::ssize(rows) * stored.count() * stored.size() / 400);
    for (int64_t begin = 0; begin < std::ssize(rows); begin += kRowsPerBlock) {
      throw_if_interrupted();
      const int64_t end = std::min(begin + kRowsPerBlock, std::ssize(rows));
      const RealNeighbours similar =
          at_least(select(stored, std::span(rows).subspan(static_cast<size_t>(begin),
                                                          static_cast<size_t>(end - begin))),
                   stored, kExactCosine, Cosine{});
      for (int64_t i = begin; i < end; ++i) {
        std::vector<int64_t> equal; // to the pattern of this row
        for (const int64_t other : similar.indices_of(i - begin)) {
          if (are_equal(stored, rows[static_cast<size_t>(i)], stored, other, !is_normalised)) {
            equal.push_back(other);
          }
        }
        for (const int64_t other : equal) {
          int64_t& first_of_other = first[static_cast<size_t>(other)];
          first_of_other = std::min(first_of_other, std::ranges::min(equal));
        }
      }
      stage.advance(end - begin);
    }
    for (size_t i = 0; i < first.size(); ++i) {
      first[i] = std::min(first[i], first[static_cast<size_t>(identical[i])]);
    }
    return first;
  }

  int64_t without_direction() const {
    int64_t count = 0;
    for (int64_t i = 0; i < stored.count(); ++i) {
      count += is_zero(stored[i]) ? 1 : 0;
    }
    return count;
  }

private:
  /// Patterns without a length of their own are equal if their cosine is at least kExactCosine, others if
  /// they differ by no more than normalised ones with this cosine, relative to the length of the second one.
  static bool are_equal(const RealPatterns& patterns, int64_t i, const RealPatterns& others, int64_t other,
                        bool have_length) {
    if (!have_length) {
      return cosine(patterns, i, others, other) >= kExactCosine;
    }
    double difference = 0, length = 0;
    for (size_t j = 0; j < patterns[i].size(); ++j) {
      difference += std::pow(patterns[i][j] - others[other][j], 2);
      length += std::pow(others[other][j], 2);
    }
    return difference <= 2 * (1 - kExactCosine) * length;
  }

  static bool is_zero(std::span<const double> pattern) {
    return std::ranges::all_of(pattern, [](double x) { return x == 0; });
  }

  /// Rotates all patterns. Zero vectors have no direction and stay zero.
  static RealPatterns rotated(const RealPatterns& patterns, double cosine, const Random& random) {
    RealPatterns with_direction = patterns;
    for (int64_t i = 0; i < patterns.count(); ++i) {
      if (is_zero(patterns[i])) {
        with_direction[i][0] = 1;
      }
    }
    RealPatterns cues = data::cosine_noise(with_direction, cosine, random);
    for (int64_t i = 0; i < patterns.count(); ++i) {
      if (is_zero(patterns[i])) {
        std::ranges::fill(cues[i], 0.0);
      }
    }
    return cues;
  }
};

/// The pattern of each readout, and their similarity.
struct Matches {
  std::vector<int64_t> targets; ///< index of the pattern
  std::vector<double> cosines;  ///< with it
  std::vector<bool> are_equal;
};

/// `targets`: the pattern of each readout; empty: the one that is nearest to it. `have_length`: the length of
/// readouts of real numbers is compared, too.
template <class View>
Matches matches_of(const View& view, const typename View::Patterns& readouts, bool have_length,
                   const std::vector<int64_t>& targets) {
  Matches matches{.targets = targets.empty() ? view.nearest_to(readouts, have_length) : targets};
  std::vector<uint8_t> are_equal(matches.targets.size());
  matches.cosines.resize(are_equal.size());
  parallel_for(readouts.count(), 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto at = static_cast<size_t>(i);
      matches.cosines[at] = View::cosine_to(readouts, i, view.values(), matches.targets[at]);
      are_equal[at] = view.equals(readouts, i, matches.targets[at], have_length) ? 1 : 0;
    }
  });
  matches.are_equal.assign(are_equal.begin(), are_equal.end());
  return matches;
}

/// Cosine between each cue and its stored pattern.
template <class View>
std::vector<double> cosines_to_stored(const View& view, const typename View::Patterns& cues,
                                      const std::vector<int64_t>& targets) {
  std::vector<double> cosines(targets.size());
  for (size_t i = 0; i < targets.size(); ++i) {
    cosines[i] = View::cosine_to(cues, static_cast<int64_t>(i), view.stored, targets[i]);
  }
  return cosines;
}

enum class Outcome { missed, ambiguous, exact };

/// Outcome of each cue: exact, or ambiguous if its pattern coincides with a different one. A cue that
/// activated nothing was returned unchanged, which counts as missed.
std::vector<Outcome> outcomes(const Matches& matches, const std::vector<int64_t>& reached,
                              const std::vector<uint8_t>& is_unique) {
  std::vector<Outcome> results(matches.targets.size(), Outcome::missed);
  for (size_t i = 0; i < results.size(); ++i) {
    if (reached[i] > 0 && matches.are_equal[i]) {
      results[i] =
          is_unique[static_cast<size_t>(matches.targets[i])] != 0 ? Outcome::exact : Outcome::ambiguous;
    }
  }
  return results;
}

double fraction_of(Outcome outcome, const std::vector<Outcome>& results) {
  return static_cast<double>(std::ranges::count(results, outcome)) / static_cast<double>(results.size());
}

int64_t count_first(const std::vector<int64_t>& first_of_equal) {
  int64_t count = 0;
  for (size_t i = 0; i < first_of_equal.size(); ++i) {
    count += first_of_equal[i] == static_cast<int64_t>(i) ? 1 : 0;
  }
  return count;
}

/// Which stored patterns are distinct for a memory.
struct Distinctness {
  std::vector<uint8_t> is_unique; ///< per pattern: 1 if no different one coincides with it
  int64_t distinct = 0, different = 0;

  /// `first_of_identical`: the first pattern with the same numbers and value; called if patterns coincide.
  template <class FirstOfIdentical>
  Distinctness(const std::vector<int64_t>& first_of_equal, FirstOfIdentical first_of_identical)
      : is_unique(first_of_equal.size(), 1), distinct(count_first(first_of_equal)),
        different(std::ssize(first_of_equal)) {
    if (distinct == different) {
      return;
    }
    const std::vector<int64_t> identical = first_of_identical();
    different = count_first(identical);
    const auto first = [&](int64_t i) { return identical[static_cast<size_t>(i)]; };
    for (size_t i = 0; i < first_of_equal.size(); ++i) { // marks the first one of identical patterns
      if (first(first_of_equal[i]) != identical[i]) {
        is_unique[static_cast<size_t>(identical[i])] = 0;
        is_unique[static_cast<size_t>(first(first_of_equal[i]))] = 0;
      }
    }
    for (size_t i = 0; i < is_unique.size(); ++i) {
      is_unique[i] = is_unique[static_cast<size_t>(identical[i])];
    }
  }
};

/// The distinctness of stored patterns, computed when it is needed.
template <class View> class DistinctnessOf {
public:
  DistinctnessOf(const View& view, std::function<std::vector<int64_t>()> first_of_identical,
                 Progress& progress)
      : view_(view), first_of_identical_(std::move(first_of_identical)), progress_(progress) {}

  /// At least for these patterns; for all, unless there are many and these are few.
  const Distinctness& of(std::vector<int64_t> rows) {
    std::ranges::sort(rows);
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
    constexpr int64_t kNumbersMin = 2'000'000;
    const int64_t count = view_.stored.count();
    if (all_ || View::kComparesQuickly || count * view_.size() < kNumbersMin ||
        4 * std::ssize(rows) > count) {
      return all_ ? *all_ : all_.emplace(view_.first_of_equal(progress_), first_of_identical_);
    }
    if (!some_ || rows != rows_) {
      rows_ = std::move(rows);
      some_.emplace(view_.first_of_equal(rows_, progress_), first_of_identical_);
    }
    return *some_;
  }
  bool all_are_compared() const { return all_.has_value(); }

private:
  const View& view_;
  std::function<std::vector<int64_t>()> first_of_identical_;
  Progress& progress_;
  std::optional<Distinctness> all_, some_;
  std::vector<int64_t> rows_; ///< of some_
};

/// For every pattern the index of the first one with the same numbers and the same value.
std::vector<int64_t> first_of_identical_pairs(const RealPatterns& patterns, const data::PatternSet* values) {
  std::vector<int64_t> first = first_of_identical(patterns);
  if (values != nullptr) {
    const std::vector<int64_t> of_values = first_of_identical(values->patterns);
    std::map<std::pair<int64_t, int64_t>, int64_t> known;
    for (size_t i = 0; i < first.size(); ++i) {
      first[i] = known.emplace(std::pair(first[i], of_values[i]), static_cast<int64_t>(i)).first->second;
    }
  }
  return first;
}

template <class Number> double mean_of(const std::vector<Number>& numbers) {
  double sum = 0;
  for (const Number x : numbers) {
    sum += static_cast<double>(x);
  }
  return sum / static_cast<double>(numbers.size());
}

struct Samples {
  std::vector<double> exact, ambiguous, cosine, steps, settled, unanswered;
  double seconds = 0;
};

std::vector<int64_t> ordinals(int64_t count) {
  std::vector<int64_t> all(static_cast<size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

/// `size` of 0 .. count - 1, spread evenly.
std::vector<int64_t> even_sample(int64_t count, int64_t size) {
  std::vector<int64_t> sample = ordinals(std::min(count, size));
  for (int64_t& index : sample) {
    index = index * count / std::ssize(sample);
  }
  return sample;
}

/// Similarity of the nearest stored pattern of each cue, and its index.
struct Nearest {
  std::vector<int64_t> indices;
  std::vector<double> scores;
};
Nearest nearest_of(const BitPatterns& cues, const BitPatterns& stored, const Similarity& /*hamming*/) {
  const BitNeighbours found = nearest(cues, stored, 1);
  Nearest result{found.indices, {}};
  std::ranges::transform(found.distances, std::back_inserter(result.scores), [](int32_t d) { return -d; });
  return result;
}
Nearest nearest_of(const RealPatterns& cues, const RealPatterns& stored, const Similarity& measure) {
  RealNeighbours found = nearest(cues, stored, 1, measure);
  return {std::move(found.indices), std::move(found.scores)};
}

/// Computes SweepRow::misleading; cue i belongs to stored pattern rows[i].
template <class View>
double misleading_fraction(const View& view, const typename View::Patterns& cues,
                           const std::vector<int64_t>& rows, const Similarity& measure) {
  constexpr int64_t kCues = 100;
  const std::vector<int64_t> sampled = even_sample(cues.count(), kCues);
  const Nearest found = nearest_of(select(cues, sampled), view.stored, measure);
  std::vector<uint8_t> is_misleading(sampled.size(), 0);
  for (size_t i = 0; i < sampled.size(); ++i) {
    const int64_t row = rows[static_cast<size_t>(sampled[i])];
    const double own =
        similarity(slice(cues, sampled[i], sampled[i] + 1), slice(view.stored, row, row + 1), measure)
            .values[0][0];
    constexpr double kRounding = 1e-12; // equal patterns are not nearer
    is_misleading[i] =
        found.indices[i] != row && found.scores[i] > own + kRounding * std::max(1.0, std::abs(own)) ? 1 : 0;
  }
  return mean_of(is_misleading);
}

/// The stored patterns that are recalled from themselves: those that are cues, or about as many as there are
/// given cues.
std::vector<int64_t> self_recalled(const data::PatternSet& patterns, const SweepOptions& options) {
  constexpr int64_t kSampleMin = 100;
  const int64_t cues = cues_per_trial(patterns, options);
  return even_sample(patterns.patterns.count(), options.cues ? std::max(kSampleMin, cues) : cues);
}

/// Runs one memory for all trials and noise levels. build_for(trial) returns its recall function for a trial.
template <class View, class BuildFor>
void run_memory(const View& view, DistinctnessOf<View>& distinctness, const SweepOptions& options,
                const std::vector<int64_t>& sample, std::vector<std::vector<double>>& misleading,
                MemoryReport& report, std::vector<SweepRow>& rows, std::vector<SweepExamples>& examples,
                Progress& progress, BuildFor build_for) {
  using Patterns = typename View::Patterns;
  const size_t levels = options.cues ? 1 : options.noise.size();
  std::vector<Samples> samples(levels);
  examples.resize(levels);
  misleading.resize(levels);
  const bool have_length = !options.normalise && !std::holds_alternative<Normalise>(report.kind.projection);
  for (int64_t trial = 0; trial < options.seeds; ++trial) {
    const auto recall_from = build_for(trial);
    const auto timed_recall = [&](const Patterns& cues) {
      const auto begin = std::chrono::steady_clock::now();
      Recall<Patterns> recall = recall_from(cues);
      return std::pair(std::move(recall),
                       std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    };
    std::optional<std::pair<Recall<Patterns>, double>> self; // of stored patterns, in the first trial
    if (trial == 0) {
      const bool is_all = std::ssize(sample) == view.stored.count();
      self = is_all ? timed_recall(view.stored) : timed_recall(select(view.stored, sample));
      const Recall<Patterns>& of_stored = self->first;
      const Distinctness& of_sample = distinctness.of(sample);
      const std::vector<Outcome> results = outcomes(matches_of(view, of_stored.readout, have_length, sample),
                                                    of_stored.num_activated, of_sample.is_unique);
      report.self_recall = fraction_of(Outcome::exact, results);
      report.ambiguous = fraction_of(Outcome::ambiguous, results);
      report.count = view.stored.count();
      report.distinct = of_sample.distinct;
      report.different = of_sample.different;
      report.without_direction = view.without_direction();
      const double comparable =
          1 - static_cast<double>(report.without_direction) / static_cast<double>(report.count);
      report.beyond_capacity = report.self_recall + report.ambiguous < comparable / 2;
      report.out_of_reach = 2 * std::ranges::count(of_stored.num_activated, 0) > of_stored.readout.count();
    }
    for (size_t level = 0; level < levels; ++level) {
      const Patterns cues = options.cues
                                ? view.as_cues(options.cues->patterns)
                                : view.corrupted(sample, options.corruption, options.noise[level],
                                                 random_for(options, Purpose::cues, trial)
                                                     .stream(std::bit_cast<uint64_t>(options.noise[level])));
      if (!options.cues &&
          std::ssize(misleading[level]) == trial) { // the same cues for every memory of a measure
        misleading[level].push_back(misleading_fraction(view, cues, sample, measure_of(report.kind)));
      }
      // Without noise: already recalled.
      const bool is_self = self && !options.cues && cues == select(view.stored, sample);
      if (is_self) {
        progress.advance(cues.count());
      }
      const auto [recall, seconds] = is_self ? *self : timed_recall(cues);
      Samples& of_level = samples[level];
      of_level.seconds += seconds;
      const Matches matches =
          matches_of(view, recall.readout, have_length, options.cues ? std::vector<int64_t>() : sample);
      const Distinctness& of_targets = distinctness.of(matches.targets);
      report.distinct = std::min(report.distinct, of_targets.distinct);
      report.different = std::min(report.different, of_targets.different);
      report.all_compared = distinctness.all_are_compared();
      const std::vector<Outcome> results = outcomes(matches, recall.num_activated, of_targets.is_unique);
      std::vector<bool> exact(results.size());
      for (size_t i = 0; i < exact.size(); ++i) {
        exact[i] = results[i] == Outcome::exact;
      }
      of_level.exact.push_back(fraction_of(Outcome::exact, results));
      of_level.ambiguous.push_back(fraction_of(Outcome::ambiguous, results));
      of_level.cosine.push_back(mean_of(matches.cosines));
      of_level.steps.push_back(mean_of(recall.steps));
      of_level.settled.push_back(mean_of(recall.converged));
      of_level.unanswered.push_back(static_cast<double>(std::ranges::count(recall.num_activated, 0)) /
                                    static_cast<double>(cues.count()));
      if (trial == 0) {
        examples[level] = {view.shown(cues), view.shown_readouts(recall.readout), matches.targets,
                           matches.cosines, exact};
        if (options.cues) {
          examples[level].cue_cosines = cosines_to_stored(view, cues, matches.targets);
        }
      }
    }
  }
  for (size_t level = 0; level < levels; ++level) {
    const Samples& of_level = samples[level];
    // Noise differs between trials; other cues are the same in each, so that equal trials prove equality.
    const bool is_random =
        !options.cues && options.corruption != Corruption::mask && options.noise[level] > 0;
    SweepRow row{.memory = report.kind.name,
                 .noise = options.cues ? std::nullopt : std::optional(options.noise[level]),
                 .exact = mean_interval(of_level.exact, is_random ? std::ssize(examples[level].targets) : 0),
                 .ambiguous = mean_of(of_level.ambiguous),
                 .bit_error = std::nullopt,
                 .cosine = mean_interval(of_level.cosine),
                 .steps = mean_interval(of_level.steps),
                 .settled = mean_of(of_level.settled),
                 .unanswered = mean_of(of_level.unanswered),
                 .misleading = options.cues ? 0 : mean_of(misleading[level]),
                 .cue_cosine =
                     options.cues ? std::optional(mean_of(examples[level].cue_cosines)) : std::nullopt,
                 .cues = std::ssize(examples[level].targets),
                 .seconds = of_level.seconds};
    if (report.kind.on_bits) {
      row.bit_error = MeanInterval{(1 - row.cosine.mean) / 2, row.cosine.half_width};
      if (row.bit_error->half_width) {
        *row.bit_error->half_width /= 2;
      }
    }
    rows.push_back(row);
  }
}

void require_valid(const data::PatternSet& patterns, const SweepOptions& options) {
  if (patterns.patterns.empty()) {
    throw UsageError("there are 0 patterns to store, at least 1 is needed.");
  }
  if (options.memories.empty() || options.seeds < 1) {
    throw UsageError(fmt::format("{} memories and {} seeds were requested, at least one of each is needed.",
                                 options.memories.size(), options.seeds));
  }
  if (options.cues_max && *options.cues_max < 0) {
    throw UsageError(
        fmt::format("at most {} cues were requested, it must be 0 (all) or more.", *options.cues_max));
  }
  if (!options.cues && options.noise.empty()) {
    throw UsageError("no noise level was given: at least one is needed, such as 0.1.");
  }
  const int64_t size = patterns.patterns.size();
  for (const double noise : options.noise) {
    if (!(noise >= 0 && noise <= 1)) {
      const double flips = noise * static_cast<double>(size);
      throw UsageError(fmt::format(
          "a noise of {} would change {} of {} bits.\n  Noise is a fraction of the bits, in 0 .. 1.", noise,
          std::abs(flips) < 1e15 ? fmt::format("{:.0f}", flips) : "an impossible number", size));
    }
  }
  const bool on_reals =
      std::ranges::any_of(options.memories, [](const MemoryKind& kind) { return !kind.on_bits; });
  const bool flips_reals = on_reals && !options.cues && options.corruption == Corruption::flip;
  for (int64_t i = 0; i < patterns.patterns.count(); ++i) {
    for (int64_t j = 0; j < size; ++j) {
      constexpr double kMax = 1e150; // squares of larger numbers overflow a double
      const double x = patterns.patterns[i][static_cast<size_t>(j)];
      if (!(std::abs(x) <= kMax)) {
        throw UsageError(fmt::format("pattern {} contains {} at position {}, but the maximum is {}.\n"
                                     "  Scale the patterns down first.",
                                     i, x, j, kMax));
      }
      if (flips_reals && !(x >= 0 && x <= 1)) {
        throw UsageError(
            fmt::format("pattern {} contains {} at position {}, but only numbers in 0 .. 1 can be "
                        "flipped (x becomes 1 - x).\n  Use --corrupt cosine, or memories on bits.",
                        i, x, j));
      }
    }
  }
  if (options.values && options.values->patterns.count() != patterns.patterns.count()) {
    throw UsageError(fmt::format("there are {} values for {} patterns.\n  Give one value for each pattern.",
                                 options.values->patterns.count(), patterns.patterns.count()));
  }
  if (options.values && options.parameters.update_steps_max != 1) {
    throw UsageError(fmt::format("values are recalled in a single update step, but {} were requested.\n  A "
                                 "readout is a value, and no cue of a further step.",
                                 options.parameters.update_steps_max));
  }
  if (options.cues && options.cues->patterns.size() != size) {
    throw UsageError(
        fmt::format("the cues have {} components but the patterns have {}.\n  Both must have the same size.",
                    options.cues->patterns.size(), size));
  }
  if (options.cues && options.cues->patterns.empty()) {
    throw UsageError("there are 0 cues, at least 1 is needed.");
  }
  require_valid(options.parameters, size);
  // Before any memory is measured: the run would fail in the middle.
  if (std::ranges::any_of(options.memories,
                          [](const MemoryKind& kind) { return kind.uses.hard_locations; })) {
    NeuronSdm::require_memory({.bits = size,
                               .hard_locations = options.parameters.hard_locations,
                               .hamming_radius = options.parameters.hamming_radius.value_or(0)});
  }
}

std::string exceeded_bound(const MemoryKind& kind, const data::PatternSet& patterns) {
  const int64_t count = patterns.patterns.count(), bits = patterns.patterns.size();
  const double capacity = classical_hopfield_capacity(bits);
  if (!is_classical_hopfield(kind) || static_cast<double>(count) <= capacity) {
    return "";
  }
  const auto n = static_cast<double>(bits);
  const double without_errors = n / (2 * std::log(std::max(n, 2.0))); // McEliece et al. 1987
  return fmt::format(
      "{} patterns of {} bits are stored, but it recalls most random ones without errors only up to about "
      "n / (2 ln n) = {:.0f}, and with few wrong bits up to 0.138 n = {:.0f}",
      count, bits, without_errors, capacity);
}

} // namespace

int64_t cues_per_trial(const data::PatternSet& patterns, const SweepOptions& options) {
  const int64_t count = patterns.patterns.count();
  if (options.cues) {
    return options.cues->patterns.count();
  }
  if (options.cues_max) {
    return *options.cues_max == 0 ? count : std::min(*options.cues_max, count);
  }
  // About 3 s for a softmax of real numbers with 2 cores, and less for bits.
  constexpr double kWorkMax = 2.5e10;
  constexpr int64_t kCuesMin = 100;
  const double recalls = 1 + static_cast<double>(options.seeds) * static_cast<double>(options.noise.size());
  const double work_of_cue = static_cast<double>(count) * static_cast<double>(patterns.patterns.size());
  return std::min(count, std::max(kCuesMin, static_cast<int64_t>(kWorkMax / (recalls * work_of_cue))));
}

SweepResult sweep_recall(const data::PatternSet& patterns, const SweepOptions& options, Progress& progress,
                         const MemoryDone& done) {
  require_valid(patterns, options);
  SweepOptions checked = options;
  if (checked.cues) {
    checked.seeds = 1; // given cues are the same in every trial
  }
  SweepResult result;
  const data::PatternSet* values = options.values ? &*options.values : nullptr;
  BitView bits{.stored = to_bits(patterns.patterns, patterns.threshold),
               .own_values = {},
               .shape = patterns.image_shape(),
               .threshold = patterns.threshold};
  // Memories on bits do not need the patterns as numbers, which take 64 times their memory.
  const bool uses_reals =
      std::ranges::any_of(checked.memories, [](const MemoryKind& kind) { return !kind.on_bits; });
  const RealPatterns none(0, patterns.patterns.size());
  const RealPatterns& numbers = uses_reals ? patterns.patterns : none;
  const RealCoding coding(numbers, options.centre, options.normalise);
  const RealCoding value_coding =
      values ? RealCoding(values->patterns, options.centre, options.normalise) : coding;
  RealView reals{.raw = patterns.patterns,
                 .coding = coding,
                 .stored = coding.encode(numbers),
                 .value_coding = value_coding,
                 .own_values = {},
                 .shape = patterns.image_shape(),
                 .is_normalised = options.normalise};
  if (values != nullptr) {
    bits.own_values = to_bits(values->patterns, values->threshold);
    reals.own_values = value_coding.encode(values->patterns);
  }
  ParameterChooser chooser(bits.stored, reals.stored, options.parameters,
                           Random(options.seed).stream(static_cast<uint64_t>(Purpose::parameters)).at(0));
  const auto levels = static_cast<int64_t>(checked.cues ? 1 : checked.noise.size());
  const auto identical = [&] { return first_of_identical_pairs(patterns.patterns, values); };
  DistinctnessOf<BitView> of_bits(bits, identical, progress);
  DistinctnessOf<RealView> of_reals(reals, identical, progress);
  std::map<size_t, std::vector<std::vector<double>>> misleading; // by measure, noise level and trial
  bool has_parameters[2] = {};                                   // a memory of real numbers, of bits
  size_t width = 22;
  for (const MemoryKind& kind : checked.memories) {
    width = std::max(width, kind.name.size() + 1);
  }
  const std::vector<int64_t> sample = self_recalled(patterns, checked);
  const int64_t num_stored = patterns.patterns.count(), num_cues = cues_per_trial(patterns, checked);
  for (const MemoryKind& kind : checked.memories) {
    if (kind.on_bits) {
      of_bits.of(sample);
    } else {
      of_reals.of(sample);
    }
    MemoryReport report{.kind = kind};
    {
      const LongStage stage(progress, fmt::format("parameters of {}", kind.name), 1,
                            std::exchange(has_parameters[kind.on_bits ? 1 : 0], true)
                                ? 0 // distances are known
                                : num_stored * patterns.patterns.size());
      report.parameters = chooser.parameters_for(kind);
    }
    // Stored patterns are recalled from themselves first; cues of all levels and seeds follow.
    progress.start(fmt::format("{:<{}}", kind.name, width),
                   std::ssize(sample) +
                       checked.seeds * (levels * num_cues + (kind.uses.hard_locations ? num_stored : 0)));
    std::vector<SweepRow> rows;
    std::vector<SweepExamples> examples;
    if (kind.on_bits) {
      run_memory(bits, of_bits, checked, sample, misleading[measure_of(kind).index()], report, rows, examples,
                 progress, [&](int64_t trial) {
                   return build(kind, bits.stored, report.parameters,
                                random_for(checked, Purpose::hard_locations, trial).at(0), &progress,
                                bits.own_values);
                 });
    } else {
      RecallReals recall =
          build(kind, reals.stored, report.parameters, &progress, reals.own_values); // in every trial
      run_memory(reals, of_reals, checked, sample, misleading[measure_of(kind).index()], report, rows,
                 examples, progress, [&](int64_t) { return recall; });
    }
    progress.finish();
    report.bound = exceeded_bound(kind, patterns);
    result.memories.push_back(report);
    result.rows.insert(result.rows.end(), rows.begin(), rows.end());
    done(report, rows, examples);
  }
  return result;
}

} // namespace mneme::trials
