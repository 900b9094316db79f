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

#include "kernels/projection_dropout/projection_dropout.h"
#include "mneme/core/parallel.h"
#include "mneme/ops/association_dropout.h"
#include "mneme/ops/linear.h"
#include "ops/checks.h"
#include "ops/focus_weight.h"
#include "ops/huge_pages.h"
#include "ops/leap_checks.h"
#include "ops/leap_scan.h"
#include "ops/matrix_product.h"

namespace mneme::ops {
namespace {

const Checks kChecks("leap_projected");
// Tokens of a block of the projection: few enough for the cache, enough for a fast matrix product.
constexpr int64_t kBlockTokens = 512;
static_assert(kBlockTokens % 16 == 0, "blocks of the backward pass must begin at tiles of the kernel");
// Size of the projection from which on it is computed in blocks, which saves its memory. A smaller one is at
// least as fast as a whole, where threads share the sequences.
constexpr int64_t kMinBytesInBlocks = 1 << 25;

/// Query, focus, key and value, [B, T, H, N / H] each, as views of rows [B, T, 4 N].
std::array<at::Tensor, 4> split_projection(const at::Tensor& rows, int64_t num_heads) {
  const at::Tensor split =
      rows.view({rows.size(0), rows.size(1), 4, num_heads, rows.size(2) / (4 * num_heads)});
  return {split.select(2, 0), split.select(2, 1), split.select(2, 2), split.select(2, 3)};
}

/// Operations on the projection before LEAP.
struct Preprocessing {
  ProjectionTransform transform;
  ProjectionDropout dropout;

