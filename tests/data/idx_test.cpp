// SPDX-License-Identifier: MIT

#include "mneme/data/idx.h"

#include <bit>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "data/archives.h"
#include "data/testing.h"

namespace mneme::data {
namespace {

/// Two images of 2 x 3 pixels: 0, 1, 2 ... 11.
Bytes small_images() {
  Bytes bytes;
  bytes.big(0x0803, 4).big(2, 4).big(2, 4).big(3, 4);
  for (uint64_t pixel = 0; pixel < 12; ++pixel) {
    bytes.big(pixel, 1);
  }
  return bytes;
}

void expect_small_images(const PatternSet& set) {
  ASSERT_EQ(set.patterns.count(), 2);
  EXPECT_EQ(set.image_shape(), (ImageShape{2, 3, 1}));
  EXPECT_EQ(set.threshold, 0.5);
  EXPECT_TRUE(set.labels.empty());
  for (int64_t at = 0; at < 12; ++at) {
    EXPECT_EQ(set.patterns.data()[at], static_cast<double>(at) / 255);
  }
}

TEST(Idx, ReadsImages) {
  const PatternSet set = parse_idx(small_images().all(), "folder/two.idx");
  expect_small_images(set);
  EXPECT_EQ(set.source, "two.idx");
}

TEST(Idx, ReadsGzipImages) {
  expect_small_images(parse_idx(gzipped(small_images().all()).all(), "two.gz"));
}

TEST(Idx, ReadsGzipOfSeveralMembers) {
  const Bytes plain = small_images();
  Bytes bytes = gzipped(plain.first(7));
  bytes.append(gzipped(plain.all().subspan(7)).all());
  expect_small_images(parse_idx(bytes.all(), "two.gz"));
}

TEST(Idx, ReadsFromAPath) {
  const TemporaryFolder folder;
  expect_small_images(read_idx(folder.file("two-idx3-ubyte", small_images().all())));
  expect_small_images(read_idx(folder.file("two-idx3-ubyte.gz", gzipped(small_images().all()).all())));
}

TEST(Idx, LimitReadsTheFirstImages) {
  for (const Bytes& bytes : {small_images(), gzipped(small_images().all())}) {
    const PatternSet one = parse_idx(bytes.all(), "two", 1);
    ASSERT_EQ(one.patterns.count(), 1);
    EXPECT_EQ(one.patterns[0][5], 5.0 / 255);
    EXPECT_EQ(parse_idx(bytes.all(), "two", 7).patterns.count(), 2);
    expect_error<UsageError>([&] { parse_idx(bytes.all(), "two", -1); }, {"-1"});
  }
}

/// The scaling of bytes must not depend on whether the first image is dark.
TEST(Idx, ScalingDoesNotDependOnTheLimit) {
  Bytes images;
  images.big(0x0803, 4).big(2, 4).big(1, 4).big(2, 4).big(1, 1).big(0, 1).big(200, 1).big(0, 1);
  Bytes bits = images;
  bits[18] = std::byte{1};
  for (const bool compressed : {false, true}) {
    const auto read = [&](const Bytes& bytes, int64_t limit) {
      return parse_idx(compressed ? gzipped(bytes.all()).all() : bytes.all(), "x", limit);
    };
    EXPECT_EQ(read(images, 1).patterns, RealPatterns(1, 2, {1.0 / 255, 0}));
    EXPECT_EQ(read(images, 1).file_scale, 255);
    EXPECT_EQ(read(images, 0).patterns[0][0], 1.0 / 255);
    EXPECT_EQ(read(bits, 1).patterns, RealPatterns(1, 2, {1, 0}));
    EXPECT_EQ(read(bits, 0).file_scale, 1);
  }
}

TEST(Idx, ReadsLabels) {
  const Bytes bytes = Bytes().big(0x0801, 4).big(3, 4).text("\x07\x02\x09");
  EXPECT_EQ(parse_idx_labels(bytes.all(), "labels"), (std::vector<int64_t>{7, 2, 9}));
  EXPECT_EQ(parse_idx_labels(bytes.all(), "labels", 2), (std::vector<int64_t>{7, 2}));
  EXPECT_EQ(parse_idx_labels(gzipped(bytes.all()).all(), "labels"), (std::vector<int64_t>{7, 2, 9}));
  expect_no_prefix_parses(bytes, [](auto part) { parse_idx_labels(part, "labels"); });
}

TEST(Idx, RejectsEveryTruncation) {
  expect_no_prefix_parses(small_images(), [](auto part) { parse_idx(part, "cut"); });
  expect_no_prefix_parses(gzipped(small_images().all()), [](auto part) { parse_idx(part, "cut.gz"); });
}

TEST(Idx, RejectsTrailingBytes) {
  Bytes plain = small_images();
  plain.text("x");
  expect_error<DataError>([&] { parse_idx(plain.all(), "long"); }, {"long: ", "12", "13"});
  expect_error<DataError>([&] { parse_idx(gzipped(plain.all()).all(), "long"); },
                          {"long: ", "continues after", "12"});
  for (const std::string& more : {std::string("x"), std::string("\0\0x", 3)}) {
    const Bytes whole = gzipped(small_images().all());
    Bytes after = whole;
    after.text(more);
    expect_error<DataError>([&] { parse_idx(after.all(), "long"); },
                            {"long: ", "the gzip data ends at byte " + std::to_string(whole.size()),
                             "head -c " + std::to_string(whole.size())});
  }
}

TEST(Idx, IgnoresZerosAfterGzipData) {
  for (const size_t zeros : {1, 8, 511, 40'000, 100'000}) {
    Bytes padded = gzipped(small_images().all());
    expect_small_images(parse_idx(padded.text(std::string(zeros, '\0')).all(), "padded.gz"));
  }
}

TEST(Idx, ReportsDamagedGzipData) {
  const Bytes whole = gzipped(small_images().all());
  int rejected = 0;
  for (size_t at = 10; at < whole.size(); ++at) {
    Bytes damaged = whole;
    damaged[at] ^= std::byte{0x55};
    try {
      parse_idx(damaged.all(), "damaged.gz");
    } catch (const DataError& error) {
      ++rejected;
      EXPECT_NE(std::string(error.what()).find("damaged.gz: "), std::string::npos);
    }
  }
  EXPECT_EQ(rejected,
            static_cast<int>(whole.size()) - 10); // the checksum detects damage that deflate does not
  expect_error<DataError>([&] { parse_idx(whole.first(whole.size() - 1), "cut.gz"); },
                          {"cut.gz", "ends at byte", std::to_string(whole.size() - 1)});
}

TEST(Idx, RejectsSizesThatAGzipFileCannotContain) {
  Bytes bomb;
  bomb.big(0x0803, 4).big(0xFFFFFFFF, 4).big(0x7FFF, 4).big(0x7FFF, 4);
  expect_error<DataError>([&] { parse_idx(gzipped(bomb.all()).all(), "bomb.gz"); },
                          {"4294967295 x 32767 x 32767"});
  Bytes overflow;
  overflow.big(0x0803, 4).big(0xFFFFFFFF, 4).big(0xFFFFFFFF, 4).big(0xFFFFFFFF, 4);
  for (const Bytes& bytes : {overflow, gzipped(overflow.all())}) {
    expect_error<DataError>([&] { parse_idx(bytes.all(), "bomb"); }, {"more than 2^63"});
  }
}

TEST(Idx, DistinguishesImagesFromLabels) {
  const Bytes labels = Bytes().big(0x0801, 4).big(1, 4).big(3, 1);
  expect_error<DataError>([&] { parse_idx(labels.all(), "l"); },
                          {"0x00000801", "0x00000803", "file of labels"});
  expect_error<DataError>([&] { parse_idx_labels(small_images().all(), "i"); },
                          {"0x00000803", "0x00000801", "file of images"});
  for (const uint64_t magic : {0x0A03, 0x0F03, 0x0800, 0x0805, 0x010803}) { // invalid type or number of axes
    const Bytes other = Bytes().big(magic, 4).big(1, 4).big(1, 4).big(1, 4).big(0, 4);
    expect_error<DataError>([&] { parse_idx(other.all(), "f"); },
                            {fmt::format("0x{:08x}", magic), "uint8, 3 axes", "1 to 4 axes"});
  }
}

TEST(Idx, ReadsEveryTypeAndNumberOfAxes) {
  struct Case {
    uint64_t code;
    size_t size;
    std::array<uint64_t, 2> stored;
    std::array<double, 2> expected;
  };
  for (const Case& c :
       {Case{0x08, 1, {51, 255}, {0.2, 1}}, Case{0x09, 1, {0x80, 5}, {-128, 5}},
        Case{0x0B, 2, {0x8000, 500}, {-32768, 500}}, Case{0x0C, 4, {0xFFFFFFFF, 70000}, {-1, 70000}},
        Case{0x0D, 4, {0x3F000000, 0xC0490FDB}, {0.5, std::bit_cast<float>(0xC0490FDBU)}},
        Case{0x0E, 8, {std::bit_cast<uint64_t>(0.1), std::bit_cast<uint64_t>(-7.5)}, {0.1, -7.5}}}) {
    for (uint64_t axes = 1; axes <= 4; ++axes) {
      if (c.code == 0x08 && axes == 1) {
        continue; // labels
      }
      Bytes bytes = Bytes().big(c.code << 8 | axes, 4).big(2, 4);
      for (uint64_t axis = 1; axis < axes; ++axis) {
        bytes.big(1, 4);
      }
      const size_t header = bytes.size();
      for (const uint64_t number : c.stored) {
        bytes.big(number, c.size);
      }
      for (const Bytes& file : {bytes, gzipped(bytes.all())}) {
        const PatternSet set = parse_idx(file.all(), "a.idx");
        ASSERT_EQ(set.patterns.count(), 2);
        EXPECT_EQ(std::vector<double>(set.patterns.data(), set.patterns.data() + 2),
                  std::vector<double>(c.expected.begin(), c.expected.end()))
            << c.code << " " << axes;
        EXPECT_EQ(set.file_scale, c.code == 0x08 ? 255 : 1);
        EXPECT_EQ(set.is_image(), c.code == 0x08 && axes > 2);
      }
      for (size_t length = header; length < bytes.size(); ++length) {
        EXPECT_THROW(parse_idx(bytes.first(length), "cut"), DataError);
      }
      bytes.text("x");
      EXPECT_THROW(parse_idx(bytes.all(), "long"), DataError);
    }
  }
}

TEST(Idx, RejectsEmptyArrays) {
  const Bytes none = Bytes().big(0x0803, 4).big(0, 4).big(0xFFFFFFFF, 4).big(0xFFFFFFFF, 4);
  expect_error<DataError>([&] { parse_idx(none.all(), "none"); }, {"0 patterns"});
  const Bytes flat = Bytes().big(0x0803, 4).big(0xFFFFFFFF, 4).big(0, 4).big(0xFFFFFFFF, 4);
  expect_error<DataError>([&] { parse_idx(flat.all(), "flat"); }, {"4294967295 patterns of 0 numbers"});
}

// Expected numbers: sums of the uint8 values in the file, computed with numpy.
TEST(Idx, ReadsTheMnistTestSet) {
  const std::filesystem::path folder = std::filesystem::path(MNEME_SOURCE_DIR) / "../shared/data/mnist";
  if (!std::filesystem::exists(folder / "t10k-images-idx3-ubyte.gz")) {
    GTEST_SKIP() << "the MNIST test set is not next to the source tree";
  }
  const PatternSet set = read_idx(folder / "t10k-images-idx3-ubyte.gz");
  ASSERT_EQ(set.patterns.count(), 10000);
  ASSERT_EQ(set.patterns.size(), 784);
  EXPECT_EQ(set.image_shape(), (ImageShape{28, 28, 1}));
  int64_t sum = 0, weighted = 0;
  for (int64_t at = 0; at < 10000 * 784; ++at) {
    const int64_t pixel = std::llround(set.patterns.data()[at] * 255);
    sum += pixel;
    weighted += pixel * (at % 784 + 1);
  }
  EXPECT_EQ(sum, 264923200);
  EXPECT_EQ(weighted % 1000003, 844024);
  const std::vector<int64_t> labels = read_idx_labels(folder / "t10k-labels-idx1-ubyte.gz");
  ASSERT_EQ(labels.size(), 10000U);
  EXPECT_EQ(std::vector<int64_t>(labels.begin(), labels.begin() + 5), (std::vector<int64_t>{7, 2, 1, 0, 4}));
  EXPECT_EQ(std::accumulate(labels.begin(), labels.end(), int64_t{0}), 44434);
}

} // namespace
} // namespace mneme::data
