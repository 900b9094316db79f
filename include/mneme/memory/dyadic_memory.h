// SPDX-License-Identifier: MIT

/// Dyadic memory: associations of sparse binary vectors, addressed by the pairs of their ones.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "mneme/core/patterns.h"
#include "mneme/memory/update.h"

namespace mneme {

struct DyadicMemoryOptions {
  int64_t bits;          ///< n, bits of an address, 2 .. 2^20
  int64_t ones;          ///< p, number of ones of a readout, 1 .. data_bits
  int64_t data_bits = 0; ///< bits of stored data, at most 2^20; 0: the same as `bits`
};

/// A memory with one hard location for each of the n (n - 1) / 2 pairs of bits. An address activates the
/// pairs of which both bits are 1: it is the hyperplane design of a sparse distributed memory (NeuronSdm)
/// with every location of two selected coordinates. A write adds the ones of the data to the counters of the
/// activated pairs. A read sums the counters of the activated pairs; the readout has ones where the sum is
/// above 0 and among the p largest (also where it equals the p-th largest, so that equal sums can give more
/// ones).
///
/// Use it for vectors with few ones: random vectors with p of n ones, about (n / p)^3 / 2 of which can be
/// stored and recalled (theory/capacity.h).
///
/// Units   counters have 8 bits and saturate at 255; `saturations()` counts the additions that were clipped
/// Moves   a memory that was moved from has 0 bits, so that no pattern fits it
/// Errors  UsageError if sizes do not match, a parameter is out of range, a written address has fewer than
///         two ones, or the counters need more memory than is available (`memory_bytes`)
/// Cost    w (w - 1) / 2 rows of counters for an address with w ones: a write changes the counters of the
///         ones of the data, a read sums whole rows of data_bits bytes. In parallel; results do not depend on
///         how patterns are divided into calls, or on the number of threads
/// Source  Overmann 2022, "Triadic memory: a fundamental algorithm for cognitive computing"
class DyadicMemory {
public:
  explicit DyadicMemory(const DyadicMemoryOptions& options);
  DyadicMemory(DyadicMemory&& other) noexcept;
  DyadicMemory& operator=(DyadicMemory&& other) noexcept;
  ~DyadicMemory() = default;

  /// Stores each pattern at its own address (autoassociative). Every write to a pair then includes its own
  /// two bits, so that a read keeps wrong ones of a cue where many more than (n / p)^2 patterns are stored.
  void write(const BitPatterns& patterns) { write(patterns, patterns); }
  /// Stores data [m, data_bits] at addresses [m, bits] (heteroassociative).
  void write(const BitPatterns& addresses, const BitPatterns& data);
  /// Reverses `write` of these patterns: the counters then equal those of a memory that was never given them.
  ///
  /// Errors  UsageError, with nothing changed, if a counter has saturated (the lost additions cannot be
  ///         reversed), or if a counter of a pattern is 0, so that it was not written
  void unwrite(const BitPatterns& patterns) { unwrite(patterns, patterns); }
  void unwrite(const BitPatterns& addresses, const BitPatterns& data);

  /// Recall::num_activated is the number of pairs of ones of the cue. A read whose sums are all 0 is empty.
  ///
  /// Shapes  cues [Q, bits] -> readout [Q, data_bits]
  /// Errors  UsageError for more than one update step where data_bits differs from bits, as the readout is
  ///         the next cue; for EmptyRead::mean_of_values
  Recall<BitPatterns> recall(const BitPatterns& cues, const UpdateOptions& update = {}) const;

  /// Bytes of the counters: n (n - 1) / 2 data_bits, with data_bits rounded up to 64. Counters of pairs that
  /// were never written use no memory yet.
  ///
  /// Errors  UsageError if a number of bits is out of range
  static double memory_bytes(const DyadicMemoryOptions& options);

  const DyadicMemoryOptions& options() const { return options_; }
  /// Number of times that bit `data_bit` was written at the pair of bits i < j.
  ///
  /// Errors  UsageError unless 0 <= i < j < bits and 0 <= data_bit < data_bits
  int64_t counter(int64_t i, int64_t j, int64_t data_bit) const;
  /// Number of counter additions lost to saturation.
  int64_t saturations() const { return saturations_; }

private:
  void require_sizes(const BitPatterns& addresses, const BitPatterns& data) const;
  const uint8_t* row(int64_t i, int64_t j) const;
  BitPatterns read(const BitPatterns& cues, std::span<int64_t> num_activated, EmptyRead empty_read) const;

  DyadicMemoryOptions options_{};
  struct Free {
    void operator()(void* memory) const;
  };
  std::unique_ptr<void, Free> memory_;
  uint8_t* counters_ = nullptr; ///< in memory_: [n (n - 1) / 2, data_bits rounded up to 64]
  int64_t saturations_ = 0;
};

} // namespace mneme
