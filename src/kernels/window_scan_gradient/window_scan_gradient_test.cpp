// SPDX-License-Identifier: MIT

#include "kernels/window_scan_gradient/window_scan_gradient.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "each_cpu_target.h"
#include "kernels/window_scan_gradient/window_scan_gradient_problem.h"
#include "mneme/core/parallel.h"

namespace mneme::kernels {
namespace {

constexpr FocusWeight kBoth[] = {FocusWeight::elu, FocusWeight::exponential};

template <class T> std::vector<T> gradient_of_readout(const WindowScanProblem<T>& problem) {
  Random random = Random(47).stream(1);
  std::vector<T> numbers(problem.query.size());
  for (T& x : numbers) {
    x = static_cast<T>(random.normal());
  }
  return numbers;
}

template <class T> WindowScanGradients<T> ours(const WindowScanProblem<T>& problem, int64_t call_length) {
  const auto forward = problem.run([](const WindowScanArgs<T>& args) { window_scan(args); });
  return gradients_of(problem, forward, gradient_of_readout(problem), call_length,
                      [](const WindowScanGradientArgs<T>& args) { window_scan_gradient(args); });
}

template <class T>
WindowScanGradients<double> plain(const WindowScanProblem<T>& problem, const std::vector<T>& d_readout) {
  const auto precise = problem.template as<double>();
  return gradients_of(
      precise, precise.run([](const WindowScanArgs<double>& args) { reference::window_scan(args); }),
      std::vector<double>(d_readout.begin(), d_readout.end()), 1 << 20,
      [](const WindowScanGradientArgs<double>& args) { reference::window_scan_gradient(args); });
}

/// Maximum error of an element of any gradient, relative to the maximum of that gradient.
template <class T>
double max_error(const WindowScanGradients<T>& actual, const WindowScanGradients<double>& expected) {
  double worst = 0;
  const auto compare = [&](const std::vector<T>& actual_rows, const std::vector<double>& expected_rows) {
    double error = 0, scale = 1; // of the terms, also where they cancel and only rounding errors are left
    for (size_t i = 0; i < expected_rows.size(); ++i) {
      const double difference = std::abs(static_cast<double>(actual_rows[i]) - expected_rows[i]);
      error = std::isnan(difference) ? INFINITY : std::max(error, difference);
      scale = std::max(scale, std::abs(expected_rows[i]));
    }
    worst = std::max(worst, error / scale);
  };
  compare(actual.query, expected.query), compare(actual.focus, expected.focus);
  compare(actual.key, expected.key), compare(actual.value, expected.value);
  return worst;
}

template <class T> double max_error(const WindowScanProblem<T>& problem) {
  return max_error(ours(problem, 1 << 20), plain(problem, gradient_of_readout(problem)));
}

template <class T> bool same(const WindowScanGradients<T>& a, const WindowScanGradients<T>& b) {
  return a.query == b.query && a.focus == b.focus && a.key == b.key && a.value == b.value;
}

TEST(WindowScanGradient, OfTheReferenceEqualsFiniteDifferences) {
  for (const FocusWeight focus_weight : kBoth) {
    WindowScanProblem<double> problem(23, 3, {0, 1, 4, 7, 17}, focus_weight, 1.0);
    const auto d_readout = gradient_of_readout(problem);
    const auto gradients = plain(problem, d_readout);
    const auto sum = [&] {
      const auto readout = problem.run([](const auto& args) { reference::window_scan(args); }).readout;
      double total = 0;
      for (size_t i = 0; i < readout.size(); ++i) {
        total += readout[i] * d_readout[i];
      }
      return total;
    };
    constexpr double kStep = 1e-5; // error of central differences: its square, plus rounding error / step
    const auto check = [&](std::vector<double>& rows, const std::vector<double>& gradient) {
      for (size_t i = 0; i < rows.size(); i += 7) {
        const double before = rows[i];
        rows[i] = before + kStep;
        const double above = sum();
        rows[i] = before - kStep;
        const double slope = (above - sum()) / (2 * kStep);
        rows[i] = before;
        ASSERT_NEAR(gradient[i], slope, 1e-8 * (1 + std::abs(slope))) << i;
      }
    };
    check(problem.query, gradients.query), check(problem.focus, gradients.focus);
    check(problem.key, gradients.key), check(problem.value, gradients.value);
  }
}

TEST(WindowScanGradient, EqualsTheReferenceForEveryWindowAndLength) {
  test::on_each_cpu_target([] {
    const std::vector<int64_t> windows{0, 1, 2, 3, 5, 7, 8, 13, 15, 16, 17, 31, 32, 33, 48, 67, 100, 1000};
    for (const FocusWeight focus_weight : kBoth) {
      for (const int64_t length : {0, 1, 2, 15, 16, 17, 33, 64, 150, 211}) {
        const WindowScanProblem<double> problem(length, 5, windows, focus_weight, 1.0);
        EXPECT_LT(max_error(problem), 1e-13) << length << " tokens";
        EXPECT_LT(max_error(problem.template as<float>()), 1e-5) << length << " tokens";
      }
    }
  });
}

TEST(WindowScanGradient, EqualsTheReferenceForEveryHeadSize) {
  test::on_each_cpu_target([] {
    for (const FocusWeight focus_weight : kBoth) {
      for (const int64_t head_size : {1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 130}) {
        const WindowScanProblem<double> problem(70, head_size, {0, 3, 8, 20, 32}, focus_weight, 1.0);
        EXPECT_LT(max_error(problem), 1e-13) << head_size;
        EXPECT_LT(max_error(problem.template as<float>()), 1e-5) << head_size;
      }
    }
  });
}

TEST(WindowScanGradient, WithExponentialWeightsDoesNotOverflow) {
  test::on_each_cpu_target([] {
    for (const double logits : {45.0, 70.0, 89.0, 200.0, 1000.0}) {
      WindowScanProblem<double> problem(200, 16, {0, 1, 4, 13, 16, 40, 64, 100}, FocusWeight::exponential,
                                        1.0);
      problem.set_logits(logits);
      EXPECT_LT(max_error(problem), 1e-14 * logits) << logits;
      EXPECT_LT(max_error(problem.as<float>()), 1e-6 * logits)
          << logits; // a weight has the rounding error of its logit
    }
  });
}

TEST(WindowScanGradient, GivesTheSameBitsForAnySplitIntoCalls) {
  test::on_each_cpu_target([] {
    for (const FocusWeight focus_weight : kBoth) {
      for (const double logits : {2.0, 90.0}) {
        WindowScanProblem<float> problem(333, 20, {0, 1, 3, 5, 15, 16, 17, 32, 50, 100, 256, 1000},
                                         focus_weight, 1.0);
        problem.set_logits(logits);
        const auto whole = ours(problem, 1 << 20);
        for (const int64_t call_length : {16, 48, 128}) {
          EXPECT_TRUE(same(whole, ours(problem, call_length))) << call_length;
        }
      }
    }
  });
}

template <class T> void expect_same_bits_in_chunks(const WindowScanProblem<T>& problem) {
  const std::vector<int64_t> windows = problem.effective_windows();
  const auto whole = ours(problem, 1 << 20);
  const auto forward = problem.run([](const WindowScanArgs<T>& args) { window_scan(args); });
  for (const int64_t call_length : {112, 1 << 20}) {
    for (const int64_t chunk_length : {16, 80}) {
      const auto chunks = gradients_of(
          problem, forward, gradient_of_readout(problem), call_length,
          [&](const WindowScanGradientArgs<T>& args) { run_in_chunks(args, windows, chunk_length); });
      EXPECT_TRUE(same(whole, chunks)) << "calls of " << call_length << ", chunks of " << chunk_length;
    }
  }
}

TEST(WindowScanGradient, OfMaskedTokensIsZero) {
  test::on_each_cpu_target([] {
    for (const FocusWeight focus_weight : kBoth) {
      for (const int64_t length : {16, 33, 211}) {
        WindowScanProblem<double> problem(length, 5, {0, 1, 5, 16, 17, 32, 67, 100, 1000}, focus_weight, 1.0);
        problem.set_padding();
        EXPECT_LT(max_error(problem), 1e-13) << length << " tokens";
        EXPECT_LT(max_error(problem.as<float>()), 1e-5) << length << " tokens";
        const auto gradients = ours(problem, 1 << 20);
        const int64_t row = problem.num_heads() * problem.head_size;
        for (const std::vector<double>& rows : {gradients.focus, gradients.key, gradients.value}) {
          for (int64_t i = 0; i < length * row; ++i) {
            ASSERT_TRUE(!problem.key_padding_mask[i / row] || rows[static_cast<size_t>(i)] == 0) << i / row;
          }
        }
      }
    }
  });
}

TEST(WindowScanGradient, GivesTheSameBitsInChunks) {
  test::on_each_cpu_target([] {
    if (use_reference_kernels()) {
      return; // they do not use chunks
    }
    for_chunked_problems([](auto problem) {
      expect_same_bits_in_chunks(problem);
      problem.set_padding();
      expect_same_bits_in_chunks(problem);
    });
  });
}

TEST(WindowScanGradient, OfJoinedSequencesEqualsTheReference) {
  test::on_each_cpu_target([] {
    for_joined_sequences([](const WindowScanProblem<double>& problem, double logits) {
      EXPECT_LT(max_error(problem), 1e-13 * logits) << problem.windows[0] << " of " << problem.length;
      EXPECT_LT(max_error(problem.as<float>()), 1e-5 * logits)
          << problem.windows[0] << " of " << problem.length;
    });
  });
}

TEST(WindowScanGradient, OfJoinedSequencesGivesTheSameBitsInCallsAndChunks) {
  test::on_each_cpu_target([] {
    if (use_reference_kernels()) {
      return; // they do not use chunks
    }
    for (const int64_t window : {1, 3, 8, 15, 16}) {
      const auto problem = joined_sequences(window, 237, 20, FocusWeight::exponential, 90).as<float>();
      EXPECT_TRUE(same(ours(problem, 1 << 20), ours(problem, 48))) << window;
      expect_same_bits_in_chunks(problem);
    }
  });
}

TEST(WindowScanGradient, AcceptsTheTraceOfCallsWithAState) {
  test::on_each_cpu_target([] {
    if (use_reference_kernels()) {
      return; // they use the trace only to find masked tokens
    }
    for (const FocusWeight focus_weight : kBoth) {
      WindowScanProblem<double> problem(150, 6, {0, 4, 20, 64, 1000}, focus_weight, 1.0);
      const auto d_readout = gradient_of_readout(problem);
      const auto forward =
          problem.run_in_calls([](const WindowScanArgs<double>& args) { window_scan(args); }, {37, 1, 64});
      const auto gradients =
          gradients_of(problem, forward, d_readout, 64,
                       [](const WindowScanGradientArgs<double>& args) { window_scan_gradient(args); });
      EXPECT_LT(max_error(gradients, plain(problem, d_readout)), 1e-13);
    }
  });
}

TEST(WindowScanGradient, OfAHeadIsIndependentOfOtherHeadsAndOfThreads) {
  test::on_each_cpu_target([] {
    const WindowScanProblem<float> problem(200, 12, {0, 4, 16, 100, 0}, FocusWeight::exponential, 1.0);
    const auto together = ours(problem, 64);
    const auto forward = problem.run([](const WindowScanArgs<float>& args) { window_scan(args); });
    const int before = threads();
    for (const int count : {1, 2, 3}) {
      set_threads(count);
      EXPECT_TRUE(same(together, gradients_of(problem, forward, gradient_of_readout(problem), 64,
                                              [](const WindowScanGradientArgs<float>& args) {
                                                parallel_for(
                                                    args.num_heads, 2, [&](int64_t begin, int64_t end) {
                                                      window_scan_gradient(slice_heads(args, begin, end));
                                                    });
                                              })))
          << count << " threads";
    }
    set_threads(before);
  });
}

TEST(WindowScanGradient, PropagatesANaNToExactlyTheTokensInTheWindow) {
  test::on_each_cpu_target([] {
    constexpr int64_t kBad = 60, kSize = 5;
    const std::vector<int64_t> windows{0, 1, 4, 16, 20, 40};
    const auto heads = static_cast<int64_t>(windows.size());
    const WindowScanProblem<float> problem(120, kSize, windows, FocusWeight::elu, 1.0);
    const auto forward = problem.run([](const WindowScanArgs<float>& args) { window_scan(args); });
    auto d_readout = gradient_of_readout(problem);
    for (int64_t head = 0; head < heads; ++head) {
      d_readout[static_cast<size_t>((kBad * heads + head) * kSize + 1)] = std::nanf("");
    }
    const auto gradients =
        gradients_of(problem, forward, d_readout, 48,
                     [](const WindowScanGradientArgs<float>& args) { window_scan_gradient(args); });
    for (int64_t t = 0; t < 120; ++t) {
      for (int64_t head = 0; head < heads; ++head) {
        const int64_t window = windows[static_cast<size_t>(head)];
        const auto at = static_cast<size_t>((t * heads + head) * kSize + 1);
        const bool is_attended = t <= kBad && (window == 0 || kBad < t + window);
        EXPECT_EQ(std::isnan(gradients.query[at]), t == kBad) << "token " << t << ", window " << window;
        EXPECT_EQ(std::isnan(gradients.focus[at]), is_attended) << "token " << t << ", window " << window;
        EXPECT_EQ(std::isnan(gradients.key[at]), is_attended) << "token " << t << ", window " << window;
        EXPECT_EQ(std::isnan(gradients.value[at]), is_attended) << "token " << t << ", window " << window;
      }
    }
  });
}

} // namespace
} // namespace mneme::kernels
