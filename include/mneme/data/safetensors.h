// SPDX-License-Identifier: MIT

/// Tensors in .safetensors files.
///
/// Layout  header length (uint64, little endian, at most 10^8), header (JSON), then the tensors without gaps
/// Source  the format's description at github.com/huggingface/safetensors
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "mneme/data/pattern_set.h"

namespace mneme::data {

/// One tensor as the header describes it.
struct SafetensorsEntry {
  std::string name;
  std::string
      dtype; ///< "BOOL", "U8", "I8", ... "I64", "F16", "BF16", "F32", "F64", or one that is not read here
  std::vector<int64_t> shape;
  int64_t begin = 0, end = 0; ///< bytes of the file
};

/// All tensors in the order of their bytes, after the whole header has been checked.
std::vector<SafetensorsEntry> parse_safetensors_entries(std::span<const std::byte> bytes,
                                                        const std::string& name);
std::vector<SafetensorsEntry> read_safetensors_entries(const std::filesystem::path& path);

/// The texts under `__metadata__`; empty if there are none. The whole header is checked as above.
std::map<std::string, std::string> parse_safetensors_metadata(std::span<const std::byte> bytes,
                                                              const std::string& name);

/// A tensor to be written; its bytes are little endian, row-major.
struct SafetensorsTensor {
  std::string name, dtype;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
};

/// A whole file, for `write_file_atomically`. Tensors lie in the order given; the data begins at a multiple of 8.
std::vector<std::byte> safetensors_file(std::span<const SafetensorsTensor> tensors,
                                        const std::map<std::string, std::string>& metadata = {});

/// The numbers of one tensor as they are, the first axis times all others; no rule of pattern_set.h applies.
///
/// Errors  DataError, also for numbers that are not finite and for a tensor without axes or numbers
RealPatterns parse_safetensors_numbers(std::span<const std::byte> bytes, const std::string& name,
                                       const std::string& tensor);

/// One tensor as patterns, by the rules of pattern_set.h. `tensor` empty: the only one of the file.
PatternSet parse_safetensors(std::span<const std::byte> bytes, const std::string& name,
                             const std::string& tensor = "", int64_t limit = 0);
PatternSet read_safetensors(const std::filesystem::path& path, const std::string& tensor = "",
                            int64_t limit = 0);

} // namespace mneme::data
