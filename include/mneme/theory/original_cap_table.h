// SPDX-License-Identifier: MIT

/// Table of cap intersections as built and read by the published code, including its errors, for exact
/// reproduction of its results.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace mneme::theory {

/// Constant that the published code adds to every log cap intersection: 2 - log 2, since it computes
/// 2 + log J instead of log(2 J). All weights are e^2 / 2 = 3.69 times too large. This does not affect
/// normalised weights and betas, but it does affect runs with a finite number of hard locations.
constexpr double kOriginalCapLogOffset = 1.3068528194400546906;

/// Log of the expected number of hard locations in two caps, at `resolution` cosines from -1 to 1, with
/// lookup by the published index rule.
///
/// Values  log fraction + kOriginalCapLogOffset + log hard locations where the caps overlap and
///         2t <= 2 pi - v, else -1e30; the last cosine is 1 - 1e-15. Without a number of hard locations, log
///         of the area of the intersection (not its fraction of the sphere) times 1e40, plus the offset
/// Index   trunc(resolution / 2 * (cosine + 1) - 1), which is half a cell to one cell too low; cosine -1
///         reads the last (largest) entry
/// Errors  UsageError for bits and hamming_radius as `log_cap_intersection`, a resolution outside
///         2 .. 10 000 000, a log that is not finite
/// Source  Bricken & Pehlevan 2021, "Attention Approximates Sparse Distributed Memory", published code
class OriginalCapTable {
public:
  OriginalCapTable(int64_t bits, int64_t hamming_radius, std::optional<double> log_hard_locations,
                   int64_t resolution = 10000);

  const std::vector<double>& log_expected() const { return log_expected_; }
  /// Index by the published rule: -1 at cosine -1, at most resolution - 1.
  ///
  /// Errors  UsageError for NaN and for a cosine more than 1e-4 outside [-1, 1]
  int64_t index(double cosine) const;
  /// Entry that the published code reads for that cosine. Errors as `index`.
  double log_expected_at(double cosine) const;

private:
  std::vector<double> log_expected_;
};

} // namespace mneme::theory
