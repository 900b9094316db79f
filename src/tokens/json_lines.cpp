// SPDX-License-Identifier: MIT

#include "mneme/tokens/json_lines.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "json/strict_json.h"
#include "mneme/data/read_file.h"
#include "tokens/errors.h"

namespace mneme::tokens {
namespace {

constexpr const char* kAdvice =
    "Every line must be a JSON object with this field, such as {\"text\": \"...\"}.";

std::string names_of_members(const nlohmann::json& object) {
  std::string names;
  for (const auto& [name, value] : object.items()) {
    if (names.size() > 100) {
      return names + ", ...";
    }
    names += (names.empty() ? "" : ", ") + name;
  }
  return names.empty() ? "none" : names;
}

} // namespace

std::vector<std::string> parse_json_lines(std::string_view lines, const std::string& field,
                                          const std::string& name) {
  std::vector<std::string> texts;
  for (size_t number = 1; !lines.empty(); ++number) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
      continue;
    }
    nlohmann::json object = parse_strict_json(line, fmt::format("{}: line {}", name, number),
                                              {.is_line = true, .advice = kAdvice});
    const auto found = object.find(field);
    if (found == object.end() || !found->is_string()) {
      fail(name,
           found == object.end() ? fmt::format("line {} has no field {:?}; its fields are: {}", number, field,
                                               names_of_members(object))
                                 : fmt::format("line {}: the field {:?} is not a text", number, field),
           kAdvice);
    }
    texts.push_back(std::move(found->get_ref<std::string&>()));
  }
  return texts;
}

std::vector<std::string> read_json_lines(const std::filesystem::path& path, const std::string& field) {
  const std::vector<std::byte> bytes = data::read_decompressed_file(path);
  return parse_json_lines({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, field, path.string());
}

} // namespace mneme::tokens
