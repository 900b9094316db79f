// SPDX-License-Identifier: MIT

#include <algorithm>
#include <cmath>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/csv.h"
#include "cli/json_frame.h"
#include "cli/run_program.h"
#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/random.h"
#include "mneme/data/corruption.h"
#include "mneme/data/npy.h"
#include "mneme/data/packed_bits.h"
#include "mneme/data/random_patterns.h"
#include "mneme/data/safetensors.h"

namespace mneme {
namespace {

using nlohmann::json;
using testing::expect_contains;
using testing::ProgramResult;
using testing::run_mneme;
using testing::TemporaryFolder;
using testing::write_text;

class NearestVerb : public ::testing::Test {
protected:
  static ProgramResult run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "nearest");
    return run_mneme(arguments);
  }
  static json neighbours(std::vector<std::string> arguments) {
    arguments.emplace_back("--json");
    const ProgramResult result = run(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return testing::results_of(result.out).at("neighbours");
  }
  static void expect_refused(const std::vector<std::string>& arguments,
                             const std::vector<std::string>& parts) {
    const ProgramResult result = run(arguments);
    EXPECT_EQ(result.exit_code, 2) << result.err;
    EXPECT_EQ(result.out, "");
    expect_contains(result.err, parts);
  }
  std::string path(const char* name) const { return (folder_ / name).string(); }

  TemporaryFolder folder_;
};

TEST_F(NearestVerb, ListsTheNearestOthersOfEachBuiltInLetterByDefault) {
  const ProgramResult result = run({});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  expect_contains(result.out, {"query", "rank", "row", "label", "distance", "40 of 180 results"});
  expect_contains(result.err, {"36 queries among 36 patterns of 256 bits by hamming"});
  for (const json& found : neighbours({"--top", "35"})) {
    EXPECT_NE(found.at("row"), found.at("query"));
  }
}

TEST_F(NearestVerb, FindsNumbersAsAPlainLoopDoes) {
  const RealPatterns stored = data::random_sphere(300, 17, Random(1)),
                     queries = data::random_sphere(9, 17, Random(2));
  data::write_npy(path("x.npy"), stored);
  data::write_npy(path("q.npy"), queries);
  const auto distance = [&](int64_t q, int64_t s) {
    double sum = 0;
    for (size_t i = 0; i < 17; ++i) {
      sum += std::pow(queries[q][i] - stored[s][i], 2);
    }
    return std::sqrt(sum);
  };
  const json found = neighbours(
      {"--patterns", path("x.npy"), "--queries", path("q.npy"), "--similarity", "euclidean", "--top", "4"});
  ASSERT_EQ(found.size(), 36U);
  for (int64_t q = 0; q < 9; ++q) {
    std::vector<int64_t> rows(300);
    std::ranges::generate(rows, [next = int64_t{0}]() mutable { return next++; });
    std::ranges::sort(rows, std::less<>(), [&](int64_t s) { return distance(q, s); });
    for (int64_t i = 0; i < 4; ++i) {
      const json& row = found.at(static_cast<size_t>(4 * q + i));
      const int64_t expected = rows[static_cast<size_t>(i)];
      EXPECT_EQ(row.at("query"), q);
      EXPECT_EQ(row.at("rank"), i + 1);
      EXPECT_EQ(row.at("row"), expected);
      EXPECT_NEAR(row.at("distance").get<double>(), distance(q, expected), 1e-12);
      EXPECT_NEAR(cosine(queries, q, stored, expected),
                  neighbours({"--patterns", path("x.npy"), "--queries", path("q.npy"), "--top", "4"})
                      .at(static_cast<size_t>(4 * q + i))
                      .at("cosine")
                      .get<double>(),
                  1e-12)
          << "on a sphere, the order by cosines is the same";
    }
  }
}

TEST_F(NearestVerb, FindsBitsAlikeInEveryFormOfAFile) {
  const BitPatterns codes = data::random_bits(200, 100, Random(1));
  const BitPatterns cues = data::flip_bits(slice(codes, 0, 30), 20, Random(2));
  data::write_npy(path("bits.npy"), codes);
  data::write_npy(path("cues.npy"), cues);
  data::write_packed_npy(path("packed.npy"), codes, data::BitOrder::big);
  data::write_packed_npy(path("packed_cues.npy"), cues, data::BitOrder::big);
  RealPatterns grey = to_zeros_and_ones(cues);
  for (int64_t i = 0; i < grey.count(); ++i) {
    std::ranges::transform(grey[i], grey[i].begin(), [](double x) { return 0.2 + 0.6 * x; });
  }
  data::write_npy(path("grey.npy"), grey);
  const json found = neighbours({"--patterns", path("bits.npy"), "--queries", path("cues.npy")});
  for (int64_t q = 0; q < 30; ++q) {
    const json& first = found.at(static_cast<size_t>(5 * q));
    EXPECT_EQ(first.at("row"), q);
    EXPECT_EQ(first.at("distance"), 20);
  }
  EXPECT_EQ(neighbours({"--patterns", path("packed.npy"), "--queries", path("packed_cues.npy"), "--packed",
                        "big", "--bits", "100"}),
            found);
  EXPECT_EQ(neighbours({"--patterns", path("bits.npy"), "--queries", path("grey.npy")}), found);
}

TEST_F(NearestVerb, ListsAllWithinALimitWithIdsAndLabels) {
  write_text(folder_ / "x.csv", "a,b,label\n0,0,cat\n3,4,dog\n0,1,cat\n6,8,bird\n");
  write_text(folder_ / "q.csv", "a,b\n0,0\n");
  write_text(folder_ / "ids.txt", "first\nsecond\nthird\nfourth\n");
  const std::vector<std::string> files{"--patterns", path("x.csv"),   "--queries", path("q.csv"),
                                       "--ids",      path("ids.txt"), "--csv"};
  const auto csv = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = files;
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProgramResult result = run(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.out;
  };
  EXPECT_EQ(csv({"--similarity", "euclidean", "--within", "5"}),
            "query,rank,row,id,label,distance\n0,1,0,first,cat,0\n0,2,2,third,cat,1\n"
            "0,3,1,second,dog,5\n");
  EXPECT_EQ(csv({"--similarity", "euclidean", "--within", "5", "--top", "1"}),
            "query,rank,row,id,label,distance\n0,1,0,first,cat,0\n");
  EXPECT_EQ(csv({"--similarity", "dot", "--top", "1", "--ties", "all"}),
            "query,rank,row,id,label,dot product\n0,1,0,first,cat,0\n0,2,1,second,dog,0\n"
            "0,3,2,third,cat,0\n0,4,3,fourth,bird,0\n");
}

TEST_F(NearestVerb, MeasuresPixelsOnTheScaleOfTheFile) {
  BitPatterns bits(2, 16); // as bytes: 255 and 0 in the first pattern, zeros in the other
  for (int64_t bit = 0; bit < 8; ++bit) {
    bits.set(0, bit, true);
  }
  data::write_packed_npy(path("bytes.npy"), bits, data::BitOrder::big);
  const json found = neighbours({"--patterns", path("bytes.npy"), "--similarity", "manhattan"});
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found.at(0).at("distance"), 255);
}

