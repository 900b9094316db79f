// SPDX-License-Identifier: MIT

/// Tracks along a text, whole or in bins, as JSON and pages show them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cli/leap_look.h"

namespace mneme::cli {

inline int64_t count_of(const Look& look) {
  return static_cast<int64_t>(look.ids.size());
}
inline bool has_matrix(const Look& look) {
  return look.from < look.to;
}

/// Tokens [from, to).
struct Bin {
  int64_t from, to;
  std::span<const float> of(const std::vector<float>& track) const {
    return std::span(track).subspan(static_cast<size_t>(from), static_cast<size_t>(to - from));
  }
};

/// The whole text in runs of tokens, no more than a page has room for.
std::vector<Bin> bins_of(const Look& look);

double sum(std::span<const float> numbers);
double mean(std::span<const float> numbers);
/// The place within the whole track of the largest number in a bin.
int64_t top(const Bin& bin, const std::vector<float>& track);

/// The double that prints as the float does.
double as_printed(float number);

} // namespace mneme::cli
