// SPDX-License-Identifier: MIT

#include "ops/window_sums.h"

#include <limits>

#include <ATen/Functions.h>
#include <torch/csrc/autograd/custom_function.h>

#include "ops/band_sum.h"
#include "ops/checks.h"
#include "ops/focus_weight.h"
#include "ops/head_slices.h"

namespace mneme::ops {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// The tokens after a reader, itself left out, are those before it when time runs backward by one step.
at::Tensor backward_in_time(const at::Tensor& tokens, double filler) {
  if (!tokens.defined()) {
    return tokens;
  }
  const at::Tensor first = at::full_like(tokens.slice(1, 0, 1), filler);
  return at::cat({first, tokens.flip(1).slice(1, 0, -1)}, 1);
}

at::Tensor flipped(const at::Tensor& of_readers) {
  return of_readers.defined() ? of_readers.flip(1) : of_readers;
}

/// The band of the tokens after a reader, backward in time.
Band later(const Band& band) {
  return {.window = band.window - 1,
          .log_weight = backward_in_time(band.log_weight, -kInfinity),
          .reference = flipped(band.reference),
          .decay = {},
          .query = flipped(band.query),
          .key = backward_in_time(band.key, 0)};
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

at::Tensor empty_as(const at::Tensor& like) {
  return like.defined() ? at::empty_like(like, at::MemoryFormat::Contiguous) : at::Tensor();
}

/// Numbers that a slice holds per token: of its rows, and with keys the sums of chunks, of which there are two.
int64_t row_of(const at::Tensor& rows, const at::Tensor& key) {
  return rows.size(3) + (key.defined() ? key.size(3) * (2 + rows.size(3) / 16) : 0);
}

class Sums : public torch::autograd::Function<Sums> {
public:
  static torch::autograd::variable_list
  forward(torch::autograd::AutogradContext* context, const at::Tensor& rows,
          const std::optional<at::Tensor>& given_log_weight, const std::optional<at::Tensor>& given_query,
          const std::optional<at::Tensor>& given_key, const Windows& windows, bool both_sides) {
    at::AutoDispatchBelowADInplaceOrView below;
    const at::Tensor log_weight = given_log_weight.value_or(at::Tensor()),
                     query = given_query.value_or(at::Tensor()), key = given_key.value_or(at::Tensor());
    const at::Tensor sums = empty_as(rows), reference = empty_as(log_weight);
    for_each_slice(rows, rows.size(1), row_of(rows, key), windows, [&](const HeadSlice& slice) {
      Band band{slice.window, slice.take(log_weight), {}, slice.decay, slice.take(query), slice.take(key)};
      if (log_weight.defined()) {
        band.reference = reference_of(band, both_sides);
        slice.put(reference, band.reference);
      }
      slice.put(sums, sums_of(slice.take(rows), band, both_sides));
    });
    context->save_for_backward({rows, log_weight, reference, query, key});
    context->saved_data["windows"] = windows.tokens;
    context->saved_data["decay"] = windows.decay;
    context->saved_data["both_sides"] = both_sides;
    if (!reference.defined()) {
      return {sums};
    }
    context->mark_non_differentiable({reference});
    return {sums, reference};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    Checks("window sums").first_derivative();
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const at::Tensor &rows = saved[0], &log_weight = saved[1], &reference = saved[2], &query = saved[3],
                     &key = saved[4];
    const at::Tensor d_rows = empty_as(rows), d_query = empty_as(query), d_key = empty_as(key);
    const bool both_sides = context->saved_data["both_sides"].toBool();
    for_each_slice(
        rows, rows.size(1), row_of(rows, key),
        {context->saved_data["windows"].toIntVector(), context->saved_data["decay"].toDoubleVector()},
        [&](const HeadSlice& slice) {
          const Band band{slice.window, slice.take(log_weight), slice.take(reference),
                          slice.decay,  slice.take(query),      slice.take(key)};
          const at::Tensor d_sums = slice.take(gradients[0]);
          slice.put(d_rows, transposed_sums_of(d_sums, band, both_sides));
          if (!query.defined()) {
            return;
          }
          // d_sums_i . rows_j is to query_i . key_j what that is to the sums.
          Band swapped = band;
          swapped.query = d_sums;
          swapped.key = slice.take(rows);
          slice.put(d_query, sums_of(band.key, swapped, both_sides));
          slice.put(d_key, transposed_sums_of(band.query, swapped, both_sides));
        });
    return {d_rows,       log_weight.defined() ? (rows * d_rows).sum(-1) : at::Tensor(),
            d_query,      d_key,
            at::Tensor(), at::Tensor()};
  }
};

} // namespace

WindowSums window_sums(const at::Tensor& logit, const at::Tensor& rows, const WindowMeansOptions& options,
                       const at::Tensor& query, const at::Tensor& key) {
  const auto given = [](const at::Tensor& t) { return t.defined() ? std::optional(t) : std::nullopt; };
  const Weighed weighed = weigh(options.weight, logit, {rows}, options.is_token);
  const torch::autograd::variable_list found = Sums::apply(
      weighed.rows, given(weighed.log_weight), given(query), given(key), options.windows, options.both_sides);
  WindowSums result;
  result.total = found[0].slice(-1, 0, 1);
  if (options.weight == FocusWeight::elu) {
    result.weight = weighed.weight;
    result.log_weight = weighed.weight.log();
    result.denominator = result.total + options.epsilon;
  } else {
    result.weight = weighed.log_weight.exp();
    result.log_weight = weighed.log_weight;
    result.reference = found[1];
    result.denominator =
        result.total + scaled_epsilon(options.epsilon, result.reference.unsqueeze(-1), result.total);
  }
  result.sums = found[0].slice(-1, 1);
  return result;
}

} // namespace mneme::ops
