// SPDX-License-Identifier: MIT

#include "kernels/window_scan/window_scan.h"

#include "kernels/export.h"

#include <new>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/window_scan/window_scan.cpp"
#include <hwy/foreach_target.h>

#include <hwy/aligned_allocator.h>
#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include "kernels/focus_weight-inl.h"
#include "kernels/window_scan/window_scan_state.h"
#include "kernels/window_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mneme::kernels::HWY_NAMESPACE {
namespace { // every kernel has its own names

/// One head of a run.
template <class T> struct Head {
  int64_t window, columns; ///< columns before those of the head
  StateLayout layout;
  T* open;        ///< sum of the open block
  T* past;        ///< of StateLayout
  T* last_logits; ///< in the state: of the last tokens before the run
  T* last_rows;
  T* logits;               ///< [length], of the run
  int64_t position, begin; ///< of the run, and of the first of its parts
  T* tiles;                ///< of the parts from there on
  int64_t tile_size;

  Head(int64_t head_window, int64_t head_size)
      : window(head_window), layout(head_window, head_size), tile_size(window_scan_tile_size(head_size)) {}

  T* TileAt(int64_t tile) const { return tiles + (tile - begin / kTile) * tile_size; }
  /// Of a token of this part or one before.
  T LogitOf(int64_t token) const {
    return token >= position ? logits[token - position]
                             : TileAt(token / kTile)[layout.sum.size + token % kTile];
  }
};

/// What a tile needs while it is worked on.
template <class T> struct Desk {
  TilePlan<T> plan;
  const T* far_keys[TilePlan<T>::kMaxFar];
  const T* far_values[TilePlan<T>::kMaxFar];
  HWY_ALIGN T dots[kTile];
  HWY_ALIGN T denominators[kTile]; ///< sums of weights, then with epsilon
  HWY_ALIGN T gates[kTile];        ///< divided by the denominator
  T* common;                       ///< sum of the whole tiles before
  T* totals;                       ///< [kTile, whole_tiles(head_size)]
};

/// Logits of far tokens, and where their keys and values are.
template <class T> void FindFarTokens(const WindowScanArgs<T>& args, const Head<T>& head, Desk<T>& desk) {
  for (int64_t i = 0; i < desk.plan.num_far; ++i) {
    const int64_t token = desk.plan.far_tokens[i];
    if (token >= head.begin) {
      const int64_t at = token - args.position;
      desk.plan.far_weights[i] = head.LogitOf(token);
      desk.far_keys[i] = args.key + at * args.row_stride + head.columns;
      desk.far_values[i] = args.value + at * args.row_stride + head.columns;
    } else {
      const int64_t slot = token % head.window;
      desk.plan.far_weights[i] = head.last_logits[slot];
      desk.far_keys[i] = head.last_rows + slot * 2 * args.head_size;
      desk.far_values[i] = desk.far_keys[i] + args.head_size;
    }
    PrefetchRow(desk.far_keys[i], args.head_size);
    PrefetchRow(desk.far_values[i], args.head_size);
  }
}

/// dots = query . sum of keys times `share` -> gate logits, gates / denominators, trace.
template <class T>
void Gates(const WindowScanArgs<T>& args, int64_t head, int64_t token, int64_t count, T share,
           Desk<T>& desk) {
  const TileTag<T> d;
  const int64_t n = TileLanes<T>();
  const auto scale = hn::Set(d, args.scale), epsilon = hn::Set(d, static_cast<T>(kWindowScanEpsilon));
  for (int64_t row = 0; row < kTile; row += n) {
    const auto reference = hn::Load(d, desk.plan.references + row);
    const auto denominator =
        hn::MulAdd(epsilon, ExpOrZero(d, hn::Neg(reference)), hn::Load(d, desk.denominators + row));
    const auto logit =
        hn::Mul(hn::Div(hn::Mul(scale, hn::Load(d, desk.dots + row)), denominator), hn::Set(d, T(1) / share));
    hn::Store(denominator, d, desk.denominators + row);
    hn::Store(logit, d, desk.dots + row);
    hn::Store(hn::Div(Sigmoid(d, logit), denominator), d, desk.gates + row);
  }
  const auto tell = [&](T* to, const T* from) HWY_ATTR {
    if (to != nullptr) {
      for (int64_t row = 0; row < count; ++row) {
        to[head * args.trace.stride + token + row] = from[row];
      }
    }
  };
  tell(args.trace.gate_logits, desk.dots);
  tell(args.trace.denominators, desk.denominators);
  tell(args.trace.references, desk.plan.references);
}

/// dots = query . sum of keys / 2^64 or 2^512, which is returned, where without it they overflowed.
template <class T>
HWY_NOINLINE T DotsOfSmallSums(Rows<T> queries, const SumLayout& layout, int64_t count, int64_t size,
                               Desk<T>& desk) {
  constexpr T kSmall = sizeof(T) == 4 ? T(0x1p-64) : T(0x1p-512);
  for (int64_t c = 0; c < count * layout.second; ++c) {
    desk.totals[c] *= kSmall; // nobody reads the sums of keys again
  }
  RowDots(queries, {desk.totals, layout.second}, count, size, desk.dots);
  return kSmall;
}

/// plan.weights() = logits of `count` tokens of a tile, whose rows begin at `at`.
template <class T>
HWY_INLINE void Logits(const WindowScanArgs<T>& args, Rows<T> focuses, Rows<T> keys, int64_t at,
                       int64_t count, Desk<T>& desk) {
  const TileTag<T> d;
  RowDots(focuses, keys, count, args.head_size, desk.dots);
  for (int64_t row = 0; row < kTile; row += TileLanes<T>()) {
    hn::Store(hn::Mul(hn::Set(d, args.scale), hn::Load(d, desk.dots + row)), d, desk.plan.weights() + row);
  }
  for (int64_t row = 0; args.is_token != nullptr && row < count; ++row) {
    if (!args.is_token[at + row]) {
      desk.plan.weights()[row] = static_cast<T>(kWindowScanPadding);
    }
  }
}

/// Tokens [token, token + count) of one tile, one head.
template <class T>
void ScanTile(const WindowScanArgs<T>& args, int64_t index, Head<T>& head, int64_t token, int64_t count,
              bool stream, Desk<T>& desk) {
  const TileTag<T> d;
  const SumLayout& layout = head.layout.sum;
  const int64_t size = args.head_size, at = token - args.position, tile = token / kTile;
  const auto rows = [&](const T* part) HWY_ATTR {
    return Rows<T>{part + at * args.row_stride + head.columns, args.row_stride};
  };
  // Scanned next: the same tokens of the next head, or the next tokens of the first.
  const bool has_next_head = index + 1 < args.num_heads;
  const int64_t next = has_next_head ? at : at + count,
                next_count = has_next_head ? count : HWY_MIN(kTile, args.length - next);
  const auto next_rows = [&](const T* part) HWY_ATTR {
    return Rows<T>{part + next * args.row_stride + (has_next_head ? head.columns + size : 0),
                   args.row_stride};
  };
  TilePlan<T>& plan = desk.plan;
  T& open_reference = head.open[layout.reference];

  PrefetchRows(rows(args.query), count, size);
  Logits(args, rows(args.focus), rows(args.key), at, count, desk);
  for (int64_t row = 0; row < count; ++row) {
    head.logits[at + row] = plan.weights()[row];
  }
  const bool follows_a_part = token == args.position && token > head.begin;
  PlanForward(head.window, token, count, !follows_a_part, plan);
  for (int64_t row = -plan.lead(); row < 0; ++row) {
    plan.weights()[row] = head.LogitOf(token + row);
  }
  FindFarTokens(args, head, desk);

  const T* common = desk.common;
  if (head.window == 0) {
    common = head.past;
  } else {
    SumTiles(layout, head.layout.tiles, HWY_MAX(tile - tiles_before(head.window), 0), tile, T(0), head.past,
             desk.common);
  }
  if (args.trace.carries != nullptr && token % kTile == 0) {
    T* carry = args.trace.carries + index * args.trace.carry_stride + tile * window_scan_carry_size(size);
    for (int64_t c = 0; c < layout.second; ++c) {
      carry[c] = common[c];
    }
    carry[layout.second] = common[layout.reference];
  }
  WeighForward(args.focus_weight, count, common[layout.reference], open_reference, plan);

  const Weights<T> weights{plan.far_weights, plan.weights()};
  SumWeights(plan, weights, common[layout.weight], head.open[layout.weight], desk.denominators);
  PrefetchRows(rows(args.value), count, size);
  SumRows(plan, weights, desk.far_keys, rows(args.key), size, common, head.open, desk.totals);
  PrefetchRows(next_rows(args.focus), next_count, size);
  RowDots(rows(args.query), {desk.totals, layout.second}, count, size, desk.dots);
  T share = T(1);
  for (int64_t row = 0; row < kTile; row += TileLanes<T>()) {
    if (HWY_UNLIKELY(!hn::AllTrue(d, hn::IsFinite(hn::Load(d, desk.dots + row))))) {
      share = DotsOfSmallSums(rows(args.query), layout, count, size, desk);
      break;
    }
  }
  Gates(args, index, token, count, share, desk);
  PrefetchRows(next_rows(args.key), next_count, size);
  SumRows(plan, weights, desk.far_values, rows(args.value), size, common + layout.second,
          head.open + layout.second, desk.totals);
  T* readout = args.readout + at * args.readout_stride + head.columns;
  for (int64_t row = 0; row < count; ++row) {
    const T* total = desk.totals + row * layout.second;
    T* to = readout + row * args.readout_stride;
    stream ? StoreScaled<true>(total, desk.gates[row], size, to)
           : StoreScaled<false>(total, desk.gates[row], size, to);
  }

  if ((token + count) % kTile == 0) {
    if (head.window == 0) {
      AddExactly(layout, head.open, head.past, head.past + layout.size);
    } else {
      PushTile(layout, head.layout.tiles, tile, true, head.open, head.past);
    }
  }
}

/// The sums of whole tiles at the begin of a part, from those of the parts before it.
template <class T> void TakeTiles(const Head<T>& head) {
  const SumLayout& layout = head.layout.sum;
  const int64_t end = head.position / kTile, reach = window_scan_reach(head.window, head.position) / kTile;
  for (int64_t tile = HWY_MAX(head.begin / kTile, end - reach); tile < end; ++tile) {
    if (head.window == 0) {
      AddExactly(layout, head.TileAt(tile), head.past, head.past + layout.size);
    } else {
      PushTile(layout, head.layout.tiles, tile, true, head.TileAt(tile), head.past);
    }
  }
}

/// The last tokens of a run go into the state.
template <class T> void KeepLastTokens(const WindowScanArgs<T>& args, const Head<T>& head) {
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
  const bool has_state = args.state != nullptr, is_part = args.parts.tiles != nullptr;
  // A whole sequence that its window covers is summed like one without a window.
  const auto window_of = [&](int64_t head) HWY_ATTR {
    const int64_t window = args.windows[head];
    return !has_state && !is_part && window >= args.length ? 0 : window;
  };
  const auto sums_of = [&](const StateLayout& state) HWY_ATTR { return state.logits; };

  int64_t items = (1 + kTile) * layout.size; // common, totals
  for (int64_t h = 0; h < args.num_heads; ++h) {
    items += has_state ? 0 : sums_of(StateLayout(window_of(h), args.head_size));
    items += args.trace.logits == nullptr ? whole_tiles(args.length) : 0;
  }
  const auto memory = hwy::AllocateAligned<T>(static_cast<size_t>(items));
  const auto heads = hwy::AllocateAligned<Head<T>>(static_cast<size_t>(args.num_heads));
  const auto desk = hwy::MakeUniqueAligned<Desk<T>>();
  T* next = memory.get();
  const auto take = [&](int64_t count) HWY_ATTR {
    T* taken = next;
    next += count;
    return taken;
  };
  desk->common = take(layout.size);
  desk->totals = take(kTile * layout.size);
  T* state = args.state;
  for (int64_t h = 0; h < args.num_heads; ++h) {
    Head<T>& head = *new (&heads[static_cast<size_t>(h)]) Head<T>(window_of(h), args.head_size);
    head.columns = h * args.head_size;
    head.logits = args.trace.logits == nullptr ? take(whole_tiles(args.length))
                                               : args.trace.logits + h * args.trace.stride + args.position;
    T* sums = has_state ? state : take(sums_of(head.layout));
    head.open = sums;
    head.past = sums + head.layout.past;
    head.last_logits = has_state ? state + head.layout.logits : nullptr;
    head.last_rows = has_state ? state + head.layout.rows : nullptr;
    head.position = args.position;
    head.begin = is_part ? args.parts.begin : args.position;
    head.tiles = is_part ? args.parts.tiles + h * args.parts.stride : nullptr;
    if (head.begin == 0) {
      ClearSum(layout, T(0), head.open);
      // A part may begin with the second tile of a pair, whose sum nobody asks for.
      const int64_t count = head.window == 0 ? 2 : is_part ? head.layout.tiles.count : 0;
      for (int64_t i = 0; i < count; ++i) {
        ClearSum(layout, T(0), head.past + i * layout.size);
      }
    }
    TakeTiles(head);
    if (has_state) {
      state += head.layout.size;
    }
  }

  const bool stream = StoresPastCaches(args.readout, args.readout_stride, args.head_size,
                                       args.length * args.num_heads * args.head_size);
  const int64_t end = args.position + args.length;
  for (int64_t token = args.position; token < end;) {
    const int64_t next_tile = token - token % kTile + kTile;
    const int64_t count = HWY_MIN(next_tile, end) - token;
    for (int64_t h = 0; h < args.num_heads; ++h) { // heads inside: every row is walked through once
      ScanTile(args, h, heads[static_cast<size_t>(h)], token, count, stream, *desk);
    }
    token += count;
  }
  if (stream) {
    hwy::FlushStream();
  }
  for (int64_t h = 0; has_state && h < args.num_heads; ++h) {
    const Head<T>& head = heads[static_cast<size_t>(h)];
    if (head.window > 0) {
      KeepLastTokens(args, head);
    }
  }
}

/// The sum and the logits of one tile, whose rows begin at `at`.
template <class T>
void TellTile(const WindowScanArgs<T>& args, int64_t columns, int64_t at, bool with_sums, T* tile,
              Desk<T>& desk) {
  const SumLayout layout(args.head_size);
  const int64_t size = args.head_size;
  const auto rows = [&](const T* part) HWY_ATTR {
    return Rows<T>{part + at * args.row_stride + columns, args.row_stride};
  };
  TilePlan<T>& plan = desk.plan;
  if (with_sums) {
    PrefetchRows(rows(args.value), kTile, size);
  }
  Logits(args, rows(args.focus), rows(args.key), at, kTile, desk);
  for (int64_t row = 0; row < kTile; ++row) {
    tile[layout.size + row] = plan.weights()[row];
  }
  if (!with_sums) {
    return;
  }
  ClearSum(layout, T(0), tile);
  PlanForward(0, 0, kTile, false, plan);
  WeighForward(args.focus_weight, kTile, T(0), tile[layout.reference], plan);
  SumWeights(plan, {plan.far_weights, plan.weights()}, T(0), tile[layout.weight], desk.denominators);
  SumOpenRows(plan, plan.weights(), rows(args.key), kTile, size, tile);
  SumOpenRows(plan, plan.weights(), rows(args.value), kTile, size, tile + layout.second);
}

template <class T> void TellTiles(const WindowScanArgs<T>& args) {
  const int64_t begin = args.position / kTile, end = (args.position + args.length) / kTile,
                tile_size = window_scan_tile_size(args.head_size);
  const auto desk = hwy::MakeUniqueAligned<Desk<T>>();
  for (int64_t h = 0; h < args.num_heads; ++h) {
    const int64_t window = args.windows[h];
    for (int64_t tile = begin; tile < end; ++tile) {
      T* to = args.parts.tiles + h * args.parts.stride + (tile - args.parts.begin / kTile) * tile_size;
      TellTile(args, h * args.head_size, (tile - begin) * kTile, window == 0 || tiles_before(window) > 0, to,
               *desk);
    }
  }
}

MNEME_KERNEL_TYPES(WindowScan, WindowScanArgs)
MNEME_KERNEL_TYPES(TellTiles, WindowScanArgs)

} // namespace
} // namespace mneme::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mneme::kernels {

MNEME_EXPORT_KERNEL(window_scan, WindowScan, WindowScanArgs)
MNEME_EXPORT_KERNEL_STEP(window_scan_tiles, TellTiles, WindowScanArgs)

int64_t window_scan_reach(int64_t window, int64_t all) {
  return window == 0 ? all : HWY_MIN(whole_tiles(window), all);
}

int64_t window_scan_tile_size(int64_t head_size) {
  return SumLayout(head_size).size + kWindowScanTile; // its sum, then the logits of its tokens
}

int64_t window_scan_state_size(int64_t window, int64_t head_size) {
  return StateLayout(window, head_size).size;
}

int64_t window_scan_carry_size(int64_t head_size) {
  return whole_tiles(head_size) + kWindowScanTile;
}

} // namespace mneme::kernels
#endif
