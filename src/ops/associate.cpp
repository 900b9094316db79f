// SPDX-License-Identifier: MIT

#include "mneme/ops/associate.h"

#include <array>
#include <cmath>
#include <limits>

#include <ATen/Dispatch.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "mneme/core/parallel.h"
#include "mneme/ops/association_dropout.h"
#include "mneme/ops/backend.h"
#include "ops/attention_masks.h"
#include "ops/checks.h"
#include "ops/head_attention.h"
#include "ops/row_chunks.h"
#include "ops/softmax_readout.h"

namespace mneme::ops {
namespace {

const Checks kChecks("associate");
constexpr const char* kDimensions = "batch, patterns, features";

void check_beta(const at::Tensor& beta, const Checks::Named& query) {
  const Checks::Named named{"beta", beta};
  kChecks.same_type_and_device(query, named);
  if (beta.dim() > 1) {
    kChecks.fail(c10::str("beta has ", beta.dim(), " dimensions (shape ", beta.sizes(),
                          "), at most 1 is needed: batch."),
                 "Pass one value, or one per batch.");
  }
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, beta.scalar_type(), "mneme::associate", [&] {
    // On other devices this check would force a synchronisation.
    for (int64_t b = 0; beta.device().is_cpu() && b < beta.numel(); ++b) {
      if (const auto number = static_cast<double>(beta.view(-1)[b].item<scalar_t>());
          !std::isfinite(number)) {
        kChecks.fail(c10::str("beta ", b, " is ", number, ", but must be finite."),
                     "If it is learned, a smaller learning rate may keep it finite.");
      }
    }
  });
}

using OptionalTensor = std::optional<at::Tensor>;

/// Checks all arguments but beta. Returns the masks of the call.
AttentionMasks checked_masks(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
                             const OptionalTensor& key_padding_mask, const OptionalTensor& attention_mask,
                             double dropout) {
  kChecks.probability("dropout", dropout);
  const Checks::Named q{"query", query}, s{"stored", stored}, v{"value", value};
  for (const Checks::Named& input : {q, s, v}) {
    kChecks.dimensions(input, 3, kDimensions, "Use unsqueeze(0) on a single batch.");
  }
  kChecks.floating_point(q);
  kChecks.floating_point(s);
  kChecks.same_type(q, s);
  if (value.scalar_type() != at::kByte) {
    kChecks.floating_point(v);
    kChecks.same_type(q, v);
  }
  kChecks.same_device(q, s);
  kChecks.same_device(q, v);
  kChecks.associated_sizes(q, s, v);
  int64_t batches = 1;
  for (const at::Tensor& input : {query, stored, value}) {
    batches = input.size(0) == 1 ? batches : input.size(0);
  }
  return {kChecks, key_padding_mask.value_or(at::Tensor()), attention_mask.value_or(at::Tensor()), q, s,
          batches};
}

/// checked_masks, and checks beta.
AttentionMasks checked_masks(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
                             const at::Tensor& beta, const OptionalTensor& key_padding_mask,
                             const OptionalTensor& attention_mask, double dropout) {
  AttentionMasks masks = checked_masks(query, stored, value, key_padding_mask, attention_mask, dropout);
  const Checks::Named q{"query", query}, s{"stored", stored}, v{"value", value}, t{"beta", beta};
  check_beta(beta, q);
  for (const Checks::Named& input : {q, s, v}) {
    if (beta.numel() != 1 && beta.dim() == 1 && input.tensor.size(0) != 1) {
      kChecks.same_size(input, 0, t, 0, "batches", "Pass one beta, or one per batch.");
    }
  }
  return masks;
}

/// query * beta. Scaling the queries is cheaper than scaling the scores, of which there are S / D times as
/// many.
at::Tensor scaled(const at::Tensor& query, const at::Tensor& beta) {
  const bool is_one = beta.device().is_cpu() && beta.numel() == 1 && !beta.requires_grad() &&
                      beta.item<double>() == 1; // avoids a copy
  return is_one ? query : query * beta.view({-1, 1, 1});
}

/// Masks in the form of scaled_dot_product_attention.
struct SdpaMask {
  at::Tensor mask; ///< [B, 1 or Q, S]: bool, true: takes part; or numbers to add. Undefined: no mask
  /// bool [B, 1 or Q, 1]: queries that ignore all patterns. In `mask` nothing is ignored for them, so that no
  /// NaN arises.
  at::Tensor all_masked;
};

/// A mask [M, ...] repeated for each of `batches`.
at::Tensor for_batches(const at::Tensor& mask, int64_t batches) {
  return mask.size(0) == batches ? mask : mask.repeat_interleave(batches / mask.size(0), 0, batches);
}

SdpaMask sdpa_mask(const AttentionMasks& masks, int64_t batches) {
  constexpr double kMaskedScore = -std::numeric_limits<double>::infinity();
  if (masks.empty()) {
    return {};
  }
  const at::Tensor padding = masks.key_padding_mask().defined()
                                 ? for_batches(masks.key_padding_mask(), batches).unsqueeze(1)
                                 : at::Tensor();
  const at::Tensor& attention_mask = masks.attention_mask();
  if (!attention_mask.defined() || attention_mask.scalar_type() == at::kBool) {
    at::Tensor ignored = padding;
    if (attention_mask.defined()) {
      ignored = for_batches(attention_mask, batches);
      ignored = padding.defined() ? ignored.logical_or(padding) : ignored;
    }
    const at::Tensor all_masked = ignored.all(-1, true);
    return {ignored.logical_not().logical_or(all_masked), all_masked};
  }
  at::Tensor added = for_batches(attention_mask, batches);
  added = padding.defined() ? added.masked_fill(padding, kMaskedScore) : added;
  const at::Tensor all_masked = (added == kMaskedScore).all(-1, true);
  return {added.masked_fill(all_masked, 0), all_masked};
}

/// LibTorch's scaled_dot_product_attention, which need not store the weights. `query` is already scaled.
at::Tensor sdpa(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
                const AttentionMasks& masks) {
  const int64_t batches = std::max({query.size(0), stored.size(0), value.size(0)});
  const auto one_head = [&](const at::Tensor& rows) { return rows.expand({batches, -1, -1}).unsqueeze(1); };
  const SdpaMask converted = sdpa_mask(masks, batches);
  std::optional<at::Tensor> mask;
  if (converted.mask.defined()) {
    mask = converted.mask.expand({-1, query.size(1), -1}).unsqueeze(1);
  }
  const at::Tensor readout = at::scaled_dot_product_attention(one_head(query), one_head(stored),
                                                              one_head(value), mask, 0, false, 1.0)
                                 .squeeze(1);
  return converted.all_masked.defined() ? readout.masked_fill(converted.all_masked, 0) : readout;
}

bool needs_gradient(const OptionalTensor& tensor) {
  return tensor && tensor->defined() && tensor->requires_grad() && at::GradMode::is_enabled();
}

/// In plain LibTorch: any device, any real type.
at::Tensor associate_plain(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
                           const at::Tensor& beta, const OptionalTensor& key_padding_mask,
                           const OptionalTensor& attention_mask, double dropout, int64_t dropout_seed) {
  const AttentionMasks masks =
      checked_masks(query, stored, value, beta, key_padding_mask, attention_mask, dropout);
  const at::Tensor numbers =
      value.scalar_type() == at::kByte ? value.to(query.scalar_type()) / kPixelMax : value;
  if (dropout == 0 && !needs_gradient(attention_mask) && query.numel() > 0 && numbers.numel() > 0) {
    return sdpa(scaled(query, beta), stored, numbers, masks);
  }
  at::Tensor scores = at::matmul(scaled(query, beta), stored.transpose(1, 2));
  if (!masks.empty() && scores.size(0) == 1) { // the masks may differ between batches
    scores = scores.expand({value.size(0), -1, -1});
  }
  at::Tensor association = masks.softmax(scores);
  if (dropout != 0) {
    association = association.expand({std::max(scores.size(0), value.size(0)), -1, -1});
    association = association * association_dropout(association, dropout, dropout_seed);
  }
  return at::matmul(association, numbers);
}

at::Tensor associate_on_cpu(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
                            const at::Tensor& beta, const OptionalTensor& key_padding_mask,
                            const OptionalTensor& attention_mask, double dropout, int64_t dropout_seed) {
  if (!has_kernel(query)) {
    return associate_plain(query, stored, value, beta, key_padding_mask, attention_mask, dropout,
                           dropout_seed);
  }
  const AttentionMasks masks =
      checked_masks(query, stored, value, beta, key_padding_mask, attention_mask, dropout);
  return softmax_readout(scaled(query, beta).contiguous(), stored.contiguous(), value.contiguous(), masks,
                         {dropout, static_cast<uint64_t>(dropout_seed)})
      .readout;
}

/// Gradient of beta: the sum of query * d_scaled per batch, accumulated in double and in a fixed order.
template <class T>
at::Tensor beta_gradient(const at::Tensor& query, const at::Tensor& d_scaled, const at::Tensor& beta) {
  const at::Tensor q = query.contiguous();
  const int64_t size = q.size(1) * q.size(2), problems = d_scaled.size(0);
  std::vector<double> sums(static_cast<size_t>(problems), 0.0);
  parallel_for(problems, 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const T* a = q.const_data_ptr<T>() + (q.size(0) == 1 ? 0 : b * size);
      const T* d = d_scaled.const_data_ptr<T>() + b * size;
      for (int64_t i = 0; i < size; ++i) {
        sums[static_cast<size_t>(b)] += static_cast<double>(a[i]) * static_cast<double>(d[i]);
      }
    }
  });
  at::Tensor d_beta = at::zeros_like(beta);
  T* to = d_beta.mutable_data_ptr<T>();
  if (beta.numel() == 1) {
    to[0] = static_cast<T>(std::accumulate(sums.begin(), sums.end(), 0.0));
  } else {
    std::copy(sums.begin(), sums.end(), to);
  }
  return d_beta;
}

