// SPDX-License-Identifier: MIT

#include "report/terminal.h"

#include <cmath>
#include <sstream>

#include <gtest/gtest.h>

#include "mneme/core/error.h"
#include "report/text.h"

namespace mneme::report {
namespace {

std::string draw(const std::vector<TerminalPattern>& patterns, const TerminalStyle& style = {}) {
  return draw_patterns(patterns, style);
}

Raster white(int64_t height, int64_t width) {
  return {.height = height,
          .width = width,
          .pixels = std::vector<double>(static_cast<size_t>(height * width), 1.0)};
}

TEST(Terminal, DrawsTwoPixelsPerCharacter) {
  const Raster raster{.height = 2, .width = 4, .pixels = {1, 1, 0, 0, /**/ 1, 0, 1, 0}};
  EXPECT_EQ(draw({{raster}}), "█▀▄\n");
}

TEST(Terminal, DrawsAnOddLastRowAsUpperHalves) {
  EXPECT_EQ(draw({{white(3, 2)}}), "██\n▀▀\n");
}

TEST(Terminal, DrawsPatternsSideBySideWithCaptions) {
  EXPECT_EQ(draw({{white(2, 6), "stored"}, {white(4, 6), "cue", "2 off"}}), "stored   cue\n"
                                                                            "██████   ██████\n"
                                                                            "         ██████\n"
                                                                            "         2 off\n");
}

TEST(Terminal, ContinuesBelowIfPatternsDoNotFit) {
  EXPECT_EQ(draw({{white(2, 6)}, {white(2, 6)}, {white(2, 6)}}, {.width = 16}),
            "██████   ██████\n\n██████\n");
}

TEST(Terminal, NeverExceedsTheWidth) {
  const std::vector<TerminalPattern> patterns(
      5, {white(30, 100), "a caption that is much longer than the terminal is wide", "記憶記憶記憶記憶記憶"});
  for (int64_t width = 10; width < 120; width += 7) {
    std::istringstream stream(draw(patterns, {.width = width, .indent = 2}));
    for (std::string line; std::getline(stream, line);) {
      ASSERT_LE(display_width(line), width) << line;
      ASSERT_TRUE(line.empty() || line.starts_with("  ")) << line;
    }
  }
}

TEST(Terminal, UsesGreysOnlyWithColour) {
  const Raster raster{.height = 2, .width = 2, .pixels = {0.0, 0.5, 1.0, std::nan("")}};
  EXPECT_EQ(draw({{raster}}), "▄\n");
  EXPECT_EQ(draw({{raster}}, {.colour = true}), "\x1b[38;5;16;48;5;231m▀\x1b[0m\x1b[38;5;244m▀\x1b[0m\n");
}

TEST(Terminal, WritesCodesOncePerRunOfEqualGreys) {
  EXPECT_EQ(draw({{white(2, 3)}}, {.colour = true}), "\x1b[38;5;231;48;5;231m▀▀▀\x1b[0m\n");
}

TEST(Terminal, RemovesEscapeSequencesFromCaptions) {
  EXPECT_EQ(draw({{white(2, 8), "\x1b[2Jx"}}).find('\x1b'), std::string::npos);
}

TEST(Terminal, DrawsNothingWithoutPatterns) {
  EXPECT_EQ(draw({}), "");
}

TEST(Terminal, RejectsTooFewColumnsAndInvalidRasters) {
  try {
    (void)draw({{white(2, 2)}}, {.width = 10, .indent = 4});
    FAIL() << "nothing was thrown";
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("10 columns with an indent of 4"), std::string::npos)
        << error.what();
  }
  EXPECT_THROW((void)draw({{{.height = 2, .width = 2, .pixels = {1}}}}), UsageError);
}

} // namespace
} // namespace mneme::report
