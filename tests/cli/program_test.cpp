// SPDX-License-Identifier: MIT

#include <algorithm>
#include <csignal>
#include <regex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cli/run_program.h"
#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "mneme/core/version.h"

namespace mneme {
namespace {

using testing::contains;
using testing::ProgramResult;
using testing::run_mneme;
using testing::starts_with;

/// Expects exit code 2, nothing on stdout, and at most two lines on stderr that contain `parts`.
void expect_wrong_usage(const std::vector<std::string>& arguments, const std::vector<std::string>& parts) {
  const ProgramResult result = run_mneme(arguments);
  EXPECT_EQ(result.exit_code, 2) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_TRUE(starts_with(result.err, "mneme"));
  EXPECT_LE(std::count(result.err.begin(), result.err.end(), '\n'), 2) << result.err;
  testing::expect_contains(result.err, parts);
}

TEST(Program, PrintsAnOverviewWithoutArguments) {
  const ProgramResult result = run_mneme({});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "");
  EXPECT_TRUE(contains(result.out, "associative memory"));
  EXPECT_TRUE(contains(result.out, "\n  doctor "));
  EXPECT_TRUE(contains(result.out, "\n  completion "));
  EXPECT_FALSE(contains(result.out, "\033")) << "colour is for terminals";
  EXPECT_EQ(run_mneme({"--help"}).out, result.out);
  EXPECT_EQ(run_mneme({"-h"}).out, result.out);
}

TEST(Program, ShowsOnlyExamplesOfExistingVerbs) {
  const std::string overview = run_mneme({}).out;
  const std::string examples = overview.substr(overview.find("Examples"));
  const std::regex example("mneme ([a-z]+)");
  int found = 0;
  for (std::sregex_iterator match(examples.begin(), examples.end(), example), end; match != end; ++match) {
    EXPECT_EQ(run_mneme({(*match)[1], "--help"}).exit_code, 0) << (*match)[0];
    ++found;
  }
  EXPECT_GE(found, 3);
}

TEST(Program, PrintsItsVersion) {
  const ProgramResult result = run_mneme({"--version"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "mneme " + std::string(version()) + "\n");
  EXPECT_EQ(run_mneme({"-V"}).out, result.out);
}

TEST(Program, HasHelpForEveryVerb) {
  for (const char* verb : {"verify", "doctor", "completion"}) {
    const ProgramResult result = run_mneme({verb, "--help"});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.err, "");
    for (const char* option : {"--json", "--threads", "--quiet", "--progress", "--no-color"}) {
      EXPECT_TRUE(contains(result.out, option));
    }
    EXPECT_EQ(result.out.find("--out DIR") != std::string::npos, std::string(verb) == "verify");
    EXPECT_EQ(result.out.find("--seed") != std::string::npos, std::string(verb) == "doctor");
  }
}

TEST(Program, RefusesCommonOptionsThatAVerbWouldIgnore) {
  expect_wrong_usage({"doctor", "--out", "x"}, {"`mneme doctor` writes no files, so --out has no effect"});
  expect_wrong_usage({"completion", "bash", "--out=x"}, {"`mneme completion` writes no files"});
  expect_wrong_usage({"verify", "x.json", "--seed", "2"},
                     {"`mneme verify` uses no random numbers, so --seed"});
  expect_wrong_usage({"theory", "beta", "--seed", "2"}, {"`mneme theory beta` uses no random numbers"});
  expect_wrong_usage({"theory", "--out", "x"}, {"--out needs a quantity"});
  expect_wrong_usage({"train", "--out", "x"}, {"--out needs a task"});
  expect_wrong_usage({"reproduce", "--quick"}, {"--quick needs an experiment"});
}

TEST(Program, ListsTasksAndDataSetsWithoutASubcommand) {
  const ProgramResult tasks = run_mneme({"train"}), sets = run_mneme({"data"});
  EXPECT_EQ(tasks.exit_code, 0) << tasks.err;
  EXPECT_TRUE(contains(tasks.out, "sparse-and") && contains(tasks.out, "mnist-bags")) << tasks.out;
  EXPECT_EQ(sets.exit_code, 0) << sets.err;
  EXPECT_EQ(sets.out, run_mneme({"data", "list"}).out);
}

TEST(Program, AcceptsHelpBeforeAndAfterTheVerb) {
  EXPECT_EQ(run_mneme({"help"}).out, run_mneme({}).out);
  EXPECT_EQ(run_mneme({"help", "--help"}).out, run_mneme({}).out);
  EXPECT_EQ(run_mneme({"help", "help"}).out, run_mneme({}).out);
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"doctor"}, {"train", "latch"}, {"theory", "plan"}, {"recall"}}) {
    std::vector<std::string> before = words, behind = words;
    before.insert(before.begin(), "help");
    behind.emplace_back("--help");
    const ProgramResult result = run_mneme(before);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_TRUE(contains(result.out, "--json"));
    EXPECT_EQ(result.out, run_mneme(behind).out);
  }
  expect_wrong_usage({"help", "docter"}, {"no verb \"docter\"", "Did you mean \"doctor\"?"});
}

