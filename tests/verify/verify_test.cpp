// SPDX-License-Identifier: MIT

#include "verify/verify.h"

#include <filesystem>
#include <fstream>
#include <limits>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"

namespace mneme::verify {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCircles = R"({"source": "by hand", "cases": [
  {"n": 16, "hamm_radius": 1, "r_expr": "2^n", "dv": [0, 1, 3], "lune": [17, 2, 0], "interpretable": [17, 2, 0],
   "exact_count": ["17", "2", "0"], "exact_log_count": [2.833213344056216, 0.6931471805599453, "-inf"],
   "exact_fraction": [0.0002593994140625, 3.0517578125e-05, 0]}]})";

class Verify : public ::testing::Test {
protected:
  fs::path write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  FileResult verify(const fs::path& path) {
    Progress silent;
    const std::vector<FileResult> results = verify_paths(std::vector{path}, silent);
    EXPECT_EQ(results.size(), 1U);
    return results.at(0);
  }
  /// The circle case with one piece of text replaced.
  FileResult verify_circles(const std::string& from, const std::string& to) {
    std::string text = kCircles;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    return verify(write("circle_intersection.json", text));
  }
  void expect_bad(const FileResult& result, const std::string& word) {
    EXPECT_EQ(result.state, FileState::bad);
    ASSERT_FALSE(result.messages.empty());
    EXPECT_NE(result.messages[0].find(word), std::string::npos) << result.messages[0];
    EXPECT_FALSE(totals(std::vector{result}).good());
  }

  const testing::TemporaryFolder home_;
  const fs::path folder_ = home_.path();
};

TEST_F(Verify, PassesACaseWhoseValuesAgree) {
  const FileResult result = verify(write("circle_intersection.json", kCircles));
  EXPECT_EQ(result.state, FileState::checked);
  EXPECT_EQ(result.cases_passed, 1);
  EXPECT_EQ(result.cases_failed, 0);
  EXPECT_EQ(result.format, "circle_intersection");
}

TEST_F(Verify, FailsAChangedValueAndReportsItsPath) {
  const FileResult result = verify_circles("2.833213344056216", "2.833213344075");
  EXPECT_EQ(result.state, FileState::checked);
  EXPECT_EQ(result.cases_failed, 1);
  EXPECT_EQ(result.worst_where, "/cases/0/exact_log_count/0");
  EXPECT_GT(result.worst_ratio, 1);
  ASSERT_EQ(result.messages.size(), 1U);
  EXPECT_NE(result.messages[0].find("2.833213344075"), std::string::npos) << result.messages[0];
  EXPECT_NE(result.messages[0].find("2.83321334405621"), std::string::npos) << result.messages[0];
}

TEST_F(Verify, FailsAChangedCount) {
  const FileResult result = verify_circles("\"17\"", "\"18\"");
  EXPECT_EQ(result.cases_failed, 1);
  EXPECT_EQ(result.worst_where, "/cases/0/exact_count/0");
  EXPECT_EQ(result.worst_ratio, std::numeric_limits<double>::infinity());
}

TEST_F(Verify, FailsWhereOneSideIsInfiniteOrNotANumber) {
  EXPECT_EQ(verify_circles("\"-inf\"", "-700").cases_failed, 1);
  EXPECT_EQ(verify_circles("\"-inf\"", "\"inf\"").cases_failed, 1);
  EXPECT_EQ(verify_circles("\"-inf\"", "\"nan\"").cases_failed, 1);
  EXPECT_EQ(verify_circles("0.6931471805599453", "\"nan\"").cases_failed, 1);
}

