// SPDX-License-Identifier: MIT

#include "cli/command_tree.h"

#include <CLI/CLI.hpp>

#include "cli/choices.h"
#include "cli/common_options.h"

namespace mneme::cli {
namespace {

Value value_of(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) {
    return Value::none;
  }
  const std::string type = option.get_type_name();
  if (!choices_of(option).empty()) {
    return Value::word;
  }
  return type == "DIR" ? Value::folder : type == "PATH" || type == "FILE" ? Value::path : Value::other;
}

Command read(const CLI::App& app, const std::vector<std::string>& place) {
  Command command;
  command.name = place.back();
  command.summary = app.get_description();
  command.place = place;
  for (const CLI::Option* option : app.get_options()) {
    CommandOption read{.names = {},
                       .help = option->get_description(),
                       .value = value_of(*option),
                       .words = choices_of(*option)};
    for (const std::string& name : option->get_lnames()) {
      read.names.push_back("--" + name);
    }
    for (const std::string& name : option->get_snames()) {
      read.names.push_back("-" + name);
    }
    (option->get_positional() ? command.positionals : command.options).push_back(read);
  }
  for (const CLI::App* below : app.get_subcommands([](const CLI::App*) { return true; })) {
    std::vector<std::string> place_below = place;
    place_below.push_back(below->get_name());
    command.commands.push_back(read(*below, place_below));
  }
  return command;
}

} // namespace

Command command_tree() {
  Command program;
  program.options = {{{"--help"}, "What mneme is, and its verbs", Value::none, {}},
                     {{"--version", "-V"}, "Which mneme this is", Value::none, {}}};
  std::vector<std::string> verbs;
  for (const auto& verb : all_verbs()) {
    CLI::App app(verb->summary(), verb->name());
    CommonOptions options;
    declare_arguments(*verb, app, options);
    program.commands.push_back(read(app, {verb->name()}));
    verbs.push_back(verb->name());
  }
  program.commands.push_back(
      {"help", "list the options of a verb", {"help"}, {}, {{{}, "The verb", Value::word, verbs}}, {}});
  return program;
}

} // namespace mneme::cli
