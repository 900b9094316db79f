// SPDX-License-Identifier: MIT

#include "kernels/window_scan_gradient/window_scan_gradient.h"

#include "kernels/export.h"

#include <new>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/window_scan_gradient/window_scan_gradient.cpp"
#include <hwy/foreach_target.h>

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "kernels/focus_weight-inl.h"
#include "kernels/scratch.h"
#include "kernels/window_scan_gradient/window_scan_gradient_state.h"
#include "kernels/window_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // every kernel has its own names

/// Coefficients of a token in the sums over query positions: of queries, of gradients of readouts, and
/// d_denominator.
enum Coef { kQueryCoef, kGradCoef, kDenominatorGrad, kNumCoefs };

/// One head of a call.
template <class T> struct Head {
  int64_t index, window, columns; ///< columns before those of the head
  GradientStateLayout layout;
  T* coefficients; ///< as in GradientStateLayout
  T* tile_sums;    ///< likewise, of the tiles to the right

  Head(int64_t head_window, int64_t head_size) : window(head_window), layout(head_window, head_size) {}
  T* coefficient(Coef coef, int64_t token) const {
    return coefficients + coef * layout.kept + (token & (layout.kept - 1));
  }
};

/// Scratch buffers of one tile.
template <class T> struct TileScratch {
  TilePlan<T> plan;
  const T* far_rows[2][TilePlan<T>::kMaxFar];
  HWY_ALIGN T far_weights[kNumCoefs][TilePlan<T>::kMaxFar];
  HWY_ALIGN T weights_with_lead[kNumCoefs][TilePlan<T>::kMaxLead + kTile];
  HWY_ALIGN T logits[kTile];
  HWY_ALIGN T dots[2][kTile];
  HWY_ALIGN T weights[kTile];  ///< focus weights, relative to the reference of their totals
  HWY_ALIGN T d_logits[kTile]; ///< times scale
  T* middle;                   ///< sum of the whole tiles in reach
  T* prefix;                   ///< sum of the prefix block
  T* totals[2];                ///< [kTile, round_up_to_tile(head_size)]

  T* near(Coef coef) { return weights_with_lead[coef] + plan.kMaxLead; }
};

/// A range of tokens within one tile.
struct TokenRange {
  int64_t first, count;
  int64_t last() const { return first + count - 1; }
};

template <class T> Rows<T> RowsOf(const T* base, int64_t stride, TokenRange tokens, const Head<T>& head) {
  return {base + tokens.first * stride + head.columns, stride};
}

/// Computes the coefficients of the tokens of a tile. docs/theory/window_scan.md (16), (17).
template <class T>
void Coefficients(const WindowScanGradientArgs<T>& args, const Head<T>& head, TokenRange tokens,
                  TileScratch<T>& scratch) {
  const TileTag<T> d;
  const int64_t at = head.index * args.trace.stride + tokens.first;
  HWY_ALIGN T gate_logits[kTile] = {}, denominators[kTile];
  for (int64_t row = 0; row < kTile; ++row) {
    denominators[row] = row < tokens.count ? args.trace.denominators[at + row] : T(1);
  }
  for (int64_t row = 0; row < tokens.count; ++row) {
    gate_logits[row] = args.trace.gate_logits[at + row];
  }
  PrefetchRows(RowsOf(args.key, args.row_stride, tokens, head), tokens.count, args.head_size);
  RowDots(RowsOf(args.d_readout, args.d_readout_stride, tokens, head),
          RowsOf(args.readout, args.readout_stride, tokens, head), tokens.count, args.head_size,
          scratch.dots[0]);
  for (int64_t row = 0; row < kTile; row += TileLanes<T>()) {
    const auto gate_logit = hn::Load(d, gate_logits + row), denominator = hn::Load(d, denominators + row);
    const auto dot = hn::Load(d, scratch.dots[0] + row);
    const auto d_gate_logit = hn::Mul(Sigmoid(d, hn::Neg(gate_logit)), dot);
    hn::StoreU(hn::Div(hn::Mul(hn::Set(d, args.scale), d_gate_logit), denominator), d,
               head.coefficient(kQueryCoef, tokens.first) + row);
    hn::StoreU(hn::Div(Sigmoid(d, gate_logit), denominator), d,
               head.coefficient(kGradCoef, tokens.first) + row);
    hn::StoreU(hn::Neg(hn::Div(hn::MulAdd(gate_logit, d_gate_logit, dot), denominator)), d,
               head.coefficient(kDenominatorGrad, tokens.first) + row);
  }
}

