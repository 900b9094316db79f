// SPDX-License-Identifier: MIT

#include "mneme/nn/leap_lm.h"

#include <filesystem>

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "core/temporary_folder.h"
#include "mneme/nn/fastformer_lm.h"
#include "mneme/nn/lstm_lm.h"
#include "mneme/nn/matrix_leap.h"
#include "mneme/nn/state_dict.h"
#include "mneme/ops/leap_explanation.h"
#include "nn/layers.h"
#include "ops/leap_plain.h"

namespace mneme::nn {
namespace {

using ops::FocusWeight;
using ops::LeapGate;
using ops::plain_leap;

MultiheadLeapOptions options(int64_t heads = 2) {
  return {12, heads};
}

/// Query, focus, key and value of a layer [B, T, H, D].
template <class Layer> std::vector<at::Tensor> projected(Layer& leap, const at::Tensor& x) {
  std::vector<at::Tensor> rows = leap->projections->forward(x).chunk(4, -1);
  for (at::Tensor& t : rows) {
    t = t.unflatten(-1, {leap->options.num_heads(), -1});
  }
  return rows;
}

TEST(MultiheadLeap, MatchesFormulaOfProjection) {
  MultiheadLeap leap = prepared(MultiheadLeap(options().windows({5, 0}).decay({0, 0.1})));
  const at::Tensor x = random_tensor({2, 40, 12}, 5);
  const std::vector<at::Tensor> p = projected(leap, x);
  const at::Tensor expected = plain_leap(p[0], p[1], p[2], p[3], {.windows = {{5, 0}, {0, 0.1}}});
  EXPECT_LT(max_abs_difference(leap->forward(x), expected.flatten(2)), 1e-13);
}

TEST(MultiheadLeap, RescaleMatchesFormula) {
  MultiheadLeap leap =
      prepared(MultiheadLeap(options().windows({7}).weight(FocusWeight::exponential).rescale(10)));
  const at::Tensor x = random_tensor({2, 30, 12}, 6);
  std::vector<at::Tensor> p = projected(leap, x);
  for (at::Tensor& part : p) {
    const at::Tensor mean = part.mean(-1, true),
                     deviation = ((part - mean).square().sum(-1, true) / 5).sqrt(); // of 6 features
    part = (part - mean) / (deviation + 1e-5);
  }
  const at::Tensor expected = plain_leap(
      p[0], p[1], p[2], p[3], {.weight = FocusWeight::exponential, .windows = {{7}}, .scale = 10.0 / 6});
  EXPECT_LT(max_abs_difference(leap->forward(x), expected.flatten(2)), 1e-12);
  // |logit| <= c (d - 1) / d, the bound that makes exp safe.
  EXPECT_LE(leap->explain(x).focus_logit.abs().max().item<double>(), 10 * 5.0 / 6);
}

TEST(MultiheadLeap, RotaryPositionsAreRelativeInTheGate) {
  MultiheadLeap leap = prepared(MultiheadLeap(options().windows({9}).rotary(true)));
  const at::Tensor x = random_tensor({1, 40, 12}, 7);
  const std::vector<at::Tensor> p = projected(leap, x);
  const ops::LeapIntermediates intermediates = leap->explain(x);
  const double scale = 1 / std::sqrt(6.0);
  EXPECT_LT(max_abs_difference(intermediates.focus_logit, scale * (p[1] * p[2]).sum(-1)),
            1e-13); // independent of positions
  for (const int64_t head : {0, 1}) {
    for (const int64_t i : {0, 5, 39}) {
      // gate logit = sum_j p_ij * scale * query_i . R(j - i) key_j, summed over planes of rotation
      double logit = 0, total = ops::kWindowEpsilon;
      for (int64_t j = std::max<int64_t>(0, i - 8); j <= i; ++j) {
        const double weight = intermediates.focus_weight[0][j][head].item<double>();
        total += weight;
        for (int64_t d = 0; d < 3; ++d) {
          const double angle = static_cast<double>(j - i) * std::pow(10000.0, -static_cast<double>(d) / 3);
          const auto at = [&](const at::Tensor& t, int64_t token, int64_t c) {
            return t[0][token][head][c].item<double>();
          };
          const double k0 = at(p[2], j, d), k1 = at(p[2], j, d + 3);
          logit += weight * scale *
                   (at(p[0], i, d) * (k0 * std::cos(angle) - k1 * std::sin(angle)) +
                    at(p[0], i, d + 3) * (k0 * std::sin(angle) + k1 * std::cos(angle)));
        }
      }
      EXPECT_NEAR(intermediates.gate[0][i][head].item<double>(), 1 / (1 + std::exp(-logit / total)), 1e-12);
    }
  }
}

TEST(MultiheadLeap, GradientsMatchFiniteDifferences) {
  const std::vector<MultiheadLeapOptions> all = {
      options().windows({2}), options().weight(FocusWeight::exponential).rescale(5),
      options().rotary(true).gate(LeapGate::dot_product),
      options().both_sides(true).windows({3}).gate(LeapGate::cosine),
      options().decay(alibi_slopes(2)).gate(LeapGate::open)};
  for (const MultiheadLeapOptions& with : all) {
    MultiheadLeap leap = prepared(MultiheadLeap(with));
    const at::Tensor cotangent = random_tensor({1, 4, 12}, 8);
    ops::expect_gradients_of(
        [&](const std::vector<at::Tensor>& t) { return (leap->forward(t[0]) * cotangent).sum(); },
        {random_tensor({1, 4, 12}, 9)}, 1e-7);
  }
}

TEST(MultiheadLeap, EffectiveAttentionReproducesOutput) {
  MultiheadLeap leap = prepared(MultiheadLeap(options().windows({6}).rotary(true).decay({0.2})));
  const at::Tensor x = random_tensor({2, 20, 12}, 10);
  const at::Tensor attention = leap->effective_attention(leap->explain(x)), value = projected(leap, x)[3];
  EXPECT_LT(max_abs_difference(at::matmul(attention, value.transpose(1, 2)).transpose(1, 2).flatten(2),
                               leap->forward(x)),
            1e-13);
}

TEST(MultiheadLeap, DropoutIsAppliedInTrainingOnly) {
  MultiheadLeap leap = prepared(MultiheadLeap(options().dropout(0.5)));
  const at::Tensor x = random_tensor({1, 200, 12}, 11);
  const at::Tensor expected = leap->forward(x);
  EXPECT_TRUE(expected.equal(leap->forward(x)));
  leap->train();
  torch::manual_seed(1);
  const at::Tensor one = leap->forward(x), other = leap->forward(x);
  EXPECT_GT(max_abs_difference(one, other), 0.01);
  torch::manual_seed(1);
  EXPECT_TRUE(leap->forward(x).equal(one));
  EXPECT_TRUE(leap->step(x, {}).output.isfinite().all().item<bool>());
  EXPECT_LT(max_abs_difference(leap->step(x, {}).output, expected), 1e-12); // step has no dropout
}

TEST(MultiheadLeap, RejectsInvalidOptions) {
  const auto error = [](const MultiheadLeapOptions& with) {
    return usage_error_of([&] { MultiheadLeap leap(with); });
  };
  expect_contains(error({12, 5}), {"hidden_size is 12", "num_heads, 5"});
  expect_contains(error({12, 0}), {"num_heads is 0"});
  expect_contains(error({0, 1}), {"hidden_size is 0"});
  expect_contains(error(options().windows({-2})), {"-2 tokens"});
  expect_contains(error(options().windows({1, 2, 3})), {"3 windows", "2 heads"});
  expect_contains(error(options().dropout(1)), {"dropout is 1", "[0, 1)"});
  expect_contains(error(options().rescale(0)), {"rescale is 0", "> 0"});
  expect_contains(error(options(12).rescale(10)), {"1 feature", "at least 2"});
  expect_contains(error(options(4).rotary(true)), {"pairs of features", "has 3"});
  expect_contains(error(options().decay({-1})), {"decay is -1"});
  expect_contains(error(options().decay({1}).both_sides(true)), {"decay", "both_sides"});
  expect_contains(error(options().epsilon(0)), {"epsilon is 0"});
  MultiheadLeap leap(options());
  expect_contains(usage_error_of([&] { leap->forward(at::zeros({2, 3, 8})); }), {"[2, 3, 8]", "[B, T, 12]"});
  expect_contains(usage_error_of([&] { leap->forward({}); }), {"undefined"});
}

TEST(MatrixLeap, MatchesOperatorForAnySplitOfSequence) {
  MatrixLeap leap = prepared(MatrixLeap(MatrixLeapOptions(12, 2)
                                            .windows({5, 0})
                                            .decay({0, 0.1})
                                            .weight(FocusWeight::exponential)
                                            .features(ops::KeyFeatures::relu)));
  const at::Tensor x = random_tensor({2, 40, 12}, 12);
  const std::vector<at::Tensor> p = projected(leap, x);
  const at::Tensor whole = leap->forward(x);
  EXPECT_TRUE(whole.equal(ops::matrix_leap(p[0], p[1], p[2], p[3],
                                           {.weight = FocusWeight::exponential,
                                            .features = ops::KeyFeatures::relu,
                                            .windows = {{5, 0}, {0, 0.1}}})
                              .flatten(2)));
  MatrixLeapStep step = leap->step(x.slice(1, 0, 17), {});
  std::vector<at::Tensor> outputs = {step.output};
  for (int64_t i = 17; i < 40; ++i) {
    step = leap->step(x.slice(1, i, i + 1), std::move(step.state));
    outputs.push_back(step.output);
  }
  EXPECT_LT(max_abs_difference(at::cat(outputs, 1), whole), 1e-13);
}

TEST(MatrixLeap, IgnoresPaddingAndHasGradients) {
  MatrixLeap leap = prepared(MatrixLeap(MatrixLeapOptions(12, 2).both_sides(true).windows({4})));
  const at::Tensor x = random_tensor({1, 9, 12}, 13), key_padding_mask = at::zeros({1, 9}, at::kBool);
  key_padding_mask.slice(1, 6).fill_(true);
  EXPECT_LT(
      max_abs_difference(leap->forward(x, key_padding_mask).slice(1, 0, 6), leap->forward(x.slice(1, 0, 6))),
      1e-13);
  const at::Tensor cotangent = random_tensor({1, 4, 12}, 14);
  ops::expect_gradients_of(
      [&](const std::vector<at::Tensor>& t) { return (leap->forward(t[0]) * cotangent).sum(); },
      {random_tensor({1, 4, 12}, 15)}, 1e-7);
}

TEST(MatrixLeap, RejectsInvalidOptions) {
  const auto error = [](const MatrixLeapOptions& with) {
    return usage_error_of([&] { MatrixLeap leap(with); });
  };
  expect_contains(error({12, 5}), {"MatrixLeap", "hidden_size is 12", "num_heads, 5"});
  expect_contains(error({12, 0}), {"num_heads is 0"});
  expect_contains(error(MatrixLeapOptions(12, 2).windows({-2})), {"-2 tokens"});
  expect_contains(error(MatrixLeapOptions(12, 2).decay({1}).both_sides(true)), {"decay", "both_sides"});
  MatrixLeap leap(MatrixLeapOptions(12, 2));
  expect_contains(usage_error_of([&] { leap->forward(at::zeros({2, 3, 8})); }), {"[2, 3, 8]", "[B, T, 12]"});
}

LeapConfig config() {
  return LeapConfig().vocab_size(30).hidden_size(12).num_heads(2).num_layers(5).max_positions(64).dropout(0);
}
at::Tensor random_ids(at::IntArrayRef shape, uint64_t seed, int64_t words = 30) {
  return at::randint(words, shape, at::make_generator<at::CPUGeneratorImpl>(seed), at::kLong);
}

TEST(LeapForCausalLM, DefaultWindowsAreThePublishedOnes) {
  using Windows = std::vector<int64_t>;
  const auto windows = [](int64_t layers) { return LeapConfig().num_layers(layers).layer_windows(); };
  EXPECT_EQ(windows(1), (Windows{0}));
  EXPECT_EQ(windows(5), (Windows{0, 4, 8, 16, 0}));
  EXPECT_EQ(windows(9), (Windows{0, 4, 8, 16, 0, 4, 8, 16, 0}));
  EXPECT_EQ(LeapConfig().num_layers(2).local_windows(false).layer_windows(), (Windows{0, 0}));
  // A window of the maximum text length is unlimited; without learned positions there is no maximum.
  LeapConfig wide = LeapConfig().num_layers(2).max_positions(40).windows(Windows{40, 39});
  EXPECT_EQ(wide.layer_windows(), (Windows{0, 39}));
  EXPECT_EQ(wide.positions(LeapPositions::none).layer_windows(), (Windows{40, 39}));
  EXPECT_EQ(FastformerConfig().num_layers(5).layer_windows(), (Windows{0, 4, 8, 16, 0}));
}

TEST(LeapForCausalLM, InitialisationIsThePublishedOne) {
  LeapForCausalLM model(LeapConfig().vocab_size(2000).hidden_size(64).num_heads(2));
  model->eval();
  const at::Tensor ids = random_ids({2, 100}, 1, 2000);
  const double loss = model->forward(ids, {{}, ids}).loss.item<double>();
  EXPECT_NEAR(loss, std::log(2000.0) + 0.5, 0.4); // logits of variance 1
  LeapForCausalLM same(LeapConfig().vocab_size(2000).hidden_size(64).num_heads(2));
  EXPECT_TRUE(model->word_embedding->weight.equal(same->word_embedding->weight));
  int64_t numbers = 0;
  for (const at::Tensor& parameter : model->parameters()) {
    numbers += parameter.numel();
  }
  EXPECT_EQ(numbers, 4 * (12 * 64 * 64 + 9 * 64) + 2 * 64 + (2000 + 1024) * 64);
}

/// Bound of the difference between any two splits of a text in float32, relative to the largest logit.
constexpr double kSplitTolerance = 1e-5;

// Tests of the operator cover arbitrary splits; this test covers every kind of model with one split.
TEST(LeapForCausalLM, DoesNotDependOnSplitOfText) {
  const at::NoGradGuard no_gradient;
  const testing::TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "state.safetensors";
  uint64_t seed = 0;
  for (const LeapPositions positions :
       {LeapPositions::learned, LeapPositions::rotary, LeapPositions::decay, LeapPositions::none}) {
    for (const bool exponential : {false, true}) {
      LeapConfig with = config();
      with.positions(positions);
      if (exponential) {
        with.weight(FocusWeight::exponential).rescale(10);
      }
      LeapForCausalLM model = prepared(LeapForCausalLM(with));
      model->to(at::kFloat);
      const at::Tensor ids = random_ids({2, 64}, ++seed);
      const at::Tensor whole = model->forward(ids).logits;
      LeapModelState state;
      std::vector<at::Tensor> logits;
      for (const int64_t length : {1, 1, 0, 30, 1, 7, 16, 8}) {
        LeapLMStep next = model->step(ids.narrow(1, state.position, length), state);
        logits.push_back(next.logits);
        write_tensor_file(path, to_file(next.state)); // the state also survives a round trip through a file
        state = leap_state_from(read_tensor_file(path), "state.safetensors");
      }
      EXPECT_EQ(state.position, 64);
      EXPECT_LE(max_abs_difference(at::cat(logits, 1), whole),
                kSplitTolerance * whole.abs().max().item<double>());
    }
  }
}

TEST(LeapForCausalLM, RejectsInvalidStateFiles) {
  LeapForCausalLM model(config());
  const TensorFile good = to_file(model->step(random_ids({1, 5}, 3), {}).state);
  const auto error = [](const TensorFile& file) {
    try {
      leap_state_from(file, "here");
    } catch (const DataError& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  TensorFile file = good;
  file.texts["format"] = "other";
  expect_contains(error(file), {"here", "\"other\"", "mneme LEAP state 1"});
  file = good;
  file.texts["position"] = "-3";
  expect_contains(error(file), {"position", "\"-3\""});
  file = good;
  file.texts["layers"] = "2";
  expect_contains(error(file), {"belong to no layer"});
  file.texts["layers"] = "99999999999";
  expect_contains(error(file), {"99999999999 layers"});
  file.texts.erase("layers");
  expect_contains(error(file), {"layers is missing"});
  EXPECT_EQ(leap_state_from(to_file({}), "here").position, 0);
}

TEST(LeapForCausalLM, LoadsNamesOfAllReleases) {
  LeapForCausalLM model = prepared(LeapForCausalLM(config().weight(FocusWeight::exponential).rescale(10)));
  const NamedTensors now = causal_lm_state(*model);
  EXPECT_TRUE(now.at("proj_logits.weight").equal(now.at("word_embedding.weight")));
  NamedTensors first; // releases 1.0.0 and 1.0.1
  for (const auto& [name, tensor] : now) {
    const size_t at = name.find(".leap.projections");
    first.emplace(at == std::string::npos ? name : name.substr(0, at) + name.substr(at + 5), tensor);
  }
  EXPECT_TRUE(first.contains("leap_model.decoders.0.projections.weight"));
  const at::Tensor ids = random_ids({1, 20}, 2);
  const at::Tensor expected = model->forward(ids).logits;
  const auto with_prefix = [](const std::string& prefix, const NamedTensors& state) {
    NamedTensors longer;
    for (const auto& [name, tensor] : state) {
      longer.emplace(prefix + name, tensor);
    }
    return longer;
  };
  NamedTensors without_words = now; // some tools save only one of two tied matrices
  without_words.erase("word_embedding.weight");
  EXPECT_EQ(load_leap_state(model, with_prefix("module.", now), "file").size(), 1U);
  for (const NamedTensors& state :
       {now, first, state_dict(*model), without_words, with_prefix("module.", now),
        with_prefix("module._orig_mod.", first), with_prefix("model.", without_words)}) {
    LeapForCausalLM other(config().weight(FocusWeight::exponential).rescale(10).seed(5));
    other->to(at::kDouble);
    other->eval();
    load_leap_state(other, state, "file");
    EXPECT_TRUE(other->forward(ids).logits.equal(expected));
  }
  LeapForCausalLM elu(config());
  EXPECT_THROW(load_leap_state(elu, first, "file"), DataError);
  NamedTensors untied = now;
  untied["proj_logits.weight"] = untied["proj_logits.weight"] + 1;
  EXPECT_THROW(load_leap_state(model, untied, "file"), DataError);
  NamedTensors half = now;
  half["proj_logits.weight"] = half["proj_logits.weight"].to(at::kHalf);
  EXPECT_THROW(load_leap_state(model, half, "file"), DataError);
  NamedTensors missing = now;
  missing.erase("last_norm.bias");
  EXPECT_THROW(load_leap_state(model, missing, "file"), DataError);
}

TEST(LeapForCausalLM, IgnoresLeftPaddingUnlessPaddingCounts) {
  LeapForCausalLM model =
      prepared(LeapForCausalLM(config().positions(LeapPositions::none).padding_counts(false)));
  const at::Tensor ids = random_ids({1, 20}, 4), padded = at::cat({at::zeros({1, 7}, at::kLong), ids}, 1);
  at::Tensor mask = at::ones({1, 27});
  mask.slice(1, 0, 7).fill_(0);
  EXPECT_LT(max_abs_difference(model->forward(padded, {mask}).logits.slice(1, 7), model->forward(ids).logits),
            1e-12);
  LeapForCausalLM published = prepared(LeapForCausalLM(config()));
  expect_contains(usage_error_of([&] { published->forward(padded, {mask}); }),
                  {"padding before tokens in text 0", "padding_counts"});
  EXPECT_NO_THROW(published->forward(padded, {mask.flip(1)}));
}

TEST(LeapForCausalLM, LossIgnoresPaddingAndIgnoredLabels) {
  LeapForCausalLM model = prepared(LeapForCausalLM(config()));
  const at::Tensor ids = random_ids({2, 6}, 5);
  const at::Tensor labels = ids.clone();
  labels[0][3] = -100;
  at::Tensor mask = at::ones({2, 6});
  mask[1].slice(0, 4).fill_(0);
  const CausalLMOutput output = model->forward(ids, {mask, labels});
  const at::Tensor log_probabilities = output.logits.log_softmax(-1);
  double sum = 0;
  int count = 0;
  for (const auto& [text, place] : {std::pair{0, 1}, {0, 2}, {0, 4}, {0, 5}, {1, 1}, {1, 2}, {1, 3}}) {
    sum -= log_probabilities[text][place - 1][ids[text][place].item<int64_t>()].item<double>();
    ++count;
  }
  EXPECT_NEAR(output.loss.item<double>(), sum / count, 1e-12);
  EXPECT_EQ(labels[1][5].item<int64_t>(), ids[1][5].item<int64_t>()); // the caller's labels are not changed
  EXPECT_EQ(output.labels[1][5].item<int64_t>(), -100);
}

TEST(LeapForCausalLM, ExplainsEveryLayer) {
  LeapForCausalLM model = prepared(LeapForCausalLM(config()));
  const at::Tensor ids = random_ids({1, 30}, 6);
  const std::vector<ops::LeapIntermediates> layers = model->explain(ids);
  ASSERT_EQ(layers.size(), 5U);
  const CausalLMOutput output = model->forward(ids, {.hidden_states = true});
  for (int64_t i = 0; i < 5; ++i) {
    auto* block = model->leap_model->decoders->ptr(static_cast<size_t>(i))->as<LeapBlock>();
    const at::Tensor x = block->attn_norm->forward(output.hidden_states.at(static_cast<size_t>(i)));
    MultiheadLeap leap = model->layer(i);
    const ops::LeapIntermediates& intermediates = layers[static_cast<size_t>(i)];
    EXPECT_LT(max_abs_difference(intermediates.readout.flatten(2), leap->forward(x)), 1e-12);
    const at::Tensor value = projected(leap, x)[3];
    EXPECT_LT(max_abs_difference(
                  at::matmul(leap->effective_attention(intermediates), value.transpose(1, 2)).transpose(1, 2),
                  intermediates.readout),
              1e-12);
  }
  EXPECT_THROW(model->layer(5), UsageError);
}

TEST(LeapForCausalLM, ExplainsTextsWithPadding) {
  for (const LeapPositions positions : {LeapPositions::rotary, LeapPositions::decay}) {
    LeapForCausalLM model = prepared(LeapForCausalLM(
        config().positions(positions).padding_counts(false).weight(FocusWeight::exponential).rescale(10)));
    const at::Tensor ids = random_ids({2, 40}, 7);
    at::Tensor mask = at::ones({2, 40});
    mask[0].slice(0, 0, 15).fill_(0);
    std::vector<ops::LeapLayer> layers;
    at::Tensor product = at::eye(40, at::kDouble).expand({2, 40, 40});
    model->explain_layers(
        ids,
        [&](int64_t index, const ops::LeapIntermediates& intermediates) {
          EXPECT_EQ(index, static_cast<int64_t>(layers.size()));
          MultiheadLeap leap = model->layer(index);
          const ops::LeapExplanation all = ops::explain(intermediates, leap->op_options());
          EXPECT_LT(max_abs_difference(
                        at::matmul(all.attention, intermediates.value.transpose(1, 2)).transpose(1, 2),
                        intermediates.readout),
                    1e-12);
          EXPECT_LT(max_abs_difference(all.gate_logit_contribution.sum(-1).transpose(1, 2),
                                       ops::gate_logit(intermediates, leap->op_options())),
                    1e-12);
          product = at::matmul(at::eye(40, at::kDouble) + leap->effective_attention(intermediates).mean(1),
                               product);
          layers.push_back({intermediates, leap->op_options()});
        },
        mask);
    EXPECT_EQ(layers.size(), 5U);
    EXPECT_LT(max_abs_difference(ops::attention_rollout(layers), product), 1e-13);
  }
}

TEST(LeapForCausalLM, AcceptsTextsOfZeroAndOneToken) {
  LeapForCausalLM model(config());
  model->eval();
  EXPECT_EQ(model->forward(at::zeros({2, 0}, at::kLong)).logits.sizes(), (at::IntArrayRef{2, 0, 30}));
  EXPECT_EQ(model->forward(at::zeros({2, 1}, at::kLong)).logits.sizes(), (at::IntArrayRef{2, 1, 30}));
  EXPECT_EQ(model->step(at::zeros({2, 0}, at::kLong), {}).state.position, 0);
}

TEST(LeapForCausalLM, RejectsInvalidArguments) {
  const auto error = [](const LeapConfig& with) {
    return usage_error_of([&] { LeapForCausalLM model(with); });
  };
  expect_contains(error(config().vocab_size(0)), {"vocab_size is 0"});
  expect_contains(error(config().num_layers(-1)), {"num_layers is -1"});
  expect_contains(error(config().num_heads(5)), {"hidden_size is 12", "num_heads, 5"});
  expect_contains(error(config().windows(std::vector<int64_t>{1, 2})), {"2 windows", "5 layers"});
  expect_contains(error(config().num_layers(1).windows(std::vector<int64_t>{1}).local_windows(false)),
                  {"1 windows", "local_windows is false"});
  expect_contains(error(config().initial_std(0)), {"initial_std is 0"});
  LeapForCausalLM model(config());
  const auto call = [&](const at::Tensor& ids, const CausalLMCall& with = {}) {
    return usage_error_of([&] { model->forward(ids, with); });
  };
  const at::Tensor ids = random_ids({2, 6}, 7);
  expect_contains(call(ids + 28), {"to 57", "30 words"});
  expect_contains(call(ids.to(at::kInt)), {"type Int", "type Long"});
  expect_contains(call(ids[0]), {"shape [6]", "[B, T]"});
  expect_contains(call(at::zeros({1, 65}, at::kLong)), {"65 tokens", "64 learned positions"});
  expect_contains(call(ids, {at::ones({2, 5})}), {"attention_mask", "[2, 5]", "[2, 6]"});
  expect_contains(call(ids, {{}, ids.slice(0, 0, 1)}), {"labels", "[1, 6]", "[2, 6]"});
  expect_contains(call(ids, {{}, ids.to(at::kInt)}), {"labels", "Int"});
  expect_contains(call(ids, {{}, ids + 28}), {"labels range", "30 words"});
  expect_contains(call(ids, {{}, at::full_like(ids, -100)}), {"all labels", "are ignored"});
  LeapModelState state = model->step(ids, {}).state;
  expect_contains(usage_error_of([&] {
                    model->step(at::zeros({2, 60}, at::kLong), state);
                  }),
                  {"66 tokens", "64"});
  expect_contains(usage_error_of([&] { model->step(ids.slice(0, 0, 1), state); }),
                  {"state's scan", "[2, ", "[1, "});
  expect_contains(usage_error_of([&] {
                    model->leap_model->forward(at::zeros({2, 3, 12}, at::kDouble));
                  }),
                  {"LeapDecoder", "the input is Double", "parameters are Float"});
  expect_contains(usage_error_of([&] {
                    model->layer(0)->forward(at::zeros({2, 3, 12}, at::kDouble));
                  }),
                  {"MultiheadLeap", "the input is Double"});
  expect_contains(usage_error_of([&] {
                    model->leap_model->decoders->ptr(0)->as<LeapBlock>()->forward(at::zeros({3, 12}));
                  }),
                  {"LeapBlock", "[B, T, 12]"});
  state.layers.pop_back();
  expect_contains(usage_error_of([&] { model->step(ids, state); }), {"4 layers", "has 5"});
}

TEST(FastformerForCausalLM, AttentionMatchesFormula) {
  FastformerAttention attention = prepared(FastformerAttention(
      FastformerConfig().hidden_size(12).num_heads(3).rescale(10).dropout(0), /*window_=*/4));
  const at::Tensor x = random_tensor({2, 20, 12}, 12);
  at::Tensor key_padding_mask = at::zeros({2, 20}, at::kBool);
  key_padding_mask[1].slice(0, 11).fill_(true);
  const std::vector<at::Tensor> parts =
      attention->projections->forward(attention->attn_norm->forward(x)).chunk(3, -1);
  const auto norm = [](const at::Tensor& t) {
    const at::Tensor c = t - t.mean(-1, true);
    return c / ((c.square().sum(-1, true) / 3).sqrt() + 1e-5);
  };
  const auto additive = [&](const at::Tensor& t, const at::Tensor& learned) {
    const at::Tensor rows = norm(t.unflatten(-1, {3, 4})),
                     logit = (rows * norm(learned)).sum(-1) * (10.0 / 4);
    const at::Tensor weight = logit.exp() * key_padding_mask.logical_not().unsqueeze(-1);
    at::Tensor sum = at::zeros_like(rows), total = at::zeros_like(weight);
    for (int64_t i = 0; i < 20; ++i) {
      for (int64_t j = std::max<int64_t>(0, i - 3); j <= i; ++j) {
        sum.select(1, i).add_(weight.select(1, j).unsqueeze(-1) * rows.select(1, j));
        total.select(1, i).add_(weight.select(1, j));
      }
    }
    return (sum / (total + 1e-5).unsqueeze(-1)).flatten(2);
  };
  const at::Tensor query = additive(parts[0], attention->query_attn),
                   key = additive(query * parts[1], attention->key_attn);
  EXPECT_LT(max_abs_difference(attention->forward(x, key_padding_mask), x + key * parts[2]), 1e-12);
}

TEST(FastformerForCausalLM, RejectsInvalidOptions) {
  const auto error = [](const FastformerConfig& with) {
    return usage_error_of([&] { FastformerForCausalLM model(with); });
  };
  const auto small = [] { return FastformerConfig().vocab_size(20).hidden_size(8).num_layers(2); };
  expect_contains(error(small().num_heads(3)), {"hidden_size is 8", "3 heads"});
  expect_contains(error(small().num_heads(8)), {"at least 2"});
  expect_contains(error(small().rescale(-1)), {"rescale is -1"});
  expect_contains(error(small().windows(std::vector<int64_t>{1})), {"1 windows", "2 layers"});
  FastformerForCausalLM model(small().max_positions(10));
  expect_contains(usage_error_of([&] {
                    model->forward(at::zeros({1, 11}, at::kLong));
                  }),
                  {"11 tokens", "10"});
}

TEST(LstmForCausalLM, ReturnsLogitsOfEveryToken) {
  LstmForCausalLM model(LstmConfig(20, 8, 2));
  const at::Tensor ids = random_ids({2, 7}, 8, 20);
  EXPECT_EQ(model->forward(ids, {{}, ids}).logits.sizes(), (at::IntArrayRef{2, 7, 20}));
  expect_contains(usage_error_of([&] {
                    model->forward(at::zeros({2, 0}, at::kLong));
                  }),
                  {"[2, 0]", "no token"});
  expect_contains(usage_error_of([] { LstmForCausalLM none(LstmConfig(20, 8, 0)); }), {"num_layers is 0"});
  LstmState state;
  model->step(ids, state);
  expect_contains(usage_error_of([&] { model->step(ids.slice(0, 0, 1), state); }),
                  {"state.hidden has shape [2, 2, 8]", "[2, 1, 8]"});
  state.cell = at::Tensor();
  expect_contains(usage_error_of([&] { model->step(ids, state); }), {"state.cell is undefined"});
}

} // namespace
} // namespace mneme::nn
