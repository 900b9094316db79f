// SPDX-License-Identifier: MIT

/// `mneme completion`: prints tab-completion scripts.

#include <functional>
#include <ostream>

#include <fmt/format.h>

#include "cli/arguments.h"
#include "cli/choices.h"
#include "cli/command_tree.h"
#include "cli/json_output.h"
#include "cli/verb.h"

namespace mneme::cli {
namespace {

/// Quotes text with single quotes, in a form that bash, zsh and fish accept.
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

/// The path of a command as the scripts store it in the variable `place`: " train latch".
std::string path_text(const Command& command) {
  std::string path;
  for (const std::string& name : command.path) {
    path += fmt::format(" {}", name);
  }
  return path;
}

void visit(const Command& command, const std::function<void(const Command&)>& visitor) {
  visitor(command);
  for (const Command& subcommand : command.subcommands) {
    visit(subcommand, visitor);
  }
}

/// `case` arms of the bash and zsh scripts that update `place` when a word of the line is a subcommand.
std::string path_arms(const Command& program) {
  std::string arms;
  visit(program, [&](const Command& command) {
    if (!command.path.empty()) {
      arms += fmt::format("      ({0}) place={0} ;;\n", quoted(path_text(command)));
    }
  });
  return arms;
}

/// Pattern of the `case` arm that matches if the word before the cursor is this option.
std::string option_pattern(const Command& command, const CommandOption& option) {
  std::string pattern;
  for (const std::string& name : option.names) {
    pattern += fmt::format("{}{}", pattern.empty() ? "" : "|",
                           quoted(fmt::format("{}:{}", path_text(command), name)));
  }
  return pattern;
}

/// Pattern of the `case` arm that matches the options with several values; a pattern that matches nothing if
/// there are none.
std::string many_pattern(const Command& program) {
  std::string pattern;
  visit(program, [&](const Command& command) {
    for (const CommandOption& option : command.options) {
      if (option.has_many && !option.names.empty()) {
        pattern += (pattern.empty() ? "" : "|") + option_pattern(command, option);
      }
    }
  });
  return pattern.empty() ? "-" : pattern;
}

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, " "));
}

/// Command of the bash script that completes the value of an option.
std::string bash_action(const CommandOption& option) {
  switch (option.value) {
  case Value::word:
    return fmt::format("_mneme_offer {}", quoted(joined(option.words)));
  case Value::folder:
    return "compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- \"$current\"))";
  case Value::other:
    return "compopt +o default 2>/dev/null";
  case Value::path: // without a reply, bash completes file names
    return option.words.empty()
               ? ":"
               : fmt::format(
                     "_mneme_offer {}; ((${{#COMPREPLY[@]}})) && COMPREPLY+=($(compgen -f -- \"$current\"))",
                     quoted(joined(option.words)));
  default:
    return ":";
  }
}

/// Command of the zsh script that completes the value of an option.
std::string zsh_action(const CommandOption& option) {
  switch (option.value) {
  case Value::word:
    return fmt::format("compset -P '*,'; compadd -- {}; return", joined(option.words));
  case Value::folder:
    return "_files -/; return";
  case Value::path:
    return (option.words.empty() ? "" : fmt::format("compadd -- {}; ", joined(option.words))) +
           "_files; return";
  default:
    return "return";
  }
}

std::string bash_script(const Command& program) {
  std::string values, words;
  visit(program, [&](const Command& command) {
    std::vector<std::string> plain, dashed;
    for (const CommandOption& option : command.options) {
      dashed.insert(dashed.end(), option.names.begin(), option.names.end());
      if (option.value != Value::none) {
        values +=
            fmt::format("    ({}) {}; return ;;\n", option_pattern(command, option), bash_action(option));
      }
    }
    bool accepts_path = false;
    for (const Command& subcommand : command.subcommands) {
      plain.push_back(subcommand.name);
    }
    for (const CommandOption& positional : command.positionals) {
      plain.insert(plain.end(), positional.words.begin(), positional.words.end());
      accepts_path = accepts_path || positional.value == Value::path || positional.value == Value::folder;
    }
    if (plain.empty() && !accepts_path) {
      plain = dashed;
    }
    words += fmt::format("    ({}) words={} options={} ;;\n", quoted(path_text(command)),
                         quoted(joined(plain)), quoted(joined(dashed)));
  });
  return fmt::format(R"(# bash completion for mneme: source <(mneme completion bash)
_mneme_offer() {{
  # Of words that are separated by commas, only the last one is completed.
  local before=""
  [[ $current == *,* ]] && before="${{current%,*}},"
  COMPREPLY=($(compgen -P "$before" -W "$1" -- "${{current##*,}}"))
}}
_mneme() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}"
  local place="" word words="" options="" option=""
  COMPREPLY=()
  # bash splits --option=value into three words
  if [[ $current == "=" ]]; then
    current=""
  elif [[ $previous == "=" ]]; then
    previous="${{COMP_WORDS[COMP_CWORD-2]}}"
  fi
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "$place $word" in
{}    esac
    if [[ $word == -* ]]; then option=$word; fi
  done
  # The values of an option continue up to the next option.
  if [[ $previous != -* && $current != -* ]]; then
    case "$place:$option" in
      ({}) previous=$option ;;
    esac
  fi
  case "$place:$previous" in
{}  esac
  case "$place" in
{}  esac
  if [[ $current == -* ]]; then
    _mneme_offer "$options"
  elif [[ -n $words ]]; then
    _mneme_offer "$words"
  fi # else the default completion of file names
}}
complete -o default -F _mneme mneme
)",
                     path_arms(program), many_pattern(program), values, words);
}

