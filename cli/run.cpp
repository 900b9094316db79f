// SPDX-License-Identifier: MIT

#include "cli/run.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <new>
#include <ostream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/colour.h"
#include "cli/common_options.h"
#include "cli/environment_json.h"
#include "cli/json_output.h"
#include "cli/torch_threads.h"
#include "mneme/core/error.h"
#include "mneme/core/nearest_word.h"
#include "mneme/core/parallel.h"
#include "mneme/core/text.h"

namespace mneme::cli {
namespace {

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
  const CLI::App* example = nullptr; // the subcommand of the name of the option, or the first one that has it
  for (const CLI::App* subcommand : subcommands) {
    if (has_option(*subcommand, name) && (example == nullptr || "--" + subcommand->get_name() == name)) {
      example = subcommand;
    }
  }
  return example == nullptr
             ? ""
             : fmt::format("the option \"{0}\" needs a subcommand before it; `{1} --help` lists them.\n  For "
                           "example: `{2} {0} ...`.",
                           name, path_of(app), path_of(*example));
}

/// The name of the subcommand that people also call `name`; empty if there is none.
std::string subcommand_called(const Arguments& arguments, const std::string& name) {
  for (const Arguments& subcommand : arguments.subcommands()) {
    if (std::ranges::find(subcommand.other_names(), name) != subcommand.other_names().end()) {
      return subcommand.name();
    }
  }
  return "";
}

/// The error message for a parse error: that of CLI11, or a clearer one.
std::string usage_message(const Arguments& arguments, const CLI::ParseError& error) {
  const CLI::App &root = arguments.app(), &app = arguments.selected().app();
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
    if (std::string misplaced = misplaced_option_message(root, app, first); !misplaced.empty()) {
      return misplaced;
    }
    const std::string name = first.substr(0, first.find('='));
    if (name == "--out" || name == "--seed") { // other verbs have these
      return fmt::format("`{}` {}, so {} has no effect and is not accepted.\n  Leave it out.", path_of(app),
                         name == "--out" ? "writes no files" : "uses no random numbers", name);
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
    std::string close = subcommand_called(arguments.selected(), first);
    close = close.empty() ? nearest_word(first.substr(0, first.find('=')), known) : close;
    if (!close.empty()) {
      advice = "Did you mean \"" + close + "\"? ";
    } else if (!first.starts_with("-") && !arguments.selected().subcommands().empty()) {
      std::vector<std::string> names;
      for (const Arguments& subcommand : arguments.selected().subcommands()) {
        names.push_back(subcommand.name());
      }
      advice = fmt::format("Give one of {}. ", fmt::join(names, ", "));
    } else if (!first.starts_with("-")) {
      // The option that names the input of the verb, for a file that was given without it.
      for (const char* input : {"--patterns", "--bags", "--text"}) {
        if (has_option(app, input)) {
          advice = fmt::format("Files are given with {}. ", input);
          break;
        }
      }
    }
  }
  return message + ".\n  " + advice + "`" + path_of(app) + " --help` lists the arguments.";
}

/// Refuses a request for help that is a misspelt option or subcommand: CLI11 reads "-hard-locations" as -h,
/// and does not reach the check of unknown words.
void require_help(const Arguments& declared, const std::vector<std::string>& arguments) {
  const auto is_help = [](const std::string& argument) { return argument == "-h" || argument == "--help"; };
  if (std::ranges::none_of(arguments, is_help)) {
    const auto misspelt = std::ranges::find_if(
        arguments, [](const std::string& argument) { return argument.starts_with("-h"); });
    if (misspelt != arguments.end()) {
      const std::string name = misspelt->substr(0, misspelt->find('='));
      const CLI::App& app = declared.selected().app();
      throw UsageError(fmt::format("there is no option \"{}\".\n  {}`{} --help` lists the arguments.", name,
                                   has_option(app, "-" + name) ? "Did you mean \"-" + name + "\"? " : "",
                                   path_of(app)));
    }
  }
  const std::vector<std::string> unknown = declared.app().remaining(true);
  if (!unknown.empty() && !unknown.front().starts_with("-") && !declared.selected().subcommands().empty()) {
    throw UsageError(usage_message(declared, CLI::ExtrasError(unknown)));
  }
}

/// Whether the verb or one of its subcommands has an option of this name that needs a value.
bool takes_value(const CLI::App& app, const std::string& name) {
  const CLI::Option* option = app.get_option_no_throw(name);
  return (option != nullptr && option->get_items_expected_min() > 0) ||
         std::ranges::any_of(app.get_subcommands([](const CLI::App*) { return true; }),
                             [&](const CLI::App* subcommand) { return takes_value(*subcommand, name); });
}

/// The arguments in the order that CLI11 needs. `--name=` becomes `--name ""`: CLI11 reads it as no value.
std::vector<std::string> reversed(const CLI::App& app, const std::vector<std::string>& arguments) {
  std::vector<std::string> all;
  for (const std::string& argument : arguments) {
    const bool is_empty_value = argument.starts_with("--") && argument.find('=') == argument.size() - 1 &&
                                takes_value(app, argument.substr(0, argument.size() - 1));
    if (is_empty_value) {
      all.insert(all.end(), {argument.substr(0, argument.size() - 1), ""});
    } else {
      all.push_back(argument);
    }
  }
  std::ranges::reverse(all);
  return all;
}

/// A number as a number, any other text as a string.
nlohmann::ordered_json json_of_text(const std::string& text) {
  nlohmann::ordered_json number = nlohmann::ordered_json::parse(text, nullptr, false);
  return number.is_number() ? number : nlohmann::ordered_json(text);
}

/// The options that were given to a verb and its subcommands, without the common ones.
void add_given_options(const CLI::App& app, nlohmann::ordered_json& parameters) {
  for (const CLI::Option* option : app.get_options()) {
    const std::string name = option->get_lnames().empty() ? option->get_name() : option->get_lnames().front();
    if (option->count() == 0 || option->get_group() == kCommonGroup) {
      continue;
    }
    nlohmann::ordered_json values = nlohmann::ordered_json::array();
    for (const std::string& text : option->results()) {
      values.push_back(option->get_items_expected_max() == 0 ? nlohmann::ordered_json(true)
                                                             : json_of_text(text));
    }
    parameters[name] = values.size() == 1 ? values.front() : values;
  }
  for (const CLI::App* subcommand : app.get_subcommands()) {
    add_given_options(*subcommand, parameters);
  }
}

/// The JSON output of a verb in the frame that all verbs share: version, verb, seed, parameters, results,
/// timing, environment. The verb's own "parameters" (or "config"), "timing" and "environment" are used where
/// it has them; everything else is in "results".
nlohmann::ordered_json framed(const Arguments& arguments, const Verb& verb, const CommonOptions& options,
                              nlohmann::ordered_json document, double seconds) {
  using Json = nlohmann::ordered_json;
  const auto take = [&](const char* key) {
    Json value;
    if (const auto found = document.find(key); found != document.end()) {
      value = std::move(*found);
      document.erase(key);
    }
    return value;
  };
  if (!document.is_object()) {
    document = {{"results", std::move(document)}};
  }
  for (const char* key : {"version", "verb", "seed"}) {
    document.erase(key);
  }
  const Arguments& leaf = arguments.selected();
  Json parameters = take("parameters"), config = take("config"), environment = take("environment");
  if (parameters.is_null()) {
    parameters = std::move(config);
  }
  if (parameters.is_null()) {
    parameters = Json::object();
    add_given_options(arguments.app(), parameters);
  }
  for (const char* key : {"version", "verb"}) {
    parameters.erase(key);
  }
  // A file of the verb may contain another seed than the default.
  const Json seed = parameters.contains("seed") ? parameters["seed"] : Json(options.seed);
  Json timing = {{"seconds", seconds}};
  if (Json own = take("timing"); own.is_object()) {
    timing.update(own);
  } else if (!own.is_null()) {
    timing["rows"] = std::move(own);
  }
  Json results = document.size() == 1 && document.contains("results") ? std::move(document["results"])
                                                                      : std::move(document);
  return {
      {"version", version()},
      {"verb", path_of(leaf.app()).substr(std::string_view("mneme ").size())},
      {"seed", verb.uses_seed(leaf) ? seed : Json()},
      {"parameters", std::move(parameters)},
      {"results", std::move(results)},
      {"timing", std::move(timing)},
      {"environment", environment.is_null() ? environment_json(options.threads) : std::move(environment)}};
}

/// Errors  UsageError for invalid arguments, and all errors of the verb
ExitCode parse_and_run(Verb& verb, const std::vector<std::string>& arguments, std::ostream& out,
                       const std::function<void()>& parsed) {
  CLI::App app(verb.summary(), "mneme " + verb.name());
  app.get_formatter()->column_width(34);
  CommonOptions options;
  options.threads = threads();
  Arguments declared(app);
  declare_arguments(verb, declared, options);
  try {
    app.parse(reversed(app, arguments));
  } catch (const CLI::CallForHelp&) {
    require_help(declared, arguments);
    out << app.help();
    return ExitCode::ok;
  } catch (const CLI::ParseError& error) {
    throw UsageError(usage_message(declared, error));
  }
  if (parsed) {
    parsed();
  }
  set_threads(options.threads);
  if (set_torch_threads) {
    set_torch_threads(options.threads);
  }

  const auto progress = make_progress(options.quiet ? ProgressStyle::none : options.progress, stderr,
                                      use_colour(stderr, options.no_color));
  JsonBuffer json_buffer;
  Context context{.options = options,
                  .progress = *progress,
                  .out = options.json && !verb.streams_json() ? json_buffer : out,
                  .colour = !options.json && use_colour(stdout, options.no_color),
                  .width = options.json ? 0 : terminal_width(stdout)};
  try {
    const auto begin = std::chrono::steady_clock::now();
    const ExitCode code = verb.run(context);
    progress->finish();
    if (const std::string text = json_buffer.str(); !text.empty()) {
      json_buffer.document = nlohmann::ordered_json::parse(text);
    }
    if (!json_buffer.document.is_null()) {
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
      print_json(out, framed(declared, verb, options, std::move(json_buffer.document), seconds.count()));
    }
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

std::string without_functions(std::string message) {
  constexpr std::string_view kNamespace = "mneme::";
  for (size_t begin = 0; (begin = message.find(kNamespace, begin)) != std::string::npos;) {
    size_t end = begin;
    while (end < message.size() && (std::isalnum(static_cast<unsigned char>(message[end])) != 0 ||
                                    message[end] == '_' || message.substr(end, 2) == "::")) {
      end += message[end] == ':' ? 2 : 1;
    }
    if (message.substr(end, 2) == ": ") {
      message.erase(begin, end + 2 - begin);
    } else {
      begin = end;
    }
  }
  return message;
}

ExitCode report_error(const std::exception_ptr& error, const std::string& verb, std::ostream& err) {
  const auto print = [&](const std::string& message, ExitCode code) {
    err << "mneme" << (verb.empty() ? "" : " ") << verb << ": "
        << printable_message(without_functions(message)) << std::endl;
    return code;
  };
  try {
    std::rethrow_exception(error);
  } catch (const Interrupted& interrupted) {
    return print(interrupted.what(), ExitCode::interrupted);
  } catch (const UsageError& usage) {
    std::string_view message = usage.what();
    constexpr std::string_view kLibrary = "mneme: "; // the program names itself
    message.remove_prefix(message.starts_with(kLibrary) ? kLibrary.size() : 0);
    return print(std::string(message), ExitCode::wrong_usage);
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
