// SPDX-License-Identifier: MIT

#include "mneme/nn/state_dict.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include "core/temporary_folder.h"
#include "mneme/data/safetensors.h"
#include "nn/layers.h"

namespace mneme::nn {
namespace {

using mneme::testing::TemporaryFolder;

TEST(StateDict, RoundTripsThroughAFile) {
  const TemporaryFolder folder;
  const HopfieldOptions options = HopfieldOptions(6).num_heads(2);
  Hopfield one = hopfield(options, 1), other = hopfield(options, 99);
  write_tensor_file(folder.path() / "layer.safetensors", {state_dict(*one), {{"made with", "a test"}}});
  const TensorFile file = read_tensor_file(folder.path() / "layer.safetensors");
  EXPECT_EQ(file.texts.at("made with"), "a test");
  load_state_dict(*other, file.tensors, "layer.safetensors");
  const at::Tensor input = random_tensor({2, 3, 6}, 5);
  EXPECT_EQ(max_abs_difference(one->forward(input), other->forward(input)), 0);
}

TEST(StateDict, TakesTensorsThatNothingElseRefersTo) {
  const std::string name = "norm_state_pattern.bias";
  const auto data = [&](Hopfield& layer) { return layer->named_parameters()[name].data_ptr(); };
  Hopfield layer = hopfield(HopfieldOptions(6));
  const at::Tensor parameter = layer->named_parameters()[name];
  NamedTensors state = state_dict(*hopfield(HopfieldOptions(6), 7));
  state[name].fill_(0.25);
  const void* loaded = state.at(name).data_ptr();
  load_state_dict(*layer, std::move(state), "file");
  EXPECT_EQ(data(layer), loaded);                  // no copy
  EXPECT_EQ(parameter.min().item<double>(), 0.25); // the parameter is still the same one
  EXPECT_TRUE(parameter.requires_grad());

  state = state_dict(*hopfield(HopfieldOptions(6), 8));
  const at::Tensor kept = state.at(name); // of the caller
  const at::Tensor pair = at::full({12}, 0.5);
  load_state_dict(*layer, state, "file");
  EXPECT_NE(data(layer), kept.data_ptr());
  state[name] = pair.slice(0, 0, 6); // shares its memory
  load_state_dict(*layer, std::move(state), "file");
  EXPECT_EQ(parameter.min().item<double>(), 0.5);
  pair.zero_();
  EXPECT_EQ(parameter.min().item<double>(), 0.5);
}

TEST(StateDict, KeepsTheTypeOfTheModule) {
  Hopfield layer(HopfieldOptions(6));
  load_state_dict(*layer, state_dict(*hopfield(HopfieldOptions(6))), "here");
  EXPECT_EQ(layer->parameters()[0].scalar_type(), at::kFloat);
}

TEST(StateDict, ListsAllMismatchesAndLeavesTheModuleUnchanged) {
  Hopfield layer = hopfield(HopfieldOptions(6));
  const NamedTensors before = state_dict(*layer);
  NamedTensors state = state_dict(*hopfield(HopfieldOptions(6), 7));
  state.erase("norm_state_pattern.bias");
  state["association_core.out_proj.weight"] = at::zeros({6, 5});
  state["extra"] = at::zeros({2});
  expect_contains(data_error_of([&] { load_state_dict(*layer, state, "file"); }),
                  {"file: ", "missing: norm_state_pattern.bias of shape [6]",
                   "of another shape: association_core.out_proj.weight is [6, 5], expected [6, 6]",
                   "unexpected: extra of shape [2]", "options", "correct the config.json of a model folder"});
  for (const auto& [name, tensor] : state_dict(*layer)) {
    EXPECT_EQ(max_abs_difference(tensor, before.at(name)), 0) << name;
  }
}

TEST(StateDict, RemovesPrefixesOfWrappers) {
  Hopfield layer = hopfield(HopfieldOptions(6), 7);
  const NamedTensors state = state_dict(*layer);
  const auto loaded = [&](const std::vector<std::pair<std::string, std::string>>& changes) {
    NamedTensors renamed;
    for (const auto& [name, tensor] : state) {
      std::string changed = name;
      for (const auto& [before, prefix] : changes) { // inserts the prefix before the first `before`
        const size_t at = before.empty() ? 0 : changed.find(before);
        changed.insert(at == std::string::npos ? 0 : at, at == std::string::npos ? "" : prefix);
      }
      renamed.emplace(changed, tensor);
    }
    Hopfield other = hopfield(HopfieldOptions(6), 99);
    std::string notes;
    for (const std::string& note : load_state_dict(*other, renamed, "file")) {
      notes += note + "; ";
    }
    for (const auto& [name, tensor] : state_dict(*other)) {
      EXPECT_TRUE(tensor.equal(state.at(name))) << name;
    }
    return notes;
  };
  EXPECT_EQ(loaded({}), "");
  EXPECT_EQ(loaded({{"", "module."}}), "\"module.\" is removed from the names of its tensors; ");
  expect_contains(loaded({{"", "_orig_mod."}}), {"\"_orig_mod.\""});
  expect_contains(loaded({{"", "_orig_mod."}, {"", "module."}}), {"\"_orig_mod.\"", "\"module.\""});
  expect_contains(loaded({{"out_proj", "_orig_mod."}}), {"\"_orig_mod.\""}); // only some
  expect_contains(loaded({{"", "model."}, {"", "module."}}), {"\"module.\"", "\"model.\""});
  expect_contains(loaded({{"", "net.encoder."}}), {"\"net.encoder.\""});

  NamedTensors wrong;
  for (const auto& [name, tensor] : state) {
    wrong.emplace("module." + name, tensor);
  }
  wrong.erase("module.norm_state_pattern.bias");
  const std::string message = data_error_of([&] { load_state_dict(*layer, wrong, "file"); });
  expect_contains(message, {"missing: norm_state_pattern.bias", "(\"module.\" is removed"});
  EXPECT_EQ(message.find("unexpected"), std::string::npos);
}

TEST(StateDict, KeepsPrefixesThatTheModuleHasItself) {
  torch::nn::Sequential inner(torch::nn::Linear(2, 2));
  struct Wrapped : torch::nn::Module {};
  Wrapped module;
  module.register_module("module", torch::nn::Linear(2, 2));
  NamedTensors state = state_dict(module);
  EXPECT_TRUE(load_state_dict(module, state, "file").empty());
  expect_contains(data_error_of([&] {
                    load_state_dict(*inner, {{"1.weight", at::ones({2, 2})}}, "file");
                  }),
                  {"missing: 0.bias", "unexpected: 1.weight"});
  // Two names that would become equal.
  torch::nn::Linear layer(2, 2);
  expect_contains(
      data_error_of([&] {
        load_state_dict(*layer, {{"weight", at::ones({2, 2})}, {"module.weight", at::ones({2, 2})}}, "file");
      }),
      {"missing: bias", "unexpected: module.weight"});
}

TEST(StateDict, LongListsAreTruncatedWithACount) {
  Hopfield layer = hopfield(HopfieldOptions(6));
  NamedTensors state;
  for (int i = 0; i < 44; ++i) {
    state[c10::str("name", i)] = at::zeros({1});
  }
  const std::string message = data_error_of([&] { load_state_dict(*layer, state, "file"); });
  expect_contains(message, {"unexpected: name0 of shape [1]", "and 38 more unexpected"});
  EXPECT_LE(std::ranges::count(message, '\n'), 16);
}

TEST(StateDict, RejectsIntegersForFloatingPoint) {
  torch::nn::Linear layer(torch::nn::LinearOptions(2, 2).bias(false));
  expect_contains(data_error_of([&] {
                    load_state_dict(*layer, {{"weight", at::ones({2, 2}, at::kChar)}}, "file");
                  }),
                  {"of another type: weight is Char, expected Float"});
}

TEST(StateDict, AcceptsATiedTensorUnderASecondName) {
  torch::nn::Linear layer(torch::nn::LinearOptions(2, 2).bias(false));
  const at::Tensor weight = at::ones({2, 2});
  load_state_dict(*layer, {{"weight", weight}, {"again", weight.view({2, 2})}}, "file");
  EXPECT_TRUE(layer->weight.equal(weight));
  expect_contains(data_error_of([&] {
                    load_state_dict(*layer, {{"weight", weight}, {"other", weight.t()[0]}}, "file");
                  }),
                  {"unexpected: other"});
}

TEST(TensorFile, ReadsFilesOfTorchSave) {
  const std::filesystem::path folder = std::filesystem::path(MNEME_SOURCE_DIR) / "tests/golden/torch_file";
  const NamedTensors saved = read_tensor_file(folder / "state_dict.pt").tensors,
                     expected = read_tensor_file(folder / "state_dict.safetensors").tensors;
  ASSERT_EQ(saved.size(), expected.size());
  for (const auto& [name, tensor] : expected) {
    EXPECT_EQ(saved.at(name).scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(at::equal(saved.at(name), tensor)) << name;
  }
  torch::nn::Linear layer(torch::nn::LinearOptions(4, 3).bias(false));
  expect_contains(data_error_of([&] { load_state_dict(*layer, saved, "state_dict.pt"); }),
                  {"state_dict.pt: ", "unexpected: bfloat of shape [2]", "and 5 more unexpected"});
  load_state_dict(*layer, {{"weight", saved.at("weight")}}, "state_dict.pt");
  EXPECT_TRUE(at::equal(layer->weight, expected.at("weight")));
}

const std::filesystem::path kGolden = std::filesystem::path(MNEME_SOURCE_DIR) / "tests/golden/torch_file";

void expect_same_tensors(const NamedTensors& found, const NamedTensors& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (const auto& [name, tensor] : expected) {
    ASSERT_TRUE(found.contains(name)) << name;
    ASSERT_EQ(found.at(name).scalar_type(), tensor.scalar_type()) << name;
    ASSERT_EQ(found.at(name).sizes(), tensor.sizes()) << name;
    const auto bytes = [](const at::Tensor& t) { return t.contiguous().view(at::kByte); };
    EXPECT_TRUE(tensor.dim() == 0 || at::equal(bytes(found.at(name)), bytes(tensor))) << name;
  }
}

TEST(TensorFile, ReadsNegatedExpandedAndWrappedTensors) {
  const NamedTensors found = read_tensor_file(kGolden / "accepted.pt").tensors;
  expect_same_tensors(found, read_tensor_file(kGolden / "accepted.safetensors").tensors);
  EXPECT_EQ(found.at("negated")[1][2].item<float>(), -5);
  EXPECT_EQ(found.at("imaginary part of a conjugate")[0][0].item<float>(), -1);
  EXPECT_EQ(found.at("expanded")[1][4].item<float>(), 2);
}

TEST(TensorFile, ReadsTheFormatBeforePyTorch16) {
  expect_same_tensors(read_tensor_file(kGolden / "before_1_6.pt").tensors,
                      read_tensor_file(kGolden / "state_dict.safetensors").tensors);
}

TEST(TensorFile, ReadsTensorsOfACheckpointByKey) {
  const TensorFile only = read_tensor_file(kGolden / "checkpoint.pt");
  EXPECT_EQ(only.tensors.size(), 2U);
  ASSERT_EQ(only.notes.size(), 1U);
  expect_contains(only.notes[0], {"\"model\"", "\"epoch\" (a numpy scalar)", "\"optimizer\" (a dict)"});
  const NamedTensors last = read_tensor_file(kGolden / "averaged.pt", "model.last").tensors,
                     average = read_tensor_file(kGolden / "averaged.pt", "model.ema").tensors;
  EXPECT_TRUE(average.at("weight").equal(last.at("weight") / 2));
  expect_contains(data_error_of([&] { read_tensor_file(kGolden / "averaged.pt"); }),
                  {"averaged.pt", "2 dicts", "\"model.ema\""});
}

TEST(TensorFile, ReadsTensorsOfSafetensorsByPrefix) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "a.safetensors";
  write_tensor_file(
      path, {{{"model.w", at::ones({2})}, {"model.b.c", at::zeros({1})}, {"modelx", at::zeros({3})}}});
  const NamedTensors found = read_tensor_file(path, "model").tensors;
  ASSERT_EQ(found.size(), 2U);
  EXPECT_TRUE(found.at("w").equal(at::ones({2})));
  EXPECT_TRUE(found.contains("b.c"));
  EXPECT_EQ(read_tensor_file(path, ".").tensors.size(), 3U);
  expect_contains(data_error_of([&] { read_tensor_file(path, "ema"); }),
                  {"a.safetensors", "no name begins with \"ema.\"", "\"model.b.c\""});
}

TEST(TensorFile, ReadsTiedTensorsOfSaveModelUnderAllNames) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "model.safetensors";
  write_tensor_file(path, {{{"b", at::ones({2})}, {"c", at::zeros({1})}},
                           {{"a", "b"}, {"c", "b"}, {"format", "pt"}, {"d", "none"}}});
  const TensorFile file = read_tensor_file(path);
  ASSERT_EQ(file.tensors.size(), 3U);
  EXPECT_TRUE(file.tensors.at("a").is_alias_of(file.tensors.at("b")));
  EXPECT_EQ(file.tensors.at("c").numel(), 1); // not tied: it has its own tensor
  EXPECT_EQ(file.texts.size(), 4U);
}

TEST(TensorFile, ReadsTheShardsOfAnIndex) {
  const TemporaryFolder folder;
  const auto index = [&](const std::string& map) {
    const std::filesystem::path path = folder.path() / "model.safetensors.index.json";
    std::ofstream(path) << "{\"metadata\": {}, \"weight_map\": {" << map << "}}";
    return path;
  };
  write_tensor_file(folder.path() / "one", {{{"a", at::ones({2})}, {"extra", at::ones({1})}}});
  write_tensor_file(folder.path() / "two", {{{"b.c", at::zeros({3})}}});
  const std::filesystem::path path = index(R"("a": "one", "b.c": "two")");
  const TensorFile file = read_tensor_file(path);
  ASSERT_EQ(file.tensors.size(), 3U);
  EXPECT_TRUE(file.tensors.at("a").equal(at::ones({2})));
  EXPECT_TRUE(file.tensors.at("b.c").equal(at::zeros({3})));
  ASSERT_EQ(file.notes.size(), 1U);
  expect_contains(file.notes[0], {"\"extra\"", "\"one\"", "not in the index"});
  EXPECT_EQ(read_tensor_file(path, "b").tensors.size(), 1U);

  const auto error = [&](const std::string& map) {
    return data_error_of([&] { read_tensor_file(index(map)); });
  };
  expect_contains(error(R"("a": "one", "b.c": "three")"),
                  {"index.json", "shard \"three\" with 1", "next to it"});
  expect_contains(error(R"("a": "one", "b": "two")"), {"tensor \"b\" is not in the shard \"two\""});
  expect_contains(error(R"("a": "../one")"), {"\"../one\"", "in the folder of the index"});
  write_tensor_file(folder.path() / "two", {{{"b.c", at::zeros({3})}, {"a", at::ones({2})}}});
  expect_contains(error(R"("a": "one", "b.c": "two")"),
                  {"tensor \"a\" is in the shard \"two\" and in an earlier one"});
}

TEST(TensorFile, ReportsWhyATorchFileIsNotRead) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "a.pt") << std::string("\x80\x04]\x94(K\x01K\x02K\x03", 11) << "e.";
  expect_contains(data_error_of([&] { read_tensor_file(folder.path() / "a.pt"); }),
                  {"a Python pickle that was not written by torch.save"});
  expect_contains(data_error_of([&] { read_tensor_file(kGolden / "module.pt"); }), {"a complete module"});
  expect_contains(data_error_of([&] { read_tensor_file(kGolden / "refused.pt"); }),
                  {"\"sparse\" is a sparse tensor"});
}

