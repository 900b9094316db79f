// SPDX-License-Identifier: MIT

/// The verbs and options of the program as plain data, read off the declarations themselves.
#pragma once

#include <string>
#include <vector>

namespace mneme::cli {

/// What may follow an option, or stand in a positional's place.
enum class Value { none, word, folder, path, other };

struct CommandOption {
  std::vector<std::string> names; ///< with their dashes; empty for a positional
  std::string help;
  Value value = Value::none;
  std::vector<std::string> words; ///< where `value` is `word`
};

struct Command {
  std::string name, summary;
  std::vector<std::string> place; ///< the verbs that lead here, its own name last
  std::vector<CommandOption> options, positionals;
  std::vector<Command> commands;
};

/// The whole program: a command without a name, whose commands are the verbs.
Command command_tree();

} // namespace mneme::cli
