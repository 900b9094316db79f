// SPDX-License-Identifier: MIT

#include "mneme/data/cifar.h"

#include <array>

#include <fmt/format.h>

#include "data/readers.h"

namespace mneme::data {
namespace {

constexpr int64_t kSide = 32, kPlane = kSide * kSide, kChannels = 3, kRecord = 1 + kChannels * kPlane;
constexpr int64_t kClasses = 10;

} // namespace

PatternSet read_cifar(const Source& source, int64_t limit) {
  if (source.size() % kRecord != 0) {
    fail(source.name(),
         fmt::format("has {} bytes, but the binary version of CIFAR-10 consists of records of {} bytes",
                     source.size(), kRecord),
         "Check that this is the binary version of CIFAR-10, and that the file is complete.");
  }
  PatternSet set;
  set.height = set.width = kSide;
  set.channels = kChannels;
  set.threshold = 0.5;
  set.file_scale = 255;
  set.source = source.title();
  set.count_without_limit = source.size() / kRecord;
  set.patterns = make_patterns(source.name(), limited(source.size() / kRecord, limit), kChannels * kPlane);
  std::array<std::byte, kRecord> record{};
  for (int64_t i = 0; i < set.patterns.count(); ++i) {
    source.read(i * kRecord, record, "a record");
    const auto label = static_cast<int64_t>(record[0]);
    if (label >= kClasses) {
      fail(source.name(),
           fmt::format("record {}, byte {}: the label is {}, expected 0 to {}", i, i * kRecord, label,
                       kClasses - 1),
           "Check that this is the binary version of CIFAR-10 (CIFAR-100 has a different layout).");
    }
    set.labels.push_back(label);
    for (int64_t at = 0; at < kChannels * kPlane; ++at) {
      const int64_t plane = at % kChannels, pixel = at / kChannels;
      set.patterns[i][static_cast<size_t>(at)] =
          static_cast<double>(record[static_cast<size_t>(1 + plane * kPlane + pixel)]) / 255;
    }
  }
  return set;
}

PatternSet parse_cifar(std::span<const std::byte> bytes, const std::string& name, int64_t limit) {
  return read_cifar(MemorySource(bytes, name), limit);
}

PatternSet read_cifar(const std::filesystem::path& path, int64_t limit) {
  return read_cifar(*open_source(path), limit);
}

} // namespace mneme::data
