// SPDX-License-Identifier: MIT

/// Evaluates the equations of docs/theory/streaming_attention.md in plain loops, and compares them with the
/// kernels.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "each_cpu_target.h"
#include "kernels/normed_association/normed_association.h"
#include "kernels/softmax_change/softmax_change.h"
#include "kernels/softmax_projection/softmax_projection.h"
#include "kernels/softmax_projection_gradient/softmax_projection_gradient.h"
#include "mneme/core/random.h"

namespace mneme::kernels {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kLowest = std::numeric_limits<double>::lowest();
constexpr double kRounding = 1e-13;

/// Row-major matrix.
struct Matrix {
  int64_t rows = 0, columns = 0;
  std::vector<double> elements;

  Matrix(int64_t r, int64_t c) : rows(r), columns(c), elements(static_cast<size_t>(r * c)) {}
  double& at(int64_t r, int64_t c) { return elements[static_cast<size_t>(r * columns + c)]; }
  double at(int64_t r, int64_t c) const { return elements[static_cast<size_t>(r * columns + c)]; }
  double* row(int64_t r) { return elements.data() + r * columns; }
  const double* row(int64_t r) const { return elements.data() + r * columns; }
};

Matrix normals(uint64_t stream, int64_t rows, int64_t columns, double scale = 1) {
  Random random = Random(71).stream(stream);
  Matrix matrix(rows, columns);
  std::ranges::generate(matrix.elements, [&] { return scale * random.normal(); });
  return matrix;
}

double dot(const double* a, const double* b, int64_t size) {
  return std::inner_product(a, a + size, b, 0.0);
}

double norm(const Matrix& a) { // Frobenius
  return std::sqrt(dot(a.elements.data(), a.elements.data(), std::ssize(a.elements)));
}

void expect_near(const std::vector<double>& actual, const std::vector<double>& expected, double tolerance,
                 const char* what) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    EXPECT_NEAR(actual[i], expected[i], tolerance * (1 + std::abs(expected[i]))) << what << ", element " << i;
  }
}

/// d loss / d input by central differences.
std::vector<double> finite_differences(std::vector<double>& input, const std::function<double()>& loss) {
  constexpr double kStep = 1e-5;
  std::vector<double> gradient;
  for (double& x : input) {
    const double original = x;
    x = original + kStep;
    const double up = loss();
    x = original - kStep;
    const double down = loss();
    x = original;
    gradient.push_back((up - down) / (2 * kStep));
  }
  return gradient;
}
constexpr double kDifferenceError = 1e-8; // of the gradient: about kStep^2, and rounding / kStep

/// m, l and o of one query over some stored patterns.
struct State {
  double m = kLowest, l = 0;
  std::vector<double> o;
};

/// Operands of equation (1).
struct Problem {
  Matrix q = normals(1, 5, 4), k = normals(2, 23, 4), v = normals(3, 23, 3), bias = normals(4, 5, 23, 0.5);
  Matrix g = normals(5, 5, 3); // d loss / d o
  double beta = 0.7;
  PhiloxDropout dropout = {.probability = 0.3, .seed = 0x123456789AB, .first_query = 7, .first_stored = 6};

  Problem() {
    for (int64_t i = 0; i < q.rows; ++i) {
      for (int64_t j = i; j < k.rows; j += 5) {
        bias.at(i, j) = -kInfinity; // masked
      }
    }
  }

  double score(int64_t i, int64_t j) const {
    return beta * dot(q.row(i), k.row(j), q.columns) + bias.at(i, j);
  }
  double z(int64_t i, int64_t j) const { return dropout.factor(i, j); }

