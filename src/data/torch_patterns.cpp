// SPDX-License-Identifier: MIT

// Reader of patterns from tensors in .pt and .pth files.

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/readers.h"
#include "mneme/core/error.h"
#include "mneme/data/torch_file.h"

namespace mneme::data {
namespace {

/// Copies the elements of a strided tensor to row-major order. The parser has checked that all are within the
/// storage.
std::vector<std::byte> gathered(const Source& source, const TorchFileEntry& entry, size_t item,
                                std::span<const std::byte> file) {
  const std::optional<int64_t> count = product(entry.shape);
  constexpr int64_t kExpandedMax = int64_t{1} << 31; // bytes; the same limit as for decompressed files
  const int64_t bytes_max = std::max(source.size(), kExpandedMax);
  if (!count || *count > bytes_max / static_cast<int64_t>(item)) {
    fail(source.name(),
         fmt::format(
             "\"{}\" of shape {} x {} is an expanded tensor of more than {} bytes, and the file has only {}",
             entry.name, entry.shape.front(), fmt::join(std::span(entry.shape).subspan(1), " x "), bytes_max,
             source.size()),
         "Save the tensor before expanding it, or set --limit.");
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

/// The tensors to choose from, and the name of the requested one among them. `tensor` is a name, or the key
/// of a tensor or a dict in a checkpoint, such as "model.ema".
std::pair<std::vector<TorchFileEntry>, std::string>
tensors_of(std::span<const std::byte> file, const std::string& name, const std::string& tensor) {
  if (!tensor.empty()) {
    try {
      return {parse_torch_checkpoint(file, name, tensor).entries, ""};
    } catch (const DataError&) {
      // Not a key: it may be the name of a tensor; otherwise the caller reports the error.
    }
  }
  return {parse_torch_checkpoint(file, name).entries, tensor};
}

} // namespace

PatternSet read_torch(const Source& source, const LoadOptions& options) {
  const std::vector<std::byte> file = source.first_bytes(source.size());
  const auto [entries, tensor] = tensors_of(file, source.name(), options.tensor);
  std::vector<std::string> names;
  for (const TorchFileEntry& entry : entries) {
    names.push_back(entry.name);
  }
  TorchFileEntry entry = entries[choose_tensor(source, names, tensor)];
  if (entry.is_negated) {
    fail(source.name(),
         fmt::format("{:?} is a tensor with the negative bit set",
                     entry.name.empty() ? options.tensor : entry.name),
         "Save tensor.resolve_neg() instead.");
  }
  const int64_t count = entry.shape.empty() ? 0 : entry.shape[0];
  if (!entry.shape.empty()) {
    entry.shape[0] = limited(entry.shape[0], options.limit);
  }
  Array array{.type = type_of_tensor(source, entry.name, entry.dtype), .shape = entry.shape};
  const OwnedSource elements(gathered(source, entry, static_cast<size_t>(bytes_of(array.type)), file),
                             source.name());
  PatternSet set = read_array(elements, array, options);
  set.count_without_limit = count;
  return set;
}

} // namespace mneme::data
