// SPDX-License-Identifier: MIT

#include "mneme/data/random_patterns.h"

#include <cmath>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/parallel.h"

namespace mneme::data {
namespace {

constexpr int64_t kBlock = 64; // patterns per parallel block

} // namespace

BitPatterns random_bits(int64_t count, int64_t bits, const Random& random) {
  BitPatterns patterns(count, bits);
  if (bits == 0) {
    return patterns;
  }
  parallel_for(count, kBlock, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Random stream = random.stream(static_cast<uint64_t>(i));
      const std::span<uint64_t> words = patterns[i];
      for (uint64_t& word : words) {
        word = stream.next();
      }
      words.back() &= patterns.last_word_mask();
    }
  });
  return patterns;
}

RealPatterns random_sphere(int64_t count, int64_t size, const Random& random) {
  if (size < 1) {
    throw UsageError(fmt::format("mneme::data::random_sphere: the size is {}.\n"
                                 "  A point of unit length requires a size of at least 1.",
                                 size));
  }
  RealPatterns patterns(count, size);
  parallel_for(count, kBlock, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Random stream = random.stream(static_cast<uint64_t>(i));
      const std::span<double> row = patterns[i];
      double squares = 0;
      while (squares == 0) { // a zero vector has no direction: draw again
        for (double& x : row) {
          x = stream.normal();
          squares += x * x;
        }
      }
      const double length = std::sqrt(squares);
      for (double& x : row) {
        x /= length;
      }
    }
  });
  return patterns;
}

RealPatterns random_uniform(int64_t count, int64_t size, double low, double high, const Random& random) {
  if (!(low < high)) {
    throw UsageError(
        fmt::format("mneme::data::random_uniform: the range [{}, {}) is empty.\n  The first number must be "
                    "less than the second.",
                    low, high));
  }
  if (!std::isfinite(high - low)) { // also if one of them is infinite
    throw UsageError(
        fmt::format("mneme::data::random_uniform: the width of the range [{}, {}) is not a finite double.\n"
                    "  Give finite numbers that differ by less than 1.79e308.",
                    low, high));
  }
  RealPatterns patterns(count, size);
  parallel_for(count, kBlock, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Random stream = random.stream(static_cast<uint64_t>(i));
      for (double& x : patterns[i]) {
        x = low + (high - low) * stream.uniform();
        x = x < high ? x : std::nextafter(high, low); // where the sum is rounded up
      }
    }
  });
  return patterns;
}

} // namespace mneme::data
