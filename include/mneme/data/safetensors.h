// SPDX-License-Identifier: MIT

/// Reader and writer of .safetensors files.
///
/// Layout  header length (uint64, little-endian, at most 10^8), header (JSON), then the tensors without gaps
/// Source  format description at github.com/huggingface/safetensors
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "mneme/data/pattern_set.h"
#include "mneme/data/read_file.h"

namespace mneme::data {

/// Description of one tensor in the header.
struct SafetensorsEntry {
  std::string name;
  /// "BOOL", "U8", "I8", ... "I64", "F16", "BF16", "F32", "F64", or a type that is not supported.
  std::string dtype;
  std::vector<int64_t> shape;
  int64_t begin = 0, end = 0; ///< byte range in the file, end exclusive
};

/// The entries of all tensors in file order. The complete header is checked.
std::vector<SafetensorsEntry> parse_safetensors_entries(std::span<const std::byte> bytes,
                                                        const std::string& name);
std::vector<SafetensorsEntry> read_safetensors_entries(const std::filesystem::path& path);

/// The strings in `__metadata__`; empty if there are none. The complete header is checked.
std::map<std::string, std::string> parse_safetensors_metadata(std::span<const std::byte> bytes,
                                                              const std::string& name);

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;       ///< of all tensors in file order
  std::map<std::string, std::string> metadata; ///< the strings in `__metadata__`; empty if there are none
};

/// Reads and checks the complete header, and no tensor.
SafetensorsHeader read_safetensors_header(const InputFile& file);

/// A tensor to be written. Its bytes are little-endian, row-major.
struct SafetensorsTensor {
  std::string name, dtype;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
};

/// The data of a written file begins at a multiple of this many bytes, a cache line.
inline constexpr int64_t kSafetensorsAlignment = 64;

/// The bytes of a complete .safetensors file, for `write_file_atomically`. Tensors are stored in the order
/// given.
std::vector<std::byte> to_safetensors(std::span<const SafetensorsTensor> tensors,
                                      const std::map<std::string, std::string>& metadata = {});

/// Reads the raw numbers of one tensor as a matrix: the first axis is kept, the others are flattened. The
/// rules of pattern_set.h do not apply.
///
/// Errors  DataError, also for numbers that are not finite, for a scalar and for a tensor of size 0
RealPatterns parse_safetensors_numbers(std::span<const std::byte> bytes, const std::string& name,
                                       const std::string& tensor);

/// Reads one tensor as patterns, by the rules of pattern_set.h. `tensor` may be empty if the file has only
/// one.
PatternSet parse_safetensors(std::span<const std::byte> bytes, const std::string& name,
                             const std::string& tensor = "", int64_t limit = 0);
PatternSet read_safetensors(const std::filesystem::path& path, const std::string& tensor = "",
                            int64_t limit = 0);

} // namespace mneme::data
