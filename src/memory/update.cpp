// SPDX-License-Identifier: MIT

#include "mneme/memory/update.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <unordered_map>

#include "memory/update_loop.h"

namespace mneme {

bool has_settled(std::span<const uint64_t> query, std::span<const uint64_t> readout, const UpdateOptions&) {
  return std::ranges::equal(query, readout);
}

bool has_settled(std::span<const double> query, std::span<const double> readout,
                 const UpdateOptions& update) {
  if (update.settled_by == SettledBy::largest_component) {
    for (size_t i = 0; i < query.size(); ++i) {
      if (!(std::abs(readout[i] - query[i]) <= update.update_steps_eps)) {
        return false;
      }
    }
    return true;
  }
  const auto length = [](std::span<const double> x) {
    return std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0));
  };
  const auto inverse = [](double x) { return x > 0 ? 1 / x : 0.0; };
  const double before = inverse(length(query)), after = inverse(length(readout));
  double squares = 0;
  for (size_t i = 0; i < query.size(); ++i) {
    const double moved = readout[i] * after - query[i] * before;
    squares += moved * moved;
  }
  return squares <= update.update_steps_eps * update.update_steps_eps;
}

std::vector<int64_t> places_of_distinct(const BitPatterns& queries) {
  std::unordered_map<std::string_view, int64_t> seen;
  std::vector<int64_t> place(static_cast<size_t>(queries.count()));
  for (int64_t q = 0; q < queries.count(); ++q) {
    const std::span<const uint64_t> words = queries[q];
    const std::string_view bytes(reinterpret_cast<const char*>(words.data()), words.size_bytes());
    place[static_cast<size_t>(q)] = seen.try_emplace(bytes, static_cast<int64_t>(seen.size())).first->second;
  }
  return place;
}

UpdateOptions published_update(int64_t update_steps_max, bool stop_together, EmptyRead empty_read) {
  return {.update_steps_max = update_steps_max,
          .update_steps_eps = 0.05,
          .settled_by = SettledBy::largest_component,
          .stop_together = stop_together,
          .empty_read = empty_read};
}

} // namespace mneme
