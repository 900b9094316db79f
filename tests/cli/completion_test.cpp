// SPDX-License-Identifier: MIT

#include <algorithm>
#include <filesystem>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/json_frame.h"
#include "cli/run_program.h"
#include "core/temporary_folder.h"
#include "core/text_checks.h"

namespace mneme {
namespace {

using testing::contains;
using testing::ProgramResult;
using testing::run_mneme;
using testing::run_program;

using Words = std::vector<std::string>;

/// The completions that bash offers for the command line `words`; the last word is the one being typed.
Words offered_by_bash(const Words& words, const std::filesystem::path& folder = {}) {
  const testing::TemporaryFolder temporary;
  testing::write_text(temporary / "mneme.bash", run_mneme({"completion", "bash"}).out);
  // $0 is the script; the words are passed as arguments, so that they need no quoting.
  Words command{"bash", "--norc", "-c",
                // NOLINTNEXTLINE(bugprone-suspicious-missing-comma): one string on two lines
                "source \"$0\" || exit 9; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _mneme; "
                "((${#COMPREPLY[@]})) && printf '%s\\n' \"${COMPREPLY[@]}\"; exit 0",
                (temporary / "mneme.bash").string()};
  command.insert(command.end(), words.begin(), words.end());
  const ProgramResult result = run_program(command, {.folder = folder});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  Words offered;
  std::istringstream lines(result.out);
  for (std::string line; std::getline(lines, line);) {
    offered.push_back(line);
  }
  return offered;
}

bool holds(const Words& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

TEST(BashCompletion, OffersTheVerbs) {
  EXPECT_EQ(offered_by_bash({"mneme", "doc"}), (Words{"doctor"}));
  const Words all = offered_by_bash({"mneme", ""});
  EXPECT_TRUE(holds(all, "doctor"));
  EXPECT_TRUE(holds(all, "completion"));
  EXPECT_FALSE(holds(all, "--json"));
  EXPECT_EQ(offered_by_bash({"mneme", "--v"}), (Words{"--version"}));
}

TEST(BashCompletion, OffersTheOptionsOfAVerb) {
  EXPECT_EQ(offered_by_bash({"mneme", "doctor", "--th"}), (Words{"--threads"}));
  EXPECT_TRUE(holds(offered_by_bash({"mneme", "doctor", "--json", "-"}), "--no-color"));
  EXPECT_TRUE(holds(offered_by_bash({"mneme", "doctor", ""}), "--json"));
}

TEST(BashCompletion, OffersTheValuesOfAnOption) {
  const Words styles{"auto", "bar", "plain", "json", "none"};
  EXPECT_EQ(offered_by_bash({"mneme", "doctor", "--progress", ""}), styles);
  EXPECT_EQ(offered_by_bash({"mneme", "doctor", "--progress", "p"}), (Words{"plain"}));
  EXPECT_EQ(offered_by_bash({"mneme", "doctor", "--progress", "="}), styles);
  EXPECT_EQ(offered_by_bash({"mneme", "doctor", "--progress", "=", "n"}), (Words{"none"}));
  EXPECT_EQ(offered_by_bash({"mneme", "completion", ""}), (Words{"bash", "zsh", "fish"}));
}

TEST(BashCompletion, OffersTheStepsOfAMemory) {
  EXPECT_EQ(offered_by_bash({"mneme", "recall", "--projection", ""}),
            (Words{"majority", "normalise", "average"}));
  EXPECT_EQ(offered_by_bash({"mneme", "recall", "--similarity", "e"}), (Words{"euclidean"}));
  EXPECT_EQ(offered_by_bash({"mneme", "recall", "--separation", "entmax"}), (Words{"entmax15", "entmax"}));
}

TEST(BashCompletion, OffersMemoriesExperimentsAndDataSets) {
  EXPECT_EQ(offered_by_bash({"mneme", "recall", "--memory", "modern"}), (Words{"modern-hopfield"}));
  EXPECT_EQ(offered_by_bash({"mneme", "recall", "--memory", "sdm,modern"}), (Words{"sdm,modern-hopfield"}));
  EXPECT_EQ(offered_by_bash({"mneme", "reproduce", "sdm/soft"}), (Words{"sdm/softmax-circle"}));
  EXPECT_EQ(offered_by_bash({"mneme", "data", "get", "cif"}), (Words{"cifar-10"}));
}

TEST(BashCompletion, OffersValuesUpToTheNextOption) {
  EXPECT_EQ(offered_by_bash({"mneme", "recall", "--memory", "sdm", "modern"}), (Words{"modern-hopfield"}));
  EXPECT_EQ(offered_by_bash({"mneme", "recall", "--memory", "sdm", "--pat"}), (Words{"--patterns"}));
}

TEST(ZshCompletion, OffersFilesForEveryPattern) {
  const std::string script = run_mneme({"completion", "zsh"}).out;
  EXPECT_TRUE(contains(script, "' recall:--patterns') _files; return ;;"));
  EXPECT_TRUE(contains(script, "' recall:--patterns'|"))
      << "the values of --patterns continue up to the next option";
}

TEST(BashCompletion, OffersFoldersForAFolder) {
  const testing::TemporaryFolder folder;
  std::filesystem::create_directory(folder / "results");
  testing::write_text(folder / "resume.txt", "");
  EXPECT_EQ(offered_by_bash({"mneme", "verify", "--out", "res"}, folder.path()), (Words{"results"}));
}

TEST(BashCompletion, OffersTextsOfADataSetAndFiles) {
  const testing::TemporaryFolder folder;
  testing::write_text(folder / "sonnets.txt", "");
  testing::write_text(folder / "letters.txt", "");
  EXPECT_EQ(offered_by_bash({"mneme", "inspect", "--texts", "s"}, folder.path()),
            (Words{"sdm", "sonnets.txt"}));
  EXPECT_EQ(offered_by_bash({"mneme", "reproduce", "--texts", ""}, folder.path()),
            (Words{"sdm", "letters.txt", "sonnets.txt"}));
  EXPECT_EQ(offered_by_bash({"mneme", "inspect", "--texts", "l"}, folder.path()),
            Words{}); // files by default
}

TEST(ZshAndFishCompletion, OfferTextsOfADataSetAndFiles) {
  EXPECT_TRUE(contains(run_mneme({"completion", "zsh"}).out,
                       "' inspect:--texts') compadd -- sdm; _files; return ;;"));
  EXPECT_TRUE(contains(run_mneme({"completion", "fish"}).out, " -l texts -r -a 'sdm' -d "));
}

TEST(BashCompletion, OffersNothingForANumber) {
  EXPECT_EQ(offered_by_bash({"mneme", "doctor", "--seed", ""}), Words{});
}

void expect_right_syntax(const std::string& shell) {
  const ProgramResult script = run_mneme({"completion", shell});
  EXPECT_EQ(script.exit_code, 0);
  EXPECT_TRUE(contains(script.out, "doctor"));
  EXPECT_TRUE(contains(script.out, "progress"));
  const testing::TemporaryFolder folder;
  testing::write_text(folder / "script", script.out);
  const ProgramResult checked = run_program({shell, "-n", (folder / "script").string()});
  if (checked.exit_code == 127) {
    GTEST_SKIP() << shell << " is not installed";
  }
  EXPECT_EQ(checked.exit_code, 0) << checked.err;
  EXPECT_EQ(checked.err, "");
}

TEST(BashCompletion, HasValidSyntax) {
  expect_right_syntax("bash");
}
TEST(ZshCompletion, HasValidSyntax) {
  expect_right_syntax("zsh");
}
TEST(FishCompletion, HasValidSyntax) {
  expect_right_syntax("fish");
}

TEST(Completion, HasAJsonForm) {
  const nlohmann::json document = testing::results_of(run_mneme({"completion", "bash", "--json"}).out);
  EXPECT_EQ(document.at("shell"), "bash");
  EXPECT_EQ(document.at("script"), run_mneme({"completion", "bash"}).out);
}

} // namespace
} // namespace mneme
