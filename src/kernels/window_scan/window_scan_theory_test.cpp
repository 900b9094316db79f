// SPDX-License-Identifier: MIT

/// Evaluates the equations of docs/theory/window_scan.md in plain loops, and compares them with the kernels.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/window_scan/window_scan.h"
#include "kernels/window_scan_gradient/window_scan_gradient.h"
#include "mneme/core/random.h"

namespace mneme::kernels {
namespace {

constexpr int64_t kTile = kWindowScanTile;
constexpr int64_t kSize = 3; // of a row
constexpr FocusWeight kBoth[] = {FocusWeight::elu, FocusWeight::exponential};
const std::vector<int64_t> kWindows = {0, 1, 2, 5, 15, 16, 17, 31, 32, 40, 57, 64, 100};

using Row = std::vector<double>;
using Rows = std::vector<Row>;

Rows normal_rows(int64_t length, uint64_t stream) {
  Random random = Random(53).stream(stream);
  Rows rows(static_cast<size_t>(length), Row(kSize));
  for (Row& row : rows) {
    std::ranges::generate(row, [&] { return random.normal(); });
  }
  return rows;
}

double dot(const Row& a, const Row& b) {
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

Row times(double factor, const Row& row) {
  Row product(row.size());
  add(product, factor, row);
  return product;
}

double max_difference(const Rows& a, const Rows& b) {
  double maximum = 0;
  for (size_t t = 0; t < a.size(); ++t) {
    for (size_t c = 0; c < a[t].size(); ++c) {
      const double difference = std::abs(a[t][c] - b[t][c]);
      maximum = std::isnan(difference) ? INFINITY : std::max(maximum, difference);
    }
  }
  return maximum;
}

/// First position that t attends to.
int64_t window_begin(int64_t window, int64_t t) {
  return window == 0 ? 0 : std::max<int64_t>(0, t - window + 1);
}
/// One past the last position that attends to j.
int64_t attending_end(int64_t window, int64_t j, int64_t length) {
  return window == 0 ? length : std::min(length, j + window);
}

/// A half-open range of positions.
struct Range {
  int64_t begin, end;
};

/// Equations (8) and (9): the ranges whose sums are added up for position t.
struct Ranges {
  Range prefix, middle, far;
};
Ranges forward_ranges(int64_t window, int64_t t) {
  const int64_t begin = window_begin(window, t);
  if (window == 0) {
    const int64_t b = t - t % kTile;
    return {{b, t + 1}, {0, b}, {0, 0}};
  }
  const bool in_tiles = window >= kTile;
  const int64_t b = t - t % (in_tiles ? kTile : window), n = in_tiles ? window / kTile - 1 : 0;
  const int64_t middle = std::max<int64_t>(0, b - n * kTile);
  return {{b, t + 1}, {middle, b}, {begin, std::max(begin, middle)}};
}
/// Equation (22): the ranges for position j of the backward pass.
Ranges backward_ranges(int64_t window, int64_t j, int64_t length) {
  const int64_t end = attending_end(window, j, length);
  const auto cut = [&](int64_t position) { return std::min(position, length); };
  if (window == 0) {
    const int64_t next = cut(j - j % kTile + kTile);
    return {{j, next}, {next, length}, {length, length}};
  }
  const bool in_tiles = window >= kTile;
  const int64_t block = in_tiles ? kTile : window, b = j - j % block, n = in_tiles ? window / kTile - 1 : 0;
  const int64_t middle = cut(b + block), far = cut(b + block + n * kTile);
  return {{j, middle}, {middle, far}, {far, std::max(far, end)}};
}

TEST(WindowScanTheory, ThreeRangesAreTheWindowInBothDirections) {
  constexpr int64_t kLength = 150;
  for (int64_t window = 0; window <= 120; ++window) {
    for (int64_t t = 0; t < kLength; ++t) {
      const Ranges forward = forward_ranges(window, t);
      ASSERT_EQ(forward.prefix.end, t + 1);
      ASSERT_EQ(forward.prefix.begin, forward.middle.end);
      if (forward.far.begin < forward.far.end) {
        ASSERT_EQ(forward.middle.begin, forward.far.end) << "window " << window << ", position " << t;
        ASSERT_EQ(forward.far.begin, window_begin(window, t));
      } else {
        ASSERT_EQ(forward.middle.begin, window_begin(window, t));
      }
      ASSERT_EQ((forward.middle.end - forward.middle.begin) % kTile, 0);

      const Ranges backward = backward_ranges(window, t, kLength);
      ASSERT_EQ(backward.prefix.begin, t);
      ASSERT_EQ(backward.prefix.end, backward.middle.begin);
      ASSERT_EQ(backward.middle.end, backward.far.begin);
      ASSERT_EQ(backward.far.end, attending_end(window, t, kLength)) << "window " << window;
    }
  }
}

TEST(WindowScanTheory, FarRowsPerTileAreBounded) {
  for (int64_t window = kTile; window <= 120; ++window) {
    const Ranges first = forward_ranges(window, 10 * kTile);
    EXPECT_EQ(first.far.end - first.far.begin, kTile - 1 + window % kTile) << "window " << window;
  }
}

/// Equation (10): the starts and sizes of the sums that make up the tiles [i, e).
std::vector<Range> dyadic(int64_t i, int64_t e, int64_t max_size) {
  std::vector<Range> sums;
  while (i < e) {
    int64_t size = 1;
    while (2 * size <= max_size && i % (2 * size) == 0 && i + 2 * size <= e) {
      size *= 2;
    }
    sums.push_back({i, i + size});
    i += size;
  }
  return sums;
}

TEST(WindowScanTheory, AnyRangeOfTilesIsTheSumOfAFewDyadicSums) {
  for (int64_t n = 1; n <= 70; ++n) {
    for (int64_t i = 0; i < 130; ++i) {
      const std::vector<Range> sums = dyadic(i, i + n, n);
      EXPECT_LE(static_cast<double>(sums.size()), 2 * std::log2(n) + 1) << n << " tiles from " << i;
      for (size_t p = 0; p < sums.size(); ++p) {
        ASSERT_EQ(sums[p].begin, p == 0 ? i : sums[p - 1].end);
      }
      ASSERT_EQ(sums.back().end, i + n);
    }
  }
}

TEST(WindowScanTheory, PrefixDifferencesLoseDigitsAndThreeRangesDoNot) {
  constexpr int64_t kLength = 1 << 16, kWindow = 4;
  Random random = Random(59).stream(1);
  std::vector<float> weights(kLength), prefix(kLength + 1);
  for (int64_t t = 0; t < kLength; ++t) {
    const auto at = static_cast<size_t>(t);
    weights[at] = static_cast<float>(0.5 + random.uniform());
    prefix[at + 1] = prefix[at] + weights[at];
  }
  double difference_error = 0, range_error = 0;
  for (int64_t t = kWindow; t < kLength; ++t) {
    const auto sum_of = [&]<class T>(Range range, T zero) {
      T sum = zero;
      for (int64_t j = range.begin; j < range.end; ++j) {
        sum += weights[static_cast<size_t>(j)];
      }
      return sum;
    };
    const Ranges ranges = forward_ranges(kWindow, t);
    const double exact = sum_of(Range{t - kWindow + 1, t + 1}, 0.0);
    const float by_difference =
        prefix[static_cast<size_t>(t) + 1] - prefix[static_cast<size_t>(t + 1 - kWindow)];
    const float by_ranges = sum_of(ranges.far, 0.0F) + sum_of(ranges.prefix, 0.0F);
    difference_error =
        std::max(difference_error, std::abs(static_cast<double>(by_difference) - exact) / exact);
    range_error = std::max(range_error, std::abs(static_cast<double>(by_ranges) - exact) / exact);
  }
  EXPECT_LT(range_error, 3e-7);
  EXPECT_GT(difference_error, 1e-3); // equation (7): about 6e-8 * 65536 / 4
}

TEST(WindowScanTheory, CompensatedSumsDoNotLoseDigitsWithLength) {
  constexpr float y = 0.1F; // equal terms: the rounding errors of a plain sum do not cancel
  float plain = 0, sum = 0, error = 0;
  double exact = 0;
  for (int64_t i = 0; i < 1 << 20; ++i) {
    exact += static_cast<double>(y);
    plain += y;
    const float s = sum + y, of_y = s - sum; // equation (11)
    error += (sum - (s - of_y)) + (y - of_y);
    sum = s + error;
    error -= sum - s;
  }
  EXPECT_LT(std::abs(static_cast<double>(sum) - exact) / exact, 1e-7);
  EXPECT_GT(std::abs(static_cast<double>(plain) - exact) / exact, 1e-3);
}

/// Sums of equation (3), stored as in (12).
struct WindowSum {
  double reference = 0, weight = 0;
  Row keys = Row(kSize), values = Row(kSize);
};

struct Sequence {
  int64_t length;
  FocusWeight focus_weight;
  double scale = 1 / std::sqrt(static_cast<double>(kSize));
  Rows query, focus, key, value;

  Sequence(int64_t tokens, FocusWeight weight)
      : length(tokens), focus_weight(weight), query(normal_rows(tokens, 1)), focus(normal_rows(tokens, 2)),
        key(normal_rows(tokens, 3)), value(normal_rows(tokens, 4)) {}

  /// Makes the focus logits uniformly distributed between -size and size.
  void set_logits(double size) {
    Random random = Random(67).stream(1);
    for (size_t t = 0; t < focus.size(); ++t) {
      focus[t] = times(size * (2 * random.uniform() - 1) / (scale * dot(key[t], key[t])), key[t]);
    }
  }

  double logit(int64_t t) const { // (1)
    return scale * dot(focus[static_cast<size_t>(t)], key[static_cast<size_t>(t)]);
  }
  double weight(double logit) const { // (2)
    return focus_weight == FocusWeight::elu && logit > 0 ? logit + 1 : std::exp(logit);
  }
  double slope(double logit) const { // phi' of (20)
    return focus_weight == FocusWeight::elu && logit > 0 ? 1 : std::exp(logit);
  }

  /// (3) and (12), from left to right.
  WindowSum sum(Range range) const {
    WindowSum total;
    for (int64_t j = range.begin; j < range.end; ++j) {
      double l = logit(j);
      if (focus_weight == FocusWeight::exponential && l > total.reference + 60) {
        const double factor = std::exp(total.reference - l);
        total = {l, total.weight * factor, times(factor, total.keys), times(factor, total.values)};
      }
      const double w = focus_weight == FocusWeight::elu ? weight(l) : std::exp(l - total.reference);
      total.weight += w;
      add(total.keys, w, key[static_cast<size_t>(j)]);
      add(total.values, w, value[static_cast<size_t>(j)]);
    }
    return total;
  }
};

/// (14)
WindowSum merge(const WindowSum& a, const WindowSum& b) {
  const double reference = std::max(a.reference, b.reference);
  const double factor_a = std::exp(a.reference - reference), factor_b = std::exp(b.reference - reference);
  WindowSum total{reference, a.weight * factor_a + b.weight * factor_b, times(factor_a, a.keys),
                  times(factor_a, a.values)};
  add(total.keys, factor_b, b.keys);
  add(total.values, factor_b, b.values);
  return total;
}

/// (13)
double denominator(const WindowSum& sum) {
  return sum.weight + kWindowScanEpsilon * std::exp(-sum.reference);
}

/// (5) and (6)
double gate_logit(const Sequence& x, int64_t t, const WindowSum& sum) {
  return x.scale * dot(x.query[static_cast<size_t>(t)], sum.keys) / denominator(sum);
}
double sigmoid(double u) {
  return 1 / (1 + std::exp(-u));
}
Row readout(const Sequence& x, int64_t t, const WindowSum& sum) {
  return times(sigmoid(gate_logit(x, t, sum)) / denominator(sum), sum.values);
}

/// Readouts of equations (1) to (6), one pass over every window.
Rows readouts(const Sequence& x, int64_t window) {
  Rows rows;
  for (int64_t t = 0; t < x.length; ++t) {
    rows.push_back(readout(x, t, x.sum({window_begin(window, t), t + 1})));
  }
  return rows;
}

/// Flat arrays for the kernels, with one head.
class KernelRun {
public:
  KernelRun(const Sequence& x, int64_t window)
      : x_(x), window_(window), query_(flat(x.query)), focus_(flat(x.focus)), key_(flat(x.key)),
        value_(flat(x.value)), readout_(query_.size()), tracks_(static_cast<size_t>(4 * x.length)),
        carries_(static_cast<size_t>((x.length + kTile - 1) / kTile * window_scan_carry_size(kSize))) {}

  /// The tokens [first, end), with the trace.
  WindowScanArgs<double> args(int64_t first, int64_t end) {
    const int64_t at = first * kSize;
    double* track = tracks_.data();
    return {query_.data() + at,
            focus_.data() + at,
            key_.data() + at,
            value_.data() + at,
            kSize,
            &window_,
            x_.scale,
            x_.focus_weight,
            readout_.data() + at,
            kSize,
            nullptr,
            first,
            {track, track + x_.length, track + 2 * x_.length, track + 3 * x_.length, x_.length,
             carries_.data(), static_cast<int64_t>(carries_.size())},
            end - first,
            1,
            kSize,
            {},
            nullptr};
  }
  Rows readouts() const { return rows(readout_); }

  /// Gradients of query, focus, key and value.
  std::vector<Rows> gradients(const Rows& d_readout) {
    window_scan(args(0, x_.length));
    const std::vector<double> g = flat(d_readout);
    std::vector<std::vector<double>> d(4, std::vector<double>(query_.size()));
    std::vector<double> state(static_cast<size_t>(window_scan_gradient_state_size(window_, kSize)));
    const double* track = tracks_.data();
    window_scan_gradient(WindowScanGradientArgs<double>{query_.data(),
                                                        focus_.data(),
                                                        key_.data(),
                                                        value_.data(),
                                                        kSize,
                                                        &window_,
                                                        x_.scale,
                                                        x_.focus_weight,
                                                        readout_.data(),
                                                        kSize,
                                                        g.data(),
                                                        kSize,
                                                        {track, track + x_.length, track + 2 * x_.length,
                                                         track + 3 * x_.length, x_.length, carries_.data(),
                                                         static_cast<int64_t>(carries_.size())},
                                                        d[0].data(),
                                                        d[1].data(),
                                                        d[2].data(),
                                                        d[3].data(),
                                                        kSize,
                                                        state.data(),
                                                        0,
                                                        x_.length,
                                                        x_.length,
                                                        1,
                                                        kSize,
                                                        {}});
    return {rows(d[0]), rows(d[1]), rows(d[2]), rows(d[3])};
  }

private:
  static std::vector<double> flat(const Rows& rows) {
    std::vector<double> numbers;
    for (const Row& row : rows) {
      numbers.insert(numbers.end(), row.begin(), row.end());
    }
    return numbers;
  }
  static Rows rows(const std::vector<double>& numbers) {
    Rows all;
    for (size_t at = 0; at < numbers.size(); at += kSize) {
      all.emplace_back(numbers.begin() + static_cast<std::ptrdiff_t>(at),
                       numbers.begin() + static_cast<std::ptrdiff_t>(at) + kSize);
    }
    return all;
  }

  const Sequence& x_;
  int64_t window_;
  std::vector<double> query_, focus_, key_, value_, readout_, tracks_, carries_;
};

TEST(WindowScanTheory, ReadoutsFromThreeRangesEqualOnePassAndTheKernel) {
  for (const FocusWeight focus_weight : kBoth) {
    for (const double logits : {3.0, 90.0, 650.0}) {
      Sequence x(133, focus_weight);
      x.set_logits(logits);
      for (const int64_t window : kWindows) {
        const Rows expected = readouts(x, window);
        Rows merged;
        for (int64_t t = 0; t < x.length; ++t) {
          const Ranges ranges = forward_ranges(window, t);
          merged.push_back(
              readout(x, t, merge(merge(x.sum(ranges.far), x.sum(ranges.middle)), x.sum(ranges.prefix))));
        }
        EXPECT_LT(max_difference(merged, expected), 1e-13 * logits) << "window " << window;
        KernelRun kernel(x, window);
        window_scan(kernel.args(0, x.length));
        EXPECT_LT(max_difference(kernel.readouts(), expected), 1e-13 * logits) << "window " << window;
      }
    }
  }
}

TEST(WindowScanTheory, MergedChunkStatesEqualTheOnePassMean) {
  for (const FocusWeight focus_weight : kBoth) {
    for (const double logits : {3.0, 300.0}) {
      Sequence x(160, focus_weight);
      x.set_logits(logits);
      const Row expected = readout(x, x.length - 1, x.sum({0, x.length}));
      for (const int64_t chunk : {16, 48, 80}) {
        std::vector<WindowSum> states;
        for (int64_t begin = 0; begin < x.length; begin += chunk) {
          states.push_back(x.sum({begin, std::min(begin + chunk, x.length)}));
        }
        WindowSum from_left, from_right;
        for (size_t i = 0; i < states.size(); ++i) {
          from_left = merge(from_left, states[i]);
          from_right = merge(states[states.size() - 1 - i], from_right);
        }
        for (const WindowSum& merged : {from_left, from_right}) {
          EXPECT_LT(max_difference({readout(x, x.length - 1, merged)}, {expected}), 1e-13 * logits)
              << "chunks of " << chunk;
        }
      }
    }
  }
}

/// Equations (16) to (23): gradients of query, focus, key and value of sum of d_readout . readout. Sums over
/// attending positions are relative to the reference M of (23).
std::vector<Rows> gradients(const Sequence& x, int64_t window, const Rows& d_readout) {
  const Rows zeros(static_cast<size_t>(x.length), Row(kSize));
  std::vector<Rows> d(4, zeros);
  Row query_coef, grad_coef, d_denominator, references;
  for (int64_t t = 0; t < x.length; ++t) {
    const auto at = static_cast<size_t>(t);
    const WindowSum sum = x.sum({window_begin(window, t), t + 1});
    const double u = gate_logit(x, t, sum), g_o = dot(d_readout[at], readout(x, t, sum));
    const double du = sigmoid(-u) * g_o;                         // (16)
    query_coef.push_back(x.scale * du / denominator(sum));       // (17)
    grad_coef.push_back(sigmoid(u) / denominator(sum));          // (17)
    d_denominator.push_back(-(u * du + g_o) / denominator(sum)); // (17)
    references.push_back(sum.reference);
    d[0][at] = times(query_coef.back(), sum.keys); // (18)
  }
  for (int64_t j = 0; j < x.length; ++j) {
    const auto at = static_cast<size_t>(j);
    const Ranges ranges = backward_ranges(window, j, x.length);
    double m = -INFINITY;
    for (int64_t i = j; i < attending_end(window, j, x.length); ++i) {
      m = std::max(m, -references[static_cast<size_t>(i)]);
    }
    Row p(kSize), r(kSize);
    double z = 0;
    for (const Range range : {ranges.prefix, ranges.middle, ranges.far}) { // (22)
      for (int64_t i = range.begin; i < range.end; ++i) {                  // (19), (23)
        const auto k = static_cast<size_t>(i);
        const double factor = std::exp(-references[k] - m);
        add(p, factor * query_coef[k], x.query[k]);
        add(r, factor * grad_coef[k], d_readout[k]);
        z += factor * d_denominator[k];
      }
    }
    const double l = x.logit(j);
    const bool is_elu = x.focus_weight == FocusWeight::elu;
    const double w = is_elu ? x.weight(l) : std::exp(l + m);
    const double dl = (is_elu ? x.slope(l) : w) * (dot(x.key[at], p) + dot(x.value[at], r) + z); // (20)
    d[1][at] = times(x.scale * dl, x.key[at]);                                                   // (21)
    d[2][at] = times(w, p);
    add(d[2][at], x.scale * dl, x.focus[at]);
    d[3][at] = times(w, r);
  }
  return d;
}

TEST(WindowScanTheory, BackwardEquationsEqualFiniteDifferences) {
  constexpr double kStep = 1e-5;
  for (const FocusWeight focus_weight : kBoth) {
    for (const int64_t window : {0, 1, 5, 17, 20}) {
      Sequence x(41, focus_weight);
      const Rows d_readout = normal_rows(x.length, 5);
      const std::vector<Rows> d = gradients(x, window, d_readout);
      const auto loss = [&] {
        const Rows o = readouts(x, window);
        double total = 0;
        for (size_t t = 0; t < o.size(); ++t) {
          total += dot(d_readout[t], o[t]);
        }
        return total;
      };
      Rows* const inputs[] = {&x.query, &x.focus, &x.key, &x.value};
      for (size_t input = 0; input < 4; ++input) {
        for (size_t t = input; t < static_cast<size_t>(x.length); t += 7) {
          for (size_t c = 0; c < kSize; ++c) {
            double& number = (*inputs[input])[t][c];
            const double before = number;
            number = before + kStep;
            const double above = loss();
            number = before - kStep;
            const double slope = (above - loss()) / (2 * kStep);
            number = before;
            EXPECT_NEAR(d[input][t][c], slope, 1e-8 * (1 + std::abs(slope)))
                << "input " << input << ", position " << t << ", window " << window;
          }
        }
      }
    }
  }
}

TEST(WindowScanTheory, BackwardEquationsEqualTheKernel) {
  for (const FocusWeight focus_weight : kBoth) {
    for (const double logits : {3.0, 90.0, 250.0}) {
      Sequence x(133, focus_weight);
      x.set_logits(logits);
      const Rows d_readout = normal_rows(x.length, 5);
      for (const int64_t window : kWindows) {
        const std::vector<Rows> expected = gradients(x, window, d_readout);
        const std::vector<Rows> actual = KernelRun(x, window).gradients(d_readout);
        for (size_t input = 0; input < 4; ++input) {
          double maximum = 1;
          for (const Row& row : expected[input]) {
            for (const double number : row) {
              maximum = std::max(maximum, std::abs(number));
            }
          }
          EXPECT_LT(max_difference(actual[input], expected[input]), 1e-14 * logits * maximum)
              << "input " << input << ", window " << window << ", logits to " << logits;
        }
      }
    }
  }
}

/// Equation (24).
int64_t state_size(int64_t window, int64_t head_size) {
  const auto rounded_up = [](int64_t items) { return (items + kTile - 1) / kTile * kTile; };
  const int64_t sum = 2 * rounded_up(head_size) + kTile;
  if (window == 0) {
    return 3 * sum;
  }
  const int64_t n = window < kTile ? 0 : window / kTile - 1;
  int64_t sums = 1;
  for (int64_t power = 1; power <= n; power *= 2) {
    sums += static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(n / power + 2)));
  }
  return sums * sum + rounded_up(window) + rounded_up(2 * window * head_size);
}

TEST(WindowScanTheory, StateHasTheDerivedSizeAndContinuesTheEquations) {
  EXPECT_EQ(4 * window_scan_state_size(0, 64), 1728); // bytes in float32, as on the page
  EXPECT_EQ(4 * window_scan_state_size(16, 64), 8832);
  EXPECT_EQ(4 * window_scan_state_size(256, 64), 167232);
  for (const int64_t window : {0, 1, 15, 16, 17, 31, 32, 100, 256, 4096}) {
    for (const int64_t head_size : {1, 16, 64, 65}) {
      EXPECT_EQ(window_scan_state_size(window, head_size), state_size(window, head_size)) << window;
    }
  }
  const Sequence x(133, FocusWeight::exponential);
  for (const int64_t window : kWindows) {
    KernelRun kernel(x, window);
    std::vector<double> state(static_cast<size_t>(window_scan_state_size(window, kSize)));
    for (int64_t t = 0; t < x.length; ++t) { // one token per call, as in generation
      WindowScanArgs<double> step = kernel.args(t, t + 1);
      step.state = state.data();
      window_scan(step);
    }
    EXPECT_LT(max_difference(kernel.readouts(), readouts(x, window)), 1e-13) << "window " << window;
  }
}

} // namespace
} // namespace mneme::kernels
