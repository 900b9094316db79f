// SPDX-License-Identifier: MIT

#include "mneme/core/cpu.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>
#include <hwy/highway.h>

#include "core/text_checks.h"
#include "mneme/core/error.h"
#include "mneme/core/parallel.h"

namespace mneme {
namespace {

using testing::contains;

using ::testing::ExitedWithCode;

/// For a child process: selects the target, prints it (exit code 0), or the error (exit code 1).
[[noreturn]] void select_and_exit() {
  try {
    std::fprintf(stderr, "selected %s", cpu_target().c_str());
    std::exit(0);
  } catch (const UnsupportedError& error) {
    std::fprintf(stderr, "%s", error.what());
    std::exit(1);
  }
}

class CpuTargetOfAFreshProcess : public ::testing::Test {
protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST(CpuTargets, BeginWithTheRunnableReference) {
  const std::vector<CpuTarget> targets = cpu_targets();
  ASSERT_FALSE(targets.empty());
  EXPECT_EQ(targets.front().name, "reference");
  EXPECT_TRUE(targets.front().runnable);
}

TEST(CpuTargets, HaveDifferentNamesAndADescription) {
  const std::vector<CpuTarget> targets = cpu_targets();
  for (size_t i = 0; i < targets.size(); ++i) {
    EXPECT_FALSE(targets[i].description.empty()) << targets[i].name;
    for (size_t j = i + 1; j < targets.size(); ++j) {
      EXPECT_NE(targets[i].name, targets[j].name);
    }
  }
}

TEST(CpuTargets, EveryRunnableOneCanBeSelected) {
  const std::string former = cpu_target();
  for (const CpuTarget& target : cpu_targets()) {
    if (target.runnable) {
      select_cpu_target(target.name);
      EXPECT_EQ(cpu_target(), target.name);
      EXPECT_EQ(use_reference_kernels(), target.name == "reference");
    }
  }
  select_cpu_target(former);
}

TEST(CpuTargets, ABetterOneThanThoseBuiltInIsNotBuiltIn) {
  const std::string better = better_cpu_target();
  for (const CpuTarget& target : cpu_targets()) {
    EXPECT_NE(target.name, better);
  }
}

TEST(CpuTargets, AnUnknownOneIsRejectedAndTheSelectionStays) {
  const std::string former = cpu_target();
  try {
    select_cpu_target("abacus");
    FAIL() << "no UnsupportedError was thrown";
  } catch (const UnsupportedError& error) {
    EXPECT_TRUE(contains(error.what(), "\"abacus\""));
    EXPECT_TRUE(contains(error.what(), "Built in: reference"));
    EXPECT_TRUE(contains(error.what(), "This CPU runs: reference"));
  }
  EXPECT_EQ(cpu_target(), former);
}

TEST_F(CpuTargetOfAFreshProcess, FollowsTheEnvironment) {
  EXPECT_EXIT(
      {
        ::setenv("MNEME_CPU_ISA", "reference", 1);
        select_and_exit();
      },
      ExitedWithCode(0), "selected reference");
}

TEST_F(CpuTargetOfAFreshProcess, IsTheBestRunnableOneByDefault) {
  std::string best = "reference";
  for (const CpuTarget& target : cpu_targets()) {
    best = target.runnable ? target.name : best;
  }
  EXPECT_EXIT(
      {
        ::setenv("MNEME_CPU_ISA", "", 1);
        select_and_exit();
      },
      ExitedWithCode(0), "selected " + best);
}

TEST_F(CpuTargetOfAFreshProcess, IsTheSameForAllThreadsThatBeginTogether) {
  EXPECT_EXIT(
      {
        ::setenv("MNEME_CPU_ISA", "reference", 1);
        set_threads(4);
        std::atomic<int> calls{0};
        parallel_for(1000, 1, [&](int64_t, int64_t) { calls += use_reference_kernels() ? 1 : 0; });
        std::fprintf(stderr, "reference in %d calls", calls.load());
        std::exit(0);
      },
      ExitedWithCode(0), "reference in 1000 calls");
}

TEST_F(CpuTargetOfAFreshProcess, IsNotGuessedIfTheEnvironmentIsWrong) {
  EXPECT_EXIT(
      {
        ::setenv("MNEME_CPU_ISA", "avx9", 1);
        select_and_exit();
      },
      ExitedWithCode(1), "MNEME_CPU_ISA requests the CPU target \"avx9\", which this build does not have");
}

TEST_F(CpuTargetOfAFreshProcess, CannotBeOneThatTheCpuLacks) {
#if HWY_ARCH_X86
  EXPECT_EXIT(
      {
        hwy::DisableTargets(HWY_AVX2 | HWY_AVX3 | HWY_AVX3_DL); // as on an older CPU
        ::setenv("MNEME_CPU_ISA", "avx2", 1);
        select_and_exit();
      },
      ExitedWithCode(1),
      "\"avx2\", which this CPU.*cannot run\\.\n  Built in: .*avx2.*This CPU runs: reference(, "
      "(scalar|emu128|ssse3|sse4))*\\.");
#else
  GTEST_SKIP() << "x86 only, where a target can be hidden from the runnable ones";
#endif
}

TEST(CpuModel, HasAName) {
  EXPECT_FALSE(cpu_model().empty());
}

} // namespace
} // namespace mneme
