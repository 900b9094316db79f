// SPDX-License-Identifier: MIT

/// Pattern matrices used by all modules: packed bits and real numbers. Row-major, one pattern per row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <utility>
#include <vector>

namespace mneme {

/// Allocates memory that begins with a cache line, so that rows of whole lines do not share any.
template <class T> struct CacheLineAllocator {
  using value_type = T;
  static constexpr std::align_val_t kAlignment{64};

  CacheLineAllocator() = default;
  template <class Other> CacheLineAllocator(const CacheLineAllocator<Other>&) noexcept {}
  T* allocate(size_t count) { return static_cast<T*>(::operator new(count * sizeof(T), kAlignment)); }
  void deallocate(T* memory, size_t) noexcept { ::operator delete(memory, kAlignment); }
  bool operator==(const CacheLineAllocator&) const = default;
};

/// Binary patterns, packed into 64-bit words.
///
/// Layout  bit b of a pattern is bit (b mod 64) of its word (b / 64); the pad bits of the last word are 0
/// Moves   a set that was moved from has no patterns; the number of bits of a pattern stays
/// Errors  UsageError if a size is negative, or the patterns cannot be allocated
class BitPatterns {
public:
  BitPatterns() = default;
  /// `count` patterns of `bits` bits, all 0.
  BitPatterns(int64_t count, int64_t bits);
  BitPatterns(const BitPatterns&) = default;
  BitPatterns& operator=(const BitPatterns&) = default;
  BitPatterns(BitPatterns&& other) noexcept
      : count_(std::exchange(other.count_, 0)), bits_(other.bits_), words_(other.words_),
        words_of_all_(std::exchange(other.words_of_all_, {})) {}
  BitPatterns& operator=(BitPatterns&& other) noexcept {
    count_ = std::exchange(other.count_, 0);
    bits_ = other.bits_;
    words_ = other.words_;
    words_of_all_ = std::exchange(other.words_of_all_, {});
    return *this;
  }
  ~BitPatterns() = default;

  int64_t count() const { return count_; }
  int64_t bits() const { return bits_; }
  int64_t words() const { return words_; } ///< 64-bit words per pattern
  bool empty() const { return count_ == 0; }

  /// The functions of one bit and of one pattern do not check their indices, as inner loops call them:
  /// 0 <= pattern < count() and 0 <= bit < bits().
  bool get(int64_t pattern, int64_t bit) const {
    return (words_of_all_[static_cast<size_t>(pattern * words_ + bit / 64)] >> (bit % 64)) & 1U;
  }
  void set(int64_t pattern, int64_t bit, bool on) {
    uint64_t& word = words_of_all_[static_cast<size_t>(pattern * words_ + bit / 64)];
    const uint64_t mask = uint64_t{1} << (bit % 64);
    word = on ? word | mask : word & ~mask;
  }
  void flip(int64_t pattern, int64_t bit) {
    words_of_all_[static_cast<size_t>(pattern * words_ + bit / 64)] ^= uint64_t{1} << (bit % 64);
  }

  /// Words of one pattern. Code that writes words must keep the pad bits 0 (see `last_word_mask`).
  std::span<const uint64_t> operator[](int64_t pattern) const {
    return {words_of_all_.data() + pattern * words_, static_cast<size_t>(words_)};
  }
  std::span<uint64_t> operator[](int64_t pattern) {
    return {words_of_all_.data() + pattern * words_, static_cast<size_t>(words_)};
  }
  /// Mask of the bits of the last word that belong to the pattern.
  uint64_t last_word_mask() const {
    return bits_ % 64 == 0 ? ~uint64_t{0} : (uint64_t{1} << (bits_ % 64)) - 1;
  }

  const uint64_t* data() const { return words_of_all_.data(); }
  uint64_t* data() { return words_of_all_.data(); }

  /// Allocates memory for `count` patterns in total, so that `append` up to this number does not copy them.
  void reserve(int64_t count);
  /// Adds the patterns of `more`, which may be these patterns, at the end, in amortised O(patterns added).
  ///
  /// Errors  UsageError if its patterns have another number of bits
  void append(const BitPatterns& more);
  /// Removes the patterns with these indices, which ascend strictly; the others keep their order.
  ///
  /// Errors  UsageError if an index is out of range or not greater than the one before it
  void erase(std::span<const int64_t> ascending);

