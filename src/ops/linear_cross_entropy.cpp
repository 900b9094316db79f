// SPDX-License-Identifier: MIT

#include "mneme/ops/linear_cross_entropy.h"

#include <algorithm>

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include "kernels/cross_entropy/cross_entropy.h"
#include "mneme/core/parallel.h"
#include "mneme/ops/int8_matrix.h"
#include "ops/checks.h"
#include "ops/huge_pages.h"
#include "ops/int8_checks.h"
#include "ops/matrix_product.h"

namespace mneme::ops {
namespace {

const Checks kChecks("linear_cross_entropy");

constexpr int64_t kChunkElements = int64_t{1} << 22; // logits of a chunk: 16 MiB in float32
constexpr int64_t kMinChunkRows = 16, kMaxChunkRows = 1024;
constexpr int64_t kTaskRows = 32; // rows of a chunk whose losses a thread computes at a time

struct Head {
  const at::Tensor &hidden, &weight, &bias, &targets; ///< contiguous; all targets are counted
};

/// Gradients of the sum; undefined where they are not required.
struct HeadGradients {
  at::Tensor hidden, weight, bias;

  bool any() const { return hidden.defined() || weight.defined() || bias.defined(); }
};

int64_t chunk_rows(int64_t rows, int64_t vocabulary) {
  return std::min(rows, std::clamp(kChunkElements / vocabulary, kMinChunkRows, kMaxChunkRows));
}

/// Replaces logits [R, V] by their log-probabilities and returns the losses [R].
at::Tensor row_losses(at::Tensor& logits, const at::Tensor& targets) {
  // log_softmax divides its work by rows, so that its result does not depend on the number of threads.
  at::_log_softmax_out(logits, logits, 1, false);
  return logits.gather(1, targets.unsqueeze(1)).squeeze(1).neg();
}

/// Replaces log-probabilities [R, V] by the gradient of the sum of the losses with respect to the logits.
void to_logit_gradient(at::Tensor& log_probabilities, const at::Tensor& targets) {
  log_probabilities.exp_();
  const at::Tensor index = targets.unsqueeze(1);
  log_probabilities.scatter_add_(1, index, at::full_like(index, -1, log_probabilities.options()));
}

/// Sets the losses [R] of logits [R, V], and with `gradient` replaces the logits by the gradient of their
/// sum.
template <class T>
void losses_on_kernel(const at::Tensor& logits, const at::Tensor& targets, const at::Tensor& losses,
                      bool gradient) {
  const int64_t words = logits.size(1);
  parallel_for(logits.size(0), kTaskRows, [&](int64_t begin, int64_t end) {
    kernels::cross_entropy(kernels::CrossEntropyArgs<T>{.logits = logits.data_ptr<T>() + begin * words,
                                                        .targets = targets.const_data_ptr<int64_t>() + begin,
                                                        .losses = losses.data_ptr<double>() + begin,
                                                        .rows = end - begin,
                                                        .words = words,
                                                        .gradient = gradient});
  });
}

/// A chunk on mneme's kernels, which are deterministic: tasks have fixed sizes, and every sum is computed by
/// one thread in a fixed order. Returns the losses of the rows.
at::Tensor chunk_on_kernels(const Head& head, int64_t first, int64_t rows, const at::Tensor& buffer,
                            HeadGradients& gradients) {
  const at::Tensor hidden = head.hidden.narrow(0, first, rows), logits = buffer.narrow(0, 0, rows);
  at::Tensor losses = at::empty({rows}, hidden.options().dtype(at::kDouble));
  if (is_int8_matrix(head.weight)) {
    multiply_int8(hidden, head.weight, logits, head.bias);
  } else {
    multiply(hidden, head.weight.t(), logits, head.bias);
  }
  logits.scalar_type() == at::kFloat
      ? losses_on_kernel<float>(logits, head.targets.narrow(0, first, rows), losses, gradients.any())
      : losses_on_kernel<double>(logits, head.targets.narrow(0, first, rows), losses, gradients.any());
  if (gradients.hidden.defined()) {
    multiply(logits, head.weight, gradients.hidden.narrow(0, first, rows));
  }
  if (gradients.weight.defined()) {
    multiply(logits.t(), hidden, gradients.weight, {}, /*accumulate=*/true);
  }
  if (gradients.bias.defined()) {
    sum_rows(logits, gradients.bias, /*accumulate=*/true);
  }
  return losses;
}

/// A chunk on LibTorch, with logits in at least float32.
at::Tensor chunk_on_libtorch(const Head& head, int64_t first, int64_t rows, HeadGradients& gradients) {
  const at::Tensor hidden = head.hidden.narrow(0, first, rows), targets = head.targets.narrow(0, first, rows);
  at::Tensor logits =
      head.bias.defined() ? at::addmm(head.bias, hidden, head.weight.t()) : at::mm(hidden, head.weight.t());
  logits = logits.scalar_type() == at::kDouble ? logits : logits.to(at::kFloat);
  const at::Tensor losses = row_losses(logits, targets);
  if (gradients.any()) {
    to_logit_gradient(logits, targets);
    logits = logits.to(hidden.scalar_type());
  }
  if (gradients.hidden.defined()) {
    gradients.hidden.narrow(0, first, rows).copy_(at::mm(logits, head.weight));
  }
  if (gradients.weight.defined()) {
    gradients.weight.addmm_(logits.t(), hidden);
  }
  if (gradients.bias.defined()) {
    gradients.bias.add_(logits.sum(0));
  }
  return losses;
}

/// The sum of the losses, in float64; adds to the gradients.
at::Tensor sum_of_losses(const Head& head, HeadGradients& gradients) {
  const int64_t rows = head.hidden.size(0), words = head.weight.size(0);
  const at::ScalarType type = head.hidden.scalar_type();
  const bool on_kernels = head.hidden.device().is_cpu() && (type == at::kFloat || type == at::kDouble);
  const int64_t step = chunk_rows(rows, words);
  const at::Tensor buffer =
      on_kernels ? empty_on_huge_pages({step, words}, head.hidden.options()) : at::Tensor();
  at::Tensor losses = at::empty({rows}, head.hidden.options().dtype(at::kDouble));
  for (int64_t first = 0; first < rows; first += step) {
    const int64_t count = std::min(step, rows - first);
    losses.narrow(0, first, count)
        .copy_(on_kernels ? chunk_on_kernels(head, first, count, buffer, gradients)
                          : chunk_on_libtorch(head, first, count, gradients));
  }
  if (!losses.device().is_cpu()) {
    return losses.sum();
  }
  double sum = 0; // in order: a parallel sum would depend on the number of threads
  for (int64_t row = 0; row < rows; ++row) {
    sum += losses.const_data_ptr<double>()[row];
  }
  return at::scalar_tensor(sum, losses.options());
}

at::Tensor zeros_if_required(const at::Tensor& input) {
  return input.defined() && input.requires_grad() ? at::zeros_like(input) : at::Tensor();
}

class LinearCrossEntropy : public torch::autograd::Function<LinearCrossEntropy> {
public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& hidden,
                            const at::Tensor& weight, const std::optional<at::Tensor>& given_bias,
                            const at::Tensor& targets) {
    const at::Tensor bias = given_bias.value_or(at::Tensor());
    const Head head{hidden, weight, bias, targets};
    HeadGradients gradients{zeros_if_required(hidden), zeros_if_required(weight), zeros_if_required(bias)};
    const at::Tensor sum = sum_of_losses(head, gradients);
    context->save_for_backward({gradients.hidden, gradients.weight, gradients.bias});
    return sum;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& d_sum) {
    kChecks.no_double_backward();
    torch::autograd::variable_list gradients = context->get_saved_variables();
    for (at::Tensor& gradient : gradients) {
      gradient = gradient.defined() ? gradient * d_sum[0].to(gradient.scalar_type()) : gradient;
    }
    return {gradients[0], gradients[1], gradients[2], {}};
  }
};

void check(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& bias,
           const at::Tensor& targets) {
  const Checks::Named h{"hidden", hidden}, w{"weight", weight}, b{"bias", bias}, t{"targets", targets};
  kChecks.dimensions(h, 2, "rows, features", "Use flatten(0, 1) on a batch of sequences.");
  kChecks.dimensions(w, 2, "words, features", "It has one row per word of the vocabulary.");
  kChecks.dimensions(t, 1, "rows", "Use flatten() on a batch of sequences.");
  if (is_int8_matrix(weight)) {
    check_int8_product(kChecks, h, w, b);
  } else {
    kChecks.floating_point(h);
    kChecks.same_type_and_device(h, w);
    kChecks.same_size(h, 1, w, 1, "features", "Logits are dot products over features.");
  }
  kChecks.same_device(h, t);
  kChecks.same_size(h, 0, t, 0, "rows", "Each row needs one target; -100 is not counted.");
  if (bias.defined()) {
    kChecks.dimensions(b, 1, "words", "It has one number per word of the vocabulary.");
    kChecks.same_type_and_device(h, b);
    kChecks.same_size(w, 0, b, 0, "words", "Each word has one bias.");
  }
  kChecks.not_empty(w, 0, "words", "At least one word is needed.");
  if (targets.scalar_type() != at::kLong) {
    kChecks.fail(c10::str("targets are of type ", targets.scalar_type(), ", expected Long."),
                 "Targets are indices of words.");
  }
}

/// Indices of the counted targets. Errors  UsageError for a target that is no word
at::Tensor counted_rows(const at::Tensor& targets, int64_t words) {
  const at::Tensor counted = (targets != kIgnoredTarget).nonzero().squeeze(1);
  if (counted.size(0) > 0) {
    const at::Tensor used = targets.index_select(0, counted);
    const int64_t min = used.min().item<int64_t>(), max = used.max().item<int64_t>();
    if (min < 0 || max >= words) {
      kChecks.fail(c10::str("targets range from ", min, " to ", max, ", but there are ", words,
                            " words: 0 to ", words - 1, "."),
                   "Targets that should not be counted are -100.");
    }
  }
  return counted;
}

} // namespace

CrossEntropySum linear_cross_entropy(const at::Tensor& hidden, const at::Tensor& weight,
                                     const at::Tensor& bias, const at::Tensor& targets) {
  check(hidden, weight, bias, targets);
  const at::Tensor counted = counted_rows(targets, weight.size(0));
  const int64_t count = counted.size(0);
  const bool all = count == targets.size(0);
  const at::Tensor rows = (all ? hidden : hidden.index_select(0, counted)).contiguous(),
                   used = (all ? targets : targets.index_select(0, counted)).contiguous();
  const at::Tensor matrix = weight.contiguous(), offsets = bias.defined() ? bias.contiguous() : at::Tensor();
  if (!at::GradMode::is_enabled() || is_int8_matrix(weight)) { // no gradients of an int8 matrix
    HeadGradients none;
    return {sum_of_losses({rows, matrix, offsets, used}, none), count};
  }
  const std::optional<at::Tensor> given_bias = bias.defined() ? std::optional(offsets) : std::nullopt;
  return {LinearCrossEntropy::apply(rows, matrix, given_bias, used), count};
}

} // namespace mneme::ops
