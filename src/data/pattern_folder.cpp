// SPDX-License-Identifier: MIT

#include "data/pattern_folder.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/file_kind.h"
#include "data/readers.h"
#include "data/source.h"
#include "mneme/core/text.h"

namespace mneme::data {
namespace {

/// Name of the file of labels for an IDX file of images: replaces "images" by "labels" and idx3 by idx1.
std::string name_of_labels(std::string name) {
  const auto replace = [&](std::string_view from, std::string_view to) {
    if (const size_t at = name.find(from); at != std::string::npos) {
      name.replace(at, from.size(), to);
    }
  };
  replace("images", "labels");
  replace("idx3", "idx1");
  return name;
}

/// IDX files of images by name without ".gz". If a file exists plain and compressed, the plain one is used.
std::map<std::string, std::filesystem::path> idx_images(const std::vector<std::filesystem::path>& files) {
  std::map<std::string, std::filesystem::path> images;
  for (const std::filesystem::path& file : files) {
    std::string name = file.filename().string();
    const bool compressed = name.ends_with(".gz");
    name.resize(name.size() - (compressed ? 3 : 0));
    const bool is_images =
        (name.ends_with("idx3-ubyte") || name.ends_with(".idx")) && name.find("labels") == std::string::npos;
    if (is_images && (!compressed || !images.contains(name))) {
      images[name] = file;
    }
  }
  return images;
}

} // namespace

FolderContent list_folder(const std::filesystem::path& folder) {
  FolderContent content;
  try {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (!entry.path().filename().string().starts_with('.')) {
        (entry.is_directory() ? content.folders : content.files).push_back(entry.path());
      }
    }
  } catch (const std::filesystem::filesystem_error& error) {
    fail(folder.string(), fmt::format("the folder cannot be read: {}", error.code().message()),
         "Check the path and its permissions.");
  }
  std::sort(content.files.begin(), content.files.end());
  std::sort(content.folders.begin(), content.folders.end());
  return content;
}

std::vector<std::filesystem::path> image_files(const std::vector<std::filesystem::path>& files) {
  std::vector<std::filesystem::path> images;
  std::copy_if(files.begin(), files.end(), std::back_inserter(images), [](const std::filesystem::path& file) {
    constexpr std::array<std::string_view, 5> kImages{".png", ".pgm", ".pbm", ".ppm", ".pnm"};
    return std::find(kImages.begin(), kImages.end(), lower_case(file.extension().string())) != kImages.end();
  });
  return images;
}

PatternSet read_class_folders(const std::filesystem::path& folder, int64_t limit) {
  std::vector<std::filesystem::path> images;
  std::vector<int64_t> labels;
  std::vector<std::string> names;
  for (const std::filesystem::path& class_folder : list_folder(folder).folders) {
    const FolderContent content = list_folder(class_folder);
    if (!content.folders.empty()) {
      fail(class_folder.string(),
           fmt::format("contains the folder {:?}, but the folder of a class may contain only images",
                       content.folders[0].filename().string()),
           "Use a folder with one folder of images per class, without further nesting.");
    }
    const std::vector<std::filesystem::path> of_class = image_files(content.files);
    if (of_class.empty()) {
      fail(class_folder.string(),
           "contains no files named *.png or *.pgm, but each folder must contain the images of one class",
           "Add images to it, or remove it.");
    }
    images.insert(images.end(), of_class.begin(), of_class.end());
    labels.insert(labels.end(), of_class.size(), std::ssize(names));
    names.push_back(class_folder.filename().string());
  }
  PatternSet set = read_image_files(images, limit);
  labels.resize(static_cast<size_t>(set.patterns.count()));
  set.labels = std::move(labels);
  set.class_names = std::move(names);
  set.source = folder_title(folder);
  return set;
}

std::optional<IdxPair> find_idx_files(const std::filesystem::path& folder) {
  for (const std::filesystem::path& place : {folder, folder / "raw", folder / "MNIST" / "raw"}) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(place, ignored)) {
      continue;
    }
    const std::vector<std::filesystem::path> files = list_folder(place).files;
    std::map<std::string, std::filesystem::path> images = idx_images(files);
    if (images.empty()) {
      continue;
    }
    if (images.size() == 2) { // a training set and its test set
      const auto is_training = [](const auto& file) { return file.first.starts_with("train-"); };
      const auto is_test = [](const auto& file) {
        return file.first.starts_with("t10k-") || file.first.starts_with("test-");
      };
      if (std::ranges::any_of(images, is_training)) {
        std::erase_if(images, is_test);
      }
    }
    if (images.size() > 1) {
      std::vector<std::string> paths;
      for (const auto& [name, path] : images) {
        paths.push_back(path.string());
      }
      fail(folder.string(),
           fmt::format("contains {} IDX files of images, exactly 1 was expected", images.size()),
           fmt::format("Use one of {}.", fmt::join(paths, ", ")));
    }
    IdxPair pair{.images = images.begin()->second, .labels = {}};
    const std::string labels = name_of_labels(images.begin()->first);
    for (const std::string& name : {labels, labels + ".gz"}) {
      if (!pair.labels && labels != images.begin()->first && std::filesystem::exists(place / name, ignored)) {
        pair.labels = place / name;
      }
    }
    return pair;
  }
  return std::nullopt;
}

std::string folder_title(const std::filesystem::path& folder) {
  return printable(
      std::filesystem::absolute(folder / "x").lexically_normal().parent_path().filename().string());
}

} // namespace mneme::data
