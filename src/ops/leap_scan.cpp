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
#include "ops/huge_pages.h"
#include "ops/leap_chunks.h"

namespace mneme::ops {
namespace {

constexpr int64_t kMaxWindowInState = 65'536; // tokens: a state has space for an entire window

/// The window of every head. `is_complete`: the call is an entire sequence without a state, where windows
/// that cover the sequence are unlimited.
std::vector<int64_t> windows_of(const LeapCall& call, bool is_complete) {
  std::vector<int64_t> windows = call.windows.tokens;
  if (windows.size() == 1) {
    windows.resize(static_cast<size_t>(call.query.size(2)), windows[0]);
  }
  for (int64_t& window : windows) {
    window = is_complete && window >= call.query.size(1) ? 0 : window;
  }
  return windows;
}

template <class T> const T* data_of(const at::Tensor& tensor) {
  return tensor.const_data_ptr<T>();
}
template <class T> T* mutable_data_of(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.mutable_data_ptr<T>() : nullptr;
}

/// Whether the heads of a token are contiguous.
bool has_contiguous_rows(const at::Tensor& t) {
  return (t.size(3) == 1 || t.stride(3) == 1) && (t.size(2) == 1 || t.stride(2) == t.size(3));
}

/// The call in the layout that the kernels require: contiguous rows, one stride from token to token for
/// query, focus, key and value. Copies tensors if necessary.
LeapCall with_contiguous_rows(LeapCall call) {
  bool fits = true;
  for (const at::Tensor& rows : {call.query, call.focus, call.key, call.value}) {
    fits &= has_contiguous_rows(rows) && rows.stride(1) == call.query.stride(1);
  }
  for (at::Tensor* rows : {&call.query, &call.focus, &call.key, &call.value}) {
    *rows = fits ? *rows : rows->contiguous();
  }
  if (call.key_padding_mask.defined() && call.key_padding_mask.stride(1) != 1) {
    call.key_padding_mask = call.key_padding_mask.contiguous();
  }
  return call;
}

/// Prefix sums of size(window) over heads: the offset of every head, then the total.
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
template <class T> T* mutable_at_head(const at::Tensor& rows, int64_t batch, int64_t head) {
  return mutable_data_of<T>(rows) + batch * rows.stride(0) + head * rows.size(3);
}

template <class T> T* tiles_at(const at::Tensor& tiles, const Chunk& chunk) {
  if (!tiles.defined()) {
    return nullptr;
  }
  return mutable_data_of<T>(tiles) + chunk.batch * tiles.stride(0) + chunk.first_head * tiles.stride(1);
}

/// The copy of a chunk in copies [chunks, B, n].
template <class T> T* copy_of(const at::Tensor& copies, const Chunk& chunk) {
  return mutable_data_of<T>(copies) + chunk.index * copies.stride(0) + chunk.batch * copies.stride(1);
}

template <class T> kernels::WindowScanTrace<T> trace_at(const LeapTrace& trace, const Chunk& chunk) {
  const int64_t tokens = trace.tracks.size(3);
  const auto track = [&](int64_t which) {
    return mutable_data_of<T>(trace.tracks) + which * trace.tracks.stride(0) +
           chunk.batch * trace.tracks.stride(1) + chunk.first_head * tokens;
  };
  return {track(0),
          track(1),
          track(2),
          track(3),
          tokens,
          tiles_at<T>(trace.carries, chunk),
          trace.carries.size(2)};
}

/// Kernel arguments of a chunk, without state and trace. `begin`: position of the first token of the call.
template <class T>
kernels::WindowScanArgs<T> scan_of(const LeapCall& call, const at::Tensor& readout,
                                   const std::vector<int64_t>& windows, int64_t begin,
                                   const at::Tensor& tiles, const Chunk& chunk) {
  const int64_t token = chunk.begin - begin, row = call.query.stride(1);
  const auto rows = [&](const at::Tensor& t) {
    return at_head<T>(t, chunk.batch, chunk.first_head) + token * row;
  };
  return {.query = rows(call.query),
          .focus = rows(call.focus),
          .key = rows(call.key),
          .value = rows(call.value),
          .row_stride = row,
          .windows = windows.data() + chunk.first_head,
          .scale = static_cast<T>(call.scale),
          .focus_weight = call.weight,
          .readout = mutable_at_head<T>(readout, chunk.batch, chunk.first_head) + token * readout.stride(1),
          .readout_stride = readout.stride(1),
          .state = nullptr,
          .position = chunk.begin,
          .trace = {},
          .length = chunk.end - chunk.begin,
          .num_heads = chunk.last_head - chunk.first_head,
          .head_size = call.query.size(3),
          .chunks = {tiles_at<T>(tiles, chunk), tiles.defined() ? tiles.size(2) : 0, begin},
          .key_padding_mask = call.key_padding_mask.defined()
                                  ? data_of<bool>(call.key_padding_mask) +
                                        chunk.batch * call.key_padding_mask.stride(0) + token
                                  : nullptr,
          .joins_sequences = call.joins_sequences};
}

/// Runs the kernels for a call. set_outputs(args, chunk) sets state or trace in the arguments of each chunk.
template <class T, class SetOutputs>
void scan(const LeapCall& call, const at::Tensor& readout, const std::vector<int64_t>& windows,
          const std::vector<int64_t>& cuts, SetOutputs set_outputs) {
  const at::Tensor tiles = tile_buffer(call.query, cuts, kernels::window_scan_tile_size(call.query.size(3)));
  const auto args_of = [&](const Chunk& chunk) {
    return scan_of<T>(call, readout, windows, cuts[0], tiles, chunk);
  };
  for_tokens_near_cuts(call.query, cuts, windows, true,
                       [&](const Chunk& chunk) { kernels::window_scan_tile_sums(args_of(chunk)); });
  for_each_chunk(call.query, cuts, [&](const Chunk& chunk) {
    auto args = args_of(chunk);
    set_outputs(args, chunk);
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
  return has_scan(call) && std::ranges::max(call.windows.tokens) <= kMaxWindowInState;
}

void leap_scan(const LeapCall& given, const at::Tensor& readout, LeapTrace* trace) {
  const LeapCall call = with_contiguous_rows(given);
  const std::vector<int64_t> windows = windows_of(call, true);
  const int64_t batches = call.query.size(0), tokens = call.query.size(1), heads = call.query.size(2);
  if (trace != nullptr) {
    const int64_t tiles = (tokens + kernels::kWindowScanTile - 1) / kernels::kWindowScanTile;
    trace->tracks = empty_on_huge_pages({4, batches, heads, tokens}, call.query.options());
    trace->carries = empty_on_huge_pages(
        {batches, heads, tiles * kernels::window_scan_carry_size(call.query.size(3))}, call.query.options());
  }
  AT_DISPATCH_FLOATING_TYPES(call.query.scalar_type(), "leap_scan", [&] {
    scan<scalar_t>(call, readout, windows, chunk_cuts(call.query, 0, 0), [&](auto& args, const Chunk& chunk) {
      if (trace != nullptr) {
        args.trace = trace_at<scalar_t>(*trace, chunk);
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

void leap_scan_continue(const LeapCall& given, const at::Tensor& readout, LeapState& state) {
  const LeapCall call = with_contiguous_rows(given);
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
    state.scan = state.scan.clone(at::MemoryFormat::Contiguous); // the caller still uses it
  }
  // Every chunk needs a copy of the state: it must have no fewer tokens than the state.
  const std::vector<int64_t> cuts = chunk_cuts(call.query, state.position, std::ranges::max(windows));
  const auto chunks = static_cast<int64_t>(cuts.size()) - 1;
  const at::Tensor copies =
      chunks == 1 ? state.scan.unsqueeze(0) : state.scan.expand({chunks, -1, -1}).contiguous();
  AT_DISPATCH_FLOATING_TYPES(call.query.scalar_type(), "leap_scan_continue", [&] {
    scan<scalar_t>(call, readout, windows, cuts, [&](auto& args, const Chunk& chunk) {
      args.state = copy_of<scalar_t>(copies, chunk) + states[static_cast<size_t>(chunk.first_head)];
    });
  });
  if (chunks > 1) {
    state.scan.copy_(copies[chunks - 1]);
  }
  state.position += call.query.size(1);
}

LeapScanBackward::LeapScanBackward(const LeapCall& call, const at::Tensor& readout, const LeapTrace& trace,
                                   const at::Tensor& d_readout)
    : call_(with_contiguous_rows(call)), readout_(readout),
      d_readout_(has_contiguous_rows(d_readout) ? d_readout : d_readout.contiguous()), trace_(trace),
      windows_(windows_of(call, true)), end_(call.query.size(1)) {
  const int64_t size = offsets(windows_, call.query.size(3), kernels::window_scan_gradient_state_size).back();
  state_ = at::empty({call.query.size(0), size}, call.query.options());
}

void LeapScanBackward::run(int64_t begin, const std::array<at::Tensor, 4>& d_rows) {
  const int64_t head_size = call_.query.size(3);
  const std::vector<int64_t> states = offsets(windows_, head_size, kernels::window_scan_gradient_state_size);
  const std::vector<int64_t> cuts = chunk_cuts(d_rows[0], begin, 0);
  const at::Tensor tiles = tile_buffer(d_rows[0], cuts, kernels::window_scan_gradient_tile_size(head_size));
  const at::Tensor copies = state_.expand({static_cast<int64_t>(cuts.size()) - 1, -1, -1}).contiguous();
  AT_DISPATCH_FLOATING_TYPES(call_.query.scalar_type(), "leap_scan_back", [&] {
    const auto args_of = [&](const Chunk& chunk) {
      // Pointers to the first token: the kernel also reads the rows before the chunk.
      Chunk from_start = chunk;
      from_start.begin = 0;
      const auto forward = scan_of<scalar_t>(call_, readout_, windows_, 0, {}, from_start);
      const auto trace = trace_at<scalar_t>(trace_, chunk);
      const auto output = [&](const at::Tensor& t) {
        return mutable_at_head<scalar_t>(t, chunk.batch, chunk.first_head) +
               (chunk.begin - begin) * t.stride(1);
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
          .d_readout = at_head<scalar_t>(d_readout_, chunk.batch, chunk.first_head),
          .d_readout_stride = d_readout_.stride(1),
          .trace = {trace.logits, trace.gate_logits, trace.denominators, trace.references, trace.stride,
                    trace.carries, trace.carry_stride},
          .d_query = output(d_rows[0]),
          .d_focus = output(d_rows[1]),
          .d_key = output(d_rows[2]),
          .d_value = output(d_rows[3]),
          .d_row_stride = d_rows[0].stride(1),
          .state = copy_of<scalar_t>(copies, chunk) + states[static_cast<size_t>(chunk.first_head)],
          .begin = chunk.begin,
          .end = chunk.end,
          .length = call_.query.size(1),
          .num_heads = forward.num_heads,
          .head_size = head_size,
          .chunks = {tiles_at<scalar_t>(tiles, chunk), tiles.defined() ? tiles.size(2) : 0, begin, end_},
          .joins_sequences = call_.joins_sequences};
    };
    for_tokens_near_cuts(d_rows[0], cuts, windows_, false, [&](const Chunk& chunk) {
      kernels::window_scan_gradient_tile_sums(args_of(chunk));
    });
    for_each_chunk(d_rows[0], cuts,
                   [&](const Chunk& chunk) { kernels::window_scan_gradient(args_of(chunk)); });
  });
  state_ = copies[0];
  end_ = begin;
}

} // namespace mneme::ops
