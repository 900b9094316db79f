// SPDX-License-Identifier: MIT

/// How much of the unit sphere lies in two caps at once: the continuous twin of the circle intersection.
///
/// The sphere is S^(n-1), n = bits. A cap is what lies within the angle t = arccos(1 - 2 d / n) of its axis,
/// so that d keeps the meaning of a Hamming radius; the cosine is that of the angle v between the axes.
/// Derivation: docs/theory/cap_intersection.md.
#pragma once

#include <cstdint>
#include <vector>

namespace mneme::theory {

/// Natural logarithm of the fraction of the sphere that lies in both caps; -infinity where they do not
/// overlap (v >= 2t, up to rounding).
///
/// Formula (1 / 2 pi) * integral over u in [v, 2t] of (sin^2 t - cos^2 t tan^2(u/2))^((n-2)/2); for
///         t > pi/2 through the complements: 2 F(t) - 1 + fraction at pi - t, F the fraction of one cap
/// Units   cosine without unit; up to 1e-4 outside [-1, 1] counts as -1 or 1
/// Accuracy 1e-11 in the logarithm up to 10 000 bits
/// Errors  UsageError unless 0 <= hamming_radius <= bits, 2 <= bits <= 10 000 000; NaN or a cosine further
///         out
double log_cap_intersection(int64_t bits, int64_t hamming_radius, double cosine);

/// Natural logarithm of the fraction of the sphere that one cap covers. Errors as `log_cap_intersection`.
double log_cap_fraction(int64_t bits, int64_t hamming_radius);

/// Natural logarithm of the area of the whole unit sphere S^(n-1): 2 pi^(n/2) / Gamma(n/2).
///
/// Errors  UsageError unless 1 <= bits <= 10 000 000
double log_sphere_area(int64_t bits);

/// `log_cap_intersection` of one radius, tabulated once, then read at any cosine in some tens of
/// nanoseconds.
///
/// Table    cubic Hermite in a graded angle, of the slowly varying part
///          log fraction - (n-2)/2 log q - log(t - v/2), q = sin^2 t - cos^2 t tan^2(v/2) being known exactly
/// Accuracy 1e-9 in the logarithm for 16 to 1000 bits, 1e-8 up to 10 000; never falls as the cosine rises,
///          up to rounding
/// Threads  any number may read at once
/// Cost     about 2000 integrals when built, whatever the number of bits
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
    double value, step_slope; ///< the slowly varying part, and its derivative times the step
  };
  double log_narrow(double cosine) const;

  int64_t bits_, hamming_radius_;
  double power_ = 0;            ///< (n - 2) / 2
  double angle_ = 0;            ///< t, or pi - t where t > pi/2
  double complement_ = 0;       ///< pi/2 - angle
  double two_sin_squared_ = 0;  ///< 2 sin^2 t
  double wide_complements_ = 0; ///< where t > pi/2: twice the fraction outside one cap
  double wide_core_ = 0;        ///< 1 - that
  double knots_per_unit_ = 0;   ///< knots per unit of asinh((t - v/2) / complement)
  std::vector<Knot> knots_;     ///< empty where a closed form serves
};

} // namespace mneme::theory
