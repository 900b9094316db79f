// SPDX-License-Identifier: MIT

#include "report/text.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "report/number.h"

namespace mneme::report {
namespace {

TEST(Text, EscapesSpecialCharactersOfHtml) {
  EXPECT_EQ(escape_html("</script><img src=x onerror=\"a('b')\">&"),
            "&lt;/script&gt;&lt;img src=x onerror=&quot;a(&#39;b&#39;)&quot;&gt;&amp;");
  EXPECT_EQ(escape_html(std::string_view("a\0b\x1b", 4)), "a\uFFFDb\uFFFD");
}

TEST(Text, ReplacesInvalidUtf8) {
  EXPECT_EQ(encode_utf8(decode_utf8("gr\u00fc\u00df \U0001F600")), "gr\u00fc\u00df \U0001F600");
  EXPECT_EQ(encode_utf8(decode_utf8("a\xff")), "a\uFFFD");
  EXPECT_EQ(encode_utf8(decode_utf8("\xc0\xaf")), "\uFFFD\uFFFD");           // overlong slash
  EXPECT_EQ(encode_utf8(decode_utf8("\xed\xa0\x80")), "\uFFFD\uFFFD\uFFFD"); // surrogate
  EXPECT_EQ(encode_utf8(decode_utf8("\xe2\x82")), "\uFFFD\uFFFD");           // cut off
}

RC_GTEST_PROP(Text, AnyBytesBecomeValidUtf8, (const std::string& bytes)) {
  const std::string once = encode_utf8(decode_utf8(bytes));
  RC_ASSERT(encode_utf8(decode_utf8(once)) == once);
  RC_ASSERT(escape_html(bytes).find_first_of("<>\"'") == std::string::npos);
}

TEST(Text, RemovesTerminalControls) {
  EXPECT_EQ(one_line("a\x1b[2Jb\nc\td\r"), "a\uFFFD[2Jb c d ");
  EXPECT_EQ(one_line("\u202Etxt"), "\uFFFDtxt"); // right-to-left override
  EXPECT_EQ(one_line("\u009B31m"), "\uFFFD31m"); // one-character form of escape [
}

TEST(Text, CountsNounsInSingularAndPlural) {
  EXPECT_EQ(counted(1, "layer"), "1 layer");
  EXPECT_EQ(counted(0, "layer"), "0 layers");
  EXPECT_EQ(counted(1, "query", "queries"), "1 query");
  EXPECT_EQ(counted(2, "query", "queries"), "2 queries");
}

TEST(Text, MeasuresWideAndCombiningCharacters) {
  EXPECT_EQ(display_width("abc"), 3);
  EXPECT_EQ(display_width("記憶"), 4);
  EXPECT_EQ(display_width("e\u0301"), 1);
  EXPECT_EQ(display_width("\U0001F600"), 2);
  EXPECT_EQ(display_width("\u0939\u093F\u0928\u094D\u0926\u0940"),
            3);                                      // Devanagari letters with combining marks
  EXPECT_EQ(display_width("\u1112\u1161\u11AB"), 2); // decomposed Hangul
  EXPECT_EQ(display_width("a\u200B\u00A0b"), 3);     // zero width and no-break spaces
  EXPECT_EQ(display_width("a\xff\xe8\xa8"), 4);      // three bytes that are not UTF-8
}

TEST(Text, MeasuresAndWrapsWholeGraphemes) {
  const std::string flag = "\U0001F1E9\U0001F1EA", thumb = "\U0001F44D\U0001F3FD",
                    family = "\U0001F468\u200D\U0001F469\u200D\U0001F467", letter = "e\u0301\u0323";
  for (const std::string& shown : {flag, thumb, family}) {
    EXPECT_EQ(display_width(shown), 2) << shown;
    EXPECT_EQ(wrap(shown + shown + shown, 5), (std::vector<std::string>{shown + shown, shown}));
  }
  EXPECT_EQ(wrap(letter + letter + letter, 2), (std::vector<std::string>{letter + letter, letter}));
}

RC_GTEST_PROP(Text, WrapsAnyTextToTheWidth, (const std::u32string& points)) {
  const std::string text = one_line(encode_utf8(points));
  for (const std::string& line : wrap(text, 7)) {
    RC_ASSERT(display_width(line) <= 7);
  }
}

TEST(Text, WrapsBetweenWordsAndInsideLongOnes) {
  EXPECT_EQ(wrap("one two three", 7), (std::vector<std::string>{"one two", "three"}));
  EXPECT_EQ(wrap("abcdefgh", 3), (std::vector<std::string>{"abc", "def", "gh"}));
  EXPECT_EQ(wrap("記憶装置", 5), (std::vector<std::string>{"記憶", "装置"}));
  EXPECT_EQ(wrap("", 5), (std::vector<std::string>{""}));
}

TEST(Text, EscapesTagsThatWouldEndAScript) {
  EXPECT_EQ(escape_script("'</SCRIPT>' + '<!--' + a</b/"), "'<\\/SCRIPT>' + '<\\!--' + a</b/");
}

TEST(Number, ShowsTheRequestedDigits) {
  EXPECT_EQ(format_number(0.12345, Notation::fixed, 2), "0.12");
  EXPECT_EQ(format_number(0.12345, Notation::percent, 1), "12.3");
  EXPECT_EQ(format_number(1234.5678, Notation::automatic, 4), "1235");
  EXPECT_EQ(format_number(0.00001, Notation::automatic, 4), "1e-05");
  EXPECT_EQ(format_number(-0.001, Notation::fixed, 2), "0.00");
  EXPECT_EQ(format_number(1e300, Notation::fixed, 2), "1e+300");
}

TEST(Number, PrintsNanAndInfinity) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(format_number(std::nan(""), Notation::fixed, 2), "nan");
  EXPECT_EQ(exact_number(infinity), "inf");
  EXPECT_EQ(exact_number(-infinity), "-inf");
}

} // namespace
} // namespace mneme::report
