// SPDX-License-Identifier: MIT

/// Samples of bits drawn as a table of black and white cells.
#pragma once

#include <string>

#include "mneme/data/sparse_and.h"
#include "report/chart.h"

namespace mneme::experiments {

/// One row per sample, one column per bit, its label on the right; relevant columns are framed.
report::Chart bit_table(const std::string& title, const data::SparseAnd& function,
                        const data::LabelledBits& samples);

} // namespace mneme::experiments
