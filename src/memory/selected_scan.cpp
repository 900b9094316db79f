// SPDX-License-Identifier: MIT

#include "memory/selected_scan.h"

#include <algorithm>
#include <bit>

#include "mneme/core/parallel.h"

namespace mneme {
namespace {

constexpr int64_t kGroup = SlicedQueries::kQueriesPerGroup;

/// Queries of a group that differ from a location in more than `limit` selected coordinates.
/// more_than [limit + 1]: at j > 0, queries that differ in more than j coordinates so far.
uint64_t beyond_limit(const uint64_t* group, const int32_t* selected, int64_t coordinates, int64_t limit,
                      uint64_t* more_than) {
  std::fill_n(more_than, limit + 1, uint64_t{0});
  uint64_t more_than_0 = 0; // in a register
  for (int64_t i = 0; i < coordinates; ++i) {
    const uint64_t differs = group[selected[i]];
    for (int64_t j = limit; j > 0; --j) {
      more_than[j] |= (j == 1 ? more_than_0 : more_than[j - 1]) & differs;
    }
    more_than_0 |= differs;
  }
  return limit == 0 ? more_than_0 : more_than[limit];
}

} // namespace

SlicedQueries::SlicedQueries(const BitPatterns& queries, int64_t first, int64_t count)
    : bits_(queries.bits()), count_(count) {
  const int64_t groups = (count + kGroup - 1) / kGroup;
  words_.resize(static_cast<size_t>(groups * 2 * bits_));
  parallel_for(groups, 1, [&](int64_t index, int64_t) {
    uint64_t* words = words_.data() + index * 2 * bits_;
    for (int64_t q = index * kGroup; q < std::min(count, (index + 1) * kGroup); ++q) {
      for (int64_t w = 0; w < queries.words(); ++w) {
        for (uint64_t ones = queries[first + q][static_cast<size_t>(w)]; ones != 0; ones &= ones - 1) {
          words[2 * (64 * w + std::countr_zero(ones))] |= uint64_t{1} << (q % kGroup);
        }
      }
    }
    for (int64_t bit = 0; bit < bits_; ++bit) {
      words[2 * bit + 1] = ~words[2 * bit];
    }
  });
}

void selected_scan(const SlicedQueries& queries, int64_t first, int64_t end, const SelectedScanArgs& args) {
  std::fill_n(args.counts, end - first, int64_t{0});
  std::vector<uint64_t> more_than(static_cast<size_t>(args.limit) + 1);
  for (int64_t index = first / kGroup; index * kGroup < end; ++index) {
    const int64_t begin = index * kGroup; // query of bit 0
    uint64_t compared = ~uint64_t{0};
    compared <<= std::max<int64_t>(0, first - begin);
    if (end - begin < kGroup) {
      compared &= (uint64_t{1} << (end - begin)) - 1;
    }
    const uint64_t* group = queries.group(index);
    for (int64_t location = 0; location < args.num_locations; ++location) {
      uint64_t activates = compared & ~beyond_limit(group, args.selected + location * args.coordinates,
                                                    args.coordinates, args.limit, more_than.data());
      for (; activates != 0; activates &= activates - 1) {
        const int64_t q = begin + std::countr_zero(activates) - first;
        if (args.counts[q] < args.capacity) {
          args.lists[q * args.capacity + args.counts[q]] = static_cast<int32_t>(location);
        }
        ++args.counts[q];
      }
    }
  }
}

} // namespace mneme
