// SPDX-License-Identifier: MIT

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <limits>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/csv.h"
#include "cli/run_program.h"
#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "mneme/data/npy.h"
#include "mneme/data/png.h"
#include "mneme/trials/memory_kinds.h"

namespace mneme {
namespace {

using testing::contains;
using testing::CsvRow;
using testing::parse_csv;
using testing::ProgramOptions;
using testing::ProgramResult;
using testing::read_text;
using testing::run_mneme;
using testing::run_program;
using testing::starts_with;
using testing::TemporaryFolder;
using testing::write_text;
using Arguments = std::vector<std::string>;
using Json = nlohmann::json;

/// Expects an exit code, nothing on stdout, and at most two lines on stderr: a message that contains `parts`,
/// with advice.
void expect_refused(Arguments more, int exit_code, const Arguments& parts,
                    const ProgramOptions& options = {}) {
  Arguments arguments{"recall", "--quiet"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const ProgramResult result = run_mneme(arguments, options);
  EXPECT_EQ(result.exit_code, exit_code) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_TRUE(starts_with(result.err, "mneme recall: "));
  EXPECT_LE(std::ranges::count(result.err, '\n'), 2) << result.err;
  EXPECT_TRUE(result.err.find("\n  ") != std::string::npos || result.err.find("such as") != std::string::npos)
      << "no advice in: " << result.err;
  testing::expect_contains(result.err, parts);
}

/// Expects that no file in `folder` is partially written.
void expect_only_complete_files(const std::filesystem::path& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string(), text = read_text(entry.path());
    EXPECT_EQ(name.find(".part-"), std::string::npos) << name;
    if (name.ends_with(".csv")) {
      EXPECT_FALSE(parse_csv(text).empty()) << name;
    } else if (name.ends_with(".json")) {
      EXPECT_TRUE(Json::accept(text)) << name;
    } else if (name.ends_with(".npy")) {
      EXPECT_NO_THROW(data::read_npy(entry.path())) << name;
    } else if (name.ends_with(".png")) {
      EXPECT_NO_THROW(data::read_png(entry.path())) << name;
    } else if (name.ends_with(".html")) {
      EXPECT_TRUE(contains(text, "</html>"));
    } else {
      ADD_FAILURE() << "unexpected file " << name;
    }
  }
}

std::string quoted(const std::filesystem::path& path) {
  return "'" + path.string() + "'";
}

/// A gzip file with one stored (uncompressed) deflate block, truncated in the middle of the block.
std::string truncated_gzip() {
  std::string images("\0\0\x08\x03\0\0\0\x03\0\0\0\x04\0\0\0\x04", 16);
  images += std::string(48, '\x7f');
  const auto size = static_cast<char>(images.size());
  std::string bytes("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10);
  bytes += {'\x01', size, '\0', static_cast<char>(~size), '\xff'};
  return bytes + images.substr(0, 40);
}

TEST(RecallRejects, FilesThatAreNotWhatTheyClaim) {
  const TemporaryFolder folder;
  const ProgramOptions here{.folder = folder.path()};
  write_text(folder / "digits.idx.gz", truncated_gzip());
  expect_refused({"--patterns", "digits.idx.gz"}, 3, {"digits.idx.gz", "byte 55", "copy or download"}, here);
  write_text(folder / "magic.npy", "\x93NUMPX" + std::string(100, '\0'));
  expect_refused({"--patterns", "magic.npy"}, 3, {"magic.npy", "NUMPY", "numpy.save"}, here);
  write_text(folder / "magic.dat", std::string(200, '\x42'));
  expect_refused({"--patterns", "magic.dat"}, 3, {"magic.dat", "is text", ".npy"}, here);
  write_text(folder / "empty.png", "");
  expect_refused({"--patterns", "empty.png"}, 3, {"empty.png", "0 bytes"}, here);
  expect_refused({"--cues", "empty.png"}, 3, {"empty.png", "0 bytes"}, here);
}

TEST(RecallRejects, FilesThatCannotBeRead) {
  const TemporaryFolder folder;
  const ProgramOptions here{.folder = folder.path()};
  expect_refused({"--patterns", "missing.npy"}, 3, {"missing.npy", "file not found", "spelling"}, here);
  expect_refused({"--cues", "missing.npy"}, 3, {"missing.npy", "file not found"}, here);
  write_text(folder / "file", "text");
  expect_refused({"--patterns", "file/inside.npy"}, 3, {"file/inside.npy"}, here);
  std::filesystem::create_symlink("loop", folder / "loop");
  expect_refused({"--patterns", "loop"}, 3, {"loop", "symbolic links"}, here);
  std::filesystem::create_directory(folder / "nothing");
  expect_refused({"--patterns", "nothing"}, 3, {"nothing", "no files", "*.png"}, here);
  if (::geteuid() != 0) { // Nothing is forbidden to root.
    write_text(folder / "secret.npy", "text");
    ASSERT_EQ(::chmod((folder / "secret.npy").c_str(), 0), 0);
    expect_refused({"--patterns", "secret.npy"}, 3, {"secret.npy", "Permission denied"}, here);
  }
}

TEST(RecallRejects, InvalidNumbers) {
  const TemporaryFolder folder;
  const ProgramOptions here{.folder = folder.path()};
  RealPatterns patterns(3, 8);
  patterns[1][4] = std::numeric_limits<double>::quiet_NaN();
  data::write_npy(folder / "nan.npy", patterns);
  expect_refused({"--patterns", "nan.npy"}, 3, {"nan.npy", "pattern 1", "position 4", "nan"}, here);
  data::write_npy(folder / "none.npy", RealPatterns(0, 8));
  expect_refused({"--patterns", "none.npy"}, 3, {"none.npy", "0 patterns", "at least 1"}, here);
  expect_refused({"--patterns", "random:0x10"}, 2, {"--patterns", "\"0\"", "from 1 to"});
  expect_refused({"--patterns", "sphere:10x"}, 2, {"sphere:10x", "a count and a size"});
}

TEST(RecallRejects, OptionsThatDoNotFitThePatterns) {
  expect_refused({"--hamming-radius", "300"}, 2, {"radius is 300", "1 .. 255", "256 bits"});
  expect_refused({"--noise", "1.5"}, 2, {"noise of 1.5", "384 of 256 bits", "0 .. 1"});
  expect_refused({"--noise", "0.1,-0.5"}, 2, {"noise of -0.5", "-128 of 256 bits"});
  const TemporaryFolder folder;
  data::write_npy(folder / "cues.npy", RealPatterns(2, 100));
  expect_refused({"--cues", "cues.npy"}, 2, {"100 components", "256"}, {.folder = folder.path()});
}

TEST(RecallRejects, OptionsThatNoSelectedMemoryUses) {
  expect_refused({"--memory", "attention", "--beta", "inf"}, 2, {"--beta inf", "--separation best-match"});
  expect_refused({"--memory", "dense,hopfield", "--beta", "3"}, 2,
                 {"--beta has no effect", "dense, hopfield", "inverse temperature", "modern-hopfield"});
  expect_refused({"--memory", "hopfield,transformer", "--hamming-radius", "60"}, 2,
                 {"--hamming-radius has no effect", "hopfield, transformer", "pattern-sdm"});
  expect_refused({"--memory", "attention", "--hamming-radius", "60", "--beta", "3"}, 2,
                 {"--hamming-radius", "attention"});
  expect_refused({"--memory", "pattern-sdm", "--hard-locations", "60"}, 2,
                 {"--hard-locations", "pattern-sdm", ": sdm, selected-sdm, hyperplane-sdm."});
  expect_refused({"--memory", "attention", "--threshold", "0.2"}, 2,
                 {"--threshold", "attention", "stores bits"});
  expect_refused({"--memory", "hopfield", "--no-centre"}, 2, {"--no-centre", "hopfield", "real numbers"});
  for (const Arguments& option : {Arguments{"--noise", "0.1"}, {"--corrupt", "flip"}, {"--seeds", "3"}}) {
    Arguments arguments{"--memory", "attention", "--cues", "random:3x256"};
    arguments.insert(arguments.end(), option.begin(), option.end());
    expect_refused(arguments, 2, {option[0] + " has no effect", "--cues"});
  }
  expect_refused({"--values-tensor", "b"}, 2, {"--values-tensor has no effect", "no --values"});
  for (const Arguments& format : {Arguments{"--json"}, {"--csv"}, {"--counts", "4,8"}}) {
    Arguments arguments{"--memory", "attention", "--draw", "always"};
    arguments.insert(arguments.end(), format.begin(), format.end());
    expect_refused(arguments, 2, {"--draw always has no effect with " + format[0]});
  }
  expect_refused({"--memory", "attention", "--counts", "4,8", "--details"}, 2, {"without --details"});
}

TEST(RecallRejects, ParametersThatTheStepsDoNotHave) {
  expect_refused({"--separation", "sparsemax", "--alpha", "1.5"}, 2,
                 {"--alpha has no effect", "cosine + sparsemax + normalise",
                  "select a memory that does: --separation entmax."});
  expect_refused({"--memory", "attention", "--degree", "4"}, 2,
                 {"--degree has no effect", "attention", "dense, or --separation polynomial"});
  expect_refused({"--separation", "best-match", "--beta", "4"}, 2,
                 {"--beta has no effect", "or --separation softmax|entmax15|sparsemax|normmax|entmax."});
  for (const Arguments& given : {Arguments{"--separation", "softmax", "--beta", "4"},
                                 Arguments{"--separation", "polynomial", "--degree", "4"}}) {
    Arguments arguments = given;
    arguments.insert(arguments.end(), {"--hamming-radius", "60"});
    expect_refused(arguments, 2,
                   {"--hamming-radius has no effect", "circle-intersection|cap-intersection|radius"});
  }
  expect_refused({"--similarity", "dot", "--threshold", "0.2"}, 2, {"--threshold", "stores bits"});
  expect_refused({"--projection", "majority", "--no-centre"}, 2, {"--no-centre", "real numbers"});
  expect_refused({"--similarity", "dot", "--hard-locations", "20"}, 2,
                 {"--hard-locations", ": sdm, selected-sdm, hyperplane-sdm."});
}

TEST(RecallRejects, IncompatibleStepsBeforeReadingFiles) {
  expect_refused({"--similarity", "hamming", "--separation", "cap-intersection", "--patterns", "missing.npy"},
                 2, {"cap-intersection does not fit the similarity hamming", "Use the similarity cosine"});
  expect_refused({"--memory", "all", "--similarity", "dot", "--separation", "circle-intersection"}, 2,
                 {"circle-intersection does not fit the similarity dot", "hamming or cosine"});
  expect_refused({"--separation", "identity", "--projection", "average"}, 2,
                 {"identity does not fit the projection average", "majority or normalise"});
}

TEST(RecallRejects, InvalidOptionValues) {
  expect_refused({"--similarity", "cosin"}, 2, {"--similarity", "\"cosin\"", "Did you mean \"cosine\"?"});
  expect_refused({"--separation", "entmax1.5"}, 2, {"--separation", "circle-intersection", "\"entmax15\""});
  expect_refused({"--projection", "average", "--separation", "entmax", "--alpha", "1"}, 2,
                 {"--alpha", "\"1\""});
  expect_refused({"--separation", "polynomial", "--degree", "0"}, 2, {"--degree", "\"0\""});
  Arguments names{"nonsense"};
  for (const trials::MemoryKind& kind : trials::memory_kinds()) {
    names.push_back(kind.name);
  }
  expect_refused({"--memory", "sdm,nonsense"}, 2, names);
  expect_refused({"--memory", "hopfeild"}, 2, {"\"hopfeild\"", "Did you mean \"hopfield\"?"});
  expect_refused({"--noise", "nan"}, 2, {"--noise", "\"nan\"", "such as"});
  expect_refused({"--limit", "-1"}, 2, {"--limit", "\"-1\"", "at least 0"});
  expect_refused({"--update-steps", "0"}, 2, {"--update-steps", "\"0\"", "from 1 to"});
  expect_refused({"--beta", "-1"}, 2, {"--beta", "\"-1\"", "at least 0"});
  expect_refused({"--threshold", "inf"}, 2, {"--threshold", "\"inf\""});
  expect_refused({"--corrupt", "flop"}, 2, {"--corrupt", "\"flop\"", "salt-pepper"});
  for (const char* incomplete : {"random:10", "random:10x", "random:x64", "random:x"}) {
    expect_refused({"--patterns", incomplete}, 2, {incomplete, "a count and a size", "such as"});
  }
  expect_refused({"--patterns", "random:8x1"}, 2, {"at least 4 components", "an array of one row"});
}

TEST(RecallRejects, AFileWhereTheOutputFolderShouldBe) {
  const TemporaryFolder folder;
  write_text(folder / "taken", "mine");
  expect_refused({"--out", "taken"}, 1, {"taken", "is a file, but a folder is needed", "--out"},
                 {.folder = folder.path()});
  expect_refused({"--out", "taken/below"}, 1, {"taken/below", "taken is a file"}, {.folder = folder.path()});
  EXPECT_EQ(read_text(folder / "taken"), "mine");
}

TEST(RecallFails, WhenStdoutCannotBeWritten) {
  for (const char* how : {"--json", "--no-color"}) {
    const ProgramResult full = run_mneme(
        {"recall", "--memory", "pattern-sdm", "--noise", "0.1", "--quiet", how}, {.stdout_to = "/dev/full"});
    EXPECT_EQ(full.exit_code, 1);
    EXPECT_TRUE(contains(full.err, "cannot write to stdout: No space left on device"));
  }
}

// The disk is a small tmpfs in a mount namespace that ends with the program.
TEST(RecallFails, WithoutPartialFilesIfTheDiskIsFull) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "disk");
  std::filesystem::create_directories(folder / "kept");
  constexpr int kNoDisk = 77;
  const auto run_on_disk = [&](const std::string& size) {
    Arguments command{"unshare"};
    if (::geteuid() != 0) {
      command.insert(command.end(), {"--user", "--map-root-user"});
    }
    const std::string disk = quoted(folder / "disk");
    command.insert(
        command.end(),
        {"--mount", "sh", "-c",
         "mount -t tmpfs -o size=" + size + " tmpfs " + disk + " || exit " + std::to_string(kNoDisk) + "; " +
             quoted(MNEME_PROGRAM) +
             " recall --memory all --noise 0.05,0.1,0.2,0.3 --hard-locations 200 --seeds 2 --quiet --out " +
             disk + "; code=$?; rm -rf " + quoted(folder / "kept") + "; cp -r " + disk + " " +
             quoted(folder / "kept") + "; exit $code"});
    return run_program(command);
  };
  // The first disk is full while the readouts are written, the second while the report is written.
  for (const char* size : {"256k", "2200k"}) {
    const ProgramResult result = run_on_disk(size);
    if (result.exit_code == kNoDisk || result.exit_code == 127 || contains(result.err, "unshare")) {
      GTEST_SKIP() << "no small disk can be mounted here: " << result.err;
    }
    EXPECT_EQ(result.exit_code, 1) << size;
    EXPECT_TRUE(contains(result.err, "No space left on device")) << size;
    EXPECT_TRUE(contains(result.err, "Free some space")) << size;
    EXPECT_TRUE(contains(result.err, (folder / "disk").string())) << size;
    EXPECT_FALSE(std::filesystem::is_empty(folder / "kept")) << size;
    EXPECT_FALSE(std::filesystem::exists(folder / "kept/index.html")) << size;
    expect_only_complete_files(folder / "kept");
  }
}

TEST(RecallFails, WithoutPartialFilesAtTheFileSizeLimit) {
  const TemporaryFolder folder;
  const std::filesystem::path out = folder / "out";
  const ProgramResult result =
      run_program({"sh", "-c",
                   "ulimit -f 60; exec " + quoted(MNEME_PROGRAM) +
                       " recall --memory pattern-sdm,attention --quiet " + "--out " + quoted(out)});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(contains(result.err, "File too large"));
  EXPECT_TRUE(contains(result.err, "ulimit -f"));
  EXPECT_FALSE(std::filesystem::is_empty(out));
  EXPECT_FALSE(std::filesystem::exists(out / "index.html"));
  expect_only_complete_files(out);
}

// A background loop waits for the readouts of the first memory, then sends the signal; the second memory
// needs half a minute.
TEST(RecallInterrupted, SavesWhatHadFinished) {
  const TemporaryFolder folder;
  const std::filesystem::path out = folder / "out", sent = folder / "sent";
  const std::string first = quoted(out / "recalled-pattern-sdm-noise-0.1.npy");
  const ProgramResult result =
      run_program({"sh", "-c",
                   "(while kill -0 $$ && [ ! -e " + first + " ]; do sleep 0.02; done; touch " + quoted(sent) +
                       "; kill -INT $$) > /dev/null 2>&1 & exec " + quoted(MNEME_PROGRAM) +
                       " recall --patterns random:100x256 --noise 0.1 --hard-locations 200000 --seeds 100" +
                       " --memory pattern-sdm,sdm --out " + quoted(out)},
                  {.timeout = std::chrono::seconds(60)});
  const auto ended = std::filesystem::file_time_type::clock::now();
  EXPECT_EQ(result.exit_code, 130) << result.err;
  EXPECT_TRUE(contains(result.err, "interrupted"));
  EXPECT_TRUE(contains(result.err, "1 of 2 memories"));
  EXPECT_LT(ended - std::filesystem::last_write_time(sent), std::chrono::seconds(10));

  const std::vector<CsvRow> rows = parse_csv(read_text(out / "results.csv"));
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].at("memory"), "pattern-sdm");
  EXPECT_EQ(rows[0].at("exact"), "1");
  const Json config = Json::parse(read_text(out / "config.json"));
  EXPECT_EQ(config.at("complete"), false);
  EXPECT_EQ(config.at("memories").size(), 1U);
  EXPECT_TRUE(contains(read_text(out / "index.html"), "interrupted"));
  expect_only_complete_files(out);
}

TEST(RecallInterrupted, NamesOnlyFilesThatAreWritten) {
  const TemporaryFolder folder;
  const std::filesystem::path out = folder / "out";
  const ProgramResult result =
      run_program({"sh", "-c",
                   "(while kill -0 $$ && [ ! -e " + quoted(out) + " ]; do sleep 0.02; done; sleep 0.3; " +
                       "kill -INT $$) > /dev/null 2>&1 & exec " + quoted(MNEME_PROGRAM) +
                       " recall --patterns random:100x256 --noise 0.1 --hard-locations 200000 --seeds 100" +
                       " --memory sdm --out " + quoted(out)},
                  {.timeout = std::chrono::seconds(60)});
  EXPECT_EQ(result.exit_code, 130) << result.err;
  EXPECT_TRUE(contains(result.out, "index.html (open it in a browser), results.csv\n")) << result.out;
  EXPECT_FALSE(std::filesystem::exists(out / "sheet.png"));
}

} // namespace
} // namespace mneme
