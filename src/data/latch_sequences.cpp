// SPDX-License-Identifier: MIT

#include "mneme/data/latch_sequences.h"

#include "data/published_generator.h"

namespace mneme::data {

LatchSequences draw_latch_sequences(const LatchOptions& options) {
  const char* where = "mneme::data::draw_latch_sequences";
  check_at_least(where, "num_samples", options.num_samples, 1);
  check_at_least(where, "num_instances", options.num_instances, 1);
  check_at_least(where, "num_characters", options.num_characters, 3);
  const int64_t count = checked_rows(where, options.num_samples, options.num_instances);
  PublishedGenerator generator(options.seed);
  LatchSequences sequences{.characters = std::vector<int64_t>(static_cast<size_t>(count)),
                           .targets = std::vector<uint8_t>(static_cast<size_t>(options.num_samples)),
                           .num_instances = options.num_instances,
                           .num_characters = options.num_characters};
  for (int64_t& character : sequences.characters) {
    character = 2 + generator.below(options.num_characters - 2);
  }
  for (size_t sample = 0; sample < sequences.targets.size(); ++sample) {
    const int64_t signal = generator.below(2);
    sequences.targets[sample] = static_cast<uint8_t>(signal);
    sequences.characters[sample * static_cast<size_t>(options.num_instances)] = signal;
  }
  return sequences;
}

} // namespace mneme::data