TEST_F(NearestVerb, KeepsTheScaleOfEachFile) {
  BitPatterns stored(2, 16), query(1, 16); // as bytes: (255, 255) and (0, 3), and (1, 1)
  for (int64_t bit = 0; bit < 16; ++bit) {
    stored.set(0, bit, true);
  }
  stored.set(1, 14, true);
  stored.set(1, 15, true);
  query.set(0, 7, true);
  query.set(0, 15, true);
  data::write_packed_npy(path("x.npy"), stored, data::BitOrder::big);
  data::write_packed_npy(path("q.npy"), query, data::BitOrder::big);
  const json found = neighbours(
      {"--patterns", path("x.npy"), "--queries", path("q.npy"), "--similarity", "euclidean", "--top", "1"});
  EXPECT_EQ(found.at(0).at("row"), 1);
  EXPECT_DOUBLE_EQ(found.at(0).at("distance").get<double>(), std::sqrt(5.0));
}

TEST_F(NearestVerb, PrintsBlocksOfQueriesAsOneTable) {
  data::write_npy(path("x.npy"), data::random_sphere(600, 4, Random(1)));
  const std::vector<std::string> all{"--patterns", path("x.npy"), "--top", "600"}; // 437 queries per block
  const json found = neighbours(all);
  ASSERT_EQ(found.size(), 600U * 599U);
  std::vector<std::string> csv = all;
  csv.emplace_back("--csv");
  const std::vector<testing::CsvRow> rows = testing::parse_csv(run(csv).out);
  ASSERT_EQ(rows.size(), found.size());
  for (const size_t i : {size_t{0}, size_t{437} * 599, rows.size() - 1}) {
    EXPECT_EQ(rows[i].at("query"), std::to_string(found[i].at("query").get<int64_t>()));
    EXPECT_EQ(rows[i].at("rank"), std::to_string(found[i].at("rank").get<int64_t>()));
    EXPECT_EQ(rows[i].at("row"), std::to_string(found[i].at("row").get<int64_t>()));
  }
  EXPECT_EQ(rows.back().at("query"), "599");
}

