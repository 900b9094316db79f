// SPDX-License-Identifier: MIT

// Sources of patterns and cues of `mneme recall`.

#include <algorithm>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/json_frame.h"
#include "cli/run_program.h"
#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "mneme/core/atomic_file.h"
#include "mneme/data/npy.h"
#include "mneme/data/safetensors.h"

namespace mneme {
namespace {

using testing::ProgramOptions;
using testing::ProgramResult;
using testing::read_text;
using testing::run_mneme;
using testing::TemporaryFolder;
using testing::write_text;
using Arguments = std::vector<std::string>;
using Json = nlohmann::json;

ProgramResult recall(Arguments more, const ProgramOptions& options) {
  Arguments arguments{"recall", "--memory", "pattern-sdm", "--quiet", "--json"};
  if (std::ranges::find(more, "--cues") == more.end()) {
    arguments.insert(arguments.end(), {"--noise", "0.1", "--seeds", "1"});
  }
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_mneme(arguments, options);
}

/// Number and size of the stored patterns.
std::pair<int64_t, int64_t> stored(const Arguments& more, const ProgramOptions& options) {
  const ProgramResult result = recall(more, options);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  if (result.exit_code != 0) {
    return {};
  }
  const Json patterns = testing::parameters_of(result.out).at("patterns");
  return {patterns.at("count").get<int64_t>(), patterns.at("size").get<int64_t>()};
}

void expect_refused(const Arguments& more, int exit_code, const Arguments& parts,
                    const ProgramOptions& options) {
  const ProgramResult result = recall(more, options);
  EXPECT_EQ(result.exit_code, exit_code) << result.err;
  EXPECT_EQ(result.out, "");
  testing::expect_contains(result.err, parts);
}

/// `count` different patterns of 24 bits.
RealPatterns bits(int64_t count) {
  RealPatterns patterns(count, 24);
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t at = 0; at < 24; ++at) {
      patterns[i][static_cast<size_t>(at)] = static_cast<double>((at * (2 * i + 3) + i) / 3 % 2);
    }
  }
  return patterns;
}

using Size = std::pair<int64_t, int64_t>;

TEST(RecallReads, SeveralFilesAndWildcards) {
  const TemporaryFolder folder;
  const ProgramOptions here{.folder = folder.path()};
  data::write_npy(folder / "a1.npy", bits(2));
  data::write_npy(folder / "a2.npy", bits(3));
  EXPECT_EQ(stored({"--patterns", "a1.npy", "a2.npy"}, here), Size(5, 24));
  EXPECT_EQ(stored({"--patterns", "a1.npy", "--patterns", "a2.npy", "--limit", "4"}, here), Size(4, 24));
  EXPECT_EQ(stored({"--patterns", "a?.npy", "--cues", "a*.npy"}, here), Size(5, 24));
  data::write_npy(folder / "b.npy", RealPatterns(1, 5));
  expect_refused({"--patterns", "a1.npy", "b.npy"}, 3, {"b.npy", "5 numbers", "a1.npy", "24 numbers"}, here);
  expect_refused({"--patterns", "c*.npy"}, 3, {"c*.npy", "no file matches"}, here);
  expect_refused({"--patterns", "a1.npy", "random:3x24"}, 2, {"random:3x24", "random patterns"}, here);
  expect_refused({"--patterns", ""}, 2, {"--patterns: the name is empty"}, here);
}

TEST(RecallReads, StandardInput) {
  const TemporaryFolder folder;
  data::write_npy(folder / "a.npy", bits(3));
  const ProgramOptions piped{.folder = folder.path(), .input = read_text(folder / "a.npy")};
  EXPECT_EQ(stored({"--patterns", "-"}, piped), Size(3, 24));
  EXPECT_EQ(stored({"--patterns", "/dev/stdin"}, piped), Size(3, 24));
  EXPECT_EQ(stored({"--patterns", "a.npy", "--cues", "-"}, piped), Size(3, 24));
  expect_refused({"--patterns", "-", "--cues", "/dev/stdin"}, 2, {"--patterns and --cues", "only once"},
                 piped);
  expect_refused({"--patterns", "-", "-"}, 2, {"standard input", "twice"}, piped);
  expect_refused({"--patterns", "-"}, 3, {"standard input", "0 bytes"}, {.folder = folder.path()});
}

