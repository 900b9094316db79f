// SPDX-License-Identifier: MIT

/// Table of named memories, and memories composed of any three steps, as factories for a given set of
/// patterns.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/core/progress.h"
#include "mneme/memory/associate.h"
#include "mneme/memory/attention.h"
#include "mneme/memory/neuron_sdm.h"
#include "mneme/trials/memory_steps.h"

namespace mneme::trials {

/// An algorithm of the published code of "Attention Approximates Sparse Distributed Memory"
/// (published_recall.h).
struct PublishedName {
  std::string name; ///< "Cont_SDM_NeuronLimit"
  bool finite_locations = false;
  BetaFitTarget fit_target = BetaFitTarget::circle_intersection; ///< only for memories with beta
};

struct MemoryKind {
  std::string name;  ///< "sdm", "pattern-sdm", ..., or its steps: "dot + sparsemax + average"
  std::string title; ///< display name
  /// One sentence that describes the memory, and one on when to use it, for help texts; both are empty for a
  /// composed memory.
  std::string description = {}, use_case = {};
  std::string steps; ///< "dot -> sparsemax -> average"
  bool on_bits;      ///< true: stores bits; false: stores real patterns
  bool in_paper;     ///< one of the seven memories of "Attention Approximates Sparse Distributed Memory"
  MemoryUses uses = {};
  AssignedValues assigned_values = AssignedValues::random; ///< of selected coordinates
  Similarity similarity = {};
  const SeparationStep* separation = nullptr; ///< row of `separations`
  Projection projection = {};
  std::vector<PublishedName> published = {};
};

/// All named memories: SDM, then attention, then Hopfield networks.
const std::vector<MemoryKind>& memory_kinds();

/// The memories with these names, without duplicates. "paper" selects the seven of the paper, "all" all of
/// them.
///
/// Errors  UsageError with the list of valid names if a name is unknown
std::vector<MemoryKind> memory_kinds_named(const std::vector<std::string>& names);

/// A memory composed of these three steps. It stores bits if its projection reads out bits, otherwise real
/// patterns. The identity of dot products of bits has no self-connections, as in the classical Hopfield
/// network.
///
/// Errors  UsageError if the steps are incompatible
MemoryKind composed_memory(const MemorySteps& steps);

/// True if the steps are those of the classical Hopfield network, for any name.
bool is_classical_hopfield(const MemoryKind& kind);

/// The similarity by which a memory orders stored patterns, the same one for memories with the same order:
/// `Hamming` for bits, because all similarities of bits depend on the Hamming distance alone, and never for
/// real patterns, whose Hamming distance is that of their angle.
Similarity measure_of(const MemoryKind& kind);

/// Options of `associate` for a memory of this kind. `size` is the number of bits or components in which
/// patterns are compared. `seed` is used for the random rounding of a finite number of locations.
///
/// Errors  UsageError if `Patterns` is not the type of patterns that the memory stores
template <class Patterns>
AssociateOptions<Patterns> association(const MemoryKind& kind, int64_t size,
                                       const MemoryParameters& parameters, uint64_t seed);
extern template AssociateOptions<BitPatterns> association(const MemoryKind&, int64_t, const MemoryParameters&,
                                                          uint64_t);
extern template AssociateOptions<RealPatterns> association(const MemoryKind&, int64_t,
                                                           const MemoryParameters&, uint64_t);

using RecallBits = std::function<Recall<BitPatterns>(const BitPatterns& cues)>;
using RecallReals = std::function<Recall<RealPatterns>(const RealPatterns& cues)>;

/// Stores patterns in a memory of this kind and returns its recall function. `seed` is used for hard
/// locations, their random rounding and the encoding. `progress`, which must outlive the function, is
/// advanced by the number of patterns written to hard locations and of cues recalled. `values`: what is
/// recalled in place of each stored pattern; they need a single update step.
RecallBits build(const MemoryKind& kind, const BitPatterns& stored, const MemoryParameters& parameters,
                 uint64_t seed, Progress* progress = nullptr, const std::optional<BitPatterns>& values = {});
/// Stores real patterns.
RecallReals build(const MemoryKind& kind, const RealPatterns& stored, const MemoryParameters& parameters,
                  Progress* progress = nullptr, const std::optional<RealPatterns>& values = {});

/// Stores bits, with a stopping rule and a precision other than those of sweeps.
RecallBits build(const MemoryKind& kind, const BitPatterns& stored, const MemoryParameters& parameters,
                 uint64_t seed, const UpdateOptions& update, Precision precision,
                 Progress* progress = nullptr, const std::optional<BitPatterns>& values = {});

} // namespace mneme::trials
