// SPDX-License-Identifier: MIT

#include "cli/run_folder.h"

#include <algorithm>
#include <array>
#include <utility>

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

/// Names of result files. If one of them exists without a config.json, the run that wrote it is unknown.
constexpr std::array kResultNames = {"checkpoints",      "heads.csv",  "env.json",     "eval.csv",
                                     "explanation.json", "index.html", "learning.csv", "metrics.jsonl",
                                     "results.csv",      "sheet.png",  "summary.csv",  "tensors.safetensors",
                                     "timing.csv",       "trials.csv", "verify.json"};

[[noreturn]] void fail(const std::filesystem::path& folder, const std::string& problem,
                       const std::string& advice) {
  throw UsageError(fmt::format("{}: {}.\n  {}.", printable(folder.string()), problem, advice));
}

std::string text_of(const Json& config, const char* key) {
  const auto found = config.find(key);
  return found != config.end() && found->is_string() ? found->get<std::string>() : "";
}

/// The verb that wrote a config.json; empty if it is not from mneme. Early versions did not write "verb".
std::string verb_of(const Json& config) {
  if (std::string verb = text_of(config, "verb"); !verb.empty() || !config.contains("version")) {
    return verb;
  }
  if (config.contains("task")) {
    return "train";
  }
  if (config.contains("experiments")) {
    return "reproduce";
  }
  return config.contains("memories_asked") ? "recall" : "";
}

/// The command that wrote a config.json, such as "`mneme train latch`".
std::string command_of(const Json& config) {
  std::string command = "mneme " + verb_of(config);
  for (const char* key : {"task", "quantity"}) {
    if (const std::string word = text_of(config, key); !word.empty()) {
      command += " " + word;
    }
  }
  return "`" + command + "`";
}

/// The name of a setting as people know it: without the part of config.json that it is in.
std::string_view shown_name(std::string_view name) {
  if (name == "memories_asked") {
    return "memory";
  }
  for (const std::string_view part : {"training.", "plan."}) {
    name.remove_prefix(name.starts_with(part) ? part.size() : 0);
  }
  return name;
}

/// A value for a message. Settings that early versions did not have are objects, empty by default.
std::string shown_value(const Json& value) {
  constexpr size_t kHashDigits = 64, kShownDigits = 12;
  if (value.is_string() && value.get_ref<const std::string&>().size() == kHashDigits) {
    return value.get<std::string>().substr(0, kShownDigits) + "...";
  }
  if (value.is_null()) {
    return "default";
  }
  if (!value.is_object()) {
    return value.dump();
  }
  std::vector<std::string> values;
  for (const auto& entry : value) {
    values.push_back(shown_value(entry));
  }
  return values.empty() ? "default" : fmt::format("{}", fmt::join(values, ", "));
}

/// The config.json of an earlier run, or null if the folder contains neither one nor results.
Json read_earlier(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "config.json";
  std::error_code unreadable;
  if (std::filesystem::exists(folder / "memory.sqlite", unreadable)) {
    fail(folder, "contains a memory (memory.sqlite), to which no other files are added",
         fmt::format("Choose {}", kAnotherFolder));
  }
  if (!std::filesystem::exists(path, unreadable)) {
    for (const char* name : kResultNames) {
      if (std::filesystem::exists(folder / name, unreadable)) {
        fail(folder, fmt::format("contains {}, but no config.json that identifies the run", name),
             fmt::format("Choose {}, or an empty one", kAnotherFolder));
      }
    }
    return nullptr;
  }
  const std::vector<std::byte> bytes = data::read_file(path);
  const auto* text = reinterpret_cast<const char*>(bytes.data());
  Json config;
  try {
    config = parse_strict_json<Json>({text, bytes.size()}, path.string());
  } catch (const DataError&) { // config stays null, which is an error below
  }
  if (verb_of(config).empty()) {
    fail(folder, "contains a config.json that was not written by mneme and would be overwritten",
         fmt::format("Choose {}", kAnotherFolder));
  }
  return config;
}

/// Names and both values of the settings of `before` and `requested` that differ, such as
/// "seed 1 (requested: 2)".
class Differences {
public:
  explicit Differences(const std::vector<std::string>& may_grow) : may_grow_(may_grow) {}

