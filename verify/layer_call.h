// SPDX-License-Identifier: MIT

/// Parser of the call of a layer in a case file: "forward(input=(stored_pattern, state_pattern), mask)".
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "verify/golden_value.h"

namespace mneme::verify {

/// Parameter -> names of its arguments; several for a tuple.
using LayerCall = std::map<std::string, std::vector<std::string>>;

/// `parameters`: of the layer's forward, in order. `inputs`: names of the available tensors. An argument
/// without a parameter name belongs to the parameter of the same name, otherwise to the one at its position.
/// Arguments that are not tensors (`scaling=0.5`) are skipped: they are also in forward_options.
///
/// Errors  DataError (JSON path) for a string of another form, or an unknown name
LayerCall parse_call(const GoldenValue& call, const std::vector<std::string>& parameters,
                     const std::set<std::string>& inputs);

} // namespace mneme::verify
