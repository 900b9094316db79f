// SPDX-License-Identifier: MIT

#include "mneme/trials/confidence.h"

#include <cmath>
#include <numeric>

#include <boost/math/distributions/students_t.hpp>

#include "mneme/core/error.h"

namespace mneme::trials {

MeanInterval mean_interval(std::span<const double> samples) {
  if (samples.empty()) {
    throw UsageError("mneme::trials::mean_interval: there are no samples to average.");
  }
  const auto count = static_cast<double>(samples.size());
  const double mean = std::accumulate(samples.begin(), samples.end(), 0.0) / count;
  if (samples.size() < 2) {
    return {mean, std::nullopt};
  }
  double squares = 0;
  for (const double sample : samples) {
    squares += (sample - mean) * (sample - mean);
  }
  const double t = boost::math::quantile(boost::math::students_t(count - 1), 0.975);
  return {mean, t * std::sqrt(squares / (count - 1) / count)};
}

} // namespace mneme::trials
