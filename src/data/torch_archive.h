// SPDX-License-Identifier: MIT

/// Container level of files written by torch.save: the pickle, and the byte range of each storage.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/pickle.h"
#include "data/zip.h"

namespace mneme::data {

inline constexpr const char* kSaveStateDict =
    "Save model.state_dict() with torch.save, or convert it to .safetensors.";

struct TorchStorageType {
  std::string_view global, dtype; ///< dtype is empty for unsupported types
  int64_t bytes;                  ///< per number
};
inline constexpr const char* kUntyped = "torch.storage UntypedStorage";
inline constexpr std::array<TorchStorageType, 16> kTorchStorageTypes{{{"torch BoolStorage", "BOOL", 1},
                                                                      {"torch ByteStorage", "U8", 1},
                                                                      {"torch CharStorage", "I8", 1},
                                                                      {"torch ShortStorage", "I16", 2},
                                                                      {"torch IntStorage", "I32", 4},
                                                                      {"torch LongStorage", "I64", 8},
                                                                      {"torch HalfStorage", "F16", 2},
                                                                      {"torch BFloat16Storage", "BF16", 2},
                                                                      {"torch FloatStorage", "F32", 4},
                                                                      {"torch DoubleStorage", "F64", 8},
                                                                      {"torch ComplexFloatStorage", "", 8},
                                                                      {"torch ComplexDoubleStorage", "", 16},
                                                                      {"torch QInt8Storage", "", 1},
                                                                      {"torch QUInt8Storage", "", 1},
                                                                      {"torch QInt32Storage", "", 4},
                                                                      {kUntyped, "", 1}}};

/// Content of a file of either format: one pickle, and the byte range of each storage by its key.
struct TorchArchive {
  Pickle pickle;
  std::map<std::string, ZipEntry> storages;
  int64_t trailing_bytes = 0; ///< bytes after the last storage
};

/// True for the format before PyTorch 1.6.
bool is_old_torch_file(std::span<const std::byte> bytes);

/// Reads a zip file, or a file in the format before PyTorch 1.6.
///
/// Errors  DataError
TorchArchive read_torch_archive(std::span<const std::byte> bytes, const std::string& name);

/// The first of `names`, separated by commas, and the number of the others.
std::string listed(const std::vector<std::string>& names);

} // namespace mneme::data
