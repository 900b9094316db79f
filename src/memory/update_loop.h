// SPDX-License-Identifier: MIT

/// The loop of update steps that all memories share.
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

/// True if the readout of a cue is where its query was.
bool has_settled(std::span<const uint64_t> query, std::span<const uint64_t> readout,
                 const UpdateOptions& update);
bool has_settled(std::span<const double> query, std::span<const double> readout, const UpdateOptions& update);

/// Equal queries are asked once: cues fall together as they settle. ask(distinct queries, readout, reached)
template <class Ask>
void ask_distinct(const BitPatterns& queries, BitPatterns& readout, std::span<int64_t> reached, Ask ask) {
  const std::vector<int64_t> place = places_of_distinct(queries);
  const int64_t count = queries.empty() ? 0 : *std::ranges::max_element(place) + 1;
  BitPatterns distinct(count, queries.bits()), answer(count, readout.bits());
  std::vector<int64_t> answered(static_cast<size_t>(count), 0);
  for (int64_t q = 0; q < queries.count(); ++q) {
    std::ranges::copy(queries[q], distinct[place[static_cast<size_t>(q)]].begin());
  }
  ask(std::as_const(distinct), answer, std::span<int64_t>(answered));
  for (int64_t q = 0; q < queries.count(); ++q) {
    const int64_t from = place[static_cast<size_t>(q)];
    std::ranges::copy(std::as_const(answer)[from], readout[q].begin());
    reached[static_cast<size_t>(q)] = answered[static_cast<size_t>(from)];
  }
}

/// A step asks `queries`; `cue[i]` says which cue query i belongs to. It fills readout and reached (both as
/// long as queries).
///
/// step(queries, cue, step index, readout, reached)
/// between(readout) turns a readout into the next query.
template <class Patterns, class Step, class Between>
Recall<Patterns> recall_in_steps(const Patterns& cues, int64_t readout_size, const UpdateOptions& update,
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
    std::vector<int64_t> reached(active.size(), 0);
    step(queries, std::span<const int64_t>(active), index, readout, std::span<int64_t>(reached));

    std::vector<uint8_t> settled(active.size(), 0);
    if (pattern_size(cues) == readout_size) {
      parallel_for(static_cast<int64_t>(active.size()), 64, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          settled[static_cast<size_t>(i)] =
              has_settled(std::as_const(queries)[i], std::as_const(readout)[i], update) ? 1 : 0;
        }
      });
    }
    std::vector<int64_t> moving; // positions within `active`
    for (size_t i = 0; i < active.size(); ++i) {
      const auto cue = static_cast<size_t>(active[i]);
      recall.steps[cue] = index + 1;
      recall.reached[cue] = reached[i];
      recall.converged[cue] = settled[i];
      if (settled[i] == 0) {
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
