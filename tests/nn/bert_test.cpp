// SPDX-License-Identifier: MIT

#include "mneme/nn/bert_folder.h"

#include <cmath>
#include <functional>

#include <ATen/Functions.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <torch/nn/cloneable.h>

#include "core/temporary_folder.h"
#include "mneme/core/error.h"
#include "mneme/nn/gpt2_folder.h"
#include "ops/tensors.h"

namespace mneme::nn {
namespace {

using testing::expect_contains;
using testing::read_text;
using testing::TemporaryFolder;
using testing::write_text;

const std::filesystem::path kGolden = std::filesystem::path(MNEME_SOURCE_DIR) / "tests" / "golden" / "bert";

at::Tensor ids_of(int64_t count) {
  return (at::arange(count) * 7).remainder(50).unsqueeze(0);
}

/// A golden model with renamed or added tensors, and its config.json with fields changed.
class Folder {
public:
  explicit Folder(const char* name = "bert")
      : tensors(read_tensor_file(kGolden / name / "model.safetensors").tensors),
        config(nlohmann::json::parse(read_text(kGolden / name / "config.json"))) {}

  BertEncoder read() {
    write_text(folder_ / "config.json", config.dump());
    write_tensor_file(folder_ / "model.safetensors", {.tensors = tensors});
    return open();
  }
  /// Two shards and their index.
  void write_shards() {
    write_text(folder_ / "config.json", config.dump());
    NamedTensors shards[2];
    nlohmann::json places;
    for (const auto& [name, tensor] : tensors) {
      const size_t shard = name.size() % 2;
      shards[shard].emplace(name, tensor);
      places[name] = shard_name(shard);
    }
    for (const size_t shard : {0, 1}) {
      write_tensor_file(folder_ / shard_name(shard), {.tensors = shards[shard]});
    }
    write_text(folder_ / "model.safetensors.index.json", nlohmann::json{{"weight_map", places}}.dump());
  }
  BertEncoder open() {
    notes.clear();
    return read_bert_model(folder_.path(), "", &notes);
  }
  static std::string shard_name(size_t shard) {
    return "model-0000" + std::to_string(shard + 1) + "-of-00002.safetensors";
  }
  void rename(const std::function<std::string(const std::string&)>& new_name) {
    NamedTensors renamed;
    for (const auto& [name, tensor] : tensors) {
      renamed.emplace(new_name(name), tensor);
    }
    tensors = renamed;
  }
  std::string error() {
    return ops::data_error_of([&] { read(); });
  }
  std::filesystem::path path() const { return folder_.path(); }

