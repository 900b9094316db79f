// SPDX-License-Identifier: MIT

#include "mneme/ops/leap_explanation.h"

#include <algorithm>
#include <limits>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "mneme/ops/constants.h"
#include "ops/band_sum.h"
#include "ops/checks.h"
#include "ops/head_groups.h"
#include "ops/leap_pass.h"
#include "ops/leap_scales.h"

namespace mneme::ops {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kRolloutQueries = 64; // processed at once by attention_rollout; bounds its scratch memory

/// Half-open range of positions.
struct Range {
  int64_t first, last;
};

/// `what` names the positions in messages. Errors  UsageError if the range exceeds the sequence
Range checked_range(const Checks& checks, const char* what, int64_t first, int64_t last, int64_t tokens) {
  const int64_t end = last == -1 ? tokens : last;
  if (first < 0 || end < first || end > tokens) {
    checks.fail(c10::str("the ", what, " of the tile range from ", first, " to ", end, ", but there are ",
                         tokens, "."),
                "Ranges are half open; -1 is the end.");
  }
  return {first, end};
}

/// Cuts the rows (query positions) and columns (keys) of a tile out of tensors [B, T, H, ...].
class Tile {
public:
  Tile(const Checks& checks, const LeapIntermediates& leap, const LeapTile& tile)
      : queries_(checked_range(checks, "queries", tile.first_query, tile.last_query, leap.gate.size(1))),
        keys_(checked_range(checks, "keys", tile.first_key, tile.last_key, leap.gate.size(1))) {}

  /// [B, T, H, ...] -> [B, H, queries or keys, ...]
  at::Tensor of_queries(const at::Tensor& t) const {
    return t.slice(1, queries_.first, queries_.last).transpose(1, 2);
  }
  at::Tensor of_keys(const at::Tensor& t) const {
    return t.slice(1, keys_.first, keys_.last).transpose(1, 2);
  }

  /// LeapExplanation::mean_weight
  at::Tensor mean_weights(const LeapIntermediates& leap, const LeapOptions& options) const {
    const at::Tensor offset = positions(queries_, leap.gate).unsqueeze(1) - positions(keys_, leap.gate);
    const at::Tensor distance = options.both_sides ? offset.abs() : offset;
    const auto of_heads = [&](const auto& values) { // [heads or 1, 1, 1]
      return constants({values.begin(), values.end()}, leap.gate.options()).view({-1, 1, 1});
    };
    const at::Tensor window = of_heads(options.windows.tokens);
    const at::Tensor in_window = (distance >= 0)
                                     .logical_and((distance < window).logical_or(window == 0))
                                     .expand({leap.gate.size(2), -1, -1});
    const at::Tensor log_mean_weight = of_keys(leap.log_weight).unsqueeze(2) -
                                       of_queries(leap.log_denominator).unsqueeze(3) -
                                       of_heads(options.windows.decay) * distance;
    return at::where(in_window, log_mean_weight, -kInfinity).exp();
  }

private:
  static at::Tensor positions(const Range& range, const at::Tensor& like) {
    return at::arange(range.first, range.last, like.options());
  }

  Range queries_, keys_;
};

/// q of the gate logit, which is linear in the mean key: logit_i = q_i . focused_key_i.
at::Tensor gate_query(const LeapIntermediates& leap, const LeapOptions& options) {
  const at::Tensor scaled = leap.query * gate_scale(options, leap.query.size(3));
  return options.gate == LeapGate::cosine
             ? scaled * inverse_length(leap.query) * inverse_length(leap.focused_key)
             : scaled;
}

/// rows . M of a layer [B, queries, T], where M_ij = mean over heads of A_ij.
at::Tensor times_mean_attention(const at::Tensor& rows, const LeapLayer& layer) {
  const LeapIntermediates& leap = layer.intermediates;
  const int64_t tokens = leap.gate.size(1), heads = leap.gate.size(2);
  const at::Tensor gated = rows.transpose(1, 2).unsqueeze(2) * leap.gate.unsqueeze(3);
  at::Tensor product = at::empty_like(gated, at::MemoryFormat::Contiguous);
  for_each_head_group(gated, tokens, gated.size(3), layer.options.windows, [&](const HeadGroup& group) {
    group.scatter(
        product, transposed_band_sum(group.gather(gated), {group.window, group.gather(leap.log_weight),
                                                           group.gather(leap.log_denominator), group.decay}));
  });
  return product.sum(2).transpose(1, 2) / heads;
}

} // namespace

at::Tensor effective_attention(const LeapIntermediates& intermediates, const LeapOptions& options,
                               const LeapTile& tile) {
  const Tile cut(Checks("effective_attention"), intermediates, tile);
  return cut.of_queries(intermediates.gate).unsqueeze(3) * cut.mean_weights(intermediates, options);
}

LeapExplanation explain(const LeapIntermediates& intermediates, const LeapOptions& options,
                        const LeapTile& tile) {
  const Tile cut(Checks("explain"), intermediates, tile);
  LeapExplanation out;
  out.mean_weight = cut.mean_weights(intermediates, options);
  out.attention = cut.of_queries(intermediates.gate).unsqueeze(3) * out.mean_weight;
  out.contribution = out.attention.abs() * cut.of_keys(intermediates.value.norm(2, -1)).unsqueeze(2);
  if (options.gate != LeapGate::open) {
    out.gate_logit_contribution =
        out.mean_weight * at::matmul(cut.of_queries(gate_query(intermediates, options)),
                                     cut.of_keys(intermediates.key).transpose(2, 3));
  }
  return out;
}

at::Tensor gate_logit(const LeapIntermediates& intermediates, const LeapOptions& options) {
  if (options.gate == LeapGate::open) {
    return {};
  }
  return (gate_query(intermediates, options) * intermediates.focused_key).sum(-1);
}

at::Tensor attention_rollout(std::span<const LeapLayer> layers, int64_t first_query, int64_t last_query) {
  const Checks checks("attention_rollout");
  if (layers.empty()) {
    checks.fail("there are no layers.", "Give one or more, from the first to the last.");
  }
  const at::Tensor& first = layers.front().intermediates.gate;
  const int64_t batches = first.size(0), tokens = first.size(1);
  for (const LeapLayer& layer : layers) {
    const at::Tensor& gate = layer.intermediates.gate;
    if (gate.size(0) != batches || gate.size(1) != tokens) {
      checks.fail(c10::str("the gates of a layer are of shape ", gate.sizes(),
                           ", but those of the first layer are of shape ", first.sizes(), "."),
                  "Give the layers of one model, for one text.");
    }
    if (layer.options.both_sides) {
      checks.fail("a layer has windows on both sides.", "Only causal layers are supported.");
    }
  }
  const Range queries = checked_range(checks, "queries", first_query, last_query, tokens);
  at::Tensor out = at::zeros({batches, queries.last - queries.first, tokens}, first.options());
  for (int64_t begin = queries.first; begin < queries.last; begin += kRolloutQueries) {
    const int64_t end = std::min(begin + kRolloutQueries, queries.last);
    at::Tensor rows = out.slice(1, begin - queries.first, end - queries.first);
    rows.diagonal(begin, 1, 2).fill_(1);
    for (size_t i = layers.size(); i > 0; --i) {
      rows.add_(times_mean_attention(rows, layers[i - 1]));
    }
  }
  return out;
}

} // namespace mneme::ops
