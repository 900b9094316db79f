// SPDX-License-Identifier: MIT

#include "mneme/ops/leap.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <torch/torch.h>

#include "mneme/core/cpu.h"
#include "mneme/core/parallel.h"
#include "mneme/ops/original_leap.h"
#include "ops/leap_inputs.h"
#include "ops/leap_plain.h"
#include "ops/tensors.h"

namespace mneme::ops {
namespace {

constexpr FocusWeight kWeights[] = {FocusWeight::elu, FocusWeight::exponential};

at::Tensor leap(const Inputs& x, const LeapOptions& options) {
  return ops::leap(x.query, x.focus, x.key, x.value, options);
}
at::Tensor plain(const Inputs& x, const LeapOptions& options) {
  return plain_leap(x.query, x.focus, x.key, x.value, options);
}
/// Maximum over tokens and heads of the error relative to the norm of the readout.
double worst_relative_error(const at::Tensor& got, const at::Tensor& expected) {
  const at::Tensor exact = expected.to(at::kDouble), error = got.to(at::kDouble) - exact;
  return (error.norm(2, -1) / exact.norm(2, -1).clamp_min(1e-30)).max().item<double>();
}

TEST(Leap, MatchesFormulaForEveryWindowAndLength) {
  // Tiles have 32 tokens; sums over tiles are computed by tiles of 32 tiles.
  for (const int64_t tokens : {1, 2, 31, 32, 33, 64, 97, 300, 1100}) {
    const Inputs x = inputs(2, tokens, 1, 3, 1, at::kDouble, 2);
    for (const int64_t window : {0, 1, 2, 3, 16, 31, 32, 33, 34, 63, 64, 65, 66, 100, 299, 1099, 5000}) {
      if (tokens > 100 && window > 0 && window < 100) {
        continue; // small windows are tested on short sequences
      }
      for (const FocusWeight weight : kWeights) {
        for (const double decay : {0.0, 0.3}) {
          const LeapOptions options{.weight = weight, .windows = {{window}, {decay}}};
          EXPECT_LT(max_abs_difference(leap(x, options), plain(x, options)), 1e-12)
              << tokens << " tokens, window " << window << ", decay " << decay;
        }
      }
    }
  }
}

TEST(OriginalLeap, MatchesFormulaOnShortSequences) {
  const Inputs x = inputs(2, 80, 2, 3, 43);
  for (const FocusWeight weight : kWeights) {
    for (const int64_t window : {0, 1, 7, 79, 80, 1000}) {
      EXPECT_LT(max_abs_difference(original_leap(x.query, x.focus, x.key, x.value, window, weight),
                                   plain(x, {.weight = weight, .windows = {{window}}})),
                1e-12)
          << "window " << window;
    }
  }
  expect_contains(usage_error_of([&] { original_leap(x.query, x.focus, x.key, x.value, -1); }),
                  {"-1 tokens", "at least 1"});
  expect_contains(usage_error_of([&] { original_leap(x.query, x.focus.slice(1, 1), x.key, x.value, 1); }),
                  {"focus has 79", "query has 80"});
}

TEST(Leap, SupportsWindowAndDecayPerHead) {
  const Inputs x = inputs(2, 80, 4, 3, 2);
  for (const FocusWeight weight : kWeights) {
    const LeapOptions options{.weight = weight, .windows = {{0, 5, 40, 5}, {0, 0.1, 0.2, 0}}};
    EXPECT_LT(max_abs_difference(leap(x, options), plain(x, options)), 1e-13);
  }
}

TEST(Leap, IgnoresPaddingAtBothEnds) {
  const Inputs x = inputs(3, 70, 2, 3, 3);
  at::Tensor key_padding_mask = at::zeros({3, 70}, at::kBool);
  key_padding_mask[0].slice(0, 0, 40).fill_(true); // an entire tile, and entire windows
  key_padding_mask[1].slice(0, 65).fill_(true);
  key_padding_mask[2].fill_(true);
  for (const FocusWeight weight : kWeights) {
    for (const int64_t window : {0, 7, 50}) {
      const LeapOptions options{
          .weight = weight, .windows = {{window}}, .key_padding_mask = key_padding_mask};
      const at::Tensor readout = leap(x, options);
      EXPECT_LT(max_abs_difference(readout, plain(x, options)), 1e-13);
      const auto got = gradients(x, options, leap), expected = gradients(x, options, plain);
      for (size_t i = 0; i < got.size(); ++i) {
        EXPECT_LT(max_abs_difference(got[i], expected[i]), 1e-12) << window << ", gradient " << i;
      }
      EXPECT_EQ(got[3][2].abs().max().item<double>(), 0); // gradient of masked values
      EXPECT_EQ(readout[2].abs().max().item<double>(), 0);
      EXPECT_EQ(readout[0].slice(0, 0, 40).abs().max().item<double>(), 0);
    }
  }
}

/// Computed as one sequence, unless a window ends within them.
TEST(Leap, ShortSequencesAreIndependent) {
  for (const int64_t tokens : {1, 2, 5, 16}) {
    Inputs x = inputs(75, tokens, 2, 3, 3);
    const at::Tensor key_padding_mask = at::zeros({75, tokens}, at::kBool);
    key_padding_mask.slice(0, 20, 24).fill_(true);
    for (const FocusWeight weight : kWeights) {
      for (const int64_t window : {0, 3, 16}) {
        const LeapOptions options{.weight = weight,
                                  .windows = {{0, window}},
                                  .key_padding_mask = key_padding_mask,
                                  .check_finite = false};
        const at::Tensor readout = leap(x, options);
        EXPECT_LT(max_abs_difference(readout, plain(x, options)), 1e-13);
        EXPECT_EQ(readout.slice(0, 20, 24).abs().max().item<double>(), 0);
        const auto got = gradients(x, options, leap), expected = gradients(x, options, plain);
        for (size_t i = 0; i < got.size(); ++i) {
          EXPECT_LT(max_abs_difference(got[i], expected[i]), 1e-12) << tokens << " tokens, gradient " << i;
        }
        for (const int64_t other : {0, 30, 74}) {
          EXPECT_TRUE(readout[other].equal(leap({x.query.narrow(0, other, 1), x.focus.narrow(0, other, 1),
                                                 x.key.narrow(0, other, 1), x.value.narrow(0, other, 1)},
                                                {.weight = weight, .windows = {{0, window}}})[0]))
              << tokens;
        }
        Inputs changed{x.query, x.focus, x.key.clone(), x.value.clone()};
        changed.key[40] = NAN;
        changed.value[50] = INFINITY;
        const at::Tensor others = at::tensor({39, 41, 49, 51});
        EXPECT_TRUE(leap(changed, options).index_select(0, others).equal(readout.index_select(0, others)));
        EXPECT_TRUE(leap(changed, options)[40].isnan().all().item<bool>());
      }
    }
  }
}

TEST(Leap, IgnoresTheFuture) {
  const Inputs x = inputs(1, 90, 1, 4, 4);
  for (const FocusWeight weight : kWeights) {
    const LeapOptions options{.weight = weight, .windows = {{40}}};
    const at::Tensor whole = leap(x, options);
    Inputs changed{x.query, x.focus, x.key.clone(), x.value.clone()};
    changed.key[0][60] += 3;
    changed.value[0][60] -= 5;
    const at::Tensor other = leap(changed, options);
    EXPECT_EQ(max_abs_difference(whole.slice(1, 0, 60), other.slice(1, 0, 60)), 0);
    EXPECT_GT(max_abs_difference(whole.slice(1, 60, 61), other.slice(1, 60, 61)), 0.01);
  }
}

TEST(Leap, GradientsMatchFiniteDifferences) {
  const at::Tensor key_padding_mask = at::tensor({0, 0, 1, 0, 0}, at::kInt).view({1, 5}).to(at::kBool);
  const at::Tensor factor = random_tensor({1, 5, 2}, 50).abs() + 0.1;
  for (const FocusWeight weight : kWeights) {
    for (const int64_t window : {0, 1, 3}) {
      for (const LeapOptions& options :
           {LeapOptions{.weight = weight, .windows = {{window, 2}}},
            LeapOptions{.weight = weight, .windows = {{window, 2}}, .key_padding_mask = key_padding_mask},
            LeapOptions{.weight = weight,
            .windows = {{window, 2}, {0.2, 0.1}},
            .scale = 0.9,
            .epsilon = 0.3,
            .logit_factor = factor,
            .key_padding_mask = key_padding_mask}}) {
        const Inputs x = inputs(1, 5, 2, 2, 5);
        const at::Tensor cotangent = random_tensor({1, 5, 2, 2}, 60);
        expect_gradients_of(
            [&](const std::vector<at::Tensor>& t) {
              return (ops::leap(t[0], t[1], t[2], t[3], options) * cotangent).sum();
            },
            {x.query, x.focus, x.key, x.value}, 2e-8);
      }
    }
  }
}

TEST(Leap, GradientsMatchFormulaOnLongSequences) {
  for (const int64_t tokens : {1, 33, 200, 1100}) {
    const Inputs x = inputs(1, tokens, 2, 3, 6, at::kDouble, 1.5);
    for (const int64_t window : {0, 4, 40, 1000}) {
      for (const FocusWeight weight : kWeights) {
        for (const double decay : {0.0, 0.05}) {
          if (decay > 0 && tokens > 200 && window != 40) {
            continue; // slow, and tested on shorter sequences
          }
          const LeapOptions options{.weight = weight, .windows = {{window}, {0, decay}}};
          const auto got = gradients(x, options, leap), expected = gradients(x, options, plain);
          for (size_t i = 0; i < got.size(); ++i) {
            EXPECT_LT(max_abs_difference(got[i], expected[i]),
                      1e-11 * (1 + expected[i].abs().max().item<double>()))
                << tokens << " tokens, window " << window << ", decay " << decay << ", input " << i;
          }
        }
      }
    }
  }
}

/// Result of a call with LibTorch in place of the kernels.
template <class Function> auto without_kernels(Function function) {
  const std::string before = cpu_target();
  select_cpu_target("reference");
  auto result = function();
  select_cpu_target(before);
  return result;
}

TEST(Leap, KernelErrorIsAtMostTwiceThatOfLibTorch) {
  for (const int64_t tokens : {1, 7, 100, 300}) {
    const Inputs x = inputs(2, tokens, 3, 20, 40, at::kFloat, 1.5), exact = to(x, at::kDouble);
    for (const FocusWeight weight : kWeights) {
      for (const int64_t window : {0, 5, 100}) {
        const LeapOptions options{.weight = weight, .windows = {{window}}};
        // Readout, then gradients.
        const auto all = [&](const Inputs& of, at::Tensor (*function)(const Inputs&, const LeapOptions&)) {
          std::vector<at::Tensor> tensors = gradients(of, options, function);
          tensors.insert(tensors.begin(), function(of, options));
          return tensors;
        };
        const auto expected = all(exact, plain), got = all(x, leap),
                   by_torch = without_kernels([&] { return all(x, leap); });
        for (size_t i = 0; i < got.size(); ++i) {
          const auto error = [&](const at::Tensor& t) {
            return ((t.to(at::kDouble) - expected[i]).norm() / expected[i].norm()).item<double>();
          };
          // Of a single operation: the result of LibTorch may be exact by chance.
          constexpr double kRounding = 6e-8;
          EXPECT_LE(error(got[i]), 2 * std::max(error(by_torch[i]), kRounding))
              << tokens << " tokens, window " << window << ", tensor " << i;
        }
      }
    }
  }
}

TEST(Leap, DoesNotDependOnNumberOfThreads) {
  const int before = threads();
  const Inputs x = inputs(2, 700, 3, 20, 41, at::kFloat);
  for (const FocusWeight weight : kWeights) {
    const LeapOptions options{.weight = weight, .windows = {{0, 5, 100}}};
    set_threads(1);
    const at::Tensor readout = leap(x, options);
    const auto sequential = gradients(x, options, leap);
    for (const int count : {2, 3, 5}) {
      set_threads(count);
      EXPECT_TRUE(leap(x, options).equal(readout));
      const auto parallel = gradients(x, options, leap);
      for (size_t i = 0; i < sequential.size(); ++i) {
        EXPECT_TRUE(parallel[i].equal(sequential[i]));
      }
    }
  }
  set_threads(before);
}

TEST(Leap, ChunksOfLongHeadsDoNotDependOnNumberOfThreads) {
  const int before = threads();
  const Inputs x = inputs(1, 5000, 2, 33, 43, at::kFloat); // long enough for several chunks
  for (const FocusWeight weight : kWeights) {
    for (const int64_t window : {0, 5, 100, 4990}) {
      const LeapOptions options{.weight = weight, .windows = {{window, 0}}};
      const auto in_segments = [&] {
        LeapState state;
        std::vector<at::Tensor> readouts;
        for (const auto& [first, count] :
             std::vector<std::pair<int64_t, int64_t>>{{0, 1600}, {1600, 2000}, {3600, 3}, {3603, 1397}}) {
          const auto segment = [&](const at::Tensor& t) { return t.narrow(1, first, count); };
          auto [readout, next] = leap_continue(segment(x.query), segment(x.focus), segment(x.key),
                                               segment(x.value), std::move(state), options);
          readouts.push_back(readout);
          state = std::move(next);
        }
        return at::cat(readouts, 1);
      };
      set_threads(1);
      const at::Tensor readout = leap(x, options), continued = in_segments();
      const auto sequential = gradients(x, options, leap);
      for (const int count : {2, 4, 9}) {
        set_threads(count);
        EXPECT_TRUE(leap(x, options).equal(readout)) << count << " threads, window " << window;
        EXPECT_TRUE(in_segments().equal(continued)) << count << " threads, window " << window;
        const auto parallel = gradients(x, options, leap);
        for (size_t i = 0; i < sequential.size(); ++i) {
          EXPECT_TRUE(parallel[i].equal(sequential[i])) << count << " threads, window " << window;
        }
      }
    }
  }
  set_threads(before);
}

/// Bound of the difference between any two splits of a sequence in float32, relative to the largest readout.
constexpr double kSplitTolerance = 2e-6;

RC_GTEST_PROP(Leap, DoesNotDependOnSplitOfSequence, ()) {
  const auto tokens = *rc::gen::inRange<int64_t>(1, 150);
  const auto heads = *rc::gen::inRange<int64_t>(1, 4);
  const auto features = *rc::gen::inRange<int64_t>(1, 9);
  const auto window = [&] { return *rc::gen::inRange<int64_t>(0, 60); };
  LeapOptions options{.weight = *rc::gen::elementOf(std::vector{kWeights[0], kWeights[1]})};
  options.windows.tokens = {window()};
  if (*rc::gen::arbitrary<bool>()) {
    options.windows.tokens.resize(static_cast<size_t>(heads));
    std::generate(options.windows.tokens.begin(), options.windows.tokens.end(), window);
    options.windows.decay = {0.01};
  }
  const Inputs x = inputs(2, tokens, heads, features, *rc::gen::inRange<uint64_t>(0, 1000), at::kFloat, 1.5);
  const at::Tensor whole = leap(x, options);
  LeapState state;
  std::vector<at::Tensor> readouts;
  for (int64_t first = 0; first < tokens;) {
    // Segments are never empty: at size 0, and when shrinking, rapidcheck returns the minimum of a range.
    const bool one = *rc::gen::arbitrary<bool>();
    const int64_t last = std::min(tokens, first + (one ? 1 : *rc::gen::inRange<int64_t>(1, 70)));
    const int64_t begin = *rc::gen::arbitrary<bool>() ? first : last; // sometimes an empty segment first
    for (const auto& [from, to] : {std::pair{first, begin}, {begin, last}}) {
      const Inputs segment = segment_of(x, from, to);
      LeapContinuation next =
          leap_continue(segment.query, segment.focus, segment.key, segment.value, state, options);
      readouts.push_back(next.readout);
      state = std::move(next.state);
    }
    first = last;
  }
  RC_ASSERT(state.position == tokens);
  const double allowed = kSplitTolerance * whole.abs().max().item<double>();
  RC_ASSERT(max_abs_difference(at::cat(readouts, 1), whole) <= allowed);
}

/// The kernels do not support decay: LibTorch continues such a sequence.
constexpr double kDecays[] = {0, 0.01};

TEST(Leap, StateDoesNotGrowWithSequence) {
  const Inputs x = inputs(1, 500, 2, 4, 8, at::kFloat);
  for (const double decay : kDecays) {
    const LeapOptions options{.windows = {{0, 16}, {decay}}};
    const auto numbers = [](const LeapState& state) {
      int64_t count = 0;
      for (const at::Tensor& tensor :
           {state.sums, state.reference, state.logit, state.key, state.value, state.scan, state.windows}) {
        count += tensor.defined() ? tensor.numel() : 0;
      }
      return count;
    };
    const Inputs first = segment_of(x, 0, 100), second = segment_of(x, 100, 500);
    const LeapState early =
        leap_continue(first.query, first.focus, first.key, first.value, {}, options).state;
    const at::Tensor kept = early.scan.defined() ? early.scan.clone() : early.key.clone();
    const LeapState late =
        leap_continue(second.query, second.focus, second.key, second.value, early, options).state;
    EXPECT_GT(numbers(early), 0);
    EXPECT_EQ(numbers(early), numbers(late));
    EXPECT_EQ(late.position, 500);
    EXPECT_EQ(early.position, 100); // the argument is not changed
    EXPECT_TRUE((early.scan.defined() ? early.scan : early.key).equal(kept));
  }
}

TEST(Leap, DoesNotCopyMovedState) {
  const Inputs x = inputs(2, 3, 2, 4, 8, at::kFloat);
  LeapState state = leap_continue(x.query, x.focus, x.key, x.value, {}).state;
  const void* data = state.scan.const_data_ptr();
  state = leap_continue(x.query, x.focus, x.key, x.value, std::move(state)).state;
  EXPECT_EQ(state.scan.const_data_ptr(), data);
}

TEST(Leap, ReadoutDoesNotDriftInAMillionTokens) {
  const Inputs x = inputs(1, 50, 1, 2, 8, at::kFloat);
  for (const int64_t window : {3, 50}) {
    const LeapOptions options{.windows = {{window}}};
    const at::Tensor expected = leap(x, options).slice(1, 49);
    LeapState state;
    for (int64_t round = 0; round < 20'000; ++round) {
      LeapContinuation next = leap_continue(x.query, x.focus, x.key, x.value, std::move(state), options);
      state = std::move(next.state);
      if (round % 1000 == 999) { // the window is within the last 50 tokens
        EXPECT_LT(max_abs_difference(next.readout.slice(1, 49), expected), 1e-6) << state.position;
      }
    }
    EXPECT_EQ(state.position, 1'000'000);
  }
}

TEST(Leap, StateOfAMillionTokensResolvesASingleOne) {
  // A million equal tokens, then others: each moves the mean of a head without window by a millionth of the
  // difference.
  const int64_t heads = 1, features = 2;
  LeapState state{.position = 1'000'000,
                  .sums = at::tensor({1e6, 0.0, 0.0, 1e6, 0.0}, at::kDouble).view({1, heads, 5}),
                  .reference = at::zeros({1, heads}, at::kDouble)};
  const at::Tensor zero = at::zeros({1, 1, heads, features}),
                   one = at::tensor({0.0F, 1.0F}).view({1, 1, 1, 2});
  at::Tensor readout;
  for (int i = 0; i < 10; ++i) {
    LeapContinuation next = leap_continue(zero, zero, zero, one, state);
    state = std::move(next.state);
    readout = next.readout;
  }
  EXPECT_EQ(state.position, 1'000'010);
  EXPECT_DOUBLE_EQ(state.sums[0][0][0].item<double>(), 1'000'010);
  EXPECT_DOUBLE_EQ(state.sums[0][0][4].item<double>(), 10);

  // The same with the kernels, entirely in float32.
  const at::Tensor zeros = at::zeros({1, 1'000'000, heads, features});
  at::Tensor ones = at::zeros_like(zeros);
  ones.select(3, 0).fill_(1);
  state = leap_continue(zeros, zeros, zeros, ones, {}).state;
  at::Tensor by_kernels;
  for (int i = 0; i < 10; ++i) {
    LeapContinuation next = leap_continue(zero, zero, zero, one, std::move(state));
    state = std::move(next.state);
    by_kernels = next.readout;
  }
  EXPECT_NEAR(by_kernels[0][0][0][1].item<double>(), 0.5 * 10 / 1'000'010, 1e-12);
  EXPECT_NEAR(readout[0][0][0][1].item<double>(), 0.5 * 10 / 1'000'010, 1e-12);
}

TEST(Leap, DoesNotDriftOnLongSequences) {
  // Logits of -40 to 40 in 16k tokens: differences of prefix sums have errors of 1000 % and negative weights
  // here.
  const Inputs exact = inputs(1, 16'384, 1, 16, 9, at::kDouble, 3);
  const Inputs x = to(exact, at::kFloat), y = to(x, at::kDouble);
  for (const int64_t window : {4, 64, 256, 0}) {
    const LeapOptions options{.windows = {{window}}};
    EXPECT_LT(worst_relative_error(leap(x, options), leap(y, options)), 1e-5) << "window " << window;
  }
}

TEST(Leap, ExponentialWeightsDoNotOverflow) {
  Inputs x = inputs(1, 100, 2, 4, 10, at::kFloat, 1);
  x.focus *= 400; // logits beyond +-500, where exp overflows float32 at 88
  for (const int64_t window : {0, 3, 70}) {
    const LeapOptions options{.weight = FocusWeight::exponential, .windows = {{window}}};
    const at::Tensor readout = leap(x, options);
    EXPECT_TRUE(at::isfinite(readout).all().item<bool>());
    // Rounding of the logit itself: 500 * 6e-8, in every weight.
    EXPECT_LT(max_abs_difference(readout, plain(to(x, at::kDouble), options)), 2e-4) << window;
    for (const at::Tensor& gradient : gradients(x, options, leap)) {
      EXPECT_TRUE(at::isfinite(gradient).all().item<bool>());
    }
  }
}

constexpr LeapGate kGates[] = {LeapGate::sigmoid, LeapGate::cosine, LeapGate::dot_product, LeapGate::open};

TEST(Leap, SupportsEveryGate) {
  const Inputs x = inputs(2, 70, 2, 3, 30), small = inputs(1, 5, 2, 2, 31);
  const at::Tensor cotangent = random_tensor({1, 5, 2, 2}, 32);
  for (const LeapGate gate : kGates) {
    for (const FocusWeight weight : kWeights) {
      for (const std::optional<double> gate_scale : {std::optional<double>(), std::optional(1.7)}) {
        const LeapOptions options{
            .weight = weight, .windows = {{9, 0}}, .gate = gate, .gate_scale = gate_scale};
        EXPECT_LT(max_abs_difference(leap(x, options), plain(x, options)), 1e-13);
        expect_gradients_of(
            [&](const std::vector<at::Tensor>& t) {
              return (ops::leap(t[0], t[1], t[2], t[3], options) * cotangent).sum();
            },
            {small.query, small.focus, small.key, small.value},
            1e-7); // error from the large third derivative of the cosine gate
      }
    }
  }
}

TEST(Leap, CosineGateAcceptsQueryOfZeros) {
  Inputs x = inputs(1, 4, 1, 3, 33);
  x.query.zero_();
  const LeapOptions options{.gate = LeapGate::cosine};
  EXPECT_LT(max_abs_difference(leap(x, options), 0.5 * leap(x, {.gate = LeapGate::open})), 1e-15);
  for (const at::Tensor& gradient : gradients(x, options, leap)) {
    EXPECT_TRUE(at::isfinite(gradient).all().item<bool>());
  }
}

TEST(Leap, SupportsBothSides) {
  const Inputs x = inputs(2, 70, 2, 3, 34);
  at::Tensor key_padding_mask = at::zeros({2, 70}, at::kBool);
  key_padding_mask[1].slice(0, 50).fill_(true);
  for (const FocusWeight weight : kWeights) {
    for (const int64_t window : {0, 1, 12, 500}) {
      const LeapOptions options{.weight = weight,
                                .windows = {{window, 3}},
                                .both_sides = true,
                                .key_padding_mask = key_padding_mask};
      EXPECT_LT(max_abs_difference(leap(x, options), plain(x, options)), 1e-13);
      const auto got = gradients(x, options, leap), expected = gradients(x, options, plain);
      for (size_t i = 0; i < got.size(); ++i) {
        EXPECT_LT(max_abs_difference(got[i], expected[i]), 1e-11);
      }
    }
  }
  expect_contains(
      usage_error_of([&] { leap_continue(x.query, x.focus, x.key, x.value, {}, {.both_sides = true}); }),
      {"both_sides", "not known"});
}

TEST(Leap, IntermediatesReproduceReadoutAndGradients) {
  const Inputs x = inputs(2, 70, 2, 3, 35);
  const auto with_intermediates = [](const Inputs& y, const LeapOptions& o) {
    return leap_with_intermediates(y.query, y.focus, y.key, y.value, o).readout;
  };
  for (const LeapGate gate : kGates) {
    for (const FocusWeight weight : kWeights) {
      const LeapOptions options{.weight = weight, .windows = {{9, 0}, {0.1, 0}}, .gate = gate};
      EXPECT_LT(max_abs_difference(with_intermediates(x, options), leap(x, options)), 1e-14);
      const auto got = gradients(x, options, with_intermediates), expected = gradients(x, options, leap);
      for (size_t i = 0; i < got.size(); ++i) {
        EXPECT_LT(max_abs_difference(got[i], expected[i]), 1e-12);
      }
    }
  }
}

TEST(Leap, EffectiveAttentionTimesValuesIsReadout) {
  Inputs x = inputs(2, 50, 3, 4, 36);
  x.focus *= 300; // weights that overflow exp
  at::Tensor key_padding_mask = at::zeros({2, 50}, at::kBool);
  key_padding_mask[0].slice(0, 0, 20).fill_(true);
  for (const LeapGate gate : kGates) {
    for (const FocusWeight weight : kWeights) {
      for (const bool both_sides : {false, true}) {
        LeapOptions options{.weight = weight,
                            .windows = {{0, 1, 7}},
                            .gate = gate,
                            .both_sides = both_sides,
                            .key_padding_mask = key_padding_mask};
        if (!both_sides) {
          options.windows.decay = {0.05, 0, 0.2};
        }
        const LeapIntermediates intermediates =
            leap_with_intermediates(x.query, x.focus, x.key, x.value, options);
        const at::Tensor attention = effective_attention(intermediates, options);
        const at::Tensor product = at::matmul(attention, x.value.transpose(1, 2)).transpose(1, 2);
        EXPECT_LT(max_abs_difference(product, intermediates.readout),
                  1e-12 * (1 + intermediates.readout.abs().max().item<double>()));
        if (gate != LeapGate::dot_product) { // the only gate outside of [0, 1]
          EXPECT_LE((attention.sum(-1) - intermediates.gate.transpose(1, 2)).max().item<double>(), 1e-12);
        }
        const at::Tensor tile = effective_attention(intermediates, options, {10, 30, 5, 50});
        EXPECT_TRUE(tile.equal(attention.slice(2, 10, 30).slice(3, 5, 50)));
      }
    }
  }
  const LeapIntermediates intermediates = leap_with_intermediates(x.query, x.focus, x.key, x.value);
  expect_contains(usage_error_of([&] {
                    effective_attention(intermediates, {}, {0, 51});
                  }),
                  {"0 to 51", "there are 50"});
  expect_contains(usage_error_of([&] { effective_attention(intermediates, {}, {5, 3}); }), {"5 to 3"});
}

TEST(Leap, ExactMeansNeedNoEpsilon) {
  Inputs x = inputs(1, 50, 1, 4, 11);
  x.focus = -x.key * 100; // weights of exp(-100 |key|^2 / 2): far below epsilon
  const LeapOptions options{.weight = FocusWeight::exponential, .windows = {{5}}, .epsilon = 0};
  EXPECT_LT(max_abs_difference(leap(x, options), plain(x, options)), 1e-13);
  EXPECT_GT(leap(x, options).abs().mean().item<double>(), 0.1);
  EXPECT_LT(leap(x, {.weight = FocusWeight::exponential, .windows = {{5}}}).abs().mean().item<double>(),
            0.05);
}

TEST(Leap, HalfPrecisionIsRoundedFloat32) {
  for (const at::ScalarType type : {at::kBFloat16, at::kHalf}) {
    const Inputs x = inputs(1, 60, 2, 8, 12, type);
    const LeapOptions options{.windows = {{9}}};
    const at::Tensor readout = leap(x, options);
    EXPECT_EQ(readout.scalar_type(), type);
    EXPECT_TRUE(readout.equal(leap(to(x, at::kFloat), options).to(type)));
    EXPECT_EQ(gradients(x, options, leap)[2].scalar_type(), type);
  }
}

TEST(Leap, AcceptsStridedTensors) {
  const at::Tensor all = random_tensor({2, 40, 4 * 6}, 13); // as views of one projection
  const std::vector<at::Tensor> parts = all.chunk(4, -1);
  const auto heads = [](const at::Tensor& t) { return t.unflatten(-1, {2, 3}); };
  const Inputs strided{heads(parts[0]), heads(parts[1]), heads(parts[2]), heads(parts[3])};
  const Inputs dense{strided.query.contiguous(), strided.focus.contiguous(), strided.key.contiguous(),
                     strided.value.contiguous()};
  EXPECT_TRUE(leap(strided, {}).equal(leap(dense, {})));
}

TEST(Leap, ValuesMayHaveTheirOwnSize) {
  Inputs x = inputs(2, 20, 2, 3, 14);
  x.value = random_tensor({2, 20, 2, 5}, 15);
  EXPECT_LT(max_abs_difference(leap(x, {}), plain(x, {})), 1e-13);
}

TEST(Leap, AcceptsEmptySequences) {
  const Inputs x = inputs(2, 0, 3, 4, 16);
  EXPECT_EQ(leap(x, {}).sizes(), (at::IntArrayRef{2, 0, 3, 4}));
  const LeapContinuation none = leap_continue(x.query, x.focus, x.key, x.value, {});
  EXPECT_EQ(none.readout.sizes(), (at::IntArrayRef{2, 0, 3, 4}));
  EXPECT_EQ(none.state.position, 0);
  EXPECT_EQ(leap(inputs(0, 5, 3, 4, 17), {}).sizes(), (at::IntArrayRef{0, 5, 3, 4}));
}

TEST(Leap, IsRegisteredAsTorchOperator) {
  const Inputs x = inputs(1, 30, 2, 3, 18);
  const auto op = c10::Dispatcher::singleton().findSchemaOrThrow("mneme::leap", "");
  torch::jit::Stack stack{x.query,
                          x.focus,
                          x.key,
                          x.value,
                          std::vector<int64_t>{7},
                          std::vector<double>{0.1},
                          "exponential",
                          0.5,
                          1e-5,
                          torch::jit::IValue(),
                          torch::jit::IValue()};
  op.callBoxed(&stack);
  EXPECT_TRUE(stack.at(0).toTensor().equal(
      leap(x, {.weight = FocusWeight::exponential, .windows = {{7}, {0.1}}, .scale = 0.5})));
}

TEST(Leap, RejectsInvalidArguments) {
  const Inputs x = inputs(2, 6, 2, 3, 19);
  const auto error = [&](const Inputs& y, const LeapOptions& options) {
    return usage_error_of([&] { leap(y, options); });
  };
  expect_contains(error({x.query, x.focus.slice(3, 0, 2), x.key, x.value}, {}),
                  {"focus has 2 features", "query has 3 features"});
  expect_contains(error({x.query, x.focus, x.key.slice(1, 0, 5), x.value}, {}),
                  {"key has 5 tokens", "6 tokens"});
  expect_contains(error({x.query, x.focus, x.key, x.value.slice(2, 0, 1)}, {}),
                  {"value has 1 heads", "2 heads"});
  expect_contains(error({x.query, x.focus, x.key, x.value.slice(0, 0, 1)}, {}), {"1 batches", "2 batches"});
  expect_contains(error({x.query, x.focus, x.key, x.value.to(at::kFloat)}, {}), {"Float", "Double"});
  expect_contains(error(to(x, at::kLong), {}), {"Long", "floating point"});
  expect_contains(error({x.query[0], x.focus, x.key, x.value}, {}),
                  {"query has 3 dimensions", "4 are needed"});
  expect_contains(error({{}, x.focus, x.key, x.value}, {}), {"query is an undefined tensor"});
  expect_contains(error(inputs(2, 6, 0, 3, 1), {}), {"query has 0 heads", "at least 1"});
  expect_contains(error(inputs(2, 6, 2, 0, 1), {}), {"query has 0 features", "at least 1"});
  expect_contains(error(x, {.windows = {{-1}}}), {"-1 tokens", "at least 1, or 0"});
  expect_contains(error(x, {.windows = {{1, 2, 3}}}), {"3 windows", "2 heads"});
  expect_contains(error(x, {.windows = {{}}}), {"0 windows", "2 heads"});
  expect_contains(error(x, {.windows = {{1}, {-0.5}}}), {"decay is -0.5", ">= 0"});
  expect_contains(error(x, {.windows = {{1}, {0, 0, 0}}}), {"3 decays", "2 heads"});
  expect_contains(error(x, {.scale = NAN}), {"scale is nan", "finite"});
  expect_contains(error(x, {.gate_scale = INFINITY}), {"gate_scale is inf", "finite"});
  expect_contains(error(x, {.epsilon = 0}), {"epsilon is 0", "> 0"});
  expect_contains(error(x, {.weight = FocusWeight::exponential, .epsilon = -1}),
                  {"epsilon is -1", "or 0 for exact"});
  expect_contains(error(x, {.logit_factor = at::ones({2, 5, 2}, at::kDouble)}), {"5 tokens", "6 tokens"});
  expect_contains(error(x, {.key_padding_mask = at::zeros({2, 6})}), {"key_padding_mask", "Bool"});
  expect_contains(error(x, {.key_padding_mask = at::zeros({2, 7}, at::kBool)}), {"7 tokens", "6 tokens"});
}

TEST(Leap, ErrorLocatesNonFiniteInput) {
  for (const FocusWeight weight : kWeights) {
    Inputs x = inputs(2, 40, 2, 3, 20);
    x.key[1][33][0][2] = NAN;
    expect_contains(usage_error_of([&] { leap(x, {.weight = weight}); }),
                    {"key is nan at batch 1, token 33, head 0, feature 2", "finite"});
    EXPECT_NO_THROW(leap(x, {.weight = weight, .check_finite = false}));
    EXPECT_THROW(leap_continue(x.query, x.focus, x.key, x.value, {}, {.weight = weight}), UsageError);
  }
  Inputs large = inputs(1, 4, 1, 2, 21, at::kFloat);
  large.focus.fill_(1e30);
  large.key.fill_(1e30);
  expect_contains(usage_error_of([&] { leap(large, {}); }),
                  {"readout is not finite", "inf", "overflows Float"});
}

TEST(Leap, WeightsMayBeAsLargeAsTheirSumsAllow) {
  // 40 elu weights of 2^110 and 2^120, times keys of ones: sums up to 5e37; the limit is 3.4e38. Products
  // with queries would overflow.
  Inputs x = inputs(1, 40, 1, 2, 44, at::kFloat);
  const auto with_logit = [&](double logit) {
    x.key.fill_(1);
    x.focus.fill_(logit / 2);
    return leap(x, {.scale = 1});
  };
  const at::Tensor gate = at::sigmoid(x.query.sum(-1, true)); // of a mean key of ones
  x.value.clamp_(-1, 1);
  const at::Tensor means = x.value.cumsum(1) / at::arange(1, 41).view({1, 40, 1, 1});
  EXPECT_LT(max_abs_difference(with_logit(std::exp2(110)), gate * means), 1e-6);
  x.query *= 10;
  const at::Tensor sharp_gate = at::sigmoid(x.query.sum(-1, true));
  EXPECT_LT(max_abs_difference(with_logit(std::exp2(120)), sharp_gate * means), 1e-6);
  expect_contains(usage_error_of([&] { with_logit(std::exp2(127)); }),
                  {"readout is not finite", "1.70141e+38", "overflows Float"});
}

TEST(Leap, RejectsStateOfAnotherCall) {
  const Inputs x = inputs(2, 6, 2, 3, 22);
  for (const double decay : kDecays) {
    const LeapOptions options{.windows = {{0, 4}, {decay}}};
    const LeapState state = leap_continue(x.query, x.focus, x.key, x.value, {}, options).state;
    const auto error = [&](const LeapState& given, const LeapOptions& with, const Inputs& y) {
      return usage_error_of([&] { leap_continue(y.query, y.focus, y.key, y.value, given, with); });
    };
    LeapState wrong = state;
    wrong.position = -2;
    expect_contains(error(wrong, options, x), {"position -2"});
    wrong.position = 0;
    wrong.windows = wrong.scan = at::Tensor();
    const LeapOptions other{.windows = {{0, 5}, {decay}}};
    if (decay == 0) {
      expect_contains(error(state, other, x), {"[0, 4]", "[0, 5]"});
      expect_contains(error(state, options, inputs(1, 6, 2, 3, 22)), {"state's scan", "[2, ", "[1, "});
      expect_contains(error(state, options, to(x, at::kFloat)), {"scan", "Float", "Double"});
      wrong.position = 6;
      expect_contains(error(wrong, options, x), {"no windows"});
      wrong.windows = state.windows;
      expect_contains(error(wrong, options, x), {"no scan"});
      wrong.position = 0;
      expect_contains(error(wrong, options, x), {"position 0", "[2]"});
    } else {
      expect_contains(error(state, other, x), {"state's logit", "[2, 3, 2]", "[2, 4, 2]"});
      expect_contains(error(wrong, options, x), {"position 0", "[2, 2, 7]"});
      wrong = state;
      wrong.sums = at::Tensor();
      expect_contains(error(wrong, options, x), {"no sums"});
      wrong = state;
      wrong.key = wrong.key.to(at::kFloat);
      expect_contains(error(wrong, options, x), {"key", "Float", "Double"});
    }
    expect_contains(error({}, {.key_padding_mask = at::zeros({2, 6}, at::kBool)}, x),
                    {"key_padding_mask", "[2, 6]"});
  }
}

TEST(Leap, AcceptsWindowsOfAnySize) {
  const Inputs x = inputs(1, 40, 2, 3, 42);
  for (const FocusWeight weight : kWeights) {
    const LeapOptions all{.weight = weight}, huge{.weight = weight, .windows = {{INT64_MAX}}};
    EXPECT_TRUE(leap(x, huge).equal(leap(x, all)));
    EXPECT_LT(
        max_abs_difference(leap_continue(x.query, x.focus, x.key, x.value, {}, huge).readout, leap(x, all)),
        1e-12);
    EXPECT_EQ(gradients(x, huge, leap)[1].sizes(), x.focus.sizes());
  }
}

TEST(Leap, RejectsDoubleBackward) {
  const Inputs x = inputs(1, 4, 1, 2, 23);
  const at::Tensor query = x.query.clone().requires_grad_();
  const at::Tensor readout = ops::leap(query, x.focus, x.key, x.value);
  expect_contains(usage_error_of([&] { torch::autograd::grad({readout.sum()}, {query}, {}, true, true); }),
                  {"second derivative"});
}

} // namespace
} // namespace mneme::ops
