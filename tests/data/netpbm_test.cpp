// SPDX-License-Identifier: MIT

#include "mneme/data/netpbm.h"

#include <initializer_list>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "data/testing.h"
#include "mneme/data/load_patterns.h"
#include "mneme/data/png.h"

namespace mneme::data {
namespace {

PatternSet read(std::string_view text) {
  return parse_netpbm(Bytes().text(text).all(), "folder/a.pgm");
}

std::vector<double> pixels(std::string_view text) {
  const PatternSet set = read(text);
  return {set.patterns[0].begin(), set.patterns[0].end()};
}

TEST(Netpbm, ReadsGreyImagesInBothForms) {
  const std::vector<double> expected{0, 0.2, 0.4, 1, 0.6, 0.8};
  EXPECT_EQ(pixels("P2\n# by hand\n3 2 #size\n255\n0 51 102\n255 153 204\n"), expected);
  EXPECT_EQ(pixels(std::string_view("P5 3 2 255 \x00\x33\x66\xFF\x99\xCC", 17)), expected);
  EXPECT_EQ(pixels("P2 3 2 5 0 1 2 5 3 4"), expected);
  const PatternSet set = read("P2 3 2 5 0 1 2 5 3 4");
  EXPECT_EQ(set.height, 2);
  EXPECT_EQ(set.width, 3);
  EXPECT_EQ(set.channels, 1);
  EXPECT_EQ(set.threshold, 0.5);
  EXPECT_EQ(set.file_scale, 5);
  EXPECT_EQ(set.source, "a.pgm");
}

TEST(Netpbm, ReadsSamplesOfTwoBytes) {
  EXPECT_EQ(pixels(std::string_view("P5 2 1 65535\n\x33\x33\xFF\xFF", 17)), std::vector<double>({0.2, 1}));
}

TEST(Netpbm, ReadsBitmapsWithBlackAsZero) {
  const std::vector<double> expected{0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 0};
  EXPECT_EQ(pixels("P1 9 2 1 0 1 1 1 0 0 0 0\n010000001"), expected);
  EXPECT_EQ(pixels(std::string_view("P4\n9 2\n\xB8\x00\x40\x80", 11)), expected);
}

TEST(Netpbm, ReadsColoursAsLuma) {
  EXPECT_EQ(pixels("P3 2 1 255 255 0 0 51 51 51"), std::vector<double>({0.299, 0.2}));
  EXPECT_EQ(pixels(std::string_view("P6 2 1 255 \xFF\x00\x00\x33\x33\x33", 17)),
            std::vector<double>({0.299, 0.2}));
}

TEST(Netpbm, RejectsDamagedFiles) {
  const auto refused = [](std::string_view text, std::initializer_list<std::string_view> parts) {
    expect_error<DataError>([&] { read(text); }, parts);
  };
  refused("P7 2 2 255 ", {"a.pgm", "P1 to P6"});
  refused("P5", {"P1 to P6"});
  refused("P5 2", {"the height"});
  refused("P5 2 x", {"\"x\"", "the height"});
  refused("P5 0 2 255 ", {"0 x 2 pixels"});
  refused("P5 2 2 0 ", {"maximum 0"});
  refused("P5 2 2 70000 ", {"the maximum", "65535"});
  refused("P5 99999999999 2 255 ", {"the width", "above"});
  refused("P5 1000000000 1000000000 255 \1", {"bytes for 1000000000 x 1000000000"});
  refused("P5 2 2 255", {"white space"});
  refused("P5 2 2 255 \1\2\3", {"3 bytes of pixels", "4 were expected"});
  refused("P5 2 1 255 \1\2\3", {"3 bytes of pixels", "2 were expected", "several images"});
  refused("P5 1 1 3 \4", {"sample 4", "maximum 3"});
  refused("P2 2 1 3 1", {"a sample"});
  refused("P2 2 1 3 1 4", {"sample 4", "maximum 3"});
  refused("P2 2 1 3 1 2 3", {"more than 2 samples"});
  refused("P1 2 1 1 2", {"sample"});
}

TEST(Netpbm, IsReadFromFilesAndFolders) {
  const TemporaryFolder folder;
  folder.file("a.pgm", Bytes().text("P2 2 1 5 0 5").all());
  folder.file("b.pbm", Bytes().text("P1 2 1 01").all());
  write_png(folder.path() / "c.png", {.height = 1, .width = 2, .channels = 1, .pixels = {0, 255}});
  const PatternSet all = load_patterns(folder.path());
  EXPECT_EQ(all.patterns, RealPatterns(3, 2, {0, 1, 1, 0, 0, 1}));
  EXPECT_TRUE(all.is_image());
  EXPECT_EQ(load_patterns(folder.path() / "b.pbm").patterns, RealPatterns(1, 2, {1, 0}));
  // The header of a table is not one of these formats.
  folder.file("d.txt", Bytes().text("P1 P2\n1 2\n3 4\n").all());
  EXPECT_EQ(load_patterns(folder.path() / "d.txt").patterns.count(), 2);
}

} // namespace
} // namespace mneme::data
