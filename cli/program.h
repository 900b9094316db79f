// SPDX-License-Identifier: MIT

/// The program: selects the verb, or prints the overview.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "cli/verb.h"

namespace mneme::cli {

/// Runs the program. `arguments` does not include the name of the program.
ExitCode run_program(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err);

} // namespace mneme::cli
