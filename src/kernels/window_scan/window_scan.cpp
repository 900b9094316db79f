// SPDX-License-Identifier: MIT

#include "kernels/window_scan/window_scan.h"

#include "kernels/export.h"

#include <new>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/window_scan/window_scan.cpp"
#include <hwy/foreach_target.h>

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "kernels/focus_weight-inl.h"
#include "kernels/scratch.h"
#include "kernels/window_scan/window_scan_state.h"
#include "kernels/window_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // every kernel has its own names

/// One head of a call.
template <class T> struct Head {
  int64_t window, columns; ///< columns before those of the head
  StateLayout layout;
  T* prefix;               ///< sum of the unfinished prefix block
  T* tile_sums;            ///< as in StateLayout
  T* last_logits;          ///< in the state: of the last tokens before the call
  T* last_rows;            ///< likewise: keys and values
  T* logits;               ///< [length], of this call
  int64_t position, begin; ///< of this call, and of the first chunk
  T* tiles;                ///< of the chunks from `begin` on
  int64_t tile_size;

  Head(int64_t head_window, int64_t head_size)
      : window(head_window), layout(head_window, head_size), tile_size(window_scan_tile_size(head_size)) {}

  T* TileAt(int64_t tile) const { return tiles + (tile - begin / kTile) * tile_size; }
  /// For a token of this chunk or of one before it.
  T LogitOf(int64_t token) const {
    return token >= position ? logits[token - position]
                             : TileAt(token / kTile)[layout.sum.size + token % kTile];
  }
};

/// Scratch buffers of one tile.
template <class T> struct TileScratch {
  TilePlan<T> plan;
  const T* far_keys[TilePlan<T>::kMaxFar];
  const T* far_values[TilePlan<T>::kMaxFar];
  HWY_ALIGN T dots[kTile];
  HWY_ALIGN T denominators[kTile]; ///< sums of weights, then plus epsilon
  HWY_ALIGN T gates[kTile];        ///< divided by the denominator
  T* middle;                       ///< sum of the whole tiles before this one
  T* totals;                       ///< [kTile, round_up_to_tile(head_size)]
};

/// Logits of the far tokens, and pointers to their keys and values.
template <class T>
void FindFarTokens(const WindowScanArgs<T>& args, const Head<T>& head, TileScratch<T>& scratch) {
  for (int64_t i = 0; i < scratch.plan.num_far; ++i) {
    const int64_t token = scratch.plan.far_tokens[i];
    if (token >= head.begin) {
      const int64_t at = token - args.position;
      scratch.plan.far_weights[i] = head.LogitOf(token);
      scratch.far_keys[i] = args.key + at * args.row_stride + head.columns;
      scratch.far_values[i] = args.value + at * args.row_stride + head.columns;
    } else {
      const int64_t slot = token % head.window;
      scratch.plan.far_weights[i] = head.last_logits[slot];
      scratch.far_keys[i] = head.last_rows + slot * 2 * args.head_size;
      scratch.far_values[i] = scratch.far_keys[i] + args.head_size;
    }
    PrefetchRow(scratch.far_keys[i], args.head_size);
    PrefetchRow(scratch.far_values[i], args.head_size);
  }
}

/// Computes gate logits, gates / denominators and the trace from scratch.dots = dots_scale * query . (sum of
/// keys). docs/theory/window_scan.md (4), (5), (13).
template <class T>
void Gates(const WindowScanArgs<T>& args, int64_t head, int64_t token, int64_t count, T dots_scale,
           TileScratch<T>& scratch) {
  const TileTag<T> d;
  const int64_t n = TileLanes<T>();
  const auto scale = hn::Set(d, args.scale), epsilon = hn::Set(d, static_cast<T>(kWindowScanEpsilon));
  for (int64_t row = 0; row < kTile; row += n) {
    const auto reference = hn::Load(d, scratch.plan.references + row);
    const auto denominator =
        hn::MulAdd(epsilon, ExpOrZero(d, hn::Neg(reference)), hn::Load(d, scratch.denominators + row));
    const auto logit = hn::Mul(hn::Div(hn::Mul(scale, hn::Load(d, scratch.dots + row)), denominator),
                               hn::Set(d, T(1) / dots_scale));
    hn::Store(denominator, d, scratch.denominators + row);
    hn::Store(logit, d, scratch.dots + row);
    hn::Store(hn::Div(Sigmoid(d, logit), denominator), d, scratch.gates + row);
  }
  const auto store = [&](T* to, const T* from) HWY_ATTR {
    if (to != nullptr) {
      for (int64_t row = 0; row < count; ++row) {
        to[head * args.trace.stride + token + row] = from[row];
      }
    }
  };
  store(args.trace.gate_logits, scratch.dots);
  store(args.trace.denominators, scratch.denominators);
  store(args.trace.references, scratch.plan.references);
}

