// SPDX-License-Identifier: MIT

#include "mneme/ops/window_means.h"

#include <cmath>
#include <limits>

#include <ATen/Functions.h>
#include <torch/csrc/autograd/custom_function.h>

#include "ops/band_sum.h"
#include "ops/checks.h"
#include "ops/focus_weight.h"
#include "ops/head_slices.h"

namespace mneme::ops {
namespace {

const Checks kChecks("window_means");
constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// The tokens after a reader, itself left out, are those before it when time runs backward by one step.
at::Tensor backward_in_time(const at::Tensor& tokens, double filler) {
  if (!tokens.defined()) {
    return tokens;
  }
  const at::Tensor first = at::full_like(tokens.slice(1, 0, 1), filler);
  return at::cat({first, tokens.flip(1).slice(1, 0, -1)}, 1);
}

/// The band of the tokens after a reader, backward in time.
Band later(const Band& band) {
  return {.window = band.window - 1,
          .log_weight = backward_in_time(band.log_weight, -kInfinity),
          .reference = band.reference.defined() ? band.reference.flip(1) : band.reference};
}

at::Tensor reference_of(const Band& band, bool both_sides) {
  const at::Tensor reference = largest_in_window(band);
  return both_sides && band.window > 1 ? at::maximum(reference, largest_in_window(later(band)).flip(1))
                                       : reference;
}

at::Tensor sums_of(const at::Tensor& rows, const Band& band, bool both_sides) {
  const at::Tensor sums = sums_of_tokens(rows, band);
  return both_sides && band.window > 1 ? sums + sums_of_tokens(backward_in_time(rows, 0), later(band)).flip(1)
                                       : sums;
}

at::Tensor transposed_sums_of(const at::Tensor& rows, const Band& band, bool both_sides) {
  const at::Tensor sums = sums_of_readers(rows, band);
  if (!both_sides || band.window == 1) {
    return sums;
  }
  const at::Tensor shifted = sums_of_readers(rows.flip(1), later(band));
  return sums + at::cat({shifted.slice(1, 1), at::zeros_like(shifted.slice(1, 0, 1))}, 1).flip(1);
}

/// [B, T, H, R] -> sums in the same shape, times exp(-reference), and with log_weight also the reference [B, T, H].
/// The gradient takes the reference for a constant: right for whatever does not depend on it.
class WindowSums : public torch::autograd::Function<WindowSums> {
public:
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context,
                                                const at::Tensor& rows,
                                                const std::optional<at::Tensor>& given_log_weight,
                                                const std::vector<int64_t>& windows,
                                                const std::vector<double>& decay, bool both_sides) {
    at::AutoDispatchBelowADInplaceOrView below;
    const at::Tensor log_weight = given_log_weight.value_or(at::Tensor());
    const at::Tensor sums = at::empty_like(rows, at::MemoryFormat::Contiguous);
    const at::Tensor reference =
        log_weight.defined() ? at::empty_like(log_weight, at::MemoryFormat::Contiguous) : at::Tensor();
    for_each_slice(rows, rows.size(1), rows.size(3), {windows, decay}, [&](const HeadSlice& slice) {
      Band band{slice.window, slice.take(log_weight), {}, slice.decay};
      if (log_weight.defined()) {
        band.reference = reference_of(band, both_sides);
        slice.put(reference, band.reference);
      }
      slice.put(sums, sums_of(slice.take(rows), band, both_sides));
    });
    context->save_for_backward({rows, log_weight, reference});
    context->saved_data["windows"] = windows;
    context->saved_data["decay"] = decay;
    context->saved_data["both_sides"] = both_sides;
    if (!reference.defined()) {
      return {sums};
    }
    context->mark_non_differentiable({reference});
    return {sums, reference};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    kChecks.first_derivative();
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const at::Tensor &rows = saved[0], &log_weight = saved[1], &reference = saved[2];
    const at::Tensor d_rows = at::empty_like(rows, at::MemoryFormat::Contiguous);
    const bool both_sides = context->saved_data["both_sides"].toBool();
    for_each_slice(
        rows, rows.size(1), rows.size(3),
        {context->saved_data["windows"].toIntVector(), context->saved_data["decay"].toDoubleVector()},
        [&](const HeadSlice& slice) {
          const Band band{slice.window, slice.take(log_weight), slice.take(reference), slice.decay};
          slice.put(d_rows, transposed_sums_of(slice.take(gradients[0]), band, both_sides));
        });
    return {d_rows, log_weight.defined() ? (rows * d_rows).sum(-1) : at::Tensor(), at::Tensor(), at::Tensor(),
            at::Tensor()};
  }
};

void check(const at::Tensor& logit, const at::Tensor& rows, const WindowMeansOptions& options) {
  const Checks::Named l{"logit", logit}, r{"rows", rows};
  kChecks.defined(l, "batch, tokens, heads");
  kChecks.defined(r, "batch, tokens, heads, features");
  kChecks.dimensions(l, 3, "batch, tokens, heads", "A single sequence is unsqueeze(0).");
  kChecks.dimensions(r, 4, "batch, tokens, heads, features", "A single sequence is unsqueeze(0).");
  kChecks.real(l);
  kChecks.same_type(l, r);
  kChecks.same_device(l, r);
  kChecks.equal(l, 0, r, 0, "batches", "Every row has one logit.");
  kChecks.equal(l, 1, r, 1, "tokens", "Every row has one logit.");
  kChecks.equal(l, 2, r, 2, "heads", "Every row has one logit.");
  check_sizes(kChecks, r, {2, 3});
  check_windows(kChecks, options.windows, logit.size(2));
  check_epsilon(kChecks, options.weight, options.epsilon);
  check_is_token(kChecks, options.is_token, r);
  if (options.both_sides && options.windows.decay != std::vector<double>{0}) {
    kChecks.refuse("there is a decay, but both sides are asked for.", "Leave out one of them.");
  }
}

} // namespace

