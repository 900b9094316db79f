// SPDX-License-Identifier: MIT

/// The memories that sweeps know by name, and any other choice of the three steps, ready to be built for any set of
/// patterns.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/memory/associate.h"
#include "mneme/memory/attention.h"
#include "mneme/trials/memory_steps.h"

namespace mneme::trials {

/// An algorithm of the published code of "Attention Approximates Sparse Distributed Memory" (published_recall.h).
struct PublishedName {
  std::string name; ///< "Cont_SDM_NeuronLimit"
  bool finite_locations = false;
  BetaFittedTo fitted_to = BetaFittedTo::circle_intersection; ///< of memories with beta
};

struct MemoryKind {
  std::string name;  ///< "sdm", "pattern-sdm", ..., or its steps: "dot + sparsemax + average"
  std::string title; ///< for readers
  std::string steps; ///< "dot -> sparsemax -> average"
  bool on_bits;      ///< stores bits; else real patterns
  bool in_paper;     ///< one of the seven of "Attention Approximates Sparse Distributed Memory"
  MemoryUses uses = {};
  Similarity similarity = {};
  const SeparationStep* separation = nullptr; ///< of `separations`
  Projection projection = {};
  std::vector<PublishedName> published = {};
};

/// All that have a name: SDM first, then attention, then Hopfield networks.
const std::vector<MemoryKind>& memory_kinds();

/// The kinds of these names, each once; "paper" stands for the seven of the paper, "all" for every kind.
///
/// Errors  UsageError that lists the names there are
std::vector<MemoryKind> memory_kinds_named(const std::vector<std::string>& names);

/// The association of these three steps as a memory: on bits if its projection reads out bits, else on real patterns.
/// The identity of dot products of bits leaves out self-connections, as the classical Hopfield network does.
///
/// Errors  UsageError if the steps do not fit together
MemoryKind composed_memory(const MemorySteps& steps);

/// Whether this is the classical Hopfield network, whatever it is called.
bool is_classical_hopfield(const MemoryKind& kind);

/// What a memory of this kind is, for patterns that are compared in `size` bits or numbers. `seed` is that of the
/// random rounding of finitely many locations.
///
/// Errors  UsageError if the memory stores the other sort of patterns
template <class Patterns>
AssociateOptions<Patterns> association(const MemoryKind& kind, int64_t size,
                                       const MemoryParameters& parameters, uint64_t seed);
extern template AssociateOptions<BitPatterns> association(const MemoryKind&, int64_t, const MemoryParameters&,
                                                          uint64_t);
extern template AssociateOptions<RealPatterns> association(const MemoryKind&, int64_t,
                                                           const MemoryParameters&, uint64_t);

using RecallBits = std::function<Recall<BitPatterns>(const BitPatterns& cues)>;
using RecallReals = std::function<Recall<RealPatterns>(const RealPatterns& cues)>;

/// Stores patterns in a memory of this kind. `seed` is that of hard locations, of their random numbers and of the
/// encoding.
RecallBits build(const MemoryKind& kind, const BitPatterns& stored, const MemoryParameters& parameters,
                 uint64_t seed);
/// The same for real patterns of length 1.
RecallReals build(const MemoryKind& kind, const RealPatterns& stored, const MemoryParameters& parameters);

/// The same for bits with another rule of stopping and another arithmetic than sweeps have.
RecallBits build(const MemoryKind& kind, const BitPatterns& stored, const MemoryParameters& parameters,
                 uint64_t seed, const UpdateOptions& update, Precision precision);

} // namespace mneme::trials