TEST_F(NearestVerb, RefusesWhatHasNoMeaning) {
  write_text(folder_ / "x.csv", "0.5,1\n2,3\n");
  write_text(folder_ / "q.csv", "1\n2\n");
  const std::string x = path("x.csv");
  expect_refused({"--patterns", x, "--within", "3"}, {"--within has no effect", "cosine", "--at-least"});
  expect_refused({"--patterns", x, "--similarity", "euclidean", "--at-least", "3"},
                 {"--at-least has no effect", "--within"});
  expect_refused({"--patterns", x, "--similarity", "euclidean", "--within", "-1"}, {"at least 0"});
  expect_refused({"--patterns", x, "--threshold", "1"}, {"--threshold has no effect", "cosine"});
  expect_refused({"--patterns", x, "--similarity", "hamming", "--threshold", "7"}, {"every bit would be 0"});
  expect_refused({"--patterns", x, "--bits", "8"}, {"--bits has no effect without --packed"});
  expect_refused({"--patterns", "random:10x256"}, {"--patterns random:10x256", "`mneme recall` only"});
  expect_refused({"--patterns", x, "--queries", "sphere:10x256"}, {"--queries sphere:10x256"});
  expect_refused({"--packed", "big"}, {"--packed has no effect", "built-in"});
  expect_refused({"--patterns", x, "--csv", "--json"}, {"cannot be combined"});
  expect_refused({"--patterns", x, "--at-least", "0.5", "--ties", "all"}, {"--ties has no effect"});
  expect_refused({"--patterns", "-", "--queries", "-"}, {"can be read only once"});
  expect_refused({"--patterns", x, "--queries", path("q.csv")},
                 {"q.csv: a query has 1 number", "x.csv have 2", "one row"});
}

TEST_F(NearestVerb, RefusesQueriesThatWouldAllBecomeTheSameBits) {
  write_text(folder_ / "bits.csv", "0,1,1,0\n1,1,0,0\n");
  write_text(folder_ / "large.csv", "1,7.9,3,2\n2,3,4,5\n");
  write_text(folder_ / "signs.csv", "-1.5,2,0.5,-3\n1,-1,-2,3\n");
  expect_refused({"--patterns", path("bits.csv"), "--queries", path("large.csv")},
                 {"1 to 7.9 (large.csv)", "0 to 1 (bits.csv)", "every bit of the cues would be 1"});
  expect_refused({"--patterns", path("signs.csv"), "--queries", path("large.csv"), "--similarity", "hamming"},
                 {"1 to 7.9 (large.csv)", "-3 to 3 (signs.csv)", "above 0 (the sign of the numbers)"});
  EXPECT_EQ(run({"--patterns", path("signs.csv"), "--queries", path("large.csv")}).exit_code, 0);
}

