// SPDX-License-Identifier: MIT

#include "mneme/data/npz.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/readers.h"
#include "data/zip.h"
#include "mneme/core/error.h"

namespace mneme::data {
namespace {

constexpr std::string_view kEnding = ".npy";

std::string array_name(const ZipMember& member) {
  return member.name.substr(0, member.name.size() - kEnding.size());
}

/// Type and shape of the array; nothing if it is not numeric or cannot be read.
std::optional<Array> array_of(const Source& source, const ZipMember& member) {
  constexpr int64_t kHeader = 1 << 12; // NumPy writes 128 bytes, and more for arrays of many axes
  try {
    const std::vector<std::byte> start = member_start(source, member, kHeader);
    return read_npy_header(MemorySource(start, source.name()));
  } catch (const DataError&) {
    return std::nullopt;
  }
}

const ZipMember& choose(const Source& source, const std::vector<ZipMember>& arrays,
                        const std::string& requested) {
  std::vector<std::string> names;
  std::vector<const ZipMember*> candidates;
  for (const ZipMember& member : arrays) {
    names.push_back(array_name(member));
    if (requested.empty() || requested == member.name || requested == names.back()) {
      candidates.push_back(&member);
    }
  }
  if (candidates.size() == 1) {
    return *candidates[0];
  }
  if (arrays.empty()) {
    fail(source.name(), "contains no arrays (files named *.npy), at least 1 was expected",
         "Use an archive written by numpy.savez.");
  }
  if (candidates.empty()) {
    fail(source.name(), fmt::format("contains no array {:?}", requested), advice_to_name_one(names));
  }
  candidates.clear();
  std::vector<std::string> described;
  constexpr size_t kShown = 20;
  for (size_t i = 0; i < arrays.size() && (described.size() < kShown || candidates.size() < 2); ++i) {
    if (const std::optional<Array> array = array_of(source, arrays[i])) {
      candidates.push_back(&arrays[i]);
      described.push_back(fmt::format("{:?} ({} of shape [{}])", names[i], name_of(array->type),
                                      fmt::join(array->shape, ", ")));
    } else {
      described.push_back(fmt::format("{:?} (not numeric)", names[i]));
    }
  }
  if (candidates.size() == 1) {
    return *candidates[0];
  }
  described.resize(std::min(described.size(), kShown));
  fail(source.name(), fmt::format("contains {} arrays, but none was selected", arrays.size()),
       fmt::format("Select one with --tensor NAME: {}{}.", fmt::join(described, ", "),
                   arrays.size() > described.size()
                       ? fmt::format(" and {} more", arrays.size() - described.size())
                       : ""));
}

} // namespace

PatternSet read_npz(const Source& source, const LoadOptions& options) {
  std::vector<ZipMember> arrays = zip_members(source);
  std::erase_if(arrays, [](const ZipMember& member) { return !member.name.ends_with(kEnding); });
  const std::unique_ptr<Source> content = open_member(source, choose(source, arrays, options.tensor));
  PatternSet set = read_npy(*content, options);
  set.source = source.title();
  return set;
}

PatternSet parse_npz(std::span<const std::byte> bytes, const std::string& name, const std::string& array,
                     int64_t limit) {
  return read_npz(MemorySource(bytes, name), {.limit = limit, .tensor = array});
}

PatternSet read_npz(const std::filesystem::path& path, const std::string& array, int64_t limit) {
  return read_npz(*open_source(path), {.limit = limit, .tensor = array});
}

} // namespace mneme::data