  /// (2) for the stored patterns begin .. end - 1.
  State one_pass(int64_t i, int64_t begin, int64_t end) const {
    State state;
    for (int64_t j = begin; j < end; ++j) {
      state.m = std::max(state.m, score(i, j));
    }
    state.o.assign(static_cast<size_t>(v.columns), 0);
    for (int64_t j = begin; j < end; ++j) {
      const double e = std::exp(score(i, j) - state.m);
      state.l += e;
      for (int64_t c = 0; c < v.columns; ++c) {
        state.o[static_cast<size_t>(c)] += e * z(i, j) * v.at(j, c);
      }
    }
    for (double& x : state.o) {
      x = state.l == 0 ? 0 : x / state.l;
    }
    return state;
  }

  /// Weights P of (1), without dropout.
  Matrix weights() const {
    Matrix p(q.rows, k.rows);
    for (int64_t i = 0; i < q.rows; ++i) {
      double sum = 0;
      for (int64_t j = 0; j < k.rows; ++j) {
        sum += std::exp(score(i, j));
      }
      for (int64_t j = 0; j < k.rows; ++j) {
        p.at(i, j) = std::exp(score(i, j)) / sum;
      }
    }
    return p;
  }

  /// o of (1).
  Matrix readout() const {
    const Matrix p = weights();
    Matrix o(q.rows, v.columns);
    for (int64_t i = 0; i < q.rows; ++i) {
      for (int64_t j = 0; j < k.rows; ++j) {
        for (int64_t c = 0; c < v.columns; ++c) {
          o.at(i, c) += p.at(i, j) * z(i, j) * v.at(j, c);
        }
      }
    }
    return o;
  }

  double loss() const {
    const Matrix o = readout();
    return dot(o.elements.data(), g.elements.data(), std::ssize(o.elements));
  }

  ScoreMask<double> mask() const { return {.attention_bias = bias.elements.data(), .stride = k.rows}; }

  /// The forward kernel over the stored patterns begin .. end - 1.
  std::vector<State> kernel(int64_t begin, int64_t end) const {
    Matrix o(q.rows, v.columns);
    std::vector<double> m(static_cast<size_t>(q.rows)), l(m.size());
    softmax_projection(SoftmaxProjectionArgs<double>{.queries = q.elements.data(),
                                                     .stored = k.row(begin),
                                                     .values = v.row(begin),
                                                     .beta = beta,
                                                     .readout = o.elements.data(),
                                                     .row_max = m.data(),
                                                     .row_sum = l.data(),
                                                     .num_queries = q.rows,
                                                     .num_stored = end - begin,
                                                     .size = q.columns,
                                                     .value_size = v.columns,
                                                     .mask = mask().at(0, begin),
                                                     .dropout = dropout.at(0, begin)});
    std::vector<State> states;
    for (int64_t i = 0; i < q.rows; ++i) {
      states.push_back({m[static_cast<size_t>(i)], l[static_cast<size_t>(i)],
                        std::vector<double>(o.row(i), o.row(i) + o.columns)});
    }
    return states;
  }
};

void expect_same_state(const State& actual, const State& expected, const char* what) {
  EXPECT_NEAR(actual.m, expected.m, kRounding) << what;
  EXPECT_NEAR(actual.l, expected.l, kRounding * expected.l) << what;
  expect_near(actual.o, expected.o, kRounding, what);
}

