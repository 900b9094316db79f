// SPDX-License-Identifier: MIT

#include "kernels/window_scan_gradient/window_scan_gradient.h"

#include "kernels/export.h"

#include <new>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/window_scan_gradient/window_scan_gradient.cpp"
#include <hwy/foreach_target.h>

#include <hwy/aligned_allocator.h>
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "kernels/focus_weight-inl.h"
#include "kernels/window_scan_gradient/window_scan_gradient_memory.h"
#include "kernels/window_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // every kernel has its own names

/// Kinds of coefficients: what queries, gradients and nothing at all are weighed with.
enum Kind { kAlpha, kBeta, kGamma, kKinds };

/// One head of a call.
template <class T> struct Head {
  int64_t index, window, columns; ///< columns before those of the head
  GradientMemoryLayout layout;
  T* coefficients;
  T* past; ///< of the layout: tiles to the right

  Head(int64_t head_window, int64_t head_size) : window(head_window), layout(head_window, head_size) {}
  T* coefficient(Kind kind, int64_t token) const {
    return coefficients + kind * layout.kept + (token & (layout.kept - 1));
  }
};

/// What a tile needs while it is worked on.
template <class T> struct Desk {
  TilePlan<T> plan;
  const T* far_rows[2][TilePlan<T>::kMaxFar];
  HWY_ALIGN T far_weights[kKinds][TilePlan<T>::kMaxFar];
  HWY_ALIGN T weights_with_lead[kKinds][TilePlan<T>::kMaxLead + kTile];
  HWY_ALIGN T logits[kTile];
  HWY_ALIGN T dots[2][kTile];
  HWY_ALIGN T weights[kTile];  ///< focus weights, relative to the sums of the tokens that read them
  HWY_ALIGN T d_logits[kTile]; ///< times scale
  T* common;                   ///< sum of the whole tiles in reach
  T* open;                     ///< sum of the block
  T* totals[2];                ///< [kTile, whole_tiles(head_size)]

  T* near(Kind kind) { return weights_with_lead[kind] + plan.kMaxLead; }
};

/// A range of tokens that lies in one tile.
struct Tokens {
  int64_t first, count;
  int64_t last() const { return first + count - 1; }
};

template <class T> Rows<T> RowsOf(const T* part, int64_t stride, Tokens tokens, const Head<T>& head) {
  return {part + tokens.first * stride + head.columns, stride};
}

/// alpha, beta and gamma of a tile.
template <class T>
void Coefficients(const WindowScanGradientArgs<T>& args, const Head<T>& head, Tokens tokens, Desk<T>& desk) {
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
          desk.dots[0]);
  for (int64_t row = 0; row < kTile; row += TileLanes<T>()) {
    const auto gate_logit = hn::Load(d, gate_logits + row), denominator = hn::Load(d, denominators + row);
    const auto dot = hn::Load(d, desk.dots[0] + row);
    const auto d_gate = hn::Mul(Sigmoid(d, hn::Neg(gate_logit)), dot);
    hn::StoreU(hn::Div(hn::Mul(hn::Set(d, args.scale), d_gate), denominator), d,
               head.coefficient(kAlpha, tokens.first) + row);
    hn::StoreU(hn::Div(Sigmoid(d, gate_logit), denominator), d, head.coefficient(kBeta, tokens.first) + row);
    hn::StoreU(hn::Neg(hn::Div(hn::MulAdd(gate_logit, d_gate, dot), denominator)), d,
               head.coefficient(kGamma, tokens.first) + row);
  }
}

