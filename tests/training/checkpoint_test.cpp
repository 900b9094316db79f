// SPDX-License-Identifier: MIT

#include "mneme/training/checkpoint.h"

#include <fstream>

#include "core/temporary_folder.h"
#include "ops/tensors.h"

namespace mneme::training {
namespace {

using mneme::testing::TemporaryFolder;
using ops::expect_contains;
using ops::random_tensor;

template <class ErrorType> std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const ErrorType& error) {
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(Checkpoint, RoundTripsBitForBit) {
  const TemporaryFolder folder;
  const Checkpoint before{.tensors = {{"floats", random_tensor({3, 5}, 1, at::kFloat)},
                                      {"doubles", random_tensor({2, 2, 2}, 2)},
                                      {"across", random_tensor({4, 3}, 3).t()},
                                      {"numbers", at::arange(7, at::kLong)},
                                      {"bytes", at::arange(3).to(at::kByte)},
                                      {"none", at::empty({0, 4})}},
                          .texts = {{"format", "test"}, {"quote", "\"\n"}}};
  save_checkpoint(folder.path() / "a", before);
  const Checkpoint after = load_checkpoint(folder.path() / "a");
  EXPECT_EQ(after.texts, before.texts);
  ASSERT_EQ(after.tensors.size(), before.tensors.size());
  for (const auto& [name, tensor] : before.tensors) {
    EXPECT_TRUE(after.tensor(name).equal(tensor)) << name;
    EXPECT_EQ(after.tensor(name).scalar_type(), tensor.scalar_type()) << name;
  }
}

TEST(Checkpoint, ReportsMissingEntriesAndUnsupportedTypes) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "a";
  expect_contains(message_of<UsageError>([&] {
                    save_checkpoint(path, {.tensors = {{"x", at::zeros({1}, at::kComplexFloat)}}});
                  }),
                  {"x is of type ComplexFloat", "F32"});
  EXPECT_FALSE(std::filesystem::exists(path));
  save_checkpoint(path, {.tensors = {{"x", at::zeros({1})}}, .texts = {}});
  const Checkpoint checkpoint = load_checkpoint(path);
  expect_contains(message_of<DataError>([&] { checkpoint.tensor("y"); }), {path.string(), "no tensor \"y\""});
  expect_contains(message_of<DataError>([&] { checkpoint.text("format"); }), {"no text \"format\""});
  expect_contains(message_of<DataError>([&] { load_checkpoint(folder.path() / "missing"); }), {"missing"});
  std::ofstream(path) << "not a checkpoint";
  expect_contains(message_of<DataError>([&] { load_checkpoint(path); }), {path.string()});
}

} // namespace
} // namespace mneme::training
