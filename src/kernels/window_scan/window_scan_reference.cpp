// SPDX-License-Identifier: MIT

#include "kernels/window_scan/window_scan.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/window_scan/window_scan_state.h"

namespace mneme::kernels::reference {
namespace {

/// Sums over the window of a token, relative to exp(reference).
struct Sum {
  double reference = 0, weight = 0;
  std::vector<double> keys, values;

  explicit Sum(int64_t head_size) : keys(static_cast<size_t>(head_size)), values(keys) {}

  void scale(double factor) {
    weight *= factor;
    for (size_t c = 0; c < keys.size(); ++c) {
      keys[c] *= factor;
      values[c] *= factor;
    }
  }
  template <class T> void add(double logit, FocusWeight focus_weight, const T* key, const T* value) {
    if (focus_weight == FocusWeight::exponential && logit > reference) {
      scale(std::exp(reference - logit));
      reference = logit;
    }
    const double w = focus_weight == FocusWeight::elu && logit > 0 ? logit + 1 : std::exp(logit - reference);
    weight += w;
    for (size_t c = 0; c < keys.size(); ++c) {
      keys[c] += w * static_cast<double>(key[c]);
      values[c] += w * static_cast<double>(value[c]);
    }
  }
};

template <class T> double product(const T* a, const T* b, int64_t size) {
  double sum = 0;
  for (int64_t c = 0; c < size; ++c) {
    sum += static_cast<double>(a[c]) * static_cast<double>(b[c]);
  }
  return sum;
}

template <class T> void store(T* to, int64_t at, double value) {
  if (to != nullptr) {
    to[at] = static_cast<T>(value);
  }
}

template <class T> void window_scan_head(const WindowScanArgs<T>& args, int64_t head, T* state) {
  const int64_t size = args.head_size, window = args.windows[head], columns = head * size;
  const StateLayout layout(window, size);
  const int64_t error = layout.tile_sums + layout.sum.size; // of the sum of all tokens, window 0
  const double scale = static_cast<double>(args.scale);

  // Rows are accessible from here on: those of this call and of the chunks before it.
  const int64_t first = args.chunks.tiles != nullptr ? args.chunks.begin : args.position;
  const auto row = [&](const T* base, int64_t token) {
    return base + (token - args.position) * args.row_stride + columns;
  };
  std::vector<double> logits; // from `first` on
  for (int64_t token = first; token < args.position + args.length; ++token) {
    const bool is_masked = args.key_padding_mask != nullptr && args.key_padding_mask[token - args.position];
    logits.push_back(is_masked ? kWindowScanMaskedLogit
                               : scale * product(row(args.focus, token), row(args.key, token), size));
  }
  const auto logit_of = [&](int64_t token) { return logits[static_cast<size_t>(token - first)]; };
  const auto add = [&](Sum& sum, int64_t token) {
    if (token >= first) {
      sum.add(logit_of(token), args.focus_weight, row(args.key, token), row(args.value, token));
    } else {
      const int64_t slot = token % window;
      const T* stored = state + layout.rows + slot * 2 * size;
      sum.add(static_cast<double>(state[layout.logits + slot]), args.focus_weight, stored, stored + size);
    }
  };
  /// Stores a number in the state of a head without a window, as a rounded value and its rounding error.
  const auto store_compensated = [&](int64_t at, double value) {
    state[layout.tile_sums + at] = static_cast<T>(value);
    state[error + at] = static_cast<T>(value - static_cast<double>(static_cast<T>(value)));
  };
  const auto load_compensated = [&](int64_t at) {
    return static_cast<double>(state[layout.tile_sums + at]) + static_cast<double>(state[error + at]);
  };

  Sum sum(size);
  if (state != nullptr && window == 0 && first > 0) {
    sum.reference = load_compensated(layout.sum.reference);
    sum.weight = load_compensated(layout.sum.weight);
    for (int64_t c = 0; c < size; ++c) {
      sum.keys[static_cast<size_t>(c)] = load_compensated(c);
      sum.values[static_cast<size_t>(c)] = load_compensated(layout.sum.second + c);
    }
  }
  for (int64_t token = first; window == 0 && token < args.position; ++token) {
    add(sum, token);
  }
  for (int64_t t = 0; t < args.length; ++t) {
    const int64_t token = args.position + t;
    const int64_t begin = window == 0            ? 0
                          : args.joins_sequences ? token - token % window
                                                 : std::max<int64_t>(0, token - window + 1);
    if (begin == 0 && (t > 0 || window == 0 || token == 0)) { // the window has only grown
      add(sum, token);
    } else {
      sum = Sum(size);
      for (int64_t j = begin; j <= token; ++j) {
        add(sum, j);
      }
    }
    const double denominator = sum.weight + kWindowScanEpsilon * std::exp(-sum.reference);
    double dot = 0;
    for (int64_t c = 0; c < size; ++c) {
      dot += static_cast<double>(row(args.query, token)[c]) * sum.keys[static_cast<size_t>(c)];
    }
    const double gate_logit = scale * dot / denominator;
    const double gate = 1 / (1 + std::exp(-gate_logit));
    for (int64_t c = 0; c < size; ++c) {
      args.readout[t * args.readout_stride + columns + c] =
          static_cast<T>(gate * sum.values[static_cast<size_t>(c)] / denominator);
    }
    const int64_t at = head * args.trace.stride + token;
    store(args.trace.logits, at, logit_of(token));
    store(args.trace.gate_logits, at, gate_logit);
    store(args.trace.denominators, at, denominator);
    store(args.trace.references, at, sum.reference);
  }
  if (state == nullptr) {
    return;
  }
  if (window == 0) {
    store_compensated(layout.sum.reference, sum.reference);
    store_compensated(layout.sum.weight, sum.weight);
    for (int64_t c = 0; c < size; ++c) {
      store_compensated(c, sum.keys[static_cast<size_t>(c)]);
      store_compensated(layout.sum.second + c, sum.values[static_cast<size_t>(c)]);
    }
  }
  const int64_t end = args.position + args.length;
  for (int64_t token = std::max(first, end - window); token < end; ++token) {
    const int64_t slot = token % window;
    T* to = state + layout.rows + slot * 2 * size;
    std::copy_n(row(args.key, token), size, to);
    std::copy_n(row(args.value, token), size, to + size);
    state[layout.logits + slot] = static_cast<T>(logit_of(token));
  }
}

template <class T> void window_scan_plain(const WindowScanArgs<T>& args) {
  T* state = args.state;
  for (int64_t head = 0; head < args.num_heads; ++head) {
    window_scan_head(args, head, state);
    if (state != nullptr) {
      state += window_scan_state_size(args.windows[head], args.head_size);
    }
  }
}

} // namespace

void window_scan(const WindowScanArgs<float>& args) {
  window_scan_plain(args);
}
void window_scan(const WindowScanArgs<double>& args) {
  window_scan_plain(args);
}

} // namespace mneme::kernels::reference
