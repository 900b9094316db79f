// SPDX-License-Identifier: MIT

/// Bit patterns as packed bytes, as numpy.packbits(x, axis=1, bitorder=...) writes them: [N, ceil(bits / 8)],
/// with zeros after the last bit of a pattern.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "mneme/core/patterns.h"
#include "mneme/data/load_patterns.h"

namespace mneme::data {

std::vector<std::byte> pack_bits(const BitPatterns& patterns, BitOrder order);

/// Shapes  bytes [count, ceil(bits / 8)]
/// Errors  DataError (`name` is that of the file) if the number of bytes differs, or bits after the last one
///         of a pattern are not 0
BitPatterns unpack_bits(std::span<const std::byte> bytes, int64_t count, int64_t bits, BitOrder order,
                        const std::string& name);

/// Reads bytes [N, B] of an IDX, npy, npz, safetensors or torch file to bit patterns, without a number for
/// each bit; otherwise as `load_patterns`. `options.packed` is the order of the bits, `big` if it is not set.
///
/// Errors  those of load_patterns, also for files that cannot contain packed bits
BitPatterns load_packed_bits(const std::filesystem::path& path, LoadOptions options = {});

/// Writes uint8 [N, ceil(bits / 8)] to an .npy file.
///
/// Errors  OutputError
void write_packed_npy(const std::filesystem::path& path, const BitPatterns& patterns, BitOrder order);

} // namespace mneme::data
