// SPDX-License-Identifier: MIT

#include "cli/run.h"

#include <cerrno>
#include <cstring>
#include <new>
#include <ostream>
#include <sstream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "cli/colour.h"
#include "cli/common_options.h"
#include "mneme/core/error.h"
#include "mneme/core/nearest_word.h"
#include "mneme/core/parallel.h"
#include "mneme/core/text.h"

namespace mneme::cli {
namespace {

/// The innermost subcommand that the arguments selected.
const CLI::App& selected_subcommand(const CLI::App& app) {
  const auto selected = app.get_subcommands();
  return selected.empty() ? app : selected_subcommand(*selected.back());
}

std::string path_of(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name() : path_of(*app.get_parent()) + " " + app.get_name();
}

/// The names of the subcommands, separated by commas, if one is required; else empty.
std::string required_subcommands(const CLI::App& app) {
  std::string names;
  if (app.get_require_subcommand_min() > 0) {
    for (const CLI::App* subcommand : app.get_subcommands([](const CLI::App*) { return true; })) {
      names += (names.empty() ? "" : ", ") + subcommand->get_name();
    }
  }
  return names;
}

bool has_option(const CLI::App& app, const std::string& name) {
  return app.get_option_no_throw(name) != nullptr;
}

/// The error message for an option that is given before its subcommand, as in `mneme train --seeds 3 latch`;
/// empty if no subcommand has such an option. `app` is the innermost subcommand that was named.
std::string misplaced_option_message(const CLI::App& root, const CLI::App& app, const std::string& argument) {
  const std::string name = argument.substr(0, argument.find('='));
  if (!name.starts_with("-")) {
    return "";
  }
  const bool is_named = &app != &root;
  const auto subcommands = app.get_subcommands([](const CLI::App*) { return true; });
  if (is_named && has_option(app, name)) {
    return fmt::format("the option \"{0}\" of \"{1}\" is given before \"{1}\".\n  Options go after it, as in "
                       "`{2} {0} ...`.",
                       name, app.get_name(), path_of(app));
  }
  for (const CLI::App* subcommand : subcommands) {
    if (has_option(*subcommand, name)) {
      return fmt::format("the option \"{0}\" needs a subcommand before it; `{1} --help` lists them.\n  For "
                         "example: `{2} {0} ...`.",
                         name, path_of(app), path_of(*subcommand));
    }
  }
  return "";
}

/// The error message for a parse error: that of CLI11, or a clearer one.
std::string usage_message(const CLI::App& root, const CLI::ParseError& error) {
  const CLI::App& app = selected_subcommand(root);
  std::string message = error.what();
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    message = message.substr(0, message.find(':')) + " needs exactly one value, and must be given only once";
  } else if (const std::string names = required_subcommands(app);
             dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && !names.empty()) {
    message = "a subcommand is required: " + names;
  } else if (dynamic_cast<const CLI::ConversionError*>(&error) != nullptr) {
    // CLI11 itself converts only the values of flags.
    message = "a flag does not accept a value: " + message.substr(message.find(": ") + 2);
  }
  while (!message.empty() && (message.back() == '\n' || message.back() == '.')) {
    message.pop_back();
  }
  std::string advice;
  if (const std::vector<std::string> unknown = root.remaining(true); !unknown.empty()) {
    const std::string& first = unknown.front();
    if (const std::string misplaced = misplaced_option_message(root, app, first); !misplaced.empty()) {
      return misplaced;
    }
    message = first.starts_with("-") ? "there is no option \"" + first + "\""
                                     : "unexpected argument \"" + first + "\"";
    std::vector<std::string> known;
    for (const CLI::Option* option : app.get_options()) {
      known.push_back(option->get_name());
    }
    for (const CLI::App* subcommand : app.get_subcommands([](const CLI::App*) { return true; })) {
      known.push_back(subcommand->get_name());
    }
    if (const std::string close = nearest_word(first.substr(0, first.find('=')), known); !close.empty()) {
      advice = "Did you mean \"" + close + "\"? ";
    }
  }
  return message + ".\n  " + advice + "`" + path_of(app) + " --help` lists the arguments.";
}

std::vector<std::string> reversed(const std::vector<std::string>& arguments) {
  return {arguments.rbegin(), arguments.rend()};
}

/// Errors  UsageError for invalid arguments, and all errors of the verb
ExitCode parse_and_run(Verb& verb, const std::vector<std::string>& arguments, std::ostream& out,
                       const std::function<void()>& parsed) {
  CLI::App app(verb.summary(), "mneme " + verb.name());
  app.get_formatter()->column_width(34);
  CommonOptions options;
  options.threads = threads();
  declare_arguments(verb, app, options);
  try {
    app.parse(reversed(arguments));
  } catch (const CLI::CallForHelp&) {
    out << app.help();
    return ExitCode::ok;
  } catch (const CLI::ParseError& error) {
    throw UsageError(usage_message(app, error));
  }
  if (parsed) {
    parsed();
  }
  set_threads(options.threads);

  const auto progress = make_progress(options.quiet ? ProgressStyle::none : options.progress, stderr,
                                      use_colour(stderr, options.no_color));
  std::ostringstream json_buffer;
  Context context{.options = options,
                  .progress = *progress,
                  .out = options.json && !verb.streams_json() ? json_buffer : out,
                  .colour = !options.json && use_colour(stdout, options.no_color)};
  try {
    const ExitCode code = verb.run(context);
    progress->finish();
    out << json_buffer.str();
    return code;
  } catch (...) {
    progress->finish(); // so that the error message starts on a new line
    throw;
  }
}

/// The message of a LibTorch error without the backtrace that follows it.
std::string without_backtrace(const std::string& message) {
  return message.substr(0, message.find("\nException raised from "));
}

} // namespace

