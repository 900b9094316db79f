// SPDX-License-Identifier: MIT

/// Readers of all formats for a source that is already open; load_patterns selects one of them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "data/array.h"
#include "data/source.h"
#include "mneme/data/load_patterns.h"
#include "mneme/data/pattern_set.h"

namespace mneme::data {

PatternSet read_idx(const Source& source, const LoadOptions& options);
PatternSet read_cifar(const Source& source, int64_t limit);
PatternSet read_csv(const Source& source, int64_t limit);
PatternSet read_npy(const Source& source, const LoadOptions& options);
PatternSet read_npz(const Source& source, const LoadOptions& options);
PatternSet read_png(const Source& source);
PatternSet read_netpbm(const Source& source);
/// Reads one or more images, which must have the same size.
PatternSet read_image_files(std::span<const std::filesystem::path> paths, int64_t limit);
PatternSet read_safetensors(const Source& source, const LoadOptions& options);
PatternSet read_torch(const Source& source, const LoadOptions& options);

/// True if `magic`, the first four bytes as a big-endian number, is a magic number of IDX.
bool is_idx_magic(uint32_t magic);

/// Advice for .npy arrays whose elements are not numbers, in place of the general one, which an empty text
/// selects.
struct NpyAdvice {
  std::string strings = {}, objects = {};
};

/// Type, shape and offset of the array in the file, or of the tensor with this name. Checks that all its
/// numbers are in the file.
Array find_npy(const Source& source, const NpyAdvice& advice = {});
Array find_safetensors(const Source& source, const std::string& tensor);

/// The array described by the header. The data after the header is not checked and may be missing.
Array read_npy_header(const Source& source, const NpyAdvice& advice = {});

/// Index of the tensor with the name `requested`, or of the only one if that is empty. Errors  DataError with
/// all names
size_t choose_tensor(const Source& source, const std::vector<std::string>& names,
                     const std::string& requested);
/// Number type of a dtype of safetensors, such as "F32". Errors  DataError with the name of the tensor
NumberType type_of_tensor(const Source& source, const std::string& tensor, const std::string& dtype);
/// "Name one of ...", followed by the first of `names` in quotes.
std::string advice_to_name_one(const std::vector<std::string>& names);

} // namespace mneme::data