/// d_query: the sums of keys are those of the forward pass, made anew.
template <class T>
void GradientOfQueries(const WindowScanGradientArgs<T>& args, const Head<T>& head, Tokens tokens, bool stream,
                       Desk<T>& desk) {
  TilePlan<T>& plan = desk.plan;
  const T* logits = args.trace.logits + head.index * args.trace.stride;
  const T* keys = args.key + head.columns;
  const T* carry = args.trace.carries + head.index * args.trace.carry_stride +
                   tokens.first / kTile * window_scan_carry_size(args.head_size);
  PlanForward(head.window, tokens.first, tokens.count, false, plan);
  for (int64_t i = 0; i < plan.num_far; ++i) {
    plan.far_weights[i] = logits[plan.far_tokens[i]];
    desk.far_rows[0][i] = keys + plan.far_tokens[i] * args.row_stride;
    PrefetchRow(desk.far_rows[0][i], args.head_size);
  }
  PrefetchRows(RowsOf(args.query, args.row_stride, tokens, head), tokens.count, args.head_size);
  for (int64_t row = -plan.lead(); row < tokens.count; ++row) {
    plan.weights()[row] = logits[tokens.first + row];
  }
  WeighForward(args.focus_weight, tokens.count, carry[head.layout.sum.second],
               desk.open[head.layout.sum.reference], plan);
  SumRows<T>(plan, {plan.far_weights, plan.weights()}, desk.far_rows[0],
             RowsOf(args.key, args.row_stride, tokens, head), args.head_size, carry, desk.open,
             desk.totals[0]);
  const T* alpha = head.coefficient(kAlpha, tokens.first);
  for (int64_t row = 0; row < tokens.count; ++row) {
    const T* total = desk.totals[0] + row * head.layout.sum.second;
    T* to = args.d_query + (tokens.first - args.begin + row) * args.d_row_stride + head.columns;
    stream ? StoreScaled<true>(total, alpha[row], args.head_size, to)
           : StoreScaled<false>(total, alpha[row], args.head_size, to);
  }
}

/// From coefficients to weights of the plan's rows, relative to the reference of the sum that they go into.
template <class T>
void WeighBackward(const WindowScanGradientArgs<T>& args, const Head<T>& head, Tokens tokens, T common,
                   Desk<T>& desk) {
  const TileTag<T> d;
  TilePlan<T>& plan = desk.plan;
  const T* references = args.trace.references + head.index * args.trace.stride;
  bool is_plain = common == 0 || common == kNoReference<T>;
  if (args.focus_weight == FocusWeight::exponential) {
    // The sum of weights of a token is kept divided by exp(reference), its coefficients times that.
    for (int64_t i = 0; i < plan.num_far; ++i) {
      plan.far_weights[i] = -references[plan.far_tokens[i]];
      is_plain &= plan.far_weights[i] == 0;
    }
    for (int64_t row = -plan.lead(); row < tokens.count; ++row) {
      plan.weights()[row] = -references[tokens.last() - row];
      is_plain &= plan.weights()[row] == 0;
    }
  }
  T& open = desk.open[head.layout.sum.reference];
  if (is_plain) {
    PlanNoReferences(open, plan);
  } else {
    PlanReferences(kNoReference<T>, common, open, plan);
    MapWeights(plan, tokens.count, [&](auto exponent) HWY_ATTR { return ExpOrZero(d, exponent); });
  }
  for (const Kind kind : {kAlpha, kBeta, kGamma}) {
    for (int64_t i = 0; i < plan.num_far; ++i) {
      desk.far_weights[kind][i] =
          *head.coefficient(kind, plan.far_tokens[i]) * (is_plain ? T(1) : plan.far_weights[i]);
    }
    for (int64_t row = -plan.lead(); row < tokens.count; ++row) {
      desk.near(kind)[row] =
          *head.coefficient(kind, tokens.last() - row) * (is_plain ? T(1) : plan.weights()[row]);
    }
  }
}

/// dots = key . P, value . R; totals = z -> focus weights and d_logits.
template <class T>
void GradientOfLogits(const WindowScanGradientArgs<T>& args, const T* sums_of_gamma, Desk<T>& desk) {
  const TileTag<T> d;
  const auto zero = hn::Zero(d), one = hn::Set(d, T(1));
  for (int64_t row = 0; row < kTile; row += TileLanes<T>()) {
    const auto logit = hn::Load(d, desk.logits + row);
    const auto d_weight = hn::Add(hn::Add(hn::Load(d, desk.dots[0] + row), hn::Load(d, desk.dots[1] + row)),
                                  hn::Load(d, sums_of_gamma + row));
    auto weight = zero, slope = zero;
    if (args.focus_weight == FocusWeight::elu) {
      weight = EluWeight(d, logit);
      slope = hn::IfThenElse(hn::Gt(logit, zero), one, weight);
    } else {
      weight = ExpOrZero(d, hn::Add(logit, hn::Load(d, desk.plan.references + row)));
      slope = weight;
    }
    hn::Store(weight, d, desk.weights + row);
    hn::Store(hn::Mul(hn::Set(d, args.scale), hn::Mul(slope, d_weight)), d, desk.d_logits + row);
  }
}

