// SPDX-License-Identifier: MIT

/// Associative recall in one page: readout = projection(separation(similarity(query, stored)), values),
/// repeated.
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

/// Any similarity with any separation; together they are a memory. The named ones stand in pattern_sdm.h,
/// continuous_sdm.h, hopfield_network.h and attention.h.
template <class Patterns> struct AssociateOptions {
  Similarity similarity = Cosine{};
  Separation separation = BestMatch{};
  /// How the weighted values become the readout.
  Projection projection =
      std::is_same_v<Patterns, BitPatterns> ? Projection(Majority{}) : Projection(Average{});
  /// What is returned for each stored pattern; absent: the stored patterns themselves.
  std::optional<Patterns> values = {};
  /// Matrix [encoded, n] applied to stored patterns and to every query before they are compared (bits as -1
  /// and +1).
  std::optional<RealPatterns> encode = {};
  /// The same with an encoding from bits to bits; instead of `encode`, and for bits only.
  std::optional<BitEncoding> encode_bits = {};
  UpdateOptions update = {};
  /// Of scores and weighted sums. float32 is about twice as fast; its readouts are within about 1e-6, and a bit whose
  /// votes are nearly tied may fall the other way.
  Precision precision = Precision::float64;
};

/// Stored patterns, ready to be asked: what can be computed once is computed once.
///
/// Types   BitPatterns or RealPatterns
/// Errors  UsageError if shapes, values or parameters do not fit together; all inputs must be finite, and small
///         enough that no score and no readout overflows the precision
/// Cost    a step is O(Q S (n + V)) in parallel over queries; the extra memory does not grow with Q.
///         Softmax of dot products or cosines keeps no weights at all
template <class Patterns> class AssociativeMemory {
public:
  explicit AssociativeMemory(Patterns stored, AssociateOptions<Patterns> options = {});

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

/// One recall from patterns that are at hand; shapes, errors and cost as above.
Recall<BitPatterns> associate(const BitPatterns& cues, const BitPatterns& stored,
                              const AssociateOptions<BitPatterns>& options);
Recall<RealPatterns> associate(const RealPatterns& cues, const RealPatterns& stored,
                               const AssociateOptions<RealPatterns>& options);

} // namespace mneme
