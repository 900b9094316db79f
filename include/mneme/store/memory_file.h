// SPDX-License-Identifier: MIT

/// Item memories in files: patterns, payloads and options in one .safetensors file.
///
/// Format  The tensors `patterns` and, if there are payloads, `payloads`, both with one row per item. Bits
///         are U8 [S, ceil(bits / 8)], the first bit in the least significant place (numpy.unpackbits(x,
///         axis=1, bitorder="little")); real numbers are F64 [S, n]; integers are I64 [S]; byte strings are
///         U8 [total], and the I64 [S] `payload_ends` has the end of each. `encode` is the matrix of that
///         option, F64. The metadata name the format ("mneme.item-memory"), its version, the types, and every
///         option. Version 2 adds the threshold of numbers of a durable memory, as `threshold`,
///         `threshold_min`, `threshold_max` and `threshold_file_scale`; files without one have version 1.
///         `crc32c` is the checksum of the other metadata, sorted by name (name, value), and of the tensors,
///         sorted by name (name, dtype, bytes), each preceded by its length as a 64-bit number.
#pragma once

#include <filesystem>
#include <optional>

#include "mneme/memory/item_memory.h"
#include "mneme/store/durable_memory.h"

namespace mneme::store {

/// Writes the memory. An existing file is replaced only once all bytes of the new one are on the disk.
/// `threshold`: that with which the patterns were made from numbers.
///
/// Errors  OutputError; UnsupportedError if the options have what a file cannot contain: `encode_bits`, or a
///         function that draws random numbers
template <class Patterns>
void save_memory(const std::filesystem::path& path, const ItemMemory<Patterns>& memory,
                 const std::optional<Threshold>& threshold = {});

/// `threshold`, unless null, is set to that of the file, or to none.
///
/// Errors  DataError if the file is damaged, has another format or version, or has patterns of another type
template <class Patterns>
ItemMemory<Patterns> load_memory(const std::filesystem::path& path,
                                 std::optional<Threshold>* threshold = nullptr);

extern template void save_memory(const std::filesystem::path&, const ItemMemory<BitPatterns>&,
                                 const std::optional<Threshold>&);
extern template void save_memory(const std::filesystem::path&, const ItemMemory<RealPatterns>&,
                                 const std::optional<Threshold>&);
extern template ItemMemory<BitPatterns> load_memory(const std::filesystem::path&, std::optional<Threshold>*);
extern template ItemMemory<RealPatterns> load_memory(const std::filesystem::path&, std::optional<Threshold>*);

} // namespace mneme::store
