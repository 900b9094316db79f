// SPDX-License-Identifier: MIT

#include "mneme/memory/hopfield_network.h"

#include <fmt/format.h>

#include "mneme/core/error.h"

namespace mneme {

AssociateOptions<BitPatterns> classical_hopfield() {
  return {.similarity = Dot{}, .separation = Identity{.self_connections = false}};
}

double classical_hopfield_capacity(int64_t bits) {
  if (bits < 0) {
    throw UsageError(
        fmt::format("mneme::classical_hopfield_capacity: a pattern of {} bits was given.\n  Give "
                    "a number of at least 0.",
                    bits));
  }
  return 0.138 * static_cast<double>(bits);
}

AssociateOptions<RealPatterns> modern_hopfield(double beta) {
  return {.similarity = Dot{}, .separation = Softmax{beta}};
}

AssociateOptions<RealPatterns> dense_associative_memory(double degree) {
  return {.similarity = Dot{}, .separation = Polynomial{degree}};
}

} // namespace mneme
