// SPDX-License-Identifier: MIT

#include <functional>
#include <ostream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/choices.h"
#include "cli/command_tree.h"
#include "cli/json_output.h"
#include "cli/verb.h"

namespace mneme::cli {
namespace {

/// In single quotes, as bash, zsh and fish all read them.
std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char letter : text) {
    if (letter == '\'') {
      result += "'\\'";
    }
    result += letter;
  }
  result += "'";
  return result;
}

/// The place as the scripts keep it while they walk along the line: " memory create".
std::string place_of(const Command& command) {
  std::string place;
  for (const std::string& name : command.place) {
    place += fmt::format(" {}", name);
  }
  return place;
}

void visit(const Command& command, const std::function<void(const Command&)>& visitor) {
  visitor(command);
  for (const Command& below : command.commands) {
    visit(below, visitor);
  }
}

/// The `case` arms that lead from one verb to the verbs below it, in bash and zsh.
std::string walking_arms(const Command& program) {
  std::string arms;
  visit(program, [&](const Command& command) {
    if (!command.place.empty()) {
      arms += fmt::format("      ({0}) place={0} ;;\n", quoted(place_of(command)));
    }
  });
  return arms;
}

/// The pattern of a `case` arm for "this option stands before the cursor".
std::string option_pattern(const Command& command, const CommandOption& option) {
  std::string pattern;
  for (const std::string& name : option.names) {
    pattern += fmt::format("{}{}", pattern.empty() ? "" : "|",
                           quoted(fmt::format("{}:{}", place_of(command), name)));
  }
  return pattern;
}

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, " "));
}

std::string bash_script(const Command& program) {
  std::string values, words;
  visit(program, [&](const Command& command) {
    std::vector<std::string> plain, dashed;
    for (const CommandOption& option : command.options) {
      dashed.insert(dashed.end(), option.names.begin(), option.names.end());
      if (option.value != Value::none) {
        const std::string action =
            option.value == Value::word ? fmt::format("_mneme_offer {}", quoted(joined(option.words)))
            : option.value == Value::folder
                ? "compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- \"$current\"))"
            : option.value == Value::other ? "compopt +o default 2>/dev/null"
                                           : ":";
        values += fmt::format("    ({}) {}; return ;;\n", option_pattern(command, option), action);
      }
    }
    bool takes_path = false;
    for (const Command& below : command.commands) {
      plain.push_back(below.name);
    }
    for (const CommandOption& positional : command.positionals) {
      plain.insert(plain.end(), positional.words.begin(), positional.words.end());
      takes_path = takes_path || positional.value == Value::path || positional.value == Value::folder;
    }
    if (plain.empty() && !takes_path) {
      plain = dashed;
    }
    words += fmt::format("    ({}) words={} options={} ;;\n", quoted(place_of(command)),
                         quoted(joined(plain)), quoted(joined(dashed)));
  });
  return fmt::format(R"(# bash completion for mneme: source <(mneme completion bash)
_mneme_offer() {{
  COMPREPLY=($(compgen -W "$1" -- "$current"))
}}
_mneme() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}"
  local place="" word words="" options=""
  COMPREPLY=()
  # bash cuts --option=value into three words
  if [[ $current == "=" ]]; then
    current=""
  elif [[ $previous == "=" ]]; then
    previous="${{COMP_WORDS[COMP_CWORD-2]}}"
  fi
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "$place $word" in
{}    esac
  done
  case "$place:$previous" in
{}  esac
  case "$place" in
{}  esac
  if [[ $current == -* ]]; then
    _mneme_offer "$options"
  elif [[ -n $words ]]; then
    _mneme_offer "$words"
  fi # else files, as bash knows them
}}
complete -o default -F _mneme mneme
)",
                     walking_arms(program), values, words);
}

