// SPDX-License-Identifier: MIT

/// Runs one verb: arguments in, exit code out, every error a line or two for the reader.
#pragma once

#include <exception>
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "cli/verb.h"

namespace mneme::cli {

/// Parses `arguments` (what stands behind the verb's name) and runs the verb. Results go to `out`; with
/// --json only once the verb has ended, so that a failure leaves nothing there. Errors go to `err` and are
/// told by the exit code. Progress is drawn on stderr.
/// `parsed` is called once the arguments are known to be right, before the verb runs.
ExitCode run_verb(Verb& verb, const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err,
                  const std::function<void()>& parsed = {});

/// Prints `mneme VERB: message` (without verb: `mneme: message`) and returns the exit code that belongs to
/// it.
ExitCode report_error(const std::exception_ptr& error, const std::string& verb, std::ostream& err);

/// Errors  OutputError if anything written to `out` (stdout) got lost
void check_output(std::ostream& out);

} // namespace mneme::cli
