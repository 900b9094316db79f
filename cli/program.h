// SPDX-License-Identifier: MIT

/// The program as a whole: which verb was meant, or else the overview.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "cli/verb.h"

namespace mneme::cli {

/// `arguments` without the name of the program.
ExitCode run_program(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err);

} // namespace mneme::cli
