// SPDX-License-Identifier: MIT

#include "report/table.h"

#include <bit>
#include <clocale>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <sstream>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "mneme/core/error.h"
#include "report/text.h"

namespace mneme::report {
namespace {

using std::string_literals::operator""s;

Table recall_table() {
  return {.columns = {{.name = "memory"},
                      {.name = "noise", .notation = Notation::percent, .digits = 0},
                      {.name = "exact", .key = "recalled_exactly", .notation = Notation::fixed, .digits = 3},
                      {.name = "time", .unit = "ms", .notation = Notation::fixed, .digits = 1}},
          .rows = {{"記憶"s, 0.1, Estimate{0.934, 0.922, 0.946}, 1.25},
                   {"modern Hopfield"s, 0.2, Estimate{0.5, 0.4, 0.6}, 120.0},
                   {"attention"s, 0.3, 1.0, Missing{}}}};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

TEST(TableText, AlignsWideCharactersNumbersAndIntervals) {
  EXPECT_EQ(to_text(recall_table()), "memory           noise (%)          exact  time (ms)\n"
                                     "───────────────  ─────────  ─────────────  ─────────\n"
                                     "記憶                    10  0.934 ± 0.012        1.2\n"
                                     "modern Hopfield         20  0.500 ± 0.100      120.0\n"
                                     "attention               30  1.000                  –\n");
}

TEST(TableText, ShowsAsymmetricIntervalsByTheirEnds) {
  Table table = recall_table();
  table.rows[1][2] = Estimate{1, 0.9, 1};
  const std::vector<std::string> lines = lines_of(to_text(table));
  EXPECT_NE(lines[2].find("0.934 [0.922, 0.946]"), std::string::npos);
  EXPECT_NE(lines[3].find("1.000 [0.900, 1.000]"), std::string::npos);
}

TEST(TableText, HasNoEscapeSequencesWithoutColour) {
  Table table = recall_table();
  table.rows[0][0] = "\x1b[31mred"s;
  EXPECT_EQ(to_text(table).find('\x1b'), std::string::npos);
  EXPECT_NE(to_text(table, {.colour = true}).find("\x1b[1m"), std::string::npos);
  EXPECT_EQ(to_text(table, {.colour = true}).find("\x1b[31m"), std::string::npos);
}

TEST(TableText, NeverExceedsTheWidth) {
  Table table = recall_table();
  table.rows[0][0] = "a name that is very long indeed and has anunusuallylongwordwithoutanybreak in it"s;
  for (int64_t width = 16; width <= 140; ++width) {
    for (const std::string& line : lines_of(to_text(table, {.width = width}))) {
      ASSERT_LE(display_width(line), width) << line;
    }
  }
}

TEST(TableText, PrintsFewRowsAsBlocksIfNumbersDoNotFit) {
  Table table = recall_table();
  table.rows.pop_back(); // larger tables are split
  const std::string text = to_text(table, {.width = 30});
  EXPECT_NE(text.find("memory     modern Hopfield\n"), std::string::npos) << text;
  EXPECT_NE(text.find("exact      0.500 ± 0.100\n"), std::string::npos) << text;
}

TEST(TableText, SplitsATableWhoseNumbersDoNotFitNextToTheColumnsThatIdentifyARow) {
  Table table{.columns = {{.name = "memory"}, {.name = "noise"}, {.name = "first"}, {.name = "second"}},
              .rows = {}};
  for (const double noise : {0.1, 0.2, 0.3}) { // an empty cell repeats the one above
    table.rows.push_back({noise == 0.1 ? "sdm"s : ""s, noise, 1.2345678, 2.0});
  }
  EXPECT_EQ(to_text(table, {.width = 21}), "memory  noise  first\n"
                                           "──────  ─────  ─────\n"
                                           "sdm       0.1  1.235\n"
                                           "          0.2  1.235\n"
                                           "          0.3  1.235\n"
                                           "\n"
                                           "memory  noise  second\n"
                                           "──────  ─────  ──────\n"
                                           "sdm       0.1       2\n"
                                           "          0.2       2\n"
                                           "          0.3       2\n");
}

TEST(TableText, IsEmptyWithoutColumnsAndOnlyAHeaderWithoutRows) {
  EXPECT_EQ(to_text({}), "");
  EXPECT_EQ(to_text({.columns = {{.name = "a"}, {.name = "b"}}}), "a  b\n─  ─\n");
}

TEST(TableCsv, QuotesAsInTheRfcAndEndsLinesWithLf) {
  const Table table{
      .columns = {{.name = "name, of it"}, {.name = "n"}},
      .rows = {{"say \"hi\""s, int64_t{-7}}, {"two\r\nlines"s, Missing{}}, {""s, 0.5}, {" x"s, 1.0}}};
  EXPECT_EQ(to_csv(table), "\"name, of it\",n\n"
                           "\"say \"\"hi\"\"\",-7\n"
                           "\"two\r\nlines\",\n"
                           "\"\",0.5\n"
                           "\" x\",1\n");
}

TEST(TableCsv, HasSeparateColumnsForIntervals) {
  EXPECT_EQ(to_csv(recall_table()),
            "memory,noise,recalled_exactly,recalled_exactly_low,recalled_exactly_high,time\n"
            "記憶,0.1,0.934,0.922,0.946,1.25\n"
            "modern Hopfield,0.2,0.5,0.4,0.6,120\n"
            "attention,0.3,1,,,\n");
}

RC_GTEST_PROP(TableCsv, NumbersRoundTrip, (uint64_t bits)) {
  const auto value = std::bit_cast<double>(bits);
  RC_PRE(std::isfinite(value));
  const std::string csv = to_csv({.columns = {{.name = "x"}}, .rows = {{value}}});
  RC_ASSERT(std::bit_cast<uint64_t>(std::strtod(csv.c_str() + 2, nullptr)) == bits);
}

TEST(TableCsv, IsIndependentOfTheLocale) {
  const std::string before = to_csv(recall_table()), text = to_text(recall_table());
  const std::string old = std::setlocale(LC_ALL, nullptr);
  for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8", "C.UTF-8"}) {
    std::setlocale(LC_ALL, name); // no effect if the locale is not installed
    EXPECT_EQ(to_csv(recall_table()), before);
    EXPECT_EQ(to_text(recall_table()), text);
  }
  std::setlocale(LC_ALL, old.c_str());
}

TEST(TableJson, IsAnArrayOfObjectsInColumnOrder) {
  EXPECT_EQ(to_json(recall_table()).dump(),
            R"([{"memory":"記憶","noise":0.1,"recalled_exactly":0.934,"recalled_exactly_low":0.922,)"
            R"("recalled_exactly_high":0.946,"time":1.25},)"
            R"({"memory":"modern Hopfield","noise":0.2,"recalled_exactly":0.5,"recalled_exactly_low":0.4,)"
            R"("recalled_exactly_high":0.6,"time":120.0},)"
            R"({"memory":"attention","noise":0.3,"recalled_exactly":1.0,"recalled_exactly_low":null,)"
            R"("recalled_exactly_high":null,"time":null}])");
}

TEST(TableJson, HasNullForNumbersThatAreNotFiniteAndRepairsText) {
  const Table table{.columns = {{.name = "x"}, {.name = "t"}},
                    .rows = {{std::numeric_limits<double>::infinity(), "\xff"s}, {std::nan(""), "b"s}}};
  EXPECT_EQ(to_json(table).dump(), "[{\"x\":null,\"t\":\"\uFFFD\"},{\"x\":null,\"t\":\"b\"}]");
}

TEST(Table, ReportsBothCountsIfARowHasTheWrongLength) {
  const Table table{.columns = {{.name = "a"}, {.name = "b"}}, .rows = {{1.0, 2.0}, {1.0}}};
  try {
    (void)to_csv(table);
    FAIL() << "nothing was thrown";
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("row 1 has 1 cells, but there are 2 columns"), std::string::npos)
        << error.what();
  }
}

TEST(Table, RejectsTwoColumnsOfTheSameKey) {
  const Table table{.columns = {{.name = "p"}, {.name = "p_low"}}, .rows = {{Estimate{1, 0, 2}, 1.0}}};
  EXPECT_THROW((void)to_csv(table), UsageError);
  EXPECT_THROW((void)to_json(table), UsageError);
  EXPECT_THROW((void)to_text(table), UsageError);
}

} // namespace
} // namespace mneme::report
