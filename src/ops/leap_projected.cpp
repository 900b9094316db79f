// SPDX-License-Identifier: MIT

#include "mneme/ops/leap_projected.h"

#include <algorithm>
#include <tuple>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/custom_class.h>

#include "kernels/part_dropout/part_dropout.h"
#include "mneme/core/parallel.h"
#include "mneme/ops/association_dropout.h"
#include "ops/checks.h"
#include "ops/focus_weight.h"
#include "ops/large_tensor.h"
#include "ops/leap_checks.h"
#include "ops/leap_scan.h"

namespace mneme::ops {
namespace {

const Checks kChecks("leap_projected");
constexpr int64_t kTokensAtOnce =
    512; // of a projection: few enough to stay near, enough for a fast matrix product
static_assert(kTokensAtOnce % 16 == 0, "pieces of the way back begin at tiles");

/// The four parts of rows [B, T, 4 N] as [B, T, H, N / H] each.
std::array<at::Tensor, 4> parts_of(const at::Tensor& rows, int64_t num_heads) {
  const at::Tensor split =
      rows.view({rows.size(0), rows.size(1), 4, num_heads, rows.size(2) / (4 * num_heads)});
  return {split.select(2, 0), split.select(2, 1), split.select(2, 2), split.select(2, 3)};
}

/// What becomes of rows before they are compared.
struct Treatment {
  PartsTransform transform;
  PartsDropout dropout;

