// SPDX-License-Identifier: MIT

/// Charts of `mneme inspect`.
#pragma once

#include <string>
#include <vector>

#include "cli/inspect_report.h"
#include "cli/leap_inspection.h"
#include "report/chart.h"

namespace mneme::cli {

/// Names of the tokens of the matrix, [inspection.from, inspection.to).
std::vector<std::string> words_of(const LeapInspection& inspection, const TokenNames& names);

/// Attention matrix of queries and tokens, with gates and focus weights. The page computes the matrix from
/// the tracks; menus select layer, head and quantity.
report::Chart matrix_figure(const LeapInspection& inspection, const TokenNames& names);
/// Charts of a long text in bins of tokens: attention weights of the last query, focus weights and gates.
/// Menus select layer and head.
report::Chart track_figure(const LeapInspection& inspection, const TokenNames& names);
/// Attention rollout of the last token.
report::Chart rollout_figure(const LeapInspection& inspection, const TokenNames& names);

} // namespace mneme::cli
