// SPDX-License-Identifier: MIT

/// The images that projections are learnt from and tested on, from the files at hand.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "mneme/core/patterns.h"

namespace mneme::experiments {

/// The files of one data set. Without files for tests, the last training images are held back.
struct ImageFiles {
  std::vector<std::filesystem::path> train = {}, test = {};

  bool any() const { return !train.empty(); }
  /// Names and sizes: changes when the files do.
  std::string signature() const;
};

/// MNIST: the 60 000 and the 10 000, or whichever there is.
ImageFiles find_mnist(const std::filesystem::path& data);
/// CIFAR-10 in its binary version: as many of the five batches as there are, and the test batch.
ImageFiles find_cifar(const std::filesystem::path& data);

struct ImageSplit {
  RealPatterns train, test; ///< grey, in [0, 1]
  std::string source;       ///< for readers: which files
};

/// At most `images` of both together, `test` of them for tests.
///
/// Errors  DataError, as the readers
ImageSplit load_split(const ImageFiles& files, int64_t images, int64_t test);

} // namespace mneme::experiments
