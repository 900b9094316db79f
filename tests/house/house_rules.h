// SPDX-License-Identifier: MIT

/// Checks of the source files of a tree: dependencies between modules, includes, output, threads, randomness.
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
  int files = 0; ///< number of checked files
  std::vector<Violation> violations;
};

/// Checks every .h, .cpp and .cu in include/mneme, src, cli, experiments, learning, verify, report, fetch,
/// server and python against all rules, and those in tests and benchmarks for the licence line and the build.
Inspection inspect(const std::filesystem::path& root);

} // namespace mneme::house
