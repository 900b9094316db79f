// SPDX-License-Identifier: MIT

#include "cli/recall_file.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "json/strict_json.h"
#include "mneme/core/atomic_file.h"
#include "mneme/core/error.h"
#include "mneme/core/text.h"
#include "mneme/data/safetensors.h"

namespace mneme::cli {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "mneme.recall";
constexpr const char* kVersion = "1";

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& problem) {
  throw DataError(fmt::format("{}: {}.\n  Give a file that `mneme recall --save` has written; "
                              "--patterns reads files of other kinds.",
                              printable(path.string()), problem));
}

void check(const std::filesystem::path& path, const data::PatternSet& set) {
  const int64_t count = set.patterns.count(), size = set.patterns.size();
  const auto has_size = [&](int64_t side) { return side > 0 && side <= size; };
  const bool is_image_of_size = has_size(set.height) && has_size(set.width) && has_size(set.channels) &&
                                size % set.height == 0 && size / set.height % set.width == 0 &&
                                size / set.height / set.width == set.channels;
  const bool is_consistent = (set.labels.empty() || std::ssize(set.labels) == count) &&
                             std::isfinite(set.threshold) && std::isfinite(set.file_scale) &&
                             set.file_scale > 0 &&
                             (is_image_of_size || (set.height == 0 && set.width == 0 && set.channels == 0));
  if (!is_consistent) {
    fail(path, "labels, image shape, threshold or scale do not fit the patterns");
  }
}

/// Reads labels of the type I64.
std::vector<int64_t> read_labels(const data::InputFile& input, const data::SafetensorsEntry& entry,
                                 const std::filesystem::path& path) {
  if (entry.dtype != "I64" || entry.shape.size() != 1) {
    fail(path, "the tensor \"labels\" is not a list of 64-bit integers");
  }
  std::vector<int64_t> labels(static_cast<size_t>(entry.shape[0]));
  input.read(entry.begin, std::as_writable_bytes(std::span(labels)));
  return labels;
}

} // namespace

void save_recall(const std::filesystem::path& path, const RecallFile& file) {
  const data::PatternSet& set = file.patterns;
  const auto numbers =
      std::span(set.patterns.data(), static_cast<size_t>(set.patterns.count() * set.patterns.size()));
  std::vector<data::SafetensorsTensor> tensors;
  tensors.push_back({"patterns", "F64", {set.patterns.count(), set.patterns.size()}, std::as_bytes(numbers)});
  if (!set.labels.empty()) {
    tensors.push_back({"labels", "I64", {std::ssize(set.labels)}, std::as_bytes(std::span(set.labels))});
  }
  const json description = {{"height", set.height},           {"width", set.width},
                            {"channels", set.channels},       {"class_names", set.class_names},
                            {"threshold", set.threshold},     {"file_scale", set.file_scale},
                            {"source", printable(set.source)}};
  write_file_atomically(path, data::to_safetensors(tensors, {{"format", kFormat},
                                                             {"version", kVersion},
                                                             {"set", description.dump()},
                                                             {"options", file.options.dump()}}));
}

RecallFile load_recall(const std::filesystem::path& path) {
  const data::InputFile input(path);
  constexpr int64_t kLengthOfHeader = 8;
  if (input.size() < kLengthOfHeader) {
    fail(path, "is too short");
  }
  const data::SafetensorsHeader header = data::read_safetensors_header(input);
  const auto text_of = [&](const char* key) {
    const auto found = header.metadata.find(key);
    return found == header.metadata.end() ? std::string() : found->second;
  };
  if (text_of("format") != kFormat) {
    fail(path, "is not a file of `mneme recall --save`");
  }
  if (text_of("version") != kVersion) {
    fail(path, fmt::format("has version \"{}\", expected \"{}\"", printable(text_of("version")), kVersion));
  }
  const std::vector<std::byte> bytes = input.first_bytes(input.size());
  RecallFile file;
  file.patterns.patterns = data::parse_safetensors_numbers(bytes, path.string(), "patterns");
  const auto labels = std::ranges::find(header.entries, "labels", &data::SafetensorsEntry::name);
  if (labels != header.entries.end()) {
    file.patterns.labels = read_labels(input, *labels, path);
  }
  try {
    const auto set = parse_strict_json<json>(text_of("set"), path.string());
    file.patterns.height = set.at("height").get<int64_t>();
    file.patterns.width = set.at("width").get<int64_t>();
    file.patterns.channels = set.at("channels").get<int64_t>();
    file.patterns.class_names = set.at("class_names").get<std::vector<std::string>>();
    file.patterns.threshold = set.at("threshold").get<double>();
    file.patterns.file_scale = set.at("file_scale").get<double>();
    file.patterns.source = set.at("source").get<std::string>();
    file.options = parse_strict_json<json>(text_of("options"), path.string());
  } catch (const json::exception& error) {
    fail(path, fmt::format("its metadata are damaged ({})", printable(error.what())));
  }
  check(path, file.patterns);
  return file;
}

} // namespace mneme::cli
