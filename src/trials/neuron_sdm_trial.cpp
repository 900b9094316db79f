// SPDX-License-Identifier: MIT

#include "mneme/trials/neuron_sdm_trial.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/random.h"
#include "mneme/data/corruption.h"
#include "mneme/data/random_patterns.h"
#include "mneme/memory/neuron_sdm.h"

namespace mneme::trials {
namespace {

constexpr int64_t kPatternsPerWrite = 256; // progress is reported after each write

/// Purposes of random streams. The numbers are fixed, so that a seed gives the same results in every version.
enum class Purpose : uint64_t { locations = 1, patterns = 2, data = 3, cues = 4 };

Random random_for(const NeuronSdmTrialOptions& options, Purpose purpose, int64_t trial) {
  return Random(options.seed).stream(static_cast<uint64_t>(purpose)).stream(static_cast<uint64_t>(trial));
}

void check(const NeuronSdmTrialOptions& options) {
  for (const auto& [name, value] : {std::pair("patterns", options.patterns), std::pair("cues", options.cues),
                                    std::pair("trials", options.trials)}) {
    if (value < 1) {
      throw UsageError(
          fmt::format("mneme::trials::neuron_sdm_trial: {} is {}, but it must be at least 1.", name, value));
    }
  }
}

struct Errors {
  double bit_error = 0, exact = 0; ///< fractions of wrong bits, and of readouts without wrong bits
};

Errors compare(const BitPatterns& readout, const BitPatterns& expected) {
  int64_t wrong = 0, exact = 0;
  for (int64_t i = 0; i < expected.count(); ++i) {
    const int64_t differing = hamming_distance(readout, i, expected, i);
    wrong += differing;
    exact += differing == 0;
  }
  const auto cues = static_cast<double>(expected.count());
  return {static_cast<double>(wrong) / (cues * static_cast<double>(expected.bits())),
          static_cast<double>(exact) / cues};
}

} // namespace

NeuronSdmTrial neuron_sdm_trial(const NeuronSdmTrialOptions& options, Progress& progress) {
  check(options);
  std::vector<double> wrong, once, end;
  progress.start("simulate", options.trials * options.patterns);
  for (int64_t trial = 0; trial < options.trials; ++trial) {
    NeuronSdm memory({.bits = options.bits,
                      .hard_locations = options.hard_locations,
                      .hamming_radius = options.hamming_radius,
                      .seed = random_for(options, Purpose::locations, trial).at(0)});
    const BitPatterns patterns =
        data::random_bits(options.patterns, options.bits, random_for(options, Purpose::patterns, trial));
    const BitPatterns stored =
        options.heteroassociative
            ? data::random_bits(options.patterns, options.bits, random_for(options, Purpose::data, trial))
            : patterns;
    for (int64_t first = 0; first < options.patterns; first += kPatternsPerWrite) {
      throw_if_interrupted();
      const int64_t end_of_block = std::min(first + kPatternsPerWrite, options.patterns);
      memory.write(slice(patterns, first, end_of_block), slice(stored, first, end_of_block));
      progress.advance(end_of_block - first);
    }
    std::vector<int64_t> of_cue(static_cast<size_t>(options.cues));
    for (size_t i = 0; i < of_cue.size(); ++i) {
      of_cue[i] = static_cast<int64_t>(i) % options.patterns;
    }
    const BitPatterns queries =
        data::flip_bits(select(patterns, of_cue), options.flips, random_for(options, Purpose::cues, trial));
    const BitPatterns expected = select(stored, of_cue);
    const Errors after_one = compare(memory.recall(queries).readout, expected);
    wrong.push_back(after_one.bit_error);
    once.push_back(after_one.exact);
    if (!options.heteroassociative) {
      end.push_back(
          compare(memory.recall(queries, {.update_steps_max = options.update_steps_max}).readout, expected)
              .exact);
    }
  }
  progress.finish();
  const auto exact = [&](const std::vector<double>& fractions) {
    return mean_interval(fractions, options.cues);
  };
  return {.bit_error = mean_interval(wrong, options.cues * options.bits),
          .exact_once = exact(once),
          .exact_end = end.empty() ? std::nullopt : std::optional(exact(end))};
}

} // namespace mneme::trials
