// SPDX-License-Identifier: MIT

/// Sparse random projection of binary patterns, fitted to the bits that vary. It spreads patterns that are
/// similar to each other, such as images on a black background, over the address space, so that random hard
/// locations can separate them.
#pragma once

#include <cstdint>
#include <vector>

#include "mneme/core/patterns.h"

namespace mneme {

struct BitEncodingOptions {
  int64_t bits = 512;     ///< bits of an encoded pattern, > 0
  int64_t inputs_max = 4; ///< maximum number of input bits per encoded bit, > 0
  uint64_t seed = 1;      ///< of the random inputs and signs
};

/// Formula  encoded bit k = 1 where sum_i s_ki x_i exceeds its mean over the training patterns. The inputs i
///          are drawn without replacement, with probability proportional to the variance of x_i over the
///          training patterns, so that constant bits are never used; the signs s_ki are random
/// Cost     O(bits inputs_max) per pattern. Integer arithmetic only, so results are exact
class BitEncoding {
public:
  /// Fits the encoding to training patterns [m, input_bits].
  ///
  /// Errors  UsageError if an option is below 1, no bit varies over the patterns, or the encoding needs more
  ///         memory than is available
  explicit BitEncoding(const BitPatterns& training, const BitEncodingOptions& options = {});

  /// Shapes  patterns [N, input_bits] -> [N, bits]
  /// Errors  UsageError if the patterns have another number of bits
  BitPatterns encode(const BitPatterns& patterns) const;

  int64_t input_bits() const { return input_bits_; }
  int64_t bits() const { return static_cast<int64_t>(thresholds_.size()); }
  /// Number of input bits per encoded bit: inputs_max, or the number of bits that vary if that is smaller.
  int64_t inputs() const { return inputs_; }

private:
  int64_t input_bits_, training_count_, inputs_ = 0;
  std::vector<int32_t> positions_;  ///< [bits, inputs]
  std::vector<int8_t> signs_;       ///< [bits, inputs]
  std::vector<int64_t> thresholds_; ///< [bits], sums over all training patterns
};

} // namespace mneme
