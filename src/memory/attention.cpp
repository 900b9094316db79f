// SPDX-License-Identifier: MIT

#include "mneme/memory/attention.h"

#include <cmath>

#include <fmt/format.h>

#include "mneme/core/error.h"
#include "mneme/theory/beta_fit.h"

namespace mneme {

AssociateOptions<BitPatterns> binary_sdm_attention(int64_t bits, int64_t hamming_radius) {
  return binary_attention(theory::fit_beta(bits, hamming_radius, 0.0).beta);
}

AssociateOptions<BitPatterns> binary_attention(double beta) {
  return {.similarity = Cosine{}, .separation = Softmax{beta}};
}

AssociateOptions<RealPatterns> sdm_attention(int64_t size, int64_t hamming_radius, BetaFitTarget fit_target) {
  // The number of hard locations changes only the bias of the fit, so any number gives the same beta.
  return cosine_attention(fit_target == BetaFitTarget::circle_intersection
                              ? theory::fit_beta(size, hamming_radius, 0.0).beta
                              : theory::fit_beta_to_caps(size, hamming_radius, 0.0).beta);
}

AssociateOptions<RealPatterns> cosine_attention(double beta) {
  return {.similarity = Cosine{}, .separation = Softmax{beta}, .projection = Normalise{}};
}

AssociateOptions<RealPatterns> transformer_attention(int64_t size) {
  if (size < 1) {
    throw UsageError(
        fmt::format("mneme::transformer_attention: the size is {}, so that beta = 1 / sqrt(size) "
                    "has no finite value.\n  Give the size of a pattern, of at least 1.",
                    size));
  }
  return cosine_attention(1.0 / std::sqrt(static_cast<double>(size)));
}

} // namespace mneme