TEST_F(Verify, ReportsAWrongFieldWithItsJsonPath) {
  expect_bad(verify_circles("\"n\": 16, ", ""), "/cases/0/n: this field is missing");
  expect_bad(verify_circles("\"n\": 16", "\"n\": \"many\""), "/cases/0/n: expected a whole number");
  expect_bad(verify_circles("\"n\": 16", "\"n\": 1e300"), "/cases/0/n");
  expect_bad(verify_circles("\"hamm_radius\": 1", "\"hamm_radius\": 17"), "/cases/0/hamm_radius");
  expect_bad(verify_circles("[0, 1, 3]", "[0, 1, 17]"), "/cases/0/dv/2");
  expect_bad(verify_circles("[0, 1, 3]", "[0, 1]"), "a list of 2");
  expect_bad(verify_circles("\"lune\": [17", "\"lune\": [{}"), "/cases/0/lune/0");
  expect_bad(verify_circles("\"2\", \"0\"", "\"2\", 0"),
             "/cases/0/exact_count/2: expected a string, found 0");
  expect_bad(verify(write("circle_intersection.json", R"({"cases": {}})")), "/cases: expected a list");
  expect_bad(verify(write("circle_intersection.json", R"({"cases": []})")), "no case");
  expect_bad(verify(write("circle_intersection.json", "{}")), "/cases: this field is missing");
  expect_bad(verify(write("circle_intersection.json", "[1]")), "expected an object");
}

TEST_F(Verify, ReportsInvalidArgumentsWithTheirCase) {
  expect_bad(verify(write("beta_vs_d_n64.json", R"({"cases": [{"n": 64, "hamm_radius": 5, "dv_first": 1,
                 "dv_last": 1, "n_points": 1, "beta": 1, "bias": 1}]})")),
             "/cases/0: mneme::theory::fit_beta_regression: 1 point");
  expect_bad(verify(write("conversions.json",
                          R"({"cases": [{"n": 16, "p": [2], "d_of_p": [1], "d": [], "p_of_d": []}],
                 "cosine_hamming": []})")),
             "/cases/0: ");
}

