// SPDX-License-Identifier: MIT

#include "mneme/training/checkpoint.h"

#include <fstream>

#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "mneme/nn/tensor_file.h"
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

TEST(Checkpoint, ReportsEveryBitThatChanged) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "a";
  save_checkpoint(path,
                  {.tensors = {{"x", random_tensor({4}, 1, at::kFloat)}, {"n", at::arange(2, at::kByte)}},
                   .texts = {{"done", "15"}}});
  const std::string good = testing::read_text(path);
  for (size_t i = 0; i < good.size(); ++i) {
    for (const int bit : {0, 3}) {
      std::string damaged = good;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      testing::write_text(path, damaged);
      // Equal contents are no damage: other blanks, or another name of the checksum, which is then ignored.
      try {
        const Checkpoint read = load_checkpoint(path);
        EXPECT_TRUE(read.tensor("x").equal(random_tensor({4}, 1, at::kFloat))) << i;
        EXPECT_TRUE(read.tensor("n").equal(at::arange(2, at::kByte))) << i;
        EXPECT_EQ(read.text("done"), "15") << i;
      } catch (const DataError& error) {
        expect_contains(error.what(), {path.string()});
      }
    }
  }
  std::string damaged = good;
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  testing::write_text(path, damaged);
  expect_contains(message_of<DataError>([&] { load_checkpoint(path); }),
                  {path.string(), "the file is damaged", "delete it"});
}

TEST(Checkpoint, ReadsFilesWithoutAChecksum) {
  const TemporaryFolder folder;
  nn::write_tensor_file(folder.path() / "a", {{{"x", at::ones({2})}}, {{"format", "test"}}});
  const Checkpoint read = load_checkpoint(folder.path() / "a");
  EXPECT_TRUE(read.tensor("x").equal(at::ones({2})));
  EXPECT_EQ(read.texts, (std::map<std::string, std::string>{{"format", "test"}}));
}

TEST(Checkpoint, MayHaveTextsThatAreNamesOfTensors) {
  const TemporaryFolder folder;
  save_checkpoint(folder.path() / "a", {.tensors = {{"x", at::ones({2})}}, .texts = {{"best", "x"}}});
  const Checkpoint read = load_checkpoint(folder.path() / "a");
  EXPECT_EQ(read.tensors.size(), 1U);
  EXPECT_EQ(read.text("best"), "x");
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
