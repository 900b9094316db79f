// SPDX-License-Identifier: MIT

/// Declaration of the options and positional arguments of a verb. The parser is CLI11. Only the files that
/// run it include its header, which adds three seconds of compilation to each file.
#pragma once

#include <cstddef>
#include <deque>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
} // namespace CLI

namespace mneme::cli {

/// One declared option or positional argument. Functions that change it return it.
class Option {
public:
  explicit Option(CLI::Option& option) : option_(&option) {}

  Option* type_name(const std::string& text); ///< shown in the help in place of the value
  Option* required();
  Option* group(const std::string& heading); ///< of the help
  Option* description(const std::string& text);
  Option* capture_default_str(); ///< shows the present value of the target as the default
  Option* default_str(const std::string& text);
  Option* delimiter(char letter); ///< of several values in one argument
  Option* one_value_each();       ///< of an option with a list: one value each time it is given
  Option* repeatable();           ///< can be given several times, with one value each
  /// `message`: an error for a value that is not allowed, else empty.
  Option* check(std::function<std::string(const std::string& text)> message);

  size_t count() const; ///< how often it was given
  std::string name() const;

private:
  CLI::Option* option_;
};

/// The arguments of a verb or of one of its subcommands. Names are "--beta", "-V,--version", or "ID" for a
/// positional argument; a list takes any number of values. The targets must outlive the parsing.
class Arguments {
public:
  explicit Arguments(CLI::App& app);
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;

  Option* add_option(const std::string& names, std::string& target, const std::string& help);
  Option* add_option(const std::string& names, std::vector<std::string>& target, const std::string& help);
  Option* add_option(const std::string& names, std::filesystem::path& target, const std::string& help);
  Option* add_option(const std::string& names, std::vector<std::filesystem::path>& target,
                     const std::string& help);
  /// One value, which `set` converts. Errors of `set` end the parsing.
  Option* add_option(const std::string& names, std::function<void(const std::string& text)> set,
                     const std::string& help);
  Option* add_flag(const std::string& names, bool& target, const std::string& help);

  Arguments* add_subcommand(const std::string& name, const std::string& summary);
  /// Names by which people may call this subcommand; they are answered with its name.
  Arguments* other_names(std::vector<std::string> names);
  const std::vector<std::string>& other_names() const { return other_names_; }
  /// Number of subcommands that an invocation needs and may have.
  void require_subcommand(size_t min, size_t max);
  bool runs_alone() const; ///< whether the verb has called require_subcommand(0, ...)
  Arguments* description(const std::string& text);
  void footer(const std::string& text);               ///< end of the help
  void callback(std::function<void()> when_selected); ///< called after parsing, if it was selected

  std::string name() const;
  bool is_subcommand() const { return is_subcommand_; }
  bool parsed() const; ///< whether this subcommand was selected
  const std::deque<Arguments>& subcommands() const { return subcommands_; }
  std::deque<Arguments>& subcommands() { return subcommands_; }
  /// The innermost subcommand that was selected, or this.
  const Arguments& selected() const;

  CLI::App& app() const { return *app_; } ///< of the parser

private:
  Option* declared(CLI::Option* option);
  CLI::Option* with_value(CLI::Option* option);

  CLI::App* app_;
  bool is_subcommand_ = false;
  std::vector<std::string> other_names_;
  std::deque<Option> options_;
  std::deque<Arguments> subcommands_;
};

} // namespace mneme::cli
