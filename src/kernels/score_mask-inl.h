// SPDX-License-Identifier: MIT

/// Masks of softmax, tile by tile: the same scores, bit for bit, forward and on the way back. Included once per CPU
/// target.

#if defined(MNEME_KERNELS_SCORE_MASK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MNEME_KERNELS_SCORE_MASK_INL_H_
#undef MNEME_KERNELS_SCORE_MASK_INL_H_
#else
#define MNEME_KERNELS_SCORE_MASK_INL_H_
#endif

#include <hwy/aligned_allocator.h>
#include <hwy/highway.h>

#include "kernels/lane_product-inl.h"
#include "kernels/score_mask.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// A run of stored patterns that are worked on together. Missing ones are left out: those that are there are copied
/// one behind the other, which costs little beside all the queries that look at them.
class StoredTile {
public:
  StoredTile(const uint8_t* missing, int64_t rows_most)
      : missing_(missing), rows_(Room<int64_t>(missing, rows_most)) {}

  /// Memory for what is copied: nothing where no pattern may be missing.
  template <class T> static hwy::AlignedFreeUniquePtr<T[]> Room(const uint8_t* missing, int64_t count) {
    return missing == nullptr ? nullptr : hwy::AllocateAligned<T>(static_cast<size_t>(HWY_MAX(count, 1)));
  }

  /// Goes to the `rows` patterns from `first` on.
  HWY_INLINE void Move(int64_t first, int64_t rows) {
    first_ = first;
    count_ = span_ = rows;
    if (missing_ != nullptr) {
      count_ = 0;
      for (int64_t r = 0; r < rows; ++r) {
        rows_[static_cast<size_t>(count_)] = r;
        count_ += missing_[first + r] == 0 ? 1 : 0;
      }
    }
  }

  int64_t first() const { return first_; }
  int64_t span() const { return span_; }   ///< patterns, missing ones as well
  int64_t count() const { return count_; } ///< those that are there
  /// Where a pattern that is there lies, from the first one on.
  HWY_INLINE int64_t Row(int64_t r) const { return count_ == span_ ? r : rows_[static_cast<size_t>(r)]; }

  /// Their rows of [.., columns]; `copy` has room for a tile, where patterns may be missing.
  template <class T> HWY_INLINE const T* Rows(const T* all, int64_t columns, T* copy) const {
    const T* from = all + first_ * columns;
    if (count_ == span_) {
      return from;
    }
    for (int64_t r = 0; r < count_; ++r) {
      for (int64_t c = 0; c < columns; ++c) {
        copy[r * columns + c] = from[Row(r) * columns + c];
      }
    }
    return copy;
  }

private:
  const uint8_t* missing_;
  hwy::AlignedFreeUniquePtr<int64_t[]> rows_;
  int64_t first_ = 0, span_ = 0, count_ = 0;
};

/// True if all bytes, each 0 or 1, are `value`.
HWY_INLINE bool AllBytesAre(const uint8_t* bytes, int64_t count, uint8_t value) {
  const uint64_t wanted = value * 0x0101010101010101U;
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    uint64_t word;
    hwy::CopyBytes<8>(bytes + i, &word);
    if (word != wanted) {
      return false;
    }
  }
  for (; i < count; ++i) {
    if (bytes[i] != value) {
      return false;
    }
  }
  return true;
}

template <class T> HWY_INLINE bool AllNumbersAre(const T* numbers, int64_t count, T value) {
  const hn::ScalableTag<T> d;
  const int64_t n = static_cast<int64_t>(hn::Lanes(d));
  const auto wanted = hn::Set(d, value);
  int64_t i = 0;
  for (; i + n <= count; i += n) {
    if (!hn::AllTrue(d, hn::Eq(hn::LoadU(d, numbers + i), wanted))) {
      return false;
    }
  }
  for (; i < count; ++i) {
    if (!(numbers[i] == value)) {
      return false;
    }
  }
  return true;
}

template <class T> HWY_INLINE constexpr T NotSeen() {
  constexpr T kMinusInfinity = -std::numeric_limits<T>::infinity();
  return kMinusInfinity;
}

/// True if none of the queries from `query` on sees a pattern of the tile, so that it changes nothing.
template <class T>
HWY_INLINE bool SeesNothing(const ScoreMask<T>& mask, int64_t query, int64_t queries,
                            const StoredTile& tile) {
  if (tile.count() == 0) {
    return true;
  }
  if (mask.hidden == nullptr && mask.added == nullptr) {
    return false;
  }
  for (int64_t q = query; q < query + queries; ++q) {
    const int64_t pair = q * mask.stride + tile.first();
    if (!(mask.hidden != nullptr ? AllBytesAre(mask.hidden + pair, tile.span(), 1)
                                 : AllNumbersAre(mask.added + pair, tile.span(), NotSeen<T>()))) {
      return false;
    }
  }
  return true;
}

/// scores [rows of the tile][lane] of the queries from `query` on, masked.
template <class T>
HWY_INLINE void MaskScores(const ScoreMask<T>& mask, int64_t query, int64_t lanes_used,
                           const StoredTile& tile, T* scores) {
  const int64_t lanes = PanelLanes<T>();
  for (int64_t lane = 0; lane < lanes_used && mask.hidden != nullptr; ++lane) {
    const uint8_t* hidden = mask.hidden + (query + lane) * mask.stride + tile.first();
    if (AllBytesAre(hidden, tile.span(), 0)) {
      continue;
    }
    for (int64_t r = 0; r < tile.count(); ++r) {
      T& score = scores[r * lanes + lane];
      score = hidden[tile.Row(r)] != 0 ? NotSeen<T>() : score;
    }
  }
  for (int64_t lane = 0; lane < lanes_used && mask.added != nullptr; ++lane) {
    const T* added = mask.added + (query + lane) * mask.stride + tile.first();
    if (AllNumbersAre(added, tile.span(), T{0})) {
      continue;
    }
    for (int64_t r = 0; r < tile.count(); ++r) {
      scores[r * lanes + lane] += added[tile.Row(r)];
    }
  }
}

} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
