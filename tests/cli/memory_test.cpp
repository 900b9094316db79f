// SPDX-License-Identifier: MIT

#include <algorithm>
#include <filesystem>
#include <map>
#include <numeric>
#include <regex>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "cli/json_frame.h"
#include "cli/run_program.h"
#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "mneme/data/corruption.h"
#include "mneme/data/load_patterns.h"
#include "mneme/data/npy.h"
#include "mneme/data/packed_bits.h"
#include "mneme/data/random_patterns.h"
#include "mneme/store/durable_memory.h"
#include "mneme/store/memory_file.h"

namespace mneme {
namespace {

using testing::contains;
using testing::expect_contains;
using testing::ProgramResult;
using testing::run_mneme;
using testing::TemporaryFolder;
using testing::write_text;
namespace fs = std::filesystem;

/// Memory in a temporary folder, and commands on it.
class MemoryVerb : public ::testing::Test {
protected:
  ProgramResult run(const std::string& subcommand, std::vector<std::string> arguments = {},
                    const std::string& input = "") const {
    arguments.insert(arguments.begin(), {"memory", subcommand, memory_});
    return run_mneme(arguments, {.input = input});
  }
  std::string succeed(const std::string& subcommand, const std::vector<std::string>& arguments = {},
                      const std::string& input = "") const {
    const ProgramResult result = run(subcommand, arguments, input);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.out;
  }
  void expect_refused(const ProgramResult& result, int exit_code,
                      const std::vector<std::string>& parts) const {
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    EXPECT_EQ(result.out, "");
    expect_contains(result.err, parts);
  }

