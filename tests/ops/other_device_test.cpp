// SPDX-License-Identifier: MIT

/// Every op on a device other than the CPU.
#include "ops/other_device.h"

#include <gtest/gtest.h>

#include "mneme/ops/associate.h"
#include "mneme/ops/associate_normed.h"
#include "mneme/ops/association_change.h"
#include "mneme/ops/association_dropout.h"
#include "mneme/ops/encode.h"
#include "mneme/ops/leap_explanation.h"
#include "mneme/ops/leap_projected.h"
#include "mneme/ops/matrix_leap.h"
#include "mneme/ops/original_leap.h"
#include "mneme/ops/separate.h"
#include "ops/tensors.h"

namespace mneme::ops {
namespace {

using mneme::testing::expect_same_on_device;
using mneme::testing::other_device;
using mneme::testing::Tensors;

constexpr FocusWeight kWeights[] = {FocusWeight::elu, FocusWeight::exponential};

at::Tensor random_bits(at::IntArrayRef shape, uint64_t seed) {
  return random_tensor(shape, seed) > 0.4;
}

TEST(OtherDevice, RejectsCpuTensorsAsAGpuDoes) {
  const at::Tensor there = at::ones({2}, at::device(other_device()));
  EXPECT_THROW(there + at::ones({2}), c10::Error);
  EXPECT_NO_THROW(there + at::ones({}));
}

TEST(OtherDevice, CountsSynchronisationsAndCopies) {
  const at::Tensor there = at::ones({2}, at::device(other_device()));
  const mneme::testing::HostTraffic before = mneme::testing::host_traffic();
  EXPECT_EQ(there.sum().item<double>(), 2);
  EXPECT_EQ(mneme::testing::host_traffic().waits, before.waits + 1);
  EXPECT_EQ(there.cpu().sum().item<double>(), 2);
  EXPECT_EQ(mneme::testing::host_traffic().copies, before.copies + 1);
}

TEST(AssociationDropout, IsEqualOnEveryDevice) {
  for (const at::ScalarType type : {at::kDouble, at::kFloat, at::kBFloat16}) {
    for (const int64_t num_stored : {0, 1, 3, 4, 5, 77}) {
      for (const int64_t seed : {int64_t{0}, int64_t{7}, int64_t{-1}, int64_t{0x123456789ABCDEF}}) {
        for (const double p : {0.0, 0.1, 0.999, 1.0}) {
          const at::Tensor weights = at::zeros({3, 5, num_stored}, type);
          const at::Tensor there = association_dropout(weights.to(other_device()), p, seed);
          EXPECT_EQ(there.device(), other_device());
          EXPECT_TRUE(there.cpu().equal(association_dropout(weights, p, seed)))
              << type << ", " << num_stored << " patterns, seed " << seed << ", p " << p;
        }
      }
    }
  }
}

TEST(AssociationDropout, IsEqualInSteps) { // of at most 2^22 elements
  const at::Tensor weights = at::zeros({4200, 1001}, at::kFloat);
  EXPECT_TRUE(association_dropout(weights.to(other_device()), 0.3, 5)
                  .cpu()
                  .equal(association_dropout(weights, 0.3, 5)));
}

TEST(Associate, IsTheSameOnAnotherDevice) {
  const Tensors inputs{random_tensor({4, 3, 5}, 1), random_tensor({4, 6, 5}, 2), random_tensor({4, 6, 2}, 3),
                       at::full({4}, 1.5, at::kDouble)};
  const at::Tensor padding = random_bits({2, 6}, 4), boolean = random_bits({3, 6}, 5),
                   additive = random_tensor({4, 3, 6}, 6);
  // In each, one query ignores all patterns.
  at::Tensor boolean_row = at::zeros({3, 6}, at::kBool), additive_row = additive.clone();
  boolean_row[1].fill_(true);
  additive_row[2].select(0, 0).fill_(-HUGE_VAL);
  for (const at::Tensor& key_padding_mask : {at::Tensor(), padding}) {
    for (const at::Tensor& attention_mask : {at::Tensor(), boolean, boolean_row, additive, additive_row}) {
      for (const double dropout : {0.0, 0.4}) {
        expect_same_on_device(
            [&](const Tensors& x) {
              return Tensors{associate(x[0], x[1], x[2],
                                       {.beta_tensor = x[3],
                                        .key_padding_mask = x[4],
                                        .attention_mask = x[5].defined() ? x[5].detach() : x[5],
                                        .dropout = dropout,
                                        .dropout_seed = 9})};
            },
            {inputs[0], inputs[1], inputs[2], inputs[3], key_padding_mask, attention_mask});
      }
    }
  }
}

TEST(Associate, BroadcastsAQueryAndAMemoryOnAnotherDevice) {
  const at::Tensor one = random_tensor({1, 3, 5}, 1), several = random_tensor({4, 6, 5}, 2);
  const at::Tensor pixels = (random_tensor({4, 6, 2}, 3).abs() * 80).clamp_max(255).to(at::kByte);
  expect_same_on_device([](const Tensors& x) { return Tensors{associate(x[0], x[1], x[1], {.beta = 2.0})}; },
                        {one, several});
  expect_same_on_device([](const Tensors& x) { return Tensors{associate(x[1], x[0], x[0], {.beta = 2.0})}; },
                        {one, several});
  expect_same_on_device([](const Tensors& x) { return Tensors{associate(x[0], x[1], x[2])}; },
                        {one, several, pixels});
}

TEST(AssociateNormed, IsTheSameOnAnotherDevice) {
  for (const at::Tensor& key_padding_mask : {at::Tensor(), random_bits({3, 7}, 4)}) {
    expect_same_on_device([](const Tensors& x) { return Tensors{associate_normed(x[0], x[1], 1e-5, x[2])}; },
                          {random_tensor({1, 2, 4}, 1), random_tensor({3, 7, 4}, 2), key_padding_mask},
                          1e-6); // its softmax is in float32
  }
}

TEST(AssociationChange, IsTheSameOnAnotherDevice) {
  const Tensors inputs{random_tensor({3, 2, 4}, 1), random_tensor({3, 2, 4}, 2), random_tensor({3, 6, 4}, 3)};
  expect_same_on_device([](const Tensors& x) { return Tensors{association_change(x[0], x[1], x[2])}; },
                        inputs, 1e-6);
}

TEST(Encode, IsTheSameOnAnotherDevice) {
  at::Tensor patterns = random_tensor({6, 5}, 1);
  patterns[2].zero_();
  const at::Tensor pixels = (random_tensor({6, 5}, 3).abs() * 80).clamp_max(255).to(at::kByte);
  for (const at::Tensor& given : {patterns, pixels}) {
    expect_same_on_device([](const Tensors& x) { return Tensors{encode(x[0], x[1])}; },
                          {given, random_tensor({3, 5}, 2)});
  }
}

TEST(Separate, IsTheSameOnAnotherDevice) {
  for (const NamedSeparation& named : kSimplexSeparations) {
    SCOPED_TRACE(std::string(named.name));
    expect_same_on_device(
        [&](const Tensors& x) {
          return Tensors{separate(x[0], named.separation), separation_potential(x[0], named.separation)};
        },
        {random_tensor({3, 8}, 1)});
  }
}

Tensors sequence(uint64_t seed) {
  Tensors four;
  for (uint64_t i = 0; i < 4; ++i) {
    four.push_back(random_tensor({2, 70, 3, 4}, seed + i));
  }
  return four;
}

TEST(Leap, IsTheSameOnAnotherDevice) {
  for (const FocusWeight weight : kWeights) {
    for (const LeapGate gate : {LeapGate::sigmoid, LeapGate::cosine, LeapGate::dot_product, LeapGate::open}) {
      for (const Windows& windows : {Windows{}, Windows{{0, 5, 40}, {0}}, Windows{{7}, {0, 0.1, 0.2}}}) {
        expect_same_on_device(
            [&](const Tensors& x) {
              return Tensors{
                  leap(x[0], x[1], x[2], x[3], {.weight = weight, .windows = windows, .gate = gate})};
            },
            sequence(1), 1e-11);
      }
    }
  }
}

TEST(Leap, LeavesPaddingOutOnAnotherDevice) {
  at::Tensor key_padding_mask = at::zeros({2, 70}, at::kBool);
  key_padding_mask[1].slice(0, 60).fill_(true);
  Tensors inputs = sequence(1);
  inputs.push_back(key_padding_mask);
  inputs.push_back(random_tensor({2, 70, 3}, 9));
  for (const bool both_sides : {false, true}) {
    expect_same_on_device(
        [&](const Tensors& x) {
          return Tensors{leap(x[0], x[1], x[2], x[3],
                              {.windows = {{0, 5, 40}},
                               .both_sides = both_sides,
                               .logit_factor = x[5],
                               .key_padding_mask = x[4]})};
        },
        inputs, 1e-11);
  }
}

TEST(Leap, GoesOnOnAnotherDevice) {
  for (const FocusWeight weight : kWeights) {
    expect_same_on_device(
        [&](const Tensors& x) {
          const LeapOptions options{.weight = weight, .windows = {{0, 5, 40}}};
          LeapState state;
          Tensors readouts;
          for (const auto& [first, last] :
               {std::pair(0, 1), std::pair(1, 50), std::pair(50, 51), std::pair(51, 70)}) {
            const auto part = [&, first = first, last = last](const at::Tensor& t) {
              return t.detach().slice(1, first, last);
            };
            LeapContinuation next =
                leap_continue(part(x[0]), part(x[1]), part(x[2]), part(x[3]), std::move(state), options);
            readouts.push_back(next.readout);
            state = std::move(next.state);
          }
          return readouts;
        },
        sequence(1), 1e-11);
  }
}

TEST(LeapProjected, IsTheSameOnAnotherDevice) {
  for (const double p : {0.0, 0.3}) {
    expect_same_on_device(
        [&](const Tensors& x) {
          return Tensors{leap_projected(x[0], x[1], 2, {.windows = {{0, 20}}}, {}, {p, 5})};
        },
        {random_tensor({2, 40, 5}, 1), random_tensor({24, 5}, 2)}, 1e-11);
  }
}

TEST(LeapExplanation, IsTheSameOnAnotherDevice) {
  expect_same_on_device(
      [](const Tensors& x) {
        const LeapOptions options{.windows = {{0, 5, 40}, {0, 0.1, 0.2}}};
        const LeapIntermediates parts = leap_with_intermediates(x[0], x[1], x[2], x[3], options);
        const LeapExplanation why = explain(parts, options, {.first_query = 3, .last_query = 9});
        const LeapLayer layers[] = {{parts, options}};
        const at::NoGradGuard no_gradient;
        return Tensors{why.mean_weight,
                       why.attention,
                       why.contribution,
                       why.gate_logit_contribution,
                       gate_logit(parts, options),
                       attention_rollout(layers, 60)};
      },
      sequence(1), 1e-11);
}

TEST(MatrixLeap, IsTheSameOnAnotherDevice) {
  for (const FocusWeight weight : kWeights) {
    expect_same_on_device(
        [&](const Tensors& x) {
          const MatrixLeapOptions options{.weight = weight, .windows = {{0, 5, 40}}};
          const auto part = [&](const at::Tensor& t, int64_t first, int64_t last) {
            return t.detach().slice(1, first, last);
          };
          Tensors results{matrix_leap(x[0], x[1], x[2], x[3], options)};
          MatrixLeapState state;
          for (const auto& [first, last] : {std::pair(0, 45), std::pair(45, 46), std::pair(46, 70)}) {
            MatrixLeapContinuation next = matrix_leap_continue(
                part(x[0], first, last), part(x[1], first, last), part(x[2], first, last),
                part(x[3], first, last), std::move(state), options);
            results.push_back(next.readout);
            state = std::move(next.state);
          }
          return results;
        },
        sequence(1), 1e-11);
  }
}

TEST(OriginalLeap, IsTheSameOnAnotherDevice) {
  expect_same_on_device([](const Tensors& x) { return Tensors{original_leap(x[0], x[1], x[2], x[3], 7)}; },
                        sequence(1), 1e-11);
}

} // namespace
} // namespace mneme::ops
