// SPDX-License-Identifier: MIT

/// Recalls patterns from noisy cues in two ways: with hard locations, and with the associative step.

#include <cstdio>

#include "mneme/data/corruption.h"
#include "mneme/data/random_patterns.h"
#include "mneme/memory/associate.h"
#include "mneme/memory/neuron_sdm.h"

namespace {

int recalled(const mneme::BitPatterns& readout, const mneme::BitPatterns& patterns) {
  int count = 0;
  for (int64_t i = 0; i < patterns.count(); ++i) {
    count += mneme::hamming_distance(readout, i, patterns, i) == 0 ? 1 : 0;
  }
  return count;
}

} // namespace

int main() {
  const mneme::Random random(7);
  const mneme::BitPatterns patterns = mneme::data::random_bits(100, 256, random.stream(1));
  const mneme::BitPatterns cues = mneme::data::flip_bits(patterns, 40, random.stream(2)); // of 256 bits

  mneme::NeuronSdm memory({.bits = 256, .hard_locations = 100'000, .hamming_radius = 105, .seed = 7});
  memory.write(patterns);
  const mneme::Recall recall = memory.recall(cues, {.update_steps_max = 10});
  // recall.readout; per cue: recall.steps, recall.converged, recall.num_activated (hard locations)

  const mneme::Recall associated =
      mneme::associate(cues, patterns,
                       {.similarity = mneme::Hamming{},
                        .separation = mneme::CircleIntersection{.bits = 256, .hamming_radius = 105},
                        .projection = mneme::Majority{}});

  std::printf("hard locations: %d of 100 recalled; circle intersection: %d of 100\n",
              recalled(recall.readout, patterns), recalled(associated.readout, patterns));
  return recalled(associated.readout, patterns) == 100 ? 0 : 1;
}