  explicit operator bool() const { return transform || dropout.share > 0; }
};

/// Rows [B, T, 4 N] after the transform, if there is one.
at::Tensor transformed(const PartsTransform& transform, const at::Tensor& rows, int64_t num_heads,
                       int64_t first) {
  return transform ? transform(rows.unflatten(2, {4, num_heads, -1}), first).flatten(2) : rows;
}

/// Drops in rows [B, T, 4 N] in place, or in their gradients: the same each time. The first row is number `first` of all.
void drop(const PartsDropout& dropout, const at::Tensor& rows, int64_t num_heads, int64_t first) {
  if (dropout.share == 0) {
    return;
  }
  const int64_t row = rows.size(2);
  constexpr int64_t kRowsAtOnce = 32;
  const auto run = [&]<class T>(T* data) {
    parallel_for(rows.size(0) * rows.size(1), kRowsAtOnce, [&](int64_t begin, int64_t end) {
      kernels::part_dropout({.rows = data + begin * row,
                             .num_rows = end - begin,
                             .num_heads = num_heads,
                             .head_size = row / (4 * num_heads),
                             .dropout = {.share = dropout.share,
                                         .seed = static_cast<uint64_t>(dropout.seed),
                                         .first_query = first + begin}});
    });
  };
  rows.scalar_type() == at::kDouble ? run(rows.mutable_data_ptr<double>())
                                    : run(rows.mutable_data_ptr<float>());
}

/// The same as `drop` by LibTorch expressions: rows [B, T, 4 N], and the factor of their logits [B, T, H].
std::pair<at::Tensor, at::Tensor> dropped(const PartsDropout& dropout, const at::Tensor& rows,
                                          int64_t num_heads, const at::Tensor& logit_factor) {
  const at::Tensor factors =
      association_dropout(rows.flatten(0, 1), dropout.share, dropout.seed).view_as(rows);
  const int64_t part = rows.size(2) / 4;
  const at::Tensor of_logits = factors.narrow(2, 2 * part, num_heads);
  return {rows * at::cat({factors.narrow(2, 0, 2 * part), at::ones_like(factors.narrow(2, 0, part)),
                          factors.narrow(2, 3 * part, part)},
                         2),
          logit_factor.defined() ? of_logits * logit_factor : of_logits};
}

/// The piece [B, T, 4 N] of the projection of x, from token `first` on, treated in place.
void treat(const Treatment& treatment, const at::Tensor& piece, int64_t num_heads, int64_t first,
           int64_t first_row) {
  if (treatment.transform) {
    piece.copy_(transformed(treatment.transform, piece, num_heads, first));
  }
  drop(treatment.dropout, piece, num_heads, first_row);
}

/// Whole sequences that are worked on at once, of as many tokens together as one piece of a long one.
int64_t sequences_at_once(int64_t batches, int64_t tokens) {
  return std::max<int64_t>(1, tokens > 0 ? kTokensAtOnce / tokens : batches);
}

/// The gradient of rows = x . weight^T, [T, 4 N], from that of what the transform made of them.
at::Tensor gradient_before(const PartsTransform& transform, const at::Tensor& x, const at::Tensor& weight,
                           const at::Tensor& d_transformed, int64_t num_heads, int64_t first) {
  const at::Tensor rows = at::linear(x, weight).requires_grad_();
  const at::AutoGradMode with_gradients(true);
  return torch::autograd::grad({transformed(transform, rows, num_heads, first)}, {rows}, {d_transformed})[0]
      .flatten(0, 1);
}

/// Keeps a treatment until the way back.
struct KeptTreatment : torch::CustomClassHolder {
  explicit KeptTreatment(Treatment kept) : treatment(std::move(kept)) {}
  Treatment treatment;
};

LeapCall with_parts(LeapCall call, const at::Tensor& rows, int64_t num_heads) {
  std::tie(call.query, call.focus, call.key, call.value) = std::tuple_cat(parts_of(rows, num_heads));
  return call;
}

LeapCall of_batches(const LeapCall& call, int64_t first, int64_t count) {
  LeapCall part = call;
  for (at::Tensor* rows : {&part.query, &part.focus, &part.key, &part.value}) {
    *rows = rows->narrow(0, first, count);
  }
  return part;
}

/// The readout [B, T, H, D] without the whole projection. `call`: its options.
at::Tensor readout_in_pieces(const at::Tensor& x, const at::Tensor& weight, int64_t num_heads,
                             const LeapCall& call, const Treatment& treatment) {
  const int64_t batches = x.size(0), tokens = x.size(1), row = weight.size(0);
  at::Tensor readout = empty_on_large_pages({batches, tokens, num_heads, row / (4 * num_heads)}, x.options());
  const at::Tensor rows = at::empty({1, std::min(tokens, kTokensAtOnce), row}, x.options());
  for (int64_t b = 0; b < batches; ++b) {
    LeapState state;
    for (int64_t first = 0; first < tokens; first += kTokensAtOnce) {
      const int64_t count = std::min(kTokensAtOnce, tokens - first);
      const at::Tensor piece = rows.narrow(1, 0, count);
      at::Tensor product = piece.select(0, 0);
      at::mm_out(product, x.select(0, b).narrow(0, first, count), weight.t());
      treat(treatment, piece, num_heads, first, b * tokens + first);
      LeapCall next = with_parts(call, piece, num_heads);
      if (call.is_token.defined()) {
        next.is_token = call.is_token.narrow(0, b, 1).narrow(1, first, count);
      }
      leap_scan_after(next, readout.narrow(0, b, 1).narrow(1, first, count), state);
    }
  }
  return readout;
}

class LeapProjected : public torch::autograd::Function<LeapProjected> {
public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& weight, int64_t num_heads, const LeapCall& call,
                            const Treatment& treatment) {
    at::AutoDispatchBelowADInplaceOrView below;
    const int64_t row = weight.size(0);
    const at::Tensor rows = empty_on_large_pages({x.size(0), x.size(1), row}, x.options());
    at::Tensor product = rows.view({-1, row});
    at::mm_out(product, x.view({-1, x.size(2)}), weight.t());
    const int64_t group = sequences_at_once(x.size(0), x.size(1));
    for (int64_t b = 0; treatment && b < x.size(0); b += group) {
      for (int64_t first = 0; first < x.size(1); first += kTokensAtOnce) {
        treat(treatment,
              rows.narrow(0, b, std::min(group, x.size(0) - b))
                  .narrow(1, first, std::min(kTokensAtOnce, x.size(1) - first)),
              num_heads, first, b * x.size(1) + first);
      }
    }
    const at::Tensor readout =
        empty_on_large_pages({x.size(0), x.size(1), num_heads, row / (4 * num_heads)}, x.options());
    LeapTrace trace;
    leap_scan(with_parts(call, rows, num_heads), readout, &trace);
    at::Tensor output = readout.flatten(2);
    context->save_for_backward({x, weight, rows, output, trace.tracks, trace.carries});
    context->saved_data["num_heads"] = num_heads;
    context->saved_data["windows"] = call.windows.tokens;
    context->saved_data["weight"] = static_cast<int64_t>(call.weight);
    context->saved_data["scale"] = call.scale;
    context->saved_data["treatment"] =
        c10::IValue::make_capsule(c10::make_intrusive<KeptTreatment>(treatment));
    return output;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    kChecks.first_derivative();
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &rows = saved[2];
    auto& data = context->saved_data;
    const int64_t heads = data["num_heads"].toInt(), batches = x.size(0), tokens = x.size(1);
    const auto in_heads = [&](const at::Tensor& t) { return t.contiguous().unflatten(2, {heads, -1}); };
    const at::Tensor readout = in_heads(saved[3]), d_readout = in_heads(gradients[0]);
    LeapCall options;
    options.windows.tokens = data["windows"].toIntVector();
    options.weight = static_cast<FocusWeight>(data["weight"].toInt());
    options.scale = data["scale"].toDouble();
    const LeapCall call = with_parts(options, rows, heads);
    const c10::intrusive_ptr<torch::CustomClassHolder> kept = data["treatment"].toCapsule();
    const Treatment& treatment = static_cast<const KeptTreatment&>(*kept).treatment;

    const at::Tensor d_x =
        context->needs_input_grad(0) ? empty_on_large_pages(x.sizes(), x.options()) : at::Tensor();
    at::Tensor d_weight = at::zeros_like(weight);
    // Either whole batches, or tokens of one batch: rows of both lie side by side.
    const int64_t at_once = std::min(kTokensAtOnce, std::max<int64_t>(tokens, 1));
    const int64_t group = sequences_at_once(batches, tokens);
    const at::Tensor d_rows = at::empty({std::min(group, batches), at_once, rows.size(2)}, x.options());
    for (int64_t b = 0; b < batches && tokens > 0; b += group) {
      const int64_t count = std::min(group, batches - b);
      LeapScanBack back(of_batches(call, b, count), readout.narrow(0, b, count),
                        {saved[4].narrow(1, b, count), saved[5].narrow(0, b, count)},
                        d_readout.narrow(0, b, count));
      for (int64_t end = tokens; end > 0;) {
        const int64_t begin = (end - 1) / kTokensAtOnce * kTokensAtOnce;
        const auto piece = [&](const at::Tensor& t) {
          return t.narrow(0, b, count).narrow(1, begin, end - begin).view({-1, t.size(2)});
        };
        at::Tensor d_piece = d_rows.view({-1, rows.size(2)}).narrow(0, 0, count * (end - begin));
        const at::Tensor d_parts = d_piece.view({count, end - begin, -1});
        back.take(begin, parts_of(d_parts, heads));
        drop(treatment.dropout, d_parts, heads, b * tokens + begin);
        if (treatment.transform) {
          d_piece = gradient_before(treatment.transform, piece(x).view({count, end - begin, -1}), weight,
                                    d_parts, heads, begin);
        }
        if (d_x.defined()) {
          at::Tensor d_inputs = piece(d_x);
          at::mm_out(d_inputs, d_piece, weight);
        }
        d_weight.addmm_(d_piece.t(), piece(x));
        end = begin;
      }
    }
    return {d_x, d_weight, at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

void check(const at::Tensor& x, const at::Tensor& weight, int64_t num_heads) {
  const Checks::Named input{"x", x}, matrix{"weight", weight};
  kChecks.defined(input, "batch, tokens, features");
  kChecks.dimensions(input, 3, "batch, tokens, features", "A single sequence is unsqueeze(0).");
  kChecks.real(input);
  kChecks.defined(matrix, "outputs, features");
  kChecks.dimensions(matrix, 2, "outputs, features", "It is that of a linear layer.");
  kChecks.same_type(input, matrix);
  kChecks.same_device(input, matrix);
  kChecks.equal(input, 2, matrix, 1, "features", "Every output is a product of all features.");
  if (num_heads < 1 || num_heads > weight.size(0) || weight.size(0) % (4 * num_heads) != 0) {
    kChecks.refuse(c10::str("weight has ", weight.size(0), " outputs, which ", num_heads,
                            " heads of query, focus, key and value do not share evenly."),
                   "Each head gets outputs / (4 num_heads) of each.");
  }
}

} // namespace

at::Tensor leap_projected(const at::Tensor& x, const at::Tensor& weight, int64_t num_heads,
                          const LeapOptions& options, const PartsTransform& transform,
                          const PartsDropout& dropout) {
  check(x, weight, num_heads);
  kChecks.share("dropout", dropout.share);
  const auto by_parts = [&] {
    at::Tensor rows = transformed(transform, at::linear(x, weight), num_heads, 0);
    LeapOptions with = options;
    if (dropout.share > 0) {
      std::tie(rows, with.logit_factor) = dropped(dropout, rows, num_heads, options.logit_factor);
    }
    const auto parts = parts_of(rows, num_heads);
    return leap(parts[0], parts[1], parts[2], parts[3], with).flatten(2);
  };
  if (options.logit_factor.defined() || options.both_sides ||
      type_of_sums(x.scalar_type()) != x.scalar_type()) {
    return by_parts();
  }
  // Of the shape of each part, without its memory.
  const at::Tensor part = at::empty({1, 1, 1, 1}, x.options())
                              .expand({x.size(0), x.size(1), num_heads, weight.size(0) / (4 * num_heads)});
  LeapCall call = leap_call(kChecks, part, part, part, part, options);
  if (!has_scan(call)) {
    return by_parts();
  }
  for (int64_t& window : call.windows.tokens) {
    window = window >= x.size(1) ? 0 : window; // with a smaller state
  }
  const Treatment treatment{transform, dropout};
  at::Tensor readout;
  if (at::GradMode::is_enabled() && (x.requires_grad() || weight.requires_grad())) {
    readout = LeapProjected::apply(x.contiguous(), weight, num_heads, call, treatment);
  } else if (x.size(1) >= kTokensAtOnce && has_scan_with_state(call)) {
    readout = readout_in_pieces(x.contiguous(), weight, num_heads, call, treatment).flatten(2);
  } else {
    return by_parts();
  }
  if (options.check_finite && !all_finite(readout)) {
    return by_parts(); // says what is not finite
  }
  return readout;
}

} // namespace mneme::ops
