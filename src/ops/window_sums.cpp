// SPDX-License-Identifier: MIT

#include "ops/window_sums.h"

#include <limits>

#include <ATen/Functions.h>
#include <torch/csrc/autograd/custom_function.h>

#include "ops/band_sum.h"
#include "ops/checks.h"
#include "ops/focus_weight.h"
#include "ops/head_groups.h"

namespace mneme::ops {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Reverses the sequence and shifts it by one token: the tokens after a query position, itself excluded,
/// become the last tokens up to that position. The first token is `filler`.
at::Tensor reversed_and_shifted(const at::Tensor& tokens, double filler) {
  if (!tokens.defined()) {
    return tokens;
  }
  const at::Tensor first = at::full_like(tokens.slice(1, 0, 1), filler);
  return at::cat({first, tokens.flip(1).slice(1, 0, -1)}, 1);
}

at::Tensor reversed(const at::Tensor& t) {
  return t.defined() ? t.flip(1) : t;
}

/// The band of the tokens after a query position, in the reversed sequence.
Band future_band(const Band& band) {
  return {.window = band.window - 1,
          .log_weight = reversed_and_shifted(band.log_weight, -kInfinity),
          .reference = reversed(band.reference),
          .decay = {},
          .query = reversed(band.query),
          .key = reversed_and_shifted(band.key, 0)};
}

at::Tensor reference_of(const Band& band, bool both_sides) {
  const at::Tensor reference = band_max(band);
  if (!both_sides || band.window == 1) {
    return reference;
  }
  return at::maximum(reference, band_max(future_band(band)).flip(1));
}

at::Tensor sums_of(const at::Tensor& rows, const Band& band, bool both_sides) {
  const at::Tensor sums = band_sum(rows, band);
  if (!both_sides || band.window == 1) {
    return sums;
  }
  return sums + band_sum(reversed_and_shifted(rows, 0), future_band(band)).flip(1);
}

at::Tensor transposed_sums_of(const at::Tensor& rows, const Band& band, bool both_sides) {
  const at::Tensor sums = transposed_band_sum(rows, band);
  if (!both_sides || band.window == 1) {
    return sums;
  }
  const at::Tensor shifted = transposed_band_sum(rows.flip(1), future_band(band));
  return sums + at::cat({shifted.slice(1, 1), at::zeros_like(shifted.slice(1, 0, 1))}, 1).flip(1);
}

at::Tensor empty_as(const at::Tensor& like) {
  return like.defined() ? at::empty_like(like, at::MemoryFormat::Contiguous) : at::Tensor();
}

/// Items of scratch memory per token: the rows, and with keys two copies of the sums of tiles.
int64_t items_per_token(const at::Tensor& rows, const at::Tensor& key) {
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
    for_each_head_group(rows, rows.size(1), items_per_token(rows, key), windows, [&](const HeadGroup& group) {
      Band band{group.window, group.gather(log_weight), {},
                group.decay,  group.gather(query),      group.gather(key)};
      if (log_weight.defined()) {
        band.reference = reference_of(band, both_sides);
        group.scatter(reference, band.reference);
      }
      group.scatter(sums, sums_of(group.gather(rows), band, both_sides));
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
    Checks("window sums").no_double_backward();
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const at::Tensor &rows = saved[0], &log_weight = saved[1], &reference = saved[2], &query = saved[3],
                     &key = saved[4];
    const at::Tensor d_rows = empty_as(rows), d_query = empty_as(query), d_key = empty_as(key);
    const bool both_sides = context->saved_data["both_sides"].toBool();
    for_each_head_group(
        rows, rows.size(1), items_per_token(rows, key),
        {context->saved_data["windows"].toIntVector(), context->saved_data["decay"].toDoubleVector()},
        [&](const HeadGroup& group) {
          const Band band{group.window, group.gather(log_weight), group.gather(reference),
                          group.decay,  group.gather(query),      group.gather(key)};
          const at::Tensor d_sums = group.gather(gradients[0]);
          group.scatter(d_rows, transposed_sums_of(d_sums, band, both_sides));
          if (!query.defined()) {
            return;
          }
          // The gradients of query and key are sums over the same band, with d_sums_i . rows_j in place of
          // query_i . key_j.
          Band swapped = band;
          swapped.query = d_sums;
          swapped.key = group.gather(rows);
          group.scatter(d_query, sums_of(band.key, swapped, both_sides));
          group.scatter(d_key, transposed_sums_of(band.query, swapped, both_sides));
        });
    return {d_rows,       log_weight.defined() ? (rows * d_rows).sum(-1) : at::Tensor(),
            d_query,      d_key,
            at::Tensor(), at::Tensor()};
  }
};

} // namespace

WindowSums window_sums(const at::Tensor& logit, const at::Tensor& rows, const WindowMeansOptions& options,
                       const at::Tensor& query, const at::Tensor& key) {
  const auto optional = [](const at::Tensor& t) { return t.defined() ? std::optional(t) : std::nullopt; };
  const WeightedRows weighted = weighted_rows(options.weight, logit, {rows}, options.key_padding_mask);
  const torch::autograd::variable_list found =
      Sums::apply(weighted.rows, optional(weighted.log_weight), optional(query), optional(key),
                  options.windows, options.both_sides);
  WindowSums result;
  result.total = found[0].slice(-1, 0, 1);
  if (options.weight == FocusWeight::elu) {
    result.weight = weighted.weight;
    result.log_weight = weighted.weight.log();
    result.denominator = result.total + options.epsilon;
  } else {
    result.weight = weighted.log_weight.exp();
    result.log_weight = weighted.log_weight;
    result.reference = found[1];
    result.denominator =
        result.total + scaled_epsilon(options.epsilon, result.reference.unsqueeze(-1), result.total);
  }
  result.sums = found[0].slice(-1, 1);
  return result;
}

} // namespace mneme::ops
