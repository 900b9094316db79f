// SPDX-License-Identifier: MIT

#include "mneme/nn/gpt2_folder.h"

#include <functional>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <torch/torch.h>

#include "core/temporary_folder.h"
#include "mneme/core/error.h"
#include "mneme/nn/state_dict.h"
#include "ops/tensors.h"

namespace mneme::nn {
namespace {

using testing::expect_contains;
using testing::read_text;
using testing::TemporaryFolder;
using testing::write_text;

const std::filesystem::path kGolden = std::filesystem::path(MNEME_SOURCE_DIR) / "tests" / "golden" / "gpt2";

at::Tensor ids_of(int64_t count) {
  return (at::arange(count) * 7).remainder(50).unsqueeze(0);
}

/// The tied golden model with renamed or added tensors, and its config.json with fields changed.
class Folder {
public:
  Folder()
      : tensors(read_tensor_file(kGolden / "tied" / "model.safetensors").tensors),
        config(nlohmann::json::parse(read_text(kGolden / "tied" / "config.json"))) {}

  Gpt2ForCausalLM read(const char* file = "model.safetensors") {
    write_text(folder_ / "config.json", config.dump());
    write_tensor_file(folder_ / file, {.tensors = tensors});
    notes.clear();
    return read_gpt2_model(folder_.path(), "", &notes);
  }
  void rename(const std::function<std::string(const std::string&)>& new_name) {
    NamedTensors renamed;
    for (const auto& [name, tensor] : tensors) {
      renamed.emplace(new_name(name), tensor);
    }
    tensors = renamed;
  }