class Associate : public torch::autograd::Function<Associate> {
public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& query,
                            const at::Tensor& stored, const at::Tensor& value, const at::Tensor& beta,
                            const AttentionMasks& masks, const kernels::PhiloxDropout& dropout) {
    at::AutoDispatchBelowADInplaceOrView below;
    const at::Tensor s = stored.contiguous(), v = value.contiguous();
    const SoftmaxReadout result = softmax_readout(scaled(query, beta).contiguous(), s, v, masks, dropout);
    context->save_for_backward({query, s, v, beta, result.readout, result.row_max, result.row_sum,
                                masks.key_padding_mask(), masks.attention_mask()});
    context->saved_data["dropout"] = dropout.probability;
    context->saved_data["dropout_seed"] = static_cast<int64_t>(dropout.seed);
    return result.readout;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    kChecks.no_double_backward();
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const at::Tensor &query = saved[0], &stored = saved[1], &value = saved[2], &beta = saved[3];
    const at::Tensor scaled_query = scaled(query, beta).contiguous();
    const bool needs_query = context->needs_input_grad(0), needs_beta = context->needs_input_grad(3);
    std::array<at::Tensor, 3> d = softmax_readout_gradient(
        gradients[0].contiguous(), scaled_query, stored, value, {saved[4], saved[5], saved[6]},
        {needs_query || needs_beta, context->needs_input_grad(1), context->needs_input_grad(2)},
        AttentionMasks(saved[7], saved[8]),
        {context->saved_data["dropout"].toDouble(),
         static_cast<uint64_t>(context->saved_data["dropout_seed"].toInt())});
    at::Tensor d_query, d_beta;
    AT_DISPATCH_FLOATING_TYPES(query.scalar_type(), "mneme::associate", [&] {
      if (needs_query) {
        d_query = scaled(d[0], beta);
        if (query.size(0) == 1 && d_query.size(0) != 1) {
          d_query = sum_partials<scalar_t>(d_query.contiguous()).unsqueeze(0);
        }
      }
      if (needs_beta) {
        d_beta = beta_gradient<scalar_t>(query, d[0].contiguous(), beta);
      }
    });
    return {d_query, d[1], d[2], d_beta, {}, {}};
  }
};

