// SPDX-License-Identifier: MIT

#include "mneme/trials/published_recall.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/parallel.h"
#include "mneme/data/corruption.h"
#include "mneme/memory/attention.h"
#include "mneme/memory/update.h"
#include "mneme/trials/memory_kinds.h"

namespace mneme::trials {
namespace {

constexpr double kMaxFixedPointChange = 1e-6; // several rounding errors of a float32 component
constexpr double kCosineTolerance = 1e-5;     // tolerance of the published check
constexpr int64_t kDrawsMax = 100;

using Options = PublishedRecallOptions;

/// A memory from the table under one of its published names.
struct Algorithm {
  PublishedName published;
  MemoryKind kind;

  MemoryParameters parameters(int64_t size, const Options& options) const {
    const auto beta = [&] {
      return std::get<Softmax>(sdm_attention(size, options.hamming_radius, published.fit_target).separation)
          .beta;
    };
    return {.hamming_radius = options.hamming_radius,
            .hard_locations = options.hard_locations,
            .beta = kind.uses.beta ? beta() : 0};
  }
};

Algorithm find(const std::string& name) {
  for (MemoryKind kind : memory_kinds()) {
    for (const PublishedName& published : kind.published) {
      if (published.name == name) {
        kind.uses.finite_locations = published.finite_locations;
        return {published, kind};
      }
    }
  }
  throw UsageError(fmt::format("mneme::trials: there is no published algorithm \"{}\".\n  Valid names: {}.",
                               name, fmt::join(published_algorithms(), ", ")));
}

double cosine_between(const BitPatterns& readout, const BitPatterns& patterns, int64_t i) {
  return 1 - 2 * static_cast<double>(hamming_distance(readout, i, patterns, i)) /
                 static_cast<double>(patterns.bits());
}

double cosine_between(const RealPatterns& readout, const RealPatterns& patterns, int64_t i) {
  return cosine(readout, i, patterns, i);
}

template <class Patterns>
PublishedRecall with_cosines(const Recall<Patterns>& run, const Patterns& patterns) {
  PublishedRecall result{.steps = run.steps.empty() ? 0 : *std::ranges::max_element(run.steps),
                         .settled = std::ranges::all_of(run.converged, [](uint8_t one) { return one != 0; })};
  for (int64_t i = 0; i < run.readout.count(); ++i) {
    result.cosines.push_back(cosine_between(run.readout, patterns, i));
  }
  if constexpr (std::is_same_v<Patterns, BitPatterns>) {
    result.readouts.bits = run.readout;
  } else {
    result.readouts.reals = run.readout;
  }
  return result;
}

double max_change(const RealPatterns& before, const RealPatterns& after) {
  double move = 0;
  for (int64_t i = 0; i < after.count(); ++i) {
    for (size_t j = 0; j < after[i].size(); ++j) {
      move = std::max(move, std::abs(after[i][j] - before[i][j]));
    }
  }
  return move;
}

/// Recalls step by step and stops at a fixed point.
PublishedRecall recall_until_fixed(const AssociativeMemory<RealPatterns>& memory, const RealPatterns& cues,
                                   const RealPatterns& patterns, int64_t update_steps_max) {
  const UpdateOptions one_step = published_update(1, true, EmptyRead::keep_query);
  RealPatterns query = cues;
  for (int64_t step = 1;; ++step) {
    throw_if_interrupted();
    Recall<RealPatterns> run = memory.recall(query, one_step);
    PublishedRecall result = with_cosines(run, patterns);
    result.steps = step;
    if (result.settled || step == update_steps_max) {
      return result;
    }
    if (max_change(query, run.readout) <= kMaxFixedPointChange) {
      result.steps = update_steps_max;
      return result;
    }
    query = std::move(run.readout);
  }
}

} // namespace

PublishedWeighting published_weighting(const std::string& algorithm, int64_t size, const Options& options) {
  const Algorithm chosen = find(algorithm);
  if (chosen.kind.on_bits) {
    throw UsageError(
        fmt::format("mneme::trials::published_weighting: {} works on bits.\n  Use an algorithm on "
                    "real patterns, such as Cont_SDM.",
                    algorithm));
  }
  PublishedWeighting weighting{.options = association<RealPatterns>(
                                   chosen.kind, size, chosen.parameters(size, options), options.seed)};
  weighting.options.precision = Precision::float32; // as published
  if (auto* caps = std::get_if<CapIntersection>(&weighting.options.separation)) {
    caps->original_table = true;
    if (caps->locations) {
      weighting.empty_read = EmptyRead::mean_of_values;
    }
  }
  return weighting;
}

std::vector<std::string> published_algorithms() {
  std::vector<std::string> names;
  for (const MemoryKind& kind : memory_kinds()) {
    std::ranges::transform(kind.published, std::back_inserter(names), &PublishedName::name);
  }
  return names;
}

bool is_on_bits(const std::string& algorithm) {
  return find(algorithm).kind.on_bits;
}

PublishedPatterns published_patterns(const RealPatterns& patterns, double threshold) {
  return {to_bits(patterns, threshold), normalised(patterns)};
}

PublishedPatterns published_cues(const PublishedPatterns& patterns, int64_t count, int64_t distance,
                                 bool keep_nearest, const Random& random) {
  PublishedPatterns cues;
  const auto draw_all = [&](auto& target, const auto& stored, const auto& damage, const auto& is_nearest) {
    if (stored.empty()) {
      return;
    }
    const auto first = slice(stored, 0, count);
    target = first;
    std::vector<uint8_t> missing(static_cast<size_t>(count), 1);
    for (int64_t draw = 0; std::ranges::any_of(missing, [](uint8_t one) { return one != 0; }); ++draw) {
      if (draw == kDrawsMax) {
        throw UsageError(fmt::format(
            "mneme::trials::published_cues: no cue at a distance of {} bits from its pattern, and "
            "farther from all {} others, was found in {} draws.\n  Choose a smaller distance.",
            distance, stored.count() - 1, kDrawsMax));
      }
      const auto drawn = damage(first, random.stream(static_cast<uint64_t>(draw)));
      parallel_for(count, 16, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          if (missing[static_cast<size_t>(i)] != 0 && (!keep_nearest || is_nearest(drawn, i))) {
            std::ranges::copy(drawn[i], target[i].begin());
            missing[static_cast<size_t>(i)] = 0;
          }
        }
      });
    }
  };
  draw_all(
      cues.bits, patterns.bits,
      [&](const BitPatterns& first, const Random& stream) {
        return data::flip_bits(first, distance, stream);
      },
      [&](const BitPatterns& drawn, int64_t i) {
        for (int64_t other = 0; other < patterns.bits.count(); ++other) {
          if (hamming_distance(drawn, i, patterns.bits, other) < distance) {
            return false;
          }
        }
        return true;
      });
  const double target = 1 - 2 * static_cast<double>(distance) / static_cast<double>(patterns.reals.size());
  draw_all(
      cues.reals, patterns.reals,
      [&](const RealPatterns& first, const Random& stream) {
        return data::cosine_noise(first, target, stream);
      },
      [&](const RealPatterns& drawn, int64_t i) {
        for (int64_t other = 0; other < patterns.reals.count(); ++other) {
          if (cosine(drawn, i, patterns.reals, other) > target + kCosineTolerance) {
            return false;
          }
        }
        return true;
      });
  return cues;
}