void check_output(std::ostream& out) {
  errno = 0;
  if (out.flush(); !out) {
    if (errno == 0) {
      // An earlier write failed, when the buffer was full. Writing one more byte sets errno to the cause.
      (void)!::write(STDOUT_FILENO, "\n", 1);
    }
    throw OutputError(
        std::string("cannot write to stdout: ") +
        (errno != 0 ? std::strerror(errno) : "the output is incomplete") +
        ".\n  Check the file or pipe that stdout is redirected to: the disk may be full, or the "
        "file not writable.");
  }
}

ExitCode report_error(const std::exception_ptr& error, const std::string& verb, std::ostream& err) {
  const auto print = [&](const std::string& message, ExitCode code) {
    err << "mneme" << (verb.empty() ? "" : " ") << verb << ": " << printable_message(message) << std::endl;
    return code;
  };
  try {
    std::rethrow_exception(error);
  } catch (const Interrupted& interrupted) {
    return print(interrupted.what(), ExitCode::interrupted);
  } catch (const UsageError& usage) {
    return print(usage.what(), ExitCode::wrong_usage);
  } catch (const DataError& data) {
    return print(data.what(), ExitCode::bad_input);
  } catch (const Error& other) {
    return print(other.what(), ExitCode::failed);
  } catch (const std::bad_alloc&) {
    return print(
        "not enough memory.\n  Use fewer or smaller patterns; `mneme doctor` shows the memory of this "
        "machine.",
        ExitCode::failed);
  } catch (const std::exception& unexpected) {
    return print("unexpected failure: " + without_backtrace(unexpected.what()), ExitCode::failed);
  } catch (...) {
    return print("unexpected failure of an unknown kind", ExitCode::failed);
  }
}

ExitCode run_verb(Verb& verb, const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err,
                  const std::function<void()>& parsed) {
  try {
    const ExitCode code = parse_and_run(verb, arguments, out, parsed);
    check_output(out);
    return code;
  } catch (...) {
    return report_error(std::current_exception(), verb.name(), err);
  }
}

} // namespace mneme::cli