TEST(TensorFile, RoundTripsBitForBitInEveryType) {
  const TemporaryFolder folder;
  TensorFile before;
  for (const at::ScalarType type : {at::kBool, at::kByte, at::kChar, at::kShort, at::kInt, at::kLong,
                                    at::kHalf, at::kBFloat16, at::kFloat, at::kDouble}) {
    before.tensors[c10::str(type)] = (10 * random_tensor({3, 4}, 2)).to(type).t();
  }
  before.tensors["none"] = at::empty({0, 4});
  write_tensor_file(folder.path() / "a", before);
  const TensorFile after = read_tensor_file(folder.path() / "a");
  ASSERT_EQ(after.tensors.size(), before.tensors.size());
  for (const auto& [name, tensor] : before.tensors) {
    EXPECT_EQ(after.tensors.at(name).scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(after.tensors.at(name).equal(tensor)) << name;
  }
}

TEST(TensorFile, MapsSafetensorsWithoutChangingThem) {
  const TemporaryFolder folder;
  const at::Tensor numbers = random_tensor({4, 16}, 3).to(at::kFloat),
                   halves = random_tensor({7}, 4).to(at::kHalf);
  write_tensor_file(folder / "a", {.tensors = {{"a", numbers}, {"b", halves}, {"c", numbers + 1}}});
  {
    const TensorFile file = read_tensor_file(folder / "a");
    for (const auto& [name, tensor] : file.tensors) { // c begins in a cache line and is copied
      EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.data_ptr()) % data::kSafetensorsAlignment, 0) << name;
    }
    file.tensors.at("a").zero_();
    EXPECT_TRUE(read_tensor_file(folder / "a").tensors.at("a").equal(numbers));
    write_tensor_file(folder / "a", {.tensors = {{"b", numbers * 2}}}); // a new file under the old name
    EXPECT_TRUE(file.tensors.at("b").equal(halves));
    EXPECT_TRUE(file.tensors.at("c").equal(numbers + 1));
  }
  EXPECT_TRUE(read_tensor_file(folder / "a").tensors.at("b").equal(numbers * 2));
}

