// SPDX-License-Identifier: MIT

/// Errors of published numbers where the published code computes in a way that loses digits.
#pragma once

#include <cstdint>

namespace mneme::verify {

/// Far above every golden case; limits the time that a malicious file can cost.
constexpr int64_t kGoldenBitsMax = 100'000;

/// The lune form computes I = A - sum of lunes in doubles, with binomials accurate to about 4e-13 at 1000
/// bits. Each value has an error of up to this fraction of A = I(0), however small I is. (Largest observed:
/// 4.0e-13.)
constexpr double kLuneErrorOfWhole = 1e-12;

/// The book's continuous form is computed by adaptive quadrature with an absolute tolerance of 1.5e-8, of an
/// integrand that is infinite at 0. (Largest error observed, as a fraction of the space: 4.9e-10.)
constexpr double kBookQuadratureError = 5e-10;
/// The more accurate integral of the file is also a quadrature. (Largest error observed: 3.7e-20 of the
/// space, at 1000 bits, radius 411, distance 500, where the published one happens to be better.)
constexpr double kAccurateBookQuadratureError = 4e-20;

/// The exponentials of the lower and upper forms have an absolute error, however small they are. (Largest
/// observed: 2.6e-23.)
constexpr double kExponentialError = 3e-23;

/// Rounding error of the published 1 - exp(-x): half a unit in the last place of 1.
constexpr double kOneMinusError = 1.2e-16;

/// Cap intersections are computed by adaptive quadrature with an absolute tolerance of 1.5e-8, regardless of
/// the size of the integral: the error of the log is below 3e-8 up to 100 bits, but up to 6.2e-4 at 784 and
/// 1000.
inline double cap_quadrature_error(int64_t bits) {
  return bits <= 100 ? 1e-6 : 1e-3;
}
constexpr const char* kCapQuadratureNote = "compared to 1e-6 up to 100 bits and to 1e-3 above, where the "
                                           "published quadrature has errors of up to 6e-4 in the log";

} // namespace mneme::verify
