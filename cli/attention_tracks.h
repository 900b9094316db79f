// SPDX-License-Identifier: MIT

/// Tracks (one number per token of a text) and their bins, for JSON and pages.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cli/leap_inspection.h"

namespace mneme::cli {

inline int64_t count_of(const LeapInspection& inspection) {
  return static_cast<int64_t>(inspection.ids.size());
}
inline bool has_matrix(const LeapInspection& inspection) {
  return inspection.from < inspection.to;
}

/// The tokens [from, to).
struct Bin {
  int64_t from, to;
  std::span<const float> of(const std::vector<float>& track) const {
    return std::span(track).subspan(static_cast<size_t>(from), static_cast<size_t>(to - from));
  }
};

/// Splits the text into at most 400 bins of equal width.
std::vector<Bin> bins_of(const LeapInspection& inspection);

double sum(std::span<const float> numbers);
double mean(std::span<const float> numbers);
/// The position in the track of the largest number of a bin.
int64_t top(const Bin& bin, const std::vector<float>& track);

/// The double with the shortest decimal representation that identifies the float, so that JSON prints 0.1f as
/// 0.1.
double as_printed(float number);

} // namespace mneme::cli
