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

/// Pieces between the commas that lie in no brackets, without spaces.
std::vector<std::string> pieces_of(const std::string& text) {
  std::vector<std::string> pieces;
  std::string piece;
  int depth = 0;
  for (const char c : text) {
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (c == ',' && depth == 0) {
      pieces.push_back(piece);
      piece.clear();
    } else if (std::isspace(static_cast<unsigned char>(c)) == 0) {
      piece += c;
    }
  }
  if (!piece.empty()) {
    pieces.push_back(piece);
  }
  return pieces;
}

/// A number, True, False or None as Python writes them.
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
    call.refuse("a text such as \"forward(input=data)\"");
  }
  LayerCall arguments;
  const std::vector<std::string> pieces =
      pieces_of(text.substr(kBegin.size(), text.size() - kBegin.size() - 1));
  for (size_t i = 0; i < pieces.size(); ++i) {
    const size_t equals = pieces[i].find('=');
    const bool named = equals != std::string::npos;
    std::string value = named ? pieces[i].substr(equals + 1) : pieces[i];
    if (value.starts_with("(") && value.ends_with(")")) {
      value = value.substr(1, value.size() - 2);
    }
    const std::vector<std::string> names = pieces_of(value);
    const bool tensors =
        !names.empty() && std::all_of(names.begin(), names.end(),
                                      [&](const std::string& name) { return inputs.contains(name); });
    if (named && is_literal(value)) {
      continue; // an option
    }
    const auto is_parameter = [&](const std::string& name) {
      return std::find(parameters.begin(), parameters.end(), name) != parameters.end();
    };
    const std::string parameter = named                   ? pieces[i].substr(0, equals)
                                  : is_parameter(value)   ? value
                                  : i < parameters.size() ? parameters[i]
                                                          : "";
    if (!tensors || !is_parameter(parameter)) {
      throw DataError(
          fmt::format("{}: \"{}\" is no argument of forward({}) with a tensor of its own; tensors are {}.",
                      call.path(), pieces[i], fmt::join(parameters, ", "), fmt::join(inputs, ", ")));
    }
    arguments[parameter] = names;
  }
  return arguments;
}

} // namespace mneme::verify
