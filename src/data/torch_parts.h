// SPDX-License-Identifier: MIT

/// The outside of files that torch.save has written: where the pickle and the storages are.
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
  std::string_view global, dtype; ///< dtype empty: not read
  int64_t bytes;                  ///< of one number
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

/// The parts of a file of either format: one pickle, and the bytes of each storage by its key.
struct TorchParts {
  Pickle pickle;
  std::map<std::string, ZipEntry> storages;
  int64_t left_over = 0; ///< bytes behind the last storage
};

/// True for the format before PyTorch 1.6.
bool is_old_torch_file(std::span<const std::byte> bytes);

/// Of a zip file, or of the format before.
///
/// Errors  DataError
TorchParts torch_parts(std::span<const std::byte> bytes, const std::string& name);

/// The first of `names`, and how many more there are.
std::string listed(const std::vector<std::string>& names);

} // namespace mneme::data
