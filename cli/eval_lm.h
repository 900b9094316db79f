// SPDX-License-Identifier: MIT

/// `mneme eval lm`: the loss of a language model on a text.
#pragma once

#include <optional>
#include <string>

#include "cli/arguments.h"
#include "cli/text_files.h"
#include "cli/verb.h"
#include "mneme/language/weights.h"

namespace mneme::cli {

class EvalLm {
public:
  void declare(Arguments& arguments);
  ExitCode run(Context& context);

private:
  std::string model_, protocol_;
  TextFiles text_;
  std::optional<int64_t> window_, stride_;
  language::Weights weights_ = language::Weights::float32;
  bool parse_special_ = false, add_special_ = false;
};

} // namespace mneme::cli
