// SPDX-License-Identifier: MIT

#include <limits>

#include "mneme/nn/hopfield_decoder_layer.h"
#include "mneme/nn/hopfield_encoder_layer.h"
#include "mneme/nn/hopfield_layer.h"
#include "mneme/nn/hopfield_pooling.h"
#include "nn/layers.h"

namespace mneme::nn {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
const at::Tensor kStored = random_tensor({2, 4, 6}, 21), kState = random_tensor({2, 3, 6}, 22);

HopfieldOptions readout_only() {
  return HopfieldOptions(6).num_heads(2).disable_out_projection(true);
}

TEST(HopfieldEdgeCases, FullyMaskedRowsAndTheirGradientsAreZero) {
  Hopfield layer = hopfield(readout_only().update_steps_max(3));
  at::Tensor padding = at::zeros({2, 4}, at::kBool);
  padding[1] = true;
  const at::Tensor stored = kStored.clone().requires_grad_(), state = kState.clone().requires_grad_();
  const HopfieldRetrieval retrieval =
      layer->retrieve(stored, state, stored, {.stored_pattern_padding_mask = padding});
  EXPECT_EQ(retrieval.output[1].abs().max().item<double>(), 0);
  EXPECT_EQ(retrieval.association[1].abs().max().item<double>(), 0);
  // The other batch entry is not affected.
  const HopfieldRetrieval alone = layer->retrieve(kStored.narrow(0, 0, 1), kState.narrow(0, 0, 1));
  EXPECT_LT(max_abs_difference(retrieval.output[0], alone.output[0]), 1e-12);
  EXPECT_EQ(retrieval.updates, alone.updates);
  retrieval.output.square().sum().backward();
  for (const at::Tensor& gradient : {stored.grad(), state.grad()}) {
    EXPECT_EQ(gradient[1].abs().max().item<double>(), 0);
    EXPECT_GT(gradient[0].abs().max().item<double>(), 0);
    EXPECT_TRUE(at::isfinite(gradient).all().item<bool>());
  }
}

TEST(HopfieldEdgeCases, ReadoutOfAnEmptySetIsZero) {
  for (const int64_t steps : {0, 2, -1}) {
    Hopfield layer = hopfield(readout_only().update_steps_max(steps));
    const at::Tensor none = at::empty({2, 0, 6}, at::kDouble);
    EXPECT_EQ(max_abs_difference(layer->forward(none, kState), at::zeros({2, 3, 6}, at::kDouble)), 0);
    EXPECT_EQ(layer->forward(kStored, none).sizes(), (at::IntArrayRef{2, 0, 6}));
    const at::Tensor no_batch = at::empty({0, 4, 6}, at::kDouble);
    EXPECT_EQ(layer->forward(no_batch).sizes(), (at::IntArrayRef{0, 4, 6}));
    EXPECT_EQ(layer->retrieve(no_batch).association.sizes(), (at::IntArrayRef{0, 2, 4, 4}));
  }
  HopfieldPooling pooling = prepared(HopfieldPooling(6));
  EXPECT_LT(max_abs_difference(pooling->forward(at::empty({2, 0, 6}, at::kDouble)),
                               pooling->hopfield->association_core->out_proj->bias.expand({2, 6})),
            1e-15);
}

TEST(HopfieldEdgeCases, ASinglePatternIsReturnedUnchanged) {
  Hopfield memory(HopfieldOptions::memory(3.0));
  const at::Tensor one = kStored.narrow(1, 0, 1);
  EXPECT_LT(max_abs_difference(memory->forward(one, kState), one.expand({2, 3, 6})), 1e-15);
}

TEST(HopfieldEdgeCases, BetaZeroReturnsTheMean) {
  Hopfield memory(HopfieldOptions::memory(0.0));
  EXPECT_LT(max_abs_difference(memory->forward(kStored, kState), kStored.mean(1, true).expand({2, 3, 6})),
            1e-15);
}

TEST(HopfieldEdgeCases, InfiniteBetaReturnsTheBestMatchAndSplitsTies) {
  const at::Tensor scores = at::matmul(kState, kStored.transpose(1, 2));
  const auto row = [&](const at::Tensor& which) {
    return kStored.gather(1, which.unsqueeze(-1).expand({2, 3, 6}));
  };
  const auto read = [&](PerHead<double> beta) {
    return Hopfield(HopfieldOptions::memory(beta).update_steps_max(0))->forward(kStored, kState);
  };
  EXPECT_LT(max_abs_difference(read(kInfinity), row(scores.argmax(-1))), 1e-15);
  EXPECT_LT(max_abs_difference(read(-kInfinity), row(scores.argmin(-1))), 1e-15);
  EXPECT_LT(max_abs_difference(read(1e4), row(scores.argmax(-1))), 1e-12);
  EXPECT_LT(max_abs_difference(read(-1e4), row(scores.argmin(-1))), 1e-12);
  const at::Tensor twice = at::cat({kStored, kStored}, 1);
  const at::Tensor shared =
      Hopfield(HopfieldOptions::memory(kInfinity).update_steps_max(0))->get_association_matrix(twice, kState);
  EXPECT_EQ((shared == 0.5).sum(-1).min().item<int64_t>(), 2);
  EXPECT_EQ((shared == 0).sum(-1).min().item<int64_t>(), 6);
}

TEST(HopfieldEdgeCases, PoolingEqualsPlainLibTorchForAnyBeta) {
  for (const double beta : {0.0, -3.0, 1e-30, 20.0, 1e4, -1e4, kInfinity}) {
    const auto pooled = [&](at::ScalarType type, bool streaming) {
      HopfieldPooling pooling = prepared(HopfieldPooling(
          HopfieldPoolingOptions(HopfieldOptions(6).num_heads(2).beta(beta).streaming(streaming))));
      pooling->to(type);
      return pooling->forward(random_tensor({2, 300, 6}, 51, type)).detach();
    };
    EXPECT_LT(max_abs_difference(pooled(at::kDouble, true), pooled(at::kDouble, false)), 1e-9) << beta;
    EXPECT_TRUE(at::isfinite(pooled(at::kFloat, true)).all().item<bool>()) << beta;
  }
}

TEST(HopfieldEdgeCases, PoolingSupportsBagsOfZeroAndOnePatterns) {
  HopfieldPooling pooling =
      prepared(HopfieldPooling(HopfieldPoolingOptions(HopfieldOptions(6).num_heads(2))));
  const at::Tensor bias = pooling->hopfield->association_core->out_proj->bias;
  EXPECT_LT(max_abs_difference(pooling->forward(at::empty({2, 0, 6}, at::kDouble)), bias.expand({2, 6})),
            1e-15);
  EXPECT_EQ(pooling->forward(at::empty({0, 5, 6}, at::kDouble)).sizes(), (at::IntArrayRef{0, 6}));
  const at::Tensor padded = at::ones({2, 4}, at::kBool);
  EXPECT_LT(max_abs_difference(pooling->forward(kStored, {}, {.stored_pattern_padding_mask = padded}),
                               bias.expand({2, 6})),
            1e-15);
  // Copies of one pattern have the readout of that pattern.
  const at::Tensor one = kStored.narrow(1, 0, 1);
  EXPECT_LT(max_abs_difference(pooling->forward(one), pooling->forward(at::cat({one, one, one}, 1))), 1e-13);
}

TEST(HopfieldEdgeCases, ReportsTheNonFiniteInstanceOfABag) {
  HopfieldPooling pooling = prepared(HopfieldPooling(6));
  for (const double wrong : {std::nan(""), kInfinity, -kInfinity}) {
    at::Tensor bag = random_tensor({2, 40, 6}, 52);
    bag[1][33][4] = wrong;
    expect_contains(usage_error_of([&] { pooling->forward(bag); }), {"stored_pattern holds", "[1, 33, 4]"});
  }
}

TEST(HopfieldEdgeCases, ReportsOverflow) {
  // 1e30 squared overflows float32, and plain LibTorch returns nan.
  Hopfield memory(HopfieldOptions::memory(1.0).update_steps_max(1));
  const at::Tensor large = 1e30 * random_tensor({1, 4, 6}, 53, at::kFloat);
  expect_contains(usage_error_of([&] { memory->forward(large); }), {"the output holds", "too large"});
  EXPECT_TRUE(at::isfinite(memory->forward(large.to(at::kDouble))).all().item<bool>());
}

TEST(HopfieldEdgeCases, StridesOfBagsDoNotMatter) {
  HopfieldPooling pooling =
      prepared(HopfieldPooling(HopfieldPoolingOptions(HopfieldOptions(6).num_heads(2))));
  const at::Tensor bag = random_tensor({3, 50, 6}, 54), every_other = random_tensor({3, 100, 12}, 55);
  EXPECT_EQ(max_abs_difference(pooling->forward(bag.transpose(1, 2).contiguous().transpose(1, 2)),
                               pooling->forward(bag)),
            0);
  const at::Tensor strided = every_other.slice(1, 1, 100, 2).slice(2, 0, 12, 2);
  EXPECT_EQ(max_abs_difference(pooling->forward(strided), pooling->forward(strided.contiguous())), 0);
}

TEST(HopfieldEdgeCases, InfiniteBetaPassesNoGradientToTheState) {
  Hopfield memory(HopfieldOptions::memory(kInfinity).update_steps_max(0));
  const at::Tensor stored = kStored.clone().requires_grad_(), state = kState.clone().requires_grad_();
  memory->forward(stored, state).square().sum().backward();
  EXPECT_EQ(state.grad().abs().max().item<double>(), 0);
  EXPECT_GT(stored.grad().abs().max().item<double>(), 0);
}

TEST(HopfieldEdgeCases, LargeBetaHasFiniteGradientsAfterManyUpdates) {
  Hopfield layer = hopfield(HopfieldOptions(6)
                                .num_heads(2)
                                .beta(1e4)
                                .update_steps_max(std::vector<int64_t>{0, 40})
                                .update_steps_eps(1e-300));
  const at::Tensor stored = kStored.clone().requires_grad_();
  layer->retrieve(stored, kState).output.square().sum().backward();
  EXPECT_TRUE(at::isfinite(stored.grad()).all().item<bool>());
}

TEST(HopfieldEdgeCases, StridesDoNotMatter) {
  Hopfield layer = hopfield(HopfieldOptions(6).num_heads(2).update_steps_max(1));
  const at::Tensor strided = kStored.transpose(1, 2).contiguous().transpose(1, 2);
  ASSERT_FALSE(strided.is_contiguous());
  EXPECT_EQ(max_abs_difference(layer->forward(strided, kState), layer->forward(kStored, kState)), 0);
}

TEST(HopfieldEdgeCases, LowerPrecisionApproximatesFloat64) {
  Hopfield layer = hopfield(HopfieldOptions(6).num_heads(2).update_steps_max(1));
  const at::Tensor expected = layer->forward(kStored, kState);
  for (const at::ScalarType type : {at::kFloat, at::kHalf, at::kBFloat16}) {
    layer->to(type);
    const at::Tensor output = layer->forward(kStored.to(type), kState.to(type));
    EXPECT_EQ(output.scalar_type(), type);
    // A dozen roundings of numbers up to about 4, each by half of the spacing of the type at 1.
    const double spacing = type == at::kFloat ? 1.2e-7 : type == at::kHalf ? 9.8e-4 : 7.8e-3;
    EXPECT_LT(max_abs_difference(output, expected), 24 * spacing) << type;
  }
}

TEST(HopfieldEdgeCases, ReportsTheNonFiniteInput) {
  Hopfield layer = hopfield(HopfieldOptions(6).num_heads(2));
  at::Tensor broken = kStored.clone();
  broken[1][2][3] = std::nan("");
  expect_contains(usage_error_of([&] { layer->forward(broken, kState, kStored); }),
                  {"mneme::nn::Hopfield", "stored_pattern holds nan at [1, 2, 3]", "finite"});
  broken[1][2][3] = kInfinity;
  expect_contains(usage_error_of([&] { layer->retrieve(kStored, broken); }),
                  {"state_pattern holds inf at [1, 2, 3]"});
  {
    const at::NoGradGuard no_gradient;
    layer->association_core->out_proj->bias[0] = std::nan("");
  }
  expect_contains(usage_error_of([&] { layer->forward(kStored, kState); }),
                  {"the output holds nan at [0, 0, 0]", "parameter"});
  EXPECT_TRUE(
      at::isnan(hopfield(HopfieldOptions(6).check_finite(false))->forward(broken)).any().item<bool>());
  HopfieldCore core = prepared(HopfieldCore(6));
  expect_contains(usage_error_of([&] { core->forward(kStored, broken, kStored); }),
                  {"HopfieldCore", "key holds inf"});
}

TEST(HopfieldEdgeCases, ReportsNaNInPatternsThatAreIgnored) {
  // The output does not depend on them, but 0 times NaN would make the gradients of parameters NaN.
  at::Tensor padded = kStored.clone();
  padded[1][3].fill_(std::nan(""));
  const at::Tensor ignored = at::isnan(padded).any(2);
  const HopfieldMasks padding{.stored_pattern_padding_mask = ignored},
      mask{.association_mask = ignored[1].expand({3, 4})};
  for (const HopfieldMasks& masks : {padding, mask}) {
    for (const bool updated : {false, true}) {
      Hopfield layer = hopfield(HopfieldOptions(6).num_heads(2).update_steps_max(updated ? 2 : 0));
      expect_contains(usage_error_of([&] { layer->forward(padded, kState, {}, masks); }),
                      {"mneme::nn::Hopfield", "stored_pattern holds nan at [1, 3, 0]", "padding"});
      layer->forward(padded.nan_to_num(0), kState, {}, masks);
    }
  }
  HopfieldPooling pooling = prepared(HopfieldPooling(6));
  expect_contains(usage_error_of([&] { pooling->forward(padded, {}, padding); }), {"[1, 3, 0]"});
  HopfieldCore core = prepared(HopfieldCore(6));
  expect_contains(
      usage_error_of([&] {
        core->forward(kState, padded, padded, {.attn_mask = ignored[1].expand({3, 4}), .batch_first = true});
      }),
      {"HopfieldCore", "key holds nan at [1, 3, 0]"});
}

TEST(HopfieldEdgeCases, ReportsNumbersOfAMaskThatAreNotFinite) {
  Hopfield layer = hopfield(HopfieldOptions(6).num_heads(2));
  for (const double wrong : {std::nan(""), kInfinity}) {
    at::Tensor mask = at::zeros({3, 4});
    mask[0][1] = -kInfinity;
    mask[2][1] = wrong;
    expect_contains(usage_error_of([&] { layer->forward(kStored, kState, {}, {.association_mask = mask}); }),
                    {"association_mask holds", "[2, 1]", "finite or -inf"});
  }
}

TEST(HopfieldEdgeCases, ReportsInputsOfAnotherTypeThanTheParameters) {
  const at::Tensor stored = kStored.to(at::kFloat), state = kState.to(at::kFloat);
  const auto check = [](const std::string& error, const char* name) {
    expect_contains(error, {name, "is Float on cpu", "parameters are Double on cpu", "to()"});
  };
  check(usage_error_of([&] { hopfield(HopfieldOptions(6))->forward(stored, state); }), "stored_pattern");
  check(usage_error_of([&] { prepared(HopfieldPooling(6))->forward(stored); }), "stored_pattern");
  check(usage_error_of([&] { prepared(HopfieldLayer(6))->forward(state); }), "state_pattern");
  check(usage_error_of([&] { prepared(HopfieldEncoderLayer(HopfieldOptions(6)))->forward(state); }),
        "stored_pattern");
  check(usage_error_of([&] { prepared(HopfieldCore(6))->forward(state, stored, stored); }), "key");
  // Only the norms have parameters.
  const HopfieldOptions is_static = HopfieldOptions(6)
                                        .stored_pattern_as_static(true)
                                        .state_pattern_as_static(true)
                                        .pattern_projection_as_static(true)
                                        .disable_out_projection(true);
  check(usage_error_of([&] { hopfield(is_static)->forward(stored, state); }), "stored_pattern");
}

TEST(HopfieldEdgeCases, ReportsStatesThatAreNotGiven) {
  HopfieldLayer lookup = prepared(HopfieldLayer(6));
  for (const std::string& error :
       {usage_error_of([&] { lookup->forward({}); }), usage_error_of([&] { lookup->retrieve({}); }),
        usage_error_of([&] { lookup->get_association_matrix({}); }),
        usage_error_of([&] { lookup->get_projected_pattern_matrix({}); })}) {
    expect_contains(error, {"HopfieldLayer", "state_pattern is undefined"});
  }
  HopfieldDecoderLayer decoder =
      prepared(HopfieldDecoderLayer(HopfieldDecoderLayerOptions(HopfieldOptions(6), HopfieldOptions(6))));
  expect_contains(usage_error_of([&] { decoder->get_association_matrix_cross(kStored, {}); }),
                  {"HopfieldDecoderLayer", "state is undefined"});
}

TEST(HopfieldEdgeCases, ReportsMismatchedInputs) {
  Hopfield layer = hopfield(HopfieldOptions(6).num_heads(2));
  const auto error = [&](const at::Tensor& stored, const at::Tensor& state, const at::Tensor& projection,
                         const HopfieldMasks& masks = {}) {
    return usage_error_of([&] { layer->forward(stored, state, projection, masks); });
  };
  expect_contains(error(kStored.narrow(2, 0, 5), kState, kStored),
                  {"stored_pattern", "[2, 4, 5]", "5 features", "6"});
  expect_contains(error(kStored, kState, kStored.narrow(1, 0, 3)),
                  {"4 patterns", "pattern_projection", "has 3"});
  expect_contains(error(kStored, at::cat({kState, kState}), kStored), {"batch sizes 4, 2 and 2"});
  expect_contains(error(kStored[0], kState, kStored), {"stored_pattern has shape [4, 6]", "unsqueeze(0)"});
  expect_contains(error(kStored, kState.to(at::kFloat), kStored), {"state_pattern is Float", "Double"});
  expect_contains(
      usage_error_of([&] { Hopfield(HopfieldOptions::memory())->forward(kStored, kState.to(at::kFloat)); }),
      {"state_pattern is Float on cpu but stored_pattern is Double on cpu"});
  expect_contains(error(kStored.to(at::kLong), kState, kStored), {"stored_pattern is of type Long"});
  expect_contains(error({}, kState, kStored), {"stored_pattern is undefined"});
  expect_contains(error({}, {}, {}), {"stored_pattern is undefined"});
  expect_contains(error(kStored[0], {}, {}), {"stored_pattern has shape [4, 6]"});
  expect_contains(
      error(kStored, kState, kStored, {.stored_pattern_padding_mask = at::zeros({2, 3}, at::kBool)}),
      {"stored_pattern_padding_mask has shape [2, 3]", "must have shape [2, 4]"});
  expect_contains(error(kStored, kState, kStored, {.stored_pattern_padding_mask = at::zeros({2, 4})}),
                  {"stored_pattern_padding_mask is of type Float", "bool or uint8"});
  expect_contains(error(kStored, kState, kStored, {.association_mask = at::zeros({2, 3, 4})}),
                  {"association_mask has shape [2, 3, 4]", "[3, 4] or [4, 3, 4]"});
  expect_contains(error(kStored, kState, kStored, {.association_mask = at::zeros({3, 4}, at::kLong)}),
                  {"association_mask is of type Long"});
  Hopfield memory(HopfieldOptions::memory());
  expect_contains(usage_error_of([&] { memory->forward(kStored, kState.narrow(2, 0, 5)); }),
                  {"query has 5 features", "key has 6"});
}

TEST(HopfieldEdgeCases, RejectsContradictoryOptions) {
  const auto error = [](const HopfieldOptions& options) {
    return usage_error_of([&] { Hopfield layer(options); });
  };
  using Options = HopfieldOptions;
  expect_contains(error(Options()), {"input_size", "missing"});
  expect_contains(error(Options(7).num_heads(2)), {"input_size) 7", "2 heads", "hidden_size"});
  expect_contains(error(Options(6).num_heads(0)), {"num_heads is 0"});
  expect_contains(error(Options(-1)), {"input_size) is -1"});
  expect_contains(error(Options(6).dropout(1.5)), {"dropout is 1.5", "[0, 1]"});
  expect_contains(error(Options(6).normalize_state_pattern(false)), {"norm_state_pattern", "affine"});
  expect_contains(error(Options(6).normalize_hopfield_space_affine(true)), {"normalize_pattern_affine"});
  expect_contains(error(Options(6).hidden_size(4).state_pattern_as_static(true)),
                  {"6 features", "4 (hidden_size)"});
  expect_contains(error(Options(6).association_activation("glue")), {"\"glue\"", "gelu", "tanh"});
  expect_contains(error(Options(6).num_heads(3).beta(std::vector<double>{1, 2})),
                  {"beta has 2 numbers", "3 heads"});
  expect_contains(error(Options(6).learn_beta(true).beta(kInfinity)), {"inf", "finite"});
  expect_contains(error(Options(6).concat_bias_pattern(true).stored_pattern_as_static(true)),
                  {"concat_bias_pattern", "static"});
  expect_contains(error(Options(6).pattern_projection_as_connected(true).stored_pattern_size(5)),
                  {"keys have 5 features and values 6"});
  expect_contains(error(Options(6).update_steps_eps(0.0)), {"update_steps_eps is 0", "> 0"});
  expect_contains(error(Options(6).beta(std::nan(""))), {"beta is nan"});
  expect_contains(usage_error_of([] {
                    prepared(HopfieldCore(6))
                        ->forward(kState, kStored, kStored, {.scaling = std::nan(""), .batch_first = true});
                  }),
                  {"scaling (beta) is nan"});
  expect_contains(usage_error_of([] {
                    Hopfield layer = hopfield(Options(6).num_heads(2).learn_beta(true));
                    const at::NoGradGuard no_gradient;
                    layer->beta[1] = kInfinity;
                    layer->beta[0] = 0.5;
                    layer->forward(kStored);
                  }),
                  {"scaling_tensor (beta) is [0.5, inf]"});
  expect_contains(error(Options(6).normalize_stored_pattern_eps(-1)), {"normalize_stored_pattern_eps is -1"});
  expect_contains(error(Options(6).normalize_state_pattern_eps(std::nan(""))),
                  {"normalize_state_pattern_eps is nan"});
  expect_contains(error(Options(6).normalize_pattern_projection_eps(kInfinity)),
                  {"normalize_pattern_projection_eps is inf"});
  expect_contains(error(Options(6).normalize_hopfield_space(true).normalize_hopfield_space_eps(-1)),
                  {"normalize_hopfield_space_eps) is -1"});
  expect_contains(usage_error_of([] { HopfieldPooling pooling(HopfieldPoolingOptions(6).quantity(0)); }),
                  {"quantity is 0"});
  expect_contains(usage_error_of([] { HopfieldLayer lookup{HopfieldLayerOptions(Options())}; }),
                  {"input_size is missing"});
  expect_contains(usage_error_of([] { HopfieldEncoderLayer block(Options(6).output_size(5)); }),
                  {"is 6", "is 5"});
  expect_contains(
      usage_error_of([] { HopfieldDecoderLayer block(HopfieldDecoderLayerOptions(Options(6), Options(8))); }),
      {"6 and 8"});
  expect_contains(usage_error_of([] {
                    HopfieldDecoderLayer block(
                        HopfieldDecoderLayerOptions(Options(6), Options(6).batch_first(false)));
                  }),
                  {"batch_first", "true and false"});
  expect_contains(usage_error_of([] {
                    HopfieldEncoderLayer block(HopfieldEncoderLayerOptions(Options(6)).activation("glue"));
                  }),
                  {"HopfieldEncoderLayer", "\"glue\""});
}

TEST(HopfieldEdgeCases, ReportsStatesThatNeverConverge) {
  // With beta < 0 and the patterns +1 and -1, the state alternates between two values.
  Hopfield memory(HopfieldOptions::memory(-5.0));
  const at::Tensor two = at::tensor({1.0, -1.0}, at::kDouble).view({1, 2, 1});
  const at::NoGradGuard no_gradient;
  expect_contains(usage_error_of([&] {
                    memory->retrieve(two, at::full({1, 1, 1}, 0.9, at::kDouble));
                  }),
                  {"head 0", "10000 updates", "update_steps_eps is 0.0001"});
}

} // namespace
} // namespace mneme::nn
