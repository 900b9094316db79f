// SPDX-License-Identifier: MIT

#include "kernels/window_scan_gradient/window_scan_gradient.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace mneme::kernels::reference {
namespace {

using Row = std::vector<double>;

double product(const Row& a, const Row& b) {
  double sum = 0;
  for (size_t c = 0; c < a.size(); ++c) {
    sum += a[c] * b[c];
  }
  return sum;
}

void add(Row& to, double factor, const Row& row) {
  for (size_t c = 0; c < row.size(); ++c) {
    to[c] += factor * row[c];
  }
}

template <class T> void gradient_of_head(const WindowScanGradientArgs<T>& args, int64_t head) {
  const auto size = static_cast<size_t>(args.head_size), length = static_cast<size_t>(args.length);
  const int64_t window = args.windows[head] == 0 ? args.length : args.windows[head],
                columns = head * args.head_size;
  const double scale = static_cast<double>(args.scale);
  const bool is_elu = args.focus_weight == FocusWeight::elu;
  const auto rows = [&](const T* from, int64_t stride) {
    std::vector<Row> copies(length, Row(size));
    for (size_t t = 0; t < length; ++t) {
      std::copy_n(from + static_cast<int64_t>(t) * stride + columns, size, copies[t].begin());
    }
    return copies;
  };
  const auto query = rows(args.query, args.row_stride), focus = rows(args.focus, args.row_stride),
             key = rows(args.key, args.row_stride), value = rows(args.value, args.row_stride),
             g = rows(args.d_readout, args.d_readout_stride);
  std::vector<Row> d_query(length, Row(size)), d_focus(d_query), d_key(d_query), d_value(d_query);
  Row logits(length), d_logits(length);
  for (size_t t = 0; t < length; ++t) {
    const T stored_logit = args.trace.logits[head * args.trace.stride + static_cast<int64_t>(t)];
    logits[t] = stored_logit == static_cast<T>(kWindowScanMaskedLogit) ? kWindowScanMaskedLogit
                                                                       : scale * product(focus[t], key[t]);
  }
  const auto begin = static_cast<size_t>(args.begin), end = static_cast<size_t>(args.end);
  for (size_t t = begin; t < length; ++t) {
    const auto position = static_cast<int64_t>(t);
    const auto first = static_cast<size_t>(
        std::max<int64_t>(0, position - (args.joins_sequences ? position % window : window - 1)));
    double reference = 0;
    for (size_t j = first; j <= t && !is_elu; ++j) {
      reference = std::max(reference, logits[j]);
    }
    const auto weight = [&](size_t j) {
      return is_elu && logits[j] > 0 ? logits[j] + 1 : std::exp(logits[j] - reference);
    };
    double denominator = kWindowScanEpsilon * std::exp(-reference);
    Row mean_key(size), mean_value(size);
    for (size_t j = first; j <= t; ++j) {
      denominator += weight(j);
      add(mean_key, weight(j), key[j]);
      add(mean_value, weight(j), value[j]);
    }
    for (size_t c = 0; c < size; ++c) {
      mean_key[c] /= denominator;
      mean_value[c] /= denominator;
    }
    const double gate = 1 / (1 + std::exp(-scale * product(query[t], mean_key)));
    const double d_gate_logit = gate * (1 - gate) * product(g[t], mean_value);
    Row d_mean_key(size), d_mean_value(size);
    add(d_query[t], scale * d_gate_logit, mean_key);
    add(d_mean_key, scale * d_gate_logit, query[t]);
    add(d_mean_value, gate, g[t]);
    const double mean = product(d_mean_key, mean_key) + product(d_mean_value, mean_value);
    for (size_t j = std::max(first, begin); j <= t && j < end; ++j) {
      const double normalised = weight(j) / denominator;
      const double slope = is_elu && logits[j] > 0 ? 1 / denominator : normalised; // d normalised / d logit
      add(d_key[j], normalised, d_mean_key);
      add(d_value[j], normalised, d_mean_value);
      d_logits[j] += slope * (product(key[j], d_mean_key) + product(value[j], d_mean_value) - mean);
    }
  }
  for (size_t t = begin; t < end; ++t) {
    add(d_focus[t], scale * d_logits[t], key[t]);
    add(d_key[t], scale * d_logits[t], focus[t]);
    const int64_t at = static_cast<int64_t>(t - begin) * args.d_row_stride + columns;
    const auto store = [&](const Row& row, T* to) {
      std::transform(row.begin(), row.end(), to + at, [](double x) { return static_cast<T>(x); });
    };
    store(d_query[t], args.d_query);
    store(d_focus[t], args.d_focus);
    store(d_key[t], args.d_key);
    store(d_value[t], args.d_value);
  }
}

template <class T> void window_scan_gradient_plain(const WindowScanGradientArgs<T>& args) {
  for (int64_t head = 0; head < args.num_heads; ++head) {
    gradient_of_head(args, head);
  }
}

} // namespace

void window_scan_gradient(const WindowScanGradientArgs<float>& args) {
  window_scan_gradient_plain(args);
}
void window_scan_gradient(const WindowScanGradientArgs<double>& args) {
  window_scan_gradient_plain(args);
}

} // namespace mneme::kernels::reference
