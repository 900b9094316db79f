// SPDX-License-Identifier: MIT

/// The memories that sweeps know by name, ready to be built for any set of patterns.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/memory/update.h"

namespace mneme::trials {

/// The parameters that a memory has.
struct MemoryUses {
  bool hamming_radius = false;
  bool beta = false;             ///< an inverse temperature
  bool finite_locations = false; ///< finitely many hard locations
  bool hard_locations = false;   ///< whose number can be chosen
  bool beta_is_fitted = false;   ///< beta, where it is not chosen, is fitted to the Hamming radius
};

struct MemoryKind {
  std::string name;  ///< "sdm", "pattern-sdm", ...
  std::string title; ///< for readers
  std::string steps; ///< its similarity, separation and projection
  bool on_bits;      ///< stores bits; else real patterns
  bool in_paper;     ///< one of the seven of "Attention Approximates Sparse Distributed Memory"
  MemoryUses uses = {};
};

/// All of them: SDM first, then attention, then Hopfield networks.
const std::vector<MemoryKind>& memory_kinds();

/// The kinds of these names, each once; "paper" stands for the seven of the paper, "all" for every kind.
///
/// Errors  UsageError that lists the names there are
std::vector<MemoryKind> memory_kinds_named(const std::vector<std::string>& names);

/// One parameter that a memory uses.
struct MemorySetting {
  std::string name; ///< "hamming_radius", "encoded_bits", "hard_locations", "beta", "degree"
  double value;
  std::string
      origin; ///< where it comes from, for readers: "fitted to the Hamming radius 75"; empty: as given
};

/// What one memory is built with (parameter_choice.h chooses it). What it does not use is 0.
struct MemoryParameters {
  int64_t hamming_radius = 0; ///< of SDM, and of the fit of beta; in bits of what is compared
  int64_t encoded_bits = 0;   ///< patterns are compared in this many bits (`BitEncoding`); 0: as they are
  double hard_locations = 0;  ///< where they are finitely many
  double beta = 0;            ///< on patterns of length 1
  int64_t update_steps_max = 10;
  std::vector<MemorySetting> settings = {}; ///< the same for readers, only what is used
};

using RecallBits = std::function<Recall<BitPatterns>(const BitPatterns& cues)>;
using RecallReals = std::function<Recall<RealPatterns>(const RealPatterns& cues)>;

/// Stores patterns in a memory of this kind. `seed` is that of hard locations, of their random numbers and of the
/// encoding.
RecallBits build(const MemoryKind& kind, const BitPatterns& stored, const MemoryParameters& parameters,
                 uint64_t seed);
/// The same for real patterns of length 1.
RecallReals build(const MemoryKind& kind, const RealPatterns& stored, const MemoryParameters& parameters);

} // namespace mneme::trials
