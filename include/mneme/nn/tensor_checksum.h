// SPDX-License-Identifier: MIT

/// Checksum of files of tensors.
#pragma once

#include <string>

#include "mneme/nn/tensor_file.h"

namespace mneme::nn {

/// Adds the text "crc32c": the CRC32C of all tensors and of all other texts, sorted by name, as eight
/// hexadecimal digits.
void add_checksum(TensorFile& file);

/// Checks the contents by this text and removes it. A file without it, from an earlier version, passes.
///
/// Errors  DataError with `source`, both checksums and `how_to_fix`
void check_checksum(TensorFile& file, const std::string& source, const std::string& how_to_fix);

} // namespace mneme::nn