TEST_F(NearestVerb, ChecksTheNumberOfIdsAlsoWithALimit) {
  data::write_npy(path("x.npy"), data::random_bits(6, 16, Random(1)));
  write_text(path("all.txt"), "a\nb\nc\nd\ne\nf\n");
  write_text(path("used.txt"), "a\nb\nc\n");
  write_text(path("titled.txt"), "id\na\nb\nc\nd\ne\nf\n");
  write_text(path("four.txt"), "a\nb\nc\nd\n");
  for (const char* ids : {"all.txt", "used.txt"}) {
    const json found = neighbours({"--patterns", path("x.npy"), "--queries", path("x.npy"), "--top", "1",
                                   "--limit", "3", "--ids", path(ids)});
    EXPECT_EQ(found.at(2).at("id"), "c") << ids;
  }
  // Several files, of which the limit reads only the first.
  const json found = neighbours({"--patterns", path("x.npy"), path("x.npy"), "--queries", path("x.npy"),
                                 "--top", "1", "--limit", "3", "--ids", path("used.txt")});
  EXPECT_EQ(found.at(2).at("id"), "c");
  const ProgramResult titled =
      run({"--patterns", path("x.npy"), "--limit", "3", "--ids", path("titled.txt")});
  EXPECT_EQ(titled.exit_code, 3);
  expect_contains(titled.err, {"the file has 7 ids, but 3 patterns are used of 6", "tail -n +2"});
  const ProgramResult four =
      run({"--patterns", path("x.npy"), path("x.npy"), "--limit", "3", "--ids", path("four.txt")});
  EXPECT_EQ(four.exit_code, 3);
  expect_contains(four.err, {"the file has 4 ids, but 3 patterns are used of 12"});
}

TEST_F(NearestVerb, ReadsLabelsOfIdxFilesAsIds) {
  write_text(folder_ / "x.csv", "0110\n1111\n1010\n");
  const std::string labels("\0\0\x08\x01\0\0\0\x03\x07\x0A\x00", 11);
  write_text(folder_ / "labels", labels);
  EXPECT_EQ(testing::run_program({"gzip", "-k", path("labels")}, {}).exit_code, 0);
  for (const char* file : {"labels", "labels.gz"}) {
    const json found = neighbours(
        {"--patterns", path("x.csv"), "--queries", path("x.csv"), "--top", "1", "--ids", path(file)});
    EXPECT_EQ(found.at(0).at("id"), "7");
    EXPECT_EQ(found.at(1).at("id"), "10") << "not a line feed";
    EXPECT_EQ(found.at(2).at("id"), "0");
  }
  write_text(folder_ / "images", std::string("\0\0\x08\x03\0\0\0\x03\0\0\0\x01\0\0\0\x01\x07\x0A\x00", 19));
  const ProgramResult images = run({"--patterns", path("x.csv"), "--ids", path("images")});
  EXPECT_EQ(images.exit_code, 3);
  expect_contains(images.err, {"This is a file of images: use the file of labels"});
}

TEST_F(NearestVerb, ReadsLinesOfZerosAndOnesAsBits) {
  const std::string line(400, '1'), other = "0" + line.substr(1);
  write_text(path("codes.txt"), line + "\n" + other + "\n" + std::string(400, '0') + "\n");
  write_text(path("query.txt"), other + "\n");
  const json found = neighbours({"--patterns", path("codes.txt"), "--queries", path("query.txt")});
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found.at(0).at("row"), 1);
  EXPECT_EQ(found.at(1).at("distance"), 1);
  EXPECT_EQ(found.at(2).at("distance"), 399);
}

TEST_F(NearestVerb, PrintsTheIdsOfATable) {
  write_text(path("x.csv"), "id,d0,d1\ndoc-a,1,0\ndoc-b,0,1\n");
  write_text(path("q.csv"), "id,d0,d1\nquery,0.1,0.9\n");
  const json found = neighbours({"--patterns", path("x.csv"), "--queries", path("q.csv"), "--top", "1"});
  EXPECT_EQ(found.at(0).at("id"), "doc-b");
  EXPECT_EQ(found.at(0).at("query_id"), "query");
}

