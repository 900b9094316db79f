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
#include "ops/checks.h"
#include "ops/rows.h"
#include "ops/seen.h"
#include "ops/softmax_readout.h"

namespace mneme::ops {
namespace {

const Checks kChecks("associate");
constexpr const char* kDimensions = "batch, patterns, features";

void check_beta(const at::Tensor& beta, const Checks::Named& query) {
  const Checks::Named named{"beta", beta};
  kChecks.same_type(query, named);
  kChecks.same_device(query, named);
  if (beta.dim() > 1) {
    kChecks.refuse(c10::str("beta has ", beta.dim(), " dimensions (shape ", beta.sizes(),
                            "), at most 1 is needed: batch."),
                   "Give one number, or one for every batch.");
  }
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, beta.scalar_type(), "mneme::associate", [&] {
    for (int64_t b = 0; beta.device().is_cpu() && b < beta.numel(); ++b) { // elsewhere looking would wait
      if (const auto number = static_cast<double>(beta.view(-1)[b].item<scalar_t>());
          !std::isfinite(number)) {
        kChecks.refuse(c10::str("beta ", b, " is ", number, ", but must be finite."),
                       "If it is learnt, a smaller learning rate may keep it so.");
      }
    }
  });
}

using OptionalTensor = std::optional<at::Tensor>;

/// What the queries see, if all fits together.
Seen checked(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
             const at::Tensor& beta, const OptionalTensor& missing, const OptionalTensor& mask,
             double dropout) {
  kChecks.share("dropout", dropout);
  const Checks::Named q{"query", query}, s{"stored", stored}, v{"value", value}, t{"beta", beta};
  for (const Checks::Named& input : {q, s, v}) {
    kChecks.defined(input, kDimensions);
    kChecks.dimensions(input, 3, kDimensions, "A single batch is unsqueeze(0).");
  }
  kChecks.real(q);
  kChecks.real(s);
  kChecks.same_type(q, s);
  if (value.scalar_type() != at::kByte) {
    kChecks.real(v);
    kChecks.same_type(q, v);
  }
  kChecks.same_device(q, s);
  kChecks.same_device(q, v);
  const auto batches_fit = [](const Checks::Named& a, const Checks::Named& b) {
    if (a.tensor.size(0) != 1 && b.tensor.size(0) != 1) {
      kChecks.equal(a, 0, b, 0, "batches", "Make the batches equal, or 1 on one side.");
    }
  };
  batches_fit(q, s);
  batches_fit(q, v);
  batches_fit(s, v);
  kChecks.equal(q, 2, s, 2, "features", "They are compared feature by feature: project one of them.");
  kChecks.equal(s, 1, v, 1, "patterns", "Each stored pattern needs one value.");
  if (stored.size(1) == 0 || stored.size(2) == 0) {
    kChecks.refuse(c10::str("stored has ", Checks::sized(s, 1, "patterns"), " of ", stored.size(2),
                            " features, at least 1 of 1 is needed."),
                   "There is nothing to recall from an empty memory.");
  }
  check_beta(beta, q);
  if (beta.numel() != 1) {
    for (const Checks::Named& input : {q, s, v}) {
      if (beta.dim() == 1 && input.tensor.size(0) != 1) {
        kChecks.equal(input, 0, t, 0, "batches", "Give one beta, or one for every batch.");
      }
    }
  }
  int64_t batches = 1;
  for (const at::Tensor& input : {query, stored, value}) {
    batches = input.size(0) == 1 ? batches : input.size(0);
  }
  return {kChecks, missing.value_or(at::Tensor()), mask.value_or(at::Tensor()), q, s, batches};
}

/// query * beta; scaling the queries is cheaper than scaling the scores, of which there are S / D times as
/// many.
at::Tensor scaled(const at::Tensor& query, const at::Tensor& beta) {
  const bool is_one = beta.device().is_cpu() && beta.numel() == 1 && !beta.requires_grad() &&
                      beta.item<double>() == 1; // spares a copy
  return is_one ? query : query * beta.view({-1, 1, 1});
}

/// What of the weights is kept from the queries, as scaled_dot_product_attention takes it: bool, true where a pattern is seen,
/// or numbers that are added.
struct AttentionMask {
  at::Tensor mask; ///< [B, 1 or Q, S]; undefined: all is seen
  at::Tensor
      nothing; ///< bool [B, 1 or Q, 1]: rows that see nothing; the mask lets them see all, so that no NaN arises
};

/// One row, or matrix, for each of `batches`.
at::Tensor for_batches(const at::Tensor& mask, int64_t batches) {
  return mask.size(0) == batches ? mask : mask.repeat_interleave(batches / mask.size(0), 0, batches);
}

AttentionMask attention_mask(const Seen& seen, int64_t batches) {
  constexpr double kNotSeen = -std::numeric_limits<double>::infinity();
  if (seen.everything()) {
    return {};
  }
  const at::Tensor missing =
      seen.missing().defined() ? for_batches(seen.missing(), batches).unsqueeze(1) : at::Tensor();
  if (!seen.mask().defined() || seen.mask().scalar_type() == at::kBool) {
    at::Tensor hidden = missing;
    if (seen.mask().defined()) {
      hidden = for_batches(seen.mask(), batches);
      hidden = missing.defined() ? hidden.logical_or(missing) : hidden;
    }
    const at::Tensor nothing = hidden.all(-1, true);
    return {hidden.logical_not().logical_or(nothing), nothing};
  }
  at::Tensor added = for_batches(seen.mask(), batches);
  added = missing.defined() ? added.masked_fill(missing, kNotSeen) : added;
  const at::Tensor nothing = (added == kNotSeen).all(-1, true);
  return {added.masked_fill(nothing, 0), nothing};
}

/// LibTorch's own attention, which need not keep a matrix of queries x patterns. `query` is scaled.
at::Tensor by_attention(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
                        const Seen& seen) {
  const int64_t batches = std::max({query.size(0), stored.size(0), value.size(0)});
  const auto one_head = [&](const at::Tensor& rows) { return rows.expand({batches, -1, -1}).unsqueeze(1); };
  const AttentionMask kept = attention_mask(seen, batches);
  std::optional<at::Tensor> mask;
  if (kept.mask.defined()) {
    mask = kept.mask.expand({-1, query.size(1), -1}).unsqueeze(1);
  }
  const at::Tensor readout = at::scaled_dot_product_attention(one_head(query), one_head(stored),
                                                              one_head(value), mask, 0, false, 1.0)
                                 .squeeze(1);
  return kept.nothing.defined() ? readout.masked_fill(kept.nothing, 0) : readout;
}

/// Plain LibTorch: any device, any real type.
at::Tensor associate_plain(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
                           const at::Tensor& beta, const OptionalTensor& missing, const OptionalTensor& mask,
                           double dropout, int64_t dropout_seed) {
  const Seen seen = checked(query, stored, value, beta, missing, mask, dropout);
  const at::Tensor numbers =
      value.scalar_type() == at::kByte ? value.to(query.scalar_type()) / kByteWhite : value;
  const bool mask_wanted = mask && mask->defined() && mask->requires_grad() && at::GradMode::is_enabled();
  if (dropout == 0 && !mask_wanted && query.numel() > 0 && numbers.numel() > 0) {
    return by_attention(scaled(query, beta), stored, numbers, seen);
  }
  at::Tensor scores = at::matmul(scaled(query, beta), stored.transpose(1, 2));
  if (!seen.everything() && scores.size(0) == 1) { // batches may see different patterns
    scores = scores.expand({value.size(0), -1, -1});
  }
  at::Tensor association = seen.softmax(scores);
  if (dropout != 0) {
    association = association.expand({std::max(scores.size(0), value.size(0)), -1, -1});
    association = association * association_dropout(association, dropout, dropout_seed);
  }
  return at::matmul(association, numbers);
}

at::Tensor associate_on_cpu(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
                            const at::Tensor& beta, const OptionalTensor& missing, const OptionalTensor& mask,
                            double dropout, int64_t dropout_seed) {
  if (!has_kernel(query)) {
    return associate_plain(query, stored, value, beta, missing, mask, dropout, dropout_seed);
  }
  const Seen seen = checked(query, stored, value, beta, missing, mask, dropout);
  return softmax_readout(scaled(query, beta).contiguous(), stored.contiguous(), value.contiguous(), seen,
                         {dropout, static_cast<uint64_t>(dropout_seed)})
      .readout;
}

/// d_beta of every batch: sum of query . d_scaled, in double and in one order.
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
                            const Seen& seen, const kernels::PairDropout& dropout) {
    at::AutoDispatchBelowADInplaceOrView below;
    const at::Tensor s = stored.contiguous(), v = value.contiguous();
    const SoftmaxReadout result = softmax_readout(scaled(query, beta).contiguous(), s, v, seen, dropout);
    context->save_for_backward(
        {query, s, v, beta, result.readout, result.largest, result.sum, seen.missing(), seen.mask()});
    context->saved_data["dropout"] = dropout.share;
    context->saved_data["dropout_seed"] = static_cast<int64_t>(dropout.seed);
    return result.readout;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    kChecks.first_derivative();
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const at::Tensor &query = saved[0], &stored = saved[1], &value = saved[2], &beta = saved[3];
    const at::Tensor scaled_query = scaled(query, beta).contiguous();
    const bool query_wanted = context->needs_input_grad(0), beta_wanted = context->needs_input_grad(3);
    std::array<at::Tensor, 3> d = softmax_readout_gradient(
        gradients[0].contiguous(), scaled_query, stored, value, {saved[4], saved[5], saved[6]},
        {query_wanted || beta_wanted, context->needs_input_grad(1), context->needs_input_grad(2)},
        Seen(saved[7], saved[8]),
        {context->saved_data["dropout"].toDouble(),
         static_cast<uint64_t>(context->saved_data["dropout_seed"].toInt())});
    at::Tensor d_query, d_beta;
    AT_DISPATCH_FLOATING_TYPES(query.scalar_type(), "mneme::associate", [&] {
      if (query_wanted) {
        d_query = scaled(d[0], beta);
        if (query.size(0) == 1 && d_query.size(0) != 1) {
          d_query = sum_of_parts<scalar_t>(d_query.contiguous()).unsqueeze(0);
        }
      }
      if (beta_wanted) {
        d_beta = beta_gradient<scalar_t>(query, d[0].contiguous(), beta);
      }
    });
    return {d_query, d[1], d[2], d_beta, {}, {}};
  }
};

