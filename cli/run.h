// SPDX-License-Identifier: MIT

/// Runs one verb: parses its arguments, prints errors and returns the exit code.
#pragma once

#include <exception>
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "cli/verb.h"

namespace mneme::cli {

/// Parses `arguments` (those after the name of the verb) and runs the verb. Results go to `out`; with --json
/// only once the verb has succeeded, so that a failed verb prints nothing there. Errors go to `err` and
/// determine the exit code. Progress goes to stderr.
/// `parsed` is called once the arguments have been parsed without an error, before the verb runs.
ExitCode run_verb(Verb& verb, const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err,
                  const std::function<void()>& parsed = {});

/// Prints `mneme VERB: message` (`mneme: message` if `verb` is empty) and returns the exit code of the error.
ExitCode report_error(const std::exception_ptr& error, const std::string& verb, std::ostream& err);

/// The message without the names of C++ functions before their problems, such as "mneme::ops::leap: ".
std::string without_functions(std::string message);

/// Flushes `out` (stdout) and checks that all writes to it succeeded.
///
/// Errors  OutputError if a write failed
void check_output(std::ostream& out);

} // namespace mneme::cli
