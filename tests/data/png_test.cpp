// SPDX-License-Identifier: MIT

#include "mneme/data/png.h"

#include <array>

#include <gtest/gtest.h> // must precede rapidcheck, which does not include it
#include <rapidcheck/gtest.h>
#include <zlib.h>

#include "data/testing.h"
#include "mneme/data/read_file.h"

namespace mneme::data {
namespace {

constexpr std::string_view kSignature = "\x89PNG\r\n\x1A\n";

Bytes chunk(std::string_view type, std::span<const std::byte> data) {
  Bytes body;
  body.text(type).append(data);
  const auto checksum =
      crc32(0, reinterpret_cast<const Bytef*>(body.all().data()), static_cast<uInt>(body.size()));
  return Bytes().big(data.size(), 4).append(body.all()).big(checksum, 4);
}

enum Colour { kGrey = 0, kRgb = 2, kPalette = 3, kGreyAlpha = 4, kRgba = 6 };

std::vector<std::byte> compressed(std::string_view rows) {
  std::vector<std::byte> packed(compressBound(rows.size()));
  uLongf length = packed.size();
  EXPECT_EQ(compress(reinterpret_cast<Bytef*>(packed.data()), &length,
                     reinterpret_cast<const Bytef*>(rows.data()), rows.size()),
            Z_OK);
  packed.resize(length);
  return packed;
}

/// A PNG written without libpng. Each of the rows begins with its filter type, 0.
Bytes png(uint64_t width, uint64_t height, uint64_t depth, Colour colour, std::string_view rows,
          const Bytes& between = {}, uint64_t interlace = 0) {
  Bytes header;
  header.big(width, 4).big(height, 4).big(depth, 1).big(colour, 1).big(0, 2).big(interlace, 1);
  const std::vector<std::byte> packed = compressed(rows);
  Bytes bytes;
  bytes.text(kSignature).append(chunk("IHDR", header.all()).all()).append(between.all());
  return bytes.append(chunk("IDAT", packed).all()).append(chunk("IEND", {}).all());
}

Bytes small_png() {
  return png(2, 2, 8, kGrey, std::string_view("\0\x00\x33\0\x66\xFF", 6));
}

std::vector<double> pixels(const Bytes& bytes) {
  const PatternSet set = parse_png(bytes.all(), "a.png");
  return {set.patterns[0].begin(), set.patterns[0].end()};
}

TEST(Png, ReadsGreyPixels) {
  const PatternSet set = parse_png(small_png().all(), "folder/a.png");
  EXPECT_EQ(set.patterns.count(), 1);
  EXPECT_EQ(set.image_shape(), (ImageShape{2, 2, 1}));
  EXPECT_EQ(set.threshold, 0.5);
  EXPECT_EQ(set.source, "a.png");
  EXPECT_EQ(pixels(small_png()), (std::vector<double>{0, 0.2, 0.4, 1}));
}

TEST(Png, ReadsEveryDepthOfGrey) {
  EXPECT_EQ(pixels(png(3, 1, 1, kGrey, std::string_view("\0\xA0", 2))), (std::vector<double>{1, 0, 1}));
  EXPECT_EQ(pixels(png(3, 1, 2, kGrey, std::string_view("\0\x1C", 2))), (std::vector<double>{0, 1.0 / 3, 1}));
  EXPECT_EQ(pixels(png(2, 1, 4, kGrey, std::string_view("\0\x3F", 2))), (std::vector<double>{0.2, 1}));
  EXPECT_EQ(pixels(png(2, 1, 16, kGrey, std::string_view("\0\x00\x01\xFF\xFF", 5))),
            (std::vector<double>{1.0 / 65535, 1}));
}

TEST(Png, ConvertsColourToLuma) {
  const std::vector<double> rgb = pixels(png(4, 1, 8, kRgb,
                                             std::string_view("\0\xFF\0\0"
                                                              "\0\xFF\0"
                                                              "\0\0\xFF"
                                                              "\x33\x33\x33",
                                                              13)));
  EXPECT_EQ(rgb, (std::vector<double>{0.299, 0.587, 0.114, 0.2}));
  const std::vector<double> deep = pixels(png(1, 1, 16, kRgb, std::string_view("\0\xFF\xFF\0\0\0\0", 7)));
  EXPECT_EQ(deep, (std::vector<double>{0.299}));
}

TEST(Png, BlendsTransparentPixelsOverWhite) {
  EXPECT_EQ(pixels(png(2, 1, 8, kGreyAlpha, std::string_view("\0\x00\x00\x00\xCC", 5))),
            (std::vector<double>{1, 1 - 0.8}));
  EXPECT_EQ(pixels(png(1, 1, 8, kRgba, std::string_view("\0\0\0\0\0", 5))), (std::vector<double>{1}));
}

TEST(Png, ReadsPalettesWithTransparency) {
  const Bytes palette = chunk("PLTE", Bytes().text(std::string_view("\x33\x33\x33\0\0\0", 6)).all());
  const Bytes alpha = chunk("tRNS", Bytes().text(std::string_view("\xFF\0", 2)).all());
  const std::string_view rows("\0\x40", 2); // pixels 0, 1 of 1 bit
  EXPECT_EQ(pixels(png(2, 1, 1, kPalette, rows, palette)), (std::vector<double>{0.2, 0}));
  EXPECT_EQ(pixels(png(2, 1, 1, kPalette, rows, Bytes(palette).append(alpha.all()))),
            (std::vector<double>{0.2, 1}));
}

TEST(Png, ReadsInterlacedPixels) {
  // A 2 x 2 image: pass 1 contains (0, 0), pass 6 (1, 0), pass 7 the lower row.
  const Bytes bytes = png(2, 2, 8, kGrey, std::string_view("\0\x00\0\x33\0\x66\xFF", 7), {}, 1);
  EXPECT_EQ(pixels(bytes), (std::vector<double>{0, 0.2, 0.4, 1}));
}

TEST(Png, IgnoresTextsAndTimes) {
  Bytes more = chunk("tEXt", Bytes().text("Comment").little(0, 1).text("hello").all());
  more.append(chunk("tIME", Bytes().big(0x07E80101000000, 7).all()).all());
  EXPECT_EQ(pixels(png(1, 1, 8, kGrey, std::string_view("\0\xFF", 2), more)), (std::vector<double>{1}));
}

TEST(Png, RejectsEveryTruncation) {
  expect_no_prefix_parses(small_png(), [](auto part) { parse_png(part, "cut.png"); });
}

TEST(Png, IgnoresBytesAfterTheEnd) {
  for (const std::string& after : {std::string("x"), std::string(5000, '\0'), std::string(kSignature)}) {
    Bytes longer = small_png();
    EXPECT_EQ(pixels(longer.text(after)), (std::vector<double>{0, 0.2, 0.4, 1}));
  }
}

/// A greyscale image of 2 x 2 pixels whose IDAT chunks contain `data`.
Bytes png_of_data(std::initializer_list<std::span<const std::byte>> data) {
  Bytes header;
  header.big(2, 4).big(2, 4).big(8, 1).big(kGrey, 1).big(0, 3);
  Bytes bytes;
  bytes.text(kSignature).append(chunk("IHDR", header.all()).all());
  for (const std::span<const std::byte> part : data) {
    bytes.append(chunk("IDAT", part).all());
  }
  return bytes.append(chunk("IEND", {}).all());
}

TEST(Png, IgnoresSurplusCompressedData) {
  const std::vector<double> expected{0, 0.2, 0.4, 1};
  const std::string rows("\0\x00\x33\0\x66\xFF", 6);
  const std::vector<std::byte> exact = compressed(rows), longer = compressed(rows + std::string(9, 'x')),
                               longest = compressed(rows + std::string(100'000, 'x'));
  const Bytes after = Bytes().append(exact).text("surplus"), more = Bytes().text("more");
  EXPECT_EQ(pixels(png_of_data({after.all()})), expected);
  EXPECT_EQ(pixels(png_of_data({exact, more.all()})), expected);
  EXPECT_EQ(pixels(png_of_data({longer})), expected);
  EXPECT_EQ(pixels(png_of_data({longest})), expected);
}

TEST(Png, RejectsTruncatedOrDamagedPixelsWithValidChecksums) {
  const std::string rows("\0\x00\x33\0\x66\xFF", 6);
  const std::vector<std::byte> exact = compressed(rows), less = compressed(rows.substr(0, 5));
  const auto expect_rejected = [](const Bytes& bytes) {
    expect_error<DataError>([&] { parse_png(bytes.all(), "bad.png"); }, {"bad.png", "the PNG is invalid"});
  };
  expect_rejected(png_of_data({less})); // a pixel is missing
  for (size_t length = 0; length < exact.size(); ++length) {
    expect_rejected(png_of_data({std::span(exact).first(length)}));
  }
  for (size_t at = exact.size() - 4; at < exact.size(); ++at) { // the checksum of the pixels
    std::vector<std::byte> damaged = exact;
    damaged[at] ^= std::byte{0x10};
    expect_rejected(png_of_data({damaged}));
  }
}

TEST(Png, RejectsEveryDamagedByte) {
  const Bytes whole = small_png();
  for (size_t at = 0; at < whole.size(); ++at) {
    Bytes damaged = whole;
    damaged[at] ^= std::byte{0x10};
    EXPECT_THROW(parse_png(damaged.all(), "damaged.png"), DataError) << "byte " << at;
  }
}

TEST(Png, RejectsSizesThatTheFileCannotContain) {
  const Bytes huge = png(0x7FFFFFFF, 0x7FFFFFFF, 8, kGrey, "x");
  expect_error<DataError>([&] { parse_png(huge.all(), "huge.png"); },
                          {"2147483647 x 2147483647", "2147483647 bytes per row"});
  expect_error<DataError>([&] { parse_png(png(0, 5, 8, kGrey, "x").all(), "flat.png"); },
                          {"flat.png", "width"});
}

TEST(Png, ReadsAFolderInTheOrderOfNames) {
  const TemporaryFolder folder;
  const auto one = [](char grey) { return png(1, 1, 8, kGrey, std::string({'\0', grey})); };
  folder.file("b.PNG", one('\x66').all());
  folder.file("a.png", one('\x33').all());
  folder.file("c.png", one('\0').all());
  folder.file("notes.txt", one('\xFF').all());
  folder.file(".hidden.png", one('\xFF').all());
  const PatternSet set = read_png_folder(folder.path());
  ASSERT_EQ(set.patterns.count(), 3);
  EXPECT_EQ(set.patterns[0][0], 0.2);
  EXPECT_EQ(set.patterns[1][0], 0.4);
  EXPECT_EQ(set.patterns[2][0], 0);
  EXPECT_EQ(set.image_shape(), (ImageShape{1, 1, 1}));
  EXPECT_EQ(set.source, folder.path().filename().string());
  EXPECT_EQ(read_png_folder(folder.path() / "", 2).patterns.count(), 2);
  EXPECT_EQ(read_png_folder(folder.path() / "", 2).source, set.source);

  folder.file("d.png", small_png().all());
  EXPECT_EQ(read_png_folder(folder.path(), 3).patterns.count(), 3);
  expect_error<DataError>([&] { read_png_folder(folder.path()); }, {"d.png", "2 x 2", "a.png", "1 x 1"});
}

TEST(Png, RejectsAFolderWithoutImages) {
  const TemporaryFolder folder;
  expect_error<DataError>([&] { read_png_folder(folder.path()); },
                          {folder.path().string(), "no files named *.png"});
  expect_error<DataError>([&] { read_png_folder(folder.path() / "no"); }, {"cannot be read"});
}

TEST(Png, WritesDeterministically) {
  const TemporaryFolder folder;
  const Image image{
      .height = 2, .width = 2, .channels = 3, .pixels = {0, 0, 0, 255, 0, 0, 0, 255, 0, 1, 2, 3}};
  write_png(folder.path() / "a.png", image);
  write_png(folder.path() / "b.png", image);
  const std::vector<std::byte> bytes = read_file(folder.path() / "a.png");
  EXPECT_EQ(bytes, read_file(folder.path() / "b.png"));
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  EXPECT_EQ(text.find("tIME"), std::string::npos);
  EXPECT_EQ(read_png(folder.path() / "a.png").patterns[0][1], 0.299);
}

TEST(Png, RejectsImagesWithInconsistentSizes) {
  const TemporaryFolder folder;
  const auto expect_rejected = [&](const Image& image, std::initializer_list<std::string_view> parts) {
    expect_error<UsageError>([&] { write_png(folder.path() / "a.png", image); }, parts);
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "a.png"));
  };
  expect_rejected({.height = 2, .width = 2, .channels = 1, .pixels = {0, 0, 0}},
                  {"2 x 2", "1 channels", "3 samples"});
  expect_rejected({.height = 1, .width = 1, .channels = 2, .pixels = {0, 0}}, {"2 channels"});
  expect_rejected({.height = 0, .width = 1, .channels = 1, .pixels = {}}, {"0 x 1"});
  expect_rejected({.height = -1, .width = -1, .channels = 1, .pixels = {0}}, {"-1 x -1"});
  expect_error<OutputError>(
      [&] {
        write_png(folder.path() / "no" / "a.png", {.height = 1, .width = 1, .channels = 1, .pixels = {0}});
      },
      {"a.png"});
}

RC_GTEST_PROP(Png, RoundTripsGrey, ()) {
  Image image{.height = *rc::gen::inRange<int64_t>(1, 20),
              .width = *rc::gen::inRange<int64_t>(1, 20),
              .channels = 1,
              .pixels = {}};
  image.pixels = *rc::gen::container<std::vector<uint8_t>>(static_cast<size_t>(image.height * image.width),
                                                           rc::gen::arbitrary<uint8_t>());
  const TemporaryFolder folder;
  write_png(folder.path() / "a.png", image);
  const PatternSet set = read_png(folder.path() / "a.png");
  RC_ASSERT(set.image_shape() == (ImageShape{image.height, image.width, 1}));
  for (size_t at = 0; at < image.pixels.size(); ++at) {
    RC_ASSERT(set.patterns[0][at] == image.pixels[at] / 255.0);
  }
}

} // namespace
} // namespace mneme::data
