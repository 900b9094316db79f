// SPDX-License-Identifier: MIT

#include "cli/arguments.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <CLI/CLI.hpp>

namespace mneme::cli {
namespace {

/// Whether values of this type in the help are names, of which none is empty.
bool is_name(const std::string& type) {
  static constexpr std::array<std::string_view, 9> kNames{
      "PATH", "FILE", "DIR", "DIR|FILE", "auto|never|FILE", "NAME", "KEY", "LABEL", "URL"};
  return std::ranges::find(kNames, type) != kNames.end();
}

} // namespace

Option* Option::type_name(const std::string& text) {
  option_->type_name(text);
  return this;
}
Option* Option::required() {
  option_->required();
  return this;
}
Option* Option::group(const std::string& heading) {
  option_->group(heading);
  return this;
}
Option* Option::description(const std::string& text) {
  option_->description(text);
  return this;
}
Option* Option::capture_default_str() {
  option_->capture_default_str();
  return this;
}
Option* Option::default_str(const std::string& text) {
  option_->default_str(text);
  return this;
}
Option* Option::delimiter(char letter) {
  option_->delimiter(letter);
  return this;
}
Option* Option::one_value_each() {
  option_->allow_extra_args(false);
  return this;
}
Option* Option::repeatable() {
  option_->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->allow_extra_args(false);
  return this;
}
Option* Option::check(std::function<std::string(const std::string&)> message) {
  option_->check(std::move(message));
  return this;
}
size_t Option::count() const {
  return option_->count();
}
std::string Option::name() const {
  return option_->get_name();
}

Arguments::Arguments(CLI::App& app) : app_(&app) {}

/// Refuses the name of an option in place of a value, as in `--bags --quiet`, which CLI11 accepts. Refuses an
/// empty name of a file, array or address, such as that of an unset shell variable, because verbs take it for
/// an option that was not given.
CLI::Option* Arguments::with_value(CLI::Option* option) {
  return option->check([app = app_, option](const std::string& value) {
    if (value.empty() && is_name(option->get_type_name())) {
      return std::string("the name is empty");
    }
    return value.starts_with("--") && app->get_option_no_throw(value) != nullptr
               ? "a value is missing before the option " + value
               : std::string();
  });
}
Option* Arguments::declared(CLI::Option* option) {
  return &options_.emplace_back(*option);
}
Option* Arguments::add_option(const std::string& names, std::string& target, const std::string& help) {
  return declared(with_value(app_->add_option(names, target, help)));
}
Option* Arguments::add_option(const std::string& names, std::vector<std::string>& target,
                              const std::string& help) {
  return declared(with_value(app_->add_option(names, target, help)));
}
Option* Arguments::add_option(const std::string& names, std::filesystem::path& target,
                              const std::string& help) {
  return declared(with_value(app_->add_option(names, target, help)));
}
Option* Arguments::add_option(const std::string& names, std::vector<std::filesystem::path>& target,
                              const std::string& help) {
  return declared(with_value(app_->add_option(names, target, help)));
}
Option* Arguments::add_option(const std::string& names, std::function<void(const std::string&)> set,
                              const std::string& help) {
  return declared(with_value(app_->add_option(
      names,
      [set = std::move(set)](const CLI::results_t& given) {
        set(given.at(0));
        return true;
      },
      help)));
}
Option* Arguments::add_flag(const std::string& names, bool& target, const std::string& help) {
  return declared(app_->add_flag(names, target, help));
}

Arguments* Arguments::add_subcommand(const std::string& name, const std::string& summary) {
  Arguments& added = subcommands_.emplace_back(*app_->add_subcommand(name, summary));
  added.is_subcommand_ = true;
  return &added;
}
Arguments* Arguments::other_names(std::vector<std::string> names) {
  other_names_ = std::move(names);
  return this;
}
void Arguments::require_subcommand(size_t min, size_t max) {
  app_->require_subcommand(min, max);
}
bool Arguments::runs_alone() const {
  return app_->get_require_subcommand_max() > 0 && app_->get_require_subcommand_min() == 0;
}
Arguments* Arguments::description(const std::string& text) {
  app_->description(text);
  return this;
}
void Arguments::footer(const std::string& text) {
  app_->footer(text);
}
void Arguments::callback(std::function<void()> when_selected) {
  app_->callback(std::move(when_selected));
}
std::string Arguments::name() const {
  return app_->get_name();
}
bool Arguments::parsed() const {
  return app_->parsed();
}
const Arguments& Arguments::selected() const {
  for (const Arguments& subcommand : subcommands_) {
    if (subcommand.parsed()) {
      return subcommand.selected();
    }
  }
  return *this;
}

} // namespace mneme::cli