TEST(Program, SuggestsTheNearestVerb) {
  expect_wrong_usage({"docter"}, {"no verb \"docter\"", "Did you mean \"doctor\"?"});
  expect_wrong_usage({"compl"}, {"no verb \"compl\"", "Did you mean \"completion\"?"});
  EXPECT_FALSE(contains(run_mneme({"xyzzy"}).err, "Did you mean"));
  expect_wrong_usage({std::string(100000, 'x')}, {"no verb"});
  expect_wrong_usage({""}, {"no verb \"\""});
}

TEST(Program, ReportsOptionsBeforeTheVerb) {
  expect_wrong_usage({"--json", "doctor"},
                     {"the option \"--json\" is before the verb", "`mneme doctor --json`"});
  expect_wrong_usage({"--seed", "3", "recall"},
                     {"the option \"--seed\" is before", "`mneme recall --seed ...`"});
  expect_wrong_usage({"--json"}, {"the option \"--json\" is before the verb", "`mneme recall --json`"});
}

TEST(Program, ReportsOptionsBeforeTheSubcommand) {
  expect_wrong_usage(
      {"train", "--seeds", "3", "latch"},
      {"the option \"--seeds\" of \"latch\" is given before \"latch\"", "`mneme train latch --seeds ...`"});
  expect_wrong_usage({"train", "--seeds=3", "latch"},
                     {"the option \"--seeds\" of \"latch\" is given before \"latch\""});
  expect_wrong_usage(
      {"train", "--seeds", "3"},
      {"the option \"--seeds\" needs a subcommand before it; `mneme train --help` lists them"});
  expect_wrong_usage({"theory", "--bits", "64", "capacity"},
                     {"the option \"--bits\" of \"capacity\" is given before \"capacity\"",
                      "`mneme theory capacity --bits ...`"});
  expect_wrong_usage({"train", "--nonsense", "latch"}, {"there is no option \"--nonsense\""});
}

TEST(Program, ListsTheSubcommandsIfOneIsMissing) {
  expect_wrong_usage({"tokenize"}, {"mneme tokenize: a subcommand is required: train, encode, decode, info"});
}

TEST(Program, RejectsEmptyNames) { // as of unset shell variables
  for (const auto& command : std::vector<std::vector<std::string>>{{"theory", "capacity", "--out"},
                                                                   {"recall", "--load"},
                                                                   {"recall", "--save"},
                                                                   {"recall", "--tensor"},
                                                                   {"nearest", "--ids"},
                                                                   {"memory", "forget", "notes", "--keys"},
                                                                   {"memory", "forget", "notes", "--key"},
                                                                   {"memory", "forget", "notes", "--label"},
                                                                   {"apply", "--weights"},
                                                                   {"data", "get", "mnist", "--mirror"},
                                                                   {"train", "lm", "--text"}}) {
    std::vector<std::string> arguments = command;
    arguments.emplace_back();
    expect_wrong_usage(arguments, {command.back() + ": the name is empty"});
  }
}

TEST(Program, EscapesTerminalControlCharacters) {
  const std::string hostile = "\x1b[31mred\nmneme: all is well";
  for (const auto& arguments : std::vector<std::vector<std::string>>{{"recall", "--patterns", hostile},
                                                                     {"verify", hostile},
                                                                     {"recall", "--out", "/proc/" + hostile},
                                                                     {"doctor", hostile},
                                                                     {hostile}}) {
    const ProgramResult result = run_mneme(arguments);
    EXPECT_NE(result.exit_code, 0);
    EXPECT_TRUE(contains(result.out + result.err, "\\x1b[31mred\\nmneme: all is well"));
    EXPECT_FALSE(contains(result.out + result.err, "\x1b"));
    EXPECT_FALSE(contains(result.out + result.err, "\nmneme: all is well"));
  }
}

TEST(Program, RejectsAFolderForVerbsThatWriteNoFiles) {
  expect_wrong_usage({"doctor", "--out", "results"},
                     {"`mneme doctor` writes no files, so --out has no effect"});
  expect_wrong_usage({"completion", "bash", "--out", "results"}, {"writes no files, so --out has no effect"});
}

TEST(Program, SuggestsTheNearestOption) {
  expect_wrong_usage({"doctor", "--progres", "plain"},
                     {"mneme doctor: there is no option \"--progres\"", "\"--progress\"?"});
  expect_wrong_usage({"doctor", "--jsno"}, {"no option \"--jsno\"", "\"--json\"?"});
}