  TemporaryFolder folder_;
  std::string memory_ = (folder_ / "memory").string();
};

/// The lines of a text, each parsed as JSON.
std::vector<nlohmann::json> json_lines(const std::string& text) {
  std::vector<nlohmann::json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(nlohmann::json::parse(line));
  }
  return lines;
}

TEST_F(MemoryVerb, FindsTextsByTheirWords) {
  expect_contains(succeed("create"), {"Created", "1024 bits", "mneme memory write"});
  EXPECT_EQ(succeed("write", {},
                    "the train to Vienna leaves at nine\n\nthe dentist opens at eight\nbuy milk and bread\n"),
            "Wrote 3 patterns; 3 stored\n");
  const std::string read = succeed("read", {"--top", "2"}, "when does the dentist open?\n");
  expect_contains(read, {"when does the dentist open?\n  recalled the pattern of number 2"});
  EXPECT_LT(read.find("the dentist opens"), read.find("the train to Vienna"));

  const std::vector<nlohmann::json> lines =
      json_lines(succeed("read", {"--top", "1", "--json"}, "milk, bread\ntrain\n"));
  ASSERT_EQ(lines.size(), 2);
  EXPECT_EQ(lines[0]["query"], "milk, bread");
  EXPECT_EQ(lines[0]["nearest"][0]["payload"], "buy milk and bread");
  EXPECT_EQ(lines[0]["recalled"]["seq"], 3);
  EXPECT_EQ(lines[1]["nearest"][0]["payload"], "the train to Vienna leaves at nine");
}

TEST_F(MemoryVerb, QuotesThePathsOfCommandsThatItShows) {
  memory_ = (folder_ / "my notes").string();
  const std::string quoted = "'" + memory_ + "'";
  expect_contains(run("read", {"a"}).err,
                  {memory_ + ": there is no memory", "`mneme memory create " + quoted});
  expect_contains(succeed("create"), {"Created " + memory_ + ":", "mneme memory write " + quoted + " \"the"});
  succeed("write", {"--key", "it's", "one"});
  expect_contains(run("forget", {"it's"}).err, {"\"it's\" is the key", "--key 'it'\\''s'"});
  expect_contains(succeed("forget", {"one"}), {"mneme memory compact " + quoted + "\n"});
}

TEST_F(MemoryVerb, WritesAreIdempotentByKeyAndCanBeReplacedOrForgotten) {
  succeed("create");
  EXPECT_EQ(succeed("write", {"--key", "home", "--label", "place", "I live in Graz"}),
            "Wrote 1 pattern; 1 stored\n");
  EXPECT_EQ(succeed("write", {"--key", "home", "--label", "place", "I live in Graz"}),
            "Wrote 0 patterns, 1 stored already under the same key; 1 stored\n");
  expect_refused(run("write", {"--key", "home", "I live in Linz"}), 2, {"\"home\"", "record 1", "--replace"});
  EXPECT_EQ(succeed("write", {"--key", "home", "--replace", "I live in Linz"}),
            "Wrote 1 pattern, 1 replaced; 1 stored\n");
  expect_contains(succeed("read", {"where do I live?"}), {"I live in Linz"});
  expect_contains(succeed("forget", {"--key", "home"}),
                  {"Forgot 1 pattern; 0 stored", "mneme memory compact"});
  EXPECT_EQ(succeed("forget", {"--key", "home"}), "Forgot 0 patterns; 0 stored\n");
  expect_contains(succeed("read", {"where do I live?"}), {"recalled nothing"});
  expect_contains(succeed("info"), {"stored patterns", "4, 4 of them of forgotten patterns"});
  expect_contains(succeed("compact"), {"Removed 4 records"});
  expect_contains(succeed("verify"), {"Intact: 0 records"});
}

TEST_F(MemoryVerb, SaysHowMuchOfAnInputIsStoredIfALaterLineIsInvalid) {
  ASSERT_EQ(run("create").exit_code, 0);
  const ProgramResult result = run("write", {"--batch", "1"}, "first text\nsecond text\n!!!\nfourth text\n");
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_TRUE(contains(result.err, "the first 2 patterns of the input are stored, in earlier transactions"))
      << result.err;
  EXPECT_TRUE(contains(result.err, "line 3")) << result.err;
}

TEST_F(MemoryVerb, ForgetsByNumber) {
  succeed("create");
  succeed("write", {"one", "two", "three", "four"});
  expect_contains(succeed("forget", {"--number", "2", "--number", "4", "--number", "7"}),
                  {"Forgot 2 patterns"});
  EXPECT_EQ(json_lines(succeed("export")).at(1).at("payload"), "three");
  EXPECT_EQ(run("forget", {"--number", "2", "--number", "7", "--number", "2"}).err,
            "mneme memory forget: no stored pattern has one of these 2 numbers: 2, 7\n");
  expect_refused(run("forget", {"--number", "0"}), 2, {"--number"});
  expect_refused(run("forget", {"--number", "one"}), 2, {"--number", "one"});
  for (const char* option : {"--number", "--key", "--keys", "--label"}) {
    expect_refused(run("forget", {option, "1", "3"}), 2, {"\"3\" is the text", "--number 1 --number 2"});
  }
  EXPECT_EQ(json_lines(succeed("export")).size(), 2U);
}

TEST_F(MemoryVerb, NamesKeysAndLabelsToForgetThatNoPatternHas) {
  succeed("create");
  succeed("write", {"--key", "home", "--label", "place", "I live in Graz"});
  const ProgramResult key =
      run("forget", {"--key", "work", "--label", "time", "--label", "place", "--label", "place", "--json"});
  EXPECT_EQ(key.exit_code, 0);
  EXPECT_EQ(testing::results_of(key.out),
            nlohmann::json::parse(R"({"forgotten": 1, "stored": 0, "unknown_keys": ["work"],
                                   "unknown_labels": ["time"]})"));
  EXPECT_EQ(testing::results_of(run("forget", {"--number", "99", "--json"}).out).at("unknown_numbers"),
            nlohmann::json({99}));
  EXPECT_EQ(key.err, "mneme memory forget: no stored pattern has the key \"work\"\n"
                     "mneme memory forget: no stored pattern has the label \"time\"\n");
  const std::string keys = (folder_ / "keys.txt").string();
  write_text(keys, "1\n2\n3\n4\n5\n6\n7\n");
  const ProgramResult several = run("forget", {"--keys", keys});
  EXPECT_EQ(several.exit_code, 0);
  EXPECT_EQ(several.err,
            "mneme memory forget: no stored pattern has one of these 7 keys: \"1\", \"2\", \"3\", "
            "\"4\", \"5\" and 2 more\n");
}

TEST_F(MemoryVerb, ReadsBitsHexBase64AndJson) {
  succeed("create", {"--bits", "12"});
  succeed("write", {"--format", "bits", "--label", "bits", "110000000001"});
  succeed("write", {"--format", "hex", "--label", "hex"}, "0308\nFF0f\n");
  succeed("write", {"--format", "base64", "BQA="});
  succeed("write", {"--format", "json"},
          "{\"hex\": \"0100\", \"key\": \"k\", \"payload_base64\": \"/wA=\"}\n"
          "{\"text\": \"a text\", \"label\": \"l\"}\n");
  const std::vector<nlohmann::json> read = json_lines(
      succeed("read", {"--format", "bits", "--json", "--no-recall", "--top", "2", "110000000001"}));
  EXPECT_EQ(read[0]["nearest"][0]["distance"], 0);
  EXPECT_EQ(read[0]["nearest"][1]["label"], "hex") << "0308 in hex is the same pattern";
  EXPECT_FALSE(read[0].contains("recalled"));

  const auto refused = [&](const std::string& format, const std::string& line) {
    return run("write", {"--format", format}, "\n" + line + "\n");
  };
  expect_refused(refused("bits", "1100"), 3, {"line 2", "12 characters 0 and 1 (it has 4)"});
  expect_refused(refused("hex", "00"), 3, {"line 2", "1 bytes", "12 bits", "4 hex digits"});
  expect_refused(refused("hex", "zz00"), 3, {"\"zz00\" is not hex"});
  expect_refused(refused("hex", "0010"), 3, {"bits after the first 12 are not 0"});
  expect_refused(refused("base64", "BQB="), 3, {"is not base64"});
  expect_refused(refused("text", "?!"), 3, {"no letters or digits"});
  expect_refused(refused("json", "{\"hex\": \"0100\", \"keys\": \"k\"}"), 3, {"line 2", "\"keys\""});
  expect_refused(refused("json", "{\"hex\": \"0100\", \"id\": \"k\"}"), 3,
                 {"line 2: unknown field \"id\" (did you mean \"key\"?)"});
  expect_refused(refused("json", "{\"hex\": \"0100\", \"lable\": \"k\"}"), 3, {"did you mean \"label\"?"});
  expect_refused(refused("json", "{\"hex\": \"0100\", \"zzzzz\": \"k\"}"), 3, {"unknown field \"zzzzz\"."});
  expect_refused(refused("json", "{\"hex\": \"0100\", \"payload\": \"k\", \"payload_base64\": \"\"}"), 3,
                 {"payload and payload_base64 are both given"});
  expect_refused(refused("json", "{bad"), 3, {"line 2: invalid JSON in column 2, at \"bad\""});
  expect_refused(refused("json", "{\"hex\": \"0100\", \"id\": 7}"), 3,
                 {"unknown field \"id\" (did you mean \"key\"?)"});
  expect_refused(refused("json", "{\"hex\": \"0100\", \"key\": 7}"), 3, {"the field \"key\" is not a text"});
  expect_refused(refused("json", "{\"text\": \"x\", \"bits\": \"01\"}"), 3, {"2 fields have a pattern"});
  expect_refused(refused("json", "{\"key\": \"k\"}"), 3, {"0 fields have a pattern"});
  expect_refused(refused("json", "{\"hex\": \"0100\", \"bits\": \"110000000000\"}"), 3,
                 {"2 fields have a pattern"});
  expect_refused(refused("json", "[1]"), 3, {"line 2"});
  expect_contains(succeed("info"), {"stored patterns         6"});
}

TEST_F(MemoryVerb, ExportsLinesThatWriteReads) {
  succeed("create", {"--bits", "40"});
  succeed("write", {"--format", "json"},
          "{\"hex\": \"0123456789\", \"key\": \"k\", \"label\": \"l\", \"payload_base64\": \"/wA=\"}\n"
          "{\"hex\": \"0000000001\", \"payload\": \"Grüße\\n\"}\n");
  const std::string exported = succeed("export");
  EXPECT_EQ(exported,
            "{\"seq\":1,\"hex\":\"0123456789\",\"key\":\"k\",\"label\":\"l\",\"payload_base64\":\"/wA=\"}\n"
            "{\"seq\":2,\"hex\":\"0000000001\",\"payload\":\"Grüße\\n\"}\n");
  EXPECT_EQ(succeed("export", {"--out", (folder_ / "all.jsonl").string()}).substr(0, 16), "Wrote 2 patterns");
  EXPECT_EQ(testing::read_text(folder_ / "all.jsonl"), exported);
  memory_ = (folder_ / "copy").string();
  succeed("create", {"--bits", "40"});
  EXPECT_EQ(json_lines(succeed("write", {"--format", "json", "--json"}, exported)).at(0).at("seqs"),
            nlohmann::json::array({1, 2}));
  EXPECT_EQ(succeed("export"), exported);
  expect_refused(run("export", {"--json"}), 2, {"--json has no effect"});
}

TEST_F(MemoryVerb, StoresPatternsOfFiles) {
  const BitPatterns patterns = data::random_bits(20, 100, Random(1));
  data::write_npy(folder_ / "patterns.npy", patterns);
  write_text(folder_ / "labelled.csv", "label,a,b,c,d\ncat,1,0,1,1\ndog,0,0,1,0\n");
  succeed("create",
          {"--bits", "100", "--memory", "sdm", "--hard-locations", "5000", "--hamming-radius", "40"});
  const std::string file = (folder_ / "patterns.npy").string();
  succeed("write", {"--patterns", file, "--limit", "15"});
  const std::vector<nlohmann::json> lines =
      json_lines(succeed("read", {"--patterns", file, "--json", "--top", "1"}));
  ASSERT_EQ(lines.size(), 20);
  EXPECT_EQ(lines[7]["recalled"]["seq"], 8);
  EXPECT_EQ(lines[17]["nearest"][0]["distance"].get<int>() > 0, true);
  EXPECT_EQ(testing::results_of(succeed("forget", {"--patterns", file, "--json"})),
            nlohmann::json({{"forgotten", 15}, {"stored", 0}}));
  expect_refused(run("write", {"--patterns", (folder_ / "labelled.csv").string()}), 3,
                 {"4 numbers", "100 bits", "--bits 4"});
  const std::string packed = (folder_ / "packed.npy").string();
  data::write_packed_npy(packed, slice(patterns, 0, 5), data::BitOrder::big);
  memory_ = (folder_ / "wide").string();
  succeed("create", {"--bits", "256"});
  expect_refused(run("write", {"--patterns", packed, "--packed", "big"}), 3,
                 {"104 bits", "256 bits", "--bits 104"});
  memory_ = (folder_ / "small").string();
  succeed("create", {"--bits", "4"});
  succeed("write", {"--patterns", (folder_ / "labelled.csv").string()});
  const nlohmann::json cat =
      json_lines(succeed("read", {"--format", "bits", "--json", "--top", "1", "1011"}))[0];
  EXPECT_EQ(cat["nearest"][0]["label"], "cat");
}

/// A file of numbers that are `high` for ones and `low` for zeros.
std::string write_numbers(const fs::path& path, const BitPatterns& patterns, double low, double high) {
  RealPatterns numbers = to_zeros_and_ones(patterns);
  std::for_each_n(numbers.data(), numbers.count() * numbers.size(),
                  [&](double& x) { x = x == 0 ? low : high; });
  data::write_npy(path, numbers);
  return path.string();
}

TEST_F(MemoryVerb, ChoosesTheThresholdOfNumbersAsRecallDoes) {
  const BitPatterns patterns = data::random_bits(20, 64, Random(5));
  const std::string file = write_numbers(folder_ / "u.npy", patterns, 0.1, 0.3);
  succeed("create", {"--bits", "64"});
  const ProgramResult written = run("write", {"--patterns", file});
  EXPECT_EQ(written.out, "Wrote 20 patterns; 20 stored\n");
  EXPECT_EQ(written.err, "u.npy: a bit is 1 where a number is above 0.2 (Otsu's threshold of these numbers); "
                         "the memory keeps this threshold for other files\n");
  succeed("export", {"--out", (folder_ / "stored.npy").string()});
  EXPECT_EQ(to_bits(data::load_patterns(folder_ / "stored.npy").patterns, 0.5), patterns);

  memory_ = (folder_ / "others").string();
  succeed("create", {"--bits", "64"});
  expect_refused(run("write", {"--patterns", file, "--threshold", "7"}), 2,
                 {"every bit would be 0", "0.1 to 0.3"});
  RealPatterns numbers(3, 64);
  numbers[0][0] = 2; // the other patterns are equal
  numbers[1][0] = numbers[2][0] = 1;
  data::write_npy(folder_ / "few.npy", numbers);
  expect_contains(
      run("write", {"--patterns", (folder_ / "few.npy").string(), "--threshold", "1.5"}).err,
      {"above 1.5 (from --threshold)", "all bits of 2 of 3 patterns are equal", "range from 0 to 2"});
  data::write_npy(folder_ / "equal.npy", RealPatterns(2, 64, std::vector<double>(128, 3)));
  expect_refused(run("write", {"--patterns", (folder_ / "equal.npy").string()}), 2,
                 {"every bit would be 1", "3 to 3", "1.5 (the threshold of the memory)"});
  data::write_npy(folder_ / "bits.npy", BitPatterns(2, 64));
  expect_contains(run("write", {"--patterns", (folder_ / "bits.npy").string()}).err,
                  {"only 0 and 1", "the threshold of the memory, 1.5, does not apply"});
}

TEST_F(MemoryVerb, StoresFilesOfOnlyOnes) {
  data::write_npy(folder_ / "ones.npy", RealPatterns(1, 64, std::vector<double>(64, 1)));
  data::write_npy(folder_ / "fives.npy", RealPatterns(1, 64, std::vector<double>(64, 5)));
  for (const std::string threshold : {"", "0.5"}) {
    memory_ = (folder_ / ("memory" + threshold)).string();
    succeed("create", {"--bits", "64"});
    std::vector<std::string> arguments = {"--patterns", (folder_ / "ones.npy").string()};
    if (!threshold.empty()) {
      arguments.insert(arguments.end(), {"--threshold", threshold});
    }
    EXPECT_EQ(run("write", arguments).err, "");
    const std::string stored = (folder_ / ("stored" + threshold + ".npy")).string();
    succeed("export", {"--out", stored});
    EXPECT_EQ(data::load_patterns(stored).patterns, RealPatterns(1, 64, std::vector<double>(64, 1)));
  }
  memory_ = (folder_ / "fives").string();
  succeed("create", {"--bits", "64"});
  expect_contains(run("write", {"--patterns", (folder_ / "fives.npy").string(), "--threshold", "3"}).err,
                  {"above 3 (from --threshold)", "all bits of 1 of 1 patterns are equal"});
}

TEST_F(MemoryVerb, KeepsTheThresholdOfItsFirstFile) {
  const BitPatterns patterns = data::random_bits(20, 64, Random(6));
  const std::string bits = (folder_ / "bits.npy").string(),
                    grey = write_numbers(folder_ / "grey.npy", patterns, 0.2, 0.8),
                    dark = write_numbers(folder_ / "dark.npy", patterns, 0.6, 0.8),
                    bytes = write_numbers(folder_ / "bytes.npy", patterns, 0, 10);
  data::write_npy(bits, patterns);
  const auto distances = [&](const ProgramResult& read) {
    std::vector<int64_t> found;
    for (const nlohmann::json& line : json_lines(read.out)) {
      found.push_back(line.at("nearest").at(0).at("distance"));
    }
    return found;
  };
  const std::vector<int64_t> exact(20, 0);
  succeed("create", {"--bits", "64"});
  succeed("write", {"--patterns", bits});
  const ProgramResult read = run("read", {"--patterns", grey, "--json"});
  EXPECT_EQ(distances(read), exact);
  EXPECT_EQ(read.err, "grey.npy: a bit is 1 where a number is above 0.5 (the threshold of the memory)\n");
  expect_refused(
      run("read", {"--patterns", dark, "--json"}), 2,
      {"0.6 to 0.8 (dark.npy)", "0 to 1 (the memory)", "every bit of the cues would be 1", "--threshold"});
  EXPECT_EQ(distances(run("read", {"--patterns", dark, "--threshold", "0.7", "--json"})), exact);
  for (const char* verb : {"read", "forget"}) {
    expect_refused(run(verb, {"--patterns", bytes}), 2, {"range from 0 to 10", "from 0 to 1", "--threshold"});
  }
  data::write_npy(folder_ / "blank.npy", RealPatterns(1, 64, std::vector<double>(64, 0.25)));
  expect_contains(run("read", {"--patterns", (folder_ / "blank.npy").string(), "--json"}).err,
                  {"all bits of 1 of 1 patterns are equal"});
  expect_refused(run("write", {"--patterns", dark, "--threshold", "0.7"}), 2,
                 {"--threshold 0.7", "keeps the threshold 0.5"});
  expect_refused(run("write", {"--patterns", dark}), 2, {"every bit would be 1", "0.6 to 0.8"});
  EXPECT_EQ(succeed("write", {"--patterns", grey, "--threshold", "0.5"}), "Wrote 20 patterns; 40 stored\n");
  EXPECT_EQ(testing::results_of(succeed("info", {"--json"})).at("threshold"), 0.5);
  expect_contains(succeed("forget", {"--patterns", grey}), {"Forgot 40 patterns"});
}

TEST_F(MemoryVerb, NamesTheLineOfAnEmptyKey) {
  succeed("create", {"--bits", "64"});
  data::write_npy(folder_ / "two.npy", data::random_bits(2, 64, Random(1)));
  write_text(folder_ / "gap.txt", "a\n\n");
  expect_refused(
      run("write", {"--patterns", (folder_ / "two.npy").string(), "--keys", (folder_ / "gap.txt").string()}),
      2, {"gap.txt: line 2: the key has 0 bytes"});
}

TEST_F(MemoryVerb, RefusesQueriesOnOneSideOfAThresholdOfZero) {
  const BitPatterns patterns = data::random_bits(20, 64, Random(6));
  const std::string signs = write_numbers(folder_ / "signs.npy", patterns, -2, 2),
                    large = write_numbers(folder_ / "large.npy", patterns, -200, 300),
                    positive = write_numbers(folder_ / "positive.npy", patterns, 1, 7.97);
  succeed("create", {"--bits", "64"});
  succeed("write", {"--patterns", signs});
  for (const char* verb : {"read", "forget"}) {
    expect_refused(run(verb, {"--patterns", positive}), 2,
                   {"1 to 7.97 (positive.npy)", "-2 to 2 (the memory)", "every bit of the cues would be 1",
                    "above 0 (the threshold of the memory)", "--threshold"});
  }
  EXPECT_EQ(run("read", {"--patterns", positive, "--threshold", "2"}).exit_code, 0);
  expect_contains(succeed("forget", {"--patterns", large}), {"Forgot 20 patterns"});
}

TEST_F(MemoryVerb, NamesTheLimitOfFileSizes) {
  succeed("create");
  const std::string script = "ulimit -f 100; head -c 300000 /dev/zero | tr '\\0' 'a' | fold -w 100 | "
                             "\"$0\" memory write \"$1\" --quiet";
  const ProgramResult result = testing::run_program({"bash", "-c", script, MNEME_PROGRAM, memory_});
  EXPECT_EQ(result.exit_code, 1) << result.out;
  expect_contains(result.err, {"Nothing of the failed transaction was stored", "ulimit -f"});
  expect_contains(succeed("verify"), {"Intact"});
}

TEST_F(MemoryVerb, AnswersWhileItIsOpen) {
  succeed("create");
  succeed("write", {"an apple is a fruit"});
  const std::string script = "coproc READ { \"$0\" memory read \"$1\" --json --top 1; }\n"
                             "echo apple >&${READ[1]}; read -r -t 15 line <&${READ[0]}; echo \"$line\"\n"
                             "\"$0\" memory write \"$1\" 'a carrot is a vegetable' > /dev/null\n"
                             "echo carrot >&${READ[1]}; read -r -t 15 line <&${READ[0]}; echo \"$line\"\n";
  const ProgramResult result = testing::run_program({"bash", "-c", script, MNEME_PROGRAM, memory_});
  const std::vector<nlohmann::json> lines = json_lines(result.out);
  ASSERT_EQ(lines.size(), 2) << result.err;
  EXPECT_EQ(lines[0]["nearest"][0]["payload"], "an apple is a fruit");
  EXPECT_EQ(lines[1]["nearest"][0]["payload"], "a carrot is a vegetable")
      << "written by another process meanwhile";
}

TEST_F(MemoryVerb, EndsWhenItsFolderIsReplacedWhileItIsOpen) {
  succeed("create");
  succeed("write", {"an apple is a fruit"});
  const std::string script = // bash forgets a coprocess, and its pipes, when it ends
      "coproc OPEN { \"$0\" memory \"$2\" \"$1\" --json; }\n"
      "pid=$OPEN_PID; exec 3<&${OPEN[0]} 4>&${OPEN[1]}\n"
      "echo apple >&4; read -r -t 15 line <&3; echo \"$line\"\n"
      "mv \"$1\" \"$1.old\"; \"$0\" memory create \"$1\" > /dev/null\n"
      "echo pear >&4; read -r -t 15 line <&3; echo \"$line\"\n"
      "wait $pid; code=$?; rm -r \"$1\"; mv \"$1.old\" \"$1\"; exit $code\n";
  for (const auto& [verb, exit_code] : std::map<std::string, int>{{"read", 3}, {"write", 1}}) {
    const ProgramResult result = testing::run_program({"bash", "-c", script, MNEME_PROGRAM, memory_, verb});
    EXPECT_EQ(result.exit_code, exit_code) << verb;
    const std::vector<nlohmann::json> lines = json_lines(result.out);
    ASSERT_EQ(lines.size(), 2) << result.err;
    EXPECT_TRUE(contains(lines[1].at("error").get<std::string>(), "removed, renamed or replaced"))
        << lines[1];
    EXPECT_EQ(lines[1].at("line"), 2);
    expect_contains(result.err, {"removed, renamed or replaced", "Open the memory again"});
  }
}

TEST_F(MemoryVerb, AnswersEachLineAlsoIfItIsInvalid) {
  succeed("create");
  succeed("write", {"foo"});
  const auto errors = [](const std::vector<nlohmann::json>& lines) {
    std::map<int64_t, std::string> found;
    for (const nlohmann::json& line : lines) {
      if (line.contains("error")) {
        found[line.at("line")] = line.at("error");
      }
    }
    return found;
  };
  const std::vector<std::string> options{"--json", "--top", "1", "--no-recall"};
  ProgramResult result = run("read", options, "\nfoo\n!!\nfoo");
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.err, "");
  std::vector<nlohmann::json> lines = json_lines(result.out);
  ASSERT_EQ(lines.size(), 4);
  EXPECT_EQ(lines[0], nlohmann::json({{"error", "the line is empty. Leave it out."}, {"line", 1}}));
  EXPECT_EQ(lines[1].at("nearest").at(0).at("distance"), 0);
  EXPECT_EQ(lines[2].at("line"), 3);
  EXPECT_EQ(lines[3].at("query"), "foo");

