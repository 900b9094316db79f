// SPDX-License-Identifier: MIT

/// Runs a test body once on every CPU target this machine can run, and makes sure that this target is the one
/// that kernels run on.
#pragma once

#include <algorithm>
#include <cctype>
#include <functional>
#include <iostream>
#include <string>

#include <gtest/gtest.h>

#include "kernels/dispatched_target.h"
#include "mneme/core/cpu.h"

namespace mneme::test {

inline void on_each_cpu_target(const std::function<void()>& body) {
  const std::string before = cpu_target();
  std::string tested;
  for (const CpuTarget& target : cpu_targets()) {
    if (!target.runnable) {
      std::cout << "[   NOT   ] " << target.name << ": this CPU (" << cpu_model() << ") cannot run it\n";
      continue;
    }
    SCOPED_TRACE("CPU target " + target.name);
    select_cpu_target(target.name);
    std::string name = kernels::dispatched_target();
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    EXPECT_EQ(name == "avx3" ? "avx512" : name, target.name); // Highway's own word for AVX-512 is AVX3.
    body();
    tested += " " + target.name;
  }
  select_cpu_target(before);
  std::cout << "[ TARGETS ]" << tested << "\n";
}

} // namespace mneme::test
