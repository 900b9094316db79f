// SPDX-License-Identifier: MIT

#include "mneme/ops/leap_explanation.h"

#include <algorithm>
#include <limits>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "mneme/ops/constants.h"
#include "ops/band_sum.h"
#include "ops/checks.h"
#include "ops/head_slices.h"
#include "ops/leap_pass.h"
#include "ops/leap_scales.h"

namespace mneme::ops {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kReadersAtOnce = 64; // of roll_out: bounds what is kept beside the result

/// Half-open, checked; `what` they are.
struct Range {
  int64_t first, last;
};

Range checked_range(const Checks& checks, const char* what, int64_t first, int64_t last, int64_t tokens) {
  const int64_t end = last == -1 ? tokens : last;
  if (first < 0 || end < first || end > tokens) {
    checks.refuse(
        c10::str("the tile's ", what, " go from ", first, " to ", end, ", but there are ", tokens, "."),
        "Ranges are half open; -1 is the end.");
  }
  return {first, end};
}

/// The rows of a tile and its columns, on tensors [B, T, H, ...].
class Tile {
public:
  Tile(const Checks& checks, const LeapParts& parts, const LeapTile& tile)
      : readers_(checked_range(checks, "readers", tile.first_reader, tile.last_reader, parts.gate.size(1))),
        tokens_(checked_range(checks, "tokens", tile.first_token, tile.last_token, parts.gate.size(1))) {}

  /// [B, T, H, ...] -> [B, H, readers or tokens, ...]
  at::Tensor of_readers(const at::Tensor& t) const {
    return t.slice(1, readers_.first, readers_.last).transpose(1, 2);
  }
  at::Tensor of_tokens(const at::Tensor& t) const {
    return t.slice(1, tokens_.first, tokens_.last).transpose(1, 2);
  }

  at::Tensor shares(const LeapParts& parts, const LeapOptions& options) const {
    const at::Tensor ahead = places(readers_, parts.gate).unsqueeze(1) - places(tokens_, parts.gate);
    const at::Tensor distance = options.both_sides ? ahead.abs() : ahead;
    const auto of_heads = [&](const auto& values) { // [heads or 1, 1, 1]
      return constants({values.begin(), values.end()}, parts.gate.options()).view({-1, 1, 1});
    };
    const at::Tensor window = of_heads(options.windows.tokens);
    const at::Tensor seen = (distance >= 0)
                                .logical_and((distance < window).logical_or(window == 0))
                                .expand({parts.gate.size(2), -1, -1});
    const at::Tensor log_share = of_tokens(parts.log_weight).unsqueeze(2) -
                                 of_readers(parts.log_denominator).unsqueeze(3) -
                                 of_heads(options.windows.decay) * distance;
    return at::where(seen, log_share, -kInfinity).exp();
  }

private:
  static at::Tensor places(const Range& range, const at::Tensor& like) {
    return at::arange(range.first, range.last, like.options());
  }

  Range readers_, tokens_;
};

/// What a reader compares keys with, as its gate's logit is linear in them: logit_i = asked_i . focused_key_i.
at::Tensor asked(const LeapParts& parts, const LeapOptions& options) {
  const at::Tensor scaled = parts.query * gate_scale(options, parts.query.size(3));
  return options.gate == LeapGate::cosine
             ? scaled * inverse_length(parts.query) * inverse_length(parts.focused_key)
             : scaled;
}

/// rows . M of a layer [B, readers, T], where M_ij = mean over heads of A_ij.
at::Tensor through(const LeapLayer& layer, const at::Tensor& rows) {
  const LeapParts& parts = layer.parts;
  const int64_t tokens = parts.gate.size(1), heads = parts.gate.size(2);
  const at::Tensor taken = rows.transpose(1, 2).unsqueeze(2) * parts.gate.unsqueeze(3);
  at::Tensor given = at::empty_like(taken, at::MemoryFormat::Contiguous);
  for_each_slice(taken, tokens, taken.size(3), layer.options.windows, [&](const HeadSlice& slice) {
    slice.put(given, sums_of_readers(slice.take(taken), {slice.window, slice.take(parts.log_weight),
                                                         slice.take(parts.log_denominator), slice.decay}));
  });
  return given.sum(2).transpose(1, 2) / heads;
}

} // namespace

at::Tensor effective_attention(const LeapParts& parts, const LeapOptions& options, const LeapTile& tile) {
  const Tile cut(Checks("effective_attention"), parts, tile);
  return cut.of_readers(parts.gate).unsqueeze(3) * cut.shares(parts, options);
}

LeapExplanation explain(const LeapParts& parts, const LeapOptions& options, const LeapTile& tile) {
  const Tile cut(Checks("explain"), parts, tile);
  LeapExplanation out;
  out.share = cut.shares(parts, options);
  out.attention = cut.of_readers(parts.gate).unsqueeze(3) * out.share;
  out.contribution = out.attention.abs() * cut.of_tokens(parts.value.norm(2, -1)).unsqueeze(2);
  if (options.gate != LeapGate::open) {
    out.reason = out.share *
                 at::matmul(cut.of_readers(asked(parts, options)), cut.of_tokens(parts.key).transpose(2, 3));
  }
  return out;
}

at::Tensor gate_logit(const LeapParts& parts, const LeapOptions& options) {
  return options.gate == LeapGate::open ? at::Tensor() : (asked(parts, options) * parts.focused_key).sum(-1);
}

at::Tensor roll_out(std::span<const LeapLayer> layers, int64_t first_reader, int64_t last_reader) {
  const Checks checks("roll_out");
  if (layers.empty()) {
    checks.refuse("there are no layers.", "Give one or more, in the order in which they read.");
  }
  const at::Tensor& first = layers.front().parts.gate;
  const int64_t batches = first.size(0), tokens = first.size(1);
  for (const LeapLayer& layer : layers) {
    if (layer.parts.gate.size(0) != batches || layer.parts.gate.size(1) != tokens) {
      checks.refuse(c10::str("a layer's gates are of shape ", layer.parts.gate.sizes(),
                             ", but those of the first are of shape ", first.sizes(), "."),
                    "Give the layers of one model, for one text.");
    }
    if (layer.options.both_sides) {
      checks.refuse("a layer looks to both sides.", "It is there for causal layers only.");
    }
  }
  const Range readers = checked_range(checks, "readers", first_reader, last_reader, tokens);
  at::Tensor out = at::zeros({batches, readers.last - readers.first, tokens}, first.options());
  for (int64_t begin = readers.first; begin < readers.last; begin += kReadersAtOnce) {
    const int64_t end = std::min(begin + kReadersAtOnce, readers.last);
    at::Tensor rows = out.slice(1, begin - readers.first, end - readers.first);
    rows.diagonal(begin, 1, 2).fill_(1);
    for (size_t i = layers.size(); i > 0; --i) {
      rows.add_(through(layers[i - 1], rows));
    }
  }
  return out;
}

} // namespace mneme::ops
