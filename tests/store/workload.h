// SPDX-License-Identifier: MIT

/// A sequence of all kinds of changes of a memory, with the state that it must have after each.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "store/memories.h"

namespace mneme::store::test {

/// Contents of a memory, its counters and its threshold.
struct State {
  Contents contents;
  std::vector<int64_t> counters;
  std::optional<Threshold> threshold;
  bool operator==(const State&) const = default;
};

inline State state_of(DurableMemory& memory) {
  return {contents_of(memory), counters_of(memory.hard_locations()), memory.threshold()};
}

/// Step `step` of the workload: writes with and without keys, forgets, snapshots and compactions.
inline void apply_step(DurableMemory& memory, int64_t step, int64_t bits) {
  const auto seed = static_cast<uint64_t>(1000 + step);
  switch (step % 8) {
  case 3:
    memory.forget_key("key " + std::to_string(10 * (step - 1)));
    break;
  case 4:
    memory.snapshot();
    break;
  case 5:
    memory.forget_label("even");
    break;
  case 6:
    memory.write(random_bits(1, bits, seed), {}, KeyConflict::refuse, Threshold{.value = 0.1, .max = 0.3});
    break;
  case 7:
    memory.compact();
    break;
  default:
    memory.write(random_bits(1 + step % 4, bits, seed), numbered(10 * step, 1 + step % 4));
  }
}

/// States 0 (created) .. num_steps of the workload, computed without any failure.
inline std::vector<State> expected_states(const MemoryDesign& design, int64_t num_steps) {
  const FastFolder folder;
  DurableMemory memory = DurableMemory::create(folder / "memory", design);
  std::vector<State> states{state_of(memory)};
  for (int64_t step = 0; step < num_steps; ++step) {
    apply_step(memory, step, design.bits);
    states.push_back(state_of(memory));
  }
  return states;
}

inline const std::vector<MemoryDesign> kWorkloadDesigns = {
    {.bits = 70}, {.bits = 70, .steps = {}, .hard_locations = 200, .hamming_radius = 29}};

/// Number in the environment variable `name`, or `default_value`.
inline int64_t setting(const char* name, int64_t default_value) {
  const char* text = std::getenv(name);
  return text == nullptr ? default_value : std::atoll(text);
}

} // namespace mneme::store::test