/// Computes d_query: recomputes the sums of keys of the forward pass, from the saved carries.
/// docs/theory/window_scan.md (18).
template <class T>
void GradientOfQueries(const WindowScanGradientArgs<T>& args, const Head<T>& head, TokenRange tokens,
                       bool stream, TileScratch<T>& scratch) {
  TilePlan<T>& plan = scratch.plan;
  const T* logits = args.trace.logits + head.index * args.trace.stride;
  const T* keys = args.key + head.columns;
  const T* carry = args.trace.carries + head.index * args.trace.carry_stride +
                   tokens.first / kTile * window_scan_carry_size(args.head_size);
  PlanForward(head.window, tokens.first, tokens.count, false, !args.joins_sequences, plan);
  for (int64_t i = 0; i < plan.num_far; ++i) {
    plan.far_weights[i] = logits[plan.far_tokens[i]];
    scratch.far_rows[0][i] = keys + plan.far_tokens[i] * args.row_stride;
    PrefetchRow(scratch.far_rows[0][i], args.head_size);
  }
  PrefetchRows(RowsOf(args.query, args.row_stride, tokens, head), tokens.count, args.head_size);
  for (int64_t row = -plan.lead(); row < tokens.count; ++row) {
    plan.weights()[row] = logits[tokens.first + row];
  }
  ComputeForwardWeights(args.focus_weight, tokens.count, carry[head.layout.sum.second],
                        scratch.prefix[head.layout.sum.reference], plan);
  SumRows<T>(plan, {plan.far_weights, plan.weights()}, scratch.far_rows[0],
             RowsOf(args.key, args.row_stride, tokens, head), args.head_size, carry, scratch.prefix,
             scratch.totals[0]);
  const T* query_coefs = head.coefficient(kQueryCoef, tokens.first);
  for (int64_t row = 0; row < tokens.count; ++row) {
    const T* total = scratch.totals[0] + row * head.layout.sum.second;
    T* to = args.d_query + (tokens.first - args.begin + row) * args.d_row_stride + head.columns;
    stream ? StoreScaled<true>(total, query_coefs[row], args.head_size, to)
           : StoreScaled<false>(total, query_coefs[row], args.head_size, to);
  }
}

/// Turns coefficients into weights of the plan's rows, relative to the reference of the sum that they are
/// added to. docs/theory/window_scan.md (23).
template <class T>
void ComputeBackwardWeights(const WindowScanGradientArgs<T>& args, const Head<T>& head, TokenRange tokens,
                            T middle, TileScratch<T>& scratch) {
  const TileTag<T> d;
  TilePlan<T>& plan = scratch.plan;
  const T* references = args.trace.references + head.index * args.trace.stride;
  bool is_plain = middle == 0 || middle == kEmptyReference<T>;
  if (args.focus_weight == FocusWeight::exponential) {
    // The denominator of a token is stored times exp(-reference), so its coefficients are stored times
    // exp(reference).
    for (int64_t i = 0; i < plan.num_far; ++i) {
      plan.far_weights[i] = -references[plan.far_tokens[i]];
      is_plain &= plan.far_weights[i] == 0;
    }
    for (int64_t row = -plan.lead(); row < tokens.count; ++row) {
      plan.weights()[row] = -references[tokens.last() - row];
      is_plain &= plan.weights()[row] == 0;
    }
  }
  T& prefix = scratch.prefix[head.layout.sum.reference];
  if (is_plain) {
    PlanNoReferences(prefix, plan);
  } else {
    PlanReferences(kEmptyReference<T>, middle, prefix, plan);
    MapWeights(plan, tokens.count, [&](auto exponent) HWY_ATTR { return ExpOrZero(d, exponent); });
  }
  for (const Coef coef : {kQueryCoef, kGradCoef, kDenominatorGrad}) {
    for (int64_t i = 0; i < plan.num_far; ++i) {
      scratch.far_weights[coef][i] =
          *head.coefficient(coef, plan.far_tokens[i]) * (is_plain ? T(1) : plan.far_weights[i]);
    }
    for (int64_t row = -plan.lead(); row < tokens.count; ++row) {
      scratch.near(coef)[row] =
          *head.coefficient(coef, tokens.last() - row) * (is_plain ? T(1) : plan.weights()[row]);
    }
  }
}

