// SPDX-License-Identifier: MIT

/// Every way to compute a Hopfield layer gives the same outputs and gradients.

#include <functional>
#include <limits>
#include <vector>

#include <ATen/CPUGeneratorImpl.h>

#include "mneme/nn/hopfield_layer.h"
#include "mneme/nn/hopfield_pooling.h"
#include "mneme/ops/attention_plan.h"
#include "nn/layers.h"

namespace mneme::nn {
namespace {

using ops::AttentionStrategy;
using ops::ForcedStrategy;

/// Calls check(description) under every forced strategy.
void under_each_strategy(const std::function<void(const char*)>& check) {
  {
    const ForcedStrategy forced(AttentionStrategy::lanes);
    check("lanes");
  }
  {
    const ForcedStrategy forced(AttentionStrategy::rows);
    check("rows");
  }
  {
    const ForcedStrategy forced(false, false);
    check("separate projections");
  }
  {
    const ForcedStrategy forced(false, true);
    check("joined projections");
  }
  {
    const ForcedStrategy forced(true, false);
    check("folded projections");
  }
}

/// Output, and gradients of all parameters and of `inputs`.
std::vector<at::Tensor> results_of(torch::nn::Module& module, const std::function<at::Tensor()>& forward,
                                   const std::vector<at::Tensor>& inputs) {
  const at::Tensor output = forward();
  std::vector<at::Tensor> leaves = module.parameters();
  leaves.insert(leaves.end(), inputs.begin(), inputs.end());
  std::vector<at::Tensor> results =
      torch::autograd::grad({output}, leaves, {random_tensor(output.sizes(), 5)}, {}, false, true);
  results.push_back(output.detach());
  return results;
}

void expect_equal_under_each_strategy(torch::nn::Module& module, const std::function<at::Tensor()>& forward,
                                      const std::vector<at::Tensor>& inputs) {
  const std::vector<at::Tensor> expected = results_of(module, forward, inputs);
  under_each_strategy([&](const char* strategy) {
    const std::vector<at::Tensor> actual = results_of(module, forward, inputs);
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(actual[i].defined(), expected[i].defined());
      if (expected[i].defined()) {
        EXPECT_LT(max_abs_difference(actual[i], expected[i]), 1e-11) << strategy << ", result " << i;
      }
    }
  });
}

HopfieldOptions options(bool batch_first) {
  return HopfieldOptions(6).num_heads(3).hidden_size(4).batch_first(batch_first);
}

/// Norms that differ from each other and from the initial ones.
template <class Layer> void randomise(Layer& layer) {
  layer->to(at::kDouble);
  const at::NoGradGuard no_gradient;
  uint64_t seed = 100;
  for (at::Tensor& parameter : layer->parameters()) {
    parameter.copy_(random_tensor(parameter.sizes(), ++seed));
  }
}

TEST(HopfieldStrategies, AgreeForSelfAssociation) {
  for (const bool batch_first : {true, false}) {
    for (const int64_t updates : {0, 2, -1}) {
      Hopfield layer(options(batch_first).update_steps_max(updates));
      randomise(layer);
      const at::Tensor x = random_tensor(batch_first ? at::IntArrayRef{4, 9, 6} : at::IntArrayRef{9, 4, 6}, 1)
                               .requires_grad_();
      expect_equal_under_each_strategy(*layer, [&] { return layer->forward(x); }, {x});
    }
  }
}

TEST(HopfieldStrategies, AgreeWithMasksAndForDifferentStates) {
  Hopfield layer(options(true).pattern_size(5).update_steps_max(1));
  randomise(layer);
  const at::Tensor stored = random_tensor({3, 9, 6}, 1).requires_grad_(),
                   state = random_tensor({3, 4, 6}, 2).requires_grad_();
  const at::Tensor padding = at::arange(9).unsqueeze(0) >= at::tensor({9, 4, 7}).unsqueeze(1);
  const at::Tensor bias = random_tensor({4, 9}, 3), pairs = random_tensor({9, 4, 9}, 4) > 0.7;
  for (const HopfieldMasks& masks : {HopfieldMasks{}, HopfieldMasks{padding, {}}, HopfieldMasks{{}, bias},
                                     HopfieldMasks{padding, pairs}}) {
    expect_equal_under_each_strategy(*layer, [&] { return layer->forward(stored, state, {}, masks); },
                                     {stored, state});
  }
}

TEST(HopfieldStrategies, AgreeForPooling) {
  for (const bool batch_first : {true, false}) {
    HopfieldPooling layer(HopfieldPoolingOptions(options(batch_first)).quantity(2));
    randomise(layer);
    const at::Tensor stored =
        random_tensor(batch_first ? at::IntArrayRef{4, 9, 6} : at::IntArrayRef{9, 4, 6}, 1).requires_grad_();
    const at::Tensor padding = at::arange(9).unsqueeze(0) >= at::tensor({9, 4, 7, 1}).unsqueeze(1);
    for (const HopfieldMasks& masks : {HopfieldMasks{}, HopfieldMasks{padding, {}}}) {
      expect_equal_under_each_strategy(*layer, [&] { return layer->forward(stored, {}, masks); }, {stored});
    }
  }
}

TEST(HopfieldStrategies, AgreeForALookupWhoseBatchSharesTheStoredPatterns) {
  HopfieldLayer layer(HopfieldLayerOptions(options(true).update_steps_max(2)).quantity(7));
  randomise(layer);
  for (const int64_t states : {1, 3}) {
    const at::Tensor state = random_tensor({5, states, 6}, 1).requires_grad_();
    expect_equal_under_each_strategy(*layer, [&] { return layer->forward(state); }, {state});
    // A state does not depend on its batch entry.
    const at::Tensor as_one_entry = layer->forward(state.detach().view({1, 5 * states, 6}));
    EXPECT_LT(max_abs_difference(layer->forward(state).view_as(as_one_entry), as_one_entry), 1e-12);
  }
}

/// Compares a layer with the same layer computed by plain LibTorch operations: results, gradients of all
/// parameters and inputs, and the updates that were made.
void expect_plain_results(const HopfieldOptions& streamed, const at::Tensor& stored, const at::Tensor& state,
                          const HopfieldMasks& masks) {
  Hopfield layer(streamed), plain(HopfieldOptions(streamed).streaming(false));
  randomise(layer);
  randomise(plain);
  const auto run = [&](Hopfield& hopfield) {
    hopfield->association_core->generator = at::make_generator<at::CPUGeneratorImpl>(7); // for dropout
    return results_of(*hopfield, [&] { return hopfield->forward(stored, state, {}, masks); },
                      {stored, state});
  };
  const std::vector<at::Tensor> actual = run(layer), expected = run(plain);
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(actual[i].defined(), expected[i].defined()) << "result " << i;
    if (expected[i].defined()) {
      EXPECT_LT(max_abs_difference(actual[i], expected[i]), 1e-12) << "result " << i;
    }
  }
  layer->eval();
  plain->eval();
  const HopfieldRetrieval retrieval = layer->retrieve(stored, state, {}, masks),
                          of_plain = plain->retrieve(stored, state, {}, masks);
  EXPECT_LT(max_abs_difference(retrieval.association, of_plain.association), 1e-12);
  EXPECT_EQ(retrieval.updates, of_plain.updates);
  EXPECT_EQ(retrieval.changes, of_plain.changes);
}