TEST(TensorFile, MapsAllSafetensorsThatBeginAtTheirElements) {
  const TemporaryFolder folder;
  const at::Tensor bytes = at::arange(10, at::kByte), halves = random_tensor({7}, 4).to(at::kHalf),
                   numbers = random_tensor({4, 16}, 3).to(at::kFloat);
  write_tensor_file(folder / "a", {.tensors = {{"a", bytes}, {"b", halves}, {"c", numbers}, {"d", bytes}}});
  const auto begin_of = [&](const char* name, Mapping mapping) { // before or after the first tensor
    const NamedTensors tensors = read_tensor_file(folder / "a", "", mapping).tensors;
    EXPECT_TRUE(tensors.at("b").equal(halves));
    EXPECT_TRUE(tensors.at("c").equal(numbers));
    return static_cast<const char*>(tensors.at(name).data_ptr()) -
           static_cast<const char*>(tensors.at("a").data_ptr());
  };
  EXPECT_EQ(begin_of("b", Mapping::all), 10);
  EXPECT_EQ(begin_of("c", Mapping::all), 24);
  EXPECT_EQ(begin_of("d", Mapping::all), 280);
  EXPECT_NE(begin_of("c", Mapping::aligned), 24); // was read
  write_tensor_file(folder / "a", {.tensors = {{"a", bytes.slice(0, 0, 9)}, {"b", halves}, {"c", numbers}}});
  EXPECT_NE(begin_of("b", Mapping::all), 9); // elements of two bytes do not begin at odd bytes
}

TEST(TensorFile, ReportsFilesThatCannotBeWrittenOrRead) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "a";
  expect_contains(usage_error_of([&] {
                    write_tensor_file(path, {{{"x", at::zeros({1}, at::kComplexFloat)}}, {}});
                  }),
                  {"x is of type ComplexFloat", "F32"});
  const auto error = [&](const char* name, const at::Tensor& tensor) {
    return usage_error_of([&] { write_tensor_file(path, {{{name, tensor}}, {}}); });
  };
  expect_contains(error("x", {}), {"x is undefined", "dense"});
  expect_contains(error("x", at::zeros({2, 2}).to_sparse()), {"x is of layout Sparse", "to_dense"});
  expect_contains(error("__metadata__", at::zeros({1})), {"__metadata__", "another name"});
  EXPECT_FALSE(std::filesystem::exists(path));
  expect_contains(data_error_of([&] { read_tensor_file(path); }), {path.string()});
  std::ofstream(path) << "no tensors";
  expect_contains(data_error_of([&] { read_tensor_file(path); }), {path.string()});
}

} // namespace
} // namespace mneme::nn