  bool operator==(const BitPatterns&) const = default;

private:
  int64_t count_ = 0, bits_ = 0, words_ = 0;
  std::vector<uint64_t, CacheLineAllocator<uint64_t>> words_of_all_;
};

/// Patterns of real numbers (float64).
///
/// Moves   a set that was moved from has no patterns; the number of numbers of a pattern stays
/// Errors  UsageError if a size is negative, the patterns cannot be allocated, or `values` has the wrong
///         length
class RealPatterns {
public:
  RealPatterns() = default;
  /// `count` patterns of `size` numbers, all 0.
  RealPatterns(int64_t count, int64_t size);
  RealPatterns(int64_t count, int64_t size, std::vector<double> values);
  RealPatterns(const RealPatterns&) = default;
  RealPatterns& operator=(const RealPatterns&) = default;
  RealPatterns(RealPatterns&& other) noexcept
      : count_(std::exchange(other.count_, 0)), size_(other.size_),
        values_(std::exchange(other.values_, {})) {}
  RealPatterns& operator=(RealPatterns&& other) noexcept {
    count_ = std::exchange(other.count_, 0);
    size_ = other.size_;
    values_ = std::exchange(other.values_, {});
    return *this;
  }
  ~RealPatterns() = default;

  int64_t count() const { return count_; }
  int64_t size() const { return size_; } ///< numbers per pattern
  bool empty() const { return count_ == 0; }

  /// Numbers of one pattern. The index is not checked: 0 <= pattern < count().
  std::span<const double> operator[](int64_t pattern) const {
    return {values_.data() + pattern * size_, static_cast<size_t>(size_)};
  }
  std::span<double> operator[](int64_t pattern) {
    return {values_.data() + pattern * size_, static_cast<size_t>(size_)};
  }

  const double* data() const { return values_.data(); }
  double* data() { return values_.data(); }

  /// Adds the patterns of `more`, which may be these patterns, at the end, in amortised O(patterns added).
  ///
  /// Errors  UsageError if its patterns have another size
  void append(const RealPatterns& more);
  /// Removes the patterns with these indices, which ascend strictly; the others keep their order.
  ///
  /// Errors  UsageError if an index is out of range or not greater than the one before it
  void erase(std::span<const int64_t> ascending);

  bool operator==(const RealPatterns&) const = default;

private:
  int64_t count_ = 0, size_ = 0;
  std::vector<double> values_;
};

/// Patterns `begin` to `end` (not included).
///
/// Errors  UsageError if the range is not within the patterns
BitPatterns slice(const BitPatterns& patterns, int64_t begin, int64_t end);
RealPatterns slice(const RealPatterns& patterns, int64_t begin, int64_t end);
/// The patterns with these indices, in this order.
///
/// Errors  UsageError if an index is out of range
BitPatterns select(const BitPatterns& patterns, std::span<const int64_t> indices);
RealPatterns select(const RealPatterns& patterns, std::span<const int64_t> indices);

/// Bits as -1 and +1.
RealPatterns to_bipolar(const BitPatterns& patterns);
/// Bits as 0 and 1.
RealPatterns to_zeros_and_ones(const BitPatterns& patterns);

/// A bit is 1 if the number is strictly greater than `threshold`.
///
/// Errors  UsageError if a number or the threshold is NaN
BitPatterns to_bits(const RealPatterns& patterns, double threshold);

/// Index of each pattern among the distinct patterns, numbered in the order of first occurrence. Equal
/// patterns have equal indices.
std::vector<int64_t> distinct_pattern_indices(const BitPatterns& patterns);

/// Scales a pattern in place to Euclidean length `length`; a pattern of zeros is unchanged.
void scale_to_length(std::span<double> pattern, double length);
/// Patterns scaled to Euclidean length `length`.
/// Errors  UsageError if a number is not finite, or `length` is not a finite number of at least 0
RealPatterns normalised(RealPatterns patterns, double length = 1.0);

/// Number of differing bits between pattern `i` of `a` and pattern `j` of `b`.
///
/// Errors  UsageError if the sizes of the patterns differ, or an index is out of range
int64_t hamming_distance(const BitPatterns& a, int64_t i, const BitPatterns& b, int64_t j);

/// Cosine of the angle between pattern `i` of `a` and pattern `j` of `b`; 0 if one of them is all zeros.
///
/// Errors  UsageError if the sizes of the patterns differ, an index is out of range, or a number is not
///         finite
double cosine(const RealPatterns& a, int64_t i, const RealPatterns& b, int64_t j);

} // namespace mneme
