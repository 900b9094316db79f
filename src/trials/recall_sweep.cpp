// SPDX-License-Identifier: MIT

#include "mneme/trials/recall_sweep.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/parallel.h"
#include "mneme/core/random.h"
#include "mneme/data/corruption.h"
#include "mneme/memory/hopfield_network.h"

namespace mneme::trials {
namespace {

/// What streams of random numbers are for; fixed numbers, so that a seed means the same in every version.
enum class Purpose : uint64_t { cues = 1, hard_locations = 2 };

Random random_for(const SweepOptions& options, Purpose purpose, int64_t trial) {
  return Random(options.seed).stream(static_cast<uint64_t>(purpose)).stream(static_cast<uint64_t>(trial));
}

/// The form in which real-valued memories see patterns, and the way back to pictures.
class RealCoding {
public:
  RealCoding(const RealPatterns& patterns, bool centre) : mean_(static_cast<size_t>(patterns.size()), 0.0) {
    const auto count = static_cast<double>(patterns.count());
    for (int64_t i = 0; centre && i < patterns.count() && patterns.count() > 1; ++i) {
      for (size_t j = 0; j < mean_.size(); ++j) {
        mean_[j] += patterns[i][j] / count;
      }
    }
    for (int64_t i = 0; i < patterns.count(); ++i) {
      double squares = 0;
      for (size_t j = 0; j < mean_.size(); ++j) {
        squares += (patterns[i][j] - mean_[j]) * (patterns[i][j] - mean_[j]);
      }
      typical_length_ += std::sqrt(squares) / count;
    }
  }

  RealPatterns encode(RealPatterns patterns) const {
    for (int64_t i = 0; i < patterns.count(); ++i) {
      for (size_t j = 0; j < mean_.size(); ++j) {
        patterns[i][j] -= mean_[j];
      }
    }
    return normalised(patterns);
  }

  /// Readouts know no length: they are shown at that of a typical pattern.
  RealPatterns decode(const RealPatterns& readouts) const {
    RealPatterns shown = normalised(readouts, typical_length_);
    for (int64_t i = 0; i < shown.count(); ++i) {
      for (size_t j = 0; j < mean_.size(); ++j) {
        shown[i][j] += mean_[j];
      }
    }
    return shown;
  }

private:
  std::vector<double> mean_;
  double typical_length_ = 0;
};

int64_t flips_of(double noise, int64_t size) {
  return std::llround(noise * static_cast<double>(size));
}

/// The patterns as memories on bits know them.
struct BitSide {
  using Patterns = BitPatterns;
  BitPatterns stored;
  data::ImageShape shape;
  double threshold;

  BitPatterns corrupted(Corruption corruption, double noise, const Random& random) const {
    switch (corruption) {
    case Corruption::mask:
      return data::mask(stored, noise, shape);
    case Corruption::salt_and_pepper:
      return data::salt_and_pepper(stored, noise, random);
    default:
      return data::flip_bits(stored, flips_of(noise, stored.bits()), random);
    }
  }
  BitPatterns given(const RealPatterns& cues) const { return to_bits(cues, threshold); }
  RealPatterns shown(const BitPatterns& bits) const { return to_zeros_and_ones(bits); }
  double likeness(const BitPatterns& readouts, int64_t i, int64_t target) const {
    return 1 - 2 * static_cast<double>(hamming_distance(readouts, i, stored, target)) /
                   static_cast<double>(stored.bits());
  }
  static bool is_exact(double likeness) { return likeness == 1; }
};

/// The patterns as real-valued memories know them.
struct RealSide {
  using Patterns = RealPatterns;
  const RealPatterns& raw;
  RealCoding coding;
  RealPatterns stored;
  data::ImageShape shape;

  RealPatterns corrupted(Corruption corruption, double noise, const Random& random) const {
    switch (corruption) {
    case Corruption::cosine: // In the form that is compared, so that the cosine is what was asked for.
      return data::cosine_noise(stored, 1 - 2 * noise, random);
    case Corruption::mask:
      return coding.encode(data::mask(raw, noise, shape));
    case Corruption::salt_and_pepper:
      return coding.encode(data::salt_and_pepper(raw, noise, random));
    default:
      return coding.encode(data::flip_bits(raw, flips_of(noise, raw.size()), random));
    }
  }
  RealPatterns given(const RealPatterns& cues) const { return coding.encode(cues); }
  RealPatterns shown(const RealPatterns& patterns) const { return coding.decode(patterns); }
  double likeness(const RealPatterns& readouts, int64_t i, int64_t target) const {
    return cosine(readouts, i, stored, target);
  }
  static bool is_exact(double likeness) { return likeness >= kExactCosine; }
};

/// Per cue: how alike its readout is to its pattern.
template <class Side>
std::vector<double> likenesses(const Side& side, const typename Side::Patterns& readouts,
                               std::vector<int64_t>& targets, bool nearest) {
  std::vector<double> values(static_cast<size_t>(readouts.count()));
  targets.resize(values.size());
  parallel_for(readouts.count(), 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto at = static_cast<size_t>(i);
      targets[at] = i;
      if (!nearest) {
        values[at] = side.likeness(readouts, i, i);
        continue;
      }
      values[at] = -std::numeric_limits<double>::infinity();
      for (int64_t target = 0; target < side.stored.count(); ++target) {
        if (const double likeness = side.likeness(readouts, i, target); likeness > values[at]) {
          values[at] = likeness;
          targets[at] = target;
        }
      }
    }
  });
  return values;
}

