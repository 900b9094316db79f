// SPDX-License-Identifier: MIT

#include "experiments/sdm/image_sets.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "mneme/core/error.h"
#include "mneme/data/folders.h"
#include "mneme/data/grey.h"
#include "mneme/data/load_patterns.h"

namespace mneme::experiments {
namespace {

using Paths = std::vector<std::filesystem::path>;

std::vector<std::string> names_of(const Paths& files) {
  std::vector<std::string> names;
  for (const std::filesystem::path& file : files) {
    names.push_back(file.filename().string());
  }
  return names;
}

/// The first `limit` images of the concatenated files.
RealPatterns load(const Paths& files, int64_t limit) {
  std::vector<double> numbers;
  int64_t count = 0, size = 0;
  for (const std::filesystem::path& file : files) {
    if (count == limit) {
      break;
    }
    const data::PatternSet set = data::to_grey(data::load_patterns(file, {.limit = limit - count}));
    if (count > 0 && set.patterns.size() != size) {
      throw DataError(
          fmt::format("{}: images of {} pixels, but those of {} have {}.\n  Use files of one data set.",
                      set.source, set.patterns.size(), files.front().filename().string(), size));
    }
    size = set.patterns.size();
    count += set.patterns.count();
    numbers.insert(numbers.end(), set.patterns.data(), set.patterns.data() + set.patterns.count() * size);
  }
  return {count, size, std::move(numbers)};
}

} // namespace

std::string ImageFiles::signature() const {
  std::vector<std::string> parts;
  for (const Paths* files : {&train, &test}) {
    for (const std::filesystem::path& file : *files) {
      parts.push_back(
          fmt::format("{}, {} bytes", file.filename().string(), std::filesystem::file_size(file)));
    }
  }
  return fmt::format("{}", fmt::join(parts, "; "));
}

ImageFiles find_mnist(const std::filesystem::path& data) {
  const auto train = data::find_data_file(data, "mnist", {"train-images-idx3-ubyte"});
  const auto test = data::find_data_file(data, "mnist", {"t10k-images-idx3-ubyte"});
  if (train) {
    return {.train = {*train}, .test = test ? Paths{*test} : Paths{}};
  }
  return {.train = test ? Paths{*test} : Paths{}};
}

ImageFiles find_cifar(const std::filesystem::path& data) {
  ImageFiles files;
  for (const char* name :
       {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"}) {
    if (const auto file = data::find_data_file(data, "cifar-10", {name})) {
      files.train.push_back(*file);
    }
  }
  if (const auto test = data::find_data_file(data, "cifar-10", {"test_batch.bin"})) {
    (files.train.empty() ? files.train : files.test).push_back(*test);
  }
  return files;
}

ImageSplit load_split(const ImageFiles& files, int64_t images, int64_t test) {
  ImageSplit split;
  if (files.test.empty()) {
    const RealPatterns all = load(files.train, images);
    const int64_t train = std::max<int64_t>(0, all.count() - test);
    split = {slice(all, 0, train), slice(all, train, all.count()), {}};
  } else {
    split = {load(files.train, images - test), load(files.test, test), {}};
  }
  split.source = fmt::format("{}", fmt::join(names_of(files.train), ", "));
  split.source += files.test.empty() ? fmt::format(", the last {} for testing", test)
                                     : fmt::format("; for testing {}", fmt::join(names_of(files.test), ", "));
  return split;
}

} // namespace mneme::experiments
