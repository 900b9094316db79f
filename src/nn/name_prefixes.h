// SPDX-License-Identifier: MIT

/// Prefixes that wrappers around a model put into the names of its parameters.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "mneme/nn/tensor_file.h"

namespace mneme::nn {

/// Renames the tensors of `state`, unless all names are known. The path components of DataParallel ("module"),
/// torch.compile ("_orig_mod"), FSDP and activation checkpointing are removed anywhere, and then components that all
/// names begin with, such as "model"; neither if known names hold them, too, or if two names would become one.
///
/// Returns a note for each prefix that was removed.
std::vector<std::string> remove_name_prefixes(NamedTensors& state, const std::set<std::string>& known);

} // namespace mneme::nn
