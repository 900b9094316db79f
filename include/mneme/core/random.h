// SPDX-License-Identifier: MIT

/// Counter-based random numbers: the i-th number of a stream is a function of (seed, stream, i), so that
/// results do not depend on the number of threads or on the order of computation.
///
/// Source  Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3" (Philox4x32-10)
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace mneme {

/// Generator of one stream. Satisfies std::uniform_random_bit_generator.
class Random {
public:
  using result_type = uint64_t;

  explicit Random(uint64_t seed) : seed_(seed) {}

  /// Independent generator for an `id` (of a purpose, a trial, a row ...). May be nested.
  Random stream(uint64_t id) const;

  /// Number at `index` of this stream. `next()` returns those at 0, 1, 2 ...
  uint64_t at(uint64_t index) const;
  uint64_t next() { return at(index_++); }

  double uniform() { return to_unit(next()); } ///< in [0, 1), 53 random bits
  double uniform_at(uint64_t index) const { return to_unit(at(index)); }
  double normal(); ///< mean 0, standard deviation 1
  /// In [0, bound), without bias.
  ///
  /// Errors  UsageError if bound = 0
  uint64_t below(uint64_t bound);

  /// `count` distinct numbers of 0 .. bound - 1, in random order.
  ///
  /// Errors  UsageError if count < 0 or count > bound
  std::vector<int64_t> distinct(int64_t count, int64_t bound);

  // Interface of std::uniform_random_bit_generator.
  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return ~uint64_t{0}; }
  uint64_t operator()() { return next(); }

private:
  static double to_unit(uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }
  uint64_t seed_ = 0, stream_ = 0, index_ = 0;
};

/// Block function Philox4x32-10: four random 32-bit words from a 128-bit counter and a 64-bit key.
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

} // namespace mneme
