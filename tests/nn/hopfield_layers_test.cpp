// SPDX-License-Identifier: MIT

#include <algorithm>
#include <sstream>

#include "mneme/nn/hopfield_decoder_layer.h"
#include "mneme/nn/hopfield_encoder_layer.h"
#include "mneme/nn/hopfield_layer.h"
#include "mneme/nn/hopfield_pooling.h"
#include "nn/layers.h"

namespace mneme::nn {
namespace {

const at::Tensor kBag = random_tensor({3, 7, 6}, 41);

std::vector<std::pair<std::string, std::vector<int64_t>>> parameters_of(const torch::nn::Module& module) {
  std::vector<std::pair<std::string, std::vector<int64_t>>> all;
  for (const auto& parameter : module.named_parameters()) {
    all.emplace_back(parameter.key(), parameter.value().sizes().vec());
  }
  return all;
}

TEST(HopfieldLayers, HaveThePublishedParameters) {
  using Parameters = std::vector<std::pair<std::string, std::vector<int64_t>>>;
  Hopfield layer(HopfieldOptions(8).num_heads(2));
  EXPECT_EQ(parameters_of(*layer), (Parameters{{"association_core.in_proj_weight", {24, 8}},
                                               {"association_core.in_proj_bias", {24}},
                                               {"association_core.out_proj.weight", {8, 8}},
                                               {"association_core.out_proj.bias", {8}},
                                               {"norm_stored_pattern.weight", {8}},
                                               {"norm_stored_pattern.bias", {8}},
                                               {"norm_state_pattern.weight", {8}},
                                               {"norm_state_pattern.bias", {8}},
                                               {"norm_pattern_projection.weight", {8}},
                                               {"norm_pattern_projection.bias", {8}}}));
  HopfieldPooling pooling(HopfieldPoolingOptions(8).quantity(3).trainable(false));
  EXPECT_EQ(parameters_of(*pooling)[0].first, "pooling_weights");
  EXPECT_EQ(pooling->pooling_weights.sizes(), (at::IntArrayRef{1, 3, 8}));
  EXPECT_FALSE(pooling->pooling_weights.requires_grad());
  EXPECT_EQ(pooling->output_size(), 24);
  Hopfield beta(HopfieldOptions(8).num_heads(2).learn_beta(true));
  EXPECT_EQ(parameters_of(*beta)[0], (Parameters::value_type{"beta", {2}}));
  EXPECT_NEAR(beta->beta[1].item<double>(), 0.5, 1e-7); // 1 / sqrt(4)
}

TEST(HopfieldLayers, HaveThePublishedInitialisation) {
  torch::manual_seed(3);
  Hopfield layer(HopfieldOptions(64).num_heads(4).concat_bias_pattern(true));
  const auto core = layer->association_core;
  for (const at::Tensor& weight : {core->in_proj_weight, core->out_proj->weight}) {
    EXPECT_NEAR(weight.std().item<double>(), 0.02,
                0.001); // 4096 numbers or more: relative error 1 / sqrt(2 n) = 1.1 %
    EXPECT_NEAR(weight.mean().item<double>(), 0, 0.0015);
  }
  EXPECT_NEAR(core->bias_k.std().item<double>(), 0.02, 0.008);
  EXPECT_EQ(core->in_proj_bias.abs().max().item<double>(), 0);
  EXPECT_EQ(core->out_proj->bias.abs().max().item<double>(), 0);
  const at::Tensor before = core->in_proj_weight.clone();
  layer->reset_parameters();
  EXPECT_GT(max_abs_difference(core->in_proj_weight, before), 0);
}

TEST(HopfieldLayers, PoolingDoesNotDependOnTheOrderOfDimensions) {
  HopfieldOptions options = HopfieldOptions(6).num_heads(2).update_steps_max(1);
  HopfieldPooling rows = prepared(HopfieldPooling(HopfieldPoolingOptions(options).quantity(4)));
  HopfieldPooling columns =
      prepared(HopfieldPooling(HopfieldPoolingOptions(options.batch_first(false)).quantity(4)));
  const at::Tensor pooled = rows->forward(kBag);
  EXPECT_EQ(pooled.sizes(), (at::IntArrayRef{3, 24}));
  EXPECT_LT(max_abs_difference(columns->forward(kBag.transpose(0, 1)), pooled), 1e-12);
  HopfieldPooling published =
      prepared(HopfieldPooling(HopfieldPoolingOptions(options.compat(true)).quantity(4)));
  EXPECT_EQ(published->forward(kBag.transpose(0, 1)).sizes(), (at::IntArrayRef{4, 18}));
}

TEST(HopfieldLayers, PublishedPoolingWithLengthFirstMixesBagsForOneQuantityToo) {
  const HopfieldOptions options = HopfieldOptions(6).num_heads(2).batch_first(false);
  HopfieldPooling pooling = prepared(HopfieldPooling(HopfieldPoolingOptions(options)));
  HopfieldPooling published =
      prepared(HopfieldPooling(HopfieldPoolingOptions(HopfieldOptions(options).compat(true))));
  EXPECT_EQ(pooling->forward(kBag.transpose(0, 1)).sizes(), (at::IntArrayRef{3, 6}));
  EXPECT_EQ(published->forward(kBag.transpose(0, 1)).sizes(), (at::IntArrayRef{1, 18}));
}

// hflayers applies getattr(torch, name, None): gelu is in torch.nn.functional only.
TEST(HopfieldLayers, PublishedLayersIgnoreActivationsThatTorchDoesNotHave) {
  const auto output = [](const char* activation, bool compat) {
    HopfieldOptions options = HopfieldOptions(6).num_heads(2).compat(compat);
    if (activation != nullptr) {
      options.association_activation(activation);
    }
    return prepared(Hopfield(options))->forward(kBag);
  };
  const at::Tensor none = output(nullptr, false);
  for (const char* ignored : {"gelu", "silu", "elu", "softplus", "mish", "leaky_relu", "relu6", "hardtanh",
                              "log_sigmoid", "hardswish", "softshrink"}) {
    EXPECT_TRUE(hflayers_ignores_activation(ignored));
    EXPECT_EQ(max_abs_difference(output(ignored, true), none), 0) << ignored;
    EXPECT_GT(max_abs_difference(output(ignored, false), none), 1e-3) << ignored;
  }
  for (const char* applied : {"relu", "tanh", "sigmoid", "selu", "celu", "hardshrink"}) {
    EXPECT_FALSE(hflayers_ignores_activation(applied));
    EXPECT_EQ(max_abs_difference(output(applied, true), output(applied, false)), 0) << applied;
  }
}

TEST(HopfieldLayers, PoolingEqualsHopfieldWithPoolingWeightsAsState) {
  HopfieldPooling pooling =
      prepared(HopfieldPooling(HopfieldPoolingOptions(HopfieldOptions(6).num_heads(2)).quantity(2)));
  const at::Tensor expected =
      pooling->hopfield->forward(kBag, pooling->pooling_weights.expand({3, 2, 6})).flatten(1);
  EXPECT_LT(max_abs_difference(pooling->forward(kBag), expected), 1e-12);
  EXPECT_LT(max_abs_difference(pooling->retrieve(kBag).output, expected), 1e-12);
  EXPECT_EQ(pooling->get_association_matrix(kBag).sizes(), (at::IntArrayRef{3, 2, 2, 7}));
  EXPECT_EQ(pooling->get_projected_pattern_matrix(kBag).sizes(), (at::IntArrayRef{3, 2, 7, 3}));
}

TEST(HopfieldLayers, LookupEqualsHopfieldWithLookupWeightsAsStoredPatterns) {
  HopfieldLayer lookup = prepared(HopfieldLayer(
      HopfieldLayerOptions(HopfieldOptions(6).num_heads(2)).quantity(5).lookup_weights_as_separated(true)));
  const at::Tensor expected = lookup->hopfield->forward(lookup->lookup_weights.expand({3, 5, 6}), kBag,
                                                        lookup->target_weights.expand({3, 5, 6}));
  EXPECT_LT(max_abs_difference(lookup->forward(kBag), expected), 1e-12);
  EXPECT_EQ(lookup->get_association_matrix(kBag).sizes(), (at::IntArrayRef{3, 2, 7, 5}));
  EXPECT_EQ(lookup->get_projected_pattern_matrix(kBag).sizes(), (at::IntArrayRef{3, 2, 5, 3}));
}

template <class Module> void expect_copies_agree(Module module, const at::Tensor& input) {
  module = prepared(module);
  const at::Tensor expected = module->forward(input);
  const auto copy = std::dynamic_pointer_cast<typename Module::ContainedType>(module->clone());
  EXPECT_EQ(max_abs_difference(copy->forward(input), expected), 0);
  std::stringstream file;
  torch::save(module, file);
  Module loaded(module->options);
  loaded->to(at::kDouble);
  loaded->eval();
  torch::load(loaded, file);
  EXPECT_EQ(max_abs_difference(loaded->forward(input), expected), 0);
  {
    const at::NoGradGuard no_gradient;
    copy->parameters()[0].add_(1);
  }
  EXPECT_EQ(max_abs_difference(module->forward(input), expected), 0);
}

/// Row source of a bag in memory.
class Bag : public RowSource {
public:
  explicit Bag(const at::Tensor& rows) : rows_(rows.to(at::kDouble).contiguous()) {}
  int64_t count() const override { return rows_.size(0); }
  int64_t size() const override { return rows_.size(1); }
  void read(int64_t first, std::span<float> to) const override { copy(first, to); }
  void read(int64_t first, std::span<double> to) const override { copy(first, to); }

private:
  template <class T> void copy(int64_t first, std::span<T> to) const {
    const double* from = rows_.const_data_ptr<double>() + first * size();
    std::transform(from, from + to.size(), to.begin(), [](double x) { return static_cast<T>(x); });
  }
  at::Tensor rows_;
};

TEST(HopfieldLayers, PoolingFromARowSourceEqualsPoolingInMemory) {
  for (const bool batch_first : {true, false}) {
    for (const int64_t rows : {0, 1, 9000}) { // 9000: more than one tile
      const at::Tensor bag = random_tensor({rows, 6}, 3);
      HopfieldPooling pooling =
          prepared(HopfieldPooling(HopfieldPoolingOptions(HopfieldOptions(6)
                                                              .num_heads(2)
                                                              .hidden_size(5)
                                                              .learn_beta(true)
                                                              .batch_first(batch_first)
                                                              .association_activation("tanh"))
                                       .quantity(3)));
      std::vector<at::Tensor> results[2];
      for (const bool from_source : {false, true}) {
        pooling->zero_grad();
        const at::Tensor output = from_source ? pooling->forward_from(std::make_shared<Bag>(bag))
                                              : pooling->forward(bag.unsqueeze(batch_first ? 0 : 1));
        (output * random_tensor(output.sizes(), 5)).sum().backward();
        results[from_source] = {output.detach()};
        for (const at::Tensor& parameter : pooling->parameters()) {
          results[from_source].push_back(parameter.grad().defined() ? parameter.grad().clone()
                                                                    : at::zeros_like(parameter));
        }
      }
      for (size_t i = 0; i < results[0].size(); ++i) {
        EXPECT_LT(max_abs_difference(results[0][i], results[1][i]), 1e-12) << rows << " rows, " << i;
      }
    }
  }
}

TEST(HopfieldLayers, RejectOptionsThatCannotReadFromARowSource) {
  const auto bag = std::make_shared<Bag>(random_tensor({4, 6}, 3));
  const auto error_of = [&](const HopfieldOptions& options) {
    HopfieldPooling pooling = prepared(HopfieldPooling(HopfieldPoolingOptions(options)));
    return usage_error_of([&] { pooling->forward_from(bag); });
  };
  for (const HopfieldOptions& options :
       {HopfieldOptions(6).update_steps_max(1), HopfieldOptions(6).normalize_hopfield_space(true),
        HopfieldOptions(6).separation(ops::Separation::sparsemax), HopfieldOptions(6).streaming(false),
        HopfieldOptions(6).add_zero_association(true), HopfieldOptions(6).beta(INFINITY),
        HopfieldOptions(6).normalize_stored_pattern_eps(1e-3)}) {
    expect_contains(error_of(options), {"with these options", "does not support updates"});
  }
  expect_contains(error_of(HopfieldOptions(7)), {"stored_pattern", "6 features", "7"});
  HopfieldPooling pooling = prepared(HopfieldPooling(HopfieldPoolingOptions(6)));
  expect_contains(usage_error_of([&] { pooling->forward_from(nullptr); }), {"stored_pattern is null"});
  expect_contains(usage_error_of([&] {
                    pooling->hopfield->forward_from(bag, random_tensor({2, 3, 6}, 1));
                  }),
                  {"[2, 3, 6]", "single bag"});
}

TEST(HopfieldLayers, CloneAndSerialise) {
  const HopfieldOptions options = HopfieldOptions(6).num_heads(2).learn_beta(true);
  expect_copies_agree(Hopfield(options), kBag);
  expect_copies_agree(HopfieldPooling(options), kBag);
  expect_copies_agree(HopfieldLayer(HopfieldLayerOptions(options).lookup_weights_as_separated(true)), kBag);
  expect_copies_agree(HopfieldEncoderLayer(options), kBag);
}

TEST(HopfieldLayers, WorkInASequential) {
  torch::nn::Sequential model(Hopfield(HopfieldOptions(6)), HopfieldEncoderLayer(HopfieldOptions(6)),
                              HopfieldLayer(HopfieldLayerOptions(6)), HopfieldPooling(6),
                              torch::nn::Linear(6, 1));
  EXPECT_EQ(model->forward(kBag.to(at::kFloat)).sizes(), (at::IntArrayRef{3, 1}));
}

TEST(HopfieldLayers, LearnWhichPatternABagContains) {
  // Bags of random bit patterns; a bag of class 1 contains the pattern of all ones.
  torch::manual_seed(1);
  at::Tensor bags = at::randint(0, 2, {64, 8, 6}, at::make_generator<at::CPUGeneratorImpl>(5), at::kFloat);
  const at::Tensor target = (bags.sum(2) == 6).any(1).to(at::kFloat).unsqueeze(1);
  ASSERT_GT(target.sum().item<double>(), 2);
  HopfieldPooling pooling(HopfieldPoolingOptions(HopfieldOptions(6).num_heads(2).hidden_size(8)));
  torch::nn::Linear head(6, 1);
  std::vector<at::Tensor> parameters = pooling->parameters();
  for (const at::Tensor& parameter : head->parameters()) {
    parameters.push_back(parameter);
  }
  torch::optim::AdamW optimiser(parameters, torch::optim::AdamWOptions(0.02));
  double first = 0, last = 0;
  for (int step = 0; step < 150; ++step) {
    optimiser.zero_grad();
    const at::Tensor loss =
        at::binary_cross_entropy_with_logits(head->forward(pooling->forward(bags)), target);
    loss.backward();
    optimiser.step();
    (step == 0 ? first : last) = loss.item<double>();
  }
  EXPECT_GT(first, 0.3);
  EXPECT_LT(last, 0.1 * first);
}

} // namespace
} // namespace mneme::nn
