// SPDX-License-Identifier: MIT

#include "mneme/theory/beta_fit.h"

#include <cmath>

#include "mneme/theory/circle_intersection.h"
#include "mneme/theory/original_cap_table.h"
#include "mneme/theory/space_fraction.h"
#include "verify/published_precision.h"
#include "verify/registry.h"

namespace mneme::verify {
namespace {

/// Bounds on the effect of the lune form's cancellation on a fit over distances 0 .. radius - 1.
struct FitError {
  double slope = 0, bias = 0;
};

FitError error_from_lune_cancellation(int64_t bits, int64_t radius) {
  const std::vector<double> logs = theory::log_circle_intersections(bits, radius);
  const auto points = static_cast<double>(radius);
  const double mean_cosine = 1 - (points - 1) / static_cast<double>(bits);
  double spread = 0, slope = 0, log_error = 0;
  for (int64_t distance = 0; distance < radius; ++distance) {
    const double offset = theory::hamming_to_cosine(bits, distance) - mean_cosine;
    const double error = kLuneErrorOfWhole * std::exp(logs[0] - logs[static_cast<size_t>(distance)]);
    spread += offset * offset;
    slope += std::abs(offset) * error;
    log_error += error / points;
  }
  slope /= spread;
  return {slope, log_error + std::abs(mean_cosine) * slope * points / (points - 1)};
}

void check_case(const GoldenValue& golden, Checker& checker) {
  const int64_t bits = golden.at("n").integer_between(2, kGoldenBitsMax);
  const int64_t radius = golden.at("hamm_radius").integer_between(2, bits);
  const std::optional<double> log_hard_locations = golden.at("r").log_count();
  if (!log_hard_locations) {
    golden.at("r").fail("a count");
  }
  const theory::BetaFit circles = theory::fit_beta(bits, radius, *log_hard_locations);
  const FitError lune = error_from_lune_cancellation(bits, radius);
  const double inflation = circles.beta / circles.least_squares_slope;
  checker.equal(golden.at("n_points"), circles.points);
  checker.near(golden.at("beta_binary"), circles.beta,
               1e-9 * std::abs(circles.beta) + lune.slope * inflation);
  checker.near(golden.at("beta_binary_ols"), circles.least_squares_slope,
               1e-9 * std::abs(circles.least_squares_slope) + lune.slope);
  checker.near(golden.at("bias_binary"), circles.bias, 1e-9 * std::abs(circles.bias) + lune.bias);

  const theory::BetaFit caps = theory::fit_beta_to_caps(bits, radius, *log_hard_locations);
  checker.near(golden.at("beta_cap"), caps.beta, cap_quadrature_error(bits));
  checker.near(golden.at("beta_cap_ols"), caps.least_squares_slope, cap_quadrature_error(bits));
  checker.near(golden.at("bias_cap"), caps.bias + theory::kOriginalCapLogOffset, cap_quadrature_error(bits));
}

void check_softmax(const GoldenValue& golden, const theory::SoftmaxFit& fit, Checker& checker) {
  checker.near_relative(golden.at("beta"), fit.beta, 1e-6);
  checker.near_relative(golden.at("loss"), fit.loss, 1e-6);
}

} // namespace

/// Betas fitted by log-linear regression and by least squares of the softmax.
void run_beta_fit(const GoldenValue& file, Checker& checker) {
  checker.note("binary fits: compared to 1e-9 + the effect on the line of an error of 1e-12 of I(0) in each "
               "lune-form value");
  checker.note(std::string("cap fits: ") + kCapQuadratureNote);
  checker.each_case(file.at("cases"), [&](const GoldenValue& golden) { check_case(golden, checker); });
  if (file.has("regression_only")) {
    checker.each_case(file.at("regression_only").at("cases"), [&](const GoldenValue& golden) {
      const theory::BetaFit fit =
          theory::fit_beta_regression(golden.at("x").numbers(), golden.at("res").numbers());
      checker.near_relative(golden.at("beta"), fit.beta, 1e-9);
      checker.near_relative(golden.at("bias"), fit.bias, 1e-9);
      checker.near_relative(golden.at("beta_ols"), fit.least_squares_slope, 1e-9);
    });
  }
  if (file.has("softmax_optimum")) {
    checker.each_case(file.at("softmax_optimum").at("cases"), [&](const GoldenValue& golden) {
      const int64_t bits = golden.at("n").integer_between(2, kGoldenBitsMax);
      const int64_t radius = golden.at("hamm_radius").integer_between(1, bits);
      check_softmax(golden.at("binary"), theory::fit_softmax_to_circles(bits, radius), checker);
      check_softmax(golden.at("cap"), theory::fit_softmax_to_caps(bits, radius), checker);
    });
  }
}

} // namespace mneme::verify