TEST(StreamingAttention, OnlineSoftmaxOverTilesEqualsOnePass) { // (1), (2), (3)
  const Problem problem;
  const Matrix expected = problem.readout();
  for (int64_t i = 0; i < problem.q.rows; ++i) {
    const State one_pass = problem.one_pass(i, 0, problem.k.rows);
    expect_near(one_pass.o, {expected.row(i), expected.row(i) + expected.columns}, kRounding, "(2)");
    for (const int64_t tile : {1, 2, 7, 23}) {
      double m = kLowest, l = 0;
      std::vector<double> a(static_cast<size_t>(problem.v.columns));
      for (int64_t first = 0; first < problem.k.rows; first += tile) {
        const int64_t last = std::min(first + tile, problem.k.rows);
        double new_m = m;
        for (int64_t j = first; j < last; ++j) {
          new_m = std::max(new_m, problem.score(i, j));
        }
        const double c = std::exp(m - new_m);
        l *= c;
        std::ranges::for_each(a, [&](double& x) { x *= c; });
        for (int64_t j = first; j < last; ++j) {
          const double e = std::exp(problem.score(i, j) - new_m);
          l += e;
          for (size_t column = 0; column < a.size(); ++column) {
            a[column] += e * problem.z(i, j) * problem.v.at(j, static_cast<int64_t>(column));
          }
        }
        m = new_m;
      }
      std::ranges::for_each(a, [&](double& x) { x /= l; });
      expect_same_state({m, l, a}, one_pass, "(3)");
    }
  }
  test::on_each_cpu_target([&] {
    const std::vector<State> states = problem.kernel(0, problem.k.rows);
    for (int64_t i = 0; i < problem.q.rows; ++i) {
      expect_same_state(states[static_cast<size_t>(i)], problem.one_pass(i, 0, problem.k.rows), "kernel");
    }
  });
}

State merged(const State& a, const State& b) { // (4)
  State state{.m = std::max(a.m, b.m), .o = std::vector<double>(a.o.size())};
  const double of_a = a.l * std::exp(a.m - state.m), of_b = b.l * std::exp(b.m - state.m);
  state.l = of_a + of_b;
  for (size_t c = 0; c < a.o.size(); ++c) {
    state.o[c] = state.l == 0 ? 0 : (of_a * a.o[c] + of_b * b.o[c]) / state.l;
  }
  return state;
}

TEST(StreamingAttention, MergeOfChunksEqualsOnePass) { // (4), (5)
  const Problem problem;
  const int64_t n = problem.k.rows;
  const State empty{.o = std::vector<double>(static_cast<size_t>(problem.v.columns))};
  for (int64_t i = 0; i < problem.q.rows; ++i) {
    const State all = problem.one_pass(i, 0, n);
    for (int64_t cut = 0; cut <= n; ++cut) {
      const State a = problem.one_pass(i, 0, cut), b = problem.one_pass(i, cut, n);
      expect_same_state(merged(a, b), all, "(4)");
      expect_same_state(merged(b, a), all, "(4), other order");
      if (a.l == 0 || b.l == 0) {
        continue;
      }
      const double lse_a = a.m + std::log(a.l), lse_b = b.m + std::log(b.l);
      const double lse = std::log(std::exp(lse_a) + std::exp(lse_b));
      EXPECT_NEAR(lse, all.m + std::log(all.l), kRounding);
      for (size_t c = 0; c < all.o.size(); ++c) {
        EXPECT_NEAR(std::exp(lse_a - lse) * a.o[c] + std::exp(lse_b - lse) * b.o[c], all.o[c], kRounding);
      }
    }
    expect_same_state(merged(all, empty), all, "neutral element");
    const State a = problem.one_pass(i, 0, 5), b = problem.one_pass(i, 5, 11), c = problem.one_pass(i, 11, n);
    expect_same_state(merged(merged(a, b), c), merged(a, merged(b, c)), "associative");
  }
  test::on_each_cpu_target([&] {
    const std::vector<State> all = problem.kernel(0, n), a = problem.kernel(0, 9), b = problem.kernel(9, n);
    for (size_t i = 0; i < all.size(); ++i) {
      expect_same_state(merged(a[i], b[i]), all[i], "chunks of the kernel");
    }
  });
}

TEST(StreamingAttention, MaskedPairsHaveNoWeight) { // (6)
  Problem problem;
  for (int64_t j = 0; j < problem.k.rows; ++j) {
    problem.bias.at(2, j) = -kInfinity; // a query whose patterns are all masked
  }
  test::on_each_cpu_target([&] {
    const std::vector<State> states = problem.kernel(0, problem.k.rows);
    EXPECT_EQ(states[2].l, 0);
    EXPECT_EQ(states[2].o, std::vector<double>(3, 0.0));
    for (int64_t j = 0; j < problem.k.rows; ++j) { // a chunk of one pattern
      const std::vector<State> one = problem.kernel(j, j + 1);
      for (int64_t i = 0; i < problem.q.rows; ++i) {
        EXPECT_EQ(one[static_cast<size_t>(i)].l, problem.bias.at(i, j) == -kInfinity ? 0 : 1);
      }
    }
  });
}

