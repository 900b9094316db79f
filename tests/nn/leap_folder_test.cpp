// SPDX-License-Identifier: MIT

#include "mneme/nn/leap_folder.h"

#include <limits>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <torch/torch.h>

#include "core/temporary_folder.h"
#include "mneme/core/error.h"
#include "nn/layers.h"

namespace mneme::nn {
namespace {

using ops::FocusWeight;
using ops::LeapGate;
using testing::read_text;
using testing::TemporaryFolder;
using testing::write_text;

LeapConfig small() {
  return LeapConfig().vocab_size(30).hidden_size(12).num_heads(2).num_layers(3).max_positions(40);
}

at::Tensor ids_of(int64_t count) {
  return at::arange(count).remainder(30).unsqueeze(0);
}

/// A published config.json, with additional fields before the published ones and another field for heads.
std::string published(const std::string& before = "", const std::string& heads = "\"n_head\": 2") {
  return "{" + before + (before.empty() ? "" : ", ") +
         R"("model_type": "LeapForCausalLM", "transformers_version": "4.22.1", "torch_dtype": "float32",
            "vocab_size": 30, "hidden_size": 12, "n_layer": 3, "n_positions": 40, "use_local_att": true,
            "window_sizes": [40, 4, 8], "hidden_dropout_prob": 0.1, "initializer_range": 0.2, )" +
         heads + "}";
}

/// A published config.json with one field changed or added; `value` may contain more fields.
std::string published_with(const std::string& key, const std::string& value) {
  auto json = nlohmann::ordered_json::parse(published());
  json.update(nlohmann::ordered_json::parse("{\"" + key + "\": " + value + "}"));
  return json.dump();
}

TEST(LeapFolder, InfersAMissingConfigurationFromTheShapes) {
  const TemporaryFolder folder;
  LeapForCausalLM model(small());
  write_leap_model(folder / "model", model);
  std::filesystem::remove(folder / "model" / "config.json");
  const std::string error = data_error_of([&] { read_leap_model(folder / "model"); });
  expect_contains(error, {"no config.json in this folder", "window_sizes"});
  // The proposed text, with the number of heads filled in, is the configuration of the model.
  const size_t begin = error.find('{'), end = error.find('}');
  ASSERT_NE(end, std::string::npos) << error;
  std::string proposed = error.substr(begin, end - begin + 1);
  proposed.replace(proposed.find("HEADS"), 5, "2");
  write_text(folder / "model" / "config.json", proposed);
  const at::NoGradGuard no_gradient;
  model->eval();
  EXPECT_TRUE(
      read_leap_model(folder / "model")->forward(ids_of(9)).logits.equal(model->forward(ids_of(9)).logits));
  std::filesystem::create_directory(folder / "empty");
  expect_contains(data_error_of([&] { read_leap_model(folder / "empty"); }),
                  {"there is no config.json in this folder", "such as model.safetensors"});
  std::filesystem::create_directory(folder / "shards");
  write_text(folder / "shards" / "config.json", proposed);
  write_text(folder / "shards" / "model-00001-of-00004.safetensors", "");
  expect_contains(
      data_error_of([&] { read_leap_model(folder / "shards"); }),
      {"in shards, such as model-00001-of-00004.safetensors", "Copy model.safetensors.index.json"});
  std::filesystem::create_symlink("loop", folder / "loop");
  expect_contains(data_error_of([&] { read_leap_model(folder / "loop" / "model"); }),
                  {"loop/model: cannot be read: Too many levels of symbolic links"});
}

TEST(LeapFolder, RoundTripPreservesModel) {
  for (const LeapConfig& config :
       {small(), small().windows(std::vector<int64_t>{5, 0, 3}).dropout(0.25).initial_std(0.3),
        small().local_windows(false).gate(LeapGate::open).padding_counts(false),
        small().weight(FocusWeight::exponential).rescale(10).positions(LeapPositions::rotary),
        small().weight(FocusWeight::exponential).gate(LeapGate::cosine).positions(LeapPositions::decay),
        small().rescale(4).gate(LeapGate::dot_product).positions(LeapPositions::none)}) {
    const TemporaryFolder folder;
    LeapForCausalLM model(config);
    write_leap_model(folder / "model", model);
    LeapForCausalLM loaded = read_leap_model(folder / "model");
    EXPECT_EQ(to_json(loaded->config), read_text(folder / "model" / "config.json"));
    EXPECT_FALSE(loaded->is_training());
    model->eval();
    EXPECT_TRUE(loaded->forward(ids_of(40)).logits.equal(model->forward(ids_of(40)).logits))
        << to_json(config);
  }
}

TEST(LeapFolder, ReadsConfigurationsOfAllReleases) {
  const LeapConfig last = leap_config_from(published(), "here");
  EXPECT_EQ(last.num_heads(), 2);
  EXPECT_EQ(last.layer_windows(), (std::vector<int64_t>{0, 4, 8}));
  EXPECT_EQ(last.weight(), FocusWeight::elu);
  EXPECT_EQ(last.initial_std(), 0.2);
  const LeapConfig first = leap_config_from(published("\"rescale\": 10", "\"n_heads\": 2"), "here");
  EXPECT_EQ(first.num_heads(), 2);
  EXPECT_EQ(first.weight(), FocusWeight::exponential);
  EXPECT_EQ(first.rescale(), 10);
  const LeapConfig plain = leap_config_from(published("\"rescale\": null"), "here");
  EXPECT_EQ(plain.weight(), FocusWeight::exponential);
  EXPECT_FALSE(plain.rescale().has_value());
  const LeapConfig all = leap_config_from(
      R"({"vocab_size": 5, "hidden_size": 4, "n_head": 1, "n_layer": 2, "n_positions": 8,
          "use_local_att": false, "window_sizes": [8, 8]})",
      "here");
  EXPECT_EQ(all.layer_windows(), (std::vector<int64_t>{0, 0}));
}

