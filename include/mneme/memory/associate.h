// SPDX-License-Identifier: MIT

/// Associative memory: readout = projection(separation(similarity(query, stored)), values), computed once or
/// iterated with the readout as the next query.
#pragma once

#include <memory>
#include <optional>

#include "mneme/core/patterns.h"
#include "mneme/core/precision.h"
#include "mneme/memory/bit_encoding.h"
#include "mneme/memory/projection.h"
#include "mneme/memory/separation.h"
#include "mneme/memory/similarity.h"
#include "mneme/memory/update.h"

namespace mneme {

/// Configuration of an associative memory. Any similarity can be combined with any separation; functions that
/// return the options of known memories are in pattern_sdm.h, continuous_sdm.h, hopfield_network.h and
/// attention.h.
template <class Patterns> struct AssociateOptions {
  Similarity similarity = Cosine{};
  Separation separation = BestMatch{};
  /// Converts the weighted sum of the values into the readout.
  Projection projection =
      std::is_same_v<Patterns, BitPatterns> ? Projection(Majority{}) : Projection(Average{});
  /// Values [S, V], one per stored pattern. Default: the stored patterns themselves (autoassociative memory).
  std::optional<Patterns> values = {};
  /// Matrix [encoded, n] that multiplies stored patterns and queries before they are compared (bits as -1 and
  /// +1). Values and readouts are not encoded.
  std::optional<RealPatterns> encode = {};
  /// Encoding from bits to bits, used in place of `encode`; for binary patterns only.
  std::optional<BitEncoding> encode_bits = {};
  UpdateOptions update = {};
  /// Arithmetic of scores and weighted sums of numbers. float32 is about twice as fast. Its readouts agree
  /// with those of float64 within about 1e-6 (1 + beta s) times the largest value, where s is the largest
  /// magnitude of a score: beta multiplies the rounding of the scores. Cosines that are rounded down to
  /// Hamming distances may give one less for numbers of -1 and +1, whose cosines are near whole distances.
  /// Patterns whose scores are nearly equal may change places in BestMatch and for a very large beta, and a
  /// bit whose votes are nearly tied may differ. Bits that are compared as bits always use float64: their
  /// scores are functions of the Hamming distance.
  Precision precision = Precision::float64;
};

/// Stored patterns together with everything that depends on them alone, such as their encoding and norms, so
/// that it is computed once for many recalls.
///
/// Types   BitPatterns or RealPatterns
/// Errors  UsageError if shapes, values or parameters do not match; if an input is not finite; if a score or
///         a readout overflows the precision; if 2^30 or more bit patterns are compared as bits
/// Cost    O(Q S n) per update step for the scores, in parallel over queries and stored patterns, and O(V)
///         for every stored pattern whose weight can change the readout. A readout of numbers may leave out
///         terms that together are below the rounding of its largest term. Queries are processed in blocks:
///         scores and weights need memory that does not depend on Q. Copies of the queries, scaled, encoded
///         or without duplicates, need O(Q n)
template <class Patterns> class AssociativeMemory {
public:
  explicit AssociativeMemory(Patterns stored, AssociateOptions<Patterns> options = {});
  /// Uses the caller's patterns without a copy. They must not change while this memory or a copy of it
  /// exists.
  ///
  /// Errors  UsageError if `stored` is null, too
  explicit AssociativeMemory(std::shared_ptr<const Patterns> stored, AssociateOptions<Patterns> options = {});
  /// Copies share the prepared patterns. There is no move, which would leave a memory without patterns.
  AssociativeMemory(const AssociativeMemory&) = default;
  AssociativeMemory& operator=(const AssociativeMemory&) = default;
  ~AssociativeMemory() = default;

  /// Recalls with the update options of the memory, or with other ones.
  ///
  /// Shapes  cues [Q, n] -> readout [Q, V]
  Recall<Patterns> recall(const Patterns& cues) const;
  Recall<Patterns> recall(const Patterns& cues, const UpdateOptions& update) const;

  const Patterns& stored() const;

  class Implementation;

private:
  std::shared_ptr<const Implementation> implementation_;
};

extern template class AssociativeMemory<BitPatterns>;
extern template class AssociativeMemory<RealPatterns>;

/// Recall without a memory object, for stored patterns that are used once. Shapes, errors and cost as
/// AssociativeMemory.
Recall<BitPatterns> associate(const BitPatterns& cues, const BitPatterns& stored,
                              const AssociateOptions<BitPatterns>& options);
Recall<RealPatterns> associate(const RealPatterns& cues, const RealPatterns& stored,
                               const AssociateOptions<RealPatterns>& options);

} // namespace mneme
