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

/// Calls damage(i, stream of pattern i) for every pattern.
template <class Damage> void for_each_pattern(int64_t count, const Random& random, Damage damage) {
  constexpr int64_t kBlock = 64;
  parallel_for(count, kBlock, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      damage(i, random.stream(static_cast<uint64_t>(i)));
    }
  });
}

void check_flips(int64_t flips, int64_t size) {
  if (flips < 0 || flips > size) {
    throw UsageError(fmt::format("mneme::data::flip_bits: {} flips asked for in patterns of {} bits.\n"
                                 "  Give 0 to {}.",
                                 flips, size, size));
  }
}

/// share * size, rounded.
int64_t part_of(int64_t size, double share, std::string_view where) {
  if (!(share >= 0 && share <= 1)) {
    throw UsageError(
        fmt::format("mneme::data::{}: a share of {} asked for.\n  Give a number from 0 to 1.", where, share));
  }
  return std::min(size, static_cast<int64_t>(std::floor(share * static_cast<double>(size) + 0.5)));
}

/// How many numbers at the end of a pattern are to be masked.
int64_t masked_size(int64_t size, double share, const ImageShape& shape) {
  if (shape == ImageShape{}) {
    return part_of(size, share, "mask");
  }
  const auto [height, width, channels] = shape;
  // Divided, not multiplied: the product of nonsense could overflow.
  if (height < 1 || width < 1 || channels < 1 || size % height != 0 || size / height % width != 0 ||
      size / height / width != channels) {
    throw UsageError(
        fmt::format("mneme::data::mask: images of {} x {} x {} do not have the {} numbers of a pattern.\n"
                    "  Give height x width x channels = {}, or no shape.",
                    height, width, channels, size, size));
  }
  return part_of(height, share, "mask") * width * channels;
}