TEST(StreamingAttention, DropoutFactorsDependOnSeedAndPositionAlone) { // (7)
  const PhiloxDropout dropout{.probability = 0.3, .seed = 0xABCDEF0123456789, .first_query = 3};
  double mean = 0;
  constexpr int64_t kQueries = 100, kStored = 1000;
  for (int64_t i = 0; i < kQueries; ++i) {
    for (int64_t j = 0; j < kStored; ++j) {
      const auto group = static_cast<uint32_t>(j / 4), row = static_cast<uint32_t>(i + 3);
      const uint32_t word =
          philox4x32({group, 0, row, 0}, {0x23456789, 0xABCDEF01})[static_cast<size_t>(j % 4)];
      const double z = static_cast<double>(word) < 0.3 * 4294967296.0 - 1 ? 0 : 1 / (1 - 0.3);
      ASSERT_EQ(dropout.factor(i, j), z);
      ASSERT_EQ(dropout.at(i, j).factor(0, 0), z);
      mean += z / (kQueries * kStored);
    }
  }
  EXPECT_NEAR(mean, 1, 6 * std::sqrt(0.3 / 0.7 / (kQueries * kStored)));
}

/// Gradients of (1) with respect to q, k, v and beta.
struct Gradients {
  Matrix scaled_q, q, k, v;
  double beta = 0;
};

Gradients gradients_of(const Problem& problem) { // (8) to (14)
  const Matrix p = problem.weights(), o = problem.readout();
  Gradients d{Matrix(5, 4), Matrix(5, 4), Matrix(23, 4), Matrix(23, 3)};
  for (int64_t i = 0; i < problem.q.rows; ++i) {
    const State state = problem.one_pass(i, 0, problem.k.rows);
    std::vector<double> dp;
    double delta = 0; // (10)
    for (int64_t j = 0; j < problem.k.rows; ++j) {
      dp.push_back(problem.z(i, j) * dot(problem.g.row(i), problem.v.row(j), 3)); // (9)
      delta += p.at(i, j) * dp.back();
    }
    EXPECT_NEAR(delta, dot(problem.g.row(i), o.row(i), 3), kRounding); // (11)
    for (int64_t j = 0; j < problem.k.rows; ++j) {
      const double ds = p.at(i, j) * (dp[static_cast<size_t>(j)] - delta); // (10)
      const double e = std::exp(problem.score(i, j) - state.m);
      EXPECT_NEAR(e / state.l, p.at(i, j), kRounding); // (13)
      std::vector<double> g_over_l(problem.g.row(i), problem.g.row(i) + 3);
      std::ranges::for_each(g_over_l, [&](double& x) { x /= state.l; });
      EXPECT_NEAR(e * (problem.z(i, j) * dot(g_over_l.data(), problem.v.row(j), 3) - delta / state.l), ds,
                  kRounding); // (14)
      for (int64_t c = 0; c < 3; ++c) {
        const double dv = p.at(i, j) * problem.z(i, j) * problem.g.at(i, c);                // (8)
        EXPECT_NEAR(e * problem.z(i, j) * g_over_l[static_cast<size_t>(c)], dv, kRounding); // (14)
        d.v.at(j, c) += dv;
      }
      for (int64_t c = 0; c < 4; ++c) { // (12)
        d.scaled_q.at(i, c) += ds * problem.k.at(j, c);
        d.k.at(j, c) += ds * problem.beta * problem.q.at(i, c);
      }
    }
    for (int64_t c = 0; c < 4; ++c) {
      d.q.at(i, c) = problem.beta * d.scaled_q.at(i, c);
    }
    d.beta += dot(problem.q.row(i), d.scaled_q.row(i), 4);
  }
  return d;
}

