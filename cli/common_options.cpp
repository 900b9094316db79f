// SPDX-License-Identifier: MIT

#include "cli/common_options.h"

#include <CLI/CLI.hpp>

#include "cli/choices.h"
#include "cli/numbers.h"

namespace mneme::cli {
namespace {

constexpr int kMostThreads = 1024; // far beyond this, the thread library gives up and ends the process

void add_common_options(CLI::App& app, CommonOptions& options, const Verb& verb) {
  const std::string group = "Options of every verb";
  app.add_flag("--json", options.json, "Results as one JSON document")->group(group);
  if (verb.writes_files()) {
    app.add_option("--out", options.out,
                   verb.out_is_file() ? "File for the result" : "Folder for result files")
        ->type_name(verb.out_is_file() ? "FILE" : "DIR")
        ->check([](const std::string& path) { // such as an unset variable of a shell
          return path.empty() ? "the name is empty" : "";
        })
        ->group(group);
  }
  add_integer_option(app, "--seed", options.seed, {}, "Seed of everything random")->group(group);
  add_integer_option(app, "--threads", options.threads, {.least = 1, .most = kMostThreads},
                     "Threads to work on")
      ->group(group);
  app.add_flag("--quiet", options.quiet, "No progress")->group(group);
  add_choice_option<ProgressStyle>(app, "--progress", options.progress,
                                   {{"auto", ProgressStyle::automatic},
                                    {"bar", ProgressStyle::bar},
                                    {"plain", ProgressStyle::plain},
                                    {"json", ProgressStyle::json},
                                    {"none", ProgressStyle::none}},
                                   "How progress is shown, on stderr")
      ->group(group);
  app.add_flag("--no-color", options.no_color, "No colour (as the variable NO_COLOR)")->group(group);
}

void add_to_leaves(CLI::App& app, CommonOptions& options, const Verb& verb) {
  const auto apps = app.get_subcommands([](CLI::App*) { return true; });
  for (CLI::App* below : apps) {
    add_to_leaves(*below, options, verb);
  }
  const bool runs_alone = app.get_require_subcommand_max() > 0; // the verb has said so itself
  if (apps.empty() || runs_alone) {
    add_common_options(app, options, verb);
  } else {
    app.require_subcommand(1);
  }
}

} // namespace

void add_device_option(CLI::App& app, std::string& target) {
  app.add_option(
         "--device", target,
         "Where layers are computed: cpu, cuda, cuda:1, ...; `mneme doctor` lists those that are there")
      ->type_name("DEVICE")
      ->capture_default_str();
}

void declare_arguments(Verb& verb, CLI::App& app, CommonOptions& options) {
  verb.declare(app);
  add_to_leaves(app, options, verb);
}

} // namespace mneme::cli
