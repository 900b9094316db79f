// SPDX-License-Identifier: MIT

#include "house/banned_phrases.h"

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "core/temporary_folder.h"

namespace mneme::house {
namespace {

namespace fs = std::filesystem;

TEST(House, ThisTreeUsesTheTermsOfTheField) {
  const std::string path = "tests/house/banned_phrases.txt";
  std::ifstream stream(fs::path(MNEME_SOURCE_DIR) / path);
  const std::string list{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  const Inspection inspection = inspect_phrases(MNEME_SOURCE_DIR, list, path);
  EXPECT_GT(inspection.files, 100);
  for (const Violation& violation : inspection.violations) {
    ADD_FAILURE() << violation.file << ":" << violation.line << ": " << violation.what;
  }
}

/// A temporary tree with the files that a test adds.
class BannedPhrases : public ::testing::Test {
protected:
  void add(const std::string& file, const std::string& text) {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << text;
  }
  /// "file:line: what" of each violation of `list`, one per line.
  std::string violations(const std::string& list) const {
    std::string all;
    for (const Violation& violation : inspect_phrases(root_, list, "list").violations) {
      all += violation.file + ":" + std::to_string(violation.line) + ": " + violation.what + "\n";
    }
    return all;
  }

private:
  const mneme::testing::TemporaryFolder folder_;
  const fs::path root_ = folder_.path();
};

const std::string kList =
    "# a comment\n\nfrob(s|bed)? => fit\ngolden goose => 'optimum'\nWidget => Workspace\n";

TEST_F(BannedPhrases, AreReportedWithTheirReplacement) {
  add("src/core/a.cpp", "// A frob.\nint x; ///< golden goose\n");
  add("README.md", "We\nfrobbed it.\n");
  EXPECT_EQ(violations(kList), "README.md:2: 'frobbed': write fit\n"
                               "src/core/a.cpp:1: 'frob': write fit\n"
                               "src/core/a.cpp:2: 'golden goose': write 'optimum'\n");
}

TEST_F(BannedPhrases, AreFoundAcrossLinesAndInNames) {
  add("docs/a.md", "The golden\ngoose.\n");
  add("src/core/a.h", "\n/// A golden\n  ///  goose.\nint num_golden_goose_2;\nvoid frob_all(Widget);\n");
  add("cmake/a.cmake", "# Golden\n# goose\n");
  EXPECT_EQ(violations(kList), "cmake/a.cmake:1: 'Golden goose': write 'optimum'\n"
                               "docs/a.md:1: 'golden goose': write 'optimum'\n"
                               "src/core/a.h:2: 'golden goose': write 'optimum'\n"
                               "src/core/a.h:4: 'golden goose': write 'optimum'\n"
                               "src/core/a.h:5: 'frob': write fit\n"
                               "src/core/a.h:5: 'Widget': write Workspace\n");
}

TEST_F(BannedPhrases, AreWholeWordsInCheckedFiles) {
  add("docs/a.md", "frobnicate, refrob, golden geese, widget, WIDGET\n");
  add("docs/a.json", "{\"frob\": 1}\n");
  add("docs/results/a.md", "frob\n");
  EXPECT_EQ(violations(kList), "");
}

TEST_F(BannedPhrases, AreFoundAtTheStartOfCommentsOnly) {
  add("src/core/a.h",
      "/// Frob and frob.\n/// Frob.\nint a; // Frob\nint frob; ///< a frob\n#include <frob>\n// Frob\n");
  add("benchmarks/a.py", "# Frob\n# Frob\na = 1  # Frob\n");
  add("docs/a.md", "# Frob\n");
  EXPECT_EQ(violations("^Frob => a noun first\n"), "benchmarks/a.py:1: 'Frob': write a noun first\n"
                                                   "benchmarks/a.py:3: 'Frob': write a noun first\n"
                                                   "src/core/a.h:1: 'Frob': write a noun first\n"
                                                   "src/core/a.h:3: 'Frob': write a noun first\n"
                                                   "src/core/a.h:6: 'Frob': write a noun first\n");
}

TEST_F(BannedPhrases, AreAllowedByExceptions) {
  add("docs/how-to/a.md", "a frob\n");
  add("docs/b.md", "a frob of old\na frob\n");
  EXPECT_EQ(violations("frob => fit\n  allow docs/how-to/\n  allow docs/b.md frob of old\n"),
            "docs/b.md:2: 'frob': write fit\n");
}

TEST_F(BannedPhrases, ReportExceptionsThatAreNotNeeded) {
  add("docs/a.md", "nothing\n");
  EXPECT_EQ(violations("frob => fit\n  allow docs/a.md\n"),
            "list:2: the exception for docs/a.md is not needed\n");
}

TEST_F(BannedPhrases, NeedAReplacementAndAValidExpression) {
  EXPECT_THROW(violations("frob\n"), std::invalid_argument);
  EXPECT_THROW(violations("(frob => fit\n"), std::invalid_argument);
  EXPECT_THROW(violations("fr(ob => fit\n"), std::invalid_argument);
  EXPECT_THROW(violations("  allow docs/a.md\n"), std::invalid_argument);
}

} // namespace
} // namespace mneme::house
