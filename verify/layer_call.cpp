// SPDX-License-Identifier: MIT

#include "verify/layer_call.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "mneme/core/error.h"

namespace mneme::verify {
namespace {

constexpr std::string_view kBegin = "forward(";

/// Splits at commas outside of parentheses, and removes spaces.
std::vector<std::string> split_arguments(const std::string& text) {
  std::vector<std::string> items;
  std::string argument;
  int depth = 0;
  for (const char c : text) {
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (c == ',' && depth == 0) {
      items.push_back(argument);
      argument.clear();
    } else if (std::isspace(static_cast<unsigned char>(c)) == 0) {
      argument += c;
    }
  }
  if (!argument.empty()) {
    items.push_back(argument);
  }
  return items;
}

/// Whether a value is a Python literal: a number, True, False or None.
bool is_literal(const std::string& value) {
  const bool is_number =
      !value.empty() && (value[0] == '-' || std::isdigit(static_cast<unsigned char>(value[0])) != 0);
  return is_number || value == "True" || value == "False" || value == "None";
}

} // namespace

LayerCall parse_call(const GoldenValue& call, const std::vector<std::string>& parameters,
                     const std::set<std::string>& inputs) {
  const std::string text = call.text();
  if (!text.starts_with(kBegin) || !text.ends_with(")")) {
    call.fail("a string such as \"forward(input=data)\"");
  }
  LayerCall arguments;
  const std::vector<std::string> items =
      split_arguments(text.substr(kBegin.size(), text.size() - kBegin.size() - 1));
  for (size_t i = 0; i < items.size(); ++i) {
    const size_t equals = items[i].find('=');
    const bool named = equals != std::string::npos;
    std::string value = named ? items[i].substr(equals + 1) : items[i];
    if (value.starts_with("(") && value.ends_with(")")) {
      value = value.substr(1, value.size() - 2);
    }
    const std::vector<std::string> names = split_arguments(value);
    const bool tensors =
        !names.empty() && std::all_of(names.begin(), names.end(),
                                      [&](const std::string& name) { return inputs.contains(name); });
    if (named && is_literal(value)) {
      continue; // an option, not a tensor
    }
    const auto is_parameter = [&](const std::string& name) {
      return std::find(parameters.begin(), parameters.end(), name) != parameters.end();
    };
    const std::string parameter = named                   ? items[i].substr(0, equals)
                                  : is_parameter(value)   ? value
                                  : i < parameters.size() ? parameters[i]
                                                          : "";
    if (!tensors || !is_parameter(parameter)) {
      throw DataError(fmt::format(
          "{}: \"{}\" is not an argument of forward({}) with a tensor of this file; its tensors are {}.",
          call.path(), items[i], fmt::join(parameters, ", "), fmt::join(inputs, ", ")));
    }
    arguments[parameter] = names;
  }
  return arguments;
}

} // namespace mneme::verify