/// Per cue: whether its pattern was recalled. A cue that nothing answered was kept, not recalled.
template <class Side>
std::vector<bool> recalled(const std::vector<double>& likenesses, const std::vector<int64_t>& reached) {
  std::vector<bool> exact(likenesses.size());
  for (size_t i = 0; i < exact.size(); ++i) {
    exact[i] = reached[i] > 0 && Side::is_exact(likenesses[i]);
  }
  return exact;
}

template <class Number> double mean_of(const std::vector<Number>& numbers) {
  double sum = 0;
  for (const Number x : numbers) {
    sum += static_cast<double>(x);
  }
  return sum / static_cast<double>(numbers.size());
}

struct Samples {
  std::vector<double> exact, cosine, steps, settled, unanswered;
  double seconds = 0;
};

/// One memory through all trials and noise levels. `build_for` makes its recall function for a trial.
template <class Side, class BuildFor>
void run_memory(const Side& side, const SweepOptions& options, MemoryReport& report,
                std::vector<SweepRow>& rows, std::vector<SweepPictures>& pictures, Progress& progress,
                BuildFor build_for) {
  const size_t levels = options.cues ? 1 : options.noise.size();
  std::vector<Samples> samples(levels);
  pictures.resize(levels);
  for (int64_t trial = 0; trial < options.seeds; ++trial) {
    const auto recall_from = build_for(trial);
    if (trial == 0) {
      const Recall<typename Side::Patterns> self = recall_from(side.stored);
      std::vector<int64_t> targets;
      const std::vector<double> alike = likenesses(side, self.readout, targets, false);
      report.self_recall = mean_of(recalled<Side>(alike, self.reached));
      report.out_of_reach = 2 * std::ranges::count(self.reached, 0) > self.readout.count();
      report.beyond_capacity = report.self_recall < 0.5;
      progress.advance();
    }
    for (size_t level = 0; level < levels; ++level) {
      const typename Side::Patterns cues =
          options.cues ? side.given(options.cues->patterns)
                       : side.corrupted(options.corruption, options.noise[level],
                                        random_for(options, Purpose::cues, trial)
                                            .stream(std::bit_cast<uint64_t>(options.noise[level])));
      const auto begin = std::chrono::steady_clock::now();
      const Recall<typename Side::Patterns> recall = recall_from(cues);
      Samples& sample = samples[level];
      sample.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      std::vector<int64_t> targets;
      const std::vector<double> alike = likenesses(side, recall.readout, targets, options.cues.has_value());
      const std::vector<bool> exact = recalled<Side>(alike, recall.reached);
      sample.exact.push_back(mean_of(exact));
      sample.cosine.push_back(mean_of(alike));
      sample.steps.push_back(mean_of(recall.steps));
      sample.settled.push_back(mean_of(recall.converged));
      sample.unanswered.push_back(static_cast<double>(std::ranges::count(recall.reached, 0)) /
                                  static_cast<double>(cues.count()));
      if (trial == 0) {
        pictures[level] = {side.shown(cues), side.shown(recall.readout), targets, alike, exact};
      }
      progress.advance();
    }
  }
  for (size_t level = 0; level < levels; ++level) {
    const Samples& sample = samples[level];
    SweepRow row{.memory = report.kind.name,
                 .noise = options.cues ? std::nullopt : std::optional(options.noise[level]),
                 .exact = mean_interval(sample.exact),
                 .bit_error = std::nullopt,
                 .cosine = mean_interval(sample.cosine),
                 .steps = mean_interval(sample.steps),
                 .settled = mean_of(sample.settled),
                 .unanswered = mean_of(sample.unanswered),
                 .seconds = sample.seconds};
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
    throw UsageError("there are 0 patterns: nothing can be stored, and nothing recalled.");
  }
  if (options.memories.empty() || options.seeds < 1) {
    throw UsageError(fmt::format("{} memories and {} seeds were asked for: at least one of each is needed.",
                                 options.memories.size(), options.seeds));
  }
  if (!options.cues && options.noise.empty()) {
    throw UsageError("no noise level was given: at least one is needed, such as 0.1.");
  }
  const int64_t size = patterns.patterns.size();
  for (const double noise : options.noise) {
    if (!(noise >= 0 && noise <= 1)) {
      const double flips = noise * static_cast<double>(size);
      throw UsageError(fmt::format(
          "a noise of {} would change {} of {} bits.\n  Noise is a share of the bits, in 0 .. 1.", noise,
          std::abs(flips) < 1e15 ? fmt::format("{:.0f}", flips) : "an impossible number", size));
    }
  }
  const bool on_reals =
      std::ranges::any_of(options.memories, [](const MemoryKind& kind) { return !kind.on_bits; });
  const bool flips_reals = on_reals && !options.cues && options.corruption == Corruption::flip;
  for (int64_t i = 0; i < patterns.patterns.count(); ++i) {
    for (int64_t j = 0; j < size; ++j) {
      constexpr double kLargest = 1e150; // squares of larger numbers leave the range of doubles
      const double x = patterns.patterns[i][static_cast<size_t>(j)];
      if (!(std::abs(x) <= kLargest)) {
        throw UsageError(fmt::format("pattern {} holds {} at place {}, but numbers can be compared up to "
                                     "{}.\n  Scale the patterns down "
                                     "first.",
                                     i, x, j, kLargest));
      }
      if (flips_reals && !(x >= 0 && x <= 1)) {
        throw UsageError(fmt::format("pattern {} holds {} at place {}, but only numbers in 0 .. 1 can be "
                                     "flipped (x becomes 1 - x).\n  Take "
                                     "--corrupt cosine, or memories on bits.",
                                     i, x, j));
      }
    }
  }
  if (options.cues && options.cues->patterns.size() != size) {
    throw UsageError(
        fmt::format("the cues have {} components but the patterns {}.\n  Both must be of one size.",
                    options.cues->patterns.size(), size));
  }
  if (options.cues && options.cues->patterns.empty()) {
    throw UsageError("there are 0 cues: nothing can be recalled.");
  }
}

