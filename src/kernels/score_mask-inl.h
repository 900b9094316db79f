// SPDX-License-Identifier: MIT

/// Key padding mask and attention mask of the softmax kernels, applied to one tile of scores at a time.
/// Forward and backward compute the same masked scores, bit for bit. Included once per CPU target.

#if defined(MNEME_KERNELS_SCORE_MASK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MNEME_KERNELS_SCORE_MASK_INL_H_
#undef MNEME_KERNELS_SCORE_MASK_INL_H_
#else
#define MNEME_KERNELS_SCORE_MASK_INL_H_
#endif

#include <algorithm>

#include <hwy/highway.h>

#include "kernels/lane_product-inl.h"
#include "kernels/score_mask.h"
#include "kernels/scratch.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Tile of stored patterns, without those in the key padding mask: if any are masked, the others are copied
/// to contiguous rows. The copy is cheap, because every row of the tile is then multiplied with all queries.
class StoredTile {
public:
  StoredTile(const uint8_t* key_padding_mask, int64_t max_rows)
      : key_padding_mask_(key_padding_mask), rows_(AllocateCopy<int64_t>(key_padding_mask, max_rows)) {}

  /// Buffer of `count` elements for copied rows; null without a key padding mask, which never needs a copy.
  template <class T> static Scratch<T> AllocateCopy(const uint8_t* key_padding_mask, int64_t count) {
    return key_padding_mask == nullptr ? nullptr : take_scratch<T>(count);
  }

  /// Moves the tile to the `rows` patterns from `first` on.
  HWY_INLINE void MoveTo(int64_t first, int64_t rows) {
    first_ = first;
    count_ = span_ = size_ = rows;
    if (key_padding_mask_ != nullptr) {
      count_ = 0;
      for (int64_t r = 0; r < rows; ++r) {
        rows_[static_cast<size_t>(count_)] = r;
        count_ += key_padding_mask_[first + r] == 0 ? 1 : 0;
      }
    }
    size_of_copy_ = count_;
  }
  /// Leaves out the patterns of the tile from position `span` on, relative to first(); until the next call.
  HWY_INLINE void KeepFirst(int64_t span) {
    span_ = span;
    count_ =
        is_copied() ? std::lower_bound(rows_.get(), rows_.get() + size_of_copy_, span) - rows_.get() : span;
  }

  int64_t first() const { return first_; }
  int64_t size() const { return size_; }   ///< patterns to which the tile was moved
  int64_t span() const { return span_; }   ///< of which these are kept, including masked ones
  int64_t count() const { return count_; } ///< of which these are unmasked
  /// Position of the r-th unmasked pattern, relative to first().
  HWY_INLINE int64_t Row(int64_t r) const { return is_copied() ? rows_[static_cast<size_t>(r)] : r; }

  /// Rows [count(), columns] of the unmasked patterns. Points into `all` [.., columns] if the tile has no
  /// masked pattern, else to `copy`, a buffer of a tile from AllocateCopy.
  template <class T> HWY_INLINE const T* Rows(const T* all, int64_t columns, T* copy) const {
    const T* from = all + first_ * columns;
    if (!is_copied()) {
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
  bool is_copied() const { return size_of_copy_ != size_; }

  const uint8_t* key_padding_mask_;
  Scratch<int64_t> rows_;
  int64_t first_ = 0, size_ = 0, span_ = 0, count_ = 0, size_of_copy_ = 0;
};

/// True if all bytes, each of which is 0 or 1, equal `value`.
HWY_INLINE bool AllBytesAre(const uint8_t* bytes, int64_t count, uint8_t value) {
  const uint64_t expected = value * 0x0101010101010101U;
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    uint64_t word;
    hwy::CopyBytes<8>(bytes + i, &word);
    if (word != expected) {
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
  const auto expected = hn::Set(d, value);
  int64_t i = 0;
  for (; i + n <= count; i += n) {
    if (!hn::AllTrue(d, hn::Eq(hn::LoadU(d, numbers + i), expected))) {
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

template <class T> HWY_INLINE constexpr T MaskedScore() {
  constexpr T kMinusInfinity = -std::numeric_limits<T>::infinity();
  return kMinusInfinity;
}

/// End of the last of the bytes [begin, end), each of which is 0 or 1, that is 0; `begin` if none is.
HWY_INLINE int64_t EndOfZeros(const uint8_t* bytes, int64_t begin, int64_t end) {
  for (; end - begin >= 8 && AllBytesAre(bytes + end - 8, 8, 1); end -= 8) {
  }
  for (; end > begin && bytes[end - 1] != 0; --end) {
  }
  return end;
}

/// End of the last of the numbers [begin, end) that is not MaskedScore; `begin` if none is.
template <class T> HWY_INLINE int64_t EndOfUnmasked(const T* bias, int64_t begin, int64_t end) {
  const int64_t n = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  for (; end - begin >= n && AllNumbersAre(bias + end - n, n, MaskedScore<T>()); end -= n) {
  }
  for (; end > begin && bias[end - 1] == MaskedScore<T>(); --end) {
  }
  return end;
}

/// Limits the tile to the patterns before those at its end that none of the `queries` queries from `query` on
/// attends to: about half of a tile that a causal mask cuts. False if no pattern is left; such a tile is
/// skipped.
template <class T>
HWY_INLINE bool KeepAttended(const ScoreMask<T>& mask, int64_t query, int64_t queries, StoredTile& tile) {
  constexpr int64_t kRowsAtOnce = 4; // of LaneProduct
  int64_t end = mask.attention_mask == nullptr && mask.attention_bias == nullptr ? tile.size() : 0;
  for (int64_t q = query; q < query + queries && end < tile.size(); ++q) {
    const int64_t pair = q * mask.stride + tile.first();
    end = mask.attention_mask != nullptr ? EndOfZeros(mask.attention_mask + pair, end, tile.size())
                                         : EndOfUnmasked(mask.attention_bias + pair, end, tile.size());
  }
  tile.KeepFirst(HWY_MIN((end + kRowsAtOnce - 1) / kRowsAtOnce * kRowsAtOnce, tile.size()));
  return tile.count() > 0;
}

/// Masks scores [count() of the tile][lane] of the queries from `query` on, in place.
///
/// Also    docs/theory/streaming_attention.md, section 4
template <class T>
HWY_INLINE void MaskScores(const ScoreMask<T>& mask, int64_t query, int64_t lanes_used,
                           const StoredTile& tile, T* scores) {
  const int64_t lanes = PanelLanes<T>();
  for (int64_t lane = 0; lane < lanes_used && mask.attention_mask != nullptr; ++lane) {
    const uint8_t* is_masked = mask.attention_mask + (query + lane) * mask.stride + tile.first();
    if (AllBytesAre(is_masked, tile.span(), 0)) {
      continue;
    }
    for (int64_t r = 0; r < tile.count(); ++r) {
      T& score = scores[r * lanes + lane];
      score = is_masked[tile.Row(r)] != 0 ? MaskedScore<T>() : score;
    }
  }
  for (int64_t lane = 0; lane < lanes_used && mask.attention_bias != nullptr; ++lane) {
    const T* bias = mask.attention_bias + (query + lane) * mask.stride + tile.first();
    if (AllNumbersAre(bias, tile.span(), T{0})) {
      continue;
    }
    for (int64_t r = 0; r < tile.count(); ++r) {
      scores[r * lanes + lane] += bias[tile.Row(r)];
    }
  }
}

} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif // per-target include guard