  // Without --json the first error ends the command, after the results of the lines before it.
  result = run("read", {"--no-recall"}, "foo\n!!\nfoo\n");
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.out.substr(0, 4), "foo\n");
  expect_contains(result.err, {"line 2", "no letters"});

  // Lines that are refused do not prevent that others of the same transaction are stored.
  result = run("write", {"--format", "json", "--json"},
               "{\"text\": \"a\", \"key\": \"a\"}\n{bad\n{\"text\": \"b\", \"key\": \"b\"}\n"
               "{\"text\": \"c\", \"key\": \"a\"}\n{\"text\": \"d\", \"key\": \"d\"}\n");
  EXPECT_EQ(result.exit_code, 3) << "of the worst error";
  lines = json_lines(result.out);
  EXPECT_EQ(lines[0].at("seqs"), nlohmann::json({2}));
  const std::map<int64_t, std::string> found = errors(lines);
  ASSERT_EQ(found.size(), 2);
  expect_contains(found.at(2), {"invalid JSON"});
  expect_contains(found.at(4), {"the key \"a\" is that of record 2"});
  EXPECT_EQ(json_lines(succeed("export")).size(), 4);
  EXPECT_EQ(run("write", {"--format", "json", "--json"}, "{\"text\": \"c\", \"key\": \"a\"}\n").exit_code, 2);
}

TEST_F(MemoryVerb, PrintsNearestPatternsAsCsv) {
  succeed("create");
  write_text(folder_ / "bytes", "bytes\xff");
  succeed("write", {"--key", "k", "--label", "l", "one, \"two\""});
  succeed("write", {"--payload", (folder_ / "bytes").string(), "three"});
  EXPECT_EQ(succeed("read", {"--csv", "--top", "1"}, "one two\nthree\n"),
            "query,rank,number,distance,key,label,payload\n"
            "one two,1,1,0,k,l,\"one, \"\"two\"\"\"\n"
            "three,1,2,0,,,bytes\\xff\n");
  EXPECT_EQ(succeed("read", {"--csv", "--within", "0", "three"}).find("three,1,2,0"), 45);
  expect_refused(run("read", {"--csv", "--json", "a"}), 2, {"--csv and --json"});
  expect_refused(run("read", {"--csv", "--top", "0", "a"}), 2, {"--csv and --top 0"});
  expect_refused(run("read", {"--csv", "--update-steps", "3", "a"}), 2, {"--update-steps has no effect"});
}

