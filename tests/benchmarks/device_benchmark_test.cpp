// SPDX-License-Identifier: MIT

#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/run_program.h"
#include "core/temporary_folder.h"

namespace mneme {
namespace {

using nlohmann::json;
using testing::ProgramResult;
using testing::read_text;
using testing::run_program;
using testing::TemporaryFolder;

ProgramResult run_benchmark(const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {MNEME_PROGRAM};
  command.insert(command.end(), arguments.begin(), arguments.end());
  // Passive waiting, so that spinning threads do not take CPU time from concurrent tests.
  return run_program(command, {.environment = {{"OMP_NUM_THREADS", "1"}, {"OMP_WAIT_POLICY", "passive"}},
                               .timeout = std::chrono::seconds(300)});
}

std::vector<json> documents_in(const std::filesystem::path& file) {
  std::vector<json> documents;
  std::istringstream lines(read_text(file));
  for (std::string line; std::getline(lines, line);) {
    documents.push_back(json::parse(line));
  }
  return documents;
}

ProgramResult make_tables(const std::filesystem::path& folder) {
  return run_program({"python3", MNEME_SOURCE_DIR "/benchmarks/device_report.py", "tables", folder.string()});
}

bool has_python() {
  return run_program({"python3", "-c", "import sys; sys.exit(sys.version_info < (3, 10))"}).exit_code == 0;
}

TEST(DeviceBenchmark, MeasuresEveryCaseOnTheCpu) {
  const TemporaryFolder folder;
  const ProgramResult ran = run_benchmark({"cpu", (folder / "timings.jsonl").string(), "--short"});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;

  std::map<std::string, int64_t> kinds;
  std::set<std::string> parts;
  std::set<std::pair<std::string, std::string>> types_and_passes;
  for (const json& document : documents_in(folder / "timings.jsonl")) {
    ++kinds[document["kind"]];
    if (document["kind"] == "limit") {
      EXPECT_GT(document.value("bytes_per_second", 0.0) + document.value("multiply_adds_per_second", 0.0), 0);
    }
    if (document["kind"] == "end") {
      EXPECT_EQ(document["rows"], kinds["row"]);
    }
    if (document["kind"] != "row") {
      continue;
    }
    SCOPED_TRACE(document.dump());
    parts.insert(document["part"]);
    types_and_passes.emplace(document["type"].get<std::string>(), document["pass"].get<std::string>());
    const json& ours = document["mneme"];
    if (document["op"] == "encode" && document["type"] == "bfloat16") {
      EXPECT_NE(ours.at("error").get<std::string>().find("BFloat16"), std::string::npos);
    } else {
      EXPECT_GT(ours.at("seconds"), 0);
      EXPECT_LE(ours.at("fastest"), ours.at("seconds"));
      EXPECT_GE(ours.at("runs"), 1);
      EXPECT_GT(document.at("bandwidth_share"), 0);
    }
    EXPECT_GT(document["bytes"], 0);
    const json peers = document.value("peers", json::object());
    for (const auto& [name, peer] : peers.items()) {
      EXPECT_GT(peer.at("seconds"), 0) << name;
      if (peer.contains("difference")) {
        EXPECT_LT(peer.at("difference"), document["type"] == "float32" ? 1e-5 : 3e-2) << name;
      }
    }
  }
  EXPECT_EQ(kinds["machine"], 1);
  EXPECT_EQ(kinds["limit"], 3);
  EXPECT_EQ(kinds["end"], 1);
  EXPECT_EQ(parts, (std::set<std::string>{"associate", "hopfield", "leap", "leap layer", "matrix_leap",
                                          "separate", "encode"}));
  EXPECT_EQ(types_and_passes.size(), 4);
}

TEST(DeviceBenchmark, ReportsRowsNotMeasuredWithinTheTimeLimit) {
  const TemporaryFolder folder;
  const ProgramResult ran =
      run_benchmark({"cpu", (folder / "t").string(), "--short", "--part", "separate", "--seconds", "0"});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  for (const json& document : documents_in(folder / "t")) {
    if (document["kind"] == "row") {
      EXPECT_EQ(document["mneme"]["error"], "not measured: the time limit of this part was reached");
    }
  }
}

TEST(DeviceBenchmark, RejectsAMissingDevice) {
  const TemporaryFolder folder;
  const ProgramResult ran = run_benchmark({"cuda:99", (folder / "t").string()});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_NE(ran.err.find("device cuda:99 was not found"), std::string::npos) << ran.err;
  const ProgramResult unknown = run_benchmark({"abacus", (folder / "t").string()});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_NE(unknown.err.find("abacus, but must be cpu, cuda or cuda:N"), std::string::npos) << unknown.err;
}

TEST(DeviceReport, ListsSlowRowsAndFailures) {
  if (!has_python()) {
    GTEST_SKIP() << "there is no python3 of version 3.10 or later";
  }
  const TemporaryFolder folder;
  const auto row = [](const char* op, double seconds, double peer, double bandwidth, double rate) {
    return json{{"kind", "row"},
                {"part", "associate"},
                {"op", op},
                {"shape", "1 x 2"},
                {"type", "float32"},
                {"pass", "forward"},
                {"mneme",
                 {{"seconds", seconds},
                  {"host_seconds", seconds},
                  {"peak_bytes", 1 << 20},
                  {"host_reads", json::object()}}},
                {"peers", {{"sdpa", {{"seconds", peer}, {"difference", 1e-7}}}}},
                {"bandwidth_share", bandwidth},
                {"matrix_rate_share", rate}};
  };
  json slow = row("slow", 0.002, 0.001, 0.5, 0.1), far = row("far", 0.001, 0.002, 0.2, 0.3),
       good = row("good", 0.001, 0.002, 0.1, 0.9), refused = row("refused", 0.001, 0.002, 0.1, 0.9);
  slow["mneme"]["host_reads"] = {{"aten::nonzero", 3}};
  far["peers"]["sdpa"]["difference"] = "not finite";
  refused["mneme"] = {{"error", "no such type"}};
  refused.erase("bandwidth_share");
  std::string lines =
      json{{"kind", "machine"}, {"cpu", "a CPU"}, {"cpu_target", "avx2"}, {"threads", 2}, {"short", false}}
          .dump() +
      "\n";
  for (const json& one : {slow, far, good, refused}) {
    lines += one.dump() + "\n";
  }
  testing::write_text(folder / "timings.jsonl", lines + R"({"kind": "row", "op": "cut o)");
  testing::write_text(folder / "machine.json",
                      R"({"device": "cuda:0", "card": "a card", "card_memory_bytes": 1073741824,
                                                   "driver": "1.2", "libtorch": "3.4", "cuda": "5.6"})");
  testing::write_text(folder / "parts.tsv", "build\t12\t300\tok\ngolden\t5\t90\tfailed with status 4\n");
  testing::write_text(folder / "golden.json",
                      R"({"files": [{"path": "a/b.json", "state": "checked", "cases_passed": 1,
    "cases_failed": 2, "worst_ratio": 3.5, "messages": ["case 1\nis off"]}], "total": {"files": 1, "cases_passed": 1,
    "cases_failed": 2, "bad_files": 0, "skipped_files": 2}})");

  const ProgramResult made = make_tables(folder.path());
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const json results = json::parse(read_text(folder / "device_check.json"));
  EXPECT_EQ(results["rows"].size(), 4);
  EXPECT_FALSE(results["complete"]);
  EXPECT_EQ(results["slower_than_sdpa"], json({"slow, 1 x 2, float32, forward"}));
  EXPECT_EQ(results["below_a_third"], json({"far, 1 x 2, float32, forward"}));
  EXPECT_EQ(results["host_reads"], json({"slow, 1 x 2, float32, forward"}));
  EXPECT_EQ(results["different_from_peer"], json({"far, 1 x 2, float32, forward"}));
  EXPECT_EQ(results["not_measured"], json({"refused, 1 x 2, float32, forward"}));
  const std::string text = read_text(folder / "device_check.md");
  for (const char* expected :
       {"# Benchmarks on a card", "a card, 1 GiB, driver 1.2. LibTorch 3.4 with CUDA 5.6.",
        "| golden | failed with status 4 | 5 | 90 |",
        "1 file: 1 case passed, 2 failed, 2 files skipped because none of their cases run on "
        "this device. The largest error is 3.5 of its "
        "tolerance, in b.json.",
        "b.json: 2 failed", "case 1 is off",
        "slow, 1 x 2, float32, forward: 2.00 times as long (2 ms compared with 1 ms)",
        "far, 1 x 2, float32, forward: 30 % of the matrix rate", "3 x aten::nonzero", "not finite from sdpa",
        "refused, 1 x 2, float32, forward: no such type"}) {
    EXPECT_NE(text.find(expected), std::string::npos) << expected << "\n" << text;
  }
}

TEST(DeviceReport, ReportsACheckWithoutResults) {
  if (!has_python()) {
    GTEST_SKIP() << "there is no python3 of version 3.10 or later";
  }
  const TemporaryFolder folder;
  testing::write_text(folder / "parts.tsv", "build\t12\t300\tfailed with status 1\n");
  const ProgramResult made = make_tables(folder.path());
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_NE(read_text(folder / "device_check.md").find("| build | failed with status 1 | 12 | 300 |"),
            std::string::npos);
}

} // namespace
} // namespace mneme
