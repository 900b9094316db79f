// SPDX-License-Identifier: MIT

#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "mneme/core/text.h"
#include "report/text.h"
#include "verify/device.h"
#include "verify/verify.h"

namespace mneme::verify {
namespace {

/// Indents all lines of a message but the first.
std::string indented(std::string message) {
  for (size_t at = message.find('\n'); at != std::string::npos; at = message.find('\n', at + 1)) {
    message.insert(at + 1, "    ");
  }
  return message;
}

const char* name_of(FileState state) {
  switch (state) {
  case FileState::checked:
    return "checked";
  case FileState::data:
    return "data";
  case FileState::skipped:
    return "skipped";
  case FileState::unsupported:
    return "unsupported";
  case FileState::bad:
    return "bad";
  }
  return "";
}

std::string line_of(const FileResult& result) {
  const std::string path = printable(result.path.string());
  switch (result.state) {
  case FileState::data:
    return fmt::format("{}: data, nothing to check", path);
  case FileState::skipped:
    return fmt::format("{}: {}, skipped", path, result.format);
  case FileState::unsupported:
    return fmt::format("{}: not supported yet, counted as 1 failed", path);
  case FileState::bad:
    return fmt::format("{}: not usable", path);
  case FileState::checked:
    break;
  }
  std::string line = fmt::format("{}: {}, {} cases passed, {} failed", path, result.format,
                                 result.cases_passed, result.cases_failed);
  if (!result.worst_where.empty()) {
    line += std::isfinite(result.worst_ratio)
                ? fmt::format("; largest error {:.2g} of its tolerance, at {}", result.worst_ratio,
                              printable(result.worst_where))
                : fmt::format("; {} cannot be compared", printable(result.worst_where));
  }
  return line;
}

} // namespace

std::string to_text(std::span<const FileResult> results, const std::string& device) {
  std::string text;
  for (const FileResult& result : results) {
    text += line_of(result) + "\n";
    for (const std::string& message : result.messages) {
      text += fmt::format("    {}\n", indented(message));
    }
    for (const std::string& note : result.notes) {
      text += fmt::format("    note: {}\n", note);
    }
  }
  const Totals total = totals(results);
  const double factor = float32_tolerance_factor(device);
  text +=
      fmt::format("verify{}: {}, {} cases passed, {} failed",
                  device == "cpu" ? "" : fmt::format(" on {} (float32 tolerances times {})", device, factor),
                  report::counted(total.files, "file"), total.cases_passed, total.cases_failed);
  if (total.skipped_files > 0) {
    text += ", " + report::counted(total.skipped_files, "file") + " skipped";
  }
  if (total.bad_files > 0) {
    text += ", " + report::counted(total.bad_files, "file") + " not usable";
  }
  return text + "\n";
}

nlohmann::json to_json(std::span<const FileResult> results, const std::string& device) {
  nlohmann::json files = nlohmann::json::array();
  for (const FileResult& result : results) {
    nlohmann::json file = {
        {"path", printable(result.path.string())}, {"format", printable(result.format)},
        {"state", name_of(result.state)},          {"cases_passed", result.cases_passed},
        {"cases_failed", result.cases_failed},     {"worst_where", printable(result.worst_where)},
        {"messages", nlohmann::json::array()},     {"notes", result.notes}};
    // JSON has no infinity.
    file["worst_ratio"] =
        std::isfinite(result.worst_ratio) ? nlohmann::json(result.worst_ratio) : nlohmann::json("inf");
    for (const std::string& message : result.messages) {
      file["messages"].push_back(printable_message(message));
    }
    files.push_back(std::move(file));
  }
  const Totals total = totals(results);
  return {{"device", device},
          {"float32_tolerance_factor", float32_tolerance_factor(device)},
          {"files", std::move(files)},
          {"total",
           {{"files", total.files},
            {"cases_passed", total.cases_passed},
            {"cases_failed", total.cases_failed},
            {"bad_files", total.bad_files},
            {"skipped_files", total.skipped_files}}}};
}

} // namespace mneme::verify
