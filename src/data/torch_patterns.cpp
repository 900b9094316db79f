// SPDX-License-Identifier: MIT

// Tensors of .pt and .pth files as patterns.

#include <algorithm>
#include <optional>
#include <span>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/readers.h"
#include "mneme/data/torch_file.h"

namespace mneme::data {
namespace {

/// The elements one after the other, the last axis fastest. The parser has seen that all lie within the storage.
std::vector<std::byte> gathered(const Source& source, const TorchFileEntry& entry, size_t item,
                                std::span<const std::byte> file) {
  const std::optional<int64_t> count = product(entry.shape);
  constexpr int64_t kExpandedMax = int64_t{1} << 31; // bytes, as for what is decompressed
  const int64_t bytes_max = std::max(source.size(), kExpandedMax);
  if (!count || *count > bytes_max / static_cast<int64_t>(item)) {
    fail(source.name(),
         fmt::format("\"{}\" of shape {} x {} takes more than {} bytes: it was expanded, and the file has {}",
                     entry.name, entry.shape.front(), fmt::join(std::span(entry.shape).subspan(1), " x "),
                     bytes_max, source.size()),
         "Save the tensor before it is expanded, or give a --limit.");
  }
  std::vector<std::byte> elements = make_bytes(source.name(), *count * static_cast<int64_t>(item));
  std::vector<int64_t> index(entry.shape.size(), 0);
  int64_t at = entry.offset;
  const std::span<const std::byte> storage = file.subspan(static_cast<size_t>(entry.begin));
  for (size_t i = 0; i < static_cast<size_t>(*count); ++i) {
    std::copy_n(storage.begin() + at * static_cast<int64_t>(item), item,
                elements.begin() + static_cast<ptrdiff_t>(i * item));
    for (size_t axis = index.size(); axis-- > 0;) {
      at += entry.strides[axis];
      if (++index[axis] < entry.shape[axis]) {
        break;
      }
      at -= entry.strides[axis] * entry.shape[axis];
      index[axis] = 0;
    }
  }
  return elements;
}

} // namespace

PatternSet read_torch(const Source& source, const LoadOptions& options) {
  const std::vector<std::byte> file = source.start(source.size());
  const std::vector<TorchFileEntry> entries = parse_torch_file(file, source.name());
  std::vector<std::string> names;
  for (const TorchFileEntry& entry : entries) {
    names.push_back(entry.name);
  }
  TorchFileEntry entry = entries[choose_tensor(source, names, options.tensor)];
  if (!entry.shape.empty()) {
    entry.shape[0] = limited(entry.shape[0], options.limit);
  }
  Array array{.type = type_of_tensor(source, entry.name, entry.dtype), .shape = entry.shape};
  const OwnedSource elements(gathered(source, entry, static_cast<size_t>(bytes_of(array.type)), file),
                             source.name());
  return read_array(elements, array, options);
}

} // namespace mneme::data
