// SPDX-License-Identifier: MIT

/// Interface of the tasks of `mneme train TASK`. Each task is listed in train.cpp.
#pragma once

#include "cli/arguments.h"
#include "cli/verb.h"

namespace mneme::cli {

/// Like a verb, a task declares its arguments, then runs once.
class TrainTask {
public:
  virtual ~TrainTask() = default;
  virtual std::string name() const = 0;
  virtual std::string summary() const = 0;
  virtual bool needs_torch() const { return false; }
  virtual void declare(Arguments& arguments) = 0;
  virtual ExitCode run(Context& context) = 0;
};

} // namespace mneme::cli
