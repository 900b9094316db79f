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
#include "mneme/core/nearest_word.h"
#include "mneme/core/error.h"
#include "mneme/core/parallel.h"
#include "mneme/core/text.h"

namespace mneme::cli {
namespace {

/// The verb below `app` that the arguments have led to.
const CLI::App& deepest(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? app : deepest(*chosen.back());
}

std::string path_of(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name() : path_of(*app.get_parent()) + " " + app.get_name();
}

/// The verbs below a verb that needs one; empty where it needs none.
std::string words_below(const CLI::App& app) {
  std::string words;
  if (app.get_require_subcommand_min() > 0) {
    for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
      words += (words.empty() ? "" : ", ") + verb->get_name();
    }
  }
  return words;
}

bool has_option(const CLI::App& app, const std::string& name) {
  return app.get_option_no_throw(name) != nullptr;
}

/// The message for an option that was given before the verb below, such as `mneme train --seeds 3 latch`; empty if the
/// option is unknown there, too. `app` is the deepest verb that was named.
std::string too_early(const CLI::App& root, const CLI::App& app, const std::string& argument) {
  const std::string name = argument.substr(0, argument.find('='));
  if (!name.starts_with("-")) {
    return "";
  }
  const bool is_named = &app != &root;
  const auto below = app.get_subcommands([](const CLI::App*) { return true; });
  if (is_named && has_option(app, name)) {
    return fmt::format(
        "\"{}\" stands before \"{}\", to which it belongs.\n  Options come last, as in `{} {} ...`.", name,
        app.get_name(), path_of(app), name);
  }
  for (const CLI::App* verb : below) {
    if (has_option(*verb, name)) {
      return fmt::format(
          "\"{}\" comes after one of the words that `{} --help` lists, and none is given.\n  For "
          "example: `{} {} ...`.",
          name, path_of(app), path_of(*verb), name);
    }
  }
  return "";
}

/// What CLI11 found wrong, in words of ours where its own do not help.
std::string usage_message(const CLI::App& root, const CLI::ParseError& error) {
  const CLI::App& app = deepest(root);
  std::string message = error.what();
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    message = message.substr(0, message.find(':')) + " takes one value, and is given once";
  } else if (const std::string below = words_below(app);
             dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && !below.empty()) {
    message = "one of these must be named: " + below;
  } else if (dynamic_cast<const CLI::ConversionError*>(&error) !=
             nullptr) { // only flags are converted by CLI11
    message = "a flag takes no value: " + message.substr(message.find(": ") + 2);
  }
  while (!message.empty() && (message.back() == '\n' || message.back() == '.')) {
    message.pop_back();
  }
  std::string advice;
  if (const std::vector<std::string> unknown = root.remaining(true); !unknown.empty()) {
    const std::string& first = unknown.front();
    if (const std::string early = too_early(root, app, first); !early.empty()) {
      return early;
    }
    message = first.starts_with("-") ? "there is no option \"" + first + "\""
                                     : "\"" + first + "\" is one argument too many";
    std::vector<std::string> known;
    for (const CLI::Option* option : app.get_options()) {
      known.push_back(option->get_name());
    }
    for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
      known.push_back(verb->get_name());
    }
    if (const std::string close = nearest_word(first.substr(0, first.find('=')), known); !close.empty()) {
      advice = "Did you mean \"" + close + "\"? ";
    }
  }
  return message + ".\n  " + advice + "`" + path_of(app) + " --help` lists what it takes.";
}

std::vector<std::string> reversed(const std::vector<std::string>& arguments) {
  return {arguments.rbegin(), arguments.rend()};
}

/// Errors  what the verb throws, and UsageError for arguments that CLI11 refuses
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
                                      wants_colour(stderr, options.no_color));
  std::ostringstream held_back;
  Context context{.options = options,
                  .progress = *progress,
                  .out = options.json ? held_back : out,
                  .colour = !options.json && wants_colour(stdout, options.no_color)};
  try {
    const ExitCode code = verb.run(context);
    progress->finish();
    out << held_back.str();
    return code;
  } catch (...) {
    progress->finish(); // What follows on stderr begins on a line of its own.
    throw;
  }
}

/// Errors of LibTorch have their message first, and then a backtrace of many lines.
std::string without_backtrace(const std::string& message) {
  return message.substr(0, message.find("\nException raised from "));
}

} // namespace

void check_output(std::ostream& out) {
  errno = 0;
  if (out.flush(); !out) {
    if (errno ==
        0) { // Lost earlier, while the buffer was emptied: another byte meets the same end and tells why.
      (void)!::write(STDOUT_FILENO, "\n", 1);
    }
    throw OutputError(std::string("cannot write to stdout: ") +
                      (errno != 0 ? std::strerror(errno) : "some of it was lost") +
                      ".\n  Check where stdout leads: a full disk, or a file that may not be written.");
  }
}

ExitCode report_error(const std::exception_ptr& error, const std::string& verb, std::ostream& err) {
  const auto say = [&](const std::string& message, ExitCode code) {
    err << "mneme" << (verb.empty() ? "" : " ") << verb << ": " << printable_message(message) << std::endl;
    return code;
  };
  try {
    std::rethrow_exception(error);
  } catch (const Interrupted& interrupted) {
    return say(interrupted.what(), ExitCode::interrupted);
  } catch (const UsageError& usage) {
    return say(usage.what(), ExitCode::wrong_usage);
  } catch (const DataError& data) {
    return say(data.what(), ExitCode::bad_input);
  } catch (const Error& other) {
    return say(other.what(), ExitCode::failed);
  } catch (const std::bad_alloc&) {
    return say(
        "there is not enough memory for this.\n  Ask for fewer or smaller patterns; `mneme doctor` shows "
        "what this machine has.",
        ExitCode::failed);
  } catch (const std::exception& unexpected) {
    return say("unexpected failure: " + without_backtrace(unexpected.what()), ExitCode::failed);
  } catch (...) {
    return say("unexpected failure of an unknown kind", ExitCode::failed);
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