TEST(LeapFolder, RejectsInvalidConfigurations) {
  const auto error = [](const std::string& json) {
    return data_error_of([&] { leap_config_from(json, "config.json"); });
  };
  const auto with = [&](const std::string& key, const std::string& value) {
    return error(published_with(key, value));
  };
  expect_contains(error("[1, 2"), {"config.json", "invalid JSON"});
  expect_contains(error("[]"), {"not a JSON object"});
  expect_contains(error(R"({"n_head": 2, "n_head": 4})"), {"\"n_head\" occurs twice"});
  expect_contains(error("{}"), {"\"vocab_size\" is missing"});
  expect_contains(with("vocab_size", "2.5"), {"\"vocab_size\" is 2.5", "whole number from 1"});
  expect_contains(with("vocab_size", "0"), {"is 0"});
  expect_contains(with("n_layer", "18446744073709551615"), {"18446744073709551615", "1099511627776"});
  expect_contains(with("n_layer", "1e300"), {"\"n_layer\" is 1e+300"});
  expect_contains(with("hidden_size", "\"256\""), {"\"hidden_size\" is \"256\""});
  expect_contains(with("hidden_size", "13"), {"13", "not divisible by 2 heads"});
  expect_contains(with("n_heads", "2"), {"\"n_head\" and \"n_heads\""});
  expect_contains(with("window_sizes", "[4, 8]"), {"lists 2 windows", "\"n_layer\" is 3"});
  expect_contains(with("window_sizes", "[4, -1, 8]"), {"\"window_sizes\"[1] is -1", "from 0"});
  expect_contains(with("window_sizes", "4"), {"\"window_sizes\" is 4", "a list"});
  expect_contains(with("use_local_att", "1"), {"\"use_local_att\" is 1", "true or false"});
  expect_contains(with("hidden_dropout_prob", "null"), {"\"hidden_dropout_prob\" is null", "a number"});
  expect_contains(with("rescale", "\"ten\""), {"\"rescale\" is \"ten\""});
  expect_contains(with("weight", "\"softmax\""), {"\"softmax\"", "\"elu\", \"exponential\""});
  expect_contains(with("gate", "3"), {"\"gate\" is 3", "\"dot_product\""});
  expect_contains(with("positions", "\"alibi\""), {"\"learned\", \"rotary\", \"decay\", \"none\""});
  expect_contains(with("model_type", "\"gpt2\""), {"\"gpt2\"", "\"LeapForCausalLM\""});
  expect_contains(with("window_size", "4"), {"no such field as \"window_size\"", "\"window_sizes\""});
  expect_contains(with("num_layer", "4"), {"no such field as \"num_layer\"", "\"n_layer\""});
  // Values that LEAP does not support.
  expect_contains(with("tie_word_embeddings", "false"), {"\"tie_word_embeddings\" is false", "only true"});
  expect_contains(with("hidden_act", "\"relu\""), {"\"hidden_act\" is \"relu\"", "\"gelu\""});
  expect_contains(with("layer_norm_eps", "1e-12"), {"\"layer_norm_eps\" is 1e-12", "1e-05"});
  expect_contains(with("n_inner", "4"), {"\"n_inner\" is 4", "only 48"});
  expect_contains(with("quantization_config", "{\"bits\": 4}"), {"\"quantization_config\"", "only null"});
  expect_contains(with("pruned_heads", "{\"0\": [1]}"), {"\"pruned_heads\"", "only {}"});
  expect_contains(with("is_encoder_decoder", "true"), {"\"is_encoder_decoder\" is true"});
  expect_contains(with("num_hidden_layers", "4"), {"\"num_hidden_layers\" is 4", "only 3"});
}

