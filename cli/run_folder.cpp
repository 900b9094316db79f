// SPDX-License-Identifier: MIT

#include "cli/run_folder.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "json/strict_json.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "mneme/data/read_file.h"

namespace mneme::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kAnotherFolder = "another folder with --out";

/// Names under which runs write results. Without a config.json nothing tells which run wrote them.
constexpr std::array kResultNames = {
    "checkpoints",         "env.json",      "eval.csv",    "explanation.json", "index.html",
    "learning.csv",        "metrics.jsonl", "results.csv", "sheet.png",        "summary.csv",
    "tensors.safetensors", "timing.csv",    "trials.csv",  "verify.json"};

[[noreturn]] void refuse(const std::filesystem::path& folder, const std::string& problem,
                         const std::string& advice) {
  throw UsageError(fmt::format("{}: {}.\n  {}.", printable(folder.string()), problem, advice));
}

std::string text_of(const Json& config, const char* key) {
  const auto found = config.find(key);
  return found != config.end() && found->is_string() ? found->get<std::string>() : "";
}

/// The verb that wrote a config.json; empty if none did. The first runs were written without "verb".
std::string verb_of(const Json& config) {
  if (const std::string verb = text_of(config, "verb"); !verb.empty() || !config.contains("version")) {
    return verb;
  }
  return config.contains("task")             ? "train"
         : config.contains("experiments")    ? "reproduce"
         : config.contains("memories_asked") ? "recall"
                                             : "";
}

/// Such as `mneme train latch`.
std::string command_of(const Json& config) {
  std::string command = "mneme " + verb_of(config);
  for (const char* key : {"task", "quantity"}) {
    if (const std::string word = text_of(config, key); !word.empty()) {
      command += " " + word;
    }
  }
  return "`" + command + "`";
}

/// The config.json of an earlier run, or null if the folder holds none.
Json read_earlier(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "config.json";
  std::error_code unreadable;
  if (!std::filesystem::exists(path, unreadable)) {
    for (const char* name : kResultNames) {
      if (std::filesystem::exists(folder / name, unreadable)) {
        refuse(folder, fmt::format("holds {}, but no config.json that tells which run has written it", name),
               fmt::format("Name {}, or an empty one", kAnotherFolder));
      }
    }
    return nullptr;
  }
  const std::vector<std::byte> bytes = data::read_file(path);
  const auto* text = reinterpret_cast<const char*>(bytes.data());
  Json config;
  try {
    config = parse_strict_json<Json>({text, bytes.size()}, path.string());
  } catch (const DataError&) { // refused below
  }
  if (verb_of(config).empty()) {
    refuse(folder, "holds a config.json that no run of mneme has written; it would be overwritten",
           fmt::format("Name {}", kAnotherFolder));
  }
  return config;
}

} // namespace

void open_run_folder(const std::filesystem::path& folder, const Json& run,
                     const std::vector<std::string>& may_grow) {
  make_output_folder(folder);
  const Json earlier = read_earlier(folder);
  if (earlier.is_null()) {
    return;
  }
  if (command_of(earlier) != command_of(run)) {
    refuse(folder,
           fmt::format("holds a run of {}, which {} would overwrite", command_of(earlier), command_of(run)),
           fmt::format("Name {}", kAnotherFolder));
  }
  std::vector<std::string> differences, shrunk;
  for (const auto& [name, value] : run.items()) {
    const auto found = earlier.find(name);
    if (name == "verb" || (found != earlier.end() && *found == value)) {
      continue;
    }
    const bool grows = std::ranges::find(may_grow, name) != may_grow.end();
    if (grows && found != earlier.end() && found->is_number() && *found < value) {
      continue;
    }
    differences.push_back(fmt::format("{} {} (requested: {})", name,
                                      found == earlier.end() ? "missing" : found->dump(), value.dump()));
    if (grows) {
      shrunk.push_back(name);
    }
  }
  if (!differences.empty()) {
    refuse(folder,
           fmt::format("holds a run of {} with {}", command_of(earlier), fmt::join(differences, ", ")),
           fmt::format("Request the same to resume or repeat that run{}, or name {}",
                       shrunk.empty() ? ""
                                      : fmt::format(" ({} may grow, not shrink)", fmt::join(shrunk, " and ")),
                       kAnotherFolder));
  }
}

} // namespace mneme::cli