TEST(StreamingAttention, BackwardEqualsFiniteDifferences) { // (8) to (12)
  Problem problem;
  const Gradients d = gradients_of(problem);
  const auto loss = [&] { return problem.loss(); };
  expect_near(d.q.elements, finite_differences(problem.q.elements, loss), kDifferenceError, "dq");
  expect_near(d.k.elements, finite_differences(problem.k.elements, loss), kDifferenceError, "dk");
  expect_near(d.v.elements, finite_differences(problem.v.elements, loss), kDifferenceError, "dv");
  std::vector<double> beta{problem.beta};
  const auto loss_of_beta = [&] {
    problem.beta = beta[0];
    return problem.loss();
  };
  expect_near({d.beta}, finite_differences(beta, loss_of_beta), kDifferenceError, "dbeta");
}

TEST(StreamingAttention, BackwardKernelAddsUpChunks) { // (13), (14)
  const Problem problem;
  const Gradients expected = gradients_of(problem);
  const Matrix o = problem.readout();
  Matrix scaled_q = problem.q;
  std::ranges::for_each(scaled_q.elements, [&](double& x) { x *= problem.beta; });
  std::vector<double> m, l, delta;
  for (int64_t i = 0; i < problem.q.rows; ++i) {
    const State state = problem.one_pass(i, 0, problem.k.rows);
    m.push_back(state.m);
    l.push_back(state.l);
    delta.push_back(dot(problem.g.row(i), o.row(i), 3)); // (11)
  }
  test::on_each_cpu_target([&] {
    Matrix d_q(5, 4), d_k(23, 4), d_v(23, 3);
    for (const int64_t first : {0, 9}) {
      softmax_projection_gradient(
          SoftmaxProjectionGradientArgs<double>{.queries = scaled_q.elements.data(),
                                                .stored = problem.k.row(first),
                                                .values = problem.v.row(first),
                                                .row_max = m.data(),
                                                .row_sum = l.data(),
                                                .d_readout = problem.g.elements.data(),
                                                .delta = delta.data(),
                                                .d_queries = d_q.elements.data(),
                                                .d_stored = d_k.row(first),
                                                .d_values = d_v.row(first),
                                                .num_queries = 5,
                                                .num_stored = first == 0 ? 9 : 23 - 9,
                                                .size = 4,
                                                .value_size = 3,
                                                .mask = problem.mask().at(0, first),
                                                .dropout = problem.dropout.at(0, first)});
    }
    expect_near(d_q.elements, expected.scaled_q.elements, kRounding, "d_queries");
    expect_near(d_k.elements, expected.k.elements, kRounding, "d_stored");
    expect_near(d_v.elements, expected.v.elements, kRounding, "d_values");
  });
}

/// Pooling of one bag by one projected query s: (15), evaluated literally, and folded: (16) to (21).
struct Pooling {
  static constexpr int64_t kRows = 40, kFeatures = 6, kHead = 3, kOut = 2;
  static constexpr double kEpsilon = 1e-3;
  Matrix y = normals(11, kRows, kFeatures), s = normals(12, 1, kHead);
  Matrix key_weight = normals(13, kHead, kFeatures), value_weight = normals(14, kOut, kFeatures);
  Matrix key_gain = normals(15, 1, kFeatures), key_shift = normals(16, 1, kFeatures);
  Matrix value_gain = normals(17, 1, kFeatures), value_shift = normals(18, 1, kFeatures);
  Matrix key_bias = normals(19, 1, kHead), value_bias = normals(20, 1, kOut);
  Matrix g = normals(21, 1, kFeatures); // d loss / d u

