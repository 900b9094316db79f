// SPDX-License-Identifier: MIT

/// List of all experiments, and selection by id.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "experiments/experiment.h"

namespace mneme::experiments {

/// All experiments, grouped by published work.
const std::vector<Experiment>& all_experiments();

/// The experiments selected by these ids, without duplicates, in the order of `all_experiments`. An id
/// selects one experiment, or all experiments whose ids start with it and a slash, such as "sdm" and
/// "sdm/sdm-experiments"; "all" selects every experiment.
///
/// Errors  UsageError with the list of available ids
std::vector<const Experiment*> experiments_named(std::span<const std::string> ids);

/// The parameters of all experiments, without duplicates.
const std::vector<ParameterInfo>& all_parameters();

/// Checks that all chosen experiments have all given parameters, and that a single one is given those that it
/// requires.
///
/// Errors  UsageError that names the experiment, the parameter, and the parameters that the experiment has
void require_parameters(std::span<const Experiment* const> chosen, std::span<const GivenParameter> given);

} // namespace mneme::experiments
