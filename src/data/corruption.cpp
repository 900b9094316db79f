// SPDX-License-Identifier: MIT

#include "mneme/data/corruption.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string_view>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/parallel.h"

namespace mneme::data {
namespace {

/// Calls corrupt(i, stream of pattern i) for every pattern, in parallel.
template <class Corrupt> void for_each_pattern(int64_t count, const Random& random, Corrupt corrupt) {
  constexpr int64_t kBlock = 64;
  parallel_for(count, kBlock, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      corrupt(i, random.stream(static_cast<uint64_t>(i)));
    }
  });
}

void check_flips(int64_t flips, int64_t size) {
  if (flips < 0 || flips > size) {
    throw UsageError(fmt::format("mneme::data::flip_bits: flips is {}, but patterns have {} bits.\n"
                                 "  Choose a number from 0 to {}.",
                                 flips, size, size));
  }
}

/// fraction * size, rounded to the nearest integer.
int64_t fraction_of(int64_t size, double fraction, std::string_view where) {
  if (!(fraction >= 0 && fraction <= 1)) {
    throw UsageError(
        fmt::format("mneme::data::{}: fraction is {}.\n  Choose a number from 0 to 1.", where, fraction));
  }
  return std::min(size, static_cast<int64_t>(std::floor(fraction * static_cast<double>(size) + 0.5)));
}

/// Number of values to mask at the end of a pattern.
int64_t masked_size(int64_t size, double fraction, const ImageShape& shape) {
  if (shape == ImageShape{}) {
    return fraction_of(size, fraction, "mask");
  }
  const auto [height, width, channels] = shape;
  if (height < 1 || width < 1 || channels < 1) {
    throw UsageError(fmt::format(
        "mneme::data::mask: the image shape of patterns of {} numbers has height {}, width {} and {} "
        "channels, but each must be at least 1.\n  Set channels to 1 for grey images and to 3 for "
        "colours, or leave out the shape.",
        size, height, width, channels));
  }
  // Division instead of multiplication: the product of invalid sizes could overflow.
  if (size % height != 0 || size / height % width != 0 || size / height / width != channels) {
    throw UsageError(
        fmt::format("mneme::data::mask: the image shape {} x {} x {} does not match patterns of {} numbers.\n"
                    "  Use a shape with height x width x channels = {}, or no shape.",
                    height, width, channels, size, size));
  }
  return fraction_of(height, fraction, "mask") * width * channels;
}

double dot(std::span<const double> a, std::span<const double> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

/// Gram-Schmidt step: removes the component of `v` along the unit vector `u` and normalises the rest. Returns
/// false if `v` is nearly parallel to `u`.
bool make_orthogonal(std::span<double> v, std::span<const double> u) {
  constexpr double kMinRatio = 1e-6; // to the length of v; below it, rounding errors dominate the direction
  for (int pass = 0; pass < 2; ++pass) { // the second pass removes the rounding error of the first
    const double before = std::sqrt(dot(v, v)), along = dot(v, u);
    for (size_t j = 0; j < v.size(); ++j) {
      v[j] -= along * u[j];
    }
    const double length = std::sqrt(dot(v, v));
    if (!(length > kMinRatio * before)) {
      return false;
    }
    for (double& x : v) {
      x /= length;
    }
  }
  return true;
}

/// Maximum absolute value of a pattern. Throws if the pattern has no direction (all zeros, or not finite).
double max_abs(std::span<const double> pattern, const std::string& which) {
  double max = 0;
  for (const double x : pattern) {
    max = std::isfinite(x) ? std::max(max, std::abs(x)) : x;
    if (!std::isfinite(x)) {
      break;
    }
  }
  if (max == 0 || !std::isfinite(max)) {
    throw UsageError(
        fmt::format("mneme::data::cosine_noise: {} {}, so it has no direction and cannot be rotated.\n"
                    "  Remove this pattern.",
                    which, max == 0 ? "is all zeros" : fmt::format("contains {}", max)));
  }
  return max;
}

void check_cosine(double cosine, int64_t size) {
  if (!(cosine >= -1 && cosine <= 1)) {
    throw UsageError(
        fmt::format("mneme::data::cosine_noise: cosine is {}.\n  Choose a number from -1 to 1.", cosine));
  }
  if (size < 2) {
    throw UsageError(fmt::format("mneme::data::cosine_noise: patterns have size {}.\n"
                                 "  Rotating a pattern requires a size of at least 2.",
                                 size));
  }
}

/// Rotates a pattern, whose maximum absolute value is `scale`, towards `direction`, which is overwritten.
/// Returns false if the two are parallel.
bool rotate_in_place(std::span<double> pattern, double scale, double cosine, std::span<double> direction) {
  // The pattern is divided by its maximum first: squares of very large or very small numbers overflow or
  // underflow.
  std::vector<double> u(pattern.begin(), pattern.end());
  for (double& x : u) {
    x /= scale;
  }
  const double length = std::sqrt(dot(u, u));
  for (double& x : u) {
    x /= length;
  }
  if (!make_orthogonal(direction, u)) {
    return false;
  }
  const double sine = std::sqrt((1 - cosine) * (1 + cosine));
  for (size_t j = 0; j < u.size(); ++j) {
    pattern[j] = (cosine * u[j] + sine * direction[j]) * length * scale;
  }
  return true;
}

} // namespace

