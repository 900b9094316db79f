// SPDX-License-Identifier: MIT

/// All layers on a device that is not the CPU.
#include <gtest/gtest.h>

#include "mneme/nn/associative_memory.h"
#include "mneme/nn/binary_mlp.h"
#include "mneme/nn/class_token_attention.h"
#include "mneme/nn/fastformer_lm.h"
#include "mneme/nn/hopfield_decoder_layer.h"
#include "mneme/nn/hopfield_encoder_layer.h"
#include "mneme/nn/hopfield_layer.h"
#include "mneme/nn/hopfield_pooling.h"
#include "mneme/nn/leap_lm.h"
#include "mneme/nn/matrix_leap.h"
#include "mneme/nn/multihead_leap.h"
#include "mneme/nn/scaled_dot_product_attention.h"
#include "mneme/nn/self_attention.h"
#include "nn/checks.h"
#include "nn/layers.h"
#include "ops/other_device.h"

namespace mneme::nn {
namespace {

using mneme::testing::expect_same_on_device;
using mneme::testing::host_traffic;
using mneme::testing::HostTraffic;
using mneme::testing::other_device;
using mneme::testing::Tensors;

/// Expects that a layer and its copy on the other device have the same results, and the same gradients of
/// inputs and parameters.
template <class Layer, class Call>
void expect_same_layer(const Layer& here, Call call, const Tensors& inputs, double tolerance = 1e-10) {
  const Layer there(std::dynamic_pointer_cast<typename Layer::Impl>(here->clone(other_device())));
  expect_same_on_device(
      [&](const Tensors& x) {
        Layer layer = x[0].device().is_cpu() ? here : there;
        torch::manual_seed(5); // for dropout
        Tensors results = call(layer, x);
        const Tensors parameters = layer->parameters();
        if (!parameters.empty()) {
          const Tensors found =
              torch::autograd::grad({results[0].square().sum()}, parameters, {}, true, false, true);
          results.insert(results.end(), found.begin(), found.end());
        }
        return results;
      },
      inputs, tolerance);
}

HopfieldOptions small(int64_t heads = 2) {
  return HopfieldOptions(6).hidden_size(4).num_heads(heads);
}

const Tensors& patterns() {
  static const Tensors both{random_tensor({3, 7, 6}, 1), random_tensor({3, 5, 6}, 2)};
  return both;
}

Tensors forward(Hopfield& layer, const Tensors& x) {
  return {layer->forward(x[0], x[1])};
}

TEST(HopfieldOnDevice, ForwardAndGradientsMatchTheCpu) {
  const std::pair<const char*, HopfieldOptions> kinds[] = {
      {"default", small()},
      {"no norms", without_norms(small())},
      {"learned beta", small().learn_beta(true)},
      {"beta per head", small().beta(PerHead<double>({0.5, 2.0}))},
      {"best match", small().beta(PerHead<double>({0.5, std::numeric_limits<double>::infinity()}))},
      {"updates", small().update_steps_max(3)},
      {"updates per head", small().update_steps_max(PerHead<int64_t>({1, 4}))},
      {"many updates", small().update_steps_max(40).beta(0.3)},
      {"some heads stop", small().update_steps_max(6).update_steps_eps(PerHead<double>({1e-2, 1e-12}))},
      {"sparsemax", small().separation(ops::Separation::sparsemax).update_steps_max(2)},
      {"1.5-entmax", small().separation(ops::Separation::entmax15)},
      {"compat", small().compat(true).beta(PerHead<double>({0.5, 2.0})).update_steps_max(1)},
  };
  for (const auto& [name, options] : kinds) {
    SCOPED_TRACE(name);
    // With 40 updates, the check for convergence synchronises with the device, so only the forward pass is
    // tested.
    if (std::string(name) == "many updates") {
      const Hopfield here = hopfield(options),
                     there(std::dynamic_pointer_cast<HopfieldImpl>(here->clone(other_device())));
      const HostTraffic before = host_traffic();
      Hopfield other = there, own = here;
      const at::Tensor got =
          other->forward(patterns()[0].to(other_device()), patterns()[1].to(other_device()));
      EXPECT_LE(host_traffic().waits - before.waits, 40 / 8);
      EXPECT_LT(max_abs_difference(got.cpu(), own->forward(patterns()[0], patterns()[1])), 1e-12);
      continue;
    }
    expect_same_layer(hopfield(options), forward, patterns());
  }
}

TEST(HopfieldOnDevice, MasksMatchTheCpu) {
  at::Tensor padding = at::zeros({3, 7}, at::kBool), mask = at::ones({5, 7}, at::kBool).triu(1);
  padding[1].slice(0, 4).fill_(true);
  padding[2].fill_(true); // everything masked
  for (const int64_t updates : {0, 2}) {
    expect_same_layer(hopfield(small().update_steps_max(updates)),
                      [](Hopfield& layer, const Tensors& x) {
                        return Tensors{layer->forward(
                            x[0], x[1], {}, {.stored_pattern_padding_mask = x[2], .association_mask = x[3]})};
                      },
                      {patterns()[0], patterns()[1], padding, mask});
  }
}

TEST(HopfieldOnDevice, DropoutMatchesTheCpu) {
  Hopfield layer = hopfield(small().dropout(0.4));
  layer->train();
  expect_same_layer(layer, forward, patterns());
}

TEST(HopfieldOnDevice, RetrievalMatchesTheCpu) {
  const Hopfield here = hopfield(
                     small().update_steps_max(20).update_steps_eps(PerHead<double>({1e-2, 1e-4})).beta(0.3)),
                 there(std::dynamic_pointer_cast<HopfieldImpl>(here->clone(other_device())));
  Hopfield own = here, other = there;
  const HopfieldRetrieval expected = own->retrieve(patterns()[0], patterns()[1]),
                          got = other->retrieve(patterns()[0].to(other_device()),
                                                patterns()[1].to(other_device()));
  EXPECT_LT(max_abs_difference(got.association.cpu(), expected.association), 1e-12);
  EXPECT_EQ(got.updates, expected.updates);
  EXPECT_GT(expected.updates[1], expected.updates[0]); // otherwise heads that stop early would not be tested
  EXPECT_EQ(got.converged, expected.converged);
  ASSERT_EQ(got.changes.size(), expected.changes.size());
  for (size_t update = 0; update < got.changes.size(); ++update) {
    for (size_t head = 0; head < got.changes[update].size(); ++head) {
      EXPECT_NEAR(got.changes[update][head], expected.changes[update][head], 1e-12);
    }
  }
}

TEST(HopfieldOnDevice, UpdatesUntilConvergence) {
  const HopfieldOptions options = small().update_steps_max(std::nullopt).beta(0.3);
  Hopfield own = hopfield(options),
           other(std::dynamic_pointer_cast<HopfieldImpl>(own->clone(other_device())));
  const at::Tensor got = other->forward(patterns()[0].to(other_device()), patterns()[1].to(other_device()));
  EXPECT_LT(max_abs_difference(got.cpu(), own->forward(patterns()[0], patterns()[1])), 1e-12);
}

TEST(HopfieldOnDevice, OtherLayersMatchTheCpu) {
  expect_same_layer(prepared(HopfieldPooling(HopfieldPoolingOptions(small()))),
                    [](HopfieldPooling& layer, const Tensors& x) { return Tensors{layer->forward(x[0])}; },
                    {patterns()[0]});
  expect_same_layer(prepared(HopfieldLayer(HopfieldLayerOptions(small()).quantity(5))),
                    [](HopfieldLayer& layer, const Tensors& x) { return Tensors{layer->forward(x[0])}; },
                    {patterns()[0]});
  expect_same_layer(
      prepared(HopfieldEncoderLayer(HopfieldEncoderLayerOptions(small()).dim_feedforward(8))),
      [](HopfieldEncoderLayer& layer, const Tensors& x) { return Tensors{layer->forward(x[0])}; },
      {patterns()[0]});
  expect_same_layer(
      prepared(HopfieldDecoderLayer(HopfieldDecoderLayerOptions(small(), small()).dim_feedforward(8))),
      [](HopfieldDecoderLayer& layer, const Tensors& x) { return Tensors{layer->forward(x[0], x[1])}; },
      {patterns()[1], patterns()[0]});
}

TEST(AssociativeMemoryOnDevice, RetrievalMatchesTheCpu) {
  for (const ops::Separation separation : {ops::Separation::softmax, ops::Separation::sparsemax}) {
    AssociativeMemory here(AssociativeMemoryOptions(3).separation(separation)), there = here;
    const at::Tensor stored = random_tensor({5, 8}, 1), states = random_tensor({9, 8}, 2);
    here.store(stored);
    there.store(stored.to(other_device()));
    const MemoryRetrieval expected = here.retrieve(states), got = there.retrieve(states.to(other_device()));
    EXPECT_LT(max_abs_difference(got.state.cpu(), expected.state), 1e-12);
    EXPECT_LT(max_abs_difference(got.readout.cpu(), expected.readout), 1e-12);
    EXPECT_LT(max_abs_difference(got.energy.cpu(), expected.energy), 1e-12);
    EXPECT_TRUE(got.steps.cpu().equal(expected.steps)) << got.steps.cpu() << expected.steps;
    EXPECT_TRUE(got.converged.cpu().equal(expected.converged));
  }
}

TEST(LeapOnDevice, LayersMatchTheCpu) {
  const Tensors x{random_tensor({2, 40, 8}, 1)};
  for (const double dropout : {0.0, 0.3}) {
    for (const bool rotary : {false, true}) {
      MultiheadLeap layer =
          prepared(MultiheadLeap(MultiheadLeapOptions(8, 2).windows({0, 7}).dropout(dropout).rotary(rotary)));
      layer->train();
      expect_same_layer(
          layer, [](MultiheadLeap& leap, const Tensors& in) { return Tensors{leap->forward(in[0])}; }, x);
    }
  }
  expect_same_layer(
      prepared(MatrixLeap(MatrixLeapOptions(8, 2).windows({0, 7}))),
      [](MatrixLeap& leap, const Tensors& in) { return Tensors{leap->forward(in[0])}; }, x);
}

/// Loss and logits, with padding.
template <class Model> void expect_same_model(const Model& model) {
  const at::Tensor ids = at::arange(30).view({2, 15}) % 11;
  at::Tensor attention_mask = at::ones({2, 15}, at::kLong);
  attention_mask[1].slice(0, 9).fill_(0);
  expect_same_layer(prepared(model),
                    [](Model& there, const Tensors& x) {
                      const CausalLMOutput output =
                          there->forward(x[0], {.attention_mask = x[1], .labels = x[0]});
                      return Tensors{output.loss, output.logits};
                    },
                    {ids, attention_mask});
}

TEST(LanguageModelsOnDevice, MatchTheCpu) {
  for (const bool local : {false, true}) {
    expect_same_model(LeapForCausalLM(LeapConfig()
                                          .vocab_size(11)
                                          .hidden_size(8)
                                          .num_heads(2)
                                          .num_layers(2)
                                          .max_positions(20)
                                          .local_windows(local)
                                          .dropout(0)));
    expect_same_model(FastformerForCausalLM(FastformerConfig()
                                                .vocab_size(11)
                                                .hidden_size(8)
                                                .num_heads(2)
                                                .num_layers(2)
                                                .max_positions(20)
                                                .local_windows(local)
                                                .dropout(0)));
  }
}

TEST(TutorialModelsOnDevice, MatchTheCpu) {
  const at::Tensor bits = at::arange(35).view({5, 7}) % 3 % 2;
  const auto forward = [](auto& model, const Tensors& x) { return Tensors{model->forward(x[0])}; };
  expect_same_layer(prepared(SelfAttention(SelfAttentionOptions(7))), forward, {bits});
  expect_same_layer(prepared(ClassTokenAttention(ClassTokenAttentionOptions(7, 4))), forward, {bits});
  expect_same_layer(prepared(BinaryMLP(BinaryMLPOptions(7, {6}))), forward, {bits.to(at::kDouble)});
  expect_same_layer(prepared(ScaledDotProductAttention(ScaledDotProductAttentionOptions(7, 4, 3))), forward,
                    {random_tensor({7, 4}, 1)});
}

TEST(DrawSeed, DependsOnSeedAndOffsetOfAGeneratorOnAnotherDevice) {
  /// Like CUDA's generator, keeps seed and offset on the host.
  struct Generator final : c10::GeneratorImpl {
    uint64_t seed_ = 0, offset_ = 0;
    Generator() : GeneratorImpl(other_device(), c10::DispatchKeySet(c10::DispatchKey::PrivateUse1)) {}
    void set_current_seed(uint64_t seed) override { seed_ = seed; }
    void set_offset(uint64_t offset) override { offset_ = offset; }
    uint64_t get_offset() const override { return offset_; }
    uint64_t current_seed() const override { return seed_; }
    uint64_t seed() override { return seed_; }
    void set_state(const c10::TensorImpl&) override {}
    c10::intrusive_ptr<c10::TensorImpl> get_state() const override { return {}; }
    GeneratorImpl* clone_impl() const override { return new Generator(*this); }
    Generator(const Generator& other)
        : GeneratorImpl(other_device(), other.key_set()), seed_(other.seed_), offset_(other.offset_) {}
  };
  const auto with_seed = [](uint64_t seed) {
    at::Generator generator = at::make_generator<Generator>();
    generator.set_current_seed(seed);
    return generator;
  };
  at::Generator one = with_seed(1), again = with_seed(1), another = with_seed(2);
  const HostTraffic before = host_traffic();
  const int64_t first = draw_seed(one), second = draw_seed(one);
  EXPECT_NE(first, second);
  EXPECT_EQ(draw_seed(again), first);
  EXPECT_EQ(draw_seed(again), second);
  EXPECT_NE(draw_seed(another), first);
  EXPECT_GE(first, 0);
  EXPECT_EQ(one.get_offset() % 4, 0U); // required by CUDA
  EXPECT_EQ(host_traffic().waits, before.waits);
}

} // namespace
} // namespace mneme::nn
