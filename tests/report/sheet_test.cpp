// SPDX-License-Identifier: MIT

#include "report/sheet.h"

#include <array>
#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "mneme/core/error.h"
#include "report/font.h"

namespace mneme::report {
namespace {

using Rgb = std::array<int, 3>;
constexpr Rgb kWhite{255, 255, 255}, kBlack{0, 0, 0}, kGreen{0, 135, 90}, kAmber{214, 137, 0},
    kRed{200, 30, 45};

Rgb pixel(const data::Image& image, int64_t y, int64_t x) {
  const uint8_t* at = &image.pixels[static_cast<size_t>((y * image.width + x) * 3)];
  return {at[0], at[1], at[2]};
}

int64_t count(const data::Image& image, const Rgb& colour) {
  int64_t found = 0;
  for (int64_t y = 0; y < image.height; ++y) {
    for (int64_t x = 0; x < image.width; ++x) {
      found += pixel(image, y, x) == colour ? 1 : 0;
    }
  }
  return found;
}

Raster black_square(int64_t side) {
  return {
      .height = side, .width = side, .pixels = std::vector<double>(static_cast<size_t>(side * side), 0.0)};
}

Sheet one_cell(Raster raster, Frame frame = Frame::none) {
  return {.groups = {{.rows = {{.cells = {{std::move(raster), frame}}}}}}};
}

TEST(Sheet, EnlargesCellsByAnIntegerFactor) {
  const data::Image image = draw_sheet(one_cell(black_square(28))); // 84 / 28 = 3
  EXPECT_EQ(image.channels, 3);
  EXPECT_EQ(count(image, kBlack), 84 * 84);
  EXPECT_EQ(image.width, 24 + 84 + 2 * 5 + 24); // margins and space for a frame
  EXPECT_EQ(image.height, image.width);
  EXPECT_EQ(pixel(image, 29, 29), kBlack);
  EXPECT_EQ(pixel(image, 0, 0), kWhite);
}

TEST(Sheet, ReducesLargePictures) {
  EXPECT_EQ(count(draw_sheet(one_cell(black_square(1024))), kBlack), 256 * 256);
}

TEST(Sheet, DrawsPixelsInOrder) {
  const data::Image image =
      draw_sheet(one_cell({.height = 1, .width = 2, .channels = 3, .pixels = {1, 0, 0, 0, 0, 1}}));
  EXPECT_EQ(pixel(image, 30, 30), (Rgb{255, 0, 0}));
  EXPECT_EQ(pixel(image, 30, 29 + 42), (Rgb{0, 0, 255}));
}

TEST(Sheet, DrawsTransparentPixelsAsBackground) {
  Raster raster = black_square(2);
  raster.pixels[3] = std::nan("");
  EXPECT_EQ(count(draw_sheet(one_cell(raster)), kBlack), 3 * 42 * 42);
}

TEST(Sheet, FramesDifferInColourAndLineStyle) {
  const auto ink = [](Frame frame, const Rgb& colour) {
    const data::Image image = draw_sheet(one_cell(black_square(28), frame));
    EXPECT_GT(count(image, colour), 0);
    return count(image, colour);
  };
  const int64_t solid = ink(Frame::exact, kGreen), dashed = ink(Frame::close, kAmber),
                dotted = ink(Frame::wrong, kRed);
  EXPECT_EQ(solid, (94 * 94 - 88 * 88) + (24 * 24 - 18 * 18)); // around the cell and in the legend
  EXPECT_LT(dashed, solid);
  EXPECT_LT(dotted, dashed);
}

TEST(Sheet, HasALegendForTheFramesItContains) {
  const data::Image without = draw_sheet(one_cell(black_square(28)));
  const data::Image with = draw_sheet(one_cell(black_square(28), Frame::exact));
  EXPECT_GT(with.height, without.height);
  EXPECT_EQ(count(with, kAmber) + count(with, kRed), 0);
}

TEST(Sheet, GrowsWithItsCaptions) {
  Sheet sheet = one_cell(black_square(28));
  const data::Image plain = draw_sheet(sheet);
  sheet.groups[0].rows[0].caption = "digit 7";
  const data::Image captioned = draw_sheet(sheet);
  EXPECT_EQ(captioned.width, plain.width + (7 * 6 - 1) * 2 + 28);
  sheet.columns = {"stored"};
  sheet.title = "Recall";
  sheet.groups[0].heading = "noise 10 %";
  const data::Image full = draw_sheet(sheet);
  EXPECT_GT(full.height, captioned.height + 27 + 18 + 18);
}

TEST(Sheet, HasLargerTextIfItIsWide) {
  Sheet sheet = one_cell(black_square(28));
  sheet.groups[0].rows[0].cells.assign(15, {black_square(28)});
  const int64_t plain = draw_sheet(sheet).width;
  sheet.groups[0].rows[0].caption = "digit 7";
  EXPECT_EQ(draw_sheet(sheet).width, plain + (7 * 6 - 1) * 3 + 28);
}

TEST(Sheet, IsReproducible) {
  EXPECT_EQ(draw_sheet(one_cell(black_square(5), Frame::close)).pixels,
            draw_sheet(one_cell(black_square(5), Frame::close)).pixels);
}

TEST(Sheet, IsBlankIfEmpty) {
  const data::Image image = draw_sheet({});
  EXPECT_GT(image.height, 0);
  EXPECT_EQ(count(image, kWhite), image.height * image.width);
}

TEST(Sheet, ReportsBothCountsIfARowIsTooLong) {
  Sheet sheet = one_cell(black_square(2));
  sheet.columns = {"a"};
  sheet.groups[0].rows[0].cells.push_back({black_square(2)});
  try {
    (void)draw_sheet(sheet);
    FAIL() << "nothing was thrown";
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("has 2 cells, but there are 1 column captions"),
              std::string::npos);
  }
}

TEST(Sheet, RejectsInvalidRastersAndSheetsThatAreTooLarge) {
  EXPECT_THROW((void)draw_sheet(one_cell({.height = 2, .width = 2, .pixels = {1, 0, 1}})), UsageError);
  EXPECT_THROW(
      (void)draw_sheet(one_cell({.height = int64_t{1} << 62, .width = int64_t{1} << 62, .pixels = {1}})),
      UsageError);
  Sheet sheet;
  sheet.groups.push_back({.rows = std::vector<SheetRow>(20000, {.cells = std::vector<SheetCell>(100)})});
  sheet.groups[0].rows[0].cells.assign(100, {black_square(28)});
  for (SheetRow& row : sheet.groups[0].rows) {
    row.caption = "row";
  }
  EXPECT_THROW((void)draw_sheet(sheet), UsageError);
}

TEST(Raster, ArrangesPatternsThatAreNotImagesInARectangle) {
  BitPatterns bits(2, 10);
  bits.set(1, 0, true);
  const Raster raster = to_raster(bits, 1);
  EXPECT_EQ(raster.width, 4);
  EXPECT_EQ(raster.height, 3);
  EXPECT_EQ(raster.pixels[0], 1.0);
  EXPECT_EQ(raster.pixels[9], 0.0);
  EXPECT_TRUE(std::isnan(raster.pixels[10]));
  EXPECT_EQ(to_raster(bits, 1, {}, true).pixels[0], 0.0);
}

TEST(Raster, MapsRealNumbersToBlackAndWhite) {
  const RealPatterns reals(1, 4, {-1, 0, 0.5, 1});
  const Raster raster = to_raster(reals, 0, {2, 2, 1}, -1, 1);
  EXPECT_EQ(raster.pixels, (std::vector<double>{0, 0.5, 0.75, 1}));
}

TEST(Raster, ReportsBothSizesIfTheShapeDoesNotMatch) {
  try {
    (void)to_raster(BitPatterns(1, 10), 0, {3, 3, 1});
    FAIL() << "nothing was thrown";
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("3 x 3 x 1, but a pattern has 10"), std::string::npos)
        << error.what();
  }
  EXPECT_THROW((void)to_raster(BitPatterns(1, 10), 1), UsageError);
  EXPECT_THROW((void)to_raster(BitPatterns(1, 10), 0, {-2, -5, 1}), UsageError);
}

TEST(Raster, ReducesByMeansWithoutTransparentPixels) {
  const Raster raster{.height = 2, .width = 3, .pixels = {0, 1, std::nan(""), 1, 1, 0.5}};
  const Raster small = reduced(raster, 2);
  EXPECT_EQ(small.pixels, (std::vector<double>{0.75, 0.5}));
}

TEST(Font, HasADifferentGlyphForEveryPrintableCharacter) {
  std::set<std::string> glyphs;
  for (int c = 0x20; c <= 0x7F; ++c) {
    std::string bits;
    for (int64_t row = 0; row < kGlyphHeight; ++row) {
      for (int64_t column = 0; column < kGlyphWidth; ++column) {
        bits += glyph_pixel(static_cast<char>(c), row, column) ? '#' : '.';
      }
    }
    EXPECT_TRUE(glyphs.insert(bits).second) << "glyph of " << static_cast<char>(c);
  }
}

TEST(Font, ReplacesCharactersThatItDoesNotHave) {
  EXPECT_EQ(to_font_characters("5 × 5 ± 1 – é記\n"), "5 x 5 +- 1 - \x7F\x7F ");
}

} // namespace
} // namespace mneme::report
