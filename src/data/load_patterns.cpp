// SPDX-License-Identifier: MIT

#include "mneme/data/load_patterns.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "data/gzip.h"
#include "data/numbers.h"
#include "data/readers.h"
#include "mneme/core/error.h"
#include "mneme/data/png.h"

namespace mneme::data {
namespace {

enum class Kind { idx, cifar, npy, png, safetensors };

constexpr const char* kKinds =
    "mneme reads IDX (MNIST: .idx, -ubyte, also .gz), CIFAR-10 (.bin), .npy, .png, folders of .png, "
    ".safetensors.";

bool begins_with(const std::vector<std::byte>& start, std::string_view magic) {
  return start.size() >= magic.size() &&
         std::equal(magic.begin(), magic.end(), start.begin(),
                    [](char c, std::byte b) { return static_cast<std::byte>(c) == b; });
}

bool looks_like_safetensors(const std::vector<std::byte>& start, int64_t size) {
  return start.size() > 8 && start[8] == std::byte{'{'} &&
         unsigned_from(std::span(start).first(8), false) <= static_cast<uint64_t>(size - 8);
}

std::optional<Kind> kind_of(const Source& source) {
  using namespace std::string_view_literals;
  const std::vector<std::byte> start = source.start(16);
  std::string name = source.title();
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  constexpr int64_t kCifarRecord = 3073;
  if (begins_with(start, "\x93NUMPY"sv)) {
    return Kind::npy;
  }
  if (begins_with(start, "\x89PNG"sv)) {
    return Kind::png;
  }
  // CIFAR-10 has no magic number: its pixels could look like one of the short ones that follow.
  if (name.ends_with(".bin") && source.size() % kCifarRecord == 0) {
    return Kind::cifar;
  }
  if (is_gzip(source) || begins_with(start, "\0\0\x08\x03"sv) || begins_with(start, "\0\0\x08\x01"sv)) {
    return Kind::idx;
  }
  if (looks_like_safetensors(start, source.size())) {
    return Kind::safetensors;
  }
  constexpr std::pair<std::string_view, Kind> kEndings[] = {
      {".npy", Kind::npy},   {".png", Kind::png}, {".safetensors", Kind::safetensors},
      {".idx", Kind::idx},   {".gz", Kind::idx},  {"-ubyte", Kind::idx},
      {".bin", Kind::cifar},
  };
  for (const auto& [ending, kind] : kEndings) {
    if (name.ends_with(ending)) {
      return kind;
    }
  }
  return std::nullopt;
}

} // namespace

PatternSet load_patterns(const std::filesystem::path& path, const LoadOptions& options) {
  limited(0, options.limit);
  const auto require_no_tensor_named = [&] {
    if (!options.tensor.empty()) {
      throw UsageError(fmt::format("{}: tensor \"{}\" was asked for, but only safetensors files have "
                                   "tensors.\n  Leave the tensor out.",
                                   path.string(), options.tensor));
    }
  };
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    require_no_tensor_named();
    return read_png_folder(path, options.limit);
  }
  const std::unique_ptr<Source> source = open_source(path);
  const std::optional<Kind> kind = kind_of(*source);
  if (!kind) {
    fail(source->name(), "neither its first bytes nor its name tell what kind of file it is", kKinds);
  }
  if (*kind != Kind::safetensors) {
    require_no_tensor_named();
  }
  switch (*kind) {
  case Kind::idx:
    return read_idx(*source, options.limit);
  case Kind::cifar:
    return read_cifar(*source, options.limit);
  case Kind::npy:
    return read_npy(*source, options.limit);
  case Kind::png:
    return read_png(*source);
  case Kind::safetensors:
    return read_safetensors(*source, options.tensor, options.limit);
  }
  return {};
}

} // namespace mneme::data