TEST(Program, RejectsUnexpectedArguments) {
  expect_wrong_usage({"doctor", "more"}, {"unexpected argument \"more\""});
  expect_wrong_usage({"doctor", "completion"}, {"unexpected argument \"completion\""});
  expect_wrong_usage({"completion", "bash", "zsh"}, {"unexpected argument \"zsh\""});
  expect_wrong_usage({"recall", "digits.npy"},
                     {"unexpected argument \"digits.npy\"", "Files are given with --patterns."});
}

TEST(Program, RejectsWhatIsNotANumber) {
  expect_wrong_usage({"doctor", "--seed", "nan"},
                     {"mneme doctor: --seed: \"nan\" is not a number", "such as"});
  expect_wrong_usage({"doctor", "--seed=inf"}, {"--seed: \"inf\" is not a number"});
  expect_wrong_usage({"doctor", "--seed", "0x10"}, {"--seed: \"0x10\" is not a number"});
  expect_wrong_usage({"doctor", "--seed", "1.5"}, {"--seed: \"1.5\" is not an integer"});
  expect_wrong_usage({"doctor", "--seed", ""}, {"--seed: \"\" is empty"});
}

TEST(Program, RejectsNumbersOutOfRangeAndNamesTheRange) {
  for (const char* count : {"0", "-1", "1025", "1e30"}) {
    expect_wrong_usage({"doctor", "--threads", count},
                       {"--threads: \"" + std::string(count) + "\"", "from 1 to 1024"});
  }
  expect_wrong_usage({"doctor", "--seed", "18446744073709551615"},
                     {"\"18446744073709551615\" is out of range", "from 0 to 9223372036854775807"});
  expect_wrong_usage({"doctor", "--seed", "-1"}, {"\"-1\" is out of range", "at least 0"});
}

TEST(Program, ListsTheValuesOfAnOption) {
  expect_wrong_usage({"doctor", "--progress", "plane"},
                     {"--progress: \"plane\" is not one of auto, bar, plain, json, none", "\"plain\"?"});
  expect_wrong_usage({"completion", "doctor"}, {"SHELL: \"doctor\" is not one of bash, zsh, fish"});
}

TEST(Program, ExitsWithTwoForOtherInvalidArguments) {
  expect_wrong_usage({"doctor", "--threads"}, {"--threads needs exactly one value"});
  expect_wrong_usage({"doctor", "--seed", "1", "--seed", "2"},
                     {"--seed needs exactly one value, and must be given only once"});
  expect_wrong_usage({"doctor", "--json=maybe"}, {"a flag does not accept a value: --json = maybe"});
  expect_wrong_usage({"completion"}, {"SHELL is required"});
  expect_wrong_usage({"tokenize", "train", "--text", "a", "--out="}, {"--out: the name is empty"});
}

TEST(Program, ExitsWithOneWhenStdoutCannotBeWritten) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{{},
                                                                     {"--version"},
                                                                     {"doctor"},
                                                                     {"doctor", "--json"},
                                                                     {"doctor", "--help"},
                                                                     {"completion", "bash"}}) {
    const ProgramResult full = run_mneme(arguments, {.stdout_to = "/dev/full"});
    EXPECT_EQ(full.exit_code, 1);
    EXPECT_TRUE(contains(full.err, "cannot write to stdout: No space left on device"));
    const ProgramResult closed = run_mneme(arguments, {.stdout_closed = true});
    EXPECT_EQ(closed.exit_code, 1);
    EXPECT_TRUE(contains(closed.err, "cannot write to stdout: Bad file descriptor"));
  }
}

TEST(Program, EndsSilentlyWhenThePipeIsClosed) {
  const ProgramResult result = run_mneme({"completion", "bash"}, {.pipe_closed = true});
  EXPECT_EQ(result.signal, SIGPIPE);
  EXPECT_EQ(result.err, "");
}

TEST(Program, PrintsNoHelpForMisspeltOptionsAndSubcommands) {
  for (const auto& [arguments, parts] :
       std::vector<std::pair<std::vector<std::string>, std::vector<std::string>>>{
           {{"recall", "-hard-locations", "5"}, {"no option \"-hard-locations\"", "\"--hard-locations\""}},
           {{"recall", "-hamming-radius=5"}, {"no option \"-hamming-radius\"", "\"--hamming-radius\""}},
           {{"recall", "-hx"}, {"no option \"-hx\""}},
           {{"memory", "write", "-help"}, {"no option \"-help\"", "`mneme memory write --help`"}},
           {{"theory", "nonsense", "--help"}, {"unexpected argument \"nonsense\""}},
           {{"help", "train", "latchh"}, {"unexpected argument \"latchh\"", "\"latch\""}}}) {
    const ProgramResult result = run_mneme(arguments);
    EXPECT_EQ(result.exit_code, 2) << arguments.back();
    EXPECT_EQ(result.out, "");
    testing::expect_contains(result.err, parts);
  }
  EXPECT_EQ(run_mneme({"recall", "-h"}).exit_code, 0);
  EXPECT_EQ(run_mneme({"help", "memory", "write"}).exit_code, 0);
}

} // namespace
} // namespace mneme
