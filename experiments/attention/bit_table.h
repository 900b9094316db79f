// SPDX-License-Identifier: MIT

/// Chart of bit samples as black and white cells.
#pragma once

#include <string>

#include "mneme/data/sparse_and.h"
#include "report/chart.h"

namespace mneme::experiments {

/// Chart with one row per sample and one column per bit, with the label on the right; relevant columns are
/// framed.
report::Chart bit_table(const std::string& title, const data::SparseAnd& function,
                        const data::LabelledBits& samples);

} // namespace mneme::experiments
