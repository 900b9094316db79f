// SPDX-License-Identifier: MIT

#include "cli/command_tree.h"

#include <CLI/CLI.hpp>

#include "cli/arguments.h"
#include "cli/choices.h"
#include "cli/common_options.h"

namespace mneme::cli {
namespace {

Value value_of(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) {
    return Value::none;
  }
  const std::string type = option.get_type_name();
  if (!choices_of(type).empty()) {
    return Value::word;
  }
  if (type == "DIR") {
    return Value::folder;
  }
  return type == "PATH" || type == "FILE" ? Value::path : Value::other;
}

Command to_command(const CLI::App& app, const std::vector<std::string>& path, const Verb& verb) {
  Command command;
  command.name = path.back();
  command.summary = app.get_description();
  command.path = path;
  for (const CLI::Option* option : app.get_options()) {
    CommandOption converted{.names = {},
                            .help = option->get_description(),
                            .value = value_of(*option),
                            .words = choices_of(option->get_type_name()),
                            .has_many = option->get_items_expected_max() > 1};
    if (const std::vector<std::string> words = verb.completions(option->get_name()); !words.empty()) {
      converted.value = converted.value == Value::path ? Value::path : Value::word;
      converted.words = words;
    }
    for (const std::string& name : option->get_lnames()) {
      converted.names.push_back("--" + name);
    }
    for (const std::string& name : option->get_snames()) {
      converted.names.push_back("-" + name);
    }
    (option->get_positional() ? command.positionals : command.options).push_back(converted);
  }
  for (const CLI::App* subcommand : app.get_subcommands([](const CLI::App*) { return true; })) {
    std::vector<std::string> subcommand_path = path;
    subcommand_path.push_back(subcommand->get_name());
    command.subcommands.push_back(to_command(*subcommand, subcommand_path, verb));
  }
  return command;
}

} // namespace

Command command_tree() {
  Command program;
  program.options = {{{"--help"}, "Describe mneme and list its verbs", Value::none, {}, false},
                     {{"--version", "-V"}, "Print the version", Value::none, {}, false}};
  std::vector<std::string> verbs;
  for (const auto& verb : all_verbs()) {
    CLI::App app(verb->summary(), verb->name());
    CommonOptions options;
    Arguments arguments(app);
    declare_arguments(*verb, arguments, options);
    program.subcommands.push_back(to_command(app, {verb->name()}, *verb));
    verbs.push_back(verb->name());
  }
  program.subcommands.push_back({"help",
                                 "show the options of a verb",
                                 {"help"},
                                 {},
                                 {{{}, "The verb", Value::word, verbs, false}},
                                 {}});
  return program;
}

} // namespace mneme::cli