/// Recomputes dots that overflowed, from sums of keys times 2^-64 (double: 2^-512). Returns that factor.
template <class T>
HWY_NOINLINE T DotsOfSmallSums(Rows<T> queries, const SumLayout& layout, int64_t count, int64_t size,
                               TileScratch<T>& scratch) {
  constexpr T kSmall = sizeof(T) == 4 ? T(0x1p-64) : T(0x1p-512);
  for (int64_t c = 0; c < count * layout.second; ++c) {
    scratch.totals[c] *= kSmall; // the sums of keys are not used again
  }
  RowDots(queries, {scratch.totals, layout.second}, count, size, scratch.dots);
  return kSmall;
}

/// plan.weights() = logits of `count` tokens of a tile whose first row is number `at` of the call.
template <class T>
HWY_INLINE void Logits(const WindowScanArgs<T>& args, Rows<T> focuses, Rows<T> keys, int64_t at,
                       int64_t count, TileScratch<T>& scratch) {
  const TileTag<T> d;
  RowDots(focuses, keys, count, args.head_size, scratch.dots);
  for (int64_t row = 0; row < kTile; row += TileLanes<T>()) {
    hn::Store(hn::Mul(hn::Set(d, args.scale), hn::Load(d, scratch.dots + row)), d,
              scratch.plan.weights() + row);
  }
  for (int64_t row = 0; args.key_padding_mask != nullptr && row < count; ++row) {
    if (args.key_padding_mask[at + row]) {
      scratch.plan.weights()[row] = static_cast<T>(kWindowScanMaskedLogit);
    }
  }
}

/// Scans the tokens [token, token + count) of one tile for one head.
template <class T>
void ScanTile(const WindowScanArgs<T>& args, int64_t index, Head<T>& head, int64_t token, int64_t count,
              bool stream, TileScratch<T>& scratch) {
  const TileTag<T> d;
  const SumLayout& layout = head.layout.sum;
  const int64_t size = args.head_size, at = token - args.position, tile = token / kTile;
  const auto rows = [&](const T* base) HWY_ATTR {
    return Rows<T>{base + at * args.row_stride + head.columns, args.row_stride};
  };
  // Rows to prefetch: the same tokens of the next head, or, after the last head, the next tokens of the
  // first.
  const bool has_next_head = index + 1 < args.num_heads;
  const int64_t next = has_next_head ? at : at + count,
                next_count = has_next_head ? count : HWY_MIN(kTile, args.length - next);
  const auto next_rows = [&](const T* base) HWY_ATTR {
    return Rows<T>{base + next * args.row_stride + (has_next_head ? head.columns + size : 0),
                   args.row_stride};
  };
  TilePlan<T>& plan = scratch.plan;
  T& prefix_reference = head.prefix[layout.reference];

  PrefetchRows(rows(args.query), count, size);
  Logits(args, rows(args.focus), rows(args.key), at, count, scratch);
  for (int64_t row = 0; row < count; ++row) {
    head.logits[at + row] = plan.weights()[row];
  }
  const bool follows_chunk = token == args.position && token > head.begin;
  PlanForward(head.window, token, count, !follows_chunk, !args.joins_sequences, plan);
  for (int64_t row = -plan.lead(); row < 0; ++row) {
    plan.weights()[row] = head.LogitOf(token + row);
  }
  FindFarTokens(args, head, scratch);

  const T* middle = scratch.middle;
  if (head.window == 0) {
    middle = head.tile_sums;
  } else {
    SumTiles(layout, head.layout.tiles, HWY_MAX(tile - whole_tiles_in_window(head.window), 0), tile, T(0),
             head.tile_sums, scratch.middle);
  }
  if (args.trace.carries != nullptr && token % kTile == 0) {
    T* carry = args.trace.carries + index * args.trace.carry_stride + tile * window_scan_carry_size(size);
    for (int64_t c = 0; c < layout.second; ++c) {
      carry[c] = middle[c];
    }
    carry[layout.second] = middle[layout.reference];
  }
  ComputeForwardWeights(args.focus_weight, count, middle[layout.reference], prefix_reference, plan);

  const Weights<T> weights{plan.far_weights, plan.weights()};
  SumWeights(plan, weights, middle[layout.weight], head.prefix[layout.weight], scratch.denominators);
  PrefetchRows(rows(args.value), count, size);
  SumRows(plan, weights, scratch.far_keys, rows(args.key), size, middle, head.prefix, scratch.totals);
  PrefetchRows(next_rows(args.focus), next_count, size);
  RowDots(rows(args.query), {scratch.totals, layout.second}, count, size, scratch.dots);
  T dots_scale = T(1);
  for (int64_t row = 0; row < kTile; row += TileLanes<T>()) {
    if (HWY_UNLIKELY(!hn::AllTrue(d, hn::IsFinite(hn::Load(d, scratch.dots + row))))) {
      dots_scale = DotsOfSmallSums(rows(args.query), layout, count, size, scratch);
      break;
    }
  }
  Gates(args, index, token, count, dots_scale, scratch);
  PrefetchRows(next_rows(args.key), next_count, size);
  SumRows(plan, weights, scratch.far_values, rows(args.value), size, middle + layout.second,
          head.prefix + layout.second, scratch.totals);
  T* readout = args.readout + at * args.readout_stride + head.columns;
  for (int64_t row = 0; row < count; ++row) {
    const T* total = scratch.totals + row * layout.second;
    T* to = readout + row * args.readout_stride;
    stream ? StoreScaled<true>(total, scratch.gates[row], size, to)
           : StoreScaled<false>(total, scratch.gates[row], size, to);
  }

  if ((token + count) % kTile == 0) {
    if (head.window == 0) {
      AddCompensated(layout, head.prefix, head.tile_sums, head.tile_sums + layout.size);
    } else {
      PushTile(layout, head.layout.tiles, tile, true, head.prefix, head.tile_sums);
    }
  }
}

