// SPDX-License-Identifier: MIT

/// Charts and tables of attention heads that are read as memories.
#pragma once

#include <array>
#include <span>

#include "learning/heads.h"
#include "report/chart.h"
#include "report/table.h"

namespace mneme::learning {

/// Betas of Sparse Distributed Memory with 64 bits at the three optimal Hamming radii, as published (Bricken
/// & Pehlevan 2021).
struct ReferenceBeta {
  double beta;
  const char* name;
};
inline constexpr std::array kReferenceBetas = {ReferenceBeta{10.1, "critical distance"},
                                               ReferenceBeta{15.9, "signal-to-noise ratio"},
                                               ReferenceBeta{35.5, "memory capacity"}};

/// Histogram of the beta of each head, with the reference betas; as published, up to 50 bins.
report::Chart beta_histogram(std::span<const HeadSummary> heads);

/// Mean or largest beta over the heads of each layer, one line per text.
report::Chart layer_curves(std::span<const TextHeads> texts, bool largest);

/// One point per head: beta, and the share of keys that carry 90 % of the weight.
report::Chart kinds_chart(std::span<const HeadSummary> heads);

/// One row per layer: betas, and how many heads are of each kind.
report::Table layers_table(std::span<const HeadSummary> heads);

} // namespace mneme::learning
