// SPDX-License-Identifier: MIT

#include "mneme/ops/separate.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <ATen/Dispatch.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "kernels/separate/separate.h"
#include "mneme/core/parallel.h"
#include "mneme/ops/backend.h"
#include "ops/checks.h"

namespace mneme::ops {
namespace {

const Checks kChecks("separate");
using Kind = Separation::Kind;

[[noreturn]] void fail_unknown(Separation separation) {
  kChecks.fail(c10::str("separation ", static_cast<int>(separation.kind), " is unknown."),
               "Use one of kSimplexSeparations.");
}

void check(const at::Tensor& scores, Separation separation) {
  check_separation(separation);
  kChecks.defined({"scores", scores}, "..., patterns");
  kChecks.floating_point({"scores", scores});
  if (scores.dim() == 0 || scores.size(-1) == 0) {
    kChecks.fail(c10::str("scores have shape ", scores.sizes(), ", at least 1 score in a row is needed."),
                 "A row without scores has no weights.");
  }
}

/// scores - maximum of their row, clamped to [-1, 0]. Scores below -1 have weight 0 in any case, and clamping
/// keeps sums small.
at::Tensor relative_to_max(const at::Tensor& scores) {
  return (scores - scores.amax(-1, true)).clamp_min(-1);
}

/// Scores in descending order, and the length of each prefix. The support of the weights is the longest
/// prefix for which a condition holds.
struct Prefixes {
  explicit Prefixes(const at::Tensor& scores)
      : sorted(std::get<0>(scores.sort(-1, true))),
        count(at::arange(1, scores.size(-1) + 1, scores.options())) {}
  at::Tensor sorted, count;

