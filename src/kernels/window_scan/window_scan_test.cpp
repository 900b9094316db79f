// SPDX-License-Identifier: MIT

#include "kernels/window_scan/window_scan.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "each_cpu_target.h"
#include "kernels/window_scan/window_scan_problem.h"
#include "mneme/core/parallel.h"

namespace mneme::kernels {
namespace {

template <class T> void ours(const WindowScanArgs<T>& args) {
  window_scan(args);
}
template <class T> void plain(const WindowScanArgs<T>& args) {
  reference::window_scan(args);
}

/// Maximum absolute error of an element; means of normally distributed numbers are at most a few units.
template <class T> double max_error(const std::vector<T>& actual, const std::vector<double>& expected) {
  double worst = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double error = std::abs(static_cast<double>(actual[i]) - expected[i]);
    worst = std::isnan(error) ? INFINITY : std::max(worst, error);
  }
  return worst;
}

template <class T> double max_error(const WindowScanProblem<T>& problem) {
  return max_error(problem.run(ours<T>).readout, problem.template as<double>().run(plain<double>).readout);
}

constexpr FocusWeight kBoth[] = {FocusWeight::elu, FocusWeight::exponential};

TEST(WindowScan, EqualsTheReferenceForEveryWindowAndLength) {
  test::on_each_cpu_target([] {
    const std::vector<int64_t> windows{0,  1,  2,  3,  4,  5,  7,  8,   13,  15,  16,
                                       17, 31, 32, 33, 48, 64, 67, 100, 128, 1000};
    for (const FocusWeight focus_weight : kBoth) {
      for (const int64_t length : {0, 1, 2, 15, 16, 17, 31, 33, 64, 150, 301}) {
        for (const int64_t head_size : {1, 5}) {
          const WindowScanProblem<double> problem(length, head_size, windows, focus_weight, 1.0);
          EXPECT_LT(max_error(problem), 1e-13) << length << " tokens of " << head_size;
          EXPECT_LT(max_error(problem.template as<float>()), 2e-6) << length << " tokens of " << head_size;
        }
      }
    }
  });
}

TEST(WindowScan, EqualsTheReferenceForEveryHeadSize) {
  test::on_each_cpu_target([] {
    for (const FocusWeight focus_weight : kBoth) {
      for (const int64_t head_size :
           {1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 48, 63, 64, 65, 80, 128, 130}) {
        const WindowScanProblem<double> problem(70, head_size, {0, 3, 8, 20, 32}, focus_weight, 1.0);
        EXPECT_LT(max_error(problem), 1e-13) << head_size;
        EXPECT_LT(max_error(problem.template as<float>()), 2e-6) << head_size;
      }
    }
  });
}

TEST(WindowScan, IsAccurateAtLargeLogits) {
  test::on_each_cpu_target([] {
    for (const FocusWeight focus_weight : kBoth) {
      for (const int64_t length : {40, 500}) {
        WindowScanProblem<float> problem(length, 64, {0, 4, 16, 64, 100, 256}, focus_weight, 1.0);
        problem.set_logits(45);
        EXPECT_LT(max_token_error(problem, problem.run(ours<float>).readout,
                                  problem.as<double>().run(plain<double>).readout),
                  1e-5);
      }
    }
  });
}

TEST(WindowScan, GivesMaskedTokensZeroWeight) {
  test::on_each_cpu_target([] {
    for (const FocusWeight focus_weight : kBoth) {
      for (const double logits : {2.0, 90.0}) {
        for (const int64_t head_size : {5, 64}) {
          WindowScanProblem<double> problem(237, head_size, {0, 1, 5, 16, 17, 32, 50, 100, 1000},
                                            focus_weight, 1.0);
          problem.set_logits(logits);
          problem.set_padding();
          EXPECT_LT(max_error(problem), 1e-13 * logits);
          EXPECT_LT(max_error(problem.as<float>()), 2e-6 * logits);
          const auto whole = problem.run(ours<double>).readout;
          for (double* rows : {problem.focus.data(), problem.key.data(), problem.value.data()}) {
            for (int64_t t = 0; t < problem.length; ++t) {
              const int64_t row = problem.num_heads() * head_size;
              std::fill_n(rows + t * row, problem.key_padding_mask[t] ? row : 0,
                          1e5); // the content of masked rows does not matter
            }
          }
          EXPECT_LT(max_error(problem.run(ours<double>).readout, whole), 1e-15);
        }
      }
    }
  });
}

TEST(WindowScan, WithExponentialWeightsDoesNotOverflow) {
  test::on_each_cpu_target([] {
    for (const double logits : {70.0, 87.0, 89.0, 200.0, 1000.0}) {
      WindowScanProblem<float> problem(200, 16, {0, 1, 4, 13, 16, 40, 64, 100}, FocusWeight::exponential,
                                       1.0);
      problem.set_logits(logits);
      // The rounding error of a logit of 1000 is 3e-5, which is also the relative error of its weight.
      EXPECT_LT(max_error(problem), 4e-7 * logits) << logits;
      WindowScanProblem<double> precise(200, 16, {0, 1, 4, 13, 16, 40, 64, 100}, FocusWeight::exponential,
                                        1.0);
      precise.set_logits(logits);
      EXPECT_LT(max_error(precise), 1e-15 * logits) << logits;
    }
  });
}

TEST(WindowScan, ComputesGatesWhereDotProductsOfSumsOverflow) {
  test::on_each_cpu_target([] {
    for (const int64_t length : {13, 200}) {
      WindowScanProblem<float> problem(length, 17, {0, 1, 4, 16, 40, 64}, FocusWeight::elu, 1.0);
      problem.set_logits(1e36);
      for (float& query : problem.query) {
        query *= 1000; // times sums of 1e36 and more
      }
      EXPECT_LT(max_error(problem), 5e-4) << length; // rounding error of a gate logit of 1000: 6e-5
    }
  });
}

TEST(WindowScan, GivesTheSameBitsForAnySplitIntoCalls) {
  test::on_each_cpu_target([] {
    if (use_reference_kernels()) {
      return; // tested by ReferenceContinuesFromAState
    }
    for (const FocusWeight focus_weight : kBoth) {
      for (const double logits : {2.0, 90.0}) {
        WindowScanProblem<float> problem(333, 20, {0, 1, 3, 5, 8, 15, 16, 17, 32, 50, 64, 100, 256, 1000},
                                         focus_weight, 1.0);
        problem.set_logits(logits);
        const auto one_call = problem.run_in_calls(ours<float>, {333});
        for (const std::vector<int64_t>& call_lengths :
             std::vector<std::vector<int64_t>>{{1}, {2}, {7, 16, 1, 0, 31}, {16}, {100}, {64, 1}, {332, 1}}) {
          const auto split = problem.run_in_calls(ours<float>, call_lengths);
          EXPECT_TRUE(one_call.readout == split.readout) << "first call of " << call_lengths[0];
          EXPECT_TRUE(one_call.logits == split.logits);
          EXPECT_TRUE(one_call.denominators == split.denominators);
          EXPECT_TRUE(one_call.carries == split.carries);
        }
      }
    }
  });
}

TEST(WindowScan, WithAStateEqualsTheScanWithoutOne) {
  test::on_each_cpu_target([] {
    const WindowScanProblem<float> problem(100, 20, {0, 4, 99, 100, 101}, FocusWeight::elu, 1.0);
    const auto without = problem.run(ours<float>);
    const auto with = problem.run_in_calls(ours<float>, {100});
    EXPECT_LT(max_error(without.readout, {with.readout.begin(), with.readout.end()}), 1e-6);
  });
}

template <class T> void expect_same_bits_in_chunks(const WindowScanProblem<T>& problem) {
  const bool is_reference = use_reference_kernels(); // it recomputes window sums at the begin of a chunk
  const auto expect_same = [&](const auto& whole, const auto& chunks, int64_t call_length,
                               int64_t chunk_length) {
    if (is_reference) {
      // A state stores logits as T: the rounding error of a logit of 90 is 4e-6.
      EXPECT_LT(max_error(chunks.readout, {whole.readout.begin(), whole.readout.end()}),
                sizeof(T) == 4 ? 1e-5 : 1e-13);
      return;
    }
    EXPECT_TRUE(whole.readout == chunks.readout)
        << "calls of " << call_length << ", chunks of " << chunk_length;
    EXPECT_TRUE(whole.logits == chunks.logits && whole.gate_logits == chunks.gate_logits);
    EXPECT_TRUE(whole.denominators == chunks.denominators && whole.references == chunks.references);
    EXPECT_TRUE(whole.carries == chunks.carries);
  };
  const auto whole = problem.run(ours<T>);
  for (const int64_t chunk_length : {16, 32, 160}) {
    expect_same(whole, problem.run_in_chunks(problem.length, chunk_length, false), problem.length,
                chunk_length);
  }
  const auto with_state = problem.run_in_calls(ours<T>, {problem.length});
  for (const int64_t call_length : {int64_t{112}, problem.length}) {
    for (const int64_t chunk_length : {16, 80}) {
      expect_same(with_state, problem.run_in_chunks(call_length, chunk_length, true), call_length,
                  chunk_length);
    }
  }
}

TEST(WindowScan, GivesTheSameBitsInChunks) {
  test::on_each_cpu_target([] {
    for_chunked_problems([](auto problem) {
      expect_same_bits_in_chunks(problem);
      problem.set_padding();
      expect_same_bits_in_chunks(problem);
    });
  });
}

TEST(WindowScan, ReferenceOfJoinedSequencesIsThatOfEachOne) {
  const auto problem = joined_sequences(7, 40, 5, FocusWeight::exponential, 3.0);
  const auto joined = problem.run(plain<double>).readout;
  const auto separate = problem.run([](const WindowScanArgs<double>& args) {
    for (int64_t first = 0; first < args.length; first += 7) {
      WindowScanArgs<double> one = slice_tokens(args, first, std::min<int64_t>(7, args.length - first));
      const std::vector<int64_t> no_windows{0, 0};
      one.windows = no_windows.data();
      one.position = 0;
      one.joins_sequences = false;
      plain(one);
    }
  });
  EXPECT_EQ(joined, separate.readout);
}

TEST(WindowScan, OfJoinedSequencesEqualsTheReference) {
  test::on_each_cpu_target([] {
    for_joined_sequences([](const WindowScanProblem<double>& problem, double logits) {
      EXPECT_LT(max_error(problem), 1e-13 * logits) << problem.windows[0] << " of " << problem.length;
      EXPECT_LT(max_error(problem.as<float>()), 2e-6 * logits)
          << problem.windows[0] << " of " << problem.length;
    });
  });
}

TEST(WindowScan, OfJoinedSequencesGivesTheSameBitsInChunks) {
  test::on_each_cpu_target([] {
    for (const FocusWeight focus_weight : kBoth) {
      for (const double logits : {2.0, 90.0}) {
        for (const int64_t window : {1, 3, 8, 15, 16}) {
          const auto problem = joined_sequences(window, 237, 5, focus_weight, logits).as<float>();
          const auto whole = problem.run(ours<float>);
          const auto chunks = problem.run_in_chunks(237, 48, false);
          EXPECT_TRUE(whole.readout == chunks.readout && whole.references == chunks.references) << window;
        }
      }
    }
  });
}

TEST(WindowScan, ReferenceContinuesFromAState) {
  for (const FocusWeight focus_weight : kBoth) {
    WindowScanProblem<double> problem(77, 6, {0, 1, 5, 16, 20, 100}, focus_weight, 1.0);
    const auto whole = problem.run(plain<double>).readout;
    EXPECT_LT(max_error(problem.run_in_calls(plain<double>, {1, 30, 0}).readout, whole), 1e-14);
  }
}

TEST(WindowScan, StoresLogitsGateLogitsAndDenominators) {
  test::on_each_cpu_target([] {
    for (const FocusWeight focus_weight : kBoth) {
      for (const double logits : {3.0, 90.0}) {
        WindowScanProblem<double> problem(60, 7, {0, 4, 33}, focus_weight, 1.0);
        problem.set_logits(logits);
        const auto actual = problem.run(ours<double>), expected = problem.run(plain<double>);
        for (size_t i = 0; i < actual.logits.size(); ++i) {
          ASSERT_NEAR(actual.logits[i], expected.logits[i], 1e-13 * logits);
          ASSERT_NEAR(actual.gate_logits[i], expected.gate_logits[i], 1e-12 * logits);
          ASSERT_NEAR(std::log(actual.denominators[i]) + actual.references[i],
                      std::log(expected.denominators[i]) + expected.references[i], 1e-12 * logits);
        }
      }
    }
  });
}

TEST(WindowScan, ReturnsTheMeanOfTheWindowForEqualWeights) {
  test::on_each_cpu_target([] {
    WindowScanProblem<double> problem(50, 4, {0, 1, 6, 20}, FocusWeight::elu, 1.0);
    problem.set_logits(0);                                      // every weight is 1
    std::fill(problem.query.begin(), problem.query.end(), 0.0); // every gate is 1/2
    const auto readout = problem.run(ours<double>).readout;
    for (int64_t head = 0; head < 4; ++head) {
      for (int64_t t = 0; t < 50; ++t) {
        const int64_t window = problem.windows[static_cast<size_t>(head)];
        const int64_t begin = window == 0 ? 0 : std::max<int64_t>(0, t - window + 1);
        for (int64_t c = 0; c < 4; ++c) {
          double sum = 0;
          for (int64_t j = begin; j <= t; ++j) {
            sum += problem.value[static_cast<size_t>((j * 4 + head) * 4 + c)];
          }
          EXPECT_NEAR(readout[static_cast<size_t>((t * 4 + head) * 4 + c)],
                      0.5 * sum / (static_cast<double>(t - begin + 1) + kWindowScanEpsilon), 1e-14);
        }
      }
    }
  });
}

TEST(WindowScan, PropagatesANaNToExactlyTheQueryPositionsThatAttendToIt) {
  test::on_each_cpu_target([] {
    constexpr int64_t kSize = 5, kBad = 37, kLength = 120;
    const std::vector<int64_t> windows{0, 1, 4, 9, 16, 20, 40};
    const auto heads = static_cast<int64_t>(windows.size());
    for (const FocusWeight focus_weight : kBoth) {
      for (const int input : {0, 1, 2, 3}) {
        WindowScanProblem<float> problem(kLength, kSize, windows, focus_weight, 1.0);
        std::vector<float>* rows[] = {&problem.query, &problem.focus, &problem.key, &problem.value};
        for (int64_t head = 0; head < heads; ++head) {
          (*rows[input])[static_cast<size_t>((kBad * heads + head) * kSize + 2)] = std::nanf("");
        }
        for (const auto& readout :
             {problem.run(ours<float>).readout, problem.run_in_calls(ours<float>, {7}).readout}) {
          for (int64_t t = 0; t < kLength; ++t) {
            for (int64_t head = 0; head < heads; ++head) {
              const int64_t window = windows[static_cast<size_t>(head)];
              const bool attends = input == 0 ? t == kBad : t >= kBad && (window == 0 || t < kBad + window);
              EXPECT_EQ(std::isnan(readout[static_cast<size_t>((t * heads + head) * kSize + 2)]), attends)
                  << "token " << t << ", window " << window << ", input " << input;
            }
          }
        }
      }
    }
  });
}

TEST(WindowScan, OfAHeadIsIndependentOfOtherHeadsAndOfThreads) {
  test::on_each_cpu_target([] {
    const std::vector<int64_t> windows{0, 4, 16, 100, 0};
    const WindowScanProblem<float> problem(200, 12, windows, FocusWeight::exponential, 1.0);
    const auto together = problem.run(ours<float>).readout;
    const int before = threads();
    for (const int count : {1, 2, 3}) {
      set_threads(count);
      const auto separate = problem.run([](WindowScanArgs<float> args) {
        parallel_for(args.num_heads, 2,
                     [&](int64_t begin, int64_t end) { window_scan(slice_heads(args, begin, end)); });
      });
      EXPECT_EQ(together, separate.readout) << count << " threads";
    }
    set_threads(before);
  });
}

} // namespace
} // namespace mneme::kernels