/// Computes focus weights and d_logits from scratch.dots = key . P and value . R, and z = d_weight_sums.
/// docs/theory/window_scan.md (20).
template <class T>
void GradientOfLogits(const WindowScanGradientArgs<T>& args, const T* d_weight_sums,
                      TileScratch<T>& scratch) {
  const TileTag<T> d;
  const auto zero = hn::Zero(d), one = hn::Set(d, T(1));
  for (int64_t row = 0; row < kTile; row += TileLanes<T>()) {
    const auto logit = hn::Load(d, scratch.logits + row);
    const auto d_weight =
        hn::Add(hn::Add(hn::Load(d, scratch.dots[0] + row), hn::Load(d, scratch.dots[1] + row)),
                hn::Load(d, d_weight_sums + row));
    auto weight = zero, slope = zero;
    if (args.focus_weight == FocusWeight::elu) {
      weight = EluWeight(d, logit);
      slope = hn::IfThenElse(hn::Gt(logit, zero), one, weight);
    } else {
      weight = ExpOrZero(d, hn::Add(logit, hn::Load(d, scratch.plan.references + row)));
      slope = weight;
    }
    hn::Store(weight, d, scratch.weights + row);
    hn::Store(hn::Mul(hn::Set(d, args.scale), hn::Mul(slope, d_weight)), d, scratch.d_logits + row);
  }
}

/// to[c] = a x[c] + b y[c]; x must consist of whole, aligned vectors.
template <bool kStream, class T>
HWY_INLINE void StoreSum(T a, const T* x, T b, const T* y, int64_t size, T* to) {
  const TileTag<T> d;
  const int64_t n = TileLanes<T>();
  const auto factor_a = hn::Set(d, a), factor_b = hn::Set(d, b);
  int64_t c = 0;
  for (; c + n <= size; c += n) {
    const auto sum = hn::MulAdd(factor_a, hn::Load(d, x + c), hn::Mul(factor_b, hn::LoadU(d, y + c)));
    if constexpr (kStream) {
      hn::Stream(sum, d, to + c);
    } else {
      hn::StoreU(sum, d, to + c);
    }
  }
  if (c < size) {
    StoreFirst(hn::MulAdd(factor_a, hn::Load(d, x + c), hn::Mul(factor_b, LoadFirst(d, y + c, size - c))), d,
               to + c, size - c);
  }
}