  explicit operator bool() const { return transform || dropout.probability > 0; }
};

/// Rows [B, T, 4 N] after the transform, if any.
at::Tensor transformed(const ProjectionTransform& transform, const at::Tensor& rows, int64_t num_heads,
                       int64_t first) {
  return transform ? transform(rows.unflatten(2, {4, num_heads, -1}), first).flatten(2) : rows;
}

/// Applies the dropout mask in place to rows [B, T, 4 N] or to their gradients; it is the same for both.
/// `first`: index of the first row among all rows.
void apply_dropout(const ProjectionDropout& dropout, const at::Tensor& rows, int64_t num_heads,
                   int64_t first) {
  if (dropout.probability == 0) {
    return;
  }
  const int64_t row = rows.size(2);
  constexpr int64_t kRowsPerTask = 32;
  const auto run = [&]<class T>(T* data) {
    parallel_for(rows.size(0) * rows.size(1), kRowsPerTask, [&](int64_t begin, int64_t end) {
      kernels::projection_dropout({.rows = data + begin * row,
                                   .num_rows = end - begin,
                                   .num_heads = num_heads,
                                   .head_size = row / (4 * num_heads),
                                   .dropout = {.probability = dropout.probability,
                                               .seed = static_cast<uint64_t>(dropout.seed),
                                               .first_query = first + begin}});
    });
  };
  if (rows.scalar_type() == at::kDouble) {
    run(rows.mutable_data_ptr<double>());
  } else {
    run(rows.mutable_data_ptr<float>());
  }
}

/// apply_dropout as LibTorch expressions: rows [B, T, 4 N], and the factor of their focus logits [B, T, H].
std::pair<at::Tensor, at::Tensor> with_dropout(const ProjectionDropout& dropout, const at::Tensor& rows,
                                               int64_t num_heads, const at::Tensor& logit_factor) {
  const at::Tensor factors =
      association_dropout(rows.flatten(0, 1), dropout.probability, dropout.seed).view_as(rows);
  const int64_t part = rows.size(2) / 4; // the size of query, focus, key or value
  const at::Tensor logit_factors = factors.narrow(2, 2 * part, num_heads);
  return {rows * at::cat({factors.narrow(2, 0, 2 * part), at::ones_like(factors.narrow(2, 0, part)),
                          factors.narrow(2, 3 * part, part)},
                         2),
          logit_factor.defined() ? logit_factors * logit_factor : logit_factors};
}

/// Applies transform and dropout in place to a block [B, T, 4 N] of the projection, from token `first` on.
void preprocess(const Preprocessing& preprocessing, const at::Tensor& block, int64_t num_heads, int64_t first,
                int64_t first_row) {
  if (preprocessing.transform) {
    block.copy_(transformed(preprocessing.transform, block, num_heads, first));
  }
  apply_dropout(preprocessing.dropout, block, num_heads, first_row);
}

/// Number of short sequences that form a block together.
int64_t sequences_per_block(int64_t batches, int64_t tokens) {
  return std::max<int64_t>(1, tokens > 0 ? kBlockTokens / tokens : batches);
}

/// The gradient of rows = x . weight^T, [T, 4 N], from that of the transformed rows.
at::Tensor transform_gradient(const ProjectionTransform& transform, const at::Tensor& x,
                              const at::Tensor& weight, const at::Tensor& d_transformed, int64_t num_heads,
                              int64_t first) {
  const at::Tensor rows = ops::linear(x, weight).requires_grad_();
  const at::AutoGradMode with_gradients(true);
  return torch::autograd::grad({transformed(transform, rows, num_heads, first)}, {rows}, {d_transformed})[0]
      .flatten(0, 1);
}

/// Saves a Preprocessing for the backward pass.
struct SavedPreprocessing : torch::CustomClassHolder {
  explicit SavedPreprocessing(Preprocessing saved) : preprocessing(std::move(saved)) {}
  Preprocessing preprocessing;
};

/// The call with query, focus, key and value from rows [B, T, 4 N].
LeapCall with_rows(LeapCall call, const at::Tensor& rows, int64_t num_heads) {
  std::tie(call.query, call.focus, call.key, call.value) = std::tuple_cat(split_projection(rows, num_heads));
  return call;
}

LeapCall narrow_batches(LeapCall call, int64_t first, int64_t count) {
  for (at::Tensor* rows : {&call.query, &call.focus, &call.key, &call.value}) {
    *rows = rows->narrow(0, first, count);
  }
  return call;
}

/// The readout [B, T, H, D], with the projection computed in blocks. Only the options of `call` are used.
at::Tensor readout_in_blocks(const at::Tensor& x, const at::Tensor& weight, int64_t num_heads,
                             const LeapCall& call, const Preprocessing& preprocessing) {
  const int64_t batches = x.size(0), tokens = x.size(1), row = weight.size(0);
  at::Tensor readout = empty_on_huge_pages({batches, tokens, num_heads, row / (4 * num_heads)}, x.options());
  const at::Tensor rows = at::empty({1, std::min(tokens, kBlockTokens), row}, x.options());
  for (int64_t b = 0; b < batches; ++b) {
    LeapState state;
    for (int64_t first = 0; first < tokens; first += kBlockTokens) {
      const int64_t count = std::min(kBlockTokens, tokens - first);
      const at::Tensor block = rows.narrow(1, 0, count);
      multiply(x.select(0, b).narrow(0, first, count), weight.t(), block.select(0, 0));
      preprocess(preprocessing, block, num_heads, first, b * tokens + first);
      LeapCall next = with_rows(call, block, num_heads);
      if (call.key_padding_mask.defined()) {
        next.key_padding_mask = call.key_padding_mask.narrow(0, b, 1).narrow(1, first, count);
      }
      leap_scan_continue(next, readout.narrow(0, b, 1).narrow(1, first, count), state);
    }
  }
  return readout;
}

class LeapProjected : public torch::autograd::Function<LeapProjected> {
public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& weight, int64_t num_heads, const LeapCall& call,
                            const Preprocessing& preprocessing) {
    at::AutoDispatchBelowADInplaceOrView below;
    const int64_t row = weight.size(0);
    const at::Tensor rows = empty_on_huge_pages({x.size(0), x.size(1), row}, x.options());
    multiply(x.view({-1, x.size(2)}), weight.t(), rows.view({-1, row}));
    const int64_t group = sequences_per_block(x.size(0), x.size(1));
    for (int64_t b = 0; preprocessing && b < x.size(0); b += group) {
      for (int64_t first = 0; first < x.size(1); first += kBlockTokens) {
        preprocess(preprocessing,
                   rows.narrow(0, b, std::min(group, x.size(0) - b))
                       .narrow(1, first, std::min(kBlockTokens, x.size(1) - first)),
                   num_heads, first, b * x.size(1) + first);
      }
    }
    const at::Tensor readout =
        empty_on_huge_pages({x.size(0), x.size(1), num_heads, row / (4 * num_heads)}, x.options());
    LeapTrace trace;
    leap_scan(with_rows(call, rows, num_heads), readout, &trace);
    at::Tensor output = readout.flatten(2);
    context->save_for_backward({x, weight, rows, output, trace.tracks, trace.carries});
    context->saved_data["num_heads"] = num_heads;
    context->saved_data["windows"] = call.windows.tokens;
    context->saved_data["weight"] = static_cast<int64_t>(call.weight);
    context->saved_data["scale"] = call.scale;
    context->saved_data["joins_sequences"] = call.joins_sequences;
    context->saved_data["preprocessing"] =
        c10::IValue::make_capsule(c10::make_intrusive<SavedPreprocessing>(preprocessing));
    return output;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    kChecks.no_double_backward();
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &rows = saved[2];
    auto& data = context->saved_data;
    const int64_t heads = data["num_heads"].toInt(), batches = x.size(0), tokens = x.size(1);
    const auto split_heads = [&](const at::Tensor& t) { return t.contiguous().unflatten(2, {heads, -1}); };
    const at::Tensor readout = split_heads(saved[3]), d_readout = split_heads(gradients[0]);
    LeapCall options;
    options.windows.tokens = data["windows"].toIntVector();
    options.weight = static_cast<FocusWeight>(data["weight"].toInt());
    options.scale = data["scale"].toDouble();
    options.joins_sequences = data["joins_sequences"].toBool();
    const LeapCall call = with_rows(options, rows, heads);
    const c10::intrusive_ptr<torch::CustomClassHolder> capsule = data["preprocessing"].toCapsule();
    const Preprocessing& preprocessing = static_cast<const SavedPreprocessing&>(*capsule).preprocessing;

    const at::Tensor d_x =
        context->needs_input_grad(0) ? empty_on_huge_pages(x.sizes(), x.options()) : at::Tensor();
    const at::Tensor d_weight = empty_on_huge_pages(weight.sizes(), weight.options());
    bool is_written = false; // d_weight, by a block
    // A block is either several entire sequences, or tokens of one sequence: its rows are contiguous in both
    // cases.
    const int64_t block_tokens = std::min(kBlockTokens, std::max<int64_t>(tokens, 1));
    const int64_t group = sequences_per_block(batches, tokens);
    const at::Tensor d_rows = at::empty({std::min(group, batches), block_tokens, rows.size(2)}, x.options());
    for (int64_t b = 0; b < batches && tokens > 0; b += group) {
      const int64_t count = std::min(group, batches - b);
      LeapScanBackward scan_backward(narrow_batches(call, b, count), readout.narrow(0, b, count),
                                     {saved[4].narrow(1, b, count), saved[5].narrow(0, b, count)},
                                     d_readout.narrow(0, b, count));
      for (int64_t end = tokens; end > 0;) {
        const int64_t begin = (end - 1) / kBlockTokens * kBlockTokens;
        const auto block_of = [&](const at::Tensor& t) {
          return t.narrow(0, b, count).narrow(1, begin, end - begin).view({-1, t.size(2)});
        };
        at::Tensor d_block = d_rows.view({-1, rows.size(2)}).narrow(0, 0, count * (end - begin));
        const at::Tensor d_transformed = d_block.view({count, end - begin, -1});
        scan_backward.run(begin, split_projection(d_transformed, heads));
        apply_dropout(preprocessing.dropout, d_transformed, heads, b * tokens + begin);
        if (preprocessing.transform) {
          d_block = transform_gradient(preprocessing.transform, block_of(x).view({count, end - begin, -1}),
                                       weight, d_transformed, heads, begin);
        }
        if (d_x.defined()) {
          multiply(d_block, weight, block_of(d_x));
        }
        multiply(d_block.t(), block_of(x), d_weight, {}, std::exchange(is_written, true));
        end = begin;
      }
    }
    if (!is_written) {
      d_weight.zero_();
    }
    return {d_x, d_weight, at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

void check(const at::Tensor& x, const at::Tensor& weight, int64_t num_heads) {
  const Checks::Named input{"x", x}, matrix{"weight", weight};
  kChecks.dimensions(input, 3, "batch, tokens, features", "A single sequence is unsqueeze(0).");
  kChecks.floating_point(input);
  kChecks.dimensions(matrix, 2, "outputs, features", "It is the weight of a linear layer.");
  kChecks.same_type_and_device(input, matrix);
  kChecks.same_size(input, 2, matrix, 1, "features", "weight has one column per feature of x.");
  if (num_heads < 1 || num_heads > weight.size(0) || weight.size(0) % (4 * num_heads) != 0) {
    kChecks.fail(c10::str("weight has ", weight.size(0), " outputs, which ", num_heads,
                          " heads of query, focus, key and value do not divide evenly."),
                 "The number of outputs must be a multiple of 4 num_heads.");
  }
}

} // namespace

at::Tensor leap_projected(const at::Tensor& x, const at::Tensor& weight, int64_t num_heads,
                          const LeapOptions& options, const ProjectionTransform& transform,
                          const ProjectionDropout& dropout) {
  check(x, weight, num_heads);
  kChecks.probability("dropout", dropout.probability);
  const auto unfused = [&] { // with the entire projection as a tensor
    at::Tensor rows = transformed(transform, ops::linear(x, weight), num_heads, 0);
    LeapOptions op = options;
    if (dropout.probability > 0) {
      std::tie(rows, op.logit_factor) = with_dropout(dropout, rows, num_heads, options.logit_factor);
    }
    const auto [query, focus, key, value] = split_projection(rows, num_heads);
    return leap(query, focus, key, value, op).flatten(2);
  };
  if (options.logit_factor.defined() || options.both_sides ||
      type_of_sums(x.scalar_type()) != x.scalar_type()) {
    return unfused();
  }
  // A tensor with the shape of query, focus, key and value, without their memory, for the checks.
  const at::Tensor shaped = at::empty({1, 1, 1, 1}, x.options())
                                .expand({x.size(0), x.size(1), num_heads, weight.size(0) / (4 * num_heads)});
  LeapCall call = leap_call(kChecks, shaped, shaped, shaped, shaped, options);
  if (!has_scan(call)) {
    return unfused();
  }
  for (int64_t& window : call.windows.tokens) {
    window = window >= x.size(1) ? 0 : window; // the same result, with a smaller state
  }
  const Preprocessing preprocessing{transform, dropout};
  at::Tensor readout;
  if (at::GradMode::is_enabled() && (x.requires_grad() || weight.requires_grad())) {
    const bool one_sequence = has_short_sequences(call) && !transform; // which depends on positions
    const at::Tensor tokens = one_sequence ? x.flatten(0, 1).unsqueeze(0) : x;
    readout = LeapProjected::apply(tokens.contiguous(), weight, num_heads,
                                   one_sequence ? as_one_sequence(call) : call, preprocessing);
    readout = one_sequence ? readout.view({x.size(0), x.size(1), readout.size(2)}) : readout;
  } else if (x.size(1) >= kBlockTokens && has_scan_with_state(call) &&
             x.size(0) * x.size(1) * weight.size(0) * weight.element_size() >= kMinBytesInBlocks) {
    readout = readout_in_blocks(x.contiguous(), weight, num_heads, call, preprocessing).flatten(2);
  } else {
    return unfused();
  }
  if (options.check_finite && !all_finite(readout)) {
    return unfused(); // throws an error that names the input that is not finite
  }
  return readout;
}

} // namespace mneme::ops
