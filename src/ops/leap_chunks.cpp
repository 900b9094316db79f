// SPDX-License-Identifier: MIT

#include "ops/leap_chunks.h"

#include <algorithm>

#include "kernels/window_scan/window_scan.h"
#include "mneme/core/parallel.h"
#include "ops/huge_pages.h"

namespace mneme::ops {
namespace {

constexpr int64_t kTile = kernels::kWindowScanTile;
constexpr int64_t kMinNumbersPerThread = 65'536; // fewer are read before another thread has woken up

int64_t numbers_per_token(const at::Tensor& rows) {
  return std::max<int64_t>(1, 4 * rows.size(3));
}

} // namespace

std::vector<int64_t> chunk_cuts(const at::Tensor& rows, int64_t begin, int64_t min_tokens) {
  const int64_t tokens = rows.size(1), heads = std::max<int64_t>(1, rows.size(0) * rows.size(2));
  min_tokens = std::max({min_tokens, kTile, kMinNumbersPerThread / numbers_per_token(rows)});
  const int64_t chunks = begin % kTile == 0 ? std::min(threads() / heads, tokens / min_tokens) : 1;
  std::vector<int64_t> cuts = {begin};
  for (int64_t chunk = 1; chunk < chunks; ++chunk) {
    cuts.push_back(begin + tokens * chunk / chunks / kTile * kTile);
  }
  cuts.push_back(begin + tokens);
  return cuts;
}

at::Tensor tile_buffer(const at::Tensor& rows, const std::vector<int64_t>& cuts, int64_t size) {
  if (cuts.size() == 2) {
    return {};
  }
  const int64_t tiles = (cuts.back() - cuts.front() + kTile - 1) / kTile;
  return empty_on_huge_pages({rows.size(0), rows.size(2), tiles * size}, rows.options());
}

void for_each_chunk(const at::Tensor& rows, const std::vector<int64_t>& cuts,
                    const std::function<void(const Chunk&)>& body) {
  const int64_t heads = rows.size(2), count = rows.size(0) * heads,
                chunks = static_cast<int64_t>(cuts.size()) - 1;
  if (chunks > 1) {
    parallel_for(count * chunks, 1, [&](int64_t i, int64_t) {
      const int64_t head = i / chunks % heads, chunk = i % chunks;
      const auto at = cuts.begin() + chunk;
      body({i / chunks / heads, head, head + 1, at[0], at[1], chunk});
    });
    return;
  }
  const int64_t per_head = std::max(rows.size(1), kTile) * numbers_per_token(rows); // a tile takes as long
  const int64_t block =
      std::max<int64_t>({1, (count + threads() - 1) / threads(), kMinNumbersPerThread / per_head});
  parallel_for(count, block, [&](int64_t at, int64_t stop) {
    while (at < stop) {
      const int64_t first = at % heads, last = std::min(heads, first + stop - at);
      body({at / heads, first, last, cuts[0], cuts[1], 0});
      at += last - first;
    }
  });
}

void for_tokens_near_cuts(const at::Tensor& rows, const std::vector<int64_t>& cuts,
                          const std::vector<int64_t>& windows, bool before,
                          const std::function<void(const Chunk&)>& body) {
  const auto chunks = static_cast<int64_t>(cuts.size()) - 1;
  std::vector<Chunk> work;
  for (int64_t i = 0; i < rows.size(0) * rows.size(2); ++i) {
    const int64_t head = i % rows.size(2), window = windows[static_cast<size_t>(head)];
    for (size_t cut = 1; cut + 1 < cuts.size(); ++cut) {
      const int64_t reach = kernels::window_scan_reach(window, cuts.back());
      const int64_t begin = before ? std::max(cuts[cut - 1], cuts[cut] - reach) : cuts[cut];
      const int64_t end = before ? cuts[cut] : std::min(cuts[cut + 1], cuts[cut] + reach);
      // Small enough that all threads have work for any number of cuts.
      const int64_t step = std::max<int64_t>(1, (end - begin) / chunks / kTile) * kTile;
      for (int64_t first = begin; first < end; first += step) {
        work.push_back({i / rows.size(2), head, head + 1, first, std::min(first + step, end), 0});
      }
    }
  }
  parallel_for(static_cast<int64_t>(work.size()), 1,
               [&](int64_t i, int64_t) { body(work[static_cast<size_t>(i)]); });
}

} // namespace mneme::ops