  static double mean(const double* x) { return std::accumulate(x, x + kFeatures, 0.0) / kFeatures; }
  double sigma(int64_t n) const {
    double variance = 0;
    for (int64_t c = 0; c < kFeatures; ++c) {
      variance += std::pow(y.at(n, c) - mean(y.row(n)), 2) / kFeatures;
    }
    return std::sqrt(variance + kEpsilon);
  }
  std::vector<double> h(int64_t n) const {
    std::vector<double> result;
    for (int64_t c = 0; c < kFeatures; ++c) {
      result.push_back((y.at(n, c) - mean(y.row(n))) / sigma(n));
    }
    return result;
  }
  /// weight . (gain o h + shift) + bias
  static std::vector<double> projected(const Matrix& weight, const Matrix& gain, const Matrix& shift,
                                       const Matrix& bias, const std::vector<double>& h) {
    std::vector<double> result(bias.elements);
    for (int64_t r = 0; r < weight.rows; ++r) {
      for (int64_t c = 0; c < kFeatures; ++c) {
        result[static_cast<size_t>(r)] +=
            weight.at(r, c) * (gain.at(0, c) * h[static_cast<size_t>(c)] + shift.at(0, c));
      }
    }
    return result;
  }
  /// Softmax weights of the rows; `score(n)` is the score of row n.
  static std::vector<double> softmax(const std::function<double(int64_t)>& score) {
    std::vector<double> p;
    for (int64_t n = 0; n < kRows; ++n) {
      p.push_back(std::exp(score(n)));
    }
    const double sum = std::accumulate(p.begin(), p.end(), 0.0);
    std::ranges::for_each(p, [&](double& x) { x /= sum; });
    return p;
  }
  std::vector<double> folded_query() const { // w of (16)
    std::vector<double> w;
    for (int64_t c = 0; c < kFeatures; ++c) {
      double sum = 0;
      for (int64_t r = 0; r < kHead; ++r) {
        sum += key_weight.at(r, c) * s.at(0, r);
      }
      w.push_back(key_gain.at(0, c) * sum);
    }
    return w;
  }
  /// u = sum of p_n h_n for a folded query.
  std::vector<double> pooled(const std::vector<double>& w) const {
    const auto p = softmax([&](int64_t n) { return dot(w.data(), h(n).data(), kFeatures); });
    std::vector<double> u(kFeatures);
    for (int64_t n = 0; n < kRows; ++n) {
      for (int64_t c = 0; c < kFeatures; ++c) {
        u[static_cast<size_t>(c)] += p[static_cast<size_t>(n)] * h(n)[static_cast<size_t>(c)];
      }
    }
    return u;
  }
};