  NamedTensors tensors;
  nlohmann::json config;
  std::vector<std::string> notes;

private:
  TemporaryFolder folder_;
};

at::Tensor golden_logits() {
  return read_gpt2_model(kGolden / "tied")->forward(ids_of(20));
}

TEST(Gpt2, DrawsNoInitialWeightsForAModelFromAFile) {
  torch::manual_seed(3);
  const at::Tensor expected = at::rand({4});
  torch::manual_seed(3);
  read_gpt2_model(kGolden / "tied");
  EXPECT_TRUE(at::rand({4}).equal(expected)); // LibTorch's own embedding draws from this generator
  const Gpt2Config small = Gpt2Config().vocab_size(9).hidden_size(8).num_heads(2).num_layers(1);
  const at::Tensor words = Gpt2ForCausalLM(small)->head_weight();
  EXPECT_GT(words.abs().max().item<double>(), 0.01); // a new model does
  const auto clone = std::dynamic_pointer_cast<Gpt2ForCausalLMImpl>(Gpt2ForCausalLM(small)->clone());
  EXPECT_TRUE(clone->head_weight().equal(words));
}

TEST(Gpt2, ComputesWithTheReadoutThatAFunctionReturns) {
  const at::NoGradGuard no_gradient;
  Gpt2ForCausalLM model = read_gpt2_model(kGolden / "tied");
  const at::Tensor ids = ids_of(20), expected = model->head_input(ids);
  const auto own = [](const AttentionView& view) {
    return at::scaled_dot_product_attention(view.query, view.key, view.value, {}, 0, true, view.scale);
  };
  EXPECT_TRUE(at::allclose(model->head_input(ids, {}, own), expected, 1e-5, 1e-5));
  const auto none = [](const AttentionView&) { return at::Tensor(); };
  EXPECT_TRUE(model->head_input(ids, {}, none).equal(expected));
  const auto zero = [&](const AttentionView& view) {
    return view.layer == 1 ? at::zeros_like(view.value) : at::Tensor();
  };
  EXPECT_FALSE(at::allclose(model->head_input(ids, {}, zero), expected, 1e-2, 1e-2));
  try {
    model->head_input(ids, {}, [](const AttentionView& view) { return view.value[0]; });
    ADD_FAILURE();
  } catch (const UsageError& error) {
    expect_contains(error.what(), {"readout of layer 0"});
  }
}

TEST(Gpt2, ReadsTheNamesOfAllPublishedFiles) {
  const at::NoGradGuard no_gradient;
  const at::Tensor expected = golden_logits();
  const auto without = [](const std::string& name) {
    return name.substr(std::string("transformer.").size());
  };
  {
    Folder folder; // as GPT2Model writes them, with the buffers of older releases
    folder.rename(without);
    for (int64_t i = 0; i < 3; ++i) {
      folder.tensors[c10::str("h.", i, ".attn.bias")] = at::ones({1, 1, 32, 32}, at::kByte).tril();
      folder.tensors[c10::str("h.", i, ".attn.masked_bias")] = at::full({}, -1e4F);
    }
    EXPECT_TRUE(folder.read()->forward(ids_of(20)).equal(expected));
    ASSERT_EQ(folder.notes.size(), 1U);
    expect_contains(folder.notes[0], {"6 causal masks"});
  }
  {
    Folder folder; // of a compiled model, with the buffers under the full names
    folder.tensors["transformer.h.0.attn.bias"] = at::ones({1, 1, 32, 32}, at::kByte).tril();
    folder.rename([](const std::string& name) { return "_orig_mod." + name; });
    EXPECT_TRUE(folder.read()->forward(ids_of(20)).equal(expected));
    expect_contains(folder.notes.at(0), {"_orig_mod."});
  }
  {
    Folder folder; // with a copy of the tied matrix
    folder.tensors["lm_head.weight"] = folder.tensors.at("transformer.wte.weight").clone();
    EXPECT_TRUE(folder.read()->forward(ids_of(20)).equal(expected));
  }
  {
    Folder folder; // in half precision
    for (auto& [name, tensor] : folder.tensors) {
      tensor = tensor.to(at::kBFloat16);
    }
    const at::Tensor logits = folder.read()->forward(ids_of(20));
    EXPECT_EQ(logits.scalar_type(), at::kFloat);
    EXPECT_LT((logits - expected).abs().max().item<float>(), 0.5);
  }
}

TEST(Gpt2, RefusesFilesThatDoNotFit) {
  {
    Folder folder;
    folder.tensors["lm_head.weight"] = at::zeros({50, 24});
    expect_contains(ops::data_error_of([&] { folder.read(); }),
                    {"lm_head.weight", "wte.weight", "tie_word_embeddings"});
  }
  {
    Folder folder;
    folder.tensors["wte.weight"] = folder.tensors.at("transformer.wte.weight");
    expect_contains(ops::data_error_of([&] { folder.read(); }),
                    {"both \"wte.weight\" and \"transformer.wte.weight\""});
  }
  {
    Folder folder; // torch.nn.Linear's orientation
    folder.tensors["transformer.h.0.attn.c_attn.weight"] =
        folder.tensors.at("transformer.h.0.attn.c_attn.weight").t().contiguous();
    expect_contains(ops::data_error_of([&] { folder.read(); }),
                    {"h.0.attn.c_attn.weight", "[72, 24]", "[24, 72]"});
  }
  {
    Folder folder;
    folder.tensors.erase("transformer.h.2.ln_1.bias");
    folder.tensors["transformer.extra"] = at::zeros({24});
    folder.tensors["other"] = at::zeros({24});
    expect_contains(
        ops::data_error_of([&] { folder.read(); }),
        {"missing: transformer.h.2.ln_1.bias", "unexpected: transformer.extra of", "unexpected: other of"});
  }
  {
    Folder folder; // fewer numbers than the model has parameters
    folder.tensors.erase("transformer.h.2.ln_1.bias");
    expect_contains(ops::data_error_of([&] { folder.read(); }), {"missing: transformer.h.2.ln_1.bias"});
  }
  {
    Folder folder;
    folder.config["tie_word_embeddings"] = false;
    expect_contains(ops::data_error_of([&] { folder.read(); }), {"missing: lm_head.weight"});
  }
  {
    Folder folder;
    folder.tensors.at("transformer.wpe.weight")[3][1] = NAN;
    expect_contains(ops::data_error_of([&] { folder.read(); }), {"transformer.wpe.weight", "not finite"});
  }
}

TEST(Gpt2, ConfigurationsAreHonouredOrRefused) {
  const auto parse = [](const std::string& key, const nlohmann::json& value,
                        std::vector<std::string>* notes = nullptr) {
    nlohmann::json config = nlohmann::json::parse(read_text(kGolden / "tied" / "config.json"));
    config[key] = value;
    return gpt2_config_from(config.dump(), "here", notes);
  };
  EXPECT_EQ(parse("n_inner", nullptr).inner_size(), std::nullopt);
  EXPECT_EQ(parse("n_inner", 7).inner_size(), 7);
  EXPECT_EQ(parse("activation_function", "gelu_pytorch_tanh").activation(), TransformerActivation::gelu_new);
  EXPECT_TRUE(parse("scale_attn_by_inverse_layer_idx", true).scale_by_layer());
  EXPECT_EQ(parse("n_ctx", 32).max_positions(), 32);
  for (const auto& [key, value, part] : std::vector<std::tuple<const char*, nlohmann::json, const char*>>{
           {"activation_function", "laplace", "\"laplace\""},
           {"add_cross_attention", true, "add_cross_attention"},
           {"n_ctx", 16, "n_ctx"},
           {"n_head", 5, "not divisible by 5"},
           {"n_head", 0, "n_head"},
           {"layer_norm_epsilon", "small", "layer_norm_epsilon"},
           {"model_type", "bert", "\"bert\""},
           {"n_layers", 3, "n_layer"},
           {"quantization_config", {{"bits", 4}}, "quantization_config"}}) {
    const std::string message =
        ops::data_error_of([&, &changed_key = key, &new_value = value] { parse(changed_key, new_value); });
    expect_contains(message, {"here: ", part});
  }
  std::vector<std::string> notes;
  parse("my_own_note", "x", &notes);
  ASSERT_EQ(notes.size(), 1U);
  expect_contains(notes[0], {"my_own_note"});
  for (const Gpt2Config& config :
       {Gpt2Config(),
        Gpt2Config().vocab_size(9).hidden_size(12).num_heads(3).inner_size(5).tied(false).eos_token_id(8),
        Gpt2Config()
            .activation(TransformerActivation::relu)
            .scale_scores(false)
            .scale_by_layer(true)
            .norm_epsilon(1e-3)}) {
    EXPECT_EQ(to_json(gpt2_config_from(to_json(config), "here")), to_json(config));
  }
}

TEST(Gpt2, WritesWhatItReads) {
  for (const char* name : {"tied", "untied"}) {
    const Gpt2ForCausalLM model = read_gpt2_model(kGolden / name);
    const TemporaryFolder folder;
    write_gpt2_model(folder.path(), model);
    const auto original = read_tensor_file(kGolden / name / "model.safetensors").tensors,
               written = read_tensor_file(folder / "model.safetensors").tensors;
    ASSERT_EQ(original.size(), written.size()) << name;
    for (const auto& [key, tensor] : original) {
      EXPECT_TRUE(written.at(key).equal(tensor)) << key;
    }
  }
}

TEST(Gpt2, LaterTokensDoNotChangeEarlierLogits) {
  const at::NoGradGuard no_gradient;
  Gpt2ForCausalLM model = read_gpt2_model(kGolden / "tied");
  at::Tensor ids = ids_of(20).clone();
  const at::Tensor before = model->forward(ids);
  ids[0].slice(0, 12).fill_(3);
  EXPECT_LT((model->forward(ids) - before).slice(1, 0, 12).abs().max().item<float>(), 1e-5);
}

TEST(Gpt2, DropoutIsUsedInTrainingOnly) {
  Gpt2ForCausalLM model(
      Gpt2Config().vocab_size(50).hidden_size(24).num_heads(4).num_layers(2).max_positions(32));
  const at::Tensor first = model->forward(ids_of(20)), second = model->forward(ids_of(20));
  EXPECT_FALSE(first.equal(second));
  Gpt2Cache cache;
  const at::Tensor stepped = model->step(ids_of(20), cache); // never with dropout
  EXPECT_TRUE(model->is_training());
  model->eval();
  EXPECT_TRUE(model->forward(ids_of(20)).equal(model->forward(ids_of(20))));
  EXPECT_LT((model->head_input(ids_of(20)) - stepped).abs().max().item<float>(), 1e-5);
}

TEST(Gpt2, AcceptsNoTextsAndOneToken) {
  Gpt2ForCausalLM model = read_gpt2_model(kGolden / "tied");
  const at::NoGradGuard no_gradient;
  const int64_t size = model->config.hidden_size();
  for (const int64_t tokens : {1, 5}) {
    const at::Tensor none = at::zeros({0, tokens}, at::kLong);
    EXPECT_EQ(model->head_input(none).sizes(), (at::IntArrayRef{0, tokens, size}));
    Gpt2Cache cache;
    EXPECT_EQ(model->step(none, cache).sizes(), (at::IntArrayRef{0, tokens, size}));
    EXPECT_EQ(cache.position, tokens);
  }
  EXPECT_EQ(model->head_input(ids_of(1)).sizes(), (at::IntArrayRef{1, 1, size}));
  Gpt2Cache cache;
  expect_contains(ops::usage_error_of([&] {
                    model->step(at::zeros({2, 0}, at::kLong), cache);
                  }),
                  {"[2, 0]", "no token"});
}

TEST(Gpt2, AFailedStepDoesNotChangeTheMode) {
  Gpt2ForCausalLM model = read_gpt2_model(kGolden / "tied");
  model->train();
  Gpt2Cache cache;
  const int64_t tokens = model->config.max_positions() + 1;
  expect_contains(ops::usage_error_of([&] {
                    model->step(at::zeros({1, tokens}, at::kLong), cache);
                  }),
                  {"learned positions"});
  EXPECT_TRUE(model->is_training() && model->transformer->h->ptr(0)->is_training());
}

TEST(Gpt2, RefusesArgumentsThatDoNotFit) {
  const auto config = Gpt2Config().vocab_size(50).hidden_size(24).num_heads(4).num_layers(2);
  const auto error = [](const auto& call) { return ops::usage_error_of(call); };
  expect_contains(error([&] { Gpt2ForCausalLM model(Gpt2Config(config).residual_dropout(1)); }),
                  {"residual_dropout is 1"});
  expect_contains(error([&] { Gpt2Model model(Gpt2Config(config).num_heads(5)); }), {"24", "num_heads, 5"});
  Gpt2Attention attention(config, 0);
  expect_contains(error([&] { attention->forward(at::zeros({2, 24})); }), {"Gpt2Attention", "[B, T, 24]"});
  expect_contains(error([&] {
                    attention->forward(at::zeros({1, 2, 24}, at::kDouble));
                  }),
                  {"the input is Double", "parameters are Float"});
  Gpt2ForCausalLM model(config);
  expect_contains(error([&] { model->transformer->forward(ids_of(3) + 50); }), {"50 to 64", "50 words"});
  expect_contains(error([&] {
                    model->head_input(ids_of(3), {},
                                      [](const AttentionView& view) { return view.value.to(at::kDouble); });
                  }),
                  {"readout of layer 0", "type Double", "Float"});
  Gpt2Cache cache;
  model->step(ids_of(3), cache);
  model->to(at::kDouble);
  expect_contains(error([&] { model->step(ids_of(3), cache); }), {"cache", "type Float", "type Double"});
}

TEST(Gpt2, GradientsEqualThoseOfPlainExpressions) {
  Gpt2ForCausalLM model = read_gpt2_model(kGolden / "tied");
  const at::Tensor ids = ids_of(20);
  const auto loss = [&](const at::Tensor& logits) {
    return at::cross_entropy_loss(logits.slice(1, 0, -1).flatten(0, 1), ids[0].slice(0, 1));
  };
  const auto parameters = model->parameters();
  const auto ours = torch::autograd::grad({loss(model->forward(ids))}, parameters);
  // The same model with attention as plain expressions.
  const auto& p = model->named_parameters();
  const auto of = [&](const std::string& name) { return p["transformer." + name]; };
  at::Tensor x = of("wte.weight").index_select(0, ids[0]) + of("wpe.weight").slice(0, 0, 20);
  const auto norm = [&](const at::Tensor& in, const std::string& name) {
    return at::layer_norm(in, {24}, of(name + ".weight"), of(name + ".bias"), 1e-5);
  };
  for (int64_t i = 0; i < 3; ++i) {
    const std::string h = c10::str("h.", i, ".");
    const at::Tensor qkv =
        at::addmm(of(h + "attn.c_attn.bias"), norm(x, h + "ln_1"), of(h + "attn.c_attn.weight"));
    const auto heads = [&](int64_t part) {
      return qkv.slice(1, 24 * part, 24 * (part + 1)).view({20, 4, 6}).transpose(0, 1);
    };
    const at::Tensor later = at::ones({20, 20}, at::kBool).triu(1);
    const at::Tensor weights = at::softmax(
        (at::matmul(heads(0), heads(1).transpose(1, 2)) / std::sqrt(6.0)).masked_fill(later, -INFINITY), -1);
    const at::Tensor readout = at::matmul(weights, heads(2)).transpose(0, 1).reshape({20, 24});
    x = x + at::addmm(of(h + "attn.c_proj.bias"), readout, of(h + "attn.c_proj.weight"));
    const at::Tensor inner =
        at::gelu(at::addmm(of(h + "mlp.c_fc.bias"), norm(x, h + "ln_2"), of(h + "mlp.c_fc.weight")), "tanh");
    x = x + at::addmm(of(h + "mlp.c_proj.bias"), inner, of(h + "mlp.c_proj.weight"));
  }
  const at::Tensor logits = at::mm(norm(x, "ln_f"), of("wte.weight").t()).unsqueeze(0);
  const auto plain = torch::autograd::grad({loss(logits)}, parameters);
  for (size_t i = 0; i < ours.size(); ++i) {
    const float scale = plain[i].abs().max().item<float>();
    EXPECT_LT((ours[i] - plain[i]).abs().max().item<float>(), 2e-5 * scale + 1e-7) << i;
  }
}

} // namespace
} // namespace mneme::nn
