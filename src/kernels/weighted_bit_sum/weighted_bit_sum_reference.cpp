// SPDX-License-Identifier: MIT

#include "kernels/weighted_bit_sum/weighted_bit_sum.h"

#include <algorithm>
#include <bit>
#include <vector>

namespace mneme::kernels {

BitCounts::BitCounts(int64_t words_, int64_t num_distances, int64_t max_rows)
    : words(words_),
      num_planes(std::max(kPlanesMin, static_cast<int>(std::bit_width(static_cast<uint64_t>(max_rows))))),
      slots(static_cast<size_t>(num_distances), -1),
      pending(std::make_unique_for_overwrite<int32_t[]>(static_cast<size_t>(num_distances * kPending))),
      num_pending(slots.size(), 0) {
  // Random patterns have about 150 distances; the planes are not moved for them.
  constexpr int64_t kSlots = 256;
  planes.reserve(static_cast<size_t>(std::min(kSlots, num_distances) * num_planes * words));
}

namespace reference {

void weighted_bit_sum(const WeightedBitSumArgs& args) {
  std::vector<int64_t> balance(static_cast<size_t>(64 * args.words)); // ones minus zeros
  for (int64_t d = 0; d < args.num_distances; ++d) {
    if (args.weights[d] == 0) {
      continue;
    }
    balance.assign(balance.size(), 0);
    for (int64_t i = 0; i < args.num_rows; ++i) {
      if (args.distances[i] != d) {
        continue;
      }
      const uint64_t* row = args.values + args.rows[i] * args.words;
      for (size_t b = 0; b < balance.size(); ++b) {
        balance[b] += (row[b / 64] >> (b % 64)) & 1U ? 1 : -1;
      }
    }
    for (size_t b = 0; b < balance.size(); ++b) {
      args.sums[b] += args.weights[d] * static_cast<double>(balance[b]);
    }
  }
}

int32_t slot_of(BitCounts& counts, int64_t distance) {
  int32_t& slot = counts.slots[static_cast<size_t>(distance)];
  if (slot < 0) {
    slot = static_cast<int32_t>(counts.num_rows.size());
    counts.num_rows.push_back(0);
    counts.planes.resize(counts.planes.size() + static_cast<size_t>(counts.num_planes * counts.words));
  }
  return slot;
}

namespace {

/// Adds the bits of a row, each with the weight 2^first, to the planes of a distance.
void add_row(BitCounts& counts, int32_t slot, const uint64_t* row, int first) {
  for (int64_t w = 0; w < counts.words; ++w) {
    uint64_t carry = row[w];
    for (int p = first; p < counts.num_planes; ++p) {
      uint64_t& plane =
          counts.planes[static_cast<size_t>((int64_t{slot} * counts.num_planes + p) * counts.words + w)];
      const uint64_t both = plane & carry;
      plane ^= carry;
      carry = both;
    }
  }
}

} // namespace

void count_bits(const CountBitsArgs& args) {
  for (int64_t i = 0; i < args.num_rows; ++i) {
    const int32_t slot = slot_of(*args.counts, args.distances[i]);
    ++args.counts->num_rows[static_cast<size_t>(slot)];
    const int64_t row = args.rows != nullptr ? args.rows[i] : args.first_row + i;
    add_row(*args.counts, slot, args.values + row * args.counts->words, 0);
  }
}

void count_pending_bits(BitCounts&, const uint64_t*) {} // count_bits leaves no row pending

void merge_counts(BitCounts& counts, const BitCounts& others) {
  for (size_t d = 0; d < others.slots.size(); ++d) {
    if (others.slots[d] < 0) {
      continue;
    }
    const int32_t slot = slot_of(counts, static_cast<int64_t>(d));
    counts.num_rows[static_cast<size_t>(slot)] += others.num_rows[static_cast<size_t>(others.slots[d])];
    for (int p = 0; p < others.num_planes; ++p) {
      add_row(counts, slot, others.planes.data() + (others.slots[d] * others.num_planes + p) * others.words,
              p);
    }
  }
}

void add_weighted_counts(const BitCounts& counts, const double* weights, double* sums) {
  for (size_t d = 0; d < counts.slots.size(); ++d) {
    if (counts.slots[d] < 0 || weights[d] == 0) {
      continue;
    }
    const auto slot = static_cast<size_t>(counts.slots[d]);
    for (int64_t b = 0; b < 64 * counts.words; ++b) {
      int64_t count = 0;
      for (int p = 0; p < counts.num_planes; ++p) {
        const uint64_t word =
            counts.planes[(slot * static_cast<size_t>(counts.num_planes) + static_cast<size_t>(p)) *
                              static_cast<size_t>(counts.words) +
                          static_cast<size_t>(b / 64)];
        count += static_cast<int64_t>((word >> (b % 64)) & 1U) << p;
      }
      sums[b] += weights[d] * static_cast<double>(2 * count - counts.num_rows[slot]);
    }
  }
}

} // namespace reference
} // namespace mneme::kernels
