// SPDX-License-Identifier: MIT

#include "theory/normal.h"

#include <boost/math/special_functions/erf.hpp>

namespace mneme::theory {

double normal_quantile(double p) {
  return -normal_upper_quantile(p);
}

double normal_upper_quantile(double q) {
  return std::numbers::sqrt2 * boost::math::erfc_inv(2 * q);
}

} // namespace mneme::theory
