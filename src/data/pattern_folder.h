// SPDX-License-Identifier: MIT

/// Reading of folders of images, and discovery of files in them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "mneme/data/pattern_set.h"

namespace mneme::data {

/// Files and folders in a folder, without hidden ones, in the order of their names (sorted by bytes).
struct FolderContent {
  std::vector<std::filesystem::path> files, folders;
};

/// Errors  DataError if the folder cannot be read
FolderContent list_folder(const std::filesystem::path& folder);

/// The files whose names end in .png, .pgm, .pbm, .ppm or .pnm (case-insensitive).
std::vector<std::filesystem::path> image_files(const std::vector<std::filesystem::path>& files);

/// Reads the images of one folder per class. The label of an image is the index of its folder in the sorted
/// names.
///
/// Errors  DataError, also if the folder of a class has no images or contains folders
PatternSet read_class_folders(const std::filesystem::path& folder, int64_t limit);

/// Finds the IDX file of images in a folder, in its subfolder raw, or in MNIST/raw (used by torchvision), and
/// the file of its labels if there is one. Of a training set (train-*) and a test set (t10k-* or test-*), the
/// training set is returned. Nothing if there is no such file.
///
/// Errors  DataError if there are several other files of images
struct IdxPair {
  std::filesystem::path images;
  std::optional<std::filesystem::path> labels;
};
std::optional<IdxPair> find_idx_files(const std::filesystem::path& folder);

/// Name of the folder, also if the path ends in "/" or is ".".
std::string folder_title(const std::filesystem::path& folder);

} // namespace mneme::data
