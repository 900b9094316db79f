// SPDX-License-Identifier: MIT

#include "tokens/merge_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>

#include "mneme/core/error.h"

namespace mneme::tokens {
namespace {

/// Longest piece for which searching all pairs at every step is faster than a queue.
constexpr size_t kMaxShortPiece = 48;

} // namespace

MergeTable::MergeTable(std::span<const Merge> merges) {
  const size_t size = std::bit_ceil(std::max<size_t>(2 * merges.size(), 2)); // at most half full
  slots_.assign(size, {});
  mask_ = size - 1;
  shift_ = 64 - static_cast<uint32_t>(std::countr_zero(size));
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const uint64_t pair = key(merges[rank].left, merges[rank].right);
    size_t slot = slot_of(pair);
    while (slots_[slot].found.rank != kNoRank) {
      slot = (slot + 1) & mask_;
    }
    slots_[slot] = {pair, {static_cast<uint32_t>(rank), merges[rank].result}};
  }
}

void PieceEncoder::encode(std::string_view piece, std::vector<int32_t>& ids) {
  if (piece.size() <= kMaxShortPiece) {
    encode_short(piece, ids);
  } else {
    encode_long(piece, ids);
  }
}

void PieceEncoder::encode_short(std::string_view piece, std::vector<int32_t>& ids) const {
  std::array<int32_t, kMaxShortPiece> id;              // NOLINT: only the first `size` are used
  std::array<MergeTable::Found, kMaxShortPiece> merge; // NOLINT: merge[i] is that of tokens i and i + 1
  size_t size = piece.size();
  for (size_t i = 0; i < size; ++i) {
    id[i] = id_of_byte_[static_cast<unsigned char>(piece[i])];
  }
  for (size_t i = 0; i + 1 < size; ++i) {
    merge[i] = merges_.find(id[i], id[i + 1]);
  }
  while (size > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < size; ++i) {
      best = merge[i].rank < merge[best].rank ? i : best;
    }
    if (merge[best].rank == kNoRank) {
      break;
    }
    id[best] = merge[best].result;
    --size;
    for (size_t i = best + 1; i < size; ++i) {
      id[i] = id[i + 1];
    }
    for (size_t i = best; i + 1 < size; ++i) {
      merge[i] = merge[i + 1];
    }
    if (best + 1 < size) {
      merge[best] = merges_.find(id[best], id[best + 1]);
    }
    if (best > 0) {
      merge[best - 1] = merges_.find(id[best - 1], id[best]);
    }
  }
  ids.insert(ids.end(), id.begin(), id.begin() + static_cast<int64_t>(size));
}

void PieceEncoder::encode_long(std::string_view piece, std::vector<int32_t>& ids) {
  if (piece.size() >= kNoRank) { // positions have 32 bits
    throw UsageError("mneme::tokens: the text has a piece of more than 4 GB without a place to split it.\n"
                     "  Encode it in parts.");
  }
  const auto size = static_cast<uint32_t>(piece.size()), end = size;
  // A doubly linked list of tokens, each at the position of its first byte, and a heap of (rank, position).
  // An entry is out of date if the rank at its position has changed.
  id_at_.resize(size);
  next_.resize(size);
  previous_.resize(size);
  rank_at_.assign(size, kNoRank);
  queue_.clear();
  for (uint32_t i = 0; i < size; ++i) {
    id_at_[i] = id_of_byte_[static_cast<unsigned char>(piece[i])];
    next_[i] = i + 1;
    previous_[i] = i - 1; // never used for the first one
  }
  const auto find_pair = [&](uint32_t at) {
    rank_at_[at] = next_[at] == end ? kNoRank : merges_.find(id_at_[at], id_at_[next_[at]]).rank;
    return rank_at_[at] != kNoRank;
  };
  const auto entry = [&](uint32_t at) { return static_cast<uint64_t>(rank_at_[at]) << 32U | at; };
  for (uint32_t i = 0; i + 1 < size; ++i) {
    if (find_pair(i)) {
      queue_.push_back(entry(i));
    }
  }
  std::ranges::make_heap(queue_, std::greater<>());
  const auto push = [&](uint32_t at) {
    if (find_pair(at)) {
      queue_.push_back(entry(at));
      std::ranges::push_heap(queue_, std::greater<>());
    }
  };
  while (!queue_.empty()) {
    std::ranges::pop_heap(queue_, std::greater<>());
    const auto at = static_cast<uint32_t>(queue_.back());
    const auto rank = static_cast<uint32_t>(queue_.back() >> 32U);
    queue_.pop_back();
    if (rank_at_[at] != rank) {
      continue;
    }
    const uint32_t merged = next_[at];
    id_at_[at] = merges_.find(id_at_[at], id_at_[merged]).result;
    next_[at] = next_[merged];
    rank_at_[merged] = kNoRank;
    if (next_[at] != end) {
      previous_[next_[at]] = at;
    }
    push(at);
    if (at > 0) {
      push(previous_[at]);
    }
  }
  for (uint32_t at = 0; at != end; at = next_[at]) {
    ids.push_back(id_at_[at]);
  }
}

} // namespace mneme::tokens
