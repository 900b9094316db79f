// SPDX-License-Identifier: MIT

#include "theory/log_binomial.h"

#include <limits>

#include <boost/math/special_functions/gamma.hpp>

namespace mneme::theory {

double log_binomial(double items, double chosen) {
  if (!(chosen >= 0 && chosen <= items)) {
    return -std::numeric_limits<double>::infinity();
  }
  // In long double, because the three terms nearly cancel.
  const auto log_factorial = [](double n) { return boost::math::lgamma(static_cast<long double>(n) + 1); };
  return static_cast<double>(log_factorial(items) - log_factorial(chosen) - log_factorial(items - chosen));
}

} // namespace mneme::theory
