// SPDX-License-Identifier: MIT

#include "verify/verify.h"

#include <algorithm>
#include <system_error>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "mneme/core/error.h"
#include "mneme/core/interrupt.h"
#include "mneme/core/text.h"
#include "verify/checker.h"
#include "verify/device.h"
#include "verify/golden_value.h"
#include "verify/json_file.h"
#include "verify/registry.h"

namespace mneme::verify {
namespace {

namespace fs = std::filesystem;

std::string format_of(const fs::path& path, const GoldenValue& file) {
  return file.has("class") ? file.at("class").text() : path.stem().string();
}

/// Errors  DataError (JSON path), Interrupted
void run_file(FileResult& result, const std::string& device) {
  const nlohmann::json json = read_json(result.path);
  const GoldenValue file(json);
  if (!json.is_object()) {
    file.fail("an object that contains the cases");
  }
  const bool has_class = file.has("class");
  const std::string format = format_of(result.path, file);
  const Format* documented = find_format(format);
  const Format known = documented != nullptr ? *documented : Format{};
  const bool with_torch = known.run_with_torch != nullptr, has_runner = with_torch || known.run != nullptr;
  if (const std::string_view reason =
          with_torch ? known.cpu_only : "computed without LibTorch, on the CPU only";
      has_runner && device != "cpu" && !reason.empty()) {
    result.format = format;
    result.state = FileState::skipped;
    result.notes.emplace_back(reason);
  } else if (has_runner && (!with_torch || *known.run_with_torch)) {
    result.format = format;
    Checker checker(result, device);
    if (with_torch) {
      (*known.run_with_torch)(file, checker);
    } else {
      known.run(file, checker);
    }
    if (result.cases_passed + result.cases_failed == 0) {
      throw DataError("/cases: this file contains no case.");
    }
  } else if (!has_class && known.holds_data) {
    result.format = format;
    result.state = FileState::data;
  } else if (documented != nullptr) {
    result.format = format;
    result.state = FileState::unsupported;
    result.cases_failed = 1;
    result.messages.push_back(
        fmt::format("the format {} is documented, but this build cannot check it{}", result.format,
                    with_torch ? ": checking it needs LibTorch, which mneme-nn has" : " yet"));
  } else {
    throw DataError(fmt::format(
        "{}; known formats: {}.\n  The format is the field \"class\", or else the name of the file.",
        has_class ? fmt::format("/class: there is no class {}", summary(format)) : "not a known golden file",
        known_formats()));
  }
}

FileResult bad_file(const fs::path& path, const std::string& message) {
  FileResult result;
  result.path = path;
  result.state = FileState::bad;
  result.messages = {message};
  return result;
}

FileResult verify_file(const fs::path& path, const std::string& device) {
  FileResult result;
  result.path = path;
  try {
    run_file(result, device);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    result.state = FileState::bad;
    result.messages.push_back(error.what());
  } catch (const std::bad_alloc&) {
    result.state = FileState::bad;
    result.messages.push_back("checking it needs more memory than is available.");
  }
  return result;
}

/// The *.json files of a folder; empty if it cannot be read.
std::vector<fs::path> json_files(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() == ".json") {
      files.push_back(entry->path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// The files that the paths name. A folder without *.json files is in the list itself, with false.
std::vector<std::pair<fs::path, bool>> files_of(std::span<const fs::path> paths) {
  std::vector<std::pair<fs::path, bool>> files;
  for (const fs::path& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      files.emplace_back(path, true);
      continue;
    }
    const std::vector<fs::path> found = json_files(path);
    for (const fs::path& file : found) {
      files.emplace_back(file, true);
    }
    if (found.empty()) {
      files.emplace_back(path, false);
    }
  }
  return files;
}

bool file_needs_torch(const fs::path& path) {
  try {
    const nlohmann::json json = read_json(path);
    const Format* format = json.is_object() ? find_format(format_of(path, GoldenValue(json))) : nullptr;
    return format != nullptr && format->run_with_torch != nullptr;
  } catch (const Error&) { // reported by verify_file
    return false;
  }
}

} // namespace

bool needs_torch(std::span<const std::filesystem::path> paths) {
  return std::ranges::any_of(files_of(paths),
                             [](const auto& file) { return file.second && file_needs_torch(file.first); });
}

std::vector<FileResult> verify_paths(std::span<const std::filesystem::path> paths, Progress& progress,
                                     const VerifyOptions& options) {
  const std::string device = checked_device(options.device);
  std::vector<FileResult> results;
  const std::vector<std::pair<fs::path, bool>> files = files_of(paths);
  progress.start("verify", static_cast<int64_t>(files.size()));
  for (const auto& [path, is_file] : files) {
    throw_if_interrupted();
    results.push_back(is_file
                          ? verify_file(path, device)
                          : bad_file(path, "this folder contains no *.json that can be read; its subfolders "
                                           "are not searched: name them one by one."));
    progress.advance();
  }
  progress.finish();
  return results;
}

Totals totals(std::span<const FileResult> results) {
  Totals total;
  for (const FileResult& result : results) {
    ++total.files;
    total.cases_passed += result.cases_passed;
    total.cases_failed += result.cases_failed;
    total.bad_files += result.state == FileState::bad;
    total.skipped_files += result.state == FileState::skipped;
  }
  return total;
}

void require_a_case(std::span<const FileResult> results, const std::string& device) {
  const auto skipped = std::ranges::find(results, FileState::skipped, &FileResult::state);
  const Totals total = totals(results);
  if (skipped != results.end() && total.cases_passed + total.cases_failed + total.bad_files == 0) {
    throw UsageError(fmt::format(
        "no case runs on {}: {} is {}.\n  Verify it on cpu, or name files of layers, such as those "
        "in tests/golden/hopfield and tests/golden/leap.",
        device, printable(skipped->path.string()), skipped->notes.front()));
  }
}

} // namespace mneme::verify
