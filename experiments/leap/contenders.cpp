// SPDX-License-Identifier: MIT

#include "experiments/leap/contenders.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <vector>

#include <torch/torch.h>

#include "mneme/nn/multihead_leap.h"
#include "mneme/ops/leap.h"
#include "mneme/ops/original_leap.h"

namespace mneme::experiments {
namespace {

constexpr int64_t kRow = kContenderHeads * kContenderHeadSize;
constexpr double kContenderDropout = 0.1;

at::Tensor random(at::IntArrayRef shape, bool needs_gradient) {
  return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(7), at::kFloat)
      .requires_grad_(needs_gradient);
}

using Function = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

std::function<void()> call_of(Function function, std::vector<at::Tensor> inputs, bool backward) {
  if (!backward) {
    return [function = std::move(function), inputs = std::move(inputs)] {
      const at::NoGradGuard no_gradient;
      function(inputs);
    };
  }
  at::Tensor cotangent;
  {
    const at::NoGradGuard no_gradient;
    cotangent = random(function(inputs).sizes(), false);
  }
  return [function = std::move(function), inputs = std::move(inputs), cotangent] {
    torch::autograd::grad({function(inputs)}, inputs, {cotangent});
  };
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

std::function<void()> call_of_contender(Contender which, int64_t tokens, int64_t window, bool backward) {
  const auto rows = [&](size_t count, at::IntArrayRef shape) {
    std::vector<at::Tensor> all(count);
    std::ranges::generate(all, [&] { return random(shape, backward); });
    return all;
  };
  const auto with_projection = [&](int64_t num_outputs) {
    return std::vector{random({1, tokens, kRow}, backward),
                       random({num_outputs * kRow, kRow}, false)
                           .mul_(1 / std::sqrt(static_cast<double>(kRow)))
                           .requires_grad_(backward)};
  };
  const std::vector<int64_t> leap_shape = {1, tokens, kContenderHeads, kContenderHeadSize},
                             attention_shape = {1, kContenderHeads, tokens, kContenderHeadSize};
  const auto attend = [](const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) {
    return at::scaled_dot_product_attention(query, key, value, {}, 0, /*is_causal=*/true);
  };
  switch (which) {
  case Contender::leap:
    return call_of(
        [window](const auto& x) { return ops::leap(x[0], x[1], x[2], x[3], {.windows = {{window}}}); },
        rows(4, leap_shape), backward);
  case Contender::original_leap:
    return call_of([window](const auto& x) { return ops::original_leap(x[0], x[1], x[2], x[3], window); },
                   rows(4, leap_shape), backward);
  case Contender::attention:
    return call_of([attend](const auto& x) { return attend(x[0], x[1], x[2]); }, rows(3, attention_shape),
                   backward);
  case Contender::projection:
    return call_of([](const auto& x) { return at::linear(x[0], x[1]); }, with_projection(4), backward);
  case Contender::leap_layer:
  case Contender::leap_layer_dropout: {
    nn::MultiheadLeap layer(nn::MultiheadLeapOptions(kRow, kContenderHeads)
                                .windows({window})
                                .dropout(which == Contender::leap_layer ? 0 : kContenderDropout));
    return call_of([layer](const auto& x) mutable { return layer->forward(x[0]); },
                   {random({1, tokens, kRow}, backward), layer->projections->weight}, backward);
  }
  case Contender::original_leap_dropout:
    return call_of(
        [window, tokens](const auto& x) {
          const std::vector<at::Tensor> projected =
              at::linear(x[0], x[1]).view({1, tokens, 4, kContenderHeads, kContenderHeadSize}).unbind(2);
          const auto drop = [](const at::Tensor& t) { return at::dropout(t, kContenderDropout, true); };
          const at::Tensor logit_dropout = drop(at::ones({1, tokens, kContenderHeads, 1}));
          return ops::original_leap(drop(projected[0]), drop(projected[1]) * logit_dropout, projected[2],
                                    drop(projected[3]), window);
        },
        with_projection(4), backward);
  case Contender::attention_layer:
    return call_of(
        [attend, tokens](const auto& x) {
          const std::vector<at::Tensor> projected =
              at::linear(x[0], x[1]).view({1, tokens, 3, kContenderHeads, kContenderHeadSize}).unbind(2);
          return attend(projected[0].transpose(1, 2), projected[1].transpose(1, 2),
                        projected[2].transpose(1, 2));
        },
        with_projection(3), backward);
  }
  return {};
}

double time_call(const std::function<void()>& call) {
  constexpr double kSlowCall = 2, kTotal = 0.5; // seconds
  constexpr double kMinCalls = 3, kMaxCalls = 200;
  const auto timed = [&] {
    const auto begin = std::chrono::steady_clock::now();
    call();
    return seconds_since(begin);
  };
  const double first = timed();
  if (first >= kSlowCall) {
    return first;
  }
  std::vector<double> seconds(
      static_cast<size_t>(std::clamp(std::floor(kTotal / std::max(first, 1e-9)), kMinCalls, kMaxCalls)));
  std::ranges::generate(seconds, timed);
  std::ranges::sort(seconds);
  return seconds[seconds.size() / 2];
}

StepTimes time_steps(int64_t window, int64_t position, int64_t steps) {
  constexpr int64_t kChunk = 4096, kRounds = 9;
  const at::NoGradGuard no_gradient;
  const at::Tensor rows = random({1, kChunk, 4, kContenderHeads, kContenderHeadSize}, false);
  const ops::LeapOptions options{.windows = {{window}}};
  const auto advance = [&](ops::LeapState state, int64_t first, int64_t count) {
    const std::vector<at::Tensor> x = rows.narrow(1, first, count).unbind(2);
    return ops::leap_continue(x[0], x[1], x[2], x[3], std::move(state), options).state;
  };
  ops::LeapState before;
  while (before.position < position) {
    const int64_t count = std::min(kChunk, position - before.position);
    before = advance(std::move(before), 0, count);
  }
  std::vector<double> seconds(static_cast<size_t>(steps), std::numeric_limits<double>::infinity());
  for (int64_t round = 0; round < kRounds; ++round) {
    ops::LeapState state = advance(before, 0, 1); // untimed; makes a copy of the state
    for (int64_t i = 0; i < steps; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      state = advance(std::move(state), (i + 1) % kChunk, 1);
      double& min = seconds[static_cast<size_t>(i)];
      min = std::min(min, seconds_since(begin));
    }
  }
  std::ranges::sort(seconds);
  return {seconds[seconds.size() / 2], seconds.back()};
}

[[maybe_unused]] const bool implemented = contender.implement(call_of_contender) &&
                                          seconds_of.implement(time_call) &&
                                          leap_step_times.implement(time_steps);

} // namespace
} // namespace mneme::experiments
