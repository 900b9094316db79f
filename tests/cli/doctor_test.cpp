// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/run_program.h"
#include "core/text_checks.h"
#include "mneme/core/cpu.h"
#include "mneme/core/version.h"

namespace mneme {
namespace {

using testing::contains;
using testing::ends_with;
using testing::ProgramResult;
using testing::run_mneme;

TEST(Doctor, SaysThatAllIsWell) {
  const ProgramResult result = run_mneme({"doctor"}, {.environment = {{"MNEME_CPU_ISA", ""}}});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "");
  EXPECT_TRUE(contains(result.out, version()));
  EXPECT_TRUE(contains(result.out, cpu_model()));
  EXPECT_TRUE(contains(result.out, "Self-check  passed"));
  EXPECT_TRUE(ends_with(result.out, "All is well.\n"));
}

TEST(Doctor, PrintsOneJsonDocumentWithTheSameFindings) {
  const ProgramResult result = run_mneme({"doctor", "--json", "--threads", "2", "--seed", "9"},
                                         {.environment = {{"MNEME_CPU_ISA", ""}}});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "");
  const nlohmann::json document = nlohmann::json::parse(result.out);
  EXPECT_EQ(document.at("version"), version());
  EXPECT_EQ(document.at("seed"), 9);
  EXPECT_EQ(document.at("self_check"), true);
  EXPECT_TRUE(document.at("problems").empty());
  const nlohmann::json& environment = document.at("environment");
  EXPECT_EQ(environment.at("threads"), 2);
  EXPECT_GE(environment.at("logical_cpus"), 1);
  EXPECT_EQ(environment.at("cpu_targets").size(), cpu_targets().size());
  EXPECT_EQ(environment.at("cpu_targets").at(0).at("name"), "reference");
  const nlohmann::json& memory = environment.at("memory_bytes");
  EXPECT_GT(memory.at("total").get<uint64_t>(), 0U);
  EXPECT_LE(memory.at("available").get<uint64_t>(), memory.at("total").get<uint64_t>());
#ifdef MNEME_WITH_TORCH
  EXPECT_FALSE(environment.at("libtorch").at("version").get<std::string>().empty());
#else
  EXPECT_TRUE(environment.at("libtorch").is_null());
#endif
}

TEST(Doctor, ShowsTheTargetThatWasForced) {
  const ProgramResult result =
      run_mneme({"doctor", "--json"}, {.environment = {{"MNEME_CPU_ISA", "reference"}}});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(nlohmann::json::parse(result.out).at("environment").at("cpu_target"), "reference");
}

TEST(Doctor, SaysWhatToFixWhenATargetCannotRun) {
  const ProgramResult text = run_mneme({"doctor"}, {.environment = {{"MNEME_CPU_ISA", "abacus"}}});
  EXPECT_EQ(text.exit_code, 1);
  EXPECT_TRUE(contains(text.out, "To fix: MNEME_CPU_ISA asks for the CPU target \"abacus\""));
  EXPECT_FALSE(contains(text.out, "All is well"));
  const ProgramResult json = run_mneme({"doctor", "--json"}, {.environment = {{"MNEME_CPU_ISA", "abacus"}}});
  EXPECT_EQ(json.exit_code, 1);
  const nlohmann::json document = nlohmann::json::parse(json.out);
  EXPECT_TRUE(document.at("environment").at("cpu_target").is_null());
  EXPECT_EQ(document.at("problems").size(), 1U);
}

} // namespace
} // namespace mneme