  NamedTensors tensors;
  nlohmann::json config;
  std::vector<std::string> notes;

private:
  TemporaryFolder folder_;
};

at::Tensor last_hidden(BertEncoder model) {
  return model->forward(ids_of(20)).last_hidden_state;
}

TEST(Bert, ReadsTheNamesOfAllPublishedFiles) {
  const at::NoGradGuard no_gradient;
  for (const std::string kind : {"bert", "albert"}) {
    const at::Tensor expected = last_hidden(read_bert_model(kGolden / kind));
    Folder folder(kind.c_str());
    folder.rename([&](const std::string& name) { return kind + "." + name; });
    folder.tensors["cls.predictions.bias"] = at::zeros({50});
    folder.tensors[kind + ".embeddings.position_ids"] = at::arange(20).unsqueeze(0);
    EXPECT_TRUE(last_hidden(folder.read()).equal(expected));
    ASSERT_EQ(folder.notes.size(), 2U);
    expect_contains(folder.notes[0], {"embeddings.position_ids", "ignored"});
    expect_contains(folder.notes[1], {"outside the encoder", "cls, pooler"});

    folder.rename([](const std::string& name) { return "module." + name; });
    EXPECT_TRUE(last_hidden(folder.read()).equal(expected));
    expect_contains(folder.notes.at(0), {"module."});
  }
  const at::Tensor expected = last_hidden(read_bert_model(kGolden / "bert"));
  Folder converted; // from a checkpoint of TensorFlow
  converted.rename([](const std::string& name) {
    const size_t norm = name.find("LayerNorm.");
    return norm == std::string::npos
               ? name
               : name.substr(0, norm) + (name.ends_with("weight") ? "LayerNorm.gamma" : "LayerNorm.beta");
  });
  EXPECT_TRUE(last_hidden(converted.read()).equal(expected));
  Folder sharded;
  sharded.write_shards();
  EXPECT_TRUE(last_hidden(sharded.open()).equal(expected));
}

TEST(Bert, RefusesFilesThatDoNotFit) {
  {
    Folder folder;
    folder.tensors["bert.embeddings.LayerNorm.bias"] = folder.tensors.at("embeddings.LayerNorm.bias");
    expect_contains(folder.error(),
                    {"both \"embeddings.LayerNorm.bias\" and \"bert.embeddings.LayerNorm.bias\""});
  }
  {
    Folder folder("albert");
    const std::string name = "encoder.albert_layer_groups.0.albert_layers.0.ffn.weight";
    folder.tensors[name] = folder.tensors.at(name).t().contiguous();
    expect_contains(folder.error(), {name, "[24, 40]", "[40, 24]"});
  }
  {
    Folder folder;
    folder.tensors.erase("encoder.layer.1.output.dense.bias");
    folder.tensors["encoder.layer.0.extra"] = at::zeros({24});
    expect_contains(folder.error(),
                    {"missing: encoder.layer.1.output.dense.bias", "unexpected: encoder.layer.0.extra"});
  }
  {
    Folder folder;
    folder.config["num_hidden_layers"] = int64_t{1} << 40;
    expect_contains(folder.error(), {"config.json describes a model"});
  }
  {
    Folder folder("albert"); // shared layers need no parameters
    folder.config["num_hidden_layers"] = int64_t{1} << 40;
    expect_contains(folder.error(), {"config.json", "1099511627776 layers, more than 4096"});
  }
  {
    Folder folder;
    folder.tensors.at("embeddings.word_embeddings.weight")[3][1] = NAN;
    expect_contains(folder.error(), {"embeddings.word_embeddings.weight", "not finite"});
  }
  {
    Folder folder;
    folder.write_shards();
    std::filesystem::remove(folder.path() / Folder::shard_name(1));
    expect_contains(ops::data_error_of([&] { folder.open(); }), {Folder::shard_name(1)});
  }
  {
    Folder folder;
    folder.read();
    const std::filesystem::path file = folder.path() / "model.safetensors";
    std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
    expect_contains(ops::data_error_of([&] { folder.open(); }), {"model.safetensors"});
  }
}

TEST(Bert, HonoursRefusesOrNotesEachFieldOfTheConfiguration) {
  const std::vector<std::pair<nlohmann::json, std::vector<std::string>>> refused = {
      {{{"model_type", "roberta"}}, {"model_type", "roberta", "\"bert\", \"albert\""}},
      {{{"model_type", nullptr}}, {"model_type"}},
      {{{"position_embedding_type", "relative_key"}}, {"position_embedding_type", "absolute"}},
      {{{"hidden_act", "laplace"}}, {"hidden_act", "gelu_new"}},
      {{{"is_decoder", true}}, {"is_decoder"}},
      {{{"add_cross_attention", true}}, {"add_cross_attention"}},
      {{{"pruned_heads", {{"0", {1}}}}}, {"pruned_heads"}},
      {{{"embedding_size", 16}}, {"embedding_size"}},
      {{{"num_attention_heads", 5}}, {"hidden_size", "24", "5 heads"}},
      {{{"layer_norm_eps", -1}}, {"norm_epsilon"}},
      {{{"type_vocab_size", 0}}, {"type_vocab_size"}},
      {{{"hiden_act", "relu"}}, {"hiden_act", "hidden_act"}}};
  for (const auto& [change, parts] : refused) {
    Folder folder;
    folder.config.update(change);
    expect_contains(folder.error(), parts);
  }
  for (const char* type : {"bert", "albert"}) { // releases of transformers before 2020
    Folder folder(type);
    folder.config.erase("model_type");
    folder.read();
    folder.config["type_vocab_size"] = 1; // RoBERTa
    expect_contains(folder.error(), {"\"model_type\" is missing", "\"bert\" or \"albert\""});
  }
  Folder folder;
  folder.config["an_unusual_option"] = 1;
  folder.config["hidden_dropout_prob"] = 0.3;
  folder.config["pooler_type"] = "first_token_transform";
  folder.config["position_embedding_type"] = "absolute";
  folder.read();
  ASSERT_EQ(folder.notes.size(), 2U); // and the pooler
  expect_contains(folder.notes[0], {"an_unusual_option", "not known"});

  Folder groups("albert");
  groups.config["num_hidden_groups"] = 5;
  expect_contains(ops::data_error_of([&] { groups.read(); }), {"config.json"});
}

TEST(Bert, RefusesInputsThatDoNotFit) {
  BertEncoder model = read_bert_model(kGolden / "bert");
  const auto error = [&](const at::Tensor& ids, const BertCall& call = {}) {
    return ops::usage_error_of([&] { model->forward(ids, call); });
  };
  expect_contains(error(ids_of(21)), {"21 tokens", "20 learned positions"});
  expect_contains(error(at::full({1, 2}, 50, at::kLong)), {"50 words"});
  expect_contains(error(at::zeros({1, 0}, at::kLong)), {"no token"});
  expect_contains(error(ids_of(4), {.token_types = at::full({1, 4}, 3, at::kLong)}), {"token types", "3"});
  expect_contains(error(ids_of(4), {.token_types = at::zeros({1, 3}, at::kLong)}), {"[1, 3]", "[1, 4]"});
  expect_contains(error(ids_of(4), {.key_padding_mask = at::ones({1, 4}, at::kLong)}),
                  {"key_padding_mask", "Bool"});
}

TEST(Bert, ObservesEachLayerWithoutChangingTheResult) {
  const at::NoGradGuard no_gradient;
  BertEncoder model = read_bert_model(kGolden / "albert");
  std::vector<int64_t> layers;
  const AttentionObserver observer = [&](const AttentionView& attention) {
    layers.push_back(attention.layer);
    EXPECT_FALSE(attention.causal);
    EXPECT_EQ(attention.query.sizes(), (std::vector<int64_t>{1, 4, 20, 6}));
  };
  EXPECT_TRUE(model->forward(ids_of(20), {.observer = observer}).last_hidden_state.equal(last_hidden(model)));
  EXPECT_EQ(layers, (std::vector<int64_t>{0, 1, 2, 3}));
}

TEST(Bert, TokensThatAreIgnoredDoNotChangeOthers) {
  const at::NoGradGuard no_gradient;
  BertEncoder model = read_bert_model(kGolden / "bert");
  const at::Tensor text = ids_of(9), padded = at::cat({text, at::zeros({1, 4}, at::kLong)}, 1);
  const at::Tensor mask = at::arange(13).ge(9).unsqueeze(0);
  const at::Tensor expected = model->forward(text).last_hidden_state,
                   actual = model->forward(padded, {.key_padding_mask = mask}).last_hidden_state;
  EXPECT_LT((actual.slice(1, 0, 9) - expected).abs().max().item<float>(), 1e-5);
}

TEST(Gpt2, ReadsShards) {
  const at::NoGradGuard no_gradient;
  const std::filesystem::path golden = kGolden.parent_path() / "gpt2" / "tied";
  const TensorFile file = read_tensor_file(golden / "model.safetensors");
  const TemporaryFolder folder;
  nlohmann::json places;
  for (const auto& [name, tensor] : file.tensors) {
    const std::string shard = name.ends_with("bias") ? "biases.safetensors" : "weights.safetensors";
    places[name] = shard;
  }
  for (const std::string kind : {"bias", "weight"}) {
    NamedTensors shard;
    for (const auto& [name, tensor] : file.tensors) {
      if (name.ends_with(kind)) {
        shard.emplace(name, tensor);
      }
    }
    write_tensor_file(folder / (kind == "bias" ? "biases.safetensors" : "weights.safetensors"),
                      {.tensors = shard});
  }
  write_text(folder / "config.json", read_text(golden / "config.json"));
  write_text(folder / "model.safetensors.index.json", nlohmann::json{{"weight_map", places}}.dump());
  EXPECT_TRUE(read_gpt2_model(folder.path())
                  ->forward(ids_of(20))
                  .equal(read_gpt2_model(golden)->forward(ids_of(20))));
}

/// A module of which an encoder is a part.
class WithEncoderImpl : public torch::nn::Cloneable<WithEncoderImpl> {
public:
  explicit WithEncoderImpl(BertConfig config_) : config(std::move(config_)) { reset(); }
  void reset() override { encoder = register_module("encoder", BertEncoder(config)); }

  BertConfig config;
  BertEncoder encoder{nullptr};
};

TEST(Bert, ClonesHaveParametersOfTheirOwn) {
  const at::NoGradGuard no_gradient;
  for (const char* name : {"bert", "albert"}) {
    BertEncoder model = read_bert_model(kGolden / name);
    model->to(at::kDouble);
    const at::Tensor expected = model->forward(ids_of(9)).last_hidden_state;
    WithEncoderImpl parent(model->config);
    parent.encoder = parent.replace_module("encoder", model);
    const auto copy = std::static_pointer_cast<BertEncoderImpl>(model->clone());
    const auto copied_parent = std::static_pointer_cast<WithEncoderImpl>(parent.clone());
    EXPECT_FALSE(copy->is_training());
    for (at::Tensor& parameter : model->parameters()) {
      parameter.zero_();
    }
    EXPECT_TRUE(copy->forward(ids_of(9)).last_hidden_state.equal(expected)) << name;
    EXPECT_TRUE(copied_parent->encoder->forward(ids_of(9)).last_hidden_state.equal(expected)) << name;
  }
}

} // namespace
} // namespace mneme::nn