/// to[c] = a x[c] + b y[c]; x whole, aligned vectors.
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

/// d_focus, d_key and d_value: sums over the tokens that read the tile, from the last of its tokens to the first.
template <bool kStream, class T>
void GradientOfRows(const WindowScanGradientArgs<T>& args, const Head<T>& head, Tokens tokens,
                    Desk<T>& desk) {
  TilePlan<T>& plan = desk.plan;
  const SumLayout& layout = head.layout.sum;
  const int64_t size = args.head_size, last = tokens.last(), tile = tokens.first / kTile;
  const auto rows = [&](const T* part, int64_t stride) HWY_ATTR {
    return Rows<T>{part + last * stride + head.columns, -stride};
  };
  // Next: the same tokens of the next head, or the tile before of the first.
  const bool has_next_head = head.index + 1 < args.num_heads;
  const int64_t next = has_next_head ? tokens.first : HWY_MAX(tokens.first - kTile, args.begin),
                next_count = has_next_head ? tokens.count : tokens.first - next;
  const auto next_rows = [&](const T* part, int64_t stride) HWY_ATTR {
    return Rows<T>{part + next * stride + (has_next_head ? head.columns + size : 0), stride};
  };
  PlanBackward(head.window, last, tokens.count, args.length, plan);
  for (int64_t i = 0; i < plan.num_far; ++i) {
    desk.far_rows[0][i] = args.query + plan.far_tokens[i] * args.row_stride + head.columns;
    desk.far_rows[1][i] = args.d_readout + plan.far_tokens[i] * args.d_readout_stride + head.columns;
    PrefetchRow(desk.far_rows[0][i], size);
    PrefetchRow(desk.far_rows[1][i], size);
  }
  const T* common = desk.common;
  if (head.window == 0) {
    common = head.past;
  } else {
    const int64_t end = (args.length + kTile - 1) / kTile;
    SumTiles(layout, head.layout.tiles, tile + 1, HWY_MIN(tile + 1 + tiles_before(head.window), end),
             kNoReference<T>, head.past, desk.common);
  }
  WeighBackward(args, head, tokens, common[layout.reference], desk);

  HWY_ALIGN T sums_of_gamma[kTile] = {};
  const auto weights = [&](Kind kind) HWY_ATTR {
    return Weights<T>{desk.far_weights[kind], desk.near(kind)};
  };
  SumWeights(plan, weights(kGamma), common[layout.weight], desk.open[layout.weight], sums_of_gamma);
  const Rows<T> keys = rows(args.key, args.row_stride), values = rows(args.value, args.row_stride),
                focuses = rows(args.focus, args.row_stride);
  PrefetchRows(values, tokens.count, size);
  SumRows(plan, weights(kAlpha), desk.far_rows[0], rows(args.query, args.row_stride), size, common, desk.open,
          desk.totals[0]);
  PrefetchRows(focuses, tokens.count, size);
  SumRows(plan, weights(kBeta), desk.far_rows[1], rows(args.d_readout, args.d_readout_stride), size,
          common + layout.second, desk.open + layout.second, desk.totals[1]);
  PrefetchRows(next_rows(args.d_readout, args.d_readout_stride), next_count, size);
  RowDots(keys, {desk.totals[0], layout.second}, tokens.count, size, desk.dots[0]);
  RowDots(values, {desk.totals[1], layout.second}, tokens.count, size, desk.dots[1]);
  for (int64_t row = 0; row < tokens.count; ++row) {
    desk.logits[row] = args.trace.logits[head.index * args.trace.stride + last - row];
  }
  GradientOfLogits(args, sums_of_gamma, desk);

  PrefetchRows(next_rows(args.readout, args.readout_stride), next_count, size);
  for (int64_t row = 0; row < tokens.count; ++row) {
    const int64_t at = (last - row - args.begin) * args.d_row_stride + head.columns;
    const T *keys_total = desk.totals[0] + row * layout.second,
            *values_total = desk.totals[1] + row * layout.second;
    const T weight = desk.weights[row], d_logit = desk.d_logits[row];
    StoreSum<kStream>(weight, keys_total, d_logit, focuses[row], size, args.d_key + at);
    StoreSum<kStream>(T(0), keys_total, d_logit, keys[row], size, args.d_focus + at);
    StoreScaled<kStream>(values_total, weight, size, args.d_value + at);
  }
  if (head.window == 0) {
    AddExactly(layout, desk.open, head.past, head.past + layout.size);
  } else {
    PushTile(layout, head.layout.tiles, tile, false, desk.open, head.past);
  }
}

