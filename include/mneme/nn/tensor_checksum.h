// SPDX-License-Identifier: MIT

/// Checksum of files of tensors.
#pragma once

#include <string>

#include "mneme/nn/tensor_file.h"

namespace mneme::nn {

/// CRC32C of all tensors and of all texts but the one named "crc32c", where programs store it, sorted by
/// name, as eight hexadecimal digits.
std::string checksum_of(const TensorFile& file);

} // namespace mneme::nn
