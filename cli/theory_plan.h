// SPDX-License-Identifier: MIT

/// `mneme theory plan`: computes the required size of a memory, and optionally simulates it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/verb.h"
#include "mneme/theory/plan.h"

namespace mneme::cli {

class TheoryPlan {
public:
  void declare(Arguments& arguments);
  ExitCode run(Context& context) const;

private:
  theory::PlanRequest request_{.bits = 1000, .patterns = 10000, .noise = 0.1, .target = 0.99};
  std::optional<double> memory_limit_; ///< bytes
  bool simulate_ = false;
  int64_t trials_ = 3, cues_ = 500;
  std::vector<const Option*> options_of_simulation_;
};

} // namespace mneme::cli
