// SPDX-License-Identifier: MIT

/// The verbs and options of the program as plain data, extracted from their CLI11 declarations.
#pragma once

#include <string>
#include <vector>

namespace mneme::cli {

/// Kind of value of an option or positional argument.
enum class Value { none, word, folder, path, other };

struct CommandOption {
  std::vector<std::string> names; ///< with their dashes; empty for a positional argument
  std::string help;
  Value value = Value::none;
  std::vector<std::string> words; ///< values to offer if `value` is `word`, or next to files if it is `path`
  bool has_many = false;          ///< accepts several values, up to the next option
};

struct Command {
  std::string name, summary;
  std::vector<std::string>
      path; ///< names of the parent commands and of this command, such as {"train", "latch"}
  std::vector<CommandOption> options, positionals;
  std::vector<Command> subcommands;
};

/// Root of the tree: a command without a name whose subcommands are the verbs.
Command command_tree();

} // namespace mneme::cli
