// SPDX-License-Identifier: MIT

#include "mneme/data/safetensors.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "data/array.h"
#include "data/file_kind.h"
#include "data/readers.h"
#include "json/strict_json.h"

namespace mneme::data {
namespace {

using nlohmann::json;

constexpr int64_t kLengthBytes = 8, kMaxHeaderBytes = 100'000'000; // limit of the format

struct NamedType {
  std::string_view name;
  NumberType type;
};
constexpr std::array<NamedType, 13> kTypes{{{"BOOL", NumberType::boolean},
                                            {"U8", NumberType::u8},
                                            {"I8", NumberType::i8},
                                            {"U16", NumberType::u16},
                                            {"I16", NumberType::i16},
                                            {"U32", NumberType::u32},
                                            {"I32", NumberType::i32},
                                            {"U64", NumberType::u64},
                                            {"I64", NumberType::i64},
                                            {"F16", NumberType::f16},
                                            {"BF16", NumberType::bf16},
                                            {"F32", NumberType::f32},
                                            {"F64", NumberType::f64}}};

std::optional<NumberType> type_named(std::string_view name) {
  const auto found =
      std::find_if(kTypes.begin(), kTypes.end(), [&](const NamedType& t) { return t.name == name; });
  return found == kTypes.end() ? std::nullopt : std::optional(found->type);
}

constexpr const char* kWriteAgain = "Write the file again with a safetensors library.";

/// Parses the header as JSON without duplicate keys.
json parse_header(const Source& source, std::string_view text) {
  if (!text.starts_with('{') || text.find('\0') != std::string_view::npos) {
    fail(source.name(), "header, byte 8: expected a JSON object without null bytes, beginning with '{'",
         kWriteAgain);
  }
  return parse_strict_json(text, source.name() + ": header", {.max_depth = 8, .advice = kWriteAgain});
}

/// Parses a list of integers from 0 to 2^63 - 1.
std::vector<int64_t> sizes_in(const Source& source, const std::string& tensor, const json& entry,
                              const char* field) {
  const json& list = entry.at(field);
  std::vector<int64_t> sizes;
  for (const json& size : list) {
    if (!list.is_array() || !size.is_number_unsigned() || size.get<uint64_t>() > INT64_MAX) {
      sizes.clear();
      break;
    }
    sizes.push_back(size.get<int64_t>());
  }
  if (!list.is_array() || sizes.size() != list.size()) {
    fail(source.name(),
         fmt::format("tensor {:?}, {}: expected a list of integers from 0 to 2^63 - 1, found {:.60}", tensor,
                     field, list.dump()),
         kWriteAgain);
  }
  return sizes;
}

SafetensorsEntry parse_entry(const Source& source, const std::string& name, const json& entry) {
  if (!entry.is_object() || entry.size() != 3 || !entry.contains("dtype") || !entry.contains("shape") ||
      !entry.contains("data_offsets") || !entry.at("dtype").is_string()) {
    fail(source.name(),
         fmt::format("tensor {:?}: expected dtype (a string), shape and data_offsets, found {:.60}", name,
                     entry.dump()),
         kWriteAgain);
  }
  SafetensorsEntry result{.name = name,
                          .dtype = entry.at("dtype").get<std::string>(),
                          .shape = sizes_in(source, name, entry, "shape")};
  const std::vector<int64_t> offsets = sizes_in(source, name, entry, "data_offsets");
  if (offsets.size() != 2 || offsets[0] > offsets[1]) {
    fail(source.name(),
         fmt::format("tensor {:?}, data_offsets: expected [begin, end] with begin <= end, found {:.60}", name,
                     entry.at("data_offsets").dump()),
         kWriteAgain);
  }
  result.begin = offsets[0];
  result.end = offsets[1];
  if (const auto type = type_named(result.dtype)) {
    const auto count = product(result.shape);
    const int64_t bytes = result.end - result.begin;
    if (!count || *count > bytes / bytes_of(*type) || *count * bytes_of(*type) != bytes) {
      fail(source.name(),
           fmt::format("tensor {:?}: {} of shape [{}] does not have {} bytes, but data_offsets are [{}, {}]",
                       name, result.dtype, fmt::join(result.shape, ", "), bytes, result.begin, result.end),
           kWriteAgain);
    }
  }
  return result;
}

void check_metadata(const Source& source, const json& metadata) {
  const auto is_string = [](const json& value) { return value.is_string(); };
  if (metadata.is_null()) { // no metadata; the safetensors library accepts this, too
    return;
  }
  if (!metadata.is_object() || !std::all_of(metadata.begin(), metadata.end(), is_string)) {
    fail(source.name(),
         fmt::format("__metadata__: expected an object of strings, found {:.60}", metadata.dump()),
         kWriteAgain);
  }
}

/// Length of the header in bytes, and its JSON.
std::pair<int64_t, json> read_header(const Source& source) {
  if (source.size() < kLengthBytes) {
    reject_unless_safetensors(source);
  }
  std::array<std::byte, kLengthBytes> length_bytes{};
  source.read(0, length_bytes, "the header's length");
  const uint64_t length = unsigned_from(length_bytes, false);
  const int64_t available = source.size() - kLengthBytes;
  if (length > static_cast<uint64_t>(std::min(available, kMaxHeaderBytes))) {
    reject_unless_safetensors(source); // such as a .npy file, an HTML page or a git-lfs pointer
    fail(source.name(),
         fmt::format("byte 0: the header has {} bytes, but at most {} are possible ({} bytes follow)", length,
                     std::min(available, kMaxHeaderBytes), available),
         "Check that this is a .safetensors file and that it is complete.");
  }
  std::string text(length, '\0');
  source.read(kLengthBytes, std::as_writable_bytes(std::span(text)), "the header");
  return {static_cast<int64_t>(length), parse_header(source, text)};
}

SafetensorsHeader read_whole_header(const Source& source) {
  const auto [length, header] = read_header(source);
  SafetensorsHeader whole;
  std::vector<SafetensorsEntry>& entries = whole.entries;
  for (const auto& [name, entry] : header.items()) {
    if (name != "__metadata__") {
      entries.push_back(parse_entry(source, name, entry));
      continue;
    }
    check_metadata(source, entry);
    if (!entry.is_null()) {
      whole.metadata = entry.get<std::map<std::string, std::string>>();
    }
  }
  std::sort(entries.begin(), entries.end(), [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  const int64_t data = kLengthBytes + length;
  int64_t end = 0;
  for (SafetensorsEntry& entry : entries) {
    if (entry.begin != end) {
      fail(source.name(),
           fmt::format("tensor {:?} begins at byte {} of the data, but the previous one ends at {}",
                       entry.name, entry.begin, end),
           "Tensors must be contiguous, without gaps or overlaps. " + std::string(kWriteAgain));
    }
    end = entry.end;
  }
  if (end != source.size() - data) {
    fail(source.name(),
         fmt::format("the tensors have {} bytes, but {} bytes follow the header (byte {})", end,
                     source.size() - data, data),
         kFileDamaged);
  }
  for (SafetensorsEntry& entry : entries) { // All entries are within the file, so no sum can overflow.
    entry.begin += data;
    entry.end += data;
  }
  return whole;
}

std::vector<SafetensorsEntry> read_entries(const Source& source) {
  return read_whole_header(source).entries;
}

} // namespace

size_t choose_tensor(const Source& source, const std::vector<std::string>& names,
                     const std::string& requested) {
  if (requested.empty() && names.size() == 1) {
    return 0;
  }
  const auto found = std::find(names.begin(), names.end(), requested);
  if (!requested.empty() && found != names.end()) {
    return static_cast<size_t>(found - names.begin());
  }
  if (names.empty()) {
    fail(source.name(), "contains no tensors, at least 1 was expected", "Use a file with patterns in it.");
  }
  fail(source.name(),
       requested.empty() ? fmt::format("contains {} tensors, but none was selected", names.size())
                         : fmt::format("contains no tensor {:?}", requested),
       advice_to_name_one(names));
}

NumberType type_of_tensor(const Source& source, const std::string& tensor, const std::string& dtype) {
  if (const auto type = type_named(dtype)) {
    return *type;
  }
  std::vector<std::string_view> known;
  for (const NamedType& named : kTypes) {
    known.push_back(named.name);
  }
  fail(source.name(),
       fmt::format("tensor {:?}: the dtype is {:?}, expected one of {}", tensor, dtype,
                   fmt::join(known, ", ")),
       "Convert the tensor to F32.");
}

std::string advice_to_name_one(const std::vector<std::string>& names) {
  constexpr size_t kShown = 20;
  std::string shown;
  for (size_t i = 0; i < std::min(names.size(), kShown); ++i) {
    shown += fmt::format("{}{:?}", i == 0 ? "" : ", ", names[i]);
  }
  if (names.size() > kShown) {
    shown += fmt::format(" and {} more", names.size() - kShown);
  }
  return fmt::format("Name one of {} (--tensor NAME).", shown);
}

Array find_safetensors(const Source& source, const std::string& tensor) {
  const std::vector<SafetensorsEntry> entries = read_entries(source);
  std::vector<std::string> names;
  for (const SafetensorsEntry& entry : entries) {
    names.push_back(entry.name);
  }
  const SafetensorsEntry& entry = entries[choose_tensor(source, names, tensor)];
  return {
      .type = type_of_tensor(source, entry.name, entry.dtype), .shape = entry.shape, .offset = entry.begin};
}

PatternSet read_safetensors(const Source& source, const LoadOptions& options) {
  return read_array(source, find_safetensors(source, options.tensor), options);
}

RealPatterns parse_safetensors_numbers(std::span<const std::byte> bytes, const std::string& name,
                                       const std::string& tensor) {
  const MemorySource source(bytes, name);
  RealPatterns numbers = read_numbers(source, find_safetensors(source, tensor), 0);
  for (int64_t i = 0; i < numbers.count() * numbers.size(); ++i) {
    if (!std::isfinite(numbers.data()[i])) {
      fail(name,
           fmt::format("tensor {:?}, number {}: a finite number was expected, found {}", tensor, i,
                       numbers.data()[i]),
           "Replace it.");
    }
  }
  return numbers;
}

std::vector<SafetensorsEntry> parse_safetensors_entries(std::span<const std::byte> bytes,
                                                        const std::string& name) {
  return read_entries(MemorySource(bytes, name));
}

std::vector<SafetensorsEntry> read_safetensors_entries(const std::filesystem::path& path) {
  return read_entries(*open_source(path));
}

std::map<std::string, std::string> parse_safetensors_metadata(std::span<const std::byte> bytes,
                                                              const std::string& name) {
  return read_whole_header(MemorySource(bytes, name)).metadata;
}

SafetensorsHeader read_safetensors_header(const InputFile& file) {
  return read_whole_header(file.source());
}

std::vector<std::byte> to_safetensors(std::span<const SafetensorsTensor> tensors,
                                      const std::map<std::string, std::string>& metadata) {
  json header = json::object();
  if (!metadata.empty()) {
    header["__metadata__"] = metadata;
  }
  size_t end = 0;
  for (const SafetensorsTensor& tensor : tensors) {
    const size_t begin = end;
    end += tensor.bytes.size();
    header[tensor.name] = {{"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {begin, end}}};
  }
  std::string text = header.dump();
  const int64_t data = kLengthBytes + std::ssize(text);
  text.resize(text.size() + static_cast<size_t>((kSafetensorsAlignment - data % kSafetensorsAlignment) %
                                                kSafetensorsAlignment),
              ' ');
  std::vector<std::byte> file;
  file.reserve(kLengthBytes + text.size() + end);
  for (int64_t i = 0; i < kLengthBytes; ++i) {
    file.push_back(static_cast<std::byte>(text.size() >> (8 * i) & 0xFF));
  }
  const auto header_bytes = std::as_bytes(std::span(text));
  file.insert(file.end(), header_bytes.begin(), header_bytes.end());
  for (const SafetensorsTensor& tensor : tensors) {
    file.insert(file.end(), tensor.bytes.begin(), tensor.bytes.end());
  }
  return file;
}

PatternSet parse_safetensors(std::span<const std::byte> bytes, const std::string& name,
                             const std::string& tensor, int64_t limit) {
  return read_safetensors(MemorySource(bytes, name), {.limit = limit, .tensor = tensor});
}

PatternSet read_safetensors(const std::filesystem::path& path, const std::string& tensor, int64_t limit) {
  return read_safetensors(*open_source(path), {.limit = limit, .tensor = tensor});
}

} // namespace mneme::data