TEST(StreamingAttention, LayerNormAndProjectionsMoveOutOfTheSum) { // (15) to (19)
  const Pooling bag;
  constexpr int64_t kFeatures = Pooling::kFeatures;
  const auto key = [&](int64_t n) {
    return Pooling::projected(bag.key_weight, bag.key_gain, bag.key_shift, bag.key_bias, bag.h(n));
  };
  const auto p =
      Pooling::softmax([&](int64_t n) { return dot(bag.s.row(0), key(n).data(), Pooling::kHead); });
  std::vector<double> literal(Pooling::kOut);
  for (int64_t n = 0; n < Pooling::kRows; ++n) {
    const auto value =
        Pooling::projected(bag.value_weight, bag.value_gain, bag.value_shift, bag.value_bias, bag.h(n));
    for (size_t c = 0; c < literal.size(); ++c) {
      literal[c] += p[static_cast<size_t>(n)] * value[c];
    }
  }

  const std::vector<double> w = bag.folded_query(), u = bag.pooled(w);
  const double constant =
      dot(bag.s.row(0), key(0).data(), Pooling::kHead) - dot(w.data(), bag.h(0).data(), kFeatures);
  std::vector<double> centred = w;
  std::ranges::for_each(centred, [mean = Pooling::mean(w.data())](double& x) { x -= mean; });
  double l = 0;
  std::vector<double> sum(kFeatures);
  for (int64_t n = 0; n < Pooling::kRows; ++n) {
    const double score = dot(w.data(), bag.h(n).data(), kFeatures);
    EXPECT_NEAR(score + constant, dot(bag.s.row(0), key(n).data(), Pooling::kHead), kRounding); // (16)
    EXPECT_NEAR(score, dot(centred.data(), bag.y.row(n), kFeatures) / bag.sigma(n), kRounding); // (18)
    l += std::exp(score);
    for (int64_t c = 0; c < kFeatures; ++c) { // (19)
      sum[static_cast<size_t>(c)] +=
          std::exp(score) / bag.sigma(n) * (bag.y.at(n, c) - Pooling::mean(bag.y.row(n)));
    }
  }
  std::ranges::for_each(sum, [&](double& x) { x /= l; });
  expect_near(sum, u, kRounding, "(19)");
  expect_near(Pooling::projected(bag.value_weight, bag.value_gain, bag.value_shift, bag.value_bias, u),
              literal, kRounding, "(17)");

  test::on_each_cpu_target([&] {
    std::vector<double> readout(kFeatures);
    double m = 0, row_sum = 0;
    normed_association(NormedAssociationArgs<double>{.queries = w.data(),
                                                     .rows = bag.y.elements.data(),
                                                     .epsilon = Pooling::kEpsilon,
                                                     .readout = readout.data(),
                                                     .row_max = &m,
                                                     .row_sum = &row_sum,
                                                     .num_queries = 1,
                                                     .num_rows = Pooling::kRows,
                                                     .size = kFeatures});
    expect_near(readout, u, kRounding, "kernel");
    EXPECT_NEAR(row_sum * std::exp(m), l, kRounding * l);
  });
}

TEST(StreamingAttention, PoolingBackwardEqualsFiniteDifferences) { // (20), (21)
  Pooling bag;
  constexpr int64_t kFeatures = Pooling::kFeatures;
  std::vector<double> w = bag.folded_query();
  const std::vector<double> u = bag.pooled(w);
  const auto loss = [&] { return dot(bag.g.row(0), bag.pooled(w).data(), kFeatures); };
  const double delta = dot(bag.g.row(0), u.data(), kFeatures);
  const auto p = Pooling::softmax([&](int64_t n) { return dot(w.data(), bag.h(n).data(), kFeatures); });
  std::vector<double> dw(kFeatures);
  Matrix dy(Pooling::kRows, kFeatures);
  double m = kLowest, l = 0;
  for (int64_t n = 0; n < Pooling::kRows; ++n) {
    const std::vector<double> h = bag.h(n);
    const double score = dot(w.data(), h.data(), kFeatures), dp = dot(bag.g.row(0), h.data(), kFeatures);
    const double weight = p[static_cast<size_t>(n)], ds = weight * (dp - delta);
    std::vector<double> dh(kFeatures);
    for (int64_t c = 0; c < kFeatures; ++c) {
      const auto at = static_cast<size_t>(c);
      dw[at] += ds * h[at];
      dh[at] = ds * w[at] + weight * bag.g.at(0, c);
    }
    const double projection = dot(dh.data(), h.data(), kFeatures);
    EXPECT_NEAR(projection, ds * score + weight * dp, kRounding);
    for (int64_t c = 0; c < kFeatures; ++c) {
      const auto at = static_cast<size_t>(c);
      dy.at(n, c) = (dh[at] - Pooling::mean(dh.data()) - h[at] * projection / kFeatures) / bag.sigma(n);
    }
    m = std::max(m, score);
  }
  for (int64_t n = 0; n < Pooling::kRows; ++n) {
    l += std::exp(dot(w.data(), bag.h(n).data(), kFeatures) - m);
  }
  expect_near(dw, finite_differences(w, loss), kDifferenceError, "dw");
  expect_near(dy.elements, finite_differences(bag.y.elements, loss), kDifferenceError, "dy");
  test::on_each_cpu_target([&] {
    std::vector<double> d_query(kFeatures);
    Matrix d_rows(Pooling::kRows, kFeatures);
    normed_association_gradient(NormedAssociationGradientArgs<double>{.queries = w.data(),
                                                                      .rows = bag.y.elements.data(),
                                                                      .epsilon = Pooling::kEpsilon,
                                                                      .row_max = &m,
                                                                      .row_sum = &l,
                                                                      .d_readout = bag.g.elements.data(),
                                                                      .delta = &delta,
                                                                      .d_queries = d_query.data(),
                                                                      .d_rows = d_rows.elements.data(),
                                                                      .num_queries = 1,
                                                                      .num_rows = Pooling::kRows,
                                                                      .size = kFeatures});
    expect_near(d_query, dw, kRounding, "d_queries");
    expect_near(d_rows.elements, dy.elements, kRounding, "d_rows");
  });
}

