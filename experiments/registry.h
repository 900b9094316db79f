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

/// Checks the given parameters: at least one of the chosen experiments has each of them, their values are in
/// its range, and a single experiment is given those that it requires. Returns, for each parameter that some
/// of the experiments do not have, a message that names these.
///
/// Errors  UsageError that names the experiment, the parameter, and the parameters that the experiment has
std::vector<std::string> check_parameters(std::span<const Experiment* const> chosen,
                                          std::span<const GivenParameter> given);

/// The settings with the parameters that an experiment has.
RunSettings settings_of(const Experiment& experiment, RunSettings settings);

} // namespace mneme::experiments
