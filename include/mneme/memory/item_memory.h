// SPDX-License-Identifier: MIT

/// Item memory: patterns with a payload each, such as an id or a text. It grows and shrinks, finds the items
/// near a query, and recalls patterns. mneme/store/memory_file.h saves it to a file and loads it.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/memory/associate.h"
#include "mneme/memory/nearest.h"

namespace mneme {

/// One payload per item: nothing, integers such as ids, byte strings, bit patterns, or vectors of real
/// numbers. They are returned as they were stored, and are never mixed.
using Payloads =
    std::variant<std::monostate, std::vector<int64_t>, std::vector<std::string>, BitPatterns, RealPatterns>;

/// Number of payloads; 0 for std::monostate.
int64_t payload_count(const Payloads& payloads);
/// Name of the type of the payloads: "none", "integers", "bytes", "bits" or "reals".
std::string payload_type(const Payloads& payloads);

/// Patterns [S, n] with payloads, in the order in which they were added. Items are identified by their index
/// 0 .. S - 1 in this order; `erase` moves later items forward.
///
/// Types   BitPatterns or RealPatterns
/// Errors  UsageError if sizes or types of payloads differ; a call that fails changes nothing
template <class Patterns> class ItemMemory {
public:
  /// `options` are used by `recall`, and their similarity by searches of real patterns. Bit patterns are
  /// searched by their Hamming distance, which orders them as every similarity does.
  ///
  /// Errors  UsageError if `options.values` is set: the values that belong to a memory are its payloads
  explicit ItemMemory(AssociateOptions<Patterns> options = {});

  /// Adds items. The first call decides the size of a pattern, and the type and size of a payload.
  ///
  /// Shapes  patterns [m, n], m payloads or none
  void add(const Patterns& patterns, const Payloads& payloads = {});
  /// Removes the items with these indices, which ascend strictly.
  void erase(std::span<const int64_t> ascending);

  int64_t count() const { return patterns_.count(); }
  const Patterns& patterns() const { return patterns_; }
  const Payloads& payloads() const { return payloads_; }
  /// The payloads as a std::vector<int64_t>, std::vector<std::string>, BitPatterns or RealPatterns.
  ///
  /// Errors  UsageError if they are of another type
  template <class Column> const Column& payloads_as() const {
    if (const Column* column = std::get_if<Column>(&payloads_)) {
      return *column;
    }
    reject_payload_type(payload_type(Column()));
  }
  const AssociateOptions<Patterns>& options() const { return options_; }

  /// The k nearest items of each query: `nearest` and `within` of nearest.h for bit patterns, `nearest` and
  /// `at_least` for real patterns, with the same results, errors and costs. An empty memory has no items near
  /// a query of any size.
  auto nearest(const Patterns& queries, int64_t k, Ties ties = Ties::first) const {
    if constexpr (std::same_as<Patterns, BitPatterns>) {
      return mneme::nearest(queries, *stored_for(queries), k, ties);
    } else {
      return mneme::nearest(queries, *stored_for(queries), k, options_.similarity, ties);
    }
  }
  template <std::same_as<BitPatterns> Queries = Patterns>
  BitNeighbours within(const Queries& queries, int64_t hamming_radius) const {
    return mneme::within(queries, *stored_for(queries), hamming_radius);
  }
  template <std::same_as<RealPatterns> Queries = Patterns>
  RealNeighbours at_least(const Queries& queries, double score_min) const {
    return mneme::at_least(queries, *stored_for(queries), score_min, options_.similarity);
  }

  /// Recalls patterns from cues, as AssociativeMemory does, with its errors and cost. The payload of a
  /// readout is that of the nearest item. An empty memory returns the cues.
  ///
  /// Shapes  cues [Q, n] -> readout [Q, n]
  Recall<Patterns> recall(const Patterns& cues) const { return recall(cues, options_.update); }
  Recall<Patterns> recall(const Patterns& cues, const UpdateOptions& update) const;

private:
  /// The stored patterns; if there are none, no patterns of the size of the queries. They are not copied.
  std::shared_ptr<const Patterns> stored_for(const Patterns& queries) const;
  [[noreturn]] void reject_payload_type(const std::string& requested) const;

  AssociateOptions<Patterns> options_;
  Patterns patterns_;
  Payloads payloads_;
};

extern template class ItemMemory<BitPatterns>;
extern template class ItemMemory<RealPatterns>;

} // namespace mneme