TEST(RecallReads, CuesWithoutArrayNamesTogetherWithTensor) {
  const TemporaryFolder folder;
  const ProgramOptions here{.folder = folder.path()};
  const RealPatterns patterns = bits(3);
  const std::span<const double> numbers(patterns.data(), 3 * 24);
  const std::vector<data::SafetensorsTensor> tensors{{"a", "F64", {3, 24}, std::as_bytes(numbers)},
                                                     {"b", "F64", {3, 24}, std::as_bytes(numbers)}};
  write_file_atomically(folder / "x.safetensors", data::to_safetensors(tensors));
  data::write_npy(folder / "cues.npy", patterns);
  for (const char* cues : {"cues.npy", "x.safetensors"}) {
    EXPECT_EQ(stored({"--patterns", "x.safetensors", "--tensor", "a", "--cues", cues}, here), Size(3, 24));
  }
  EXPECT_EQ(stored({"--patterns", "x.safetensors", "--tensor", "a", "--cues", "x.safetensors",
                    "--cues-tensor", "b"},
                   here),
            Size(3, 24));
  expect_refused(
      {"--patterns", "x.safetensors", "--tensor", "a", "--cues", "x.safetensors", "--cues-tensor", "c"}, 3,
      {"\"c\""}, here);
  expect_refused({"--patterns", "x.safetensors", "--tensor", "a", "--cues-tensor", "b"}, 2,
                 {"--cues-tensor has no effect"}, here);
  expect_refused({"--patterns", "x.safetensors"}, 3, {"contains 2 tensors", "\"a\", \"b\" (--tensor NAME)"},
                 here);
}

TEST(RecallReads, AllCuesWithALimitOfPatterns) {
  const TemporaryFolder folder;
  const ProgramOptions here{.folder = folder.path()};
  data::write_npy(folder / "bits.npy", bits(5));
  const ProgramResult result = recall({"--patterns", "bits.npy", "--cues", "bits.npy", "--limit", "3"}, here);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(testing::parameters_of(result.out).at("patterns").at("count"), 3);
  EXPECT_EQ(testing::results_of(result.out)[0].at("recalled").at("row").size(), 5U) << result.out;
}

TEST(RecallReads, NoCuesThatWouldAllBecomeTheSameBits) {
  const TemporaryFolder folder;
  const ProgramOptions here{.folder = folder.path()};
  data::write_npy(folder / "bits.npy", bits(3));
  write_text(folder / "large.csv", "1,2,3,4,5,6,7,7.9,1,2,3,4,1,2,3,4,5,6,7,7.9,1,2,3,4\n");
  expect_refused({"--patterns", "bits.npy", "--cues", "large.csv"}, 2,
                 {"1 to 7.9 (large.csv)", "0 to 1 (bits.npy)", "every bit of the cues would be 1"}, here);
  EXPECT_EQ(
      run_mneme({"recall", "--memory", "attention", "--patterns", "bits.npy", "--cues", "large.csv"}, here)
          .exit_code,
      0);
}

TEST(RecallReads, TablesAndPackedBits) {
  const TemporaryFolder folder;
  const ProgramOptions here{.folder = folder.path()};
  write_text(folder / "a.csv", "label,a,b,c,d\n1,1,0,1,0\n2,0,1,1,0\n");
  EXPECT_EQ(stored({"--patterns", "a.csv", "--hamming-radius", "2"}, here), Size(2, 4));
  write_text(folder / "packed.npy", std::string("\x93NUMPY\1\0\x3a\0", 10) +
                                        "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3)}\n" +
                                        std::string("\x12\x34\x50\xaa\x55\x10", 6));
  EXPECT_EQ(stored({"--patterns", "packed.npy", "--packed", "big"}, here), Size(2, 24));
  EXPECT_EQ(stored({"--patterns", "packed.npy", "--packed", "big", "--bits", "20"}, here), Size(2, 20));
  expect_refused({"--patterns", "packed.npy", "--bits", "20"}, 2, {"20 bits", "not packed"}, here);
  expect_refused({"--patterns", "packed.npy", "--packed", "big", "--bits", "25"}, 2, {"25 bits", "17 to 24"},
                 here);
  expect_refused({"--packed", "big"}, 2, {"--packed", "built-in"}, here);
  expect_refused({"--transpose", "--patterns", "random:3x24"}, 2, {"--transpose", "random (random:3x24)"},
                 here);
  expect_refused({"--transpose", "--patterns", "a.csv"}, 2, {"a.csv", "not images"}, here);
  expect_refused({"--tensor", "x", "--patterns", "a.csv"}, 2, {"a.csv", "\"x\"", ".npz"}, here);
}

} // namespace
} // namespace mneme
