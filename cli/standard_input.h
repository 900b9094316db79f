// SPDX-License-Identifier: MIT

/// Lines of standard input that are processed as they arrive, and their errors.
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "cli/verb.h"

namespace mneme::cli {

/// Lines of standard input as they arrive.
class StandardInput {
public:
  /// All complete lines that are available, at most `count_max`, after waiting for the first; empty at the
  /// end.
  ///
  /// Errors  DataError if a line is longer than 512 MiB or stdin cannot be read; Interrupted
  std::vector<std::string> next(size_t count_max);

private:
  void fill();
  std::string buffer_;
  size_t begin_ = 0;
  bool at_end_ = false;
};

/// The error of a line as {"error": ..., "line": ...}, which is printed in place of its result. `worst`
/// becomes the exit code of the error if that is larger.
nlohmann::ordered_json error_json(int64_t line, const std::exception_ptr& error, ExitCode& worst);

} // namespace mneme::cli