at::Tensor associate_with_gradient(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
                                   const at::Tensor& beta, const OptionalTensor& key_padding_mask,
                                   const OptionalTensor& attention_mask, double dropout,
                                   int64_t dropout_seed) {
  if (!has_kernel(query) || needs_gradient(attention_mask)) {
    return associate_plain(query, stored, value, beta, key_padding_mask, attention_mask, dropout,
                           dropout_seed);
  }
  return Associate::apply(
      query, stored, value, beta,
      checked_masks(query, stored, value, beta, key_padding_mask, attention_mask, dropout),
      kernels::PhiloxDropout{dropout, static_cast<uint64_t>(dropout_seed)});
}

/// beta of the options, unless it is a tensor.
double beta_of(const AssociateOptions& options, const at::Tensor& query) {
  const double beta = options.beta.value_or(
      1.0 / std::sqrt(static_cast<double>(query.dim() == 3 ? std::max<int64_t>(query.size(2), 1) : 1)));
  if (!std::isfinite(beta) || beta <= 0) {
    kChecks.fail(c10::str("beta is ", beta, ", but must be finite and > 0."),
                 "Leave it out to get 1 / sqrt(features).");
  }
  return beta;
}

} // namespace

TORCH_LIBRARY_FRAGMENT(mneme, library) {
  library.def("associate(Tensor query, Tensor stored, Tensor value, Tensor beta, "
              "Tensor? key_padding_mask=None, Tensor? attention_mask=None, float dropout=0.0, int "
              "dropout_seed=0) -> Tensor");
}
TORCH_LIBRARY_IMPL(mneme, CPU, library) {
  library.impl("associate", associate_on_cpu);
}
TORCH_LIBRARY_IMPL(mneme, AutogradCPU, library) {
  library.impl("associate", associate_with_gradient);
}
TORCH_LIBRARY_IMPL(mneme, CompositeImplicitAutograd, library) {
  library.impl("associate", associate_plain);
}