/// Computes d_focus, d_key and d_value from sums over the query positions that attend to the tile, from its
/// last token to the first. docs/theory/window_scan.md (19), (21).
template <bool kStream, class T>
void GradientOfRows(const WindowScanGradientArgs<T>& args, const Head<T>& head, TokenRange tokens,
                    TileScratch<T>& scratch) {
  TilePlan<T>& plan = scratch.plan;
  const SumLayout& layout = head.layout.sum;
  const int64_t size = args.head_size, last = tokens.last(), tile = tokens.first / kTile;
  const auto rows = [&](const T* base, int64_t stride) HWY_ATTR {
    return Rows<T>{base + last * stride + head.columns, -stride};
  };
  // Rows to prefetch: the same tokens of the next head, or, after the last head, the tile before of the
  // first.
  const bool has_next_head = head.index + 1 < args.num_heads;
  const int64_t next = has_next_head ? tokens.first : HWY_MAX(tokens.first - kTile, args.begin),
                next_count = has_next_head ? tokens.count : tokens.first - next;
  const auto next_rows = [&](const T* base, int64_t stride) HWY_ATTR {
    return Rows<T>{base + next * stride + (has_next_head ? head.columns + size : 0), stride};
  };
  PlanBackward(head.window, last, tokens.count, args.length, !args.joins_sequences, plan);
  for (int64_t i = 0; i < plan.num_far; ++i) {
    scratch.far_rows[0][i] = args.query + plan.far_tokens[i] * args.row_stride + head.columns;
    scratch.far_rows[1][i] = args.d_readout + plan.far_tokens[i] * args.d_readout_stride + head.columns;
    PrefetchRow(scratch.far_rows[0][i], size);
    PrefetchRow(scratch.far_rows[1][i], size);
  }
  const T* middle = scratch.middle;
  if (head.window == 0) {
    middle = head.tile_sums;
  } else {
    const int64_t end = (args.length + kTile - 1) / kTile;
    SumTiles(layout, head.layout.tiles, tile + 1, HWY_MIN(tile + 1 + whole_tiles_in_window(head.window), end),
             kEmptyReference<T>, head.tile_sums, scratch.middle);
  }
  ComputeBackwardWeights(args, head, tokens, middle[layout.reference], scratch);

  HWY_ALIGN T d_weight_sums[kTile] = {};
  const auto weights = [&](Coef coef) HWY_ATTR {
    return Weights<T>{scratch.far_weights[coef], scratch.near(coef)};
  };
  SumWeights(plan, weights(kDenominatorGrad), middle[layout.weight], scratch.prefix[layout.weight],
             d_weight_sums);
  const Rows<T> keys = rows(args.key, args.row_stride), values = rows(args.value, args.row_stride),
                focuses = rows(args.focus, args.row_stride);
  PrefetchRows(values, tokens.count, size);
  SumRows(plan, weights(kQueryCoef), scratch.far_rows[0], rows(args.query, args.row_stride), size, middle,
          scratch.prefix, scratch.totals[0]);
  PrefetchRows(focuses, tokens.count, size);
  SumRows(plan, weights(kGradCoef), scratch.far_rows[1], rows(args.d_readout, args.d_readout_stride), size,
          middle + layout.second, scratch.prefix + layout.second, scratch.totals[1]);
  PrefetchRows(next_rows(args.d_readout, args.d_readout_stride), next_count, size);
  RowDots(keys, {scratch.totals[0], layout.second}, tokens.count, size, scratch.dots[0]);
  RowDots(values, {scratch.totals[1], layout.second}, tokens.count, size, scratch.dots[1]);
  for (int64_t row = 0; row < tokens.count; ++row) {
    scratch.logits[row] = args.trace.logits[head.index * args.trace.stride + last - row];
  }
  GradientOfLogits(args, d_weight_sums, scratch);

  PrefetchRows(next_rows(args.readout, args.readout_stride), next_count, size);
  for (int64_t row = 0; row < tokens.count; ++row) {
    const int64_t at = (last - row - args.begin) * args.d_row_stride + head.columns;
    const T *keys_total = scratch.totals[0] + row * layout.second,
            *values_total = scratch.totals[1] + row * layout.second;
    const T weight = scratch.weights[row], d_logit = scratch.d_logits[row];
    StoreSum<kStream>(weight, keys_total, d_logit, focuses[row], size, args.d_key + at);
    StoreSum<kStream>(T(0), keys_total, d_logit, keys[row], size, args.d_focus + at);
    StoreScaled<kStream>(values_total, weight, size, args.d_value + at);
  }
  if (head.window == 0) {
    AddCompensated(layout, scratch.prefix, head.tile_sums, head.tile_sums + layout.size);
  } else {
    PushTile(layout, head.layout.tiles, tile, false, scratch.prefix, head.tile_sums);
  }
}