TEST_F(MemoryVerb, ForgetsByLinesOfAWriter) {
  succeed("create");
  const std::vector<std::string> format{"--format", "json"};
  const std::string input = "{\"text\": \"a\", \"key\": \"a\"}\n{\"text\": \"b\", \"key\": \"b\"}\n"
                            "{\"forget\": \"a\"}\n{\"forget\": \"unknown\"}\n"
                            "{\"text\": \"c\", \"key\": \"a\"}\n";
  const std::vector<nlohmann::json> lines =
      json_lines(succeed("write", {"--format", "json", "--json"}, input));
  ASSERT_EQ(lines.size(), 3) << "one per transaction";
  EXPECT_EQ(lines[1], nlohmann::json::parse(R"({"forgotten": 1, "stored": 1, "unknown_keys": ["unknown"]})"));
  EXPECT_EQ(lines[2].at("stored"), 2);
  EXPECT_EQ(succeed("write", format, "{\"forget\": \"b\"}\n{\"text\": \"d\"}\n"),
            "Wrote 1 pattern, forgot 1; 2 stored\n");
  expect_refused(run("write", format, "{\"forget\": \"b\", \"text\": \"d\"}\n"), 3, {"has other fields"});
  expect_refused(run("write", format, "{\"forget\": 1}\n"), 3, {"\"forget\"", "not a text"});
  for (const char* subcommand : {"read", "forget"}) {
    expect_refused(run(subcommand, format, "{\"forget\": \"b\"}\n"), 3, {"\"forget\""});
  }
}

TEST_F(MemoryVerb, KeepsSdmWithSelectedCoordinates) {
  const std::string created = succeed("create", {"--bits", "64", "--memory", "hyperplane-sdm",
                                                 "--selected-coordinates", "3", "--hard-locations", "1000"});
  EXPECT_NE(created.find("1000 hard locations, 3 selected coordinates that are 1"), std::string::npos)
      << created;
  succeed("write", {"one", "two"});
  const nlohmann::json info = testing::results_of(succeed("info", {"--json"}));
  EXPECT_EQ(info.at("selected_coordinates"), 3);
  EXPECT_EQ(info.at("assigned_values"), "ones");
  EXPECT_FALSE(info.contains("hamming_radius"));
  succeed("verify");
  memory_ = (folder_ / "selected").string();
  EXPECT_NE(succeed("create", {"--memory", "selected-sdm"}).find("10 selected coordinates"),
            std::string::npos);
  memory_ = (folder_ / "refused").string();
  expect_refused(run("create", {"--memory", "hyperplane-sdm"}), 2, {"needs --selected-coordinates"});
  expect_refused(run("create", {"--memory", "sdm", "--selected-coordinates", "9"}), 2,
                 {"--selected-coordinates has no effect", "selected-sdm"});
  expect_refused(run("create", {"--selected-coordinates", "9"}), 2, {"only hard locations"});
}

TEST_F(MemoryVerb, SuggestsItsSubcommandsByOtherNames) {
  for (const auto& [other, name] : {std::pair("delete", "forget"),
                                    {"remove", "forget"},
                                    {"add", "write"},
                                    {"insert", "write"},
                                    {"import", "write"},
                                    {"search", "read"},
                                    {"query", "read"},
                                    {"backup", "export"},
                                    {"verfy", "verify"}}) {
    expect_refused(run(other, {"x"}), 2, {other, std::string("Did you mean \"") + name + "\"?"});
    expect_refused(run_mneme({"memory", other, "--help"}), 2, {other, name});
  }
}

TEST_F(MemoryVerb, RefusesOptionsWithoutAnEffect) {
  expect_refused(run("create", {"--hard-locations", "10"}), 2,
                 {"--hard-locations has no effect", "--memory sdm"});
  expect_refused(run("create", {"--beta", "2"}), 2, {"beta is 2", "best-match does not use it"});
  expect_refused(run("create", {"--seed", "2"}), 2, {"--seed has no effect"});
  expect_refused(run("create", {"--memory", "sdm", "--separation", "softmax"}), 2,
                 {"--memory cannot be combined"});
  expect_refused(run("create", {"--similarity", "hamming", "--separation", "polynomial"}), 2,
                 {"polynomial", "cosine or dot"});
  EXPECT_FALSE(fs::exists(memory_));
  succeed("create");
  expect_refused(run("create"), 2, {"already"});
  expect_refused(run("write", {"--limit", "3", "text"}), 2, {"--limit has no effect"});
  expect_refused(run("write", {"--key", "k"}, "a\nb\n"), 2, {"--key and --payload are of one pattern"});
  expect_refused(run("write", {"--key", "k", "--key", "l", "text"}), 2, {"--key needs exactly one value"});
  expect_refused(run("write", {"--batch", "3", "text"}), 2, {"--batch has no effect"});
  expect_refused(run("write", {"text", "--patterns", "x.npy"}), 2, {"as arguments and as files"});
  expect_refused(run("write", {"--patterns", "x.npy", "--format", "hex"}), 2, {"--format has no effect"});
  expect_refused(run("read", {"--no-recall", "--top", "0", "text"}), 2, {"nothing is left to print"});
  expect_refused(run("read", {"--no-recall", "--update-steps", "2", "text"}), 2,
                 {"--update-steps has no effect"});
  expect_refused(run("forget", {"--key", "k", "--format", "hex"}), 2, {"--format has no effect"});
}

TEST_F(MemoryVerb, ReportsFoldersThatCannotBeRead) {
  fs::create_symlink("loop", folder_ / "loop");
  memory_ = (folder_ / "loop").string();
  for (const char* subcommand :
       {"write", "read", "forget", "info", "verify", "compact", "export", "create"}) {
    expect_refused(run(subcommand), 3, {"loop", "cannot be read: Too many levels of symbolic links"});
  }
}

TEST_F(MemoryVerb, ReportsMissingAndDamagedMemoriesAndASecondWriter) {
  for (const char* subcommand : {"write", "read", "forget", "info", "verify", "compact", "export"}) {
    expect_refused(run(subcommand), 3, {"there is no memory in this folder", "mneme memory create"});
  }
  succeed("create");
  succeed("write", {"some text"});
  {
    const store::DurableMemory writer = store::DurableMemory::open(memory_);
    expect_refused(run("write", {"another text"}), 1, {"another process", "open for writing"});
    expect_contains(succeed("read", {"some text"}), {"some text"});
  }
  std::string database = testing::read_text(fs::path(memory_) / "memory.sqlite");
  const size_t at = database.find("some text");
  ASSERT_NE(at, std::string::npos);
  database[at] = 'S';
  write_text(fs::path(memory_) / "memory.sqlite", database);
  expect_refused(run("read", {"some text"}), 3,
                 {"memory.sqlite", "the checksum of record 1 is wrong", "verify"});
  const ProgramResult verify = run("verify");
  EXPECT_EQ(verify.exit_code, 4);
  expect_contains(verify.out, {"the checksum of record 1 is wrong", "DAMAGED"});
  const ProgramResult json = run("verify", {"--json"});
  EXPECT_EQ(json.exit_code, 4);
  EXPECT_EQ(testing::results_of(json.out).at("intact"), false);
  EXPECT_EQ(testing::results_of(json.out).at("records"), 0) << "the records before the damaged one";
}

TEST_F(MemoryVerb, IsIntactWithoutSnapshotFiles) {
  succeed("create", {"--bits", "64", "--memory", "sdm", "--hard-locations", "100"});
  succeed("write", {"one", "two"});
  expect_contains(succeed("compact"),
                  {"Removed 0 records", " of them in snapshot files, with which opening is fast)"});
  EXPECT_EQ(succeed("verify"), "Intact: 2 records, 2 stored patterns, 3 files checked\n");
  fs::remove_all(fs::path(memory_) / "snapshot");
  expect_contains(succeed("verify"), {"Intact: 2 records, 2 stored patterns, 1 file checked",
                                      "2 snapshot files are missing", "mneme memory compact"});
  const nlohmann::json json = testing::results_of(succeed("verify", {"--json"}));
  EXPECT_EQ(json.at("intact"), true);
  EXPECT_EQ(json.at("missing_snapshot_files"), 2);
  EXPECT_GT(testing::results_of(succeed("compact", {"--json"})).at("bytes_snapshot"), 0);
  EXPECT_EQ(succeed("verify"), "Intact: 2 records, 2 stored patterns, 3 files checked\n");
}

TEST_F(MemoryVerb, AdvisesToCompactIfOnlyTheSnapshotIsDamaged) {
  succeed("create", {"--bits", "64", "--memory", "sdm", "--hard-locations", "100"});
  succeed("write", {"one", "two"});
  succeed("compact");
  for (const auto& file : fs::directory_iterator(fs::path(memory_) / "snapshot")) {
    fs::resize_file(file.path(), 100);
  }
  const ProgramResult verify = run("verify");
  EXPECT_EQ(verify.exit_code, 4);
  expect_contains(verify.out, {"DAMAGED", "Only the snapshot is damaged", "mneme memory compact"});
  EXPECT_EQ(testing::results_of(run("verify", {"--json"}).out).at("damaged_snapshot_files"), 2);
  expect_contains(succeed("read", {"one"}), {"one"});
  succeed("compact");
  EXPECT_EQ(succeed("verify"), "Intact: 2 records, 2 stored patterns, 3 files checked\n");
}