  /// Threshold of the longest prefix for which `holds` is true, out of those of all prefixes [..., S].
  static at::Tensor of_support(const at::Tensor& threshold, const at::Tensor& holds) {
    return threshold.gather(-1, (holds.sum(-1, true) - 1).clamp_min(0)); // -1 if the scores hold a NaN
  }
};

at::Tensor sparsemax(const at::Tensor& scores) {
  const at::Tensor z = relative_to_max(scores);
  const Prefixes prefixes(z);
  const at::Tensor threshold = (prefixes.sorted.cumsum(-1) - 1) / prefixes.count;
  return (z - Prefixes::of_support(threshold, threshold < prefixes.sorted)).clamp_min(0);
}

/// max(scores - tau, 0), with tau such that the squares sum to 1. For a support of the k largest scores,
/// tau = mean - sqrt((1 - sum of squared deviations) / k).
at::Tensor thresholded_to_unit_norm(const at::Tensor& scores) {
  const at::Tensor z = relative_to_max(scores);
  const Prefixes prefixes(z);
  const at::Tensor sum = prefixes.sorted.cumsum(-1), mean = sum / prefixes.count;
  const at::Tensor threshold =
      mean - ((1 - (prefixes.sorted.square().cumsum(-1) - mean * sum)) / prefixes.count).clamp_min(0).sqrt();
  return (z - Prefixes::of_support(threshold, threshold < prefixes.sorted)).clamp_min(0);
}

at::Tensor entmax15(const at::Tensor& scores) {
  return thresholded_to_unit_norm(scores / 2).square();
}

/// tau by bisection, since it has no closed form.
at::Tensor entmax(const at::Tensor& scores, double alpha) {
  constexpr int kHalvings = 60; // of an interval of length 1
  const double exponent = 1 / (alpha - 1);
  const at::Tensor u = relative_to_max(scores * (alpha - 1));
  const auto weights = [&](const at::Tensor& tau) { return (u - tau).clamp_min(0).pow(exponent); };
  at::Tensor low = at::full_like(u.slice(-1, 0, 1), -1), high = at::zeros_like(low);
  for (int i = 0; i < kHalvings; ++i) {
    const at::Tensor middle = (low + high) / 2, too_low = weights(middle).sum(-1, true) > 1;
    low = at::where(too_low, middle, low);
    high = at::where(too_low, high, middle);
  }
  return weights(low);
}

at::Tensor normmax(const at::Tensor& scores) {
  const at::Tensor above = thresholded_to_unit_norm(scores);
  return above / above.sum(-1, true);
}

/// In plain LibTorch: any device, any type.
at::Tensor separate_plain(const at::Tensor& scores, Separation separation) {
  switch (separation.kind) {
  case Kind::softmax:
    return at::softmax(scores, -1);
  case Kind::entmax15:
    return entmax15(scores);
  case Kind::sparsemax:
    return sparsemax(scores);
  case Kind::normmax:
    return normmax(scores);
  case Kind::entmax:
    return entmax(scores, separation.alpha);
  }
  fail_unknown(separation);
}

/// Vector-Jacobian product d_weights . (d weights / d scores) in plain LibTorch, differentiable in both
/// arguments.
at::Tensor gradient_plain(const at::Tensor& weights, const at::Tensor& d_weights, Separation separation) {
  const at::Tensor has_weight = weights > 0;
  if (separation.kind == Kind::normmax) {
    const at::Tensor centred = has_weight * (d_weights - (weights * d_weights).sum(-1, true));
    return weights.norm(2, -1, true) * (centred - weights * centred.sum(-1, true));
  }
  double exponent = 0; // sparsemax
  if (separation.kind == Kind::entmax15) {
    exponent = 0.5;
  } else if (separation.kind == Kind::entmax) {
    exponent = 2 - separation.alpha;
  }
  const at::Tensor slope = at::where(has_weight, weights, 1).pow(exponent) * has_weight;
  return slope * (d_weights - (slope * d_weights).sum(-1, true) / slope.sum(-1, true));
}

/// Calls run(offset of the first element, number of rows, size of a row) for chunks of rows, in parallel.
template <class Run> void for_row_chunks(const at::Tensor& rows, const Run& run) {
  constexpr int64_t kElementsPerChunk = 16384;
  const int64_t size = rows.size(-1);
  parallel_for(rows.numel() / size, std::max<int64_t>(1, kElementsPerChunk / size),
               [&](int64_t begin, int64_t end) { run(begin * size, end - begin, size); });
}

/// Weights and, if requested, the slopes of kernels::SeparateArgs; else these are undefined.
std::pair<at::Tensor, at::Tensor> by_kernel(const at::Tensor& given, Separation separation,
                                            bool with_slopes) {
  const at::Tensor scores = given.contiguous(), weights = at::empty_like(scores),
                   slopes = with_slopes ? at::empty_like(scores) : at::Tensor();
  AT_DISPATCH_FLOATING_TYPES(scores.scalar_type(), "mneme::separate", [&] {
    for_row_chunks(scores, [&](int64_t at, int64_t rows, int64_t size) {
      kernels::separate(kernels::SeparateArgs<scalar_t>{
          .scores = scores.const_data_ptr<scalar_t>() + at,
          .weights = weights.mutable_data_ptr<scalar_t>() + at,
          .num_rows = rows,
          .num_scores = size,
          .separation = separation,
          .slopes = with_slopes ? slopes.mutable_data_ptr<scalar_t>() + at : nullptr});
    });
  });
  return {weights, slopes};
}

/// `slopes` may be undefined.
at::Tensor gradient_by_kernel(const at::Tensor& weights, const at::Tensor& slopes, const at::Tensor& given,
                              Separation separation) {
  const at::Tensor d_weights = given.contiguous(), d_scores = at::empty_like(d_weights);
  AT_DISPATCH_FLOATING_TYPES(weights.scalar_type(), "mneme::separate", [&] {
    for_row_chunks(weights, [&](int64_t at, int64_t rows, int64_t size) {
      kernels::separate_gradient(kernels::SeparateGradientArgs<scalar_t>{
          .weights = weights.const_data_ptr<scalar_t>() + at,
          .d_weights = d_weights.const_data_ptr<scalar_t>() + at,
          .d_scores = d_scores.mutable_data_ptr<scalar_t>() + at,
          .num_rows = rows,
          .num_scores = size,
          .separation = separation,
          .slopes = slopes.defined() ? slopes.const_data_ptr<scalar_t>() + at : nullptr});
    });
  });
  return d_scores;
}

class Separate : public torch::autograd::Function<Separate> {
public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& scores,
                            Separation separation) {
    at::AutoDispatchBelowADInplaceOrView below;
    const bool by_kernels = has_kernel(scores) && scores.numel() > 0;
    // For entmax, computing the slopes again from the weights would cost more than the rest of the gradient.
    const bool keeps_slopes = separation.kind == Kind::entmax && scores.requires_grad();
    const auto [weights, slopes] = by_kernels ? by_kernel(scores, separation, keeps_slopes)
                                              : std::pair(separate_plain(scores, separation), at::Tensor());
    context->saved_data["kind"] = static_cast<int64_t>(separation.kind);
    context->saved_data["alpha"] = separation.alpha;
    context->save_for_backward({weights, slopes});
    return weights;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const at::Tensor &weights = saved[0], &slopes = saved[1];
    const Separation separation{static_cast<Kind>(context->saved_data["kind"].toInt()),
                                context->saved_data["alpha"].toDouble()};
    const bool is_double_backward = at::GradMode::is_enabled(); // this gradient may be differentiated again
    return {is_double_backward || !has_kernel(weights) || weights.numel() == 0
                ? gradient_plain(weights, gradients[0], separation)
                : gradient_by_kernel(weights, slopes, gradients[0], separation),
            at::Tensor()};
  }
};

/// entropy(p) of every row; not for softmax.
at::Tensor entropy(const at::Tensor& weights, Separation separation) {
  switch (separation.kind) {
  case Kind::entmax15:
    return (1 - (weights * weights.sqrt()).sum(-1)) * (4.0 / 3);
  case Kind::sparsemax:
    return (1 - weights.square().sum(-1)) / 2;
  case Kind::normmax:
    return 1 - weights.norm(2, -1);
  case Kind::entmax:
    return (1 - weights.pow(separation.alpha).sum(-1)) / (separation.alpha * (separation.alpha - 1));
  case Kind::softmax:
    break;
  }
  fail_unknown(separation);
}

} // namespace

at::Tensor separate(const at::Tensor& scores, Separation separation) {
  check(scores, separation);
  return separation.kind == Kind::softmax ? at::softmax(scores, -1) : Separate::apply(scores, separation);
}

at::Tensor separation_potential(const at::Tensor& scores, Separation separation) {
  check(scores, separation);
  if (separation.kind == Kind::softmax) {
    return at::logsumexp(scores, -1);
  }
  // The weights maximise this expression, so that its gradient is that for constant weights.
  const at::Tensor weights = separate(scores.detach(), separation);
  return at::where(weights > 0, weights * scores, 0).sum(-1) + entropy(weights, separation);
}

double max_entropy(int64_t count, Separation separation) {
  const auto n = static_cast<double>(count);
  switch (separation.kind) {
  case Kind::softmax:
    return std::log(n);
  case Kind::entmax15:
    return 4.0 / 3 * (1 - 1 / std::sqrt(n));
  case Kind::sparsemax:
    return (1 - 1 / n) / 2;
  case Kind::normmax:
    return 1 - 1 / std::sqrt(n);
  case Kind::entmax:
    return (1 - std::pow(n, 1 - separation.alpha)) / (separation.alpha * (separation.alpha - 1));
  }
  fail_unknown(separation);
}

} // namespace mneme::ops