/// The buffer of a tile of any chunk: its sum, then query_coef, grad_coef and d_denominator of its tokens.
template <class T> T* TileOfChunk(const WindowScanGradientArgs<T>& args, int64_t head, int64_t tile) {
  return args.chunks.tiles + head * args.chunks.stride +
         (tile - args.chunks.begin / kTile) * window_scan_gradient_tile_size(args.head_size);
}

/// Puts the tiles to the right of a chunk into its state, as if the chunk had processed them itself.
template <class T> void LoadTileSums(const WindowScanGradientArgs<T>& args, const Head<T>& head) {
  const SumLayout& layout = head.layout.sum;
  const int64_t begin = (args.end + kTile - 1) / kTile, end = (args.chunks.end + kTile - 1) / kTile;
  const int64_t reach = window_scan_reach(head.window, end * kTile) / kTile;
  for (int64_t tile = HWY_MIN(end, begin + reach) - 1; tile >= begin; --tile) {
    const T* from = TileOfChunk(args, head.index, tile);
    for (const Coef coef : {kQueryCoef, kGradCoef, kDenominatorGrad}) {
      for (int64_t row = 0; row < kTile; ++row) {
        head.coefficient(coef, tile * kTile)[row] = from[layout.size + coef * kTile + row];
      }
    }
    if (head.window == 0) {
      AddCompensated(layout, from, head.tile_sums, head.tile_sums + layout.size);
    } else {
      PushTile(layout, head.layout.tiles, tile, false, from, head.tile_sums);
    }
  }
}

/// Writes the sum and the coefficients of a tile for the chunks before it.
template <class T>
void StoreTileSum(const WindowScanGradientArgs<T>& args, int64_t index, int64_t tile,
                  TileScratch<T>& scratch) {
  // With window 0, the plan contains only the tile itself and the head stores only its coefficients.
  Head<T> head(0, args.head_size);
  const SumLayout& layout = head.layout.sum;
  const TokenRange tokens{tile * kTile, HWY_MIN(kTile, args.end - tile * kTile)};
  T* to = TileOfChunk(args, index, tile);
  head.index = index;
  head.columns = index * args.head_size;
  head.coefficients = to + layout.size;
  scratch.prefix = to;
  Coefficients(args, head, tokens, scratch);
  const int64_t window = args.windows[index];
  if (window != 0 && whole_tiles_in_window(window) == 0) {
    return;
  }
  ClearSum(layout, T(0), scratch.prefix);
  PlanBackward(0, tokens.last(), tokens.count, args.length, false, scratch.plan);
  ComputeBackwardWeights(args, head, tokens, kEmptyReference<T>, scratch);
  const auto rows = [&](const T* base, int64_t stride) HWY_ATTR {
    return Rows<T>{base + tokens.last() * stride + head.columns, -stride};
  };
  SumWeights(scratch.plan, {scratch.far_weights[kDenominatorGrad], scratch.near(kDenominatorGrad)}, T(0),
             scratch.prefix[layout.weight], scratch.dots[0]);
  SumTileRows(scratch.plan, scratch.near(kQueryCoef), rows(args.query, args.row_stride), tokens.count,
              args.head_size, scratch.prefix);
  SumTileRows(scratch.plan, scratch.near(kGradCoef), rows(args.d_readout, args.d_readout_stride),
              tokens.count, args.head_size, scratch.prefix + layout.second);
}

