// SPDX-License-Identifier: MIT

#include "mneme/data/load_patterns.h"

#include "data/testing.h"
#include "mneme/data/glyphs.h"
#include "mneme/data/npy.h"
#include "mneme/data/png.h"

namespace mneme::data {
namespace {

Bytes small_idx() {
  return Bytes().big(0x0803, 4).big(2, 4).big(1, 4).big(1, 4).text("\x33\xFF");
}

Bytes small_safetensors() {
  const std::string header = R"({"x":{"dtype":"U8","shape":[2,1],"data_offsets":[0,2]}})";
  return Bytes().little(header.size(), 8).text(header).text("\x05\x06");
}

TEST(LoadPatterns, GoesByContentWhateverTheName) {
  const TemporaryFolder folder;
  EXPECT_EQ(load_patterns(folder.file("a.npy", small_idx().all())).patterns[0][0], 0.2);
  EXPECT_EQ(load_patterns(folder.file("b", small_safetensors().all())).patterns[1][0], 6);
  write_npy(folder.path() / "c.png", builtin_glyphs().patterns);
  EXPECT_EQ(load_patterns(folder.path() / "c.png").patterns, builtin_glyphs().patterns);
  write_png(folder.path() / "d.npy", {.height = 1, .width = 2, .channels = 1, .pixels = {0, 255}});
  EXPECT_EQ(load_patterns(folder.path() / "d.npy").patterns[0][1], 1);
}

TEST(LoadPatterns, GoesByNameWhereContentSaysNothing) {
  const TemporaryFolder folder;
  const Bytes noise = Bytes().text("something else entirely");
  const auto message_of = [&](const std::string& name, std::initializer_list<std::string_view> parts) {
    expect_error<DataError>([&] { load_patterns(folder.file(name, noise.all())); }, parts);
  };
  message_of("a.npy", {"NUMPY"});
  message_of("a.PNG", {"PNG"});
  message_of("a.idx", {"magic number"});
  message_of("a-ubyte", {"magic number"});
  message_of("a.bin", {"3073"});
  message_of("a.safetensors", {"header of"});
  message_of("a.csv", {"a.csv", "IDX", "CIFAR-10", ".npy", ".png", ".safetensors"});
}

TEST(LoadPatterns, TakesCifarByNameEvenIfItsPixelsLookLikeIdx) {
  const TemporaryFolder folder;
  const Bytes record = Bytes().big(0x00000803, 4).text(std::string(3069, '\0'));
  const PatternSet set = load_patterns(folder.file("data_batch_1.bin", record.all()));
  EXPECT_EQ(set.image_shape(), (ImageShape{32, 32, 3}));
  EXPECT_EQ(set.labels, std::vector<int64_t>{0});
}

TEST(LoadPatterns, ReadsAFolderOfPictures) {
  const TemporaryFolder folder;
  write_png(folder.path() / "a.png", {.height = 1, .width = 2, .channels = 1, .pixels = {0, 255}});
  write_png(folder.path() / "b.png", {.height = 1, .width = 2, .channels = 1, .pixels = {255, 0}});
  EXPECT_EQ(load_patterns(folder.path()).patterns.count(), 2);
  EXPECT_EQ(load_patterns(folder.path(), {.limit = 1, .tensor = ""}).patterns.count(), 1);
}

TEST(LoadPatterns, PassesOptionsOn) {
  const TemporaryFolder folder;
  EXPECT_EQ(
      load_patterns(folder.file("a.idx", small_idx().all()), {.limit = 1, .tensor = ""}).patterns.count(), 1);
  const auto path = folder.file("b", small_safetensors().all());
  EXPECT_EQ(load_patterns(path, {.limit = 1, .tensor = "x"}).patterns.count(), 1);
  expect_error<DataError>([&] { load_patterns(path, {.limit = 0, .tensor = "y"}); },
                          {"no tensor \"y\"", "\"x\""});
  expect_error<UsageError>([&] { load_patterns(path, {.limit = -3, .tensor = ""}); }, {"-3"});
  expect_error<UsageError>(
      [&] { load_patterns(folder.file("c.idx", small_idx().all()), {.limit = 0, .tensor = "x"}); },
      {"c.idx", "\"x\"", "only safetensors"});
  expect_error<UsageError>([&] { load_patterns(folder.path(), {.limit = 0, .tensor = "x"}); }, {"\"x\""});
}

TEST(LoadPatterns, SaysThatAFileIsMissing) {
  const TemporaryFolder folder;
  expect_error<DataError>([&] { load_patterns(folder.path() / "no.npy"); }, {"no.npy", "no such file"});
}

} // namespace
} // namespace mneme::data
