// SPDX-License-Identifier: MIT

/// Every experiment there is, and how they are called by name.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "experiments/experiment.h"

namespace mneme::experiments {

/// All of them, work by work.
const std::vector<Experiment>& all_experiments();

/// The experiments of these ids, each once, in the order of `all_experiments`. An id names one experiment, or
/// all whose ids begin with it up to a slash: "sdm" and "sdm/sdm-experiments"; "all" names every one.
///
/// Errors  UsageError that lists the ids there are
std::vector<const Experiment*> experiments_named(std::span<const std::string> ids);

} // namespace mneme::experiments
