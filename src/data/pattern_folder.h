// SPDX-License-Identifier: MIT

/// Folders of patterns.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "mneme/data/pattern_set.h"

namespace mneme::data {

/// The content of a folder without hidden names, in the order of the names (as bytes).
struct FolderContent {
  std::vector<std::filesystem::path> files, folders;
};

/// Errors  DataError if it cannot be read
FolderContent list_folder(const std::filesystem::path& folder);

/// Those of `files` whose names end in .png.
std::vector<std::filesystem::path> png_files(const std::vector<std::filesystem::path>& files);

/// The pictures of one folder per class: labels are the places of the folders in the order of their names.
///
/// Errors  DataError, also for a class without pictures or with folders in it
PatternSet read_class_folders(const std::filesystem::path& folder, int64_t limit);

/// The one IDX file of images in a folder, in its folder raw, or in MNIST/raw (as torchvision keeps them), and the
/// labels that belong to it; nothing if there is none.
///
/// Errors  DataError if there are several
struct IdxPair {
  std::filesystem::path images;
  std::optional<std::filesystem::path> labels;
};
std::optional<IdxPair> find_idx_files(const std::filesystem::path& folder);

/// The last part of the path, also where it ends in "/" or is ".".
std::string folder_title(const std::filesystem::path& folder);

} // namespace mneme::data
