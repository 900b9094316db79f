// SPDX-License-Identifier: MIT

#include <filesystem>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/json_frame.h"
#include "cli/run_program.h"
#include "core/temporary_folder.h"
#include "core/text_checks.h"
#include "mneme/core/cpu.h"
#include "mneme/core/version.h"

namespace mneme {
namespace {

using testing::contains;
using testing::ends_with;
using testing::ProgramResult;
using testing::run_mneme;
using testing::run_program;
using testing::TemporaryFolder;

TEST(Doctor, ReportsNoProblems) {
  const ProgramResult result = run_mneme({"doctor"}, {.environment = {{"MNEME_CPU_ISA", ""}}});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "");
  EXPECT_TRUE(contains(result.out, version()));
  EXPECT_TRUE(contains(result.out, cpu_model()));
  EXPECT_TRUE(contains(result.out, "Self-check  passed"));
  EXPECT_TRUE(ends_with(result.out, "No problems found.\n"));
}

TEST(Doctor, PrintsOneJsonDocumentWithTheSameFindings) {
  const ProgramResult result = run_mneme({"doctor", "--json", "--threads", "2", "--seed", "9"},
                                         {.environment = {{"MNEME_CPU_ISA", ""}}});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "");
  const nlohmann::json document = testing::framed(result.out);
  EXPECT_EQ(document.at("version"), version());
  EXPECT_EQ(document.at("seed"), 9);
  EXPECT_EQ(document.at("results").at("self_check"), true);
  EXPECT_TRUE(document.at("results").at("problems").empty());
  const nlohmann::json& environment = document.at("environment");
  EXPECT_EQ(environment.at("threads"), 2);
  EXPECT_GE(environment.at("logical_cpus"), 1);
  EXPECT_EQ(environment.at("cpu_targets").size(), cpu_targets().size());
  EXPECT_EQ(environment.at("cpu_targets").at(0).at("name"), "reference");
  const nlohmann::json& memory = environment.at("memory_bytes");
  EXPECT_GT(memory.at("total").get<uint64_t>(), 0U);
  EXPECT_LE(memory.at("available").get<uint64_t>(), memory.at("total").get<uint64_t>());
#ifdef MNEME_WITH_TORCH
  const nlohmann::json& torch = environment.at("libtorch");
  EXPECT_FALSE(torch.at("version").get<std::string>().empty());
  EXPECT_EQ(torch.at("devices").at(0).at("name"), "cpu");
  EXPECT_TRUE(torch.at("built_for").is_array());
  if (torch.at("built_for").empty()) {
    EXPECT_EQ(torch.at("devices").size(), 1U);
  }
#else
  EXPECT_TRUE(environment.at("libtorch").is_null());
#endif
}

#ifdef MNEME_WITH_TORCH

TEST(Doctor, ListsTheDevicesOfLibTorch) {
  const ProgramResult json = run_mneme({"doctor", "--json"}, {.environment = {{"MNEME_CPU_ISA", ""}}});
  const nlohmann::json torch = testing::framed(json.out).at("environment").at("libtorch");
  const std::string text = run_mneme({"doctor"}, {.environment = {{"MNEME_CPU_ISA", ""}}}).out;
  EXPECT_TRUE(contains(text, "  devices   cpu")) << text;
  for (const nlohmann::json& device : torch.at("devices")) {
    EXPECT_TRUE(contains(text, device.at("name").get<std::string>())) << text;
  }
  EXPECT_EQ(contains(text, "built without CUDA"), torch.at("built_for").empty()) << text;
}

// A copy of mneme without a working mneme-nn in its folder.
TEST(Doctor, ReportsABrokenMnemeNn) {
  const TemporaryFolder folder;
  const std::string program = folder / "mneme";
  std::filesystem::copy_file(MNEME_PROGRAM, program);
  const auto expect_problem = [&](const std::vector<std::string>& parts) {
    const ProgramResult text = run_program({program, "doctor"}, {.environment = {{"MNEME_CPU_ISA", ""}}});
    EXPECT_EQ(text.exit_code, 1);
    testing::expect_contains(text.out, parts);
    testing::expect_contains(text.out, {"  devices   unknown", "Self-check  passed", "To fix: "});
    const ProgramResult json =
        run_program({program, "doctor", "--json"}, {.environment = {{"MNEME_CPU_ISA", ""}}});
    EXPECT_EQ(json.exit_code, 1);
    const nlohmann::json document = testing::framed(json.out);
    EXPECT_EQ(document.at("results").at("problems").size(), 1U);
    EXPECT_TRUE(document.at("environment").at("libtorch").at("devices").is_null());
  };
  const ProgramResult missing = run_program({program, "doctor"}, {.environment = {{"MNEME_CPU_ISA", ""}}});
  EXPECT_EQ(missing.exit_code, 0) << missing.out;
  testing::expect_contains(missing.out, {"LibTorch    no mneme-nn found", "`./dev nn` builds"});
  testing::write_text(folder / "mneme-nn",
                      "#!/bin/sh\necho 'error while loading libtorch.so' >&2\nexit 127\n");
  std::filesystem::permissions(folder / "mneme-nn", std::filesystem::perms::owner_all);
  expect_problem({"mneme-nn", "ended with status 127", "load LibTorch"});
  testing::write_text(folder / "mneme-nn", "#!/bin/sh\necho '{\"environment\": {\"libtorch\": null}}'\n");
  expect_problem({"mneme-nn", "ended with status 0 and reported no devices"});
}

#endif

TEST(Doctor, ShowsTheForcedTarget) {
  const ProgramResult result =
      run_mneme({"doctor", "--json"}, {.environment = {{"MNEME_CPU_ISA", "reference"}}});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(testing::framed(result.out).at("environment").at("cpu_target"), "reference");
}

TEST(Doctor, ReportsATargetThatCannotRun) {
  const ProgramResult text = run_mneme({"doctor"}, {.environment = {{"MNEME_CPU_ISA", "abacus"}}});
  EXPECT_EQ(text.exit_code, 1);
  EXPECT_TRUE(contains(text.out, "To fix: MNEME_CPU_ISA requests the CPU target \"abacus\""));
  EXPECT_FALSE(contains(text.out, "No problems found"));
  const ProgramResult json = run_mneme({"doctor", "--json"}, {.environment = {{"MNEME_CPU_ISA", "abacus"}}});
  EXPECT_EQ(json.exit_code, 1);
  const nlohmann::json document = testing::framed(json.out);
  EXPECT_TRUE(document.at("environment").at("cpu_target").is_null());
  EXPECT_EQ(document.at("results").at("problems").size(), 1U);
}

} // namespace
} // namespace mneme
