// SPDX-License-Identifier: MIT

#include "mneme/nn/state_dict.h"

#include <fstream>

#include "core/temporary_folder.h"
#include "nn/layers.h"

namespace mneme::nn {
namespace {

using mneme::testing::TemporaryFolder;

TEST(StateDict, GoesThroughAFileIntoAnotherLayer) {
  const TemporaryFolder folder;
  const HopfieldOptions options = HopfieldOptions(6).num_heads(2);
  Hopfield one = hopfield(options, 1), other = hopfield(options, 99);
  write_tensor_file(folder.path() / "layer.safetensors", {state_dict(*one), {{"made with", "a test"}}});
  const TensorFile file = read_tensor_file(folder.path() / "layer.safetensors");
  EXPECT_EQ(file.texts.at("made with"), "a test");
  load_state_dict(*other, file.tensors, "layer.safetensors");
  const at::Tensor input = random_tensor({2, 3, 6}, 5);
  EXPECT_EQ(largest_difference(one->forward(input), other->forward(input)), 0);
}

TEST(StateDict, KeepsTheTypeOfTheModule) {
  Hopfield layer(HopfieldOptions(6));
  load_state_dict(*layer, state_dict(*hopfield(HopfieldOptions(6))), "here");
  EXPECT_EQ(layer->parameters()[0].scalar_type(), at::kFloat);
}

TEST(StateDict, ListsAllThatDoesNotFitAndChangesNothing) {
  Hopfield layer = hopfield(HopfieldOptions(6));
  const NamedTensors before = state_dict(*layer);
  NamedTensors state = state_dict(*hopfield(HopfieldOptions(6), 7));
  state.erase("norm_state_pattern.bias");
  state["association_core.out_proj.weight"] = at::zeros({6, 5});
  state["extra"] = at::zeros({2});
  expect_contains(data_error_of([&] { load_state_dict(*layer, state, "file"); }),
                  {"file: ", "missing: norm_state_pattern.bias of shape [6]",
                   "of another shape: association_core.out_proj.weight is [6, 5], expected [6, 6]",
                   "unexpected: extra of shape [2]", "options"});
  for (const auto& [name, tensor] : state_dict(*layer)) {
    EXPECT_EQ(largest_difference(tensor, before.at(name)), 0) << name;
  }
}

TEST(TensorFile, ReadsWhatTorchSaveWrote) {
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
                  {"state_dict.pt: ", "unexpected: transposed of shape [4, 3]"});
  load_state_dict(*layer, {{"weight", saved.at("weight")}}, "state_dict.pt");
  EXPECT_TRUE(at::equal(layer->weight, expected.at("weight")));
}

TEST(TensorFile, SaysWhyATorchFileIsNotRead) {
  const std::filesystem::path folder = std::filesystem::path(MNEME_SOURCE_DIR) / "tests/golden/torch_file";
  expect_contains(data_error_of([&] { read_tensor_file(folder / "before_1_6.pt"); }),
                  {"before_1_6.pt", "1.6"});
  expect_contains(data_error_of([&] { read_tensor_file(folder / "with_epoch.pt"); }),
                  {"\"epoch\" is a whole number"});
}

TEST(TensorFile, ComesBackBitForBitInEveryType) {
  const TemporaryFolder folder;
  TensorFile before;
  for (const at::ScalarType type : {at::kBool, at::kByte, at::kChar, at::kInt, at::kLong, at::kHalf,
                                    at::kBFloat16, at::kFloat, at::kDouble}) {
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

TEST(TensorFile, NamesWhatItCannotWriteOrRead) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "a";
  expect_contains(usage_error_of([&] {
                    write_tensor_file(path, {{{"x", at::zeros({1}, at::kComplexFloat)}}, {}});
                  }),
                  {"x is of type ComplexFloat", "F32"});
  EXPECT_FALSE(std::filesystem::exists(path));
  expect_contains(data_error_of([&] { read_tensor_file(path); }), {path.string()});
  std::ofstream(path) << "no tensors";
  expect_contains(data_error_of([&] { read_tensor_file(path); }), {path.string()});
}

} // namespace
} // namespace mneme::nn