at::Tensor associate(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
                     const AssociateOptions& options) {
  for (const Checks::Named& input :
       {Checks::Named{"query", query}, Checks::Named{"stored", stored}, Checks::Named{"value", value}}) {
    kChecks.defined(input, kDimensions);
  }
  kChecks.floating_point({"query", query});
  const auto optional = [](const at::Tensor& mask) {
    return mask.defined() ? OptionalTensor(mask) : std::nullopt;
  };
  at::Tensor beta = options.beta_tensor;
  if (beta.defined()) {
    if (options.beta) {
      kChecks.fail(c10::str("beta is given as a number (", *options.beta, ") and as a tensor (shape ",
                            beta.sizes(), ")."),
                   "Set one of them only.");
    }
  } else {
    const double number = beta_of(options, query);
    if (has_kernel(query) && value.scalar_type() == query.scalar_type() && query.numel() > 0 &&
        value.numel() > 0 && !needs_gradient(options.attention_mask)) {
      const AttentionMasks masks = checked_masks(query, stored, value, optional(options.key_padding_mask),
                                                 optional(options.attention_mask), options.dropout);
      return head_attention(query.unsqueeze(1), stored.unsqueeze(1), value.unsqueeze(1), number, masks,
                            {options.dropout, static_cast<uint64_t>(options.dropout_seed)})
          .squeeze(1);
    }
    beta = at::full({1}, number, query.options().requires_grad(false));
  }
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("mneme::associate", "")
                             .typed<decltype(associate_plain)>();
  return op.call(query, stored, value, beta, optional(options.key_padding_mask),
                 optional(options.attention_mask), options.dropout, options.dropout_seed);
}

} // namespace mneme::ops