std::string exceeded_bound(const MemoryKind& kind, const data::PatternSet& patterns) {
  const int64_t count = patterns.patterns.count(), bits = patterns.patterns.size();
  const double capacity = classical_hopfield_capacity(bits);
  if (kind.name != "hopfield" || static_cast<double>(count) <= capacity) {
    return "";
  }
  return fmt::format("{} patterns of {} bits are stored, and it holds about {:.0f} random ones (0.138 n)",
                     count, bits, capacity);
}

} // namespace

SweepResult sweep_recall(const data::PatternSet& patterns, const SweepOptions& options, Progress& progress,
                         const MemoryDone& done) {
  require_valid(patterns, options);
  SweepOptions checked = options;
  if (checked.cues) {
    checked.seeds = 1; // Given cues are the same in every trial.
  }
  SweepResult result;
  result.parameters = parameters_for(patterns.patterns.size(), patterns.patterns.count(), options.parameters);
  const BitSide bits{to_bits(patterns.patterns, patterns.threshold), patterns.image_shape(),
                     patterns.threshold};
  const RealCoding coding(patterns.patterns, options.centre);
  const RealSide reals{patterns.patterns, coding, coding.encode(patterns.patterns), patterns.image_shape()};
  const auto levels = static_cast<int64_t>(checked.cues ? 1 : checked.noise.size());
  if (options.corruption == Corruption::cosine && !options.cues) {
    for (int64_t i = 0; i < reals.stored.count(); ++i) {
      if (std::ranges::all_of(reals.stored[i], [](double x) { return x == 0; })) {
        throw UsageError(fmt::format("pattern {} has no direction (nothing is left of it{}): it cannot be "
                                     "turned to a cosine.\n  Leave it "
                                     "out, or take another --corrupt.",
                                     i, options.centre ? " once the mean of all patterns is taken off" : ""));
      }
    }
  }
  for (const MemoryKind& kind : checked.memories) {
    progress.start(fmt::format("{:<22}", kind.name), checked.seeds * levels + 1);
    MemoryReport report{.kind = kind};
    std::vector<SweepRow> rows;
    std::vector<SweepPictures> pictures;
    if (kind.on_bits) {
      run_memory(bits, checked, report, rows, pictures, progress, [&](int64_t trial) {
        return build(kind, bits.stored, result.parameters,
                     random_for(checked, Purpose::hard_locations, trial).at(0));
      });
    } else {
      RecallReals recall = build(kind, reals.stored, result.parameters); // The same in every trial.
      run_memory(reals, checked, report, rows, pictures, progress, [&](int64_t) { return recall; });
    }
    progress.finish();
    report.bound = exceeded_bound(kind, patterns);
    result.memories.push_back(report);
    result.rows.insert(result.rows.end(), rows.begin(), rows.end());
    done(report, rows, pictures);
  }
  return result;
}

} // namespace mneme::trials
