// SPDX-License-Identifier: MIT

#include "mneme/trials/projection_recall.h"

#include <cmath>
#include <numbers>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/data/corruption.h"
#include "mneme/theory/cap_intersection.h"
#include "mneme/theory/circle_intersection.h"
#include "mneme/trials/memory_kinds.h"
#include "mneme/trials/published_recall.h"

namespace mneme::trials {
namespace {

struct Candidate {
  ProjectionRecall row;
  PublishedWeighting weighting;
};

void check(const RealPatterns& stored, const RealPatterns& targets, const RealPatterns& matrix,
           const ProjectionRecallOptions& test) {
  const auto fail = [](const std::string& what, const char* how_to_fix) {
    throw UsageError("mneme::trials::recall_with_projection: " + what + "\n  " + how_to_fix);
  };
  if (stored.size() != targets.size() || stored.size() != matrix.size()) {
    fail(fmt::format(
             "stored patterns have {} numbers, targets {}, rows of the matrix {}, but all must be equal.",
             stored.size(), targets.size(), matrix.size()),
         "Use the matrix that was trained on patterns of this size.");
  }
  if (stored.empty() || targets.empty() || test.noise.empty()) {
    fail(fmt::format("{} stored patterns, {} targets and {} amounts of noise given, at least 1 of each is "
                     "needed.",
                     stored.count(), targets.count(), test.noise.size()),
         "Without them there is nothing to evaluate.");
  }
  for (const double noise : test.noise) {
    if (!(noise >= 0 && noise <= static_cast<double>(stored.size()))) {
      fail(fmt::format("the noise is {}, but patterns have {} numbers.", noise, stored.size()),
           "Choose a noise from 0 to the size of a pattern.");
    }
  }
}

/// Log of the number of locations that a pattern shares with itself, which is the maximum. The published
/// table of caps is too large by a factor of e^2 / 2 = 3.69.
double log_max_shared(bool caps, int64_t dimension, int64_t radius, double hard_locations) {
  const double log_fraction = caps
                                  ? theory::log_cap_intersection(dimension, radius, 1) + 2 - std::numbers::ln2
                                  : theory::log_circle_intersections(dimension, radius)[0] -
                                        static_cast<double>(dimension) * std::numbers::ln2;
  return std::log(hard_locations) + log_fraction;
}

std::vector<Candidate> candidates(int64_t dimension, const ProjectionRecallOptions& test) {
  std::vector<Candidate> all;
  const auto add = [&](bool is_attention, const std::optional<double>& hard_locations) {
    for (const MemoryKind& kind : memory_kinds()) {
      for (const PublishedName& published : kind.published) {
        if (kind.on_bits || kind.uses.beta != is_attention ||
            published.finite_locations != hard_locations.has_value()) {
          continue;
        }
        // The first published name of a row is that of infinitely many locations.
        const std::string& name = hard_locations ? kind.published.front().name : published.name;
        Candidate candidate{ProjectionRecall{.algorithm = name, .hard_locations = hard_locations},
                            published_weighting(published.name, dimension,
                                                {.hamming_radius = test.hamming_radius,
                                                 .hard_locations = hard_locations.value_or(1),
                                                 .seed = test.seed})};
        Separation& separation = candidate.weighting.options.separation;
        if (auto* softmax = std::get_if<Softmax>(&separation)) {
          if (test.beta && published.fit_target == BetaFitTarget::circle_intersection) {
            softmax->beta = *test.beta;
          }
          candidate.row.beta = softmax->beta;
        }
        // Rounded as published: less than half a location is none.
        if (!hard_locations || log_max_shared(std::holds_alternative<CapIntersection>(separation), dimension,
                                              test.hamming_radius, *hard_locations) >= std::log(0.5)) {
          all.push_back(std::move(candidate));
        }
      }
    }
  };
  for (const std::optional<double>& hard_locations : test.hard_locations) {
    add(false, hard_locations);
  }
  add(true, std::nullopt);
  return all;
}

void add_cosines(ProjectionRecall& row, const RealPatterns& readout, const RealPatterns& targets) {
  const auto count = static_cast<double>(targets.count());
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < targets.count(); ++i) {
    const double similarity = cosine(readout, i, targets, i);
    sum += similarity;
    squares += similarity * similarity;
  }
  row.mean_cosine.push_back(sum / count);
  row.deviation.push_back(std::sqrt(std::max(0.0, squares / count - sum / count * (sum / count))));
}

} // namespace

std::vector<ProjectionRecall> recall_with_projection(const RealPatterns& stored, const RealPatterns& targets,
                                                     const RealPatterns& matrix,
                                                     const ProjectionRecallOptions& test,
                                                     Progress& progress) {
  check(stored, targets, matrix, test);
  std::vector<Candidate> all = candidates(matrix.count(), test);
  progress.start("testing the projection", static_cast<int64_t>(all.size() * test.noise.size()));
  std::vector<RealPatterns> cues;
  for (size_t i = 0; i < test.noise.size(); ++i) {
    cues.push_back(data::cosine_noise(targets, 1 - 2 * test.noise[i] / static_cast<double>(stored.size()),
                                      Random(test.seed).stream(i)));
  }
  std::vector<ProjectionRecall> rows;
  for (Candidate& candidate : all) {
    AssociateOptions<RealPatterns>& options = candidate.weighting.options;
    options.encode = matrix;
    options.projection = Average{};
    const AssociativeMemory<RealPatterns> memory(stored, options);
    const UpdateOptions update =
        published_update(test.update_steps_max, test.stop_together, candidate.weighting.empty_read);
    for (const RealPatterns& noisy : cues) {
      add_cosines(candidate.row, memory.recall(noisy, update).readout, targets);
      progress.advance();
    }
    rows.push_back(std::move(candidate.row));
  }
  progress.finish();
  return rows;
}

} // namespace mneme::trials