std::string zsh_script(const Command& program) {
  std::string values, words;
  const auto described = [](const std::string& name, const std::string& what) {
    return fmt::format(" {}", quoted(fmt::format("{}:{}", name, what)));
  };
  visit(program, [&](const Command& command) {
    for (const CommandOption& option : command.options) {
      if (option.value != Value::none) {
        const std::string action = option.value == Value::word
                                       ? fmt::format("compadd -- {}; return", joined(option.words))
                                   : option.value == Value::folder ? "_files -/; return"
                                   : option.value == Value::path   ? "_files; return"
                                                                   : "return";
        values += fmt::format("    ({}) {} ;;\n", option_pattern(command, option), action);
      }
    }
    std::string verbs, options, extra;
    for (const Command& below : command.commands) {
      verbs += described(below.name, below.summary);
    }
    for (const CommandOption& option : command.options) {
      for (const std::string& name : option.names) {
        options += described(name, option.help);
      }
    }
    for (const CommandOption& positional : command.positionals) {
      extra += positional.value == Value::word   ? fmt::format(" compadd -- {};", joined(positional.words))
               : positional.value == Value::path ? " _files;"
                                                 : "";
    }
    words += fmt::format("    ({}) verbs=({}) options=({});{} ;;\n", quoted(place_of(command)), verbs,
                         options, extra);
  });
  return fmt::format(R"(#compdef mneme
# zsh completion for mneme: source <(mneme completion zsh)
_mneme() {{
  local place="" word previous="${{words[CURRENT-1]}}"
  local -a verbs options
  for word in "${{(@)words[2,CURRENT-1]}}"; do
    case "$place $word" in
{}    esac
  done
  case "$place:$previous" in
{}  esac
  case "$place" in
{}  esac
  (( $#verbs )) && _describe verb verbs
  [[ ${{words[CURRENT]}} == -* ]] && _describe option options
}}
if [[ $funcstack[1] == _mneme ]]; then
  _mneme "$@"
else
  compdef _mneme mneme
fi
)",
                     walking_arms(program), values, words);
}

/// The fish condition "the line stands at this command, not yet at one below it".
std::string fish_condition(const Command& command) {
  std::vector<std::string> parts;
  for (const std::string& name : command.place) {
    parts.push_back(fmt::format("__fish_seen_subcommand_from {}", name));
  }
  if (command.place.empty()) {
    parts.emplace_back("__fish_use_subcommand");
  } else if (!command.commands.empty()) {
    std::string below = "not __fish_seen_subcommand_from";
    for (const Command& deeper : command.commands) {
      below += fmt::format(" {}", deeper.name);
    }
    parts.push_back(below);
  }
  return quoted(fmt::format("{}", fmt::join(parts, "; and ")));
}

std::string fish_script(const Command& program) {
  std::string lines = "# fish completion for mneme: mneme completion fish | source\n";
  visit(program, [&](const Command& command) {
    const std::string start = fmt::format("complete -c mneme -n {}", fish_condition(command));
    for (const Command& below : command.commands) {
      lines += fmt::format("{} -f -a {} -d {}\n", start, below.name, quoted(below.summary));
    }
    for (const CommandOption& positional : command.positionals) {
      if (positional.value == Value::word) {
        lines += fmt::format("{} -f -a {}\n", start, quoted(joined(positional.words)));
      }
    }
    for (const CommandOption& option : command.options) {
      std::string line = start;
      for (const std::string& name : option.names) {
        line += name.starts_with("--") ? fmt::format(" -l {}", name.substr(2))
                                       : fmt::format(" -s {}", name.substr(1));
      }
      switch (option.value) {
      case Value::none:
        break;
      case Value::word:
        line += fmt::format(" -x -a {}", quoted(joined(option.words)));
        break;
      case Value::folder:
        line += " -x -a '(__fish_complete_directories)'";
        break;
      case Value::path:
        line += " -r";
        break;
      case Value::other:
        line += " -x";
        break;
      }
      lines += fmt::format("{} -d {}\n", line, quoted(option.help));
    }
  });
  return lines;
}

struct Shell {
  const char* name;
  std::string (*script)(const Command& program);
};
constexpr Shell kShells[] = {{"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};

class Completion : public Verb {
public:
  std::string name() const override { return "completion"; }
  std::string summary() const override {
    return "print what lets the Tab key of bash, zsh or fish complete mneme";
  }
  bool writes_files() const override { return false; }
  void declare(CLI::App& app) override {
    std::vector<std::string> names;
    for (const Shell& shell : kShells) {
      names.emplace_back(shell.name);
    }
    add_word_option(
        app, "SHELL", names, "", [this](size_t place) { shell_ = kShells[place]; }, "Your shell")
        ->required();
  }

  ExitCode run(Context& context) override {
    const std::string script = shell_.script(command_tree());
    if (context.options.json) {
      print_json(context.out, {{"shell", shell_.name}, {"script", script}});
    } else {
      context.out << script;
    }
    return ExitCode::ok;
  }

private:
  Shell shell_ = kShells[0];
};

} // namespace

std::unique_ptr<Verb> make_completion() {
  return std::make_unique<Completion>();
}

} // namespace mneme::cli