/// Where a tile of another part lies: its sum, then alpha, beta and gamma of its tokens.
template <class T> T* TileOfPart(const WindowScanGradientArgs<T>& args, int64_t head, int64_t tile) {
  return args.parts.tiles + head * args.parts.stride +
         (tile - args.parts.begin / kTile) * window_scan_gradient_tile_size(args.head_size);
}

/// The tiles to the right of a part, in its memory as if the part had gone through them.
template <class T> void TakeTiles(const WindowScanGradientArgs<T>& args, const Head<T>& head) {
  const SumLayout& layout = head.layout.sum;
  const int64_t begin = (args.end + kTile - 1) / kTile, end = (args.parts.end + kTile - 1) / kTile;
  const int64_t reach = window_scan_reach(head.window, end * kTile) / kTile;
  for (int64_t tile = HWY_MIN(end, begin + reach) - 1; tile >= begin; --tile) {
    const T* from = TileOfPart(args, head.index, tile);
    for (const Kind kind : {kAlpha, kBeta, kGamma}) {
      for (int64_t row = 0; row < kTile; ++row) {
        head.coefficient(kind, tile * kTile)[row] = from[layout.size + kind * kTile + row];
      }
    }
    if (head.window == 0) {
      AddExactly(layout, from, head.past, head.past + layout.size);
    } else {
      PushTile(layout, head.layout.tiles, tile, false, from, head.past);
    }
  }
}

/// What a tile tells the parts before it.
template <class T>
void TellTile(const WindowScanGradientArgs<T>& args, int64_t index, int64_t tile, Desk<T>& desk) {
  // Without a window nothing beyond the tile is looked at, and only its own coefficients are kept.
  Head<T> head(0, args.head_size);
  const SumLayout& layout = head.layout.sum;
  const Tokens tokens{tile * kTile, HWY_MIN(kTile, args.end - tile * kTile)};
  T* to = TileOfPart(args, index, tile);
  head.index = index;
  head.columns = index * args.head_size;
  head.coefficients = to + layout.size;
  desk.open = to;
  Coefficients(args, head, tokens, desk);
  const int64_t window = args.windows[index];
  if (window != 0 && tiles_before(window) == 0) {
    return;
  }
  ClearSum(layout, T(0), desk.open);
  PlanBackward(0, tokens.last(), tokens.count, args.length, desk.plan);
  WeighBackward(args, head, tokens, kNoReference<T>, desk);
  const auto rows = [&](const T* part, int64_t stride) HWY_ATTR {
    return Rows<T>{part + tokens.last() * stride + head.columns, -stride};
  };
  SumWeights(desk.plan, {desk.far_weights[kGamma], desk.near(kGamma)}, T(0), desk.open[layout.weight],
             desk.dots[0]);
  SumOpenRows(desk.plan, desk.near(kAlpha), rows(args.query, args.row_stride), tokens.count, args.head_size,
              desk.open);
  SumOpenRows(desk.plan, desk.near(kBeta), rows(args.d_readout, args.d_readout_stride), tokens.count,
              args.head_size, desk.open + layout.second);
}