TEST_F(NearestVerb, ListsPairsOfPatternsWithBothIds) {
  write_text(path("x.csv"), "1,0\n0,1\n2,0\n1,0.01\n");
  write_text(path("ids.txt"), "a\nb\nc\nd\n");
  const std::vector<std::string> search{"--patterns",    path("x.csv"), "--ids",
                                        path("ids.txt"), "--at-least",  "0.9"};
  const auto pairs_of = [](const json& found) {
    std::vector<std::string> pairs;
    for (const json& row : found) {
      pairs.push_back(row.at("query_id").get<std::string>() + row.at("id").get<std::string>());
    }
    return pairs;
  };
  EXPECT_EQ(pairs_of(neighbours(search)), (std::vector<std::string>{"ac", "ad", "ca", "cd", "da", "dc"}));
  std::vector<std::string> once = search;
  once.emplace_back("--pairs");
  EXPECT_EQ(pairs_of(neighbours(once)), (std::vector<std::string>{"ac", "ad", "cd"}));
  expect_refused({"--patterns", path("x.csv"), "--pairs"}, {"--pairs lists all pairs within a limit"});
  expect_refused({"--patterns", path("x.csv"), "--queries", path("x.csv"), "--pairs", "--at-least", "0.9"},
                 {"--pairs has no effect with --queries"});
}

TEST_F(NearestVerb, ListsZeroVectorsLastAndReportsThem) {
  write_text(path("x.csv"), "0 0\n-1 0.5\n1 0\n0 0\n");
  write_text(path("q.csv"), "1 0\n0 0\n");
  const std::vector<std::string> search{"--patterns",  path("x.csv"), "--queries",
                                        path("q.csv"), "--top",       "4"};
  const auto rows_of = [](const json& found, int64_t query) {
    std::vector<int64_t> rows;
    for (const json& row : found) {
      if (row.at("query") == query) {
        rows.push_back(row.at("row"));
      }
    }
    return rows;
  };
  const json found = neighbours(search);
  EXPECT_EQ(rows_of(found, 0), (std::vector<int64_t>{2, 1, 0, 3})) << "also after a negative cosine";
  EXPECT_EQ(rows_of(found, 1).size(), 4U);
  expect_contains(
      run(search).err,
      {"x.csv: 2 of 4 patterns are zero vectors, whose cosine counts as 0; zero vectors are listed last",
       "q.csv: 1 of 2 queries is a zero vector, whose"});
  EXPECT_EQ(
      rows_of(neighbours({"--patterns", path("x.csv"), "--queries", path("q.csv"), "--at-least", "0.5"}), 0),
      std::vector<int64_t>{2});
  EXPECT_EQ(rows_of(neighbours({"--patterns", path("x.csv"), "--top", "2"}), 2), (std::vector<int64_t>{1, 0}))
      << "the pattern itself is left out";
}

TEST_F(NearestVerb, HintsAtPackedBitsForBytes) {
  data::write_packed_npy(path("x.npy"), data::random_bits(9, 64, Random(1)), data::BitOrder::big);
  expect_contains(run({"--patterns", path("x.npy")}).err,
                  {"x.npy: bytes are compared as numbers", "--packed big"});
  for (const std::vector<std::string>& options :
       {std::vector<std::string>{"--packed", "big"}, {"--similarity", "cosine"}}) {
    std::vector<std::string> arguments{"--patterns", path("x.npy")};
    arguments.insert(arguments.end(), options.begin(), options.end());
    EXPECT_FALSE(testing::contains(run(arguments).err, "bytes are compared")) << options.front();
  }
}

