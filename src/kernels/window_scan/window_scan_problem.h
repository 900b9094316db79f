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

/// The heads [begin, end) of a run.
template <class T> WindowScanArgs<T> heads_of(WindowScanArgs<T> args, int64_t begin, int64_t end) {
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

/// The tokens [first, first + count) of a run that is a whole sequence.
template <class T> WindowScanArgs<T> tokens_of(WindowScanArgs<T> args, int64_t first, int64_t count) {
  for (const T** rows : {&args.query, &args.focus, &args.key, &args.value}) {
    *rows += first * args.row_stride;
  }
  args.readout += first * args.readout_stride;
  args.is_token = args.is_token == nullptr ? nullptr : args.is_token + first;
  args.position = first;
  args.length = count;
  return args;
}

/// Room for `size(window, head_size)` items for each head. What it holds at first must not matter.
template <class T>
std::vector<T> room_for_heads(const std::vector<int64_t>& windows, int64_t head_size,
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
  std::vector<T> query, focus, key, value; ///< [length, num_heads, head_size]
  std::shared_ptr<bool[]> is_token;        ///< [length]; none: all are

  /// Normal numbers times `size`; logits have that deviation, too, squared.
  WindowScanProblem(int64_t tokens, int64_t columns, std::vector<int64_t> head_windows, FocusWeight weight,
                    double size)
      : length(tokens), head_size(columns), windows(std::move(head_windows)), focus_weight(weight),
        scale(static_cast<T>(1 / std::sqrt(static_cast<double>(columns)))), query(normals(1, size)),
        focus(normals(2, size)), key(normals(3, size)), value(normals(4, size)) {}

  int64_t num_heads() const { return static_cast<int64_t>(windows.size()); }
  /// The windows, but 0 where they cover the whole sequence.
  std::vector<int64_t> windows_within() const {
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
    other.is_token = is_token;
    other.query = copy(query), other.focus = copy(focus), other.key = copy(key), other.value = copy(value);
    return other;
  }

  /// Stretches every focus so that logits spread evenly between -size and size.
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

  /// Makes padding of the first third, of runs in between, and of the end.
  void set_padding() {
    is_token = std::make_shared<bool[]>(static_cast<size_t>(length));
    for (int64_t t = 0; t < length; ++t) {
      is_token[t] = 3 * t >= length && t % 7 > 1 && t % 50 < 30 && t + 5 < length;
    }
  }

  struct Answer {
    std::vector<T> readout, logits, gate_logits, denominators, references, carries;
  };
  /// Room for all results of a run.
  Answer room() const {
    const std::vector<T> track(static_cast<size_t>(length * num_heads()));
    return {
        std::vector<T>(track.size() * static_cast<size_t>(head_size)),
        track,
        track,
        track,
        track,
        std::vector<T>(static_cast<size_t>(num_heads() * num_tiles() * window_scan_carry_size(head_size)))};
  }
  WindowScanArgs<T> args(Answer& answer) const {
    const int64_t row = num_heads() * head_size;
    return {query.data(),
            focus.data(),
            key.data(),
            value.data(),
            row,
            windows.data(),
            scale,
            focus_weight,
            answer.readout.data(),
            row,
            nullptr,
            0,
            {answer.logits.data(), answer.gate_logits.data(), answer.denominators.data(),
             answer.references.data(), length, answer.carries.data(),
             num_tiles() * window_scan_carry_size(head_size)},
            length,
            num_heads(),
            head_size,
            {},
            is_token.get()};
  }
  template <class Kernel> Answer run(Kernel kernel) const {
    Answer answer = room();
    kernel(args(answer));
    return answer;
  }
  /// One run after the other, with a state; the lengths of `pieces` are gone through again and again.
  template <class Kernel> Answer run_in_pieces(Kernel kernel, const std::vector<int64_t>& pieces) const {
    Answer answer = room();
    WindowScanArgs<T> all = args(answer);
    std::vector<T> state = room_for_heads<T>(windows, head_size, window_scan_state_size);
    all.state = state.data();
    int64_t first = 0;
    for (size_t piece = 0; first < length; ++piece) {
      const int64_t count = std::min(pieces[piece % pieces.size()], length - first);
      kernel(tokens_of(all, first, count));
      first += count;
    }
    return answer;
  }

  /// In pieces of `piece` tokens, each of them in parts that end at multiples of `part`, from the last to the first: as if
  /// they ran side by side. `with_state`: else there must be one piece, and windows that cover it are given as 0.
  Answer run_in_parts(int64_t piece, int64_t part, bool with_state) const {
    Answer answer = room();
    WindowScanArgs<T> all = args(answer);
    const std::vector<int64_t> given = with_state ? windows : windows_within();
    all.windows = given.data();
    std::vector<T> state = room_for_heads<T>(given, head_size, window_scan_state_size);
    const int64_t stride = num_tiles() * window_scan_tile_size(head_size);
    for (int64_t begin = 0; begin < length; begin += piece) {
      const int64_t end = std::min(begin + piece, length);
      std::vector<T> tiles(static_cast<size_t>(num_heads() * stride), std::nan(""));
      const auto run_of = [&](int64_t first, T* part_state) {
        WindowScanArgs<T> run = tokens_of(all, first, std::min(first - first % part + part, end) - first);
        run.state = part_state;
        run.parts = {tiles.data(), stride, begin};
        return run;
      };
      std::vector<int64_t> firsts;
      for (int64_t first = begin; first < end; first += run_of(first, nullptr).length) {
        firsts.push_back(first);
      }
      for (size_t i = 0; i + 1 < firsts.size(); ++i) {
        window_scan_tiles(run_of(firsts[i], nullptr));
      }
      std::vector<T> next;
      for (size_t i = firsts.size(); i-- > 0;) {
        std::vector<T> copy = state;
        window_scan(run_of(firsts[i], with_state ? copy.data() : nullptr));
        next = i + 1 == firsts.size() ? copy : next;
      }
      state = next;
    }
    return answer;
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

/// body(problem) for problems that are cut into parts: of both weights, with usual and large logits, of few columns in double
/// and of many in float.
template <class Body> void for_problems_in_parts(Body body) {
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

/// The largest error of a token's readout over a head, relative to its norm: as good a measure for the last token of a
/// long sequence, whose mean is small, as for the first.
template <class T>
double worst_token_error(const WindowScanProblem<T>& problem, const std::vector<T>& got,
                         const std::vector<double>& want) {
  double worst = 0;
  for (int64_t i = 0; i < problem.length * problem.num_heads(); ++i) {
    double error = 0, norm = 0;
    for (int64_t c = 0; c < problem.head_size; ++c) {
      const auto at = static_cast<size_t>(i * problem.head_size + c);
      error += std::pow(static_cast<double>(got[at]) - want[at], 2);
      norm += want[at] * want[at];
    }
    worst = std::isnan(error) ? INFINITY : std::max(worst, std::sqrt(error / norm));
  }
  return worst;
}

} // namespace mneme::kernels
