// SPDX-License-Identifier: MIT

#include "experiments/sdm/image_sets.h"

#include "core/text_checks.h"
#include "data/testing.h"

namespace mneme::experiments {
namespace {

using data::Bytes;
using data::TemporaryFolder;

/// Uniform CIFAR images of the colours (red, 0, 0).
Bytes photographs(std::initializer_list<uint64_t> reds) {
  constexpr size_t kPlane = 32 * 32;
  Bytes bytes;
  for (const uint64_t red : reds) {
    bytes.big(0, 1);
    for (const uint64_t plane : {red, uint64_t{0}, uint64_t{0}}) {
      for (size_t at = 0; at < kPlane; ++at) {
        bytes.big(plane, 1);
      }
    }
  }
  return bytes;
}

/// MNIST images of 1 x 2 pixels: (grey, 0).
Bytes digits(std::initializer_list<uint64_t> greys) {
  Bytes bytes;
  bytes.big(0x803, 4).big(greys.size(), 4).big(1, 4).big(2, 4);
  for (const uint64_t grey : greys) {
    bytes.big(grey, 1).big(0, 1);
  }
  return bytes;
}

TEST(ImageSets, LoadPhotographsFromBatchesInGrey) {
  const TemporaryFolder folder;
  EXPECT_FALSE(find_cifar(folder.path()).any());
  folder.file("data_batch_1.bin", photographs({255, 51}).all());
  folder.file("data_batch_3.bin", photographs({102}).all());
  folder.file("test_batch.bin", photographs({204, 153}).all());
  const ImageFiles files = find_cifar(folder.path());
  EXPECT_EQ(files.train.size(), 2U);
  EXPECT_EQ(files.test.size(), 1U);
  EXPECT_TRUE(mneme::testing::contains(files.signature(), "data_batch_3.bin, 3073 bytes"));
  const ImageSplit split = load_split(files, 100, 1);
  ASSERT_EQ(split.train.count(), 3);
  ASSERT_EQ(split.test.count(), 1);
  EXPECT_EQ(split.train.size(), 1024);
  EXPECT_DOUBLE_EQ(split.train[0][0], 0.299);
  EXPECT_DOUBLE_EQ(split.train[1][7], 0.299 * 51 / 255);
  EXPECT_DOUBLE_EQ(split.train[2][1023], 0.299 * 102 / 255);
  EXPECT_DOUBLE_EQ(split.test[0][0], 0.299 * 204 / 255);
  EXPECT_EQ(load_split(files, 3, 1).train.count(), 2); // over both files
}

TEST(ImageSets, HoldOutTheLastImagesIfThereIsOneFile) {
  const TemporaryFolder folder;
  folder.file("t10k-images-idx3-ubyte", digits({1, 2, 3, 4}).all());
  const ImageSplit one = load_split(find_mnist(folder.path()), 100, 1);
  EXPECT_EQ(one.train.count(), 3);
  EXPECT_EQ(one.test, RealPatterns(1, 2, {4.0 / 255, 0}));
  folder.file("train-images-idx3-ubyte", digits({5, 6}).all());
  const ImageSplit both = load_split(find_mnist(folder.path()), 100, 1);
  EXPECT_EQ(both.train, RealPatterns(2, 2, {5.0 / 255, 0, 6.0 / 255, 0}));
  EXPECT_EQ(both.test, RealPatterns(1, 2, {1.0 / 255, 0}));
}

TEST(ImageSets, RejectFilesOfDifferentImageSizesAndBrokenFiles) {
  const TemporaryFolder folder;
  ImageFiles files{.train = {folder.file("a.bin", photographs({1}).all()),
                             folder.file("t10k-images-idx3-ubyte", digits({1}).all())}};
  data::expect_error<DataError>([&] { load_split(files, 10, 1); }, {"t10k-images", "2 pixels", "1024"});
  files.train = {folder.file("data_batch_1.bin", photographs({1}).first(3000))};
  EXPECT_THROW(load_split(files, 10, 1), DataError);
}

} // namespace
} // namespace mneme::experiments