TEST(HopfieldStrategies, AgreeForOneStoredPattern) {
  const at::Tensor padding = at::tensor({0, 1, 0, 0}).to(at::kBool).view({4, 1}),
                   bias = random_tensor({5, 1}, 3);
  for (const bool batch_first : {true, false}) {
    const at::Tensor stored =
        random_tensor(batch_first ? at::IntArrayRef{4, 1, 6} : at::IntArrayRef{1, 4, 6}, 1).requires_grad_();
    const at::Tensor state =
        random_tensor(batch_first ? at::IntArrayRef{4, 5, 6} : at::IntArrayRef{5, 4, 6}, 2).requires_grad_();
    const HopfieldOptions base = options(batch_first);
    for (const HopfieldOptions& layer :
         {base, HopfieldOptions(base).update_steps_max(2),
          HopfieldOptions(base).update_steps_max(std::nullopt), HopfieldOptions(base).dropout(0.4),
          HopfieldOptions(base).pattern_size(3).learn_beta(true),
          HopfieldOptions(base).normalize_hopfield_space(true).normalize_hopfield_space_affine(true),
          HopfieldOptions(base).beta(std::vector<double>{0.5, 2.0, std::numeric_limits<double>::infinity()}),
          HopfieldOptions(base).separation(ops::Separation::sparsemax),
          HopfieldOptions(base).concat_bias_pattern(true), HopfieldOptions(base).add_zero_association(true),
          HopfieldOptions(base).stored_pattern_as_static(true).hidden_size(6)}) {
      for (const HopfieldMasks& masks : {HopfieldMasks{}, HopfieldMasks{padding, {}}, HopfieldMasks{{}, bias},
                                         HopfieldMasks{padding, bias}}) {
        expect_plain_results(layer, stored, state, masks);
      }
    }
  }
}

TEST(HopfieldStrategies, OneStoredPatternDoesNotHideNaN) {
  Hopfield layer(options(true));
  randomise(layer);
  const at::Tensor stored = random_tensor({2, 1, 6}, 1), state = random_tensor({2, 3, 6}, 2);
  state[1][2][4] = std::numeric_limits<double>::quiet_NaN();
  expect_contains(usage_error_of([&] { layer->forward(stored, state); }), {"state_pattern", "nan"});
  Hopfield unchecked(options(true).check_finite(false));
  randomise(unchecked);
  const at::Tensor is_nan = unchecked->forward(stored, state).isnan().any(-1);
  EXPECT_TRUE(is_nan.equal(at::tensor({0, 0, 0, 0, 0, 1}).to(at::kBool).view({2, 3})));
}

} // namespace
} // namespace mneme::nn
