// SPDX-License-Identifier: MIT

/// Prefixes that wrappers around a model put into the names of its parameters.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "mneme/nn/tensor_file.h"

namespace mneme::nn {

/// Removes prefixes from the names of `state`, unless all names are known. First the path components of
/// DataParallel ("module"), torch.compile ("_orig_mod"), FSDP and activation checkpointing are removed at any
/// depth; then leading components that all names have in common, such as "model". A component is kept if
/// known names contain it as well, or if its removal would make two names equal.
///
/// Returns a note for each prefix that was removed.
std::vector<std::string> remove_name_prefixes(NamedTensors& state, const std::set<std::string>& known);

/// The state without `prefix`, such as "transformer.", in the names that begin with it. Errors  DataError
/// that begins with `source` if a parameter has both names
NamedTensors without_model_prefix(NamedTensors state, std::string_view prefix, const std::string& source);

} // namespace mneme::nn