/// Initialises the tile sums at the begin of a chunk from the tiles of the chunks before it.
/// docs/theory/window_scan.md (15).
template <class T> void LoadTileSums(const Head<T>& head) {
  const SumLayout& layout = head.layout.sum;
  const int64_t end = head.position / kTile, reach = window_scan_reach(head.window, head.position) / kTile;
  for (int64_t tile = HWY_MAX(head.begin / kTile, end - reach); tile < end; ++tile) {
    if (head.window == 0) {
      AddCompensated(layout, head.TileAt(tile), head.tile_sums, head.tile_sums + layout.size);
    } else {
      PushTile(layout, head.layout.tiles, tile, true, head.TileAt(tile), head.tile_sums);
    }
  }
}

/// Stores the last tokens of a call in the state.
template <class T> void StoreLastTokens(const WindowScanArgs<T>& args, const Head<T>& head) {
  const int64_t size = args.head_size;
  for (int64_t at = HWY_MAX(args.length - head.window, head.begin - args.position); at < args.length; ++at) {
    const int64_t slot = (args.position + at) % head.window;
    const T* key = args.key + at * args.row_stride + head.columns;
    const T* value = args.value + at * args.row_stride + head.columns;
    T* to = head.last_rows + slot * 2 * size;
    for (int64_t c = 0; c < size; ++c) {
      to[c] = key[c];
      to[size + c] = value[c];
    }
    head.last_logits[slot] = head.LogitOf(args.position + at);
  }
}

template <class T> void WindowScan(const WindowScanArgs<T>& args) {
  if (args.length == 0 || args.num_heads == 0) {
    return;
  }
  const SumLayout layout(args.head_size);
  const bool has_state = args.state != nullptr, is_chunk = args.chunks.tiles != nullptr;
  // A window that covers a whole sequence is equivalent to none.
  const auto window_of = [&](int64_t head) HWY_ATTR {
    const int64_t window = args.windows[head];
    return !has_state && !is_chunk && window >= args.length ? 0 : window;
  };
  const auto sums_of = [&](const StateLayout& state) HWY_ATTR { return state.logits; };

  int64_t items = (1 + kTile) * layout.size; // middle, totals
  for (int64_t h = 0; h < args.num_heads; ++h) {
    items += has_state ? 0 : sums_of(StateLayout(window_of(h), args.head_size));
    items += args.trace.logits == nullptr ? round_up_to_tile(args.length) : 0;
  }
  const auto memory = take_scratch<T>(items);
  const auto heads = take_scratch<Head<T>>(args.num_heads);
  const auto scratch = make_scratch<TileScratch<T>>();
  T* next = memory.get();
  const auto allocate = [&](int64_t count) HWY_ATTR {
    T* allocated = next;
    next += count;
    return allocated;
  };
  scratch->middle = allocate(layout.size);
  scratch->totals = allocate(kTile * layout.size);
  T* state = args.state;
  for (int64_t h = 0; h < args.num_heads; ++h) {
    Head<T>& head = *new (&heads[static_cast<size_t>(h)]) Head<T>(window_of(h), args.head_size);
    head.columns = h * args.head_size;
    head.logits = args.trace.logits == nullptr ? allocate(round_up_to_tile(args.length))
                                               : args.trace.logits + h * args.trace.stride + args.position;
    T* sums = has_state ? state : allocate(sums_of(head.layout));
    head.prefix = sums;
    head.tile_sums = sums + head.layout.tile_sums;
    head.last_logits = has_state ? state + head.layout.logits : nullptr;
    head.last_rows = has_state ? state + head.layout.rows : nullptr;
    head.position = args.position;
    head.begin = is_chunk ? args.chunks.begin : args.position;
    head.tiles = is_chunk ? args.chunks.tiles + h * args.chunks.stride : nullptr;
    if (head.begin == 0) {
      ClearSum(layout, T(0), head.prefix);
      // A chunk may begin with the second tile of a pair: PushTile then adds up a pair whose sum is never
      // used.
      const int64_t count = head.window == 0 ? 2 : is_chunk ? head.layout.tiles.count : 0;
      for (int64_t i = 0; i < count; ++i) {
        ClearSum(layout, T(0), head.tile_sums + i * layout.size);
      }
    }
    LoadTileSums(head);
    if (has_state) {
      state += head.layout.size;
    }
  }

  const bool stream = UsesStreamingStores(args.readout, args.readout_stride, args.head_size,
                                          args.length * args.num_heads * args.head_size);
  const int64_t end = args.position + args.length;
  for (int64_t token = args.position; token < end;) {
    const int64_t next_tile = token - token % kTile + kTile;
    const int64_t count = HWY_MIN(next_tile, end) - token;
    for (int64_t h = 0; h < args.num_heads; ++h) { // inner loop over heads: memory is read in order
      ScanTile(args, h, heads[static_cast<size_t>(h)], token, count, stream, *scratch);
    }
    token += count;
  }
  if (stream) {
    hwy::FlushStream();
  }
  for (int64_t h = 0; has_state && h < args.num_heads; ++h) {
    const Head<T>& head = heads[static_cast<size_t>(h)];
    if (head.window > 0) {
      StoreLastTokens(args, head);
    }
  }
}

