// SPDX-License-Identifier: MIT

#include "mneme/core/patterns.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <new>
#include <string>
#include <string_view>
#include <unordered_map>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/core/finite.h"
#include "mneme/core/machine.h"
#include "mneme/core/parallel.h"

namespace mneme {
namespace {

/// Name of a pattern matrix and of its elements, for messages.
struct MatrixName {
  const char *type, *unit;
};
constexpr MatrixName kBits{"mneme::BitPatterns", "bits"}, kReals{"mneme::RealPatterns", "numbers"};

/// Errors  UsageError that names the sizes, and the bytes of `count` patterns of `items` vector elements
[[noreturn]] void reject_allocation(const MatrixName& name, int64_t count, int64_t size, int64_t items,
                                    size_t item_bytes) {
  const std::string patterns = fmt::format("{}: {} patterns of {} {}", name.type, count, size, name.unit);
  if (count < 0 || size < 0) {
    throw UsageError(patterns + " cannot be allocated.\n  Both numbers must be at least 0.");
  }
  const double bytes =
      static_cast<double>(count) * static_cast<double>(items) * static_cast<double>(item_bytes);
  throw UsageError(fmt::format("{} need {:.3g} GB of memory, which cannot be allocated.\n  Use fewer or "
                               "smaller patterns, or a machine with more memory.",
                               patterns, bytes / 1e9));
}

/// count * items, if a vector can address it and this machine can have it.
template <class T>
size_t checked_product(const MatrixName& name, int64_t count, int64_t size, int64_t items) {
  const auto limit =
      static_cast<int64_t>(std::numeric_limits<ptrdiff_t>::max() / static_cast<ptrdiff_t>(sizeof(T)));
  if (count < 0 || size < 0 || (items > 0 && count > limit / items)) {
    reject_allocation(name, count, size, items, sizeof(T));
  }
  const auto product = static_cast<size_t>(count * items);
  constexpr size_t kLarge = size_t{1} << 40; // below it the allocator decides, as there may be swap space
  if (product > kLarge / sizeof(T) && product * sizeof(T) > machine_memory().total.value_or(kLarge)) {
    reject_allocation(name, count, size, items, sizeof(T));
  }
  return product;
}

template <class Elements> Elements zeros(const MatrixName& name, int64_t count, int64_t size, int64_t items) {
  using T = typename Elements::value_type;
  const size_t product = checked_product<T>(name, count, size, items);
  try {
    return Elements(product);
  } catch (const std::bad_alloc&) {
    reject_allocation(name, count, size, items, sizeof(T));
  }
}

/// Errors  UsageError if patterns of `more` elements cannot be appended to patterns of `size` elements
void check_appended(const MatrixName& name, int64_t size, int64_t more) {
  if (more != size) {
    throw UsageError(fmt::format("{0}: patterns of {1} {3} cannot be appended to patterns of {2} {3}.",
                                 name.type, more, size, name.unit));
  }
}

/// Appends `more`, which may be the vector itself. `count`: the number of patterns afterwards.
template <class Elements>
void append_items(const MatrixName& name, Elements& to, const Elements& more, int64_t count, int64_t size,
                  int64_t items) {
  try {
    if (&more == &to) {
      append_items(name, to, Elements(more), count, size, items);
    } else {
      to.insert(to.end(), more.begin(), more.end());
    }
  } catch (const std::bad_alloc&) {
    reject_allocation(name, count, size, items, sizeof(typename Elements::value_type));
  }
}

template <class Patterns> void check_slice(const Patterns& patterns, int64_t begin, int64_t end) {
  if (begin < 0 || begin > end || end > patterns.count()) {
    throw UsageError("mneme::slice: patterns " + std::to_string(begin) + " to " + std::to_string(end) +
                     " requested, but there are " + std::to_string(patterns.count()) + ".");
  }
}

/// Errors  UsageError if pattern `index` does not exist
template <class Patterns> void require_pattern(const char* where, const Patterns& patterns, int64_t index) {
  if (index < 0 || index >= patterns.count()) {
    throw UsageError(fmt::format("{}: pattern {} was requested, but there are {}.\n  Indices start at 0.",
                                 where, index, patterns.count()));
  }
}

/// Errors  UsageError if one of two compared patterns does not exist, or if their sizes differ
template <class Patterns>
void require_comparable(const char* where, const Patterns& a, int64_t i, int64_t size_a, const Patterns& b,
                        int64_t j, int64_t size_b, const char* unit) {
  if (size_a != size_b) {
    throw UsageError(
        fmt::format("{}: a pattern of {} {} cannot be compared with one of {} {}.\n  Both must have the "
                    "same size.",
                    where, size_a, unit, size_b, unit));
  }
  require_pattern(where, a, i);
  require_pattern(where, b, j);
}

/// Removes rows of `items` elements with these indices. Returns the number of rows that are left.
template <class Elements>
int64_t erase_rows(const MatrixName& name, Elements& elements, int64_t items, int64_t count,
                   std::span<const int64_t> ascending) {
  for (size_t i = 0; i < ascending.size(); ++i) {
    if (ascending[i] < 0 || ascending[i] >= count || (i > 0 && ascending[i] <= ascending[i - 1])) {
      throw UsageError(
          fmt::format("{}: pattern {} of {} cannot be erased.\n  The indices must be in range and "
                      "ascend strictly.",
                      name.type, ascending[i], count));
    }
  }
  int64_t kept = ascending.empty() ? count : ascending.front();
  for (size_t i = 0; i < ascending.size(); ++i) {
    const int64_t begin = ascending[i] + 1, end = i + 1 < ascending.size() ? ascending[i + 1] : count;
    std::copy(elements.begin() + begin * items, elements.begin() + end * items,
              elements.begin() + kept * items);
    kept += end - begin;
  }
  elements.resize(static_cast<size_t>(kept * items));
  return kept;
}

double max_magnitude(std::span<const double> row) {
  double max = 0;
  for (const double x : row) {
    max = std::max(max, std::abs(x));
  }
  return max;
}

} // namespace

BitPatterns::BitPatterns(int64_t count, int64_t bits)
    : count_(count), bits_(bits), words_(bits > 0 ? (bits - 1) / 64 + 1 : 0),
      words_of_all_(zeros<decltype(words_of_all_)>(kBits, count, bits, words_)) {}

void BitPatterns::reserve(int64_t count) {
  const size_t product = checked_product<uint64_t>(kBits, count, bits_, words_);
  try {
    words_of_all_.reserve(product);
  } catch (const std::bad_alloc&) {
    reject_allocation(kBits, count, bits_, words_, sizeof(uint64_t));
  }
}

void BitPatterns::append(const BitPatterns& more) {
  check_appended(kBits, bits_, more.bits_);
  append_items(kBits, words_of_all_, more.words_of_all_, count_ + more.count_, bits_, words_);
  count_ += more.count_;
}

void BitPatterns::erase(std::span<const int64_t> ascending) {
  count_ = erase_rows(kBits, words_of_all_, words_, count_, ascending);
}

void RealPatterns::erase(std::span<const int64_t> ascending) {
  count_ = erase_rows(kReals, values_, size_, count_, ascending);
}

RealPatterns::RealPatterns(int64_t count, int64_t size)
    : count_(count), size_(size), values_(zeros<std::vector<double>>(kReals, count, size, size)) {}

RealPatterns::RealPatterns(int64_t count, int64_t size, std::vector<double> values)
    : count_(count), size_(size), values_(std::move(values)) {
  if (const size_t expected = checked_product<double>(kReals, count, size, size);
      expected != values_.size()) {
    throw UsageError("mneme::RealPatterns: " + std::to_string(count) + " patterns of " +
                     std::to_string(size) + " need " + std::to_string(expected) + " values, but " +
                     std::to_string(values_.size()) + " were given.");
  }
}

void RealPatterns::append(const RealPatterns& more) {
  check_appended(kReals, size_, more.size_);
  append_items(kReals, values_, more.values_, count_ + more.count_, size_, size_);
  count_ += more.count_;
}

BitPatterns slice(const BitPatterns& patterns, int64_t begin, int64_t end) {
  check_slice(patterns, begin, end);
  BitPatterns result(end - begin, patterns.bits());
  std::copy_n(patterns.data() + begin * patterns.words(), (end - begin) * patterns.words(), result.data());
  return result;
}

RealPatterns slice(const RealPatterns& patterns, int64_t begin, int64_t end) {
  check_slice(patterns, begin, end);
  return {end - begin, patterns.size(),
          std::vector<double>(patterns.data() + begin * patterns.size(),
                              patterns.data() + end * patterns.size())};
}

BitPatterns select(const BitPatterns& patterns, std::span<const int64_t> indices) {
  BitPatterns selected(std::ssize(indices), patterns.bits());
  for (size_t i = 0; i < indices.size(); ++i) {
    require_pattern("mneme::select", patterns, indices[i]);
    std::ranges::copy(patterns[indices[i]], selected[static_cast<int64_t>(i)].begin());
  }
  return selected;
}

RealPatterns select(const RealPatterns& patterns, std::span<const int64_t> indices) {
  RealPatterns selected(std::ssize(indices), patterns.size());
  for (size_t i = 0; i < indices.size(); ++i) {
    require_pattern("mneme::select", patterns, indices[i]);
    std::ranges::copy(patterns[indices[i]], selected[static_cast<int64_t>(i)].begin());
  }
  return selected;
}

namespace {

RealPatterns to_reals(const BitPatterns& patterns, double zero) {
  RealPatterns reals(patterns.count(), patterns.bits());
  for (int64_t i = 0; i < patterns.count(); ++i) {
    for (int64_t b = 0; b < patterns.bits(); ++b) {
      reals[i][static_cast<size_t>(b)] = patterns.get(i, b) ? 1.0 : zero;
    }
  }
  return reals;
}

} // namespace

RealPatterns to_bipolar(const BitPatterns& patterns) {
  return to_reals(patterns, -1);
}

RealPatterns to_zeros_and_ones(const BitPatterns& patterns) {
  return to_reals(patterns, 0);
}

BitPatterns to_bits(const RealPatterns& patterns, double threshold) {
  if (std::isnan(threshold)) {
    throw UsageError("mneme::to_bits: the threshold is NaN.\n  Give a number.");
  }
  BitPatterns bits(patterns.count(), patterns.size());
  for (int64_t i = 0; i < patterns.count(); ++i) {
    for (int64_t b = 0; b < patterns.size(); ++b) {
      const double number = patterns[i][static_cast<size_t>(b)];
      if (number > threshold) {
        bits.flip(i, b);
      } else if (std::isnan(number)) {
        throw UsageError(
            fmt::format("mneme::to_bits: pattern {} holds NaN at index {}.\n  NaN is neither above "
                        "nor below a threshold: correct or remove that pattern.",
                        i, b));
      }
    }
  }
  return bits;
}

std::vector<int64_t> distinct_pattern_indices(const BitPatterns& patterns) {
  std::unordered_map<std::string_view, int64_t> known;
  std::vector<int64_t> indices(static_cast<size_t>(patterns.count()));
  for (int64_t i = 0; i < patterns.count(); ++i) {
    const std::span<const uint64_t> words = patterns[i];
    const std::string_view bytes(reinterpret_cast<const char*>(words.data()), words.size_bytes());
    indices[static_cast<size_t>(i)] =
        known.try_emplace(bytes, static_cast<int64_t>(known.size())).first->second;
  }
  return indices;
}

void scale_to_length(std::span<double> pattern, double length) {
  const double max = max_magnitude(pattern);
  if (max == 0) {
    return;
  }
  // Squares of very large or very small numbers overflow or underflow: such patterns are first divided by
  // their maximum.
  constexpr double kSafe = 1e100;
  if (max > kSafe || max < 1 / kSafe) {
    for (double& x : pattern) {
      x /= max;
    }
  }
  double squares = 0;
  for (const double x : pattern) {
    squares += x * x;
  }
  const double factor = length / std::sqrt(squares);
  for (double& x : pattern) {
    x *= factor;
  }
}

RealPatterns normalised(RealPatterns patterns, double length) {
  if (!(length >= 0) || !std::isfinite(length)) {
    throw UsageError(fmt::format("mneme::normalised: the length is {}, but it must be a finite number of at "
                                 "least 0.\n  1 makes the dot product of two patterns their cosine.",
                                 length));
  }
  parallel_for(patterns.count(), 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const std::span<double> row = patterns[i];
      for (size_t k = 0; k < row.size(); ++k) {
        if (!std::isfinite(row[k])) {
          throw UsageError("mneme::normalised: pattern " + std::to_string(i) + " holds " +
                           std::to_string(row[k]) + " at index " + std::to_string(k) +
                           ".\n  Only finite patterns have a length: correct or remove that pattern.");
        }
      }
      scale_to_length(row, length);
    }
  });
  return patterns;
}