std::string zsh_script(const Command& program) {
  std::string values, words;
  const auto described = [](const std::string& name, const std::string& description) {
    return fmt::format(" {}", quoted(fmt::format("{}:{}", name, description)));
  };
  visit(program, [&](const Command& command) {
    for (const CommandOption& option : command.options) {
      if (option.value != Value::none) {
        values += fmt::format("    ({}) {} ;;\n", option_pattern(command, option), zsh_action(option));
      }
    }
    std::string verbs, options, extra;
    for (const Command& subcommand : command.subcommands) {
      verbs += described(subcommand.name, subcommand.summary);
    }
    for (const CommandOption& option : command.options) {
      for (const std::string& name : option.names) {
        options += described(name, option.help);
      }
    }
    for (const CommandOption& positional : command.positionals) {
      if (positional.value == Value::word) {
        extra += fmt::format(" compadd -- {};", joined(positional.words));
      } else if (positional.value == Value::path) {
        extra += " _files;";
      }
    }
    words += fmt::format("    ({}) verbs=({}) options=({});{} ;;\n", quoted(path_text(command)), verbs,
                         options, extra);
  });
  return fmt::format(R"(#compdef mneme
# zsh completion for mneme: source <(mneme completion zsh)
_mneme() {{
  local place="" word option="" previous="${{words[CURRENT-1]}}"
  local -a verbs options
  for word in "${{(@)words[2,CURRENT-1]}}"; do
    case "$place $word" in
{}    esac
    if [[ $word == -* ]]; then option=$word; fi
  done
  # The values of an option continue up to the next option.
  if [[ $previous != -* && ${{words[CURRENT]}} != -* ]]; then
    case "$place:$option" in
      ({}) previous=$option ;;
    esac
  fi
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
                     path_arms(program), many_pattern(program), values, words);
}

/// The fish condition "the line contains this command, and none of its subcommands".
std::string fish_condition(const Command& command) {
  std::vector<std::string> parts;
  for (const std::string& name : command.path) {
    parts.push_back(fmt::format("__fish_seen_subcommand_from {}", name));
  }
  if (command.path.empty()) {
    parts.emplace_back("__fish_use_subcommand");
  } else if (!command.subcommands.empty()) {
    std::string no_subcommand = "not __fish_seen_subcommand_from";
    for (const Command& subcommand : command.subcommands) {
      no_subcommand += fmt::format(" {}", subcommand.name);
    }
    parts.push_back(no_subcommand);
  }
  return quoted(fmt::format("{}", fmt::join(parts, "; and ")));
}

std::string fish_script(const Command& program) {
  std::string lines = "# fish completion for mneme: mneme completion fish | source\n";
  visit(program, [&](const Command& command) {
    const std::string start = fmt::format("complete -c mneme -n {}", fish_condition(command));
    for (const Command& subcommand : command.subcommands) {
      lines += fmt::format("{} -f -a {} -d {}\n", start, subcommand.name, quoted(subcommand.summary));
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
        line += " -r" + (option.words.empty() ? "" : " -a " + quoted(joined(option.words)));
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
  std::string summary() const override { return "print a tab-completion script for bash, zsh or fish"; }
  bool writes_files() const override { return false; }
  bool uses_seed(const Arguments&) const override { return false; }
  void declare(Arguments& arguments) override {
    std::vector<std::string> names;
    for (const Shell& shell : kShells) {
      names.emplace_back(shell.name);
    }
    add_word_option(
        arguments, "SHELL", names, "", [this](size_t index) { shell_ = kShells[index]; },
        "Shell that runs the script")
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