/// Writes the sum and the logits of one tile whose first row is number `at` of the call.
template <class T>
void StoreTileSum(const WindowScanArgs<T>& args, int64_t columns, int64_t at, bool with_sums, T* tile,
                  TileScratch<T>& scratch) {
  const SumLayout layout(args.head_size);
  const int64_t size = args.head_size;
  const auto rows = [&](const T* base) HWY_ATTR {
    return Rows<T>{base + at * args.row_stride + columns, args.row_stride};
  };
  TilePlan<T>& plan = scratch.plan;
  if (with_sums) {
    PrefetchRows(rows(args.value), kTile, size);
  }
  Logits(args, rows(args.focus), rows(args.key), at, kTile, scratch);
  for (int64_t row = 0; row < kTile; ++row) {
    tile[layout.size + row] = plan.weights()[row];
  }
  if (!with_sums) {
    return;
  }
  ClearSum(layout, T(0), tile);
  PlanForward(0, 0, kTile, false, false, plan);
  ComputeForwardWeights(args.focus_weight, kTile, T(0), tile[layout.reference], plan);
  SumWeights(plan, {plan.far_weights, plan.weights()}, T(0), tile[layout.weight], scratch.denominators);
  SumTileRows(plan, plan.weights(), rows(args.key), kTile, size, tile);
  SumTileRows(plan, plan.weights(), rows(args.value), kTile, size, tile + layout.second);
}

template <class T> void StoreTileSums(const WindowScanArgs<T>& args) {
  const int64_t begin = args.position / kTile, end = (args.position + args.length) / kTile,
                tile_size = window_scan_tile_size(args.head_size);
  const auto scratch = make_scratch<TileScratch<T>>();
  for (int64_t h = 0; h < args.num_heads; ++h) {
    const int64_t window = args.windows[h];
    for (int64_t tile = begin; tile < end; ++tile) {
      T* to = args.chunks.tiles + h * args.chunks.stride + (tile - args.chunks.begin / kTile) * tile_size;
      StoreTileSum(args, h * args.head_size, (tile - begin) * kTile,
                   window == 0 || whole_tiles_in_window(window) > 0, to, *scratch);
    }
  }
}

MNEME_KERNEL_TYPES(WindowScan, WindowScanArgs)
MNEME_KERNEL_TYPES(StoreTileSums, WindowScanArgs)

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

MNEME_EXPORT_KERNEL(window_scan, WindowScan, WindowScanArgs)
MNEME_EXPORT_KERNEL_STEP(window_scan_tile_sums, StoreTileSums, WindowScanArgs)

int64_t window_scan_reach(int64_t window, int64_t positions) {
  return window == 0 ? positions : HWY_MIN(round_up_to_tile(window), positions);
}

int64_t window_scan_tile_size(int64_t head_size) {
  return SumLayout(head_size).size + kWindowScanTile; // sum of the tile, then the logits of its tokens
}

int64_t window_scan_state_size(int64_t window, int64_t head_size) {
  return StateLayout(window, head_size).size;
}

int64_t window_scan_carry_size(int64_t head_size) {
  return round_up_to_tile(head_size) + kWindowScanTile;
}

} // namespace mneme::kernels
#endif