TEST_F(Verify, ReportsFilesThatAreNotJson) {
  expect_bad(verify(write("circle_intersection.json", "{\n\"cases\": [")),
             "invalid JSON: the text ends in line 2, column 11");
  expect_bad(verify(write("circle_intersection.json", " \n")), "invalid JSON: there is no content");
  for (const std::string& start : {std::string("PK\x03\x04"), std::string("\x08\0\0\0\0\0\0\0{}", 10)}) {
    expect_bad(verify(write("circle_intersection.json", start)), "load_hflayers_weights.md"); // tensors
  }
  expect_bad(verify(write("circle_intersection.json", "{\"cases\": NaN}")),
             "invalid JSON in line 1, column 11, at \"NaN}\"");
  expect_bad(verify(write("circle_intersection.json", "{\"cases\": 1e999}")), "too large");
  expect_bad(verify(write("circle_intersection.json", std::string(100'000, '['))),
             "nested more than 64 levels");
  expect_bad(verify(write("circle_intersection.json", R"({"cases": [], "cases": []})")),
             "\"cases\" occurs twice");
  expect_bad(verify(folder_ / "missing.json"), "no such file");
  fs::create_directory(folder_ / "empty");
  expect_bad(verify(folder_ / "empty"), "no *.json");
}

TEST_F(Verify, RejectsAnUnknownFormatAndListsTheKnownOnes) {
  const FileResult result = verify(write("holiday.json", "{\"cases\": []}"));
  expect_bad(result, "not a known golden file; known formats: ");
  EXPECT_NE(result.messages[0].find("circle_intersection, "), std::string::npos);
}

TEST_F(Verify, RejectsAnUnknownClassAndListsTheKnownOnes) {
  const FileResult by_class = verify(write("some.json", "{\"class\": \"Leap\"}"));
  expect_bad(by_class, "/class: there is no class \"Leap\"; known formats: ");
  EXPECT_NE(by_class.messages[0].find("HopfieldPooling, "), std::string::npos);
  expect_bad(verify(write("some.json", "{\"class\": 7}")), "/class: expected a string");
}

TEST_F(Verify, ReportsThatAFormatNeedsLibTorch) { // this test is built without it
  const FileResult result = verify(write("projection_training.json", "{\"cases\": []}"));
  EXPECT_EQ(result.state, FileState::unsupported);
  EXPECT_EQ(result.cases_failed, 1);
  EXPECT_NE(result.messages.at(0).find("needs LibTorch"), std::string::npos);
}

TEST_F(Verify, TheClassFieldTakesPrecedenceOverTheFileName) {
  std::string text = kCircles;
  text.insert(1, "\"class\": \"circle_intersection\", ");
  EXPECT_EQ(verify(write("anything.json", text)).cases_passed, 1);
}

TEST_F(Verify, RejectsADataSetCaseOfAnotherSizeBeforeDrawingIt) {
  const fs::path golden = fs::path(MNEME_SOURCE_DIR) / "tests" / "golden" / "hopfield";
  std::ifstream stream(golden / "data_bit_pattern_small.json");
  std::string text((std::istreambuf_iterator<char>(stream)), {});
  const size_t at = text.find("\"num_signals\": 3");
  ASSERT_NE(at, std::string::npos);
  text.replace(at, 16, "\"num_signals\": 3000000000");
  const fs::path path = write("signals.json", text);
  fs::copy_file(golden / "data_bit_pattern_small.safetensors", folder_ / "signals.safetensors");
  expect_bad(verify(path), "output.signals is of shape [3, 4], expected [3000000000, 4]");
  fs::remove(folder_ / "signals.safetensors");
  expect_bad(verify(path), "signals.safetensors");
}

TEST_F(Verify, ReportsDataFilesAsData) {
  const FileResult result = verify(write("published_tables.json", "{}"));
  EXPECT_EQ(result.state, FileState::data);
  EXPECT_TRUE(totals(std::vector{result}).good());
  expect_bad(verify(write("text_inputs.json", "{")), "invalid JSON");
}

TEST_F(Verify, RunsAFolderInOrderAndContinuesAfterABadFile) {
  write("circle_intersection.json", kCircles);
  write("beta_fit.json", "broken");
  write("notes.txt", "ignored");
  Progress silent;
  const std::vector<FileResult> results = verify_paths(std::vector{folder_}, silent);
  ASSERT_EQ(results.size(), 2U);
  EXPECT_EQ(results[0].path.filename(), "beta_fit.json");
  EXPECT_EQ(results[0].state, FileState::bad);
  EXPECT_EQ(results[1].cases_passed, 1);

  const std::string text = to_text(results);
  EXPECT_NE(text.find("\nverify: 2 files, 1 cases passed, 0 failed, 1 file not usable\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("\n    content: invalid JSON"), std::string::npos) << text;
}

TEST_F(Verify, WritesTheResultsToJson) {
  const FileResult failed = verify_circles("\"17\"", "\"18\"");
  const nlohmann::json json = to_json(std::vector{failed});
  EXPECT_EQ(json["total"]["cases_failed"], 1);
  EXPECT_EQ(json["files"][0]["state"], "checked");
  EXPECT_EQ(json["files"][0]["worst_ratio"], "inf");
  EXPECT_EQ(json["files"][0]["messages"].size(), 1U);
  EXPECT_FALSE(json.dump().empty());
}

TEST_F(Verify, AcceptsAPathThatIsNotValidText) {
  const FileResult result = verify(folder_ / "\xff\x1b[2J.json");
  const std::string text = to_text(std::vector{result});
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_FALSE(to_json(std::vector{result}).dump().empty());
}

TEST_F(Verify, WritesTheDeviceToJsonOnly) {
  const FileResult passed = verify(write("circle_intersection.json", kCircles));
  EXPECT_EQ(to_json(std::vector{passed}).at("device"), "cpu");
  EXPECT_EQ(to_json(std::vector{passed}).at("total").at("skipped_files"), 0);
  EXPECT_TRUE(to_text(std::vector{passed}).ends_with("\nverify: 1 file, 1 cases passed, 0 failed\n"));
}

TEST_F(Verify, RejectsAllDevicesButTheCpuWithoutLibTorch) { // this test is built without it
  Progress silent;
  const std::vector path{write("circle_intersection.json", kCircles)};
  EXPECT_EQ(verify_paths(path, silent, {.device = "cpu"}).at(0).cases_passed, 1);
  try {
    verify_paths(path, silent, {.device = "cuda:1"});
    ADD_FAILURE() << "cuda:1 is accepted";
  } catch (const UnsupportedError& error) {
    testing::expect_contains(error.what(), {"\"cuda:1\"", "needs LibTorch"});
  }
}

TEST_F(Verify, StopsWhenInterrupted) {
  write("circle_intersection.json", kCircles);
  Progress silent;
  request_interrupt();
  EXPECT_THROW(verify_paths(std::vector{folder_}, silent), Interrupted);
  clear_interrupt();
}

} // namespace
} // namespace mneme::verify
