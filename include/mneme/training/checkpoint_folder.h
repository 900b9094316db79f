// SPDX-License-Identifier: MIT

/// Folder with the checkpoints of one run: step-000000500.safetensors and so on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "mneme/training/checkpoint.h"

namespace mneme::training {

/// A checkpoint is one file, written under a temporary name, synced and then renamed: a file with its final
/// name is complete. A run that is killed while it writes leaves all earlier checkpoints as they were.
class CheckpointFolder {
public:
  /// keep: number of checkpoints that `save` leaves in the folder, >= 1.
  explicit CheckpointFolder(std::filesystem::path folder, int64_t keep = 2);

  /// Writes the checkpoint, then removes the oldest ones, and temporary files of killed runs.
  ///
  /// Errors  OutputError; the earlier checkpoints are then unchanged
  void save(int64_t step, const Checkpoint& checkpoint) const;

  /// The newest checkpoint that can be read. `damaged` is called with the reason for each newer one that
  /// cannot.
  std::optional<Checkpoint> newest(const std::function<void(const std::string& reason)>& damaged) const;

  /// Files by step, the newest first.
  std::vector<std::filesystem::path> files() const;

private:
  std::filesystem::path folder_;
  int64_t keep_;
};

} // namespace mneme::training
