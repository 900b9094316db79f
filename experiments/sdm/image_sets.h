// SPDX-License-Identifier: MIT

/// Images for training and testing projections, loaded from the available files.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "mneme/core/patterns.h"

namespace mneme::experiments {

/// The files of one data set. Without test files, the last training images are held out for testing.
struct ImageFiles {
  std::vector<std::filesystem::path> train = {}, test = {};

  bool any() const { return !train.empty(); }
  /// Names and sizes of the files, to detect changes.
  std::string signature() const;
};

/// MNIST: training and test images, or either of them if only one is available.
ImageFiles find_mnist(const std::filesystem::path& data);
/// CIFAR-10 in its binary version: the available ones of the five training batches, and the test batch.
ImageFiles find_cifar(const std::filesystem::path& data);

struct ImageSplit {
  RealPatterns train, test; ///< grey, in [0, 1]
  std::string source;       ///< description of the files
};

/// At most `images` images in total, `test` of them for testing.
///
/// Errors  DataError, as data::load_patterns; DataError if images differ in size
ImageSplit load_split(const ImageFiles& files, int64_t images, int64_t test);

} // namespace mneme::experiments
