// SPDX-License-Identifier: MIT

/// How far the published code's own numbers can be trusted, where it computes in a way that loses digits.
#pragma once

#include <cstdint>

namespace mneme::verify {

constexpr int64_t kGoldenBitsMax =
    100'000; // no golden case is near it; keeps a hostile file from costing hours

/// The lune form takes I = A - sum of lunes in doubles, with binomials good to about 4e-13 at 1000 bits: each
/// value carries an error of up to this share of A = I(0), whatever is left of I. (Largest seen: 4.0e-13.)
constexpr double kLuneErrorOfWhole = 1e-12;

/// The book's continuous form comes from adaptive quadrature with an absolute tolerance of 1.5e-8 over an
/// integrand that is infinite at 0. (Largest error seen, as a fraction of the space: 4.9e-10.)
constexpr double kBookQuadratureError = 5e-10;
/// The file's more accurate integral is a quadrature too. (Largest error seen: 3.7e-20 of the space, at 1000
/// bits, radius 411, distance 500, where the published one happens to be better.)
constexpr double kAccurateBookQuadratureError = 4e-20;

/// The exponentials of the lower and upper forms carry an absolute error, whatever is left of them. (Largest
/// seen: 2.6e-23.)
constexpr double kExponentialError = 3e-23;

/// The published 1 - exp(-x) loses what lies below half a unit in the last place of 1.
constexpr double kOneMinusError = 1.2e-16;

/// Cap intersections come from adaptive quadrature with an absolute tolerance of 1.5e-8, whatever the size of
/// the integral: the log is right to 3e-8 up to 100 bits, but up to 6.2e-4 off at 784 and 1000.
inline double cap_quadrature_error(int64_t bits) {
  return bits <= 100 ? 1e-6 : 1e-3;
}
constexpr const char* kCapQuadratureNote = "compared to 1e-6 up to 100 bits and to 1e-3 above, where the "
                                           "published quadrature errs by up to 6e-4 in the log";

} // namespace mneme::verify