TEST(StreamingAttention, ChangeOfTheStateBoundsTheChangeOfTheWeights) { // (22) to (24)
  for (const double beta : {0.1, 0.5, 1.0, 2.0, 10.0}) {
    Problem before; // x_{t-1}, then x_t and x_{t+1} by update steps
    before.beta = beta;
    before.dropout = {};
    before.v = before.k;
    Problem after = before;
    after.q = before.readout();
    const Matrix next = after.readout(), p_before = before.weights(), p_after = after.weights();

    Matrix change = p_after, centred = before.k, moved = next;
    for (size_t i = 0; i < change.elements.size(); ++i) {
      change.elements[i] -= p_before.elements[i];
    }
    for (size_t i = 0; i < moved.elements.size(); ++i) {
      moved.elements[i] -= after.q.elements[i];
    }
    for (int64_t c = 0; c < centred.columns; ++c) {
      double mean = 0;
      for (int64_t j = 0; j < centred.rows; ++j) {
        mean += before.k.at(j, c) / static_cast<double>(centred.rows);
      }
      for (int64_t j = 0; j < centred.rows; ++j) {
        centred.at(j, c) -= mean;
      }
    }
    for (int64_t i = 0; i < moved.rows; ++i) { // (23)
      for (int64_t c = 0; c < moved.columns; ++c) {
        double sum = 0;
        for (int64_t j = 0; j < centred.rows; ++j) {
          sum += change.at(i, j) * centred.at(j, c);
        }
        EXPECT_NEAR(sum, moved.at(i, c), kRounding);
      }
    }
    EXPECT_GE(norm(change) * (1 + kRounding), norm(moved) / norm(centred)); // (24)

    test::on_each_cpu_target([&] {
      std::vector<double> m[2], l[2], squares(5);
      Matrix scaled[2] = {before.q, after.q};
      for (const int t : {0, 1}) {
        for (const State& state : (t == 0 ? before : after).kernel(0, before.k.rows)) {
          m[t].push_back(state.m);
          l[t].push_back(state.l);
        }
        std::ranges::for_each(scaled[t].elements, [&](double& x) { x *= beta; });
      }
      softmax_change(
          SoftmaxChangeArgs<double>{.before = {scaled[0].elements.data(), m[0].data(), l[0].data()},
                                    .after = {scaled[1].elements.data(), m[1].data(), l[1].data()},
                                    .stored = before.k.elements.data(),
                                    .squares = squares.data(),
                                    .num_queries = 5,
                                    .num_stored = before.k.rows,
                                    .size = 4,
                                    .mask = before.mask()});
      for (int64_t i = 0; i < 5; ++i) { // (22)
        EXPECT_NEAR(squares[static_cast<size_t>(i)], dot(change.row(i), change.row(i), change.columns),
                    kRounding);
      }
    });
  }
}

} // namespace
} // namespace mneme::kernels
