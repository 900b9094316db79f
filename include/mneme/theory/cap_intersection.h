// SPDX-License-Identifier: MIT

/// Fraction of the unit sphere in the intersection of two caps: the continuous counterpart of the circle
/// intersection.
///
/// The sphere is S^(n-1), n = bits. A cap is the set of points within the angle t = arccos(1 - 2 d / n) of
/// its axis, so that d is comparable to a Hamming radius; the cosine is that of the angle v between the axes.
/// Derivation: docs/theory/cap_intersection.md.
#pragma once

#include <cstdint>
#include <vector>

namespace mneme::theory {

/// Natural logarithm of the fraction of the sphere in both caps; -infinity where they do not overlap, at
/// v >= 2t (up to rounding).
///
/// Formula (1 / 2 pi) * integral over u in [v, 2t] of (sin^2 t - cos^2 t tan^2(u/2))^((n-2)/2); for
///         t > pi/2 by the complements: 2 F(t) - 1 + fraction at pi - t, F the fraction of one cap
/// Units   a cosine up to 1e-4 outside [-1, 1] is clamped to -1 or 1
/// Accuracy 1e-11 in the logarithm up to 10 000 bits
/// Errors  UsageError unless 0 <= hamming_radius <= bits, 2 <= bits <= 10 000 000; for NaN or a cosine
///         further outside
double log_cap_intersection(int64_t bits, int64_t hamming_radius, double cosine);

/// Natural logarithm of the fraction of the sphere in one cap. Errors as `log_cap_intersection`.
double log_cap_fraction(int64_t bits, int64_t hamming_radius);

/// Natural logarithm of the area of the unit sphere S^(n-1): 2 pi^(n/2) / Gamma(n/2).
///
/// Errors  UsageError unless 1 <= bits <= 10 000 000
double log_sphere_area(int64_t bits);

/// Lookup table of `log_cap_intersection` for one radius. A lookup takes some tens of nanoseconds.
///
/// Table    cubic Hermite interpolation on a graded angular grid of the slowly varying part
///          log fraction - (n-2)/2 log q - log(t - v/2); q = sin^2 t - cos^2 t tan^2(v/2) is known exactly
/// Accuracy 1e-9 in the logarithm for 16 to 1000 bits, 1e-8 up to 10 000; non-decreasing in the cosine, up to
///          rounding
/// Threads  concurrent reads are safe
/// Cost     construction computes about 2000 integrals, independent of the number of bits
class CapIntersectionTable {
public:
  /// Errors  UsageError as `log_cap_intersection`
  CapIntersectionTable(int64_t bits, int64_t hamming_radius);

  /// Errors  UsageError for NaN and for a cosine more than 1e-4 outside [-1, 1]
  double log_fraction(double cosine) const;

  int64_t bits() const { return bits_; }
  int64_t hamming_radius() const { return hamming_radius_; }

private:
  struct Knot {
    double value, step_slope; ///< slowly varying part, and its derivative times the step
  };
  double log_narrow(double cosine) const;

  int64_t bits_, hamming_radius_;
  double power_ = 0;            ///< (n - 2) / 2
  double angle_ = 0;            ///< t, or pi - t where t > pi/2
  double complement_ = 0;       ///< pi/2 - angle
  double two_sin_squared_ = 0;  ///< 2 sin^2 t
  double wide_complements_ = 0; ///< where t > pi/2: twice the fraction outside one cap
  double wide_core_ = 0;        ///< 1 - wide_complements_
  double knots_per_unit_ = 0;   ///< knots per unit of asinh((t - v/2) / complement)
  std::vector<Knot> knots_;     ///< empty where a closed form is used
};

} // namespace mneme::theory
