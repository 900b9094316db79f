// SPDX-License-Identifier: MIT

/// Reader of files written by `torch.save` (.pt, .pth, .bin): names, types, shapes and file offsets of
/// tensors.
///
/// Layout  since PyTorch 1.6 a zip file of uncompressed entries: data.pkl (a pickle) and one data/KEY per
///         storage; before, a sequence of pickles followed by the storages
/// Safety  the pickle is only parsed: no class or function that it names is imported or called
/// Source  format descriptions: PKWARE's APPNOTE (zip), Python's pickletools (pickle), PyTorch's notes on
///         serialization
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mneme::data {

/// One strided tensor: element (i, j, ...) is number offset + i strides[0] + j strides[1] ... of its storage.
struct TorchFileEntry {
  std::string name;
  std::string dtype; ///< as in safetensors.h: "F32", ...
  std::vector<int64_t> shape, strides;
  int64_t offset = 0;
  int64_t begin = 0, end = 0; ///< byte range of the storage in the file; tensors may share a storage
  bool is_negated = false;    ///< PyTorch's negative bit: the elements are the negated numbers
};

struct TorchFile {
  std::vector<TorchFileEntry> entries; ///< in file order
  std::string key;                     ///< key of the nested dict or list that was read; empty: the outermost
  std::vector<std::string> notes;      ///< what was selected or skipped, as text without the file name
};

/// True if the bytes begin like a zip file (PyTorch 1.6 and later) or like the format before it.
bool is_torch_file(std::span<const std::byte> bytes);

/// Reads the tensors of a state dict. Tensors of a list or tuple are named "0", "1", ...; a single tensor is
/// named "". In a checkpoint of nested dicts there must be exactly one dict or list with tensors: all nesting
/// levels are searched if the outermost value contains tensors itself, otherwise only the first level with
/// tensors.
///
/// `key` selects a nested dict, list or tensor: "model.ema" is the entry "ema" of the entry "model"; "." is
/// the outermost value.
///
/// Every element is checked to be within its storage. A stride may be 0 (an expanded tensor), so a tensor may
/// have more elements than the file has numbers.
///
/// Errors  DataError, also if several dicts contain tensors and `key` is empty, or if a tensor is sparse,
///         quantized, nested, complex, float8, on the meta device or of a custom class
TorchFile parse_torch_checkpoint(std::span<const std::byte> bytes, const std::string& name,
                                 const std::string& key = "");

/// Returns only the entries, without keys and notes. For callers that do not support the negative bit.
///
/// Errors  DataError, as parse_torch_checkpoint, and for a negated tensor
std::vector<TorchFileEntry> parse_torch_file(std::span<const std::byte> bytes, const std::string& name);

} // namespace mneme::data