TEST(LeapFolder, IgnoresFieldsOfTransformersAndReportsUnknownFields) {
  std::string json = published();
  json.insert(json.size() - 1,
              R"(, "use_cache": true, "architectures": ["LeapForCausalLM"], "id2label": {"0": "a"},
    "attn_implementation": "eager", "tokenizer_class": "T5Tokenizer", "num_beams": 1, "pruned_heads": {},
    "tie_word_embeddings": true, "is_encoder_decoder": false, "layer_norm_eps": 1e-5, "hidden_act": "gelu",
    "n_inner": null, "intermediate_size": 48, "max_position_embeddings": 40, "quantization_config": null)");
  std::vector<std::string> notes;
  leap_config_from(json, "config.json", &notes);
  EXPECT_TRUE(notes.empty()) << notes[0];
  json.insert(json.size() - 1, R"(, "experiment": "third", "\u001b[2J": 4)");
  leap_config_from(json, "config.json", &notes);
  ASSERT_EQ(notes.size(), 2U);
  EXPECT_EQ(notes[0], "config.json: the field \"experiment\" is not known and was ignored");
  expect_contains(notes[1], {"\"\\u001b[2J\""}); // control characters are escaped
  EXPECT_NO_THROW(leap_config_from(json, "config.json"));
}

TEST(LeapFolder, RejectsInvalidFolders) {
  const TemporaryFolder folder;
  const auto error = [&] { return data_error_of([&] { read_leap_model(folder.path()); }); };
  expect_contains(error(), {"no config.json in this folder"});
  write_text(folder / "lonely.pt", "nothing");
  expect_contains(data_error_of([&] { read_leap_model(folder / "lonely.pt"); }),
                  {"lonely.pt", "no config.json next to this file"});
  expect_contains(data_error_of([&] { read_leap_model(folder / "none"); }),
                  {"none", "no such folder or file"});
  write_text(folder / "config.json", published());
  expect_contains(error(), {"no parameters", "model.safetensors"});
  write_text(folder / "model.pt", "nothing");
  expect_contains(error(), {"model.pt"});

  LeapForCausalLM model(small().windows(std::vector<int64_t>{0, 4, 8}));
  write_leap_model(folder.path(), model);
  const auto with_config = [&](const std::string& key, const std::string& value) {
    write_text(folder / "config.json", published_with(key, value));
    return error();
  };
  // No memory is allocated for the sizes in a configuration before they are compared with the parameters.
  expect_contains(with_config("vocab_size", "1099511627776"),
                  {"model.safetensors", "describes a model of 1.3"});
  expect_contains(with_config("hidden_size", "1099511627776"), {"describes a model"});
  expect_contains(with_config("n_layer", "1099511627776, \"window_sizes\": null"), {"describes a model"});
  expect_contains(with_config("n_layer", "2, \"window_sizes\": null"), {"leap_model.decoders.2"});
  expect_contains(with_config("vocab_size", "29"), {"word_embedding.weight", "[30, 12]", "[29, 12]"});
  expect_contains(with_config("hidden_dropout_prob", "1.5"), {"config.json", "1.5"});
  expect_contains(with_config("rescale", "-1"), {"config.json", "rescale is -1"});

  write_text(folder / "config.json", published());
  EXPECT_NO_THROW(read_leap_model(folder.path()));
  NamedTensors state = causal_lm_state(*model);
  state["last_norm.bias"][3] = std::numeric_limits<float>::quiet_NaN();
  write_tensor_file(folder / "model.safetensors", {.tensors = state});
  expect_contains(error(), {"\"last_norm.bias\"", "not finite"});
}

TEST(LeapFolder, ReadsTiedWeightsThatAreSavedOnce) {
  const TemporaryFolder folder;
  LeapForCausalLM model(small());
  write_leap_model(folder.path(), model);
  model->eval();
  NamedTensors state = causal_lm_state(*model);
  for (const char* name : {"word_embedding.weight", "proj_logits.weight"}) {
    NamedTensors once = state;
    once.erase(name);
    const char* kept =
        name == std::string("word_embedding.weight") ? "proj_logits.weight" : "word_embedding.weight";
    write_tensor_file(folder / "model.safetensors", {once, {{name, kept}}});
    EXPECT_TRUE(
        read_leap_model(folder.path())->forward(ids_of(9)).logits.equal(model->forward(ids_of(9)).logits));
  }
}

TEST(LeapFolder, ReadsShards) {
  const TemporaryFolder folder;
  LeapForCausalLM model(small());
  write_leap_model(folder.path(), model);
  model->eval();
  std::filesystem::remove(folder / "model.safetensors");
  std::map<std::string, NamedTensors> shards;
  std::string map;
  for (const auto& [name, tensor] : causal_lm_state(*model)) {
    const std::string shard = shards["model-00001-of-00002.safetensors"].size() < 5
                                  ? "model-00001-of-00002.safetensors"
                                  : "model-00002-of-00002.safetensors";
    shards[shard].emplace(name, tensor);
    map += (map.empty() ? "\"" : ", \"") + name + "\": \"" + shard + "\"";
  }
  ASSERT_EQ(shards.size(), 2U);
  for (const auto& [shard, tensors] : shards) {
    write_tensor_file(folder / shard, {tensors});
  }
  const std::filesystem::path index = folder / "model.safetensors.index.json";
  write_text(index, "{\"weight_map\": {" + map + "}}");
  for (const std::filesystem::path& path : {folder.path(), index}) {
    EXPECT_TRUE(read_leap_model(path)->forward(ids_of(9)).logits.equal(model->forward(ids_of(9)).logits));
  }
  std::filesystem::remove(folder / "model-00002-of-00002.safetensors");
  expect_contains(data_error_of([&] { read_leap_model(folder.path()); }),
                  {"index.json", "\"model-00002-of-00002.safetensors\"", "not next to it"});
}

TEST(LeapFolder, ReadsParametersByKeyAndReportsPrefixes) {
  const TemporaryFolder folder;
  LeapForCausalLM model(small());
  write_leap_model(folder.path(), model);
  model->eval();
  NamedTensors both;
  for (const auto& [name, tensor] : causal_lm_state(*model)) {
    both.emplace("last.module." + name, tensor);
    both.emplace("ema." + name, tensor + 1);
  }
  write_tensor_file(folder / "run.safetensors", {both});
  EXPECT_NO_THROW(read_leap_model(folder / "config.json")); // the model in its folder
  std::vector<std::string> notes;
  EXPECT_TRUE(read_leap_model(folder / "run.safetensors", "last", &notes)
                  ->forward(ids_of(9))
                  .logits.equal(model->forward(ids_of(9)).logits));
  ASSERT_EQ(notes.size(), 1U);
  expect_contains(notes[0], {"run.safetensors: ", "\"module.\""});
  expect_contains(data_error_of([&] { read_leap_model(folder / "run.safetensors"); }),
                  {"run.safetensors", "missing"});
}

TEST(LeapFolder, ExpandedTensorsDoNotAllowHugeModels) {
  const TemporaryFolder folder;
  LeapForCausalLM model(small());
  write_leap_model(folder.path(), model);
  std::filesystem::remove(folder / "model.safetensors");
  std::filesystem::copy(std::filesystem::path(MNEME_SOURCE_DIR) /
                            "tests/fuzz/corpus/torch_file/valid-expanded",
                        folder / "model.pt");
  expect_contains(data_error_of([&] { read_leap_model(folder.path()); }),
                  {"contains 8 numbers", "describes a model of"});
}

TEST(LeapFolder, AcceptsAllNamesOfParameterFiles) {
  const TemporaryFolder folder;
  LeapForCausalLM model(small());
  write_leap_model(folder.path(), model);
  model->eval();
  std::string before = "model.safetensors";
  for (const std::string name : {"pytorch_model.bin", "model.pt"}) {
    std::filesystem::rename(folder / before, folder / name);
    EXPECT_TRUE(
        read_leap_model(folder.path())->forward(ids_of(9)).logits.equal(model->forward(ids_of(9)).logits));
    before = name;
  }
}

} // namespace
} // namespace mneme::nn
