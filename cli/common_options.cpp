// SPDX-License-Identifier: MIT

#include "cli/common_options.h"

#include "cli/arguments.h"
#include "cli/choices.h"
#include "cli/numbers.h"

namespace mneme::cli {
namespace {

constexpr int kMaxThreads = 1024; // with far more threads, the thread library fails and ends the process

void add_common_options(Arguments& arguments, CommonOptions& options, const Verb& verb) {
  const std::string group = kCommonGroup;
  arguments.add_flag("--json", options.json, "Print the results as one JSON document")->group(group);
  if (verb.writes_files()) {
    const std::string folder = verb.default_out(arguments);
    arguments
        .add_option("--out", options.out,
                    verb.out_is_file()
                        ? "Output file"
                        : "Output folder" + (folder.empty() ? "" : " (default: " + folder + ")"))
        ->type_name(verb.out_is_file() ? "FILE" : "DIR")
        ->check([](const std::string& path) { // for example from an unset shell variable
          return path.empty() ? "the name is empty" : "";
        })
        ->group(group);
  }
  if (verb.uses_seed(arguments)) {
    add_integer_option(arguments, "--seed", options.seed, {}, "Random seed")->group(group);
  }
  add_integer_option(arguments, "--threads", options.threads, {.min = 1, .max = kMaxThreads},
                     "Number of threads")
      ->group(group);
  arguments.add_flag("--quiet", options.quiet, "Do not show progress, interim results and hints")
      ->group(group);
  add_choice_option<ProgressStyle>(arguments, "--progress", options.progress,
                                   {{"auto", ProgressStyle::automatic},
                                    {"bar", ProgressStyle::bar},
                                    {"plain", ProgressStyle::plain},
                                    {"json", ProgressStyle::json},
                                    {"none", ProgressStyle::none}},
                                   "Format of the progress display on stderr")
      ->group(group);
  arguments
      .add_flag("--no-color", options.no_color,
                "Do not use colours (same as setting the environment variable NO_COLOR)")
      ->group(group);
}

void add_to_leaves(Arguments& arguments, CommonOptions& options, const Verb& verb) {
  for (Arguments& subcommand : arguments.subcommands()) {
    add_to_leaves(subcommand, options, verb);
  }
  if (arguments.subcommands().empty() || arguments.runs_alone()) {
    add_common_options(arguments, options, verb);
  } else {
    arguments.require_subcommand(1, 1);
  }
}

} // namespace

void add_device_option(Arguments& arguments, std::string& target) {
  arguments
      .add_option(
          "--device", target,
          "Device to compute layers on: cpu, cuda, cuda:1, ...; `mneme doctor` lists the available devices")
      ->type_name("DEVICE")
      ->capture_default_str();
}

void declare_arguments(Verb& verb, Arguments& arguments, CommonOptions& options) {
  verb.declare(arguments);
  add_to_leaves(arguments, options, verb);
}

} // namespace mneme::cli