WindowMeans window_means(const at::Tensor& logit, const at::Tensor& rows, const WindowMeansOptions& options) {
  check(logit, rows, options);
  const at::ScalarType type = rows.scalar_type(), inner = type_of_sums(type);
  const at::Tensor given = rows.to(inner);
  const std::vector<int64_t>& windows = options.windows.tokens;
  const std::vector<double>& decay = options.windows.decay;
  WindowMeans result;
  at::Tensor sums, denominator;
  if (options.weight == FocusWeight::elu) {
    result.weight = without_padding(elu_weight(logit.to(inner)), options.is_token, 0);
    result.log_weight = result.weight.log();
    const at::Tensor column = result.weight.unsqueeze(-1);
    sums = WindowSums::apply(at::cat({column, column * given}, -1), std::nullopt, windows, decay,
                             options.both_sides)[0];
    denominator = sums.slice(-1, 0, 1) + options.epsilon;
    result.weight_sum = sums.select(-1, 0);
    result.log_denominator = denominator.squeeze(-1).log();
  } else {
    result.log_weight = without_padding(logit.to(inner), options.is_token, -kInfinity);
    result.weight = result.log_weight.exp();
    const torch::autograd::variable_list scaled =
        WindowSums::apply(at::cat({at::ones_like(given.slice(-1, 0, 1)), given}, -1),
                          std::optional(result.log_weight), windows, decay, options.both_sides);
    sums = scaled[0];
    const at::Tensor &reference = scaled[1], total = sums.slice(-1, 0, 1);
    denominator = total + scaled_epsilon(options.epsilon, reference.unsqueeze(-1), total);
    result.weight_sum = (total.squeeze(-1).log() + reference).exp();
    result.log_denominator = denominator.squeeze(-1).log() + reference;
  }
  result.means = (sums.slice(-1, 1) / denominator).to(type);
  return result;
}

} // namespace mneme::ops
