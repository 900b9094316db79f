// SPDX-License-Identifier: MIT

/// The readers over a source that is already open; load_patterns chooses among them.
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
/// At least one picture, all of one size.
PatternSet read_png_files(std::span<const std::filesystem::path> paths, int64_t limit);
PatternSet read_safetensors(const Source& source, const LoadOptions& options);
PatternSet read_torch(const Source& source, const LoadOptions& options);

/// True for the first four bytes of an IDX file, as a big-endian number.
bool is_idx_magic(uint32_t magic);

/// Where the numbers of the one array, or of the tensor named so, lie; all of them are there.
Array find_npy(const Source& source);
Array find_safetensors(const Source& source, const std::string& tensor);

/// The array that the header describes. What follows the header is not checked and may be missing.
Array read_npy_header(const Source& source);

/// The place of the tensor called `wanted`, or of the only one. Errors  DataError with the names
size_t choose_tensor(const Source& source, const std::vector<std::string>& names, const std::string& wanted);
/// What safetensors calls "F32". Errors  DataError naming the tensor
NumberType type_of_tensor(const Source& source, const std::string& tensor, const std::string& dtype);
/// "Name one of ...", with the first of `names` in quotes.
std::string advice_to_name_one(const std::vector<std::string>& names);

} // namespace mneme::data
