// SPDX-License-Identifier: MIT

/// Power law of a loss over the size of a model.
///
/// Source  Kaplan et al. 2020, "Scaling Laws for Neural Language Models"
#pragma once

#include <optional>
#include <span>

namespace mneme::theory {

/// loss(N) = (scale / N)^exponent
struct PowerLaw {
  double exponent = 0; ///< above 0 if the loss falls with the size
  double scale = 0;    ///< the size at which the loss is 1; infinite or 0 if doubles cannot represent it
  /// Half width of the 95 % confidence interval of the exponent, from the scatter of the points about the
  /// line; absent with two points.
  std::optional<double> exponent_half_width = {};
  double log_unit_loss = 0; ///< logarithm of the loss at size 1, exponent * ln(scale); finite for any scale
};

/// Errors whose squares a fit minimises.
enum class PowerLawErrors {
  logarithms, ///< of log(loss): every size has the same influence
  losses,     ///< of the loss, so that large losses, of small models, have more influence
};

/// Least squares of the power law.
///
/// Formula  exponent and scale from the line of log(loss) over log(size), and for `losses` from there by
///          Gauss-Newton steps that do not increase the squares. The half width is t s / sqrt(sum of squares
///          of log(size) about its mean), t of Student's distribution with n - 2 degrees of freedom, s the
///          root mean square error with n - 2; for `losses`, with the squares of the fitted losses as weights
/// Errors   UsageError if the numbers of sizes and losses differ, there are fewer than two different sizes,
///          or a number is not finite and > 0
PowerLaw fit_power_law(std::span<const double> sizes, std::span<const double> losses,
                       PowerLawErrors errors = PowerLawErrors::logarithms);

/// The loss of the power law at a size, from `exponent` and `log_unit_loss`.
double loss_at(const PowerLaw& law, double size);

} // namespace mneme::theory
