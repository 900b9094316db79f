// SPDX-License-Identifier: MIT

/// Sparse Distributed Memory as Kanerva built it: hard locations with counters, write and read.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/memory/bit_encoding.h"
#include "mneme/memory/update.h"

namespace mneme {

struct NeuronSdmOptions {
  int64_t bits;           ///< n, bits of a cue, > 0; without an encoding also those of an address
  int64_t hard_locations; ///< > 0
  int64_t hamming_radius; ///< a location answers within this distance (inclusive), 0 .. bits of an address
  int64_t data_bits = 0;  ///< bits of what is stored; 0: as many as a cue has
  uint64_t seed = 1;      ///< of the random addresses
  /// Applied to what is written at and to every cue before they are compared with the addresses of hard locations,
  /// which then have encode->bits() bits.
  std::optional<BitEncoding> encode = {};
};

/// Units   counters are 16 bits wide and saturate; `saturations()` counts the additions that were lost
/// Errors  UsageError if sizes or ranges do not fit together
/// Cost    write and read compare each pattern with every location, O(hard_locations * n / 64), in parallel;
///         memory hard_locations * (n / 8 + 2 data_bits) bytes
/// Source  Kanerva 1988, "Sparse Distributed Memory"; the read is a strict majority as in Bricken &
///         Pehlevan 2021
class NeuronSdm {
public:
  explicit NeuronSdm(const NeuronSdmOptions& options); ///< random addresses, every bit with probability 1/2
  /// Hard locations at given addresses [hard_locations, bits of an address]; options.hard_locations must agree or be 0.
  NeuronSdm(const NeuronSdmOptions& options, BitPatterns addresses);

  /// Stores each pattern at its own address (autoassociative).
  void write(const BitPatterns& patterns);
  /// Stores data [m, data_bits] at addresses [m, bits].
  void write(const BitPatterns& addresses, const BitPatterns& data);

  /// Reads at each cue; with more than one update step the readout is the next address (data_bits = bits
  /// then).
  Recall<BitPatterns> recall(const BitPatterns& cues, const UpdateOptions& update = {}) const;

  const NeuronSdmOptions& options() const { return options_; }
  const BitPatterns& addresses() const { return addresses_; }
  /// Counter of every data bit of one hard location: ones minus zeros written there.
  std::vector<int16_t> counters(int64_t location) const;
  /// Patterns written to one hard location.
  int64_t writes(int64_t location) const { return writes_[static_cast<size_t>(location)]; }
  int64_t saturations() const { return saturations_; }

private:
  BitPatterns read(const BitPatterns& cues, std::span<int64_t> reached) const;

  NeuronSdmOptions options_;
  BitPatterns addresses_;
  struct Free {
    void operator()(int16_t* counters) const;
  };
  std::unique_ptr<int16_t[], Free> counters_; ///< [hard_locations, data_bits]
  std::vector<int64_t> writes_;               ///< [hard_locations]
  int64_t saturations_ = 0;
};

} // namespace mneme
