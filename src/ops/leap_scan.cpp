// SPDX-License-Identifier: MIT

#include "ops/leap_scan.h"

#include <algorithm>

#include <ATen/Dispatch.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include "kernels/window_scan/window_scan.h"
#include "kernels/window_scan_gradient/window_scan_gradient.h"
#include "mneme/core/cpu.h"
#include "mneme/ops/backend.h"
#include "ops/large_tensor.h"
#include "ops/leap_parts.h"

namespace mneme::ops {
namespace {

constexpr int64_t kLargestWindowInState = 65'536; // tokens: a state keeps room for all of a window

/// The window of every head. `whole`: of a sequence without a state, where a window that covers it is none.
std::vector<int64_t> windows_of(const LeapCall& call, bool whole) {
  std::vector<int64_t> windows = call.windows.tokens;
  if (windows.size() == 1) {
    windows.resize(static_cast<size_t>(call.query.size(2)), windows[0]);
  }
  for (int64_t& window : windows) {
    window = whole && window >= call.query.size(1) ? 0 : window;
  }
  return windows;
}

template <class T> const T* data_of(const at::Tensor& tensor) {
  return tensor.const_data_ptr<T>();
}
template <class T> T* room_of(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.mutable_data_ptr<T>() : nullptr;
}

/// Whether the heads of a token lie side by side.
bool has_rows(const at::Tensor& t) {
  return (t.size(3) == 1 || t.stride(3) == 1) && (t.size(2) == 1 || t.stride(2) == t.size(3));
}

/// The rows as the kernels walk through them: query, focus, key and value with one distance from token to token.
LeapCall with_rows(LeapCall call) {
  bool fits = true;
  for (const at::Tensor& part : {call.query, call.focus, call.key, call.value}) {
    fits &= has_rows(part) && part.stride(1) == call.query.stride(1);
  }
  for (at::Tensor* part : {&call.query, &call.focus, &call.key, &call.value}) {
    *part = fits ? *part : part->contiguous();
  }
  if (call.is_token.defined() && call.is_token.stride(1) != 1) {
    call.is_token = call.is_token.contiguous();
  }
  return call;
}

/// The sum of size(window) over the heads before each head, and over all.
std::vector<int64_t> offsets(const std::vector<int64_t>& windows, int64_t head_size,
                             int64_t (*size)(int64_t window, int64_t head_size)) {
  std::vector<int64_t> sums = {0};
  for (const int64_t window : windows) {
    sums.push_back(sums.back() + size(window, head_size));
  }
  return sums;
}

template <class T> const T* at_head(const at::Tensor& rows, int64_t batch, int64_t head) {
  return data_of<T>(rows) + batch * rows.stride(0) + head * rows.size(3);
}
template <class T> T* at_head_of_room(const at::Tensor& rows, int64_t batch, int64_t head) {
  return room_of<T>(rows) + batch * rows.stride(0) + head * rows.size(3);
}

template <class T> T* tiles_at(const at::Tensor& tiles, const Share& share) {
  return tiles.defined() ? room_of<T>(tiles) + share.batch * tiles.stride(0) + share.first * tiles.stride(1)
                         : nullptr;
}

/// copies: [parts, B, n]
template <class T> T* copy_of(const at::Tensor& copies, const Share& share) {
  return room_of<T>(copies) + share.part * copies.stride(0) + share.batch * copies.stride(1);
}

template <class T> kernels::WindowScanTrace<T> trace_at(const LeapTrace& trace, const Share& share) {
  const int64_t tokens = trace.tracks.size(3);
  const auto track = [&](int64_t which) {
    return room_of<T>(trace.tracks) + which * trace.tracks.stride(0) + share.batch * trace.tracks.stride(1) +
           share.first * tokens;
  };
  return {track(0),
          track(1),
          track(2),
          track(3),
          tokens,
          tiles_at<T>(trace.carries, share),
          trace.carries.size(2)};
}

/// A share of a call whose tokens begin at position `begin`; state and trace are still to be filled in.
template <class T>
kernels::WindowScanArgs<T> scan_of(const LeapCall& call, const at::Tensor& readout,
                                   const std::vector<int64_t>& windows, int64_t begin,
                                   const at::Tensor& tiles, const Share& share) {
  const int64_t token = share.begin - begin, row = call.query.stride(1);
  const auto rows = [&](const at::Tensor& part) {
    return at_head<T>(part, share.batch, share.first) + token * row;
  };
  return {.query = rows(call.query),
          .focus = rows(call.focus),
          .key = rows(call.key),
          .value = rows(call.value),
          .row_stride = row,
          .windows = windows.data() + share.first,
          .scale = static_cast<T>(call.scale),
          .focus_weight = call.weight,
          .readout = at_head_of_room<T>(readout, share.batch, share.first) + token * readout.stride(1),
          .readout_stride = readout.stride(1),
          .state = nullptr,
          .position = share.begin,
          .trace = {},
          .length = share.end - share.begin,
          .num_heads = share.last - share.first,
          .head_size = call.query.size(3),
          .parts = {tiles_at<T>(tiles, share), tiles.defined() ? tiles.size(2) : 0, begin},
          .is_token = call.is_token.defined()
                          ? data_of<bool>(call.is_token) + share.batch * call.is_token.stride(0) + token
                          : nullptr};
}

/// All of a call. fill(args, share) gives each share its state or trace.
template <class T, class Fill>
void scan(const LeapCall& call, const at::Tensor& readout, const std::vector<int64_t>& windows,
          const std::vector<int64_t>& cuts, Fill fill) {
  const at::Tensor tiles = tiles_of(call.query, cuts, kernels::window_scan_tile_size(call.query.size(3)));
  const auto args_of = [&](const Share& share) {
    return scan_of<T>(call, readout, windows, cuts[0], tiles, share);
  };
  for_tokens_in_reach(call.query, cuts, windows, true,
                      [&](const Share& share) { kernels::window_scan_tiles(args_of(share)); });
  for_parts(call.query, cuts, [&](const Share& share) {
    auto args = args_of(share);
    fill(args, share);
    kernels::window_scan(args);
  });
}

} // namespace

bool has_scan(const LeapCall& call) {
  return has_kernel(call.query) && call.gate == LeapGate::sigmoid && call.gate_scale == call.scale &&
         call.epsilon == kernels::kWindowScanEpsilon && call.key.size(3) == call.value.size(3) &&
         std::ranges::all_of(call.windows.decay, [](double decay) { return decay == 0; }) &&
         !use_reference_kernels();
}

bool has_scan_with_state(const LeapCall& call) {
  return has_scan(call) && std::ranges::max(call.windows.tokens) <= kLargestWindowInState;
}

void leap_scan(const LeapCall& given, const at::Tensor& readout, LeapTrace* trace) {
  const LeapCall call = with_rows(given);
  const std::vector<int64_t> windows = windows_of(call, true);
  const int64_t batches = call.query.size(0), tokens = call.query.size(1), heads = call.query.size(2);
  if (trace != nullptr) {
    const int64_t tiles = (tokens + kernels::kWindowScanTile - 1) / kernels::kWindowScanTile;
    trace->tracks = empty_on_large_pages({4, batches, heads, tokens}, call.query.options());
    trace->carries = empty_on_large_pages(
        {batches, heads, tiles * kernels::window_scan_carry_size(call.query.size(3))}, call.query.options());
  }
  AT_DISPATCH_FLOATING_TYPES(call.query.scalar_type(), "leap_scan", [&] {
    scan<scalar_t>(call, readout, windows, cuts_of(call.query, 0, 0), [&](auto& args, const Share& share) {
      if (trace != nullptr) {
        args.trace = trace_at<scalar_t>(*trace, share);
      }
    });
  });
}

at::Tensor scan_windows(const LeapCall& call) {
  return at::tensor(windows_of(call, false));
}

int64_t scan_state_size(const LeapCall& call) {
  return offsets(windows_of(call, false), call.query.size(3), kernels::window_scan_state_size).back();
}

void leap_scan_after(const LeapCall& given, const at::Tensor& readout, LeapState& state) {
  const LeapCall call = with_rows(given);
  const std::vector<int64_t> windows = windows_of(call, false);
  const std::vector<int64_t> states = offsets(windows, call.query.size(3), kernels::window_scan_state_size);
  if (call.query.size(1) == 0) {
    return;
  }
  if (state.position == 0) {
    state.scan = at::zeros({call.query.size(0), states.back()}, call.query.options());
    state.windows = scan_windows(call);
  } else if (state.scan.use_count() > 1 || state.scan.storage().use_count() > 1 ||
             !state.scan.is_contiguous()) {
    state.scan = state.scan.clone(at::MemoryFormat::Contiguous); // it belongs to someone else as well
  }
  // Every part has a state of its own: no fewer tokens than it has to copy.
  const std::vector<int64_t> cuts = cuts_of(call.query, state.position, std::ranges::max(windows));
  const auto parts = static_cast<int64_t>(cuts.size()) - 1;
  const at::Tensor copies =
      parts == 1 ? state.scan.unsqueeze(0) : state.scan.expand({parts, -1, -1}).contiguous();
  AT_DISPATCH_FLOATING_TYPES(call.query.scalar_type(), "leap_scan_after", [&] {
    scan<scalar_t>(call, readout, windows, cuts, [&](auto& args, const Share& share) {
      args.state = copy_of<scalar_t>(copies, share) + states[static_cast<size_t>(share.first)];
    });
  });
  if (parts > 1) {
    state.scan.copy_(copies[parts - 1]);
  }
  state.position += call.query.size(1);
}

LeapScanBack::LeapScanBack(const LeapCall& call, const at::Tensor& readout, const LeapTrace& trace,
                           const at::Tensor& d_readout)
    : call_(with_rows(call)), readout_(readout),
      d_readout_(has_rows(d_readout) ? d_readout : d_readout.contiguous()), trace_(trace),
      windows_(windows_of(call, true)), end_(call.query.size(1)) {
  const int64_t size =
      offsets(windows_, call.query.size(3), kernels::window_scan_gradient_memory_size).back();
  memory_ = at::empty({call.query.size(0), size}, call.query.options());
}

void LeapScanBack::take(int64_t begin, const std::array<at::Tensor, 4>& d_rows) {
  const int64_t head_size = call_.query.size(3);
  const std::vector<int64_t> memories =
      offsets(windows_, head_size, kernels::window_scan_gradient_memory_size);
  const std::vector<int64_t> cuts = cuts_of(d_rows[0], begin, 0);
  const at::Tensor tiles = tiles_of(d_rows[0], cuts, kernels::window_scan_gradient_tile_size(head_size));
  const at::Tensor copies = memory_.expand({static_cast<int64_t>(cuts.size()) - 1, -1, -1}).contiguous();
  AT_DISPATCH_FLOATING_TYPES(call_.query.scalar_type(), "leap_scan_back", [&] {
    const auto args_of = [&](const Share& share) {
      Share whole = share;
      whole.begin = 0;
      const auto forward = scan_of<scalar_t>(call_, readout_, windows_, 0, {}, whole);
      const auto trace = trace_at<scalar_t>(trace_, share);
      const auto room = [&](const at::Tensor& d_part) {
        return at_head_of_room<scalar_t>(d_part, share.batch, share.first) +
               (share.begin - begin) * d_part.stride(1);
      };
      return kernels::WindowScanGradientArgs<scalar_t>{
          .query = forward.query,
          .focus = forward.focus,
          .key = forward.key,
          .value = forward.value,
          .row_stride = forward.row_stride,
          .windows = forward.windows,
          .scale = forward.scale,
          .focus_weight = forward.focus_weight,
          .readout = forward.readout,
          .readout_stride = forward.readout_stride,
          .d_readout = at_head<scalar_t>(d_readout_, share.batch, share.first),
          .d_readout_stride = d_readout_.stride(1),
          .trace = {trace.logits, trace.gate_logits, trace.denominators, trace.references, trace.stride,
                    trace.carries, trace.carry_stride},
          .d_query = room(d_rows[0]),
          .d_focus = room(d_rows[1]),
          .d_key = room(d_rows[2]),
          .d_value = room(d_rows[3]),
          .d_row_stride = d_rows[0].stride(1),
          .memory = copy_of<scalar_t>(copies, share) + memories[static_cast<size_t>(share.first)],
          .begin = share.begin,
          .end = share.end,
          .length = call_.query.size(1),
          .num_heads = forward.num_heads,
          .head_size = head_size,
          .parts = {tiles_at<scalar_t>(tiles, share), tiles.defined() ? tiles.size(2) : 0, begin, end_}};
    };
    for_tokens_in_reach(d_rows[0], cuts, windows_, false,
                        [&](const Share& share) { kernels::window_scan_gradient_tiles(args_of(share)); });
    for_parts(d_rows[0], cuts, [&](const Share& share) { kernels::window_scan_gradient(args_of(share)); });
  });
  memory_ = copies[0];
  end_ = begin;
}

} // namespace mneme::ops
