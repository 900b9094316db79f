// SPDX-License-Identifier: MIT

/// Kanerva's Sparse Distributed Memory (SDM): hard locations with counters, written and read by Hamming
/// distance.
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

/// Values that selected coordinates are compared with.
enum class AssignedValues {
  random, ///< 0 or 1 with probability 1/2 (selected-coordinate design)
  ones    ///< 1, for addresses with few ones (hyperplane design)
};

struct NeuronSdmOptions {
  /// n, bits of a cue, > 0; without `encode` also the bits of a location's address. A location compares at
  /// most 10^7 bits.
  int64_t bits;
  int64_t hard_locations; ///< number of locations, > 0
  /// Activates locations within this distance (inclusive), 0 .. number of bits that a location compares.
  int64_t hamming_radius;
  int64_t data_bits = 0; ///< bits of a stored pattern; 0: the same as `bits`
  uint64_t seed = 1;     ///< of the random addresses
  /// Encoding of write addresses and cues, applied before they are compared with the addresses of the hard
  /// locations, which then have encode->bits() bits.
  std::optional<BitEncoding> encode = {};
  /// Number of bits that each location compares with its assigned values: other random ones in every
  /// location. 0: all bits, compared with a random address (Kanerva's design).
  int64_t selected_coordinates = 0;
  AssignedValues assigned_values = AssignedValues::random; ///< of selected coordinates
};

/// Activation  Kanerva's design: a location is activated by addresses within the Hamming radius of its own.
///             Jaeckel's selected-coordinate design: selected_coordinates = k, hamming_radius = 0; a location
///             is activated by addresses that have its assigned values in its k selected coordinates, a
///             fraction 2^-k of all. Hyperplane design: the same with AssignedValues::ones; an address with w
///             ones activates a fraction C(w, k) / C(n, k) of the locations. A radius above 0 gives the
///             designs between them. theory/selected_coordinates.h has the expected numbers
///
/// A write adds the data, as -1 and +1, to the counters of all activated locations. A read sums the counters
/// of all activated locations; a bit is 1 where the sum is above 0.
///
/// Units   counters have 16 bits and saturate; `saturations()` counts the additions that were clipped
/// Moves   a memory that was moved from has no hard locations and 0 bits, so that no pattern fits it
/// Errors  UsageError if sizes do not match, a parameter is out of range, or the locations need more memory
///         than is available (`memory_bytes`)
/// Cost    write and read compare each pattern with every location, O(hard_locations * n / 64), in parallel.
///         Large batches are faster: from 12 patterns on they are compared bit-sliced, and a call that writes
///         thousands of patterns updates each counter once. Results do not depend on how patterns are
///         divided into calls, or on the number of threads.
///         With k selected coordinates, O(hard_locations k (hamming_radius + 1)) for 64 patterns together
/// Source  Kanerva 1988, "Sparse Distributed Memory"; the read is a strict majority as in Bricken &
///         Pehlevan 2021. Jaeckel 1989, "An alternative design for a sparse distributed memory" (RIACS TR
///         89.28) and "A class of designs for a sparse distributed memory" (TR 89.30)
class NeuronSdm {
public:
  /// Hard locations at random addresses, every bit with probability 1/2, or with random selected coordinates.
  explicit NeuronSdm(const NeuronSdmOptions& options);
  /// Hard locations at given addresses [hard_locations, bits of an address]; options.hard_locations must be
  /// their number or 0, and options.selected_coordinates 0.
  NeuronSdm(const NeuronSdmOptions& options, BitPatterns addresses);
  NeuronSdm(NeuronSdm&& other) noexcept;
  NeuronSdm& operator=(NeuronSdm&& other) noexcept;
  ~NeuronSdm() = default;

