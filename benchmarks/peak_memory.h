// SPDX-License-Identifier: MIT

/// The memory of this process, for programs that are run to measure it.
#pragma once

#include <fstream>
#include <string>

namespace mneme {

/// Most memory of this process ever resident, in bytes. (getrusage would count the process that started it.)
inline double peak_memory() {
  std::ifstream status("/proc/self/status");
  double kilobytes = 0;
  for (std::string word; status >> word;) {
    if (word == "VmHWM:") {
      status >> kilobytes;
    }
  }
  return 1024 * kilobytes;
}

} // namespace mneme
