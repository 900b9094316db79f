// SPDX-License-Identifier: MIT

/// The figures of `mneme inspect`.
#pragma once

#include <string>
#include <vector>

#include "cli/inspect_report.h"
#include "cli/leap_look.h"
#include "report/chart.h"

namespace mneme::cli {

/// Names of the tokens that the matrix shows, from look.from on.
std::vector<std::string> words_of(const Look& look, const TokenNames& names);

/// Readers and tokens as a matrix, which the page itself computes from tracks; menus choose layer, head and quantity.
report::Chart matrix_figure(const Look& look, const TokenNames& names);
/// Of a long text: where the last reader looks, weights and gates, in bins of tokens; menus choose layer and head.
report::Chart track_figure(const Look& look, const TokenNames& names);
report::Chart roll_out_figure(const Look& look, const TokenNames& names);

} // namespace mneme::cli
