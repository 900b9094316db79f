// SPDX-License-Identifier: MIT

/// Stores associations of sparse binary vectors in a dyadic memory, recalls them, also from an incomplete
/// address, and forgets one.

#include <cstdint>
#include <cstdio>

#include "mneme/core/patterns.h"
#include "mneme/core/random.h"
#include "mneme/memory/dyadic_memory.h"
#include "mneme/theory/capacity.h"

namespace {

/// Random vectors with `ones` ones each.
mneme::BitPatterns sparse_vectors(int64_t count, int64_t bits, int64_t ones, uint64_t seed) {
  mneme::BitPatterns vectors(count, bits);
  mneme::Random random(seed);
  for (int64_t i = 0; i < count; ++i) {
    for (const int64_t bit : random.distinct(ones, bits)) {
      vectors.set(i, bit, true);
    }
  }
  return vectors;
}

int equal(const mneme::BitPatterns& a, const mneme::BitPatterns& b) {
  int count = 0;
  for (int64_t i = 0; i < a.count(); ++i) {
    count += mneme::hamming_distance(a, i, b, i) == 0 ? 1 : 0;
  }
  return count;
}

} // namespace

int main() {
  const int64_t bits = 400, ones = 10, num_items = 20'000, num_cues = 1000;
  const mneme::BitPatterns addresses = sparse_vectors(num_items, bits, ones, 1);
  const mneme::BitPatterns data = sparse_vectors(num_items, bits, ones, 2);

  mneme::DyadicMemory memory({.bits = bits, .ones = ones});
  memory.write(addresses, data);

  mneme::BitPatterns cues = mneme::slice(addresses, 0, num_cues);
  const mneme::BitPatterns expected = mneme::slice(data, 0, num_cues);
  const mneme::BitPatterns readout = memory.recall(cues).readout;

  // Two of the ten ones of each address are lost.
  for (int64_t i = 0; i < num_cues; ++i) {
    for (int64_t bit = 0, lost = 0; lost < 2; ++bit) {
      if (cues.get(i, bit)) {
        cues.set(i, bit, false);
        ++lost;
      }
    }
  }
  const mneme::BitPatterns from_incomplete = memory.recall(cues).readout;

  memory.unwrite(mneme::slice(addresses, 0, 1), mneme::slice(data, 0, 1));
  const mneme::BitPatterns forgotten = memory.recall(mneme::slice(addresses, 0, 1)).readout;

  std::printf("capacity: about %.0f associations\n", mneme::theory::dyadic_memory_capacity(bits, ones));
  std::printf("recalled exactly: %d of 1000; from 8 of 10 ones: %d of 1000\n", equal(readout, expected),
              equal(from_incomplete, expected));
  const bool is_forgotten = equal(forgotten, mneme::slice(data, 0, 1)) == 0;
  std::printf("the forgotten association: %s\n", is_forgotten ? "not recalled" : "recalled");
  return equal(readout, expected) == num_cues && is_forgotten ? 0 : 1;
}
