// SPDX-License-Identifier: MIT

/// State dicts that `torch.save` has written (.pt, .pth): names, types, shapes and where the numbers lie.
///
/// Layout  a zip file of stored entries: data.pkl (a pickle), data/KEY (the numbers of one storage each)
/// Safety  of the pickle only what a dict of tensors takes is understood; nothing that it names is ever called
/// Source  the formats' descriptions: PKWARE's APPNOTE (zip), Python's pickletools (pickle), PyTorch's notes on
///         serialization
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mneme::data {

/// One tensor of the dict: element (i, j, ...) is number offset + i strides[0] + j strides[1] ... of its storage.
struct TorchFileEntry {
  std::string name;
  std::string dtype; ///< as in safetensors.h: "F32", ...
  std::vector<int64_t> shape, strides;
  int64_t offset = 0;
  int64_t begin = 0, end = 0; ///< bytes of the file: the storage, which several tensors may share
};

/// True if the first bytes are those of a zip file, as PyTorch 1.6 and later write.
bool is_torch_file(std::span<const std::byte> bytes);

/// The entries of a dict from names to tensors, in its order. Every element lies within its storage.
///
/// Errors  DataError, also if the dict holds anything but tensors
std::vector<TorchFileEntry> parse_torch_file(std::span<const std::byte> bytes, const std::string& name);

} // namespace mneme::data