template <class T> void TellTiles(const WindowScanGradientArgs<T>& args) {
  const auto desk = hwy::MakeUniqueAligned<Desk<T>>();
  const int64_t begin = args.begin / kTile, end = (args.end + kTile - 1) / kTile;
  for (int64_t h = 0; h < args.num_heads; ++h) {
    for (int64_t tile = begin; tile < end; ++tile) {
      TellTile(args, h, tile, *desk);
    }
  }
}

template <class T> void WindowScanGradient(const WindowScanGradientArgs<T>& args) {
  if (args.begin == args.end || args.num_heads == 0) {
    return;
  }
  const SumLayout layout(args.head_size);
  const auto memory = hwy::AllocateAligned<T>(static_cast<size_t>((2 + 2 * kTile) * layout.size));
  const auto heads = hwy::AllocateAligned<Head<T>>(static_cast<size_t>(args.num_heads));
  const auto desk = hwy::MakeUniqueAligned<Desk<T>>();
  desk->common = memory.get();
  desk->open = desk->common + layout.size;
  desk->totals[0] = desk->open + layout.size;
  desk->totals[1] = desk->totals[0] + kTile * layout.size;
  ClearSum(layout, T(0), desk->open);
  const bool is_part = args.parts.tiles != nullptr;
  T* kept = args.memory;
  for (int64_t h = 0; h < args.num_heads; ++h) {
    const int64_t window = args.windows[h];
    Head<T>& head = *new (&heads[static_cast<size_t>(h)])
                        Head<T>(!is_part && window >= args.length ? 0 : window, args.head_size);
    head.index = h;
    head.columns = h * args.head_size;
    head.coefficients = kept;
    head.past = kept + head.layout.past;
    if ((is_part ? args.parts.end : args.end) == args.length) {
      for (int64_t i = 0; i < head.layout.size - head.layout.past; i += layout.size) {
        ClearSum(layout, kNoReference<T>, head.past + i);
      }
    }
    if (is_part) {
      TakeTiles(args, head);
    }
    kept += window_scan_gradient_memory_size(window, args.head_size);
  }

  const int64_t items = 4 * (args.end - args.begin) * args.num_heads * args.head_size;
  bool stream = true;
  for (const T* to : {args.d_query, args.d_focus, args.d_key, args.d_value}) {
    stream &= StoresPastCaches(to, args.d_row_stride, args.head_size, items);
  }
  for (int64_t first = (args.end - 1) / kTile * kTile; first >= args.begin; first -= kTile) {
    const Tokens tokens{first, HWY_MIN(kTile, args.end - first)};
    for (int64_t h = 0; h < args.num_heads; ++h) {
      const Head<T>& head = heads[static_cast<size_t>(h)];
      Coefficients(args, head, tokens, *desk);
      GradientOfQueries(args, head, tokens, stream, *desk);
      stream ? GradientOfRows<true>(args, head, tokens, *desk)
             : GradientOfRows<false>(args, head, tokens, *desk);
    }
  }
  if (stream) {
    hwy::FlushStream();
  }
}

MNEME_KERNEL_TYPES(WindowScanGradient, WindowScanGradientArgs)
MNEME_KERNEL_TYPES(TellTiles, WindowScanGradientArgs)

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

MNEME_EXPORT_KERNEL(window_scan_gradient, WindowScanGradient, WindowScanGradientArgs)
MNEME_EXPORT_KERNEL_STEP(window_scan_gradient_tiles, TellTiles, WindowScanGradientArgs)

int64_t window_scan_gradient_tile_size(int64_t head_size) {
  return SumLayout(head_size).size + 3 * kWindowScanTile; // its sum, then alpha, beta and gamma of its tokens
}

int64_t window_scan_gradient_memory_size(int64_t window, int64_t head_size) {
  // A sequence that its window covers is summed like one without a window.
  return HWY_MAX(GradientMemoryLayout(window, head_size).size, GradientMemoryLayout(0, head_size).size);
}

} // namespace mneme::kernels
#endif