  /// `prefix`: the objects that these are in, such as "training.".
  void compare(const Json& before, const Json& requested, const std::string& prefix = "") {
    for (const auto& [key, value] : requested.items()) {
      const auto found = before.find(key);
      if (found != before.end()) {
        compare_setting(prefix + key, *found, value);
      } else if (!is_none(value) && key != "verb") {
        add(prefix + key, "default", shown_value(value));
      }
    }
    if (prefix.empty()) {
      return;
    }
    for (const auto& [key, value] : before.items()) {
      if (!requested.contains(key) && !is_none(value)) {
        add(prefix + key, shown_value(value), "none");
      }
    }
  }

  const std::vector<std::string>& all() const { return all_; }
  const std::vector<std::string>& shrunk() const { return shrunk_; } ///< numbers that may only increase

private:
  /// Null, an empty object and false are the same as none: earlier versions had no such setting.
  static bool is_none(const Json& value) { return value.empty() || value == false; }

  void compare_setting(const std::string& name, const Json& before, const Json& requested) {
    if (before == requested || name == "verb") {
      return;
    }
    if (before.is_object() && requested.is_object() && !before.empty() && !requested.empty()) {
      compare(before, requested, name + ".");
      return;
    }
    const bool grows = std::ranges::find(may_grow_, name) != may_grow_.end();
    if (grows && before.is_number() && before < requested) {
      return;
    }
    add(name, shown_value(before), shown_value(requested));
    if (grows) {
      shrunk_.push_back(name);
    }
  }

  void add(const std::string& name, const std::string& before, const std::string& requested) {
    all_.push_back(fmt::format("{} {} (requested: {})", shown_name(name), before, requested));
  }

  const std::vector<std::string>& may_grow_;
  std::vector<std::string> all_, shrunk_;
};

} // namespace

UnusedFolders::UnusedFolders(std::filesystem::path path) {
  std::error_code error;
  // A symbolic link to a missing folder belongs to the user as well.
  for (; !path.empty() && !std::filesystem::exists(std::filesystem::symlink_status(path, error));
       path = path.parent_path()) {
    missing_.push_back(path);
  }
}

UnusedFolders::~UnusedFolders() {
  std::error_code error;
  for (const std::filesystem::path& folder : missing_) {
    std::filesystem::remove(folder, error); // fails unless it is empty
  }
}

RunFolder open_run_folder(const std::filesystem::path& folder, const Json& run, const RunFolderRules& rules) {
  UnusedFolders unused(folder);
  make_output_folder(folder);
  FolderLock lock(folder,
                  {.taken = "another process writes to this folder",
                   .taken_advice = "One run at a time writes to a folder. Wait until it has ended, or "
                                   "choose another folder with --out.",
                   .read_only_advice = "Check the permissions of the folder, or choose another one "
                                       "with --out.",
                   .required = false});
  Json earlier = read_earlier(folder);
  if (earlier.is_null()) {
    return {std::move(unused), std::move(lock)};
  }
  if (command_of(earlier) != command_of(run)) {
    fail(folder,
         fmt::format("contains a run of {}, which {} would overwrite", command_of(earlier), command_of(run)),
         fmt::format("Choose {}", kAnotherFolder));
  }
  if (rules.update) {
    rules.update(earlier);
  }
  Differences differences(rules.may_grow);
  differences.compare(earlier, run);
  if (!differences.all().empty()) {
    const std::string growth =
        differences.shrunk().empty()
            ? ""
            : fmt::format(" ({} may only increase)", fmt::join(differences.shrunk(), " and "));
    fail(folder,
         fmt::format("contains a run of {} with {}", command_of(earlier), fmt::join(differences.all(), ", ")),
         fmt::format("Use the same settings to {}repeat that run{}, delete the folder, or choose {}{}",
                     rules.can_resume ? "resume or " : "", growth, kAnotherFolder,
                     rules.advice.empty() ? "" : ". " + rules.advice));
  }
  return {std::move(unused), std::move(lock)};
}

Json read_train_config(const std::filesystem::path& folder) {
  std::error_code unreadable;
  const std::filesystem::path path = folder / "config.json";
  if (!std::filesystem::is_regular_file(path, unreadable)) {
    return nullptr;
  }
  const std::vector<std::byte> bytes = data::read_file(path);
  const Json config = Json::parse(reinterpret_cast<const char*>(bytes.data()),
                                  reinterpret_cast<const char*>(bytes.data()) + bytes.size(), nullptr, false);
  const bool is_run = config.is_object() && verb_of(config) == "train" && !text_of(config, "task").empty();
  return is_run ? config : Json();
}

Json read_run_config(const std::filesystem::path& folder, const std::string& task) {
  const Json config = read_train_config(folder);
  return !config.is_null() && config.at("task") == task ? config : Json();
}

} // namespace mneme::cli
