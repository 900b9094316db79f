// SPDX-License-Identifier: MIT

/// Peak memory of the current process, for benchmark programs.
#pragma once

#include <fstream>
#include <string>

namespace mneme {

/// Peak resident memory of this process in bytes. (getrusage would include the parent process.)
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
