// SPDX-License-Identifier: MIT

#include "mneme/core/text.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace mneme {
namespace {

TEST(Printable, LeavesTextOfAnyLanguageUnchanged) {
  for (const char* text : {"", "digits.npy", "gr\u00fc\u00df \U0001F600", "記憶 e\u0301", "C:\\new\\table"}) {
    EXPECT_EQ(printable(text), text);
    EXPECT_EQ(printable_message(text), text);
  }
}

TEST(Printable, EscapesBytesThatAreNotUtf8) {
  EXPECT_EQ(printable("\xff\xfe.npy"), "\\xff\\xfe.npy");
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");                   // overlong slash
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");          // surrogate
  EXPECT_EQ(printable("a\xe2\x82"), "a\\xe2\\x82");                 // truncated
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80"); // beyond Unicode
}

TEST(Printable, EscapesControlCharacters) {
  EXPECT_EQ(printable("a\x1b[2Jb\nc\td\r\x7f"), "a\\x1b[2Jb\\nc\\td\\r\\x7f");
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(printable("\u009B31m"), "\\x9b31m"); // one-character form of escape [
  EXPECT_EQ(printable("\u202Etxt\u2028"), "\\u202etxt\\u2028");
}

TEST(PrintableMessage, KeepsLineFeedsBeforeAdviceOnly) {
  EXPECT_EQ(printable_message("a.npy: is empty.\n  Copy it again."), "a.npy: is empty.\n  Copy it again.");
  EXPECT_EQ(printable_message("a\nmneme: all is well\x1b[K"), "a\\nmneme: all is well\\x1b[K");
}

TEST(ShellArgument, LeavesPathsWithoutSpecialCharactersUnchanged) {
  for (const char* text : {"notes", "./data/a-b_c.npy", "r\u00e9sum\u00e9/\U0001F600", "a+b,c@d:80%"}) {
    EXPECT_EQ(shell_argument(text), text);
  }
}

TEST(ShellArgument, QuotesWhatAShellInterprets) {
  EXPECT_EQ(shell_argument("my notes"), "'my notes'");
  EXPECT_EQ(shell_argument("it's $HOME/*"), "'it'\\''s $HOME/*'");
  EXPECT_EQ(shell_argument("~a"), "'~a'");
  EXPECT_EQ(shell_argument(""), "''");
  EXPECT_EQ(shell_path("-dash"), "./-dash");
  EXPECT_EQ(shell_path("-my notes"), "'./-my notes'");
}

TEST(ShellArgument, EscapesWhatATerminalMustNotPrint) {
  EXPECT_EQ(shell_argument("a\nb\xff"), "$'a\\nb\\xff'");
  EXPECT_EQ(shell_argument("\x1b it's \\"), "$'\\x1b it\\'s \\\\'");
}

RC_GTEST_PROP(Printable, ReturnsOneLineAndIsIdempotent, (const std::string& bytes)) {
  const std::string once = printable(bytes);
  RC_ASSERT(printable(once) == once);
  RC_ASSERT(once.find_first_of("\n\r\t\x1b") == std::string::npos);
}

} // namespace
} // namespace mneme