TEST_F(MemoryVerb, ChecksTheMainMemoryFirst) {
  expect_refused(run("create", {"--memory", "sdm", "--hard-locations", "1e9", "--bits", "10000"}), 1,
                 {"1000000000 hard locations needs", "of main memory", "fewer or smaller patterns"});
  expect_refused(run("create", {"--memory", "sdm", "--hard-locations", "1000", "--bits", "256",
                                "--memory-max", "100kB"}),
                 1, {"100 kB are allowed by --memory-max"});
  EXPECT_FALSE(fs::exists(memory_));
  succeed("create", {"--memory", "sdm", "--hard-locations", "1000", "--bits", "256"});
  expect_refused(run("read", {"--memory-max", "100kB", "text"}), 1, {"2.21 MB", "100 kB", "--memory-max"});
  succeed("read", {"--memory-max", "3MB", "text"});
}

TEST_F(MemoryVerb, RefusesWritesThatNeedMoreMainMemory) {
  succeed("create", {"--bits", "256"});
  const BitPatterns patterns = data::random_bits(3000, 256, Random(1));
  data::write_npy((folder_ / "x.npy").string(), patterns);
  const std::string file = (folder_ / "x.npy").string();
  expect_refused(run("write", {"--patterns", file, "--memory-max", "500kB"}), 1,
                 {"with 3000 more patterns needs 600 kB", "500 kB are allowed by --memory-max"});
  expect_contains(succeed("info", {"--json"}), {"\"stored\": 0"});
  succeed("write", {"--patterns", file, "--memory-max", "600kB"});
  succeed("read", {"--memory-max", "400kB", "text"});
  expect_refused(run("compact", {"--memory-max", "700kB"}), 1, {"needs 768 kB"});
  expect_refused(run("verify", {"--memory-max", "500kB"}), 1, {"needs 576 kB"});
  expect_contains(succeed("verify", {"--memory-max", "600kB"}), {"Intact"});
  const ProgramResult lines = run("write", {"--memory-max", "640kB", "--batch", "50"}, [] {
    std::string text;
    for (int i = 0; i < 300; ++i) {
      text += "text " + std::to_string(i) + "\n";
    }
    return text;
  }());
  EXPECT_EQ(lines.exit_code, 1);
  expect_contains(lines.err, {"with 50 more patterns needs 643 kB",
                              "the first 200 patterns of the input are stored, in earlier transactions"});
}