  /// Stores each pattern at its own address (autoassociative). Returns the number of patterns that activated
  /// no location, so that no counter changed. An interrupt (core/interrupt.h) does not stop the update of the
  /// counters.
  int64_t write(const BitPatterns& patterns);
  /// Stores data [m, data_bits] at addresses [m, bits] (heteroassociative).
  int64_t write(const BitPatterns& addresses, const BitPatterns& data);
  /// Reverses `write` of these patterns: they are subtracted from the counters, which then equal those of a
  /// memory that was never given them.
  ///
  /// Errors  UsageError, with nothing changed, if a counter has saturated (the lost additions cannot be
  ///         reversed), or if a location has fewer writes than patterns to subtract
  void unwrite(const BitPatterns& patterns);

  /// Shapes  cues [Q, bits] -> readout [Q, data_bits]
  /// Errors  UsageError for more than one update step where data_bits differs from bits, as the readout is
  ///         the next cue; for EmptyRead::mean_of_values
  Recall<BitPatterns> recall(const BitPatterns& cues, const UpdateOptions& update = {}) const;

  /// Bytes that the addresses and counters of a memory need: per location n / 8 + 2 data_bits + 8, with n and
  /// data_bits rounded up to 64; 4 bytes per selected coordinate instead of n / 8. Counters that were never
  /// written use no memory yet.
  static double memory_bytes(const NeuronSdmOptions& options);
  /// Errors  UsageError if that is more than the available memory of this machine
  static void require_memory(const NeuronSdmOptions& options);

  const NeuronSdmOptions& options() const { return options_; }
  /// Addresses of the hard locations; none with selected coordinates.
  const BitPatterns& addresses() const { return addresses_; }
  /// The functions of one hard location throw a UsageError if there is no such location.
  ///
  /// Selected coordinates, ascending: 2 * coordinate + assigned value. Empty in Kanerva's design.
  std::span<const int32_t> selected(int64_t location) const {
    require_location(location);
    return std::span(selected_).subspan(static_cast<size_t>(location * options_.selected_coordinates),
                                        static_cast<size_t>(options_.selected_coordinates));
  }
  /// Counters [data_bits] of one hard location: ones minus zeros written to it.
  std::vector<int16_t> counters(int64_t location) const;
  /// Number of patterns written to one hard location.
  int64_t writes(int64_t location) const {
    require_location(location);
    return writes_[static_cast<size_t>(location)];
  }
  /// Number of counter additions lost to saturation.
  int64_t saturations() const { return saturations_; }
  /// Replaces the counters [data_bits] and the number of writes of one hard location by saved ones.
  ///
  /// Errors  UsageError if there is no such location, the number of counters differs, or a counter exceeds
  ///         the number of writes
  void restore(int64_t location, std::span<const int16_t> counters, int64_t writes);

private:
  enum class Sign { plus, minus };
  void allocate_counters();
  int64_t add(const BitPatterns& addresses, const BitPatterns& data, Sign sign);
  void check_removable(const BitPatterns& patterns) const;
  BitPatterns encoded(const BitPatterns& addresses) const;
  BitPatterns read(const BitPatterns& cues, std::span<int64_t> num_activated) const;

  const int16_t* counters_of(int64_t location) const;
  void require_location(int64_t location) const {
    if (location < 0 || location >= options_.hard_locations) {
      reject_location(location);
    }
  }
  [[noreturn]] void reject_location(int64_t location) const;

  NeuronSdmOptions options_{};
  BitPatterns addresses_;         ///< empty with selected coordinates
  std::vector<int32_t> selected_; ///< [hard_locations, selected_coordinates]
  struct Free {
    void operator()(void* memory) const;
  };
  std::unique_ptr<void, Free> memory_;
  int16_t* counters_ = nullptr; ///< in memory_: [hard_locations, data_bits rounded up to 64]
  std::vector<int64_t> writes_; ///< [hard_locations]
  int64_t saturations_ = 0;
  int64_t max_writes_ = 0; ///< largest element of writes_ so far
  int64_t unwritten_ = 0;  ///< number of patterns subtracted so far
};

} // namespace mneme
