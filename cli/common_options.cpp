// SPDX-License-Identifier: MIT

#include "cli/common_options.h"

#include <CLI/CLI.hpp>

#include "cli/choices.h"
#include "cli/numbers.h"

namespace mneme::cli {
namespace {

constexpr int kMaxThreads = 1024; // with far more threads, the thread library fails and ends the process

void add_common_options(CLI::App& app, CommonOptions& options, const Verb& verb) {
  const std::string group = kCommonGroup;
  app.add_flag("--json", options.json, "Print the results as one JSON document")->group(group);
  if (verb.writes_files()) {
    app.add_option("--out", options.out, verb.out_is_file() ? "Output file" : "Output folder")
        ->type_name(verb.out_is_file() ? "FILE" : "DIR")
        ->check([](const std::string& path) { // for example from an unset shell variable
          return path.empty() ? "the name is empty" : "";
        })
        ->group(group);
  }
  if (verb.uses_seed(app)) {
    add_integer_option(app, "--seed", options.seed, {}, "Random seed")->group(group);
  }
  add_integer_option(app, "--threads", options.threads, {.min = 1, .max = kMaxThreads}, "Number of threads")
      ->group(group);
  app.add_flag("--quiet", options.quiet, "Do not show progress")->group(group);
  add_choice_option<ProgressStyle>(app, "--progress", options.progress,
                                   {{"auto", ProgressStyle::automatic},
                                    {"bar", ProgressStyle::bar},
                                    {"plain", ProgressStyle::plain},
                                    {"json", ProgressStyle::json},
                                    {"none", ProgressStyle::none}},
                                   "Format of the progress display on stderr")
      ->group(group);
  app.add_flag("--no-color", options.no_color,
               "Do not use colours (same as setting the environment variable NO_COLOR)")
      ->group(group);
}

void add_to_leaves(CLI::App& app, CommonOptions& options, const Verb& verb) {
  const auto subcommands = app.get_subcommands([](CLI::App*) { return true; });
  for (CLI::App* subcommand : subcommands) {
    add_to_leaves(*subcommand, options, verb);
  }
  const bool runs_alone = app.get_require_subcommand_max() > 0; // the verb called require_subcommand
  if (subcommands.empty() || runs_alone) {
    add_common_options(app, options, verb);
  } else {
    app.require_subcommand(1);
  }
}

} // namespace

void add_device_option(CLI::App& app, std::string& target) {
  app.add_option(
         "--device", target,
         "Device to compute layers on: cpu, cuda, cuda:1, ...; `mneme doctor` lists the available devices")
      ->type_name("DEVICE")
      ->capture_default_str();
}

void declare_arguments(Verb& verb, CLI::App& app, CommonOptions& options) {
  verb.declare(app);
  add_to_leaves(app, options, verb);
}

} // namespace mneme::cli
