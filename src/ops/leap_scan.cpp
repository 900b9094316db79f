// SPDX-License-Identifier: MIT

#include "ops/leap_scan.h"

#include <algorithm>
#include <functional>

#include <ATen/Dispatch.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include "kernels/window_scan/window_scan.h"
#include "kernels/window_scan_gradient/window_scan_gradient.h"
#include "mneme/core/cpu.h"
#include "mneme/core/parallel.h"
#include "ops/large_tensor.h"

namespace mneme::ops {
namespace {

constexpr int64_t kLargestWindowInState = 65'536;  // tokens: a state keeps room for all of a window
constexpr int64_t kLeastNumbersPerThread = 65'536; // fewer are read before another thread has woken

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
  return call;
}

/// Calls body(batch, first head, end of heads) for all heads of rows [B, T, H, D], on several threads. Heads do not depend
/// on each other, so their number per thread changes no result.
void for_heads(const at::Tensor& rows, const std::function<void(int64_t, int64_t, int64_t)>& body) {
  const int64_t heads = rows.size(2), count = rows.size(0) * heads;
  const int64_t per_head = std::max<int64_t>(1, 4 * rows.size(1) * rows.size(3));
  const int64_t block =
      std::max<int64_t>({1, (count + threads() - 1) / threads(), kLeastNumbersPerThread / per_head});
  parallel_for(count, block, [&](int64_t begin, int64_t end) {
    while (begin < end) {
      const int64_t first = begin % heads, last = std::min(heads, first + end - begin);
      body(begin / heads, first, last);
      begin += last - first;
    }
  });
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

kernels::FocusWeight kernel_weight(FocusWeight weight) {
  return weight == FocusWeight::elu ? kernels::FocusWeight::elu : kernels::FocusWeight::exp;
}

template <class T> const T* at_head(const at::Tensor& rows, int64_t batch, int64_t head) {
  return data_of<T>(rows) + batch * rows.stride(0) + head * rows.size(3);
}
template <class T> T* at_head_of_room(const at::Tensor& rows, int64_t batch, int64_t head) {
  return room_of<T>(rows) + batch * rows.stride(0) + head * rows.size(3);
}

template <class T> kernels::WindowScanTrace<T> trace_at(const LeapTrace& trace, int64_t batch, int64_t head) {
  const int64_t tokens = trace.tracks.size(3), carry = trace.carries.size(2);
  const auto track = [&](int64_t which) {
    return room_of<T>(trace.tracks) + which * trace.tracks.stride(0) + batch * trace.tracks.stride(1) +
           head * tokens;
  };
  return {track(0), track(1), track(2),
          track(3), tokens,   room_of<T>(trace.carries) + batch * trace.carries.stride(0) + head * carry,
          carry};
}

/// Heads [first, last) of a batch; state and trace are still to be filled in.
template <class T>
kernels::WindowScanArgs<T> scan_of(const LeapCall& call, const at::Tensor& readout,
                                   const std::vector<int64_t>& windows, int64_t batch, int64_t first,
                                   int64_t last) {
  return {at_head<T>(call.query, batch, first),
          at_head<T>(call.focus, batch, first),
          at_head<T>(call.key, batch, first),
          at_head<T>(call.value, batch, first),
          call.query.stride(1),
          windows.data() + first,
          static_cast<T>(call.scale),
          kernel_weight(call.weight),
          at_head_of_room<T>(readout, batch, first),
          readout.stride(1),
          nullptr,
          0,
          {},
          call.query.size(1),
          last - first,
          call.query.size(3)};
}

} // namespace

bool has_scan(const LeapCall& call) {
  return call.query.device().is_cpu() && call.gate == LeapGate::sigmoid && call.gate_scale == call.scale &&
         call.epsilon == kernels::kWindowScanEpsilon && call.key.size(3) == call.value.size(3) &&
         !call.is_token.defined() &&
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
    for_heads(call.query, [&](int64_t batch, int64_t first, int64_t last) {
      auto args = scan_of<scalar_t>(call, readout, windows, batch, first, last);
      if (trace != nullptr) {
        args.trace = trace_at<scalar_t>(*trace, batch, first);
      }
      kernels::window_scan(args);
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
  AT_DISPATCH_FLOATING_TYPES(call.query.scalar_type(), "leap_scan_after", [&] {
    for_heads(call.query, [&](int64_t batch, int64_t first, int64_t last) {
      auto args = scan_of<scalar_t>(call, readout, windows, batch, first, last);
      args.state = room_of<scalar_t>(state.scan) + batch * states.back() + states[static_cast<size_t>(first)];
      args.position = state.position;
      kernels::window_scan(args);
    });
  });
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
  const std::vector<int64_t> memories =
      offsets(windows_, call_.query.size(3), kernels::window_scan_gradient_memory_size);
  AT_DISPATCH_FLOATING_TYPES(call_.query.scalar_type(), "leap_scan_back", [&] {
    for_heads(d_rows[0], [&](int64_t batch, int64_t first, int64_t last) {
      const auto forward = scan_of<scalar_t>(call_, readout_, windows_, batch, first, last);
      const auto trace = trace_at<scalar_t>(trace_, batch, first);
      kernels::window_scan_gradient(kernels::WindowScanGradientArgs<scalar_t>{
          forward.query,
          forward.focus,
          forward.key,
          forward.value,
          forward.row_stride,
          forward.windows,
          forward.scale,
          forward.focus_weight,
          forward.readout,
          forward.readout_stride,
          at_head<scalar_t>(d_readout_, batch, first),
          d_readout_.stride(1),
          {trace.logits, trace.gate_logits, trace.denominators, trace.references, trace.stride, trace.carries,
           trace.carry_stride},
          at_head_of_room<scalar_t>(d_rows[0], batch, first),
          at_head_of_room<scalar_t>(d_rows[1], batch, first),
          at_head_of_room<scalar_t>(d_rows[2], batch, first),
          at_head_of_room<scalar_t>(d_rows[3], batch, first),
          d_rows[0].stride(1),
          room_of<scalar_t>(memory_) + batch * memory_.size(1) + memories[static_cast<size_t>(first)],
          begin,
          end_,
          call_.query.size(1),
          forward.num_heads,
          forward.head_size});
    });
  });
  end_ = begin;
}

} // namespace mneme::ops
