// SPDX-License-Identifier: MIT

/// Tensors in files that `torch.save` has written (.pt, .pth, .bin): names, types, shapes and where the numbers are.
///
/// Layout  since PyTorch 1.6 a zip file of stored entries: data.pkl (a pickle), data/KEY (the numbers of one storage
///         each); before, pickles one after the other, then the storages
/// Safety  the pickle is only read: nothing that it names is ever imported or called
/// Source  the formats' descriptions: PKWARE's APPNOTE (zip), Python's pickletools (pickle), PyTorch's notes on
///         serialization
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mneme::data {

/// One tensor: element (i, j, ...) is number offset + i strides[0] + j strides[1] ... of its storage.
struct TorchFileEntry {
  std::string name;
  std::string dtype; ///< as in safetensors.h: "F32", ...
  std::vector<int64_t> shape, strides;
  int64_t offset = 0;
  int64_t begin = 0, end = 0; ///< bytes of the file: the storage, which several tensors may share
  bool is_negated = false;    ///< PyTorch's negative bit: the elements are minus these numbers
};

struct TorchFile {
  std::vector<TorchFileEntry> entries; ///< in the order of the file
  std::string key; ///< of the nested dict or list whose tensors these are; empty: the whole file
  std::vector<std::string>
      notes; ///< what was chosen and what was left out, as sentences without the file's name
};

/// True if the first bytes are those of a zip file, as PyTorch 1.6 and later write, or those of the format before it.
bool is_torch_file(std::span<const std::byte> bytes);

/// The tensors of a dict from names to tensors; those of a list or tuple are named "0", "1", ...; a tensor alone is
/// named "". Of a checkpoint, whose dicts are nested, the tensors of the only dict or list that holds some: the least
/// nested one, if the outermost holds none itself.
///
/// `key` chooses a nested dict, list or tensor: "model.ema" is the entry "ema" of the entry "model"; "." is the outermost.
///
/// Every element is within its storage. A stride may be 0 (an expanded tensor), so that there may be more elements than
/// numbers in the file.
///
/// Errors  DataError, also if several dicts hold tensors and none was chosen, or if a tensor is sparse, quantized,
///         nested, complex, float8, without numbers or of a class of its own
TorchFile parse_torch_checkpoint(std::span<const std::byte> bytes, const std::string& name,
                                 const std::string& key = "");

/// The entries alone, of which none is negated: for readers that take numbers as they are.
///
/// Errors  DataError, as parse_torch_checkpoint and for a negated tensor
std::vector<TorchFileEntry> parse_torch_file(std::span<const std::byte> bytes, const std::string& name);

} // namespace mneme::data
