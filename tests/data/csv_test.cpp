// SPDX-License-Identifier: MIT

#include "mneme/data/csv.h"

#include <string>
#include <vector>

#include "data/testing.h"
#include "mneme/core/error.h"

namespace mneme::data {
namespace {

PatternSet parse(const std::string& text, int64_t limit = 0) {
  return parse_csv(Bytes().text(text).all(), "folder/a.csv", limit);
}

void expect_rejected(const std::string& text, std::initializer_list<std::string_view> parts) {
  expect_error<DataError>([&] { parse(text); }, parts);
}

TEST(Csv, SupportsAllDelimiters) {
  const RealPatterns expected(2, 3, {1, -2.5, 3e2, 0, 0.25, 6});
  for (const std::string text :
       {"1,-2.5,3e2\n0,.25,+6\n", "1;-2.5;3e2\n0;.25;+6", "1\t-2.5\t3e2\r\n0\t.25\t+6\r\n",
        "1 -2.5  3e2\r0 .25 +6", "  1 , -2.5 ,3e2 \n 0,0.25,6", "\"1\",\"-2.5\",3e2\n\"0\",\" .25 \",6\n",
        ("\xEF\xBB\xBF"
         "1,-2.5,3E2\n0,.25,6"),
        "# a comment\n\n1,-2.5,3e2 # more\n  \n0,.25,6\n#end", "a,b,c\n1,-2.5,3e2\n0,.25,6", "1 -2.5\t3e2\n",
        "   1   -2.5   3e2\n   0    .25    6\n"}) {
    if (text == "1 -2.5\t3e2\n") {
      expect_rejected(text, {"line 1, column 1", "1 -2.5"});
      continue;
    }
    const PatternSet set = parse(text);
    EXPECT_EQ(set.patterns, expected) << text;
    EXPECT_EQ(set.threshold, 0);
    EXPECT_EQ(set.file_scale, 1);
    EXPECT_TRUE(set.labels.empty());
    EXPECT_FALSE(set.is_image());
    EXPECT_EQ(set.source, "a.csv");
  }
  EXPECT_EQ(parse("1,0\n0,0\n").threshold, 0.5);
  EXPECT_EQ(parse("7").patterns, RealPatterns(1, 1, {7}));
}

TEST(Csv, ReadsVerySmallAndVeryLargeNumbers) {
  EXPECT_EQ(parse("1e-400,0.1\n5e-324,1.7976931348623157e308").patterns,
            RealPatterns(2, 2, {0, 0.1, 5e-324, 1.7976931348623157e308}));
  expect_rejected("1\n1e400", {"line 2, column 1", "finite", "1e400"});
}

TEST(Csv, LimitReadsTheFirstLines) {
  EXPECT_EQ(parse("1,2\n3,4\n5,x\n", 2).patterns, RealPatterns(2, 2, {1, 2, 3, 4}));
  EXPECT_EQ(parse("1,2\n3,4\n", 9).patterns.count(), 2);
  expect_error<UsageError>([] { parse("1,2", -1); }, {"-1"});
}

TEST(Csv, ReadsAColumnOfLabels) {
  const PatternSet numbers = parse("label,1x1,1x2\n7,0,255\n-3,1,2\n");
  EXPECT_EQ(numbers.patterns, RealPatterns(2, 2, {0, 255, 1, 2}));
  EXPECT_EQ(numbers.labels, (std::vector<int64_t>{7, -3}));
  EXPECT_TRUE(numbers.class_names.empty());
  const PatternSet names = parse("x;y;\"Class\"\n1;2;\"C#, old\"\n3;4;Ada\n5;6;\"C#, old\"\n");
  EXPECT_EQ(names.patterns, RealPatterns(3, 2, {1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(names.labels, (std::vector<int64_t>{1, 0, 1}));
  EXPECT_EQ(names.class_names, (std::vector<std::string>{"Ada", "C#, old"}));
  EXPECT_EQ(parse("0,1,TARGET\n1,2,5\n").labels,
            std::vector<int64_t>{5}); // the names of the other columns are numbers
  expect_rejected("label,x\n0.5,1\n", {"line 2, column 1", "0.5", "an integer or a name", "label"});
  expect_rejected("label,x\n,1\n", {"line 2, column 1", "a label was expected"});
  expect_rejected("label,x,class\n1,1,1\n", {"line 1, column 3", "label", "class"});
  expect_rejected("label\n1\n", {"the only column contains labels"});
}

TEST(Csv, RejectsRowsOfDifferentLength) {
  expect_rejected("a,b\n1,2\n\n3\n", {"folder/a.csv: line 4", "has 1 cell,", "have 2"});
  expect_rejected("1,2\n3,4,5\n", {"line 2", "has 3 cells", "have 2"});
  expect_rejected("label,x\n\"a\nb\",2\n3,4,5\n", {"line 4", "has 3 cells"});
}

TEST(Csv, ReportsTheCellThatIsNotANumber) {
  expect_rejected("1,2\n3,x\n", {"line 2, column 2", "\"x\" is not a number"});
  expect_rejected("1,2\n3,\n", {"line 2, column 2", "is empty"});
  expect_rejected("1,,2\n", {"line 1, column 2", "is empty"});
  expect_rejected("1,2,x3\n4,5,6\n",
                  {"line 1, column 3", "\"x3\""}); // not a header, because most cells are numbers
  expect_rejected("NA,NA\n1,2\n", {"line 1, column 1", "NA"});
  expect_rejected("1,2\n3,nan\n", {"line 2, column 2", "finite", "nan"});
  expect_rejected("1,2\n3,-inf\n", {"line 2, column 2", "finite", "-inf"});
  expect_rejected("1,2\n3,0x10\n", {"line 2, column 2", "0x10"});
  expect_rejected("1;2\n0,5;3\n", {"line 2, column 1", "0,5", "sed 's/,/./g'"});
  expect_rejected("1,2\n\"0,5\",3\n",
                  {"line 2, column 1", "0,5", R"~(sed -E 's/"([-+0-9]*),([-+0-9eE]+)"/\1.\2/g' FILE)~"});
  expect_rejected("1,2\n3,\"4\n", {"line 2, column 2", "never closed"});
  expect_rejected("1,2\n\"3\"x,4\n", {"line 2, column 1", "closing quote"});
  expect_rejected(std::string("1,2\n3,\0\n", 8), {"line 2, column 2"});
}

TEST(Csv, RejectsAmbiguousHeadersAndRowNumbers) {
  expect_rejected("0,1,2,3\n1,2,3,4\n", {"line 1", "contains 0, 1, ... 3", "header=False"});
  expect_rejected(",a,b\n0,1,2\n", {"line 1, column 1", "row numbers", "index=False"});
  expect_rejected(",0,1\n0,1,2\n", {"row numbers"});
  EXPECT_EQ(parse("0,1,2\n1,2,3\n").patterns.count(), 2);
}

TEST(Csv, RejectsTablesWithoutNumbers) {
  expect_rejected("a,b\n", {"no line of numbers"});
  expect_rejected("\n# nothing\n", {"no line of numbers"});
}

TEST(Csv, ReadsLinesOfZerosAndOnesAsBits) {
  EXPECT_EQ(parse("0101\n1100\n").patterns, RealPatterns(2, 4, {0, 1, 0, 1, 1, 1, 0, 0}));
  const PatternSet set = parse("bits\n1000000000000001\n\n0000000000000011\n");
  EXPECT_EQ(set.patterns.size(), 16);
  EXPECT_EQ(set.patterns.count(), 2);
  EXPECT_EQ(set.patterns[1][14], 1);
  EXPECT_EQ(set.threshold, 0.5);
  EXPECT_EQ(parse(std::string(400, '1')).patterns.size(), 400) << "more digits than a number may have";
  EXPECT_EQ(parse("1\n0\n1\n").patterns, RealPatterns(3, 1, {1, 0, 1}));
  EXPECT_EQ(parse("10\n11\n").patterns, RealPatterns(2, 1, {10, 11}));
  EXPECT_EQ(parse("0101,1\n1,0\n").patterns, RealPatterns(2, 2, {101, 1, 1, 0}));
  expect_rejected("0101\n110\n", {"line 2", "\"110\" is not a pattern of 4 characters 0 and 1"});
  expect_rejected("0101\n1 100\n", {"line 2", "4 characters"});
  EXPECT_EQ(parse("1100\n0101\n").patterns, RealPatterns(2, 4, {1, 1, 0, 0, 0, 1, 0, 1}));
  EXPECT_EQ(parse("10\n01\n").patterns, RealPatterns(2, 2, {1, 0, 0, 1}));
  EXPECT_EQ(parse("1000\n1500\n").patterns, RealPatterns(2, 1, {1000, 1500})) << "numbers";
  EXPECT_EQ(parse("1000\n100\n").patterns, RealPatterns(2, 1, {1000, 100}));
}

TEST(Csv, ReadsAColumnOfIds) {
  for (const char* name : {"id", "ID", "key", "name"}) {
    const PatternSet set = parse(std::string(name) + ",0,1,class\ndoc-1,1,2,a\n\"b, c\",3,4,b\n");
    EXPECT_EQ(set.patterns, RealPatterns(2, 2, {1, 2, 3, 4}));
    EXPECT_EQ(set.ids, (std::vector<std::string>{"doc-1", "b, c"}));
    EXPECT_EQ(set.class_of(1), "b");
  }
  EXPECT_EQ(parse("x,id\n1,7\n").ids, std::vector<std::string>{"7"});
  EXPECT_TRUE(parse("x,y\n1,7\n").ids.empty());
  expect_rejected("id,x,name\na,1,b\n", {"\"id\" and \"name\" are both columns of ids", "remove or rename"});
  expect_rejected("id\na\n", {"the only column contains ids"});
  expect_rejected("id,label\na,1\n", {"labels and ids, but no numbers"});
  expect_rejected("x,y\n1,a\n", {"\"a\" is not a number", "id, key or name"});
}

TEST(CsvLines, ReadsLinesByTheRulesOfATable) {
  CsvLines table("stdin", 2);
  EXPECT_FALSE(table.next("\xEF\xBB\xBFid;a;b;label", 1));
  EXPECT_TRUE(table.has_ids());
  EXPECT_FALSE(table.next("", 2));
  EXPECT_FALSE(table.next("# a comment", 3));
  const auto row = table.next("x; 1.5;-2;cat", 4);
  ASSERT_TRUE(row);
  EXPECT_EQ(row->numbers, (std::vector{1.5, -2.0}));
  EXPECT_EQ(row->id, "x");
  try {
    table.next("y;1;2", 5);
    FAIL() << "a cell is missing";
  } catch (const DataError& error) {
    EXPECT_EQ(std::string(error.what()), "stdin: line 5: has 3 cells, but the number of columns is 4.\n  "
                                         "Complete the line, or remove it.");
  }
  EXPECT_EQ(table.next("z;3;4;dog", 6)->numbers, (std::vector{3.0, 4.0}));
}

TEST(CsvLines, ReadsBitStringsOfTheExpectedSize) {
  CsvLines table("stdin", 3);
  EXPECT_EQ(table.next("101", 1)->numbers, (std::vector{1.0, 0.0, 1.0}));
  EXPECT_EQ(table.next("1 0 1", 2)->numbers, (std::vector{1.0, 0.0, 1.0}));
  EXPECT_THROW(table.next("10", 3), DataError);
  EXPECT_EQ(CsvLines("stdin", 1).next("101", 1)->numbers, std::vector{101.0});
}

} // namespace
} // namespace mneme::data