double dot(std::span<const double> a, std::span<const double> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

/// Takes the part along the unit vector `u` out of `v` and scales the rest to length 1; false if next to
/// nothing is left.
bool make_orthogonal(std::span<double> v, std::span<const double> u) {
  constexpr double kLeast = 1e-6;        // of the length of v; below it rounding decides the direction
  for (int pass = 0; pass < 2; ++pass) { // the second pass takes out what rounding left of the first
    const double before = std::sqrt(dot(v, v)), along = dot(v, u);
    for (size_t j = 0; j < v.size(); ++j) {
      v[j] -= along * u[j];
    }
    const double length = std::sqrt(dot(v, v));
    if (!(length > kLeast * before)) {
      return false;
    }
    for (double& x : v) {
      x /= length;
    }
  }
  return true;
}

/// The largest number of a pattern by size; refuses a pattern without direction.
double largest_of(std::span<const double> pattern, const std::string& which) {
  double most = 0;
  for (const double x : pattern) {
    most = std::isfinite(x) ? std::max(most, std::abs(x)) : x;
    if (!std::isfinite(x)) {
      break;
    }
  }
  if (most == 0 || !std::isfinite(most)) {
    throw UsageError(fmt::format("mneme::data::cosine_noise: {} {}.\n"
                                 "  Leave it out: it has no direction to be turned.",
                                 which, most == 0 ? "is all zeros" : fmt::format("holds {}", most)));
  }
  return most;
}

void check_cosine(double cosine, int64_t size) {
  if (!(cosine >= -1 && cosine <= 1)) {
    throw UsageError(fmt::format(
        "mneme::data::cosine_noise: a cosine of {} asked for.\n  Give a number from -1 to 1.", cosine));
  }
  if (size < 2) {
    throw UsageError(fmt::format("mneme::data::cosine_noise: patterns of {} numbers given.\n"
                                 "  Turning one away from itself takes at least 2.",
                                 size));
  }
}

/// Turns a pattern towards `direction`, which is used up; false if that lies along the pattern.
bool turn(std::span<double> pattern, double largest, double cosine, std::span<double> direction) {
  // Divided by the largest number first: squares of very large or very small numbers leave the range of
  // doubles.
  std::vector<double> u(pattern.begin(), pattern.end());
  for (double& x : u) {
    x /= largest;
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
    pattern[j] = (cosine * u[j] + sine * direction[j]) * length * largest;
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
                                   "  Only such numbers can be flipped: use cosine_noise for others.",
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

std::vector<double> turned(std::span<const double> pattern, double cosine,
                           std::span<const double> direction) {
  check_cosine(cosine, static_cast<int64_t>(pattern.size()));
  if (direction.size() != pattern.size()) {
    throw UsageError(fmt::format("mneme::data::turned: a direction of {} numbers for a pattern of {}.\n"
                                 "  Give one number for each of the pattern.",
                                 direction.size(), pattern.size()));
  }
  std::vector<double> result(pattern.begin(), pattern.end()), w(direction.begin(), direction.end());
  if (!turn(result, largest_of(pattern, "the pattern"), cosine, w)) {
    throw UsageError("mneme::data::turned: the direction lies along the pattern, or is all zeros.\n"
                     "  Draw another one.");
  }
  return result;
}

RealPatterns cosine_noise(const RealPatterns& patterns, double cosine, const Random& random) {
  check_cosine(cosine, patterns.empty() ? 2 : patterns.size());
  std::vector<double> largest(static_cast<size_t>(patterns.count()));
  for (int64_t i = 0; i < patterns.count(); ++i) {
    largest[static_cast<size_t>(i)] = largest_of(patterns[i], fmt::format("pattern {}", i));
  }
  RealPatterns result = patterns;
  for_each_pattern(result.count(), random, [&](int64_t i, Random stream) {
    std::vector<double> w(static_cast<size_t>(result.size()));
    do {
      std::generate(w.begin(), w.end(), [&] { return 2 * stream.uniform() - 1; });
    } while (!turn(result[i], largest[static_cast<size_t>(i)], cosine, w));
  });
  for (int64_t i = 0; i < result.count(); ++i) {
    if (!std::all_of(result[i].begin(), result[i].end(), [](double x) { return std::isfinite(x); })) {
      throw UsageError(fmt::format(
          "mneme::data::cosine_noise: pattern {} is longer than doubles reach (its largest number is {}).\n"
          "  Scale the patterns down.",
          i, largest[static_cast<size_t>(i)]));
    }
  }
  return result;
}

BitPatterns mask(const BitPatterns& patterns, double share, const ImageShape& shape) {
  const int64_t masked = masked_size(patterns.bits(), share, shape);
  BitPatterns result = patterns;
  for (int64_t i = 0; i < result.count(); ++i) {
    for (int64_t b = result.bits() - masked; b < result.bits(); ++b) {
      result.set(i, b, false);
    }
  }
  return result;
}

RealPatterns mask(const RealPatterns& patterns, double share, const ImageShape& shape) {
  const int64_t masked = masked_size(patterns.size(), share, shape);
  RealPatterns result = patterns;
  for (int64_t i = 0; i < result.count(); ++i) {
    std::fill_n(result[i].end() - masked, masked, 0.0);
  }
  return result;
}

BitPatterns salt_and_pepper(const BitPatterns& patterns, double share, const Random& random) {
  const int64_t hit = part_of(patterns.bits(), share, "salt_and_pepper");
  BitPatterns result = patterns;
  for_each_pattern(result.count(), random, [&](int64_t i, Random stream) {
    for (const int64_t bit : stream.distinct(hit, result.bits())) {
      result.set(i, bit, stream.below(2) == 1);
    }
  });
  return result;
}

RealPatterns salt_and_pepper(const RealPatterns& patterns, double share, const Random& random) {
  const int64_t hit = part_of(patterns.size(), share, "salt_and_pepper");
  RealPatterns result = patterns;
  for_each_pattern(result.count(), random, [&](int64_t i, Random stream) {
    for (const int64_t at : stream.distinct(hit, result.size())) {
      result[i][static_cast<size_t>(at)] = stream.below(2) == 1 ? 1.0 : 0.0;
    }
  });
  return result;
}

} // namespace mneme::data