BitPatterns flip_bits(const BitPatterns& patterns, int64_t flips, const Random& random) {
  check_flips(flips, patterns.bits());
  BitPatterns result = patterns;
  for_each_pattern(result.count(), random, [&](int64_t i, Random stream) {
    for (const int64_t bit : stream.distinct(flips, result.bits())) {
      result.flip(i, bit);
    }
  });
  return result;
}

RealPatterns flip_bits(const RealPatterns& patterns, int64_t flips, const Random& random) {
  check_flips(flips, patterns.size());
  for (int64_t at = 0; at < patterns.count() * patterns.size(); ++at) {
    if (const double x = patterns.data()[at]; !(x >= 0 && x <= 1)) {
      throw UsageError(fmt::format("mneme::data::flip_bits: pattern {}, position {} is {}, expected 0 to 1.\n"
                                   "  Only numbers from 0 to 1 can be flipped: use cosine_noise for others.",
                                   at / patterns.size(), at % patterns.size(), x));
    }
  }
  RealPatterns result = patterns;
  for_each_pattern(result.count(), random, [&](int64_t i, Random stream) {
    for (const int64_t at : stream.distinct(flips, result.size())) {
      double& x = result[i][static_cast<size_t>(at)];
      x = 1 - x;
    }
  });
  return result;
}

std::vector<double> rotate_towards(std::span<const double> pattern, double cosine,
                                   std::span<const double> direction) {
  check_cosine(cosine, static_cast<int64_t>(pattern.size()));
  if (direction.size() != pattern.size()) {
    throw UsageError(
        fmt::format("mneme::data::rotate_towards: the direction has size {}, but the pattern has size {}.\n"
                    "  Both must have the same size.",
                    direction.size(), pattern.size()));
  }
  std::vector<double> result(pattern.begin(), pattern.end()), w(direction.begin(), direction.end());
  if (!rotate_in_place(result, max_abs(pattern, "the pattern"), cosine, w)) {
    throw UsageError("mneme::data::rotate_towards: the direction is parallel to the pattern, or all zeros.\n"
                     "  Choose another direction.");
  }
  return result;
}

RealPatterns cosine_noise(const RealPatterns& patterns, double cosine, const Random& random) {
  check_cosine(cosine, patterns.empty() ? 2 : patterns.size());
  std::vector<double> scales(static_cast<size_t>(patterns.count()));
  for (int64_t i = 0; i < patterns.count(); ++i) {
    scales[static_cast<size_t>(i)] = max_abs(patterns[i], fmt::format("pattern {}", i));
  }
  RealPatterns result = patterns;
  for_each_pattern(result.count(), random, [&](int64_t i, Random stream) {
    std::vector<double> w(static_cast<size_t>(result.size()));
    do {
      std::generate(w.begin(), w.end(), [&] { return 2 * stream.uniform() - 1; });
    } while (!rotate_in_place(result[i], scales[static_cast<size_t>(i)], cosine, w));
  });
  for (int64_t i = 0; i < result.count(); ++i) {
    if (!std::all_of(result[i].begin(), result[i].end(), [](double x) { return std::isfinite(x); })) {
      throw UsageError(fmt::format(
          "mneme::data::cosine_noise: the norm of pattern {} overflows a double (its largest number is {}).\n"
          "  Scale the patterns down.",
          i, scales[static_cast<size_t>(i)]));
    }
  }
  return result;
}

BitPatterns mask(const BitPatterns& patterns, double fraction, const ImageShape& shape) {
  const int64_t masked = masked_size(patterns.bits(), fraction, shape);
  BitPatterns result = patterns;
  for (int64_t i = 0; i < result.count(); ++i) {
    for (int64_t b = result.bits() - masked; b < result.bits(); ++b) {
      result.set(i, b, false);
    }
  }
  return result;
}

RealPatterns mask(const RealPatterns& patterns, double fraction, const ImageShape& shape) {
  const int64_t masked = masked_size(patterns.size(), fraction, shape);
  RealPatterns result = patterns;
  for (int64_t i = 0; i < result.count(); ++i) {
    std::fill_n(result[i].end() - masked, masked, 0.0);
  }
  return result;
}

BitPatterns salt_and_pepper(const BitPatterns& patterns, double fraction, const Random& random) {
  const int64_t hit = fraction_of(patterns.bits(), fraction, "salt_and_pepper");
  BitPatterns result = patterns;
  for_each_pattern(result.count(), random, [&](int64_t i, Random stream) {
    for (const int64_t bit : stream.distinct(hit, result.bits())) {
      result.set(i, bit, stream.below(2) == 1);
    }
  });
  return result;
}

RealPatterns salt_and_pepper(const RealPatterns& patterns, double fraction, const Random& random) {
  const int64_t hit = fraction_of(patterns.size(), fraction, "salt_and_pepper");
  RealPatterns result = patterns;
  for_each_pattern(result.count(), random, [&](int64_t i, Random stream) {
    for (const int64_t at : stream.distinct(hit, result.size())) {
      result[i][static_cast<size_t>(at)] = stream.below(2) == 1 ? 1.0 : 0.0;
    }
  });
  return result;
}

} // namespace mneme::data
