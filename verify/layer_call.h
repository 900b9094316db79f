// SPDX-License-Identifier: MIT

/// The text that says what a layer was called with: "forward(input=(stored_pattern, state_pattern), mask)".
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "verify/golden_value.h"

namespace mneme::verify {

/// Parameter -> the inputs it was given; several for a tuple.
using LayerCall = std::map<std::string, std::vector<std::string>>;

/// `parameters`: of the layer's forward, in order. `inputs`: the names of tensors there are. An argument that
/// is written without its parameter's name belongs to the parameter of the same name, else to the one at its
/// place. Arguments that are no tensors (`scaling=0.5`) are left out: they stand in forward_options as well.
///
/// Errors  DataError (JSON path) for a text of another form, or a name that is neither
LayerCall parse_call(const GoldenValue& call, const std::vector<std::string>& parameters,
                     const std::set<std::string>& inputs);

} // namespace mneme::verify