at::Tensor associate_with_gradient(const at::Tensor& query, const at::Tensor& stored, const at::Tensor& value,
                                   const at::Tensor& beta, const OptionalTensor& missing,
                                   const OptionalTensor& mask, double dropout, int64_t dropout_seed) {
  const bool mask_wanted = mask && mask->defined() && mask->requires_grad() && at::GradMode::is_enabled();
  if (!has_kernel(query) || mask_wanted) {
    return associate_plain(query, stored, value, beta, missing, mask, dropout, dropout_seed);
  }
  return Associate::apply(query, stored, value, beta,
                          checked(query, stored, value, beta, missing, mask, dropout),
                          kernels::PairDropout{dropout, static_cast<uint64_t>(dropout_seed)});
}

/// The beta that the options ask for, as a tensor.
at::Tensor beta_of(const AssociateOptions& options, const at::Tensor& query) {
  if (options.beta_tensor.defined()) {
    if (options.beta) {
      kChecks.refuse(c10::str("beta is given as a number (", *options.beta, ") and as a tensor (shape ",
                              options.beta_tensor.sizes(), ")."),
                     "Give one of them.");
    }
    return options.beta_tensor;
  }
  const double beta = options.beta.value_or(
      1.0 / std::sqrt(static_cast<double>(query.dim() == 3 ? std::max<int64_t>(query.size(2), 1) : 1)));
  if (!std::isfinite(beta) || beta <= 0) {
    kChecks.refuse(c10::str("beta is ", beta, ", but must be finite and > 0."),
                   "Leave it out to get 1 / sqrt(features).");
  }
  return at::full({1}, beta, query.options().requires_grad(false));
}

} // namespace

TORCH_LIBRARY_FRAGMENT(mneme, library) {
  library.def("associate(Tensor query, Tensor stored, Tensor value, Tensor beta, Tensor? missing=None, "
              "Tensor? mask=None, float dropout=0.0, int dropout_seed=0) -> Tensor");
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
  kChecks.real({"query", query});
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("mneme::associate", "")
                             .typed<decltype(associate_plain)>();
  const auto optional = [](const at::Tensor& mask) {
    return mask.defined() ? OptionalTensor(mask) : std::nullopt;
  };
  return op.call(query, stored, value, beta_of(options, query), optional(options.missing),
                 optional(options.mask), options.dropout, options.dropout_seed);
}

} // namespace mneme::ops
