// SPDX-License-Identifier: MIT

#include "mneme/tokens/json_lines.h"

#include <gtest/gtest.h>

#include "core/text_checks.h"
#include "mneme/core/error.h"

namespace mneme::tokens {
namespace {

using mneme::testing::expect_contains;
using Texts = std::vector<std::string>;

TEST(JsonLines, ReturnsTheFieldOfEveryLine) {
  EXPECT_EQ(parse_json_lines("{\"text\": \"a\\nb\", \"id\": 1}\r\n\n{\"text\": \"\\u65e5\"}", "text", "file"),
            (Texts{"a\nb", "\u65e5"}));
  EXPECT_EQ(parse_json_lines("{\"body\": \"\"}\n", "body", "file"), Texts{""});
  EXPECT_EQ(parse_json_lines("", "text", "file"), Texts());
}

TEST(JsonLines, NamesTheLineOfAnError) {
  const auto message = [](const std::string& lines) -> std::string {
    try {
      parse_json_lines(lines, "text", "file.jsonl");
    } catch (const DataError& error) {
      return error.what();
    }
    return "";
  };
  expect_contains(message("{\"text\": \"a\"}\n{\"body\": 1, \"id\": 2}\n"),
                  {"file.jsonl", "line 2", "\"text\"", "body, id"});
  expect_contains(message("{\"text\": 5}"), {"line 1", "not a text"});
  expect_contains(message("{\"text\": \"a\"}\n\n{\"text\": \"a\"\n"), {"line 3"});
  expect_contains(message("[1]"), {"line 1"});
  expect_contains(message(R"({"text":"\ud83d"})"),
                  {"line 1: invalid JSON in column 10: \\ud83d is half of a surrogate pair"});
  expect_contains(message(R"({"text":"\uD83D\u0041"})"), {"column 10: \\uD83D is half"});
  expect_contains(message(R"({"text":"a\\ud83d \ude00b"})"), {"column 19: \\ude00 is half"});
}

} // namespace
} // namespace mneme::tokens
