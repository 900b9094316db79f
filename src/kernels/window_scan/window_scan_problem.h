// SPDX-License-Identifier: MIT

/// Random sequences for the tests and benchmarks of LEAP's kernels.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/window_scan/window_scan.h"
#include "mneme/core/random.h"

namespace mneme::kernels {

/// The heads [begin, end) of a call.
template <class T> WindowScanArgs<T> slice_heads(WindowScanArgs<T> args, int64_t begin, int64_t end) {
  const auto move = [&](auto*& pointer, int64_t step) {
    if (pointer != nullptr) {
      pointer += begin * step;
    }
  };
  for (int64_t head = 0; args.state != nullptr && head < begin; ++head) {
    args.state += window_scan_state_size(args.windows[head], args.head_size);
  }
  for (const T** rows : {&args.query, &args.focus, &args.key, &args.value}) {
    move(*rows, args.head_size);
  }
  move(args.readout, args.head_size);
  move(args.windows, 1);
  move(args.trace.logits, args.trace.stride);
  move(args.trace.gate_logits, args.trace.stride);
  move(args.trace.denominators, args.trace.stride);
  move(args.trace.references, args.trace.stride);
  move(args.trace.carries, args.trace.carry_stride);
  args.num_heads = end - begin;
  return args;
}

/// The tokens [first, first + count) of a call that covers a whole sequence.
template <class T> WindowScanArgs<T> slice_tokens(WindowScanArgs<T> args, int64_t first, int64_t count) {
  for (const T** rows : {&args.query, &args.focus, &args.key, &args.value}) {
    *rows += first * args.row_stride;
  }
  args.readout += first * args.readout_stride;
  args.key_padding_mask = args.key_padding_mask == nullptr ? nullptr : args.key_padding_mask + first;
  args.position = first;
  args.length = count;
  return args;
}

/// A buffer of `size(window, head_size)` items for each head, filled with NaN: kernels must not depend on its
/// initial content.
template <class T>
std::vector<T> allocate_for_heads(const std::vector<int64_t>& windows, int64_t head_size,
                                  int64_t (*size)(int64_t window, int64_t head_size)) {
  int64_t items = 0;
  for (const int64_t window : windows) {
    items += size(window, head_size);
  }
  return std::vector<T>(static_cast<size_t>(items), std::nan(""));
}

template <class T> struct WindowScanProblem {
  int64_t length, head_size;
  std::vector<int64_t> windows;
  FocusWeight focus_weight;
  T scale;
  std::vector<T> query, focus, key, value;  ///< [length, num_heads, head_size]
  std::shared_ptr<bool[]> key_padding_mask; ///< [length], true = padding; nullptr: none
  bool joins_sequences = false;

  /// Normally distributed rows with standard deviation `size`; the standard deviation of the logits is its
  /// square.
  WindowScanProblem(int64_t tokens, int64_t columns, std::vector<int64_t> head_windows, FocusWeight weight,
                    double size)
      : length(tokens), head_size(columns), windows(std::move(head_windows)), focus_weight(weight),
        scale(static_cast<T>(1 / std::sqrt(static_cast<double>(columns)))), query(normals(1, size)),
        focus(normals(2, size)), key(normals(3, size)), value(normals(4, size)) {}

  int64_t num_heads() const { return static_cast<int64_t>(windows.size()); }
  /// The windows, with 0 instead of those that cover the whole sequence.
  std::vector<int64_t> effective_windows() const {
    std::vector<int64_t> within = windows;
    for (int64_t& window : within) {
      window = window >= length ? 0 : window;
    }
    return within;
  }
  int64_t num_tiles() const { return (length + kWindowScanTile - 1) / kWindowScanTile; }

  template <class U> WindowScanProblem<U> as() const {
    WindowScanProblem<U> other(0, head_size, windows, focus_weight, 1.0);
    other.length = length;
    other.scale = static_cast<U>(scale);
    const auto copy = [](const std::vector<T>& from) { return std::vector<U>(from.begin(), from.end()); };
    other.key_padding_mask = key_padding_mask;
    other.joins_sequences = joins_sequences;
    other.query = copy(query), other.focus = copy(focus), other.key = copy(key), other.value = copy(value);
    return other;
  }

  /// Scales the rows of focus so that logits are uniformly distributed between -size and size.
  void set_logits(double size) {
    Random random = Random(43).stream(1);
    for (int64_t i = 0; i < length * num_heads(); ++i) {
      const auto first = static_cast<size_t>(i * head_size);
      double dot = 0;
      for (size_t c = first; c < first + static_cast<size_t>(head_size); ++c) {
        dot += static_cast<double>(key[c]) * static_cast<double>(key[c]);
      }
      const double factor = size * (2 * random.uniform() - 1) / (dot * static_cast<double>(scale));
      for (size_t c = first; c < first + static_cast<size_t>(head_size); ++c) {
        focus[c] = static_cast<T>(factor * static_cast<double>(key[c]));
      }
    }
  }

  /// Masks the first third, some tokens in between, and the last five.
  void set_padding() {
    key_padding_mask = std::make_shared<bool[]>(static_cast<size_t>(length));
    for (int64_t t = 0; t < length; ++t) {
      key_padding_mask[t] = 3 * t < length || t % 7 <= 1 || t % 50 >= 30 || t + 5 >= length;
    }
  }

  struct Result {
    std::vector<T> readout, logits, gate_logits, denominators, references, carries;
  };
  /// Buffers for all results of a call.
  Result allocate_result() const {
    const std::vector<T> track(static_cast<size_t>(length * num_heads()));
    return {
        std::vector<T>(track.size() * static_cast<size_t>(head_size)),
        track,
        track,
        track,
        track,
        std::vector<T>(static_cast<size_t>(num_heads() * num_tiles() * window_scan_carry_size(head_size)))};
  }
  WindowScanArgs<T> args(Result& result) const {
    const int64_t row = num_heads() * head_size;
    return {query.data(),
            focus.data(),
            key.data(),
            value.data(),
            row,
            windows.data(),
            scale,
            focus_weight,
            result.readout.data(),
            row,
            nullptr,
            0,
            {result.logits.data(), result.gate_logits.data(), result.denominators.data(),
             result.references.data(), length, result.carries.data(),
             num_tiles() * window_scan_carry_size(head_size)},
            length,
            num_heads(),
            head_size,
            {},
            key_padding_mask.get(),
            joins_sequences};
  }
  template <class Kernel> Result run(Kernel kernel) const {
    Result result = allocate_result();
    kernel(args(result));
    return result;
  }
  /// Consecutive calls that continue a state, with lengths taken cyclically from `call_lengths`.
  template <class Kernel> Result run_in_calls(Kernel kernel, const std::vector<int64_t>& call_lengths) const {
    Result result = allocate_result();
    WindowScanArgs<T> all = args(result);
    std::vector<T> state = allocate_for_heads<T>(windows, head_size, window_scan_state_size);
    all.state = state.data();
    int64_t first = 0;
    for (size_t call = 0; first < length; ++call) {
      const int64_t count = std::min(call_lengths[call % call_lengths.size()], length - first);
      kernel(slice_tokens(all, first, count));
      first += count;
    }
    return result;
  }

  /// Consecutive calls of `call_length` tokens, each in chunks that end at multiples of `chunk_length`.
  /// Chunks are computed from the last to the first, which is valid because they are independent. Without
  /// `with_state`, there must be one call, and windows that cover it are passed as 0.
  Result run_in_chunks(int64_t call_length, int64_t chunk_length, bool with_state) const {
    Result result = allocate_result();
    WindowScanArgs<T> all = args(result);
    const std::vector<int64_t> call_windows = with_state ? windows : effective_windows();
    all.windows = call_windows.data();
    std::vector<T> state = allocate_for_heads<T>(call_windows, head_size, window_scan_state_size);
    const int64_t stride = num_tiles() * window_scan_tile_size(head_size);
    for (int64_t begin = 0; begin < length; begin += call_length) {
      const int64_t end = std::min(begin + call_length, length);
      std::vector<T> tiles(static_cast<size_t>(num_heads() * stride), std::nan(""));
      const auto args_of = [&](int64_t first, T* chunk_state) {
        WindowScanArgs<T> chunk =
            slice_tokens(all, first, std::min(first - first % chunk_length + chunk_length, end) - first);
        chunk.state = chunk_state;
        chunk.chunks = {tiles.data(), stride, begin};
        return chunk;
      };
      std::vector<int64_t> firsts;
      for (int64_t first = begin; first < end; first += args_of(first, nullptr).length) {
        firsts.push_back(first);
      }
      for (size_t i = 0; i + 1 < firsts.size(); ++i) {
        window_scan_tile_sums(args_of(firsts[i], nullptr));
      }
      std::vector<T> next;
      for (size_t i = firsts.size(); i-- > 0;) {
        std::vector<T> copy = state;
        window_scan(args_of(firsts[i], with_state ? copy.data() : nullptr));
        next = i + 1 == firsts.size() ? copy : next;
      }
      state = next;
    }
    return result;
  }

private:
  std::vector<T> normals(uint64_t stream, double size) const {
    Random random = Random(41).stream(stream);
    std::vector<T> numbers(static_cast<size_t>(length * num_heads() * head_size));
    for (T& x : numbers) {
      x = static_cast<T>(size * random.normal());
    }
    return numbers;
  }
};

/// Calls body(problem) with problems for tests of chunks: both focus weights, usual and large logits, few
/// columns in double and many in float.
template <class Body> void for_chunked_problems(Body body) {
  for (const FocusWeight focus_weight : {FocusWeight::elu, FocusWeight::exponential}) {
    for (const double logits : {2.0, 90.0}) {
      for (const int64_t head_size : {5, 64}) {
        WindowScanProblem<double> problem(237, head_size, {0, 1, 5, 16, 17, 31, 32, 50, 100, 1000},
                                          focus_weight, 1.0);
        problem.set_logits(logits);
        head_size == 5 ? body(problem) : body(problem.as<float>());
      }
    }
  }
}

/// Two heads over joined sequences of `window` tokens, the last of which has fewer.
inline WindowScanProblem<double> joined_sequences(int64_t window, int64_t length, int64_t head_size,
                                                  FocusWeight focus_weight, double logits) {
  WindowScanProblem<double> problem(length, head_size, {window, window}, focus_weight, 1.0);
  problem.set_logits(logits);
  problem.joins_sequences = true;
  return problem;
}

/// Calls body(problem, logits) with joined sequences of every length, without and with padding; logits are
/// uniformly distributed between -logits and logits.
template <class Body> void for_joined_sequences(Body body) {
  for (const FocusWeight focus_weight : {FocusWeight::elu, FocusWeight::exponential}) {
    for (const double logits : {2.0, 90.0}) {
      for (int64_t window = 1; window <= kWindowScanTile; ++window) {
        for (const int64_t length : {window + 1, int64_t{33}, int64_t{150}}) {
          WindowScanProblem<double> problem = joined_sequences(window, length, 5, focus_weight, logits);
          body(problem, logits);
          problem.set_padding();
          body(problem, logits);
        }
      }
    }
  }
}

/// Maximum over tokens and heads of the error of a readout relative to its norm. Suits long sequences, where
/// the means of the last tokens are much smaller than those of the first.
template <class T>
double max_token_error(const WindowScanProblem<T>& problem, const std::vector<T>& actual,
                       const std::vector<double>& expected) {
  double worst = 0;
  for (int64_t i = 0; i < problem.length * problem.num_heads(); ++i) {
    double error = 0, norm = 0;
    for (int64_t c = 0; c < problem.head_size; ++c) {
      const auto at = static_cast<size_t>(i * problem.head_size + c);
      error += std::pow(static_cast<double>(actual[at]) - expected[at], 2);
      norm += expected[at] * expected[at];
    }
    worst = std::isnan(error) ? INFINITY : std::max(worst, std::sqrt(error / norm));
  }
  return worst;
}

} // namespace mneme::kernels