TEST_F(MemoryVerb, ReportsPatternsThatActivateNoHardLocation) {
  const ProgramResult create = run(
      "create", {"--memory", "sdm", "--bits", "256", "--hard-locations", "1000", "--hamming-radius", "10"});
  EXPECT_EQ(create.exit_code, 0);
  expect_contains(create.out, {"A pattern activates 2.51e-57 hard locations on average."});
  expect_contains(create.err, {"2.5e-57 of the 1000 hard locations", "100 % of all patterns none",
                               "a larger Hamming radius"});
  const ProgramResult write = run("write", {"hello", "world"});
  EXPECT_EQ(write.out, "Wrote 2 patterns; 2 stored\n");
  expect_contains(write.err, {"2 of the written patterns activated no hard location", "cannot recall them"});
  EXPECT_EQ(json_lines(succeed("write", {"--json", "again"}))[0].at("without_location"), 1);

  memory_ = (folder_ / "selected").string();
  const ProgramResult selected = run("create", {"--memory", "selected-sdm", "--bits", "256", "--json"});
  EXPECT_EQ(selected.err, "");
  EXPECT_EQ(testing::results_of(selected.out).at("expected_activated"), 100'000 / 1024.0);
  EXPECT_EQ(json_lines(succeed("write", {"--json", "hello"}))[0].at("without_location"), 0);
}

TEST_F(MemoryVerb, ReadsFromAReadOnlyFolder) {
  // Permissions do not restrict root, so that the commands run as another user.
  std::vector<std::string> as_user;
  if (::geteuid() == 0) {
    as_user = {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"};
    std::vector<std::string> test = as_user;
    test.insert(test.end(), {MNEME_PROGRAM, "--version"});
    if (testing::run_program(test).exit_code != 0) {
      GTEST_SKIP() << "the program cannot be run as another user";
    }
  }
  const auto run_as_user = [&](const std::string& memory, const std::vector<std::string>& arguments) {
    std::vector<std::string> command = as_user;
    command.insert(command.end(), {MNEME_PROGRAM, "memory", arguments[0], memory});
    command.insert(command.end(), arguments.begin() + 1, arguments.end());
    return testing::run_program(command);
  };
  fs::permissions(folder_.path(), fs::perms(0755));
  succeed("create");
  succeed("write", {"some text"});
  const std::string crashed = (folder_ / "crashed").string();
  const auto expect_two_patterns = [&](const std::string& memory) {
    const std::string stored = run_as_user(memory, {"export"}).out;
    EXPECT_EQ(json_lines(stored).size(), 2) << stored;
    const ProgramResult verify = run_as_user(memory, {"verify"});
    EXPECT_EQ(verify.exit_code, 0) << verify.err;
    expect_contains(verify.out, {"Intact: 2 records"});
  };
  {
    store::DurableMemory writer = store::DurableMemory::open(memory_);
    writer.write(BitPatterns(1, 1024));
    fs::copy(memory_, crashed, fs::copy_options::recursive); // as after a crash: the log was not moved
    fs::permissions(memory_, fs::perms(0555));
    expect_two_patterns(memory_); // while the writer has the memory open
    fs::permissions(memory_, fs::perms(0755));
  }
  fs::permissions(memory_, fs::perms(0555));
  fs::permissions(crashed, fs::perms(0555));
  expect_two_patterns(crashed);
  EXPECT_TRUE(fs::remove(crashed + "/memory.sqlite-shm"));
  const ProgramResult read = run_as_user(memory_, {"read", "some text"});
  EXPECT_EQ(read.exit_code, 0) << read.err;
  EXPECT_TRUE(contains(read.out, "some text"));
  EXPECT_EQ(run_as_user(memory_, {"verify"}).exit_code, 0);
  expect_refused(run_as_user(memory_, {"write", "more text"}), 1,
                 {"lock", "for writing", "read-only folder"});
  for (const char* subcommand : {"read", "info", "verify"}) { // none of them reports damage
    expect_refused(run_as_user(crashed, {subcommand}), 3,
                   {"read-only", "memory.sqlite-wal", "mneme memory compact", "copy the whole folder"});
  }
  fs::permissions(crashed, fs::perms(0755));
  memory_ = crashed;
  succeed("compact"); // as the message recommends
  EXPECT_FALSE(fs::exists(crashed + "/memory.sqlite-wal"));
  fs::permissions(crashed, fs::perms(0555));
  expect_two_patterns(crashed);
  fs::permissions((folder_ / "memory"), fs::perms(0755));
  fs::permissions(crashed, fs::perms(0755));
}

TEST_F(MemoryVerb, IsInspectableWithSqlite) {
  if (testing::run_program({"sqlite3", "--version"}).exit_code != 0) {
    GTEST_SKIP() << "the program sqlite3 is not installed";
  }
  succeed("create", {"--bits", "16"});
  succeed("write", {"--format", "hex", "--key", "k", "--label", "l", "0fa0"});
  succeed("write", {"--format", "hex", "ffff"});
  succeed("forget", {"--format", "hex", "ffff"});
  const ProgramResult result =
      testing::run_program({"sqlite3", "-readonly", memory_ + "/memory.sqlite",
                            "SELECT * FROM memories; SELECT value FROM meta WHERE name = 'bits'"});
  EXPECT_EQ(result.out, "1|k|l|0FA0|\n16\n") << result.err;
}

TEST_F(MemoryVerb, StoresPayloadsOfFilesAndListsAllPatternsWithinARadius) {
  const BitPatterns codes = data::random_bits(300, 70, Random(1));
  const std::string npy = (folder_ / "codes.npy").string(), ids = (folder_ / "ids.txt").string();
  data::write_packed_npy(npy, codes, data::BitOrder::big);
  std::string lines;
  for (int i = 0; i < 300; ++i) {
    lines += "id " + std::to_string(i) + (i % 2 == 0 ? "\r\n" : "\n");
  }
  write_text(ids, lines);
  succeed("create", {"--bits", "70"});
  succeed("write", {"--patterns", npy, "--packed", "big", "--payloads", ids});
  const auto read = [&](std::vector<std::string> options) {
    options.insert(options.begin(), {"--patterns", npy, "--packed", "big", "--json", "--no-recall"});
    return json_lines(succeed("read", options));
  };
  const auto within = read({"--within", "25"}), top = read({"--within", "25", "--top", "2"}),
             ties = read({"--top", "2", "--ties", "all"});
  for (int64_t q = 0; q < codes.count(); ++q) {
    std::vector<std::pair<int64_t, std::string>> expected; // distance, payload
    for (int64_t i = 0; i < codes.count(); ++i) {
      expected.emplace_back(hamming_distance(codes, q, codes, i), "id " + std::to_string(i));
    }
    std::ranges::stable_sort(expected, {}, [](const auto& pair) { return pair.first; });
    const auto count_up_to = [&](int64_t distance) {
      return static_cast<size_t>(
          std::ranges::count_if(expected, [&](const auto& pair) { return pair.first <= distance; }));
    };
    const auto expect_first = [&](const nlohmann::json& line, size_t count) {
      ASSERT_EQ(line["nearest"].size(), count);
      for (size_t i = 0; i < count; ++i) {
        EXPECT_EQ(line["nearest"][i]["distance"], expected[i].first);
        EXPECT_EQ(line["nearest"][i]["payload"], expected[i].second);
      }
    };
    const auto index = static_cast<size_t>(q);
    expect_first(within[index], count_up_to(25));
    expect_first(top[index], std::min<size_t>(2, count_up_to(25)));
    expect_first(ties[index], count_up_to(expected[1].first));
  }
  write_text(ids, "one\n");
  expect_refused(run("write", {"--patterns", npy, "--packed", "big", "--payloads", ids}), 3,
                 {"ids.txt", "1 payload,", "300 patterns"});
  write_text(folder_ / "strings.npy", std::string("\x93NUMPY\x01\0v\0", 10) +
                                          "{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }" +
                                          std::string(60, ' ') + "\nabcd");
  expect_refused(
      run("write", {"--patterns", npy, "--packed", "big", "--payloads", (folder_ / "strings.npy").string()}),
      3, {"strings", "numpy.savetxt"});
  expect_refused(run("write", {"--patterns", npy, "--packed", "big", "--threshold", "2"}), 2,
                 {"--threshold has no effect"});
  expect_refused(run("write", {"--payloads", ids, "a text"}), 2, {"--payloads has no effect"});
  expect_refused(run("read", {"--within", "3", "--top", "0", "a"}), 2, {"--within"});
  expect_refused(run("read", {"--within", "3", "--ties", "all", "a"}), 2, {"--ties has no effect"});
}

TEST_F(MemoryVerb, WritesAndForgetsByKeysInAFile) {
  const BitPatterns codes = data::random_bits(30, 64, Random(3));
  const std::string npy = (folder_ / "codes.npy").string(), keys = (folder_ / "keys.txt").string(),
                    payloads = (folder_ / "payloads.gz").string();
  data::write_packed_npy(npy, codes, data::BitOrder::big);
  std::string lines;
  for (int i = 100; i < 130; ++i) {
    lines += std::to_string(i) + "\n";
  }
  write_text(keys, lines);
  // gzip of "p0\np1\n"
  const ProgramResult compressed =
      testing::run_program({"sh", "-c", "printf 'p0\\np1\\n' | gzip > \"$0\"", payloads});
  ASSERT_EQ(compressed.exit_code, 0) << compressed.err;
  succeed("create", {"--bits", "64"});
  const std::vector<std::string> write{"--patterns", npy, "--packed", "big", "--keys", keys};
  EXPECT_EQ(succeed("write", write), "Wrote 30 patterns; 30 stored\n");
  EXPECT_EQ(succeed("write", write), "Wrote 0 patterns, 30 stored already under the same key; 30 stored\n");
  write_text(keys, "a\nb\nc\nd\ne\nb\n");
  expect_refused(run("write", {"--patterns", npy, "--packed", "big", "--limit", "6", "--keys", keys}), 2,
                 {"the key \"b\" is given twice: lines 2 and 6 of ", "keys.txt"});
  expect_refused(run("write", {"--format", "json"},
                     "\n{\"hex\": \"0000000000000001\", \"key\": \"x\"}\n{\"hex\": \"0000000000000002\", "
                     "\"key\": \"x\"}\n"),
                 2, {"given twice: lines 2 and 3."});
  write_text(keys, "101\n129\n101\n999\n");
  EXPECT_EQ(testing::results_of(succeed("forget", {"--keys", keys, "--key", "105", "--json"})),
            nlohmann::json::parse(R"({"forgotten": 3, "stored": 27, "unknown_keys": ["999"]})"));
  EXPECT_EQ(json_lines(succeed("export")).at(1).at("key"), "102");

  // The first lines of the files belong to the first patterns.
  EXPECT_EQ(succeed("write", {"--patterns", npy, "--packed", "big", "--limit", "2", "--payloads", payloads}),
            "Wrote 2 patterns; 29 stored\n");
  const std::vector<nlohmann::json> exported = json_lines(succeed("export"));
  EXPECT_EQ(exported.at(27).at("payload"), "p0");
  EXPECT_EQ(exported.at(28).at("payload"), "p1");
  expect_refused(run("write", write), 3, {"keys.txt", "4 keys", "30 patterns"});
  expect_refused(run("write", {"--keys", keys, "a text"}), 2, {"--keys has no effect"});
  expect_refused(run("write", {"--patterns", npy, "--packed", "big", "--keys", keys, "--key", "k"}), 2,
                 {"--key"});
}

TEST_F(MemoryVerb, StopsAfterAnInterruptAndStoresNothing) {
  const std::string npy = (folder_ / "codes.npy").string();
  data::write_packed_npy(npy, data::random_bits(400'000, 256, Random(4)), data::BitOrder::big);
  succeed("create", {"--bits", "256"});
  // The log of changes is longer than that of an empty memory once patterns are being written.
  const std::string script =
      "\"$0\" memory write \"$1\" --patterns \"$2\" --packed big & writer=$!\n"
      "for i in $(seq 400); do\n"
      "  [ $(stat -c %s \"$1/memory.sqlite-wal\" 2> /dev/null || echo 0) -gt 100000 ] && break; sleep 0.01\n"
      "done\n"
      "kill -INT $writer; wait $writer";
  const ProgramResult result =
      testing::run_program({"bash", "-m", "-c", script, MNEME_PROGRAM, memory_, npy});
  EXPECT_EQ(result.exit_code, 130) << result.out << result.err;
  EXPECT_EQ(result.out, "");
  expect_contains(result.err, {"nothing of the input is stored", "interrupted"});
  EXPECT_EQ(succeed("verify"), "Intact: 0 records, 0 stored patterns, 1 file checked\n");
}

TEST_F(MemoryVerb, RefusesPathsThatAreNoMemory) {
  const std::string file = (folder_ / "m.safetensors").string(), npy = (folder_ / "codes.npy").string();
  succeed("create", {"--bits", "1", "--quiet"});
  for (const std::string name : {"x.npz", "x.npy.gz", "x.foo"}) {
    expect_refused(run("export", {"--out", (folder_ / name).string()}), 2, {name, "NAME.safetensors"});
    EXPECT_FALSE(fs::exists(folder_ / name));
  }
  expect_refused(run("export", {"--out", ""}), 2, {"--out", "empty"});
  expect_refused(run("export", {"--no-keys"}), 2, {"--no-keys has no effect"});
  expect_refused(run_mneme({"recall", "--patterns", "random:3x20", "--out", memory_}), 2,
                 {"contains a memory"});
  succeed("export", {"--out", (folder_ / "M.SAFETENSORS").string()});
  fs::rename(folder_ / "M.SAFETENSORS", file);
  data::write_npy(npy, BitPatterns(1, 8));
  const std::string folder = memory_;
  for (const std::string subcommand : {"create", "write", "read", "info", "verify", "export"}) {
    memory_ = "";
    expect_refused(run(subcommand), 2, {"DIR: the name is empty"});
    if (subcommand != "create") {
      memory_ = (folder_ / "none.safetensors").string();
      expect_refused(run(subcommand), 3, {"none.safetensors", "does not exist"});
    }
  }
  memory_ = file;
  for (const std::string subcommand : {"info", "verify"}) {
    expect_refused(run(subcommand), 2, {"m.safetensors is a file", "mneme memory read"});
  }
  memory_ = npy;
  expect_refused(run("read", {"text"}), 3, {"is not a memory", "mneme memory export"});
  ItemMemory<RealPatterns> reals;
  reals.add(RealPatterns(2, 3));
  store::save_memory(file, reals);
  memory_ = file;
  expect_refused(run("read", {"text"}), 3, {"reals", "reads memories of bits"});
  memory_ = (folder_ / "small").string();
  expect_refused(run("create", {"--bits", "8", "--memory", "attention"}), 2,
                 {"8 bits", "Give beta (--beta)"});
}

TEST_F(MemoryVerb, SaysThatItIsEmptyForEveryKind) {
  for (const std::string kind :
       {"best-match", "pattern-sdm", "attention", "sdm", "selected-sdm", "hyperplane-sdm"}) {
    memory_ = (folder_ / kind).string();
    std::vector<std::string> arguments{"--memory", kind, "--bits", "256"};
    if (kind == "hyperplane-sdm") {
      arguments.insert(arguments.end(), {"--selected-coordinates", "3"});
    }
    succeed("create", arguments);
    expect_contains(succeed("read", {"hello"}), {"recalled nothing: the memory is empty\n"});
    const nlohmann::json recalled = json_lines(succeed("read", {"hello", "--json"})).at(0).at("recalled");
    EXPECT_EQ(recalled.at("activated"), 0) << kind;
    EXPECT_EQ(recalled.at("steps"), 1) << kind;
    EXPECT_TRUE(recalled.at("seq").is_null()) << kind;
  }
}

TEST_F(MemoryVerb, LeavesNothingBehindIfItCannotBeCreated) {
  memory_ = (folder_ / "big").string();
  const std::vector<std::string> huge{"--bits",           "1000",       "--memory",     "sdm",
                                      "--hard-locations", "1000000000", "--memory-max", "100T"};
  expect_refused(run("create", huge), 2, {"1000000000 hard locations"});
  EXPECT_FALSE(std::filesystem::exists(memory_));
  succeed("create", {"--bits", "1000"});
}

TEST_F(MemoryVerb, RefusesRandomPatternsByName) {
  memory_ = (folder_ / "memory").string();
  succeed("create", {"--bits", "256"});
  expect_refused(run("write", {"--patterns", "random:10x256"}), 2,
                 {"--patterns random:10x256", "`mneme recall` only"});
}

TEST_F(MemoryVerb, ReadsAnEmptyFile) {
  memory_ = (folder_ / "empty.safetensors").string();
  store::save_memory(memory_, ItemMemory<BitPatterns>());
  expect_contains(succeed("read", {"a text"}), {"the memory is empty"});
  EXPECT_EQ(json_lines(succeed("read", {"a text", "--json"})).at(0).at("nearest").size(), 0);
  EXPECT_EQ(succeed("export"), "");
}

TEST_F(MemoryVerb, ExportsFilesThatItReads) {
  const BitPatterns codes = data::random_bits(40, 100, Random(2));
  const std::string npy = (folder_ / "codes.npy").string(), ids = (folder_ / "ids.npy").string(),
                    file = (folder_ / "codes.safetensors").string();
  data::write_packed_npy(npy, codes, data::BitOrder::little);
  succeed("create", {"--bits", "100", "--memory", "pattern-sdm"});
  succeed("write", {"--patterns", npy, "--packed", "little"});
  EXPECT_EQ(succeed("export", {"--out", file}), "Wrote 40 patterns to " + file + "\n");
  const auto loaded = store::load_memory<BitPatterns>(file);
  EXPECT_EQ(loaded.patterns(), codes);
  EXPECT_EQ(payload_type(loaded.payloads()), "none");

  for (const std::string order : {"little", "big"}) {
    const std::string out = (folder_ / "out.npy").string();
    succeed("export", {"--out", out, "--packed", order});
    const data::PatternSet set = data::load_patterns(
        out, {.packed = order == "big" ? data::BitOrder::big : data::BitOrder::little, .bits = 100});
    EXPECT_EQ(to_bits(set.patterns, 0.5), codes);
  }
  expect_refused(run("export", {"--packed", "big"}), 2, {"--packed has no effect"});

  // Payloads that are all integers are integers in the file.
  const std::string folder = memory_;
  memory_ = (folder_ / "integers").string();
  std::string numbers_of_patterns;
  for (int i = -7; i < 33; ++i) {
    numbers_of_patterns += std::to_string(i) + "\n";
  }
  write_text(folder_ / "integers.txt", numbers_of_patterns);
  succeed("create", {"--bits", "100"});
  succeed("write",
          {"--patterns", npy, "--packed", "little", "--payloads", (folder_ / "integers.txt").string()});
  EXPECT_EQ(succeed("export", {"--out", file}),
            "Wrote 40 patterns with payloads of type integers to " + file + "\n");
  EXPECT_EQ(store::load_memory<BitPatterns>(file).payloads_as<std::vector<int64_t>>()[39], 32);
  succeed("write", {"--format", "json", "{\"hex\": \"0000000000000000000000000a\", \"payload\": \"07\"}"});
  expect_contains(succeed("export", {"--out", file}), {"payloads of type bytes"});
  EXPECT_EQ(store::load_memory<BitPatterns>(file).payloads_as<std::vector<std::string>>()[40], "07");
  memory_ = folder;

  // The file is read like the folder, with the memory's options and payloads of any type.
  ItemMemory<BitPatterns> numbered(loaded.options());
  std::vector<int64_t> numbers(40);
  std::iota(numbers.begin(), numbers.end(), -7);
  numbered.add(codes, numbers);
  store::save_memory(file, numbered);
  const std::vector<std::string> query{"--format", "hex", "--json",
                                       "--top",    "2",   std::string(24, 'a') + "0a"};
  const std::vector<nlohmann::json> of_folder = json_lines(succeed("read", query));
  memory_ = file;
  const std::vector<nlohmann::json> of_file = json_lines(succeed("read", query));
  EXPECT_EQ(of_file[0]["recalled"]["hex"], of_folder[0]["recalled"]["hex"]);
  EXPECT_EQ(of_file[0]["recalled"]["activated"], of_folder[0]["recalled"]["activated"]);
  for (const size_t i : {0, 1}) {
    const int64_t item = of_file[0]["nearest"][i]["seq"];
    EXPECT_EQ(of_folder[0]["nearest"][i]["seq"], item + 1);
    EXPECT_EQ(of_file[0]["nearest"][i]["payload"], std::to_string(item - 7));
  }
  EXPECT_EQ(json_lines(succeed("export")).size(), 40);
  expect_refused(run("write", {"--format", "hex", "00"}), 2, {"is a file", "--format json"});
  write_text(file, "not a memory");
  expect_refused(run("read", query), 3, {"codes.safetensors"});
}

TEST_F(MemoryVerb, RefusesToExportWhatAFileCannotContain) {
  const std::string file = (folder_ / "out.safetensors").string();
  succeed("create");
  succeed("write", {"--key", "k", "a text"});
  expect_refused(run("export", {"--out", file}), 2, {"keys or labels", "--no-keys", "lines of JSON"});
  EXPECT_FALSE(fs::exists(file));
  succeed("export", {"--out", file, "--no-keys"});
  EXPECT_EQ(store::load_memory<BitPatterns>(file).payloads_as<std::vector<std::string>>().at(0), "a text");
}

/// Commands and their output in a page: lines that begin with "$ ", each followed by its output. They are
/// executed in `folder`.
void expect_page_quotes_output(const std::string& name, const TemporaryFolder& folder, int min_commands) {
  const fs::path path = fs::path(MNEME_SOURCE_DIR) / "docs/how-to" / name;
  std::istringstream page(testing::read_text(path));
  fs::create_symlink(MNEME_PROGRAM, folder / "mneme");
  const std::string search_path = folder.path().string() + ":" + std::getenv("PATH");
  std::string command, expected;
  bool in_block = false;
  int commands = 0;
  const auto check = [&] {
    if (!command.empty()) {
      const ProgramResult result =
          testing::run_program({"bash", "-c", command + " 2>&1"},
                               {.folder = folder.path(), .environment = {{"PATH", search_path}}});
      EXPECT_EQ(result.out, expected) << command;
      ++commands;
    }
    command = expected = "";
  };
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("```")) {
      check();
      in_block = !in_block;
    } else if (in_block && line.starts_with("$ ")) {
      check();
      command = line.substr(2);
    } else if (in_block && !command.empty()) {
      expected += line + "\n";
    }
  }
  EXPECT_GE(commands, min_commands);
}

TEST(MemoryPage, CommandsPrintWhatThePageQuotes) {
  const TemporaryFolder folder;
  expect_page_quotes_output("keep_a_memory_on_disk.md", folder, 8);
}

TEST(NearestCodesPage, CommandsPrintWhatThePageQuotes) {
  const TemporaryFolder folder;
  const BitPatterns codes = data::random_bits(50'000, 256, Random(7));
  data::write_packed_npy(folder / "codes.npy", codes, data::BitOrder::big);
  data::write_packed_npy(folder / "queries.npy", data::flip_bits(slice(codes, 0, 1000), 70, Random(8)),
                         data::BitOrder::big);
  std::string ids;
  for (int64_t i = 0; i < codes.count(); ++i) {
    ids += std::to_string(1'000'000 + i) + "\n";
  }
  write_text(folder / "ids.txt", ids);
  expect_page_quotes_output("find_nearest_codes.md", folder, 5);
}

TEST_F(MemoryVerb, ChecksTheNumberOfKeysAndPayloadsAlsoWithALimit) {
  succeed("create", {"--bits", "16"});
  const std::string npy = (folder_ / "x.npy").string(), lines = (folder_ / "lines.txt").string();
  data::write_npy(npy, data::random_bits(5, 16, Random(1)));
  for (const char* option : {"--keys", "--payloads"}) {
    write_text(lines, "title\na\nb\nc\nd\ne\n");
    expect_refused(run("write", {"--patterns", npy, "--limit", "2", option, lines}), 3,
                   {"the file has 6", "2 patterns are used of 5", "tail -n +2"});
    write_text(lines, "a\nb\nc\nd\ne\n");
    succeed("write", {"--patterns", npy, "--limit", "2", option, lines});
    write_text(lines, "a\nb\n");
    succeed("write", {"--patterns", npy, "--limit", "2", option, lines});
  }
}

TEST_F(MemoryVerb, KeepsTheThresholdOfNumbersInAnExport) {
  const std::string file = (folder_ / "u.npy").string(), exported = (folder_ / "e.safetensors").string();
  RealPatterns numbers = data::random_uniform(20, 64, 0, 1, Random(1));
  for (int64_t i = 0; i < numbers.count(); ++i) { // positive, and skewed
    std::ranges::transform(numbers[i], numbers[i].begin(), [](double x) { return x * x * x * x; });
  }
  data::write_npy(file, numbers);
  succeed("create", {"--bits", "64"});
  succeed("write", {"--patterns", file});
  const double threshold = testing::results_of(succeed("info", {"--json"})).at("threshold");
  const std::string query = (folder_ / "q.npy").string();
  data::write_npy(query, slice(numbers, 3, 4)); // alone, it has another threshold
  const auto distance = [&](const ProgramResult& result) {
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return json_lines(result.out).at(0).at("nearest").at(0).at("distance").get<int>();
  };
  EXPECT_EQ(distance(run("read", {"--patterns", query, "--json"})), 0);

  const std::string lines = succeed("export");
  EXPECT_EQ(json_lines(lines).at(0).at("threshold").at("value"), threshold);
  EXPECT_FALSE(json_lines(lines).at(1).contains("threshold"));
  succeed("export", {"--out", exported});
  EXPECT_EQ(distance(run_mneme({"memory", "read", exported, "--patterns", query, "--json"})), 0);
  EXPECT_EQ(run_mneme({"memory", "export", exported}).out.substr(0, 300).find("\"threshold\":{\"value\":") !=
                std::string::npos,
            true);

  const std::string copy = (folder_ / "copy").string();
  run_mneme({"memory", "create", copy, "--bits", "64"});
  const auto write_copy = [&](const std::string& input) {
    return run_mneme({"memory", "write", copy, "--format", "json"}, {.input = input});
  };
  EXPECT_EQ(write_copy(lines).exit_code, 0);
  EXPECT_EQ(distance(run_mneme({"memory", "read", copy, "--patterns", query, "--json"})), 0);
  EXPECT_EQ(testing::results_of(run_mneme({"memory", "info", copy, "--json"}).out).at("threshold"),
            threshold);
  const ProgramResult other = write_copy(
      R"({"hex": "0000000000000000", "threshold": {"value": 7, "min": 0, "max": 9, "file_scale": 1}})");
  EXPECT_EQ(other.exit_code, 2);
  expect_contains(other.err, {"threshold of the patterns is 7"});
  const ProgramResult invalid = write_copy(R"({"hex": "0000000000000000", "threshold": 7})");
  EXPECT_EQ(invalid.exit_code, 3);
  expect_contains(invalid.err, {"line 1: the field \"threshold\" is not an object"});
}

TEST_F(MemoryVerb, StoresTheIdsOfATableAsKeys) {
  const std::string table = (folder_ / "x.csv").string();
  write_text(table, "id,a,b,c,d\ndoc-1,1,0,0,1\ndoc-2,0,1,1,1\n");
  succeed("create", {"--bits", "4"});
  succeed("write", {"--patterns", table});
  const auto answers = json_lines(succeed("read", {"--patterns", table, "--json"}));
  EXPECT_EQ(answers.at(1).at("query"), "doc-2");
  EXPECT_EQ(answers.at(1).at("nearest").at(0).at("key"), "doc-2");
  EXPECT_EQ(succeed("write", {"--patterns", table}),
            "Wrote 0 patterns, 2 stored already under the same key; 2 stored\n");
}

TEST_F(MemoryVerb, ForgetsPatternsWithDifferentKeysOnlyOnRequest) {
  succeed("create", {"--bits", "8"});
  const std::string lines =
      "{\"bits\": \"11110000\", \"key\": \"a\"}\n{\"bits\": \"11110000\", \"key\": \"b\"}\n"
      "{\"bits\": \"00001111\", \"key\": \"c\"}\n{\"bits\": \"10101010\"}\n"
      "{\"bits\": \"10101010\"}\n";
  succeed("write", {"--format", "json"}, lines);
  const std::string file = (folder_ / "x.txt").string();
  write_text(file, "11110000\n00001111\n");
  for (const auto& arguments :
       {std::vector<std::string>{"--patterns", file}, {"--format", "bits", "11110000"}}) {
    expect_refused(
        run("forget", arguments), 2,
        {"2 stored patterns with different keys have the same bits as one given pattern: \"a\", \"b\".",
         "--all-equal", "--key"});
  }
  EXPECT_EQ(json_lines(succeed("export")).size(), 5U) << "nothing was forgotten";
  expect_contains(succeed("forget", {"--format", "bits", "10101010"}), {"Forgot 2 patterns"});
  const ProgramResult all = run("forget", {"--patterns", file, "--all-equal"});
  EXPECT_EQ(all.exit_code, 0) << all.err;
  expect_contains(all.out, {"Forgot 3 patterns; 0 stored"});
  expect_contains(all.err, {"2 stored patterns with different keys", "\"a\", \"b\""});
  expect_refused(run("forget", {"--key", "a", "--all-equal"}), 2, {"--all-equal has no effect"});
}

TEST_F(MemoryVerb, ReadsAPatternByItsKey) {
  succeed("create", {"--bits", "8"});
  succeed("write", {"--format", "json"},
          "{\"bits\": \"11110000\", \"key\": \"a\", \"label\": \"l\", \"payload\": \"the text\"}\n"
          "{\"bits\": \"00001111\", \"key\": \"b\"}\n");
  expect_contains(succeed("read", {"--key", "a"}), {"the text", "0f"});
  const auto lines = json_lines(succeed("read", {"--key", "b", "--key", "a", "--json"}));
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0], nlohmann::json({{"seq", 2}, {"hex", "f0"}, {"key", "b"}}));
  EXPECT_EQ(lines[1].at("payload"), "the text");
  expect_refused(run("read", {"--key", "a", "--key", "c"}), 3, {"no stored pattern has the key \"c\""});
  expect_refused(run("read", {"--key", "a", "--top", "3"}), 2, {"--key prints stored patterns"});
  expect_refused(run("read", {"--key", "a", "text"}), 2, {"--key prints stored patterns"});
  succeed("forget", {"--key", "a"});
  EXPECT_EQ(run("read", {"--key", "a"}).exit_code, 3);
}

TEST_F(MemoryVerb, SkipsBlankLinesOfStandardInput) {
  succeed("create");
  std::string texts;
  for (int i = 0; i < 40; ++i) {
    texts += "text " + std::to_string(i) + "\n\n  \n";
  }
  const ProgramResult written = run("write", {}, texts);
  EXPECT_EQ(written.exit_code, 0);
  EXPECT_EQ(written.out, "Wrote 40 patterns; 40 stored\n");
  EXPECT_EQ(written.err, "mneme memory: 80 blank lines of standard input were skipped\n");
  // They do not end a transaction: an invalid line prevents that the lines before it are stored.
  const ProgramResult refused = run("write", {}, "good\n\nalso good\n\n!!!\n");
  EXPECT_EQ(refused.exit_code, 3);
  expect_contains(refused.err, {"line 5: \"!!!\""});
  EXPECT_EQ(testing::results_of(succeed("info", {"--json"})).at("stored"), 40);
  expect_contains(run("write", {}, "\nonly one\n").err, {"1 blank line of standard input was skipped"});
  expect_contains(run("read", {"--no-recall"}, "text 7\n\ntext 8\n").err, {"1 blank line"});
}

TEST_F(MemoryVerb, HintsAtPackedBitsForBytes) {
  const std::string packed = (folder_ / "packed.npy").string(), numbers = (folder_ / "numbers.npy").string();
  data::write_packed_npy(packed, data::random_bits(9, 64, Random(1)), data::BitOrder::big);
  data::write_npy(numbers, data::random_uniform(9, 8, 0, 1, Random(1)));
  succeed("create", {"--bits", "64"});
  const ProgramResult refused = run("write", {"--patterns", packed});
  expect_refused(refused, 3, {"the patterns have 8 numbers", "--packed big", "--packed little"});
  EXPECT_FALSE(contains(refused.err, "create a memory"));
  expect_refused(run("write", {"--patterns", numbers}), 3, {"create a memory with --bits 8"});
}

TEST_F(MemoryVerb, NotesLikelyMistakesOfQueriesAndKeys) {
  const std::string file = (folder_ / "x.npy").string();
  data::write_npy(file, data::random_uniform(5, 64, -1, 1, Random(1)));
  expect_contains(succeed("create", {"--bits", "64"}),
                  {"of 64 numbers each", "--patterns FILE.npy", "To store a text"});
  succeed("write", {"--patterns", file});
  expect_contains(run("read", {"a text"}).err, {"the memory has patterns of numbers", "--patterns FILE"});
  EXPECT_EQ(run("read", {"--format", "bits", std::string(64, '1')}).err, "");

  memory_ = (folder_ / "texts").string();
  EXPECT_FALSE(contains(succeed("create"), "FILE.npy"));
  succeed("write", {"--key", "doc-1", "a text"});
  EXPECT_EQ(run("read", {"a text"}).err, "");
  const ProgramResult by_key = run("forget", {"doc-1"});
  EXPECT_EQ(by_key.exit_code, 0);
  EXPECT_EQ(by_key.out, "Forgot 0 patterns; 1 stored\n");
  expect_contains(by_key.err, {"\"doc-1\" is the key of a stored pattern", "--key doc-1"});
  expect_contains(run("forget", {"other"}).err, {"no stored pattern has the bits of \"other\""});
}

TEST_F(MemoryVerb, ReadsAndWritesVectorsOfJson) {
  const std::string file = (folder_ / "x.npy").string();
  const RealPatterns numbers = data::random_uniform(20, 16, 1, 3, Random(1));
  data::write_npy(file, numbers);
  succeed("create", {"--bits", "16"});
  const auto line_of = [](std::span<const double> vector, const std::string& rest = "") {
    return "{\"vector\": " + nlohmann::json(std::vector<double>(vector.begin(), vector.end())).dump() + rest +
           "}\n";
  };
  expect_refused(run("write", {"--format", "json"}, line_of(numbers[0])), 3,
                 {"line 1: the memory has no threshold"});
  succeed("write", {"--patterns", file});
  const std::vector<double> low(16, 0.5), other{9, 0, 9, 0, 9, 0, 9, 0, 9, 0, 9, 0, 9, 0, 9, 0};
  EXPECT_EQ(succeed("write", {"--format", "json"}, line_of(other, ", \"key\": \"new\"")),
            "Wrote 1 pattern; 21 stored\n");
  std::vector<double> high = other;
  std::ranges::transform(high, high.begin(), [](double x) { return 100 + x; });
  const ProgramResult read =
      run("read", {"--format", "json", "--json", "--top", "1"},
          line_of(numbers[4]) + line_of(other, ", \"key\": \"query\"") + "{\"vector\": [1, 2]}\n" +
              "{\"vector\": [true]}\n" + line_of(high) + "{\"embedding\": [1]}\n" + line_of(low));
  EXPECT_EQ(read.exit_code, 3);
  const auto lines = json_lines(read.out);
  ASSERT_EQ(lines.size(), 7U) << read.err;
  EXPECT_EQ(lines[0].at("query"), "vector of 16 numbers");
  EXPECT_EQ(lines[0].at("nearest").at(0).at("seq"), 5);
  EXPECT_EQ(lines[1].at("query"), "query");
  EXPECT_EQ(lines[1].at("nearest").at(0).at("key"), "new");
  EXPECT_TRUE(
      contains(lines[2].at("error"), "the vector has 2 numbers, but the memory has patterns of 16 bits"));
  EXPECT_TRUE(contains(lines[3].at("error"), "not an array of numbers"));
  EXPECT_TRUE(contains(lines[4].at("error"), "every bit would be 1"));
  EXPECT_TRUE(contains(lines[5].at("error"), "did you mean \"vector\"?"));
  EXPECT_TRUE(lines[6].contains("nearest")) << "equal numbers are a blank query";
}

} // namespace
} // namespace mneme