int64_t hamming_distance(const BitPatterns& a, int64_t i, const BitPatterns& b, int64_t j) {
  require_comparable("mneme::hamming_distance", a, i, a.bits(), b, j, b.bits(), "bits");
  int64_t distance = 0;
  for (size_t w = 0; w < static_cast<size_t>(a.words()); ++w) {
    distance += std::popcount(a[i][w] ^ b[j][w]);
  }
  return distance;
}

double cosine(const RealPatterns& a, int64_t i, const RealPatterns& b, int64_t j) {
  require_comparable("mneme::cosine", a, i, a.size(), b, j, b.size(), "numbers");
  const std::span<const double> x = a[i], y = b[j];
  if (!all_finite(x) || !all_finite(y)) {
    throw UsageError(fmt::format("mneme::cosine: pattern {} or {} holds a number that is not finite.\n  Only "
                                 "finite patterns have a cosine: correct or remove that pattern.",
                                 i, j));
  }
  const double max_x = max_magnitude(x), max_y = max_magnitude(y);
  if (max_x == 0 || max_y == 0) {
    return 0;
  }
  // Scaled as in scale_to_length, against overflow and underflow.
  double dot = 0, squares_x = 0, squares_y = 0;
  for (size_t k = 0; k < x.size(); ++k) {
    const double scaled_x = x[k] / max_x, scaled_y = y[k] / max_y;
    dot += scaled_x * scaled_y;
    squares_x += scaled_x * scaled_x;
    squares_y += scaled_y * scaled_y;
  }
  return std::clamp(dot / (std::sqrt(squares_x) * std::sqrt(squares_y)), -1.0, 1.0);
}

} // namespace mneme
