// SPDX-License-Identifier: MIT

#include "mneme/ops/separate.h"

#include <cmath>

#include <ATen/Functions.h>

#include "ops/checks.h"

namespace mneme::ops {
namespace {

const Checks kChecks("separate");

void check(const at::Tensor& scores) {
  kChecks.defined({"scores", scores}, "..., patterns");
  kChecks.real({"scores", scores});
  if (scores.dim() == 0 || scores.size(-1) == 0) {
    kChecks.refuse(c10::str("scores have shape ", scores.sizes(), ", at least 1 score in a row is needed."),
                   "There is nothing to weigh.");
  }
}

/// Scores as they lie below the largest of their row. What lies further below than any weight reaches is brought
/// to there: it gets weight 0 as well, and sums stay small.
at::Tensor below_largest(const at::Tensor& scores) {
  return (scores - scores.amax(-1, true).detach()).clamp_min(-1);
}

/// Sorted prefixes: how many of the largest scores have weight, where `holds` says so of each prefix.
struct Prefixes {
  explicit Prefixes(const at::Tensor& scores)
      : sorted(std::get<0>(scores.detach().sort(-1, true))),
        count(at::arange(1, scores.size(-1) + 1, scores.options().requires_grad(false))) {}
  at::Tensor sorted, count;
};

/// 1 for the scores of each row that are among its `count` largest, given what the last of these is.
at::Tensor support(const at::Tensor& scores, const Prefixes& prefixes, const at::Tensor& holds) {
  const at::Tensor last = (holds.sum(-1, true) - 1).clamp_min(0); // a NaN among the scores: none holds
  return (scores.detach() >= prefixes.sorted.gather(-1, last)).to(scores.scalar_type());
}

// Both thresholds are written with the support held fixed, as derivatives take it.

at::Tensor sparsemax(const at::Tensor& scores) {
  const at::Tensor z = below_largest(scores);
  const Prefixes prefixes(z);
  const at::Tensor holds = 1 + prefixes.count * prefixes.sorted > prefixes.sorted.cumsum(-1);
  const at::Tensor s = support(z, prefixes, holds), size = s.sum(-1, true);
  const at::Tensor threshold = ((z * s).sum(-1, true) - 1) / size;
  return s * (z - threshold).clamp_min(0);
}

at::Tensor entmax15(const at::Tensor& scores) {
  const at::Tensor z = below_largest(scores / 2);
  const Prefixes prefixes(z);
  // tau of the first k: mean - sqrt((1 - sum of squared deviations) / k)
  const auto threshold = [](const at::Tensor& sum, const at::Tensor& squares, const at::Tensor& k) {
    const at::Tensor mean = sum / k;
    return mean - ((1 - (squares - mean * sum)) / k).clamp_min(0).sqrt();
  };
  const at::Tensor holds = threshold(prefixes.sorted.cumsum(-1), prefixes.sorted.square().cumsum(-1),
                                     prefixes.count) < prefixes.sorted;
  const at::Tensor s = support(z, prefixes, holds), size = s.sum(-1, true);
  const at::Tensor tau = threshold((z * s).sum(-1, true), (z.square() * s).sum(-1, true), size);
  return s * (z - tau).clamp_min(0).square();
}

/// entropy(p) of every row.
at::Tensor entropy(const at::Tensor& weights, Separation separation) {
  return separation == Separation::sparsemax ? (1 - weights.square().sum(-1)) / 2
                                             : (1 - (weights * weights.sqrt()).sum(-1)) * (4.0 / 3);
}

} // namespace

at::Tensor separate(const at::Tensor& scores, Separation separation) {
  check(scores);
  switch (separation) {
  case Separation::softmax:
    return at::softmax(scores, -1);
  case Separation::entmax15:
    return entmax15(scores);
  case Separation::sparsemax:
    return sparsemax(scores);
  }
  kChecks.refuse("this separation is unknown.", "Take softmax, entmax15 or sparsemax.");
}

at::Tensor separation_potential(const at::Tensor& scores, Separation separation) {
  check(scores);
  if (separation == Separation::softmax) {
    return at::logsumexp(scores, -1);
  }
  // Weights are where this is largest, so that they count as fixed for the gradient.
  const at::Tensor weights = separate(scores.detach(), separation);
  return at::where(weights > 0, weights * scores, 0).sum(-1) + entropy(weights, separation);
}

double largest_entropy(int64_t count, Separation separation) {
  const auto n = static_cast<double>(count);
  switch (separation) {
  case Separation::softmax:
    return std::log(n);
  case Separation::entmax15:
    return 4.0 / 3 * (1 - 1 / std::sqrt(n));
  case Separation::sparsemax:
    return (1 - 1 / n) / 2;
  }
  kChecks.refuse("this separation is unknown.", "Take softmax, entmax15 or sparsemax.");
}

} // namespace mneme::ops
