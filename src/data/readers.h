// SPDX-License-Identifier: MIT

/// The readers over a source that is already open; load_patterns chooses among them.
#pragma once

#include <cstdint>
#include <string>

#include "data/array.h"
#include "data/source.h"
#include "mneme/data/pattern_set.h"

namespace mneme::data {

PatternSet read_idx(const Source& source, int64_t limit);
PatternSet read_cifar(const Source& source, int64_t limit);
PatternSet read_npy(const Source& source, int64_t limit);
PatternSet read_png(const Source& source);
PatternSet read_safetensors(const Source& source, const std::string& tensor, int64_t limit);

/// Where the numbers of the one array, or of the tensor named so, lie; all of them are there.
Array find_npy(const Source& source);
Array find_safetensors(const Source& source, const std::string& tensor);

} // namespace mneme::data