template <class T> void StoreTileSums(const WindowScanGradientArgs<T>& args) {
  const auto scratch = make_scratch<TileScratch<T>>();
  const int64_t begin = args.begin / kTile, end = (args.end + kTile - 1) / kTile;
  for (int64_t h = 0; h < args.num_heads; ++h) {
    for (int64_t tile = begin; tile < end; ++tile) {
      StoreTileSum(args, h, tile, *scratch);
    }
  }
}

template <class T> void WindowScanGradient(const WindowScanGradientArgs<T>& args) {
  if (args.begin == args.end || args.num_heads == 0) {
    return;
  }
  const SumLayout layout(args.head_size);
  const auto memory = take_scratch<T>((2 + 2 * kTile) * layout.size);
  const auto heads = take_scratch<Head<T>>(args.num_heads);
  const auto scratch = make_scratch<TileScratch<T>>();
  scratch->middle = memory.get();
  scratch->prefix = scratch->middle + layout.size;
  scratch->totals[0] = scratch->prefix + layout.size;
  scratch->totals[1] = scratch->totals[0] + kTile * layout.size;
  ClearSum(layout, T(0), scratch->prefix);
  const bool is_chunk = args.chunks.tiles != nullptr;
  T* state = args.state;
  for (int64_t h = 0; h < args.num_heads; ++h) {
    const int64_t window = args.windows[h];
    Head<T>& head = *new (&heads[static_cast<size_t>(h)])
                        Head<T>(!is_chunk && window >= args.length ? 0 : window, args.head_size);
    head.index = h;
    head.columns = h * args.head_size;
    head.coefficients = state;
    head.tile_sums = state + head.layout.tile_sums;
    if ((is_chunk ? args.chunks.end : args.end) == args.length) {
      for (int64_t i = 0; i < head.layout.size - head.layout.tile_sums; i += layout.size) {
        ClearSum(layout, kEmptyReference<T>, head.tile_sums + i);
      }
    }
    if (is_chunk) {
      LoadTileSums(args, head);
    }
    state += window_scan_gradient_state_size(window, args.head_size);
  }

  const int64_t items = 4 * (args.end - args.begin) * args.num_heads * args.head_size;
  bool stream = true;
  for (const T* to : {args.d_query, args.d_focus, args.d_key, args.d_value}) {
    stream &= UsesStreamingStores(to, args.d_row_stride, args.head_size, items);
  }
  for (int64_t first = (args.end - 1) / kTile * kTile; first >= args.begin; first -= kTile) {
    const TokenRange tokens{first, HWY_MIN(kTile, args.end - first)};
    for (int64_t h = 0; h < args.num_heads; ++h) {
      const Head<T>& head = heads[static_cast<size_t>(h)];
      Coefficients(args, head, tokens, *scratch);
      GradientOfQueries(args, head, tokens, stream, *scratch);
      stream ? GradientOfRows<true>(args, head, tokens, *scratch)
             : GradientOfRows<false>(args, head, tokens, *scratch);
    }
  }
  if (stream) {
    hwy::FlushStream();
  }
}

MNEME_KERNEL_TYPES(WindowScanGradient, WindowScanGradientArgs)
MNEME_KERNEL_TYPES(StoreTileSums, WindowScanGradientArgs)

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

MNEME_EXPORT_KERNEL(window_scan_gradient, WindowScanGradient, WindowScanGradientArgs)
MNEME_EXPORT_KERNEL_STEP(window_scan_gradient_tile_sums, StoreTileSums, WindowScanGradientArgs)

int64_t window_scan_gradient_tile_size(int64_t head_size) {
  return SumLayout(head_size).size +
         3 * kWindowScanTile; // sum of the tile, then three coefficients per token
}

int64_t window_scan_gradient_state_size(int64_t window, int64_t head_size) {
  // A window that covers a whole sequence is replaced by 0.
  return HWY_MAX(GradientStateLayout(window, head_size).size, GradientStateLayout(0, head_size).size);
}

} // namespace mneme::kernels
#endif