TEST_F(NearestVerb, AnswersEachLineWhenItArrives) {
  write_text(folder_ / "x.csv", "a,b,id\n0,0,zero\n3,4,far\n0,1,one\n");
  const ProgramResult result =
      testing::run_program({"sh", "-c",
                            "mkfifo in out && { \"$0\" nearest --patterns x.csv --query-lines csv "
                            "--similarity euclidean --top 1 --csv "
                            "--quiet < in > out & exec 3> in 4< out; "
                            "echo 3,3 >&3; read -r title <&4; read -r first <&4; echo \"$title "
                            "$first\"; " // the pipe is still open
                            "echo 0,2 >&3; read -r second <&4; echo \"$second\"; exec 3>&-; wait; }",
                            MNEME_PROGRAM},
                           {.folder = folder_.path()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "query,rank,row,id,distance 0,1,1,far,1\n1,1,2,one,1\n");
}

TEST_F(NearestVerb, RefusesIdsThatAreNotUtf8) {
  write_text(folder_ / "ids.txt", "k\xfc\nk\xe4\n");
  write_text(folder_ / "two.csv", "1,2\n3,4.5\n");
  const std::string table = "id,x,y\na,1,2\nk\xfc,3,4\n";
  write_text(folder_ / "table.csv", table);
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--patterns", path("two.csv"), "--ids", path("ids.txt")},
        {"--patterns", path("table.csv")},
        {"--patterns", path("two.csv"), "--queries", path("table.csv")}}) {
    const ProgramResult result = run(arguments);
    EXPECT_EQ(result.exit_code, 3) << result.out;
    EXPECT_EQ(result.out, "");
    expect_contains(result.err, {"\"k\\xfc\"", "not valid UTF-8", "iconv -f LATIN1 -t UTF-8"});
  }
  const ProgramResult lines =
      run_mneme({"nearest", "--patterns", path("two.csv"), "--query-lines", "csv"}, {.input = table});
  EXPECT_EQ(lines.exit_code, 3);
  expect_contains(lines.err, {"line 3: the id \"k\\xfc\"", "iconv -f LATIN1 -t UTF-8"});
}

TEST_F(NearestVerb, EscapesLabelsThatAreNotUtf8) {
  write_text(folder_ / "x.csv", "label,x,y\nk\xfc,1,0\nk\xe4,0,2\n");
  EXPECT_EQ(run({"--patterns", path("x.csv"), "--similarity", "manhattan", "--csv"}).out,
            "query,rank,row,label,distance\n0,1,1,k\\xe4,3\n1,1,0,k\\xfc,3\n");
}

TEST_F(NearestVerb, NamesNoFilesInAdviceForStandardInput) {
  write_text(folder_ / "x.csv", "0.5;1\n1;2\n");
  const ProgramResult lines =
      run_mneme({"nearest", "--patterns", path("x.csv"), "--query-lines", "csv"}, {.input = "0,5;1\n"});
  expect_contains(lines.err, {"Write decimal points instead of commas: sed 's/,/./g'.\n"});
  const ProgramResult whole = run_mneme({"nearest", "--patterns", "-"}, {.input = "0,5;1\n1;2\n"});
  expect_contains(whole.err, {"Write decimal points instead of commas: sed 's/,/./g'.\n"});
}

TEST_F(NearestVerb, ReportsDistancesThatUnderflow) {
  write_text(folder_ / "x.csv", "1e-200,0\n2e-200,0\n9e-200,0\n");
  for (const char* similarity : {"euclidean", "dot"}) {
    expect_refused({"--patterns", path("x.csv"), "--similarity", similarity, "--top", "1"},
                   {"the similarity of query 0 and stored pattern", "underflows double", "common factor"});
  }
  EXPECT_EQ(run({"--patterns", path("x.csv"), "--similarity", "manhattan", "--top", "1", "--csv"}).out,
            "query,rank,row,distance\n0,1,1,1e-200\n1,1,0,1e-200\n2,1,1,7e-200\n");
}

TEST_F(NearestVerb, AnswersLinesAsItAnswersAFile) {
  const RealPatterns stored = data::random_sphere(300, 9, Random(1)),
                     queries = data::random_sphere(2100, 9, Random(2));
  data::write_npy(path("x.npy"), stored);
  std::string table = "id,a,b,c,d,e,f,g,h,i\n", lines;
  for (int64_t q = 0; q < queries.count(); ++q) {
    const std::vector<double> vector(queries[q].begin(), queries[q].end());
    lines += json{{"vector", vector}, {"id", fmt::format("q{}", q)}}.dump() + "\n";
    table += fmt::format("q{},{}\n\n", q, fmt::join(vector, ","));
  }
  write_text(folder_ / "q.csv", table);
  for (const char* similarity : {"cosine", "hamming"}) {
    const std::vector<std::string> arguments{"nearest",  "--patterns", path("x.npy"), "--similarity",
                                             similarity, "--top",      "2",           "--csv"};
    const auto run_with = [&](const std::vector<std::string>& more, const std::string& input) {
      std::vector<std::string> all = arguments;
      all.insert(all.end(), more.begin(), more.end());
      const ProgramResult result = run_mneme(all, {.input = input});
      EXPECT_EQ(result.exit_code, 0) << result.err;
      return result.out;
    };
    const std::string of_file = run_with({"--queries", path("q.csv")}, "");
    EXPECT_EQ(std::ranges::count(of_file, '\n'), 4201);
    EXPECT_EQ(run_with({"--query-lines", "csv"}, table), of_file);
    EXPECT_EQ(run_with({"--queries", "-", "--query-lines", "json"}, lines), of_file);
  }
}

