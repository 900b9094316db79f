// SPDX-License-Identifier: MIT

/// The memories that sweeps know by name, ready to be built for any set of patterns.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/memory/update.h"

namespace mneme::trials {

/// The parameters that a memory has.
struct MemoryUses {
  bool hamming_radius = false;
  bool beta = false;           ///< an inverse temperature
  bool hard_locations = false; ///< their number can be chosen
  bool beta_is_fitted = false; ///< beta, where it is not chosen, is fitted to the Hamming radius
};

struct MemoryKind {
  std::string name;  ///< "sdm", "pattern-sdm", ...
  std::string title; ///< for readers
  std::string steps; ///< its similarity, separation and projection
  bool on_bits;      ///< stores bits; else real patterns
  MemoryUses uses = {};
};

/// All of them: SDM first, then attention, then Hopfield networks.
const std::vector<MemoryKind>& memory_kinds();

/// The kinds of these names, each once; "all" stands for every kind.
///
/// Errors  UsageError that lists the names there are
std::vector<MemoryKind> memory_kinds_named(const std::vector<std::string>& names);

/// What memories are built with.
struct MemoryParameters {
  int64_t hamming_radius;   ///< in bits, of SDM with infinitely many locations, and of the fit of beta
  int64_t location_radius;  ///< of SDM with finitely many, which must reach some
  double beta;              ///< of SDM attention
  double transformer_beta;  ///< of Transformer attention
  double hopfield_beta;     ///< of the modern Hopfield network, on patterns of length 1
  int64_t hard_locations;   ///< of neuron-based SDM
  double pattern_locations; ///< of pattern-based SDM with finitely many
  int64_t update_steps_max;
};

struct ParameterChoices {
  std::optional<int64_t> hamming_radius =
      {}; ///< absent: the best signal-to-noise ratio for 1e6 hard locations
  std::optional<int64_t> location_radius = {}; ///< absent: likewise
  /// Of every memory that has one. Absent: fitted to the Hamming radius in the published convention (SDM attention),
  /// 1 / sqrt(size) (Transformer attention), sqrt(size) (modern Hopfield network).
  std::optional<double> beta = {};
  int64_t hard_locations = 100000;
  int64_t update_steps_max = 10;
};

/// Parameters for `num_patterns` patterns of `size` bits.
///
/// Errors  UsageError if a radius lies outside 2 .. size - 1, or another number is out of its range
MemoryParameters parameters_for(int64_t size, int64_t num_patterns, const ParameterChoices& choices);

/// One parameter that a memory really uses.
struct MemorySetting {
  std::string name; ///< "hamming_radius", "beta", "degree", "hard_locations"
  double value;
  std::string origin =
      {}; ///< where it comes from, for readers: "fitted to the Hamming radius 75"; empty: as chosen
};

/// All of them, for patterns of `size` components; empty for a memory without parameters.
std::vector<MemorySetting> settings_of(const MemoryKind& kind, const ParameterChoices& choices,
                                       const MemoryParameters& parameters);

using RecallBits = std::function<Recall<BitPatterns>(const BitPatterns& cues)>;
using RecallReals = std::function<Recall<RealPatterns>(const RealPatterns& cues)>;

/// Stores patterns in a memory of this kind. `seed` is that of hard locations and of their random numbers.
RecallBits build(const MemoryKind& kind, const BitPatterns& stored, const MemoryParameters& parameters,
                 uint64_t seed);
/// The same for real patterns of length 1.
RecallReals build(const MemoryKind& kind, const RealPatterns& stored, const MemoryParameters& parameters);

} // namespace mneme::trials
