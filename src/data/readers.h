// SPDX-License-Identifier: MIT

/// The readers over a source that is already open; load_patterns chooses among them.
#pragma once

#include <cstdint>
#include <string>

#include "data/source.h"
#include "mneme/data/pattern_set.h"

namespace mneme::data {

PatternSet read_idx(const Source& source, int64_t limit);
PatternSet read_cifar(const Source& source, int64_t limit);
PatternSet read_npy(const Source& source, int64_t limit);
PatternSet read_png(const Source& source);
PatternSet read_safetensors(const Source& source, const std::string& tensor, int64_t limit);

} // namespace mneme::data