PublishedMemory::PublishedMemory(const std::string& algorithm, const PublishedPatterns& patterns,
                                 const Options& options) {
  const Algorithm chosen = find(algorithm);
  if (chosen.kind.on_bits) {
    recall_ = [memory = build(
                   chosen.kind, patterns.bits, chosen.parameters(patterns.bits.bits(), options), options.seed,
                   published_update(options.update_steps_max, true, EmptyRead::zeros), Precision::float64),
               stored = patterns.bits](const PublishedPatterns& cues) {
      return with_cosines(memory(cues.bits), stored);
    };
    return;
  }
  const auto [real, empty_read] = published_weighting(algorithm, patterns.reals.size(), options);
  const AssociativeMemory<RealPatterns> memory(patterns.reals, real);
  recall_ = [memory, empty_read = empty_read, draws = chosen.published.finite_locations,
             steps = options.update_steps_max, stored = patterns.reals](const PublishedPatterns& cues) {
    return draws ? with_cosines(memory.recall(cues.reals, published_update(steps, true, empty_read)), stored)
                 : recall_until_fixed(memory, cues.reals, stored, steps);
  };
}

PublishedRecall PublishedMemory::recall(const PublishedPatterns& cues) const {
  return recall_(cues);
}

} // namespace mneme::trials
