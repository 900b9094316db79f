// SPDX-License-Identifier: MIT

#include "mneme/training/checkpoint_folder.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>

#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"

namespace mneme::training {
namespace {

constexpr const char* kPrefix = "step-";
constexpr const char* kExtension = ".safetensors";
constexpr const char* kTemporary = ".safetensors.part-"; // of write_file_atomically

std::vector<std::filesystem::path> entries_of(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> entries;
  std::error_code missing;
  for (std::filesystem::directory_iterator entry(folder, missing), end; !missing && entry != end;
       entry.increment(missing)) {
    entries.push_back(entry->path());
  }
  return entries;
}

void remove_file(const std::filesystem::path& file) {
  std::error_code ignored; // an old file that stays does no harm
  std::filesystem::remove(file, ignored);
}

} // namespace

CheckpointFolder::CheckpointFolder(std::filesystem::path folder, int64_t keep)
    : folder_(std::move(folder)), keep_(keep) {
  if (keep < 1) {
    throw UsageError(c10::str("mneme::training::CheckpointFolder: keep is ", keep,
                              ", but must be at least 1.\n  The newest checkpoint is always kept."));
  }
}

void CheckpointFolder::save(int64_t step, const Checkpoint& checkpoint) const {
  make_output_folder(folder_);
  std::array<char, 64> name{};
  std::snprintf(name.data(), name.size(), "%s%09lld%s", kPrefix, static_cast<long long>(step), kExtension);
  save_checkpoint(folder_ / name.data(), checkpoint);
  for (const std::filesystem::path& file : entries_of(folder_)) {
    if (file.filename().string().find(kTemporary) != std::string::npos) {
      remove_file(file);
    }
  }
  const std::vector<std::filesystem::path> all = files();
  // A run that was resumed from an old checkpoint leaves newer ones, which are equal to those it will write.
  const auto this_one = std::ranges::find(all, folder_ / name.data());
  for (auto file = this_one; file != all.end(); ++file) {
    if (file - this_one >= keep_) {
      remove_file(*file);
    }
  }
}

std::vector<std::filesystem::path> CheckpointFolder::files() const {
  std::vector<std::filesystem::path> found;
  for (const std::filesystem::path& file : entries_of(folder_)) {
    const std::string name = file.filename().string();
    if (name.starts_with(kPrefix) && name.ends_with(kExtension)) {
      found.push_back(file);
    }
  }
  std::ranges::sort(found, std::greater<>());
  return found;
}

std::optional<Checkpoint>
CheckpointFolder::newest(const std::function<void(const std::string& reason)>& damaged) const {
  for (const std::filesystem::path& file : files()) {
    try {
      return load_checkpoint(file);
    } catch (const DataError& error) {
      damaged(error.what());
    }
  }
  return std::nullopt;
}

} // namespace mneme::training
