// SPDX-License-Identifier: MIT

/// Loop over update steps, shared by all memories.
#pragma once

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "memory/checks.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/parallel.h"
#include "mneme/memory/update.h"

namespace mneme {

/// True if the readout of a cue equals its query, up to the tolerance.
bool has_converged(std::span<const uint64_t> query, std::span<const uint64_t> readout,
                   const UpdateOptions& update);
bool has_converged(std::span<const double> query, std::span<const double> readout,
                   const UpdateOptions& update);

/// Update step that processes each distinct query once, since converging cues become equal. Calls
/// step(distinct queries, readout, num_activated) and copies the results to all queries.
template <class Step>
void step_distinct_queries(const BitPatterns& queries, BitPatterns& readout, std::span<int64_t> num_activated,
                           Step step) {
  const std::vector<int64_t> indices = distinct_pattern_indices(queries);
  const int64_t count = queries.empty() ? 0 : *std::ranges::max_element(indices) + 1;
  BitPatterns distinct(count, queries.bits()), distinct_readout(count, readout.bits());
  std::vector<int64_t> distinct_activated(static_cast<size_t>(count), 0);
  for (int64_t q = 0; q < queries.count(); ++q) {
    std::ranges::copy(queries[q], distinct[indices[static_cast<size_t>(q)]].begin());
  }
  step(std::as_const(distinct), distinct_readout, std::span<int64_t>(distinct_activated));
  for (int64_t q = 0; q < queries.count(); ++q) {
    const int64_t index = indices[static_cast<size_t>(q)];
    std::ranges::copy(std::as_const(distinct_readout)[index], readout[q].begin());
    num_activated[static_cast<size_t>(q)] = distinct_activated[static_cast<size_t>(index)];
  }
}

/// Runs update steps until all cues have converged or update_steps_max is reached. Converged cues drop out,
/// so the queries of a step are a subset of the cues.
///
/// step(queries, cue, step index, readout, num_activated) computes the readouts of `queries` and the number
/// of stored patterns or hard locations that each activates; cue[i] is the index of the cue that query i
/// belongs to. between(readout) converts readouts into the next queries, in place.
template <class Patterns, class Step, class Between>
Recall<Patterns> run_update_steps(const Patterns& cues, int64_t readout_size, const UpdateOptions& update,
                                  Step step, Between between) {
  require_valid(update, pattern_size(cues), readout_size);
  const auto count = static_cast<size_t>(cues.count());
  Recall<Patterns> recall{Patterns(cues.count(), readout_size), std::vector<int64_t>(count, 0),
                          std::vector<uint8_t>(count, 0), std::vector<int64_t>(count, 0)};
  std::vector<int64_t> active(count);
  std::iota(active.begin(), active.end(), 0);
  Patterns queries = cues;
  for (int64_t index = 0; index < update.update_steps_max && !active.empty(); ++index) {
    throw_if_interrupted();
    Patterns readout(queries.count(), readout_size);
    std::vector<int64_t> num_activated(active.size(), 0);
    step(queries, std::span<const int64_t>(active), index, readout, std::span<int64_t>(num_activated));

    std::vector<uint8_t> converged(active.size(), 0);
    if (pattern_size(cues) == readout_size) {
      parallel_for(static_cast<int64_t>(active.size()), 64, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          converged[static_cast<size_t>(i)] =
              has_converged(std::as_const(queries)[i], std::as_const(readout)[i], update) ? 1 : 0;
        }
      });
    }
    std::vector<int64_t> moving; // indices into `active` of the cues that have not converged
    for (size_t i = 0; i < active.size(); ++i) {
      const auto cue = static_cast<size_t>(active[i]);
      recall.steps[cue] = index + 1;
      recall.num_activated[cue] = num_activated[i];
      recall.converged[cue] = converged[i];
      if (converged[i] == 0) {
        moving.push_back(static_cast<int64_t>(i));
      }
    }
    between(readout);
    parallel_for(static_cast<int64_t>(active.size()), 64, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        std::ranges::copy(std::as_const(readout)[i], recall.readout[active[static_cast<size_t>(i)]].begin());
      }
    });
    if (moving.empty() || index + 1 == update.update_steps_max) {
      break;
    }
    if (update.stop_together || moving.size() == active.size()) {
      queries = std::move(readout);
      continue;
    }
    Patterns next(static_cast<int64_t>(moving.size()), readout_size);
    std::vector<int64_t> next_active(moving.size());
    for (size_t i = 0; i < moving.size(); ++i) {
      std::ranges::copy(std::as_const(readout)[moving[i]], next[static_cast<int64_t>(i)].begin());
      next_active[i] = active[static_cast<size_t>(moving[i])];
    }
    queries = std::move(next);
    active = std::move(next_active);
  }
  return recall;
}

} // namespace mneme
