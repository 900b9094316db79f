// SPDX-License-Identifier: MIT

/// The merges of byte-pair encoding, by the pair that they merge.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

namespace mneme::tokens {

/// Two neighbouring tokens and the token that replaces them. The rank of a merge is its position in the list
/// of merges.
struct Merge {
  int32_t left = 0, right = 0, result = 0;
};

constexpr uint32_t kNoRank = std::numeric_limits<uint32_t>::max();

/// Hash table of all merges. Immutable.
class MergeTable {
public:
  MergeTable() = default;
  explicit MergeTable(std::span<const Merge> merges);

  struct Found {
    uint32_t rank = kNoRank; ///< kNoRank: the pair is never merged
    int32_t result = 0;
  };
  Found find(int32_t left, int32_t right) const {
    const uint64_t pair = key(left, right);
    for (size_t slot = slot_of(pair);; slot = (slot + 1) & mask_) {
      if (slots_[slot].pair == pair || slots_[slot].found.rank == kNoRank) {
        return slots_[slot].pair == pair ? slots_[slot].found : Found{};
      }
    }
  }

private:
  struct Slot {
    uint64_t pair = std::numeric_limits<uint64_t>::max(); ///< not a pair of ids
    Found found;
  };
  static uint64_t key(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32U | static_cast<uint32_t>(right);
  }
  /// Multiplicative hashing with 2^64 / golden ratio; the high bits are the well mixed ones.
  size_t slot_of(uint64_t pair) const { return (pair * 0x9e3779b97f4a7c15U) >> shift_; }

  std::vector<Slot> slots_{2};
  uint32_t shift_ = 63;
  size_t mask_ = 1;
};

/// Appends the ids of one piece: starting with one token per byte, the pair of lowest rank is merged, the
/// leftmost one first, until no pair can be merged.
///
/// Cost  O(n log n) for n bytes
class PieceEncoder {
public:
  PieceEncoder(const MergeTable& merges, std::span<const int32_t, 256> id_of_byte)
      : merges_(merges), id_of_byte_(id_of_byte) {}

  void encode(std::string_view piece, std::vector<int32_t>& ids);

private:
  void encode_short(std::string_view piece, std::vector<int32_t>& ids) const;
  void encode_long(std::string_view piece, std::vector<int32_t>& ids);

  const MergeTable& merges_;
  std::span<const int32_t, 256> id_of_byte_;
  // Buffers of encode_long.
  std::vector<int32_t> id_at_;
  std::vector<uint32_t> next_, previous_, rank_at_;
  std::vector<uint64_t> queue_;
};

} // namespace mneme::tokens
