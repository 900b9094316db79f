// SPDX-License-Identifier: MIT

/// Reads the source files of a tree and says where they break the rules of the house.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace mneme::house {

struct Violation {
  std::string file; ///< relative to the root
  int line;         ///< from 1
  std::string what;
};

struct Inspection {
  int files = 0; ///< how many were read
  std::vector<Violation> violations;
};

/// Looks at every .h, .cpp and .cu under include/mneme, src, cli, experiments, verify, report, server and
/// python (all rules) and under tests and benchmarks (licence line only: they may use anything).
Inspection inspect(const std::filesystem::path& root);

} // namespace mneme::house