TEST_F(NearestVerb, AnswersInvalidLinesWithErrorsInJson) {
  write_text(folder_ / "x.csv", "0110\n1111\n");
  const ProgramResult result =
      run_mneme({"nearest", "--patterns", path("x.csv"), "--query-lines", "json", "--top", "1", "--json"},
                {.input = R"({"bits": "0111", "id": 7}
{"bits": "01"}
{"vector": [1, "x"]}
{"hex": "00"}

{"vector": [0, 1, 1, 0]}
)"});
  EXPECT_EQ(result.exit_code, 3) << result.err;
  std::vector<json> answers;
  for (std::istringstream stream(result.out); stream.peek() != EOF; stream.get()) {
    stream >> answers.emplace_back();
  }
  ASSERT_EQ(answers.size(), 5U) << result.out;
  EXPECT_EQ(answers[0], json::parse(R"({"query": 0, "query_id": "7",
                            "neighbours": [{"rank": 1, "row": 0, "distance": 1}]})"));
  for (int64_t line = 2; line <= 4; ++line) {
    EXPECT_EQ(answers[static_cast<size_t>(line - 1)].at("line"), line);
  }
  expect_contains(answers[1].at("error"), {"the query has 2 numbers, but the patterns have 4"});
  expect_contains(answers[3].at("error"), {"unknown field \"hex\""});
  EXPECT_EQ(answers[4], json::parse(R"({"query": 1, "neighbours": [{"rank": 1, "row": 0, "distance": 0}]})"));
  const ProgramResult table =
      run_mneme({"nearest", "--patterns", path("x.csv"), "--query-lines", "csv", "--top", "1", "--csv"},
                {.input = "0111\n1 1 1\n"});
  EXPECT_EQ(table.exit_code, 3);
  EXPECT_EQ(table.out, "query,rank,row,distance\n0,1,0,1\n") << "the line before the invalid one";
  expect_contains(table.err, {"standard input: line 2: has 3 cells"});
  expect_refused({"--patterns", path("x.csv"), "--queries", path("x.csv"), "--query-lines", "csv"},
                 {"--query-lines reads queries from standard input, but --queries is a file"});
}

TEST_F(NearestVerb, ReadsPatternsAndQueriesFromOtherArraysOfOneFile) {
  const std::vector<double> base{1, 0, 2, 0, 0, 3}, queries{0, 1};
  write_file_atomically(folder_ / "x.safetensors",
                        data::to_safetensors(std::vector<data::SafetensorsTensor>{
                            {"base", "F64", {3, 2}, std::as_bytes(std::span(base))},
                            {"queries", "F64", {1, 2}, std::as_bytes(std::span(queries))}}));
  data::write_npy(folder_ / "queries.npy", RealPatterns(1, 2, queries));
  const std::vector<std::string> patterns{"--patterns", path("x.safetensors"), "--tensor", "base", "--top",
                                          "1"};
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{"--queries", path("x.safetensors"), "--queries-tensor", "queries"},
        std::vector<std::string>{"--queries", path("queries.npy")}}) {
    std::vector<std::string> arguments = patterns;
    arguments.insert(arguments.end(), more.begin(), more.end());
    const json found = neighbours(arguments);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].at("row"), 2);
  }
  expect_refused({"--queries-tensor", "queries"}, {"--queries-tensor has no effect without --queries"});
}

} // namespace
} // namespace mneme
