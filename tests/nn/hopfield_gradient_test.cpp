// SPDX-License-Identifier: MIT

#include "mneme/nn/hopfield_decoder_layer.h"
#include "mneme/nn/hopfield_encoder_layer.h"
#include "mneme/nn/hopfield_layer.h"
#include "mneme/nn/hopfield_pooling.h"
#include "nn/layers.h"

namespace mneme::nn {
namespace {

const at::Tensor kStored = random_tensor({2, 4, 6}, 31), kState = random_tensor({2, 3, 6}, 32),
                 kProjection = random_tensor({2, 4, 6}, 33);

/// Checks gradients of inputs and of all parameters by central differences.
template <class Module>
void expect_gradients(Module& module, std::vector<at::Tensor> inputs,
                      const std::function<at::Tensor(const std::vector<at::Tensor>&)>& forward) {
  std::vector<at::Tensor> parameters;
  const size_t num_inputs = inputs.size();
  for (const auto& parameter : module->named_parameters()) {
    if (parameter.value().requires_grad()) {
      parameters.push_back(parameter.value());
      inputs.push_back(parameter.value().detach().clone());
    }
  }
  const auto loss = [&](const std::vector<at::Tensor>& all) {
    std::vector<at::Tensor> original;
    for (size_t i = 0; i < parameters.size(); ++i) { // the module computes with the given parameters
      original.push_back(parameters[i].variable_data());
      parameters[i].set_data(all[num_inputs + i].detach());
    }
    const at::Tensor output = forward({all.begin(), all.begin() + static_cast<int64_t>(num_inputs)});
    at::Tensor sum = (output * random_tensor(output.sizes(), 7)).sum();
    if (at::GradMode::is_enabled() && all[0].requires_grad()) {
      std::vector<at::Tensor> leaves(all.begin(), all.begin() + static_cast<int64_t>(num_inputs));
      leaves.insert(leaves.end(), parameters.begin(), parameters.end());
      const std::vector<at::Tensor> gradients = torch::autograd::grad({sum}, leaves, {}, true, false, true);
      sum = sum.detach();
      for (size_t i = 0; i < leaves.size(); ++i) { // a sum that has these gradients with respect to `all`
        const at::Tensor gradient = gradients[i].defined() ? gradients[i] : at::zeros_like(leaves[i]);
        sum = sum + (gradient.detach() * (all[i] - all[i].detach())).sum();
      }
    }
    for (size_t i = 0; i < parameters.size(); ++i) {
      parameters[i].set_data(original[i]);
    }
    return sum;
  };
  constexpr double kTolerance = 2e-7; // step^2 times third derivatives, which are up to a few hundred
  ops::expect_gradients_of(loss, inputs, kTolerance);
}

struct Case {
  const char* name;
  HopfieldOptions options;
};

class HopfieldGradient : public ::testing::TestWithParam<Case> {};

TEST_P(HopfieldGradient, MatchesFiniteDifferences) {
  const HopfieldOptions& options = GetParam().options;
  Hopfield layer = hopfield(options);
  const auto arranged = [&](const at::Tensor& x) {
    return options.batch_first() ? x : x.transpose(0, 1).contiguous();
  };
  expect_gradients(layer, {arranged(kStored), arranged(kState), arranged(kProjection)},
                   [&](const std::vector<at::Tensor>& in) { return layer->forward(in[0], in[1], in[2]); });
}

INSTANTIATE_TEST_SUITE_P(
    EveryOption, HopfieldGradient,
    ::testing::Values(
        Case{"Defaults", HopfieldOptions(6)}, Case{"Heads", HopfieldOptions(6).num_heads(3)},
        Case{"Sizes", HopfieldOptions(6).hidden_size(2).pattern_size(3).num_heads(2).output_size(5)},
        Case{"Updates",
             HopfieldOptions(6).num_heads(2).update_steps_max(2).beta(1.5).update_steps_eps(1e-300)},
        Case{"UpdatesPerHead", HopfieldOptions(6).num_heads(2).update_steps_max(std::vector<int64_t>{0, 2})},
        Case{"LearnedBeta", HopfieldOptions(6).num_heads(2).learn_beta(true).update_steps_max(1)},
        Case{"BetaPerHead",
             HopfieldOptions(6).num_heads(2).beta(std::vector<double>{-0.5, 2}).update_steps_max(1)},
        Case{"Sparsemax", HopfieldOptions(6)
                              .num_heads(2)
                              .separation(ops::Separation::sparsemax)
                              .learn_beta(true)
                              .update_steps_max(2)
                              .update_steps_eps(1e-300)},
        Case{"Entmax15", HopfieldOptions(6)
                             .num_heads(2)
                             .separation(ops::Separation::entmax15)
                             .learn_beta(true)
                             .update_steps_max(2)
                             .update_steps_eps(1e-300)},
        Case{"NoNorms", without_norms(HopfieldOptions(6))},
        Case{"NormsWithoutAffine", HopfieldOptions(6)
                                       .normalize_stored_pattern_affine(false)
                                       .normalize_state_pattern_affine(false)
                                       .normalize_pattern_projection_affine(false)},
        Case{"NormEps", HopfieldOptions(6)
                            .normalize_stored_pattern_eps(0.5)
                            .normalize_state_pattern_eps(0.1)
                            .normalize_pattern_projection_eps(0.3)},
        Case{"SpaceNorm", HopfieldOptions(6)
                              .hidden_size(3)
                              .num_heads(2)
                              .normalize_hopfield_space(true)
                              .normalize_hopfield_space_affine(true)
                              .normalize_hopfield_space_eps(0.01)},
        Case{"StaticStored", HopfieldOptions(6).hidden_size(6).num_heads(2).stored_pattern_as_static(true)},
        Case{"StaticState",
             HopfieldOptions(6).hidden_size(6).state_pattern_as_static(true).update_steps_max(1)},
        Case{"StaticProjection",
             HopfieldOptions(6).hidden_size(6).num_heads(2).pattern_projection_as_static(true)},
        Case{"Connected",
             HopfieldOptions(6).hidden_size(3).num_heads(2).pattern_projection_as_connected(true)},
        Case{"ConnectedStatic", HopfieldOptions(6)
                                    .hidden_size(3)
                                    .num_heads(2)
                                    .pattern_projection_as_connected(true)
                                    .pattern_projection_as_static(true)},
        Case{"StoredAndProjectionStaticWithSizes", HopfieldOptions(6)
                                                       .hidden_size(6)
                                                       .pattern_size(6)
                                                       .num_heads(2)
                                                       .stored_pattern_as_static(true)
                                                       .pattern_projection_as_static(true)},
        Case{"Memory", HopfieldOptions::memory(0.8).num_heads(2).update_steps_max(2)},
        Case{"LengthFirst", HopfieldOptions(6).num_heads(2).batch_first(false)},
        Case{"Activation", HopfieldOptions(6).association_activation("tanh")},
        Case{"NoBias", HopfieldOptions(6).input_bias(false)},
        Case{"BiasPattern", HopfieldOptions(6).num_heads(2).pattern_size(2).concat_bias_pattern(true)},
        Case{"ZeroAssociation",
             HopfieldOptions(6).num_heads(2).add_zero_association(true).update_steps_max(1)},
        Case{"NoOutputProjection", HopfieldOptions(6).num_heads(2).disable_out_projection(true)}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(HopfieldGradients, WithMasksMatchFiniteDifferences) {
  Hopfield layer = hopfield(HopfieldOptions(6).num_heads(2).update_steps_max(1).add_zero_association(true));
  at::Tensor padding = at::zeros({2, 4}, at::kBool);
  padding[1][3] = true;
  const at::Tensor mask = random_tensor({4, 3, 4}, 8);
  expect_gradients(layer, {kStored, kState, kProjection}, [&](const std::vector<at::Tensor>& in) {
    return layer->forward(in[0], in[1], in[2], {padding, mask});
  });
}

TEST(HopfieldGradients, WithDropoutMatchFiniteDifferencesForTheSameMask) {
  Hopfield layer =
      hopfield(HopfieldOptions(6).num_heads(2).dropout(0.4).update_steps_max(1).learn_beta(true));
  layer->train();
  expect_gradients(layer, {kStored, kState, kProjection}, [&](const std::vector<at::Tensor>& in) {
    torch::manual_seed(5);
    return layer->forward(in[0], in[1], in[2]);
  });
}

TEST(HopfieldGradients, OfTheFoldedPathMatchFiniteDifferences) {
  HopfieldPooling pooling = prepared(HopfieldPooling(
      HopfieldPoolingOptions(HopfieldOptions(6).num_heads(2).pattern_size(4).learn_beta(true)).quantity(2)));
  expect_gradients(pooling, {kStored},
                   [&](const std::vector<at::Tensor>& in) { return pooling->forward(in[0]); });
}

TEST(HopfieldGradients, OfTheOtherLayersMatchFiniteDifferences) {
  HopfieldPooling pooling = prepared(HopfieldPooling(
      HopfieldPoolingOptions(HopfieldOptions(6).num_heads(2).update_steps_max(1)).quantity(2)));
  expect_gradients(pooling, {kStored, kProjection},
                   [&](const std::vector<at::Tensor>& in) { return pooling->forward(in[0], in[1]); });
  HopfieldLayer lookup =
      prepared(HopfieldLayer(HopfieldLayerOptions(HopfieldOptions(6).num_heads(2).batch_first(false))
                                 .quantity(5)
                                 .lookup_weights_as_separated(true)));
  expect_gradients(lookup, {kState.transpose(0, 1).contiguous()},
                   [&](const std::vector<at::Tensor>& in) { return lookup->forward(in[0]); });
  HopfieldEncoderLayer encoder = prepared(HopfieldEncoderLayer(
      HopfieldEncoderLayerOptions(HopfieldOptions(6).num_heads(2)).dim_feedforward(5).activation("gelu")));
  expect_gradients(encoder, {kStored},
                   [&](const std::vector<at::Tensor>& in) { return encoder->forward(in[0]); });
  HopfieldDecoderLayer decoder = prepared(
      HopfieldDecoderLayer(HopfieldDecoderLayerOptions(HopfieldOptions(6), HopfieldOptions(6).num_heads(2))
                               .dim_feedforward(5)
                               .activation("tanh")));
  expect_gradients(decoder, {kState, kStored},
                   [&](const std::vector<at::Tensor>& in) { return decoder->forward(in[0], in[1]); });
}

TEST(HopfieldGradients, SupportDoubleBackwardWithoutStreaming) {
  Hopfield layer = hopfield(HopfieldOptions(6).num_heads(2).streaming(false));
  const at::Tensor stored = kStored.clone().requires_grad_();
  const at::Tensor first =
      torch::autograd::grad({layer->forward(stored).square().sum()}, {stored}, {}, true, true)[0];
  first.square().sum().backward();
  EXPECT_GT(stored.grad().abs().max().item<double>(), 0);
}

} // namespace
} // namespace mneme::nn
