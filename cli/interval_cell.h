// SPDX-License-Identifier: MIT

/// A mean over trials as a cell of a table.
#pragma once

#include "mneme/trials/confidence.h"
#include "report/table.h"

namespace mneme::cli {

/// With its interval where there is one.
inline report::Cell cell(const trials::MeanInterval& interval) {
  if (!interval.half_width) {
    return interval.mean;
  }
  return report::Estimate{interval.mean, interval.mean - *interval.half_width,
                          interval.mean + *interval.half_width};
}

} // namespace mneme::cli
